"""Finding runs: a folder of runs has a folder for each, and a store in it. Released results hold runs as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from dilemmas.config import check_run_name
from dilemmas.errors import InputError, did_you_mean
from dilemmas.release.results_layout import place_of
from dilemmas.store import FILE


class Opened(NamedTuple):
    """A run to be read."""

    folder: Path
    """Has its store; of released results it is there only as long as they are open."""
    out: Path
    """Where to write what is made of it: a release is never written to."""


@contextmanager
def opened(run: str, runs: Path) -> Iterator[Opened]:
    """A run given by name or by path, or released results: their folder, or that of one run in them.

    Raises:
        InputError: there is none, or a release is not as it was built; see `release.restore`.
    """
    from dilemmas.release.restore import restored

    place = place_of(Path(run))
    if place is None:
        folder = find(run, runs)
        yield Opened(folder, folder)
        return
    with restored(place) as folder:
        yield Opened(folder, place.folder.with_name(f"{place.folder.name}-analysis") / folder.name)


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
        if place_of(path):
            raise InputError(
                "holds released results and no run", where=run, fix="`dilemmas analyse` and `report` take them."
            )
        known = [one.name for one in list_runs(runs)]
        fix = did_you_mean(run, known) if known else f"There are no runs in {runs}/ yet; `dilemmas evaluate` makes one."
        raise InputError(f'there is no run "{run}"', where=str(folder), fix=fix)
    return folder


def list_runs(runs: Path) -> list[Path]:
    """Folders of the runs in a folder, by name."""
    return sorted(path.parent for path in runs.glob(f"*/{FILE}"))
