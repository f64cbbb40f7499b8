"""`dilemmas release verify`: whether a release is whole, can be loaded, and holds nothing that it must not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json

if TYPE_CHECKING:
    from dilemmas.release.verify import Verified

EXAMPLES = """
[bold]Examples[/bold]

dilemmas release verify releases/0.1.0

dilemmas release verify releases/0.1.0 --names annotations/pseudonyms.jsonl

[bold]Exit codes[/bold]

0 everything holds, 1 a check found something, 2 the folder is not the release that was built.
"""
EXIT_PROBLEMS = 1
SHOWN = 10
"""Problems of a check that are printed; the others are counted."""


def verify(
    folder: Annotated[Path, typer.Argument(metavar="RELEASE", help="Folder of one version.")],
    names: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="People who must not be named in it: pseudonyms.jsonl, or a file with a name a line."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Open a release as others would: checksums, schemas, mlcroissant, datasets, pandas, card, citation; offline.

    Only for releases that you built or trust: libraries open what is in the folder.
    """
    import json

    from dilemmas.release import verify as verifying

    found = verifying.verify(folder, names=names)
    if json_:
        print(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(found)
    if not found.holds:
        raise typer.Exit(EXIT_PROBLEMS)


def _print(found: Verified) -> None:
    """Each check with what holds or what does not, then the whole in one line."""
    for check in found.checks:
        print(f"{'FAILS' if check.problems else 'holds'}  {check.name:12} {check.looks_for}")
        for problem in check.problems[:SHOWN]:
            print(f"       - {_shown(problem)}")
        if len(check.problems) > SHOWN:
            print(f"       - and {len(check.problems) - SHOWN:,} more")
    failed = sum(bool(check.problems) for check in found.checks)
    size = f"{found.dilemmas:,} dilemmas, {found.files:,} files, {found.bytes / 1e6:.1f} MB"
    verdict = f"{failed} of {len(found.checks)} checks fail" if failed else f"all {len(found.checks)} checks hold"
    print(f"\n{found.folder}, version {found.version} ({size}): {verdict}")


def _shown(text: str) -> str:
    """A problem without characters of a file that would steer a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
