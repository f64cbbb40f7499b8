"""Finding runs: a folder of runs has a folder for each, and a store in it."""

from __future__ import annotations

from pathlib import Path

from dilemmas.config import check_run_name
from dilemmas.errors import InputError, did_you_mean
from dilemmas.store import FILE


def find(run: str, runs: Path) -> Path:
    """Folder of a run given by name or by path.

    Raises:
        InputError: there is none; suggests the nearest name.
    """
    path = Path(run)
    if path.name != run or (path / FILE).is_file():
        folder = path
    else:
        try:
            folder = runs / check_run_name(run)
        except ValueError as error:
            raise InputError(str(error), where=f'run "{run}"', fix="Give a run's name or its folder.") from None
    if not (folder / FILE).is_file():
        known = [one.name for one in list_runs(runs)]
        fix = did_you_mean(run, known) if known else f"There are no runs in {runs}/ yet; `dilemmas evaluate` makes one."
        raise InputError(f'there is no run "{run}"', where=str(folder), fix=fix)
    return folder


def list_runs(runs: Path) -> list[Path]:
    """Folders of the runs in a folder, by name."""
    return sorted(path.parent for path in runs.glob(f"*/{FILE}"))
