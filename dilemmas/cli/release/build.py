"""`dilemmas release build`: a dataset becomes a folder that others can load, check and cite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json

if TYPE_CHECKING:
    from dilemmas.release.contents import Contents

EXAMPLES = """
[bold]Examples[/bold]

dilemmas release build dataset/reviewed.jsonl --version 0.1.0 --out releases/

dilemmas release build dataset/reviewed.jsonl --version 0.2.0 --judgements annotations/round-1/ --notes notes.md

dilemmas release build dataset/dilemmas.jsonl --version 0.1.0 --include-unreviewed --date 2026-11-21
"""


def build(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="The dilemmas; what is said of them, beside it.")],
    version: Annotated[str, typer.Option(metavar="VERSION", help="Version of the release, such as 0.1.0.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of all releases.")] = Path("releases"),
    date: Annotated[
        str | None, typer.Option(metavar="DAY", help="Day of the release; the same one gives the same bytes. \\[today]")
    ] = None,
    judgements: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="More judgements: a pulled round, or a file of them; may be given again."),
    ] = None,
    previous: Annotated[
        Path | None, typer.Option(metavar="RELEASE", help="Release to compare with. \\[the newest in --out]")
    ] = None,
    notes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Markdown for this version's entry in the changelog.")
    ] = None,
    include_unreviewed: Annotated[
        bool,
        typer.Option("--include-unreviewed", help="Have dilemmas that people have not reviewed; every place says so."),
    ] = False,
    with_comments: Annotated[bool, typer.Option("--with-comments", help="Have reviewers' comments too.")] = False,
    json_: Json = False,
) -> None:
    """Build a release: data, card, Croissant, citation, schemas, figures and checksums in one folder.

    What is said of NAME.jsonl is read from beside it: NAME.judgements.jsonl, .naming, .answers, .plan and .history.
    A version that is there, or that what changed does not allow, is refused. Needs the extra `release`.
    """
    from dilemmas.release import build as building

    folder, contents = building.build(
        dataset,
        version,
        out,
        date=date,
        judgements=judgements or (),
        previous=previous,
        notes=notes,
        include_unreviewed=include_unreviewed,
        with_comments=with_comments,
    )
    (_print_json if json_ else _print)(folder, contents)


def _print(folder: Path, contents: Contents) -> None:
    import shlex

    from dilemmas.release.versions import told

    review = ", ".join(f"{count:,} {status}" for status, count in contents.by_status.items())
    print(f"dilemmas  {len(contents.dilemmas):,}: {review}")
    if contents.left_out:
        print(f"left out  {', '.join(f'{len(ids):,} {status}' for status, ids in contents.left_out.items())}")
    if contents.difference:
        print(f"since     {contents.previous}: {told(contents.difference)}")
    print(f"checks    {', '.join(f'{count:,} {name}' for name, count in contents.checks.items())}")
    if contents.caveat:
        print(f"caveat    {contents.caveat}")
    print(f"release   {folder}")
    print(f"next      dilemmas release verify {shlex.quote(str(folder))}")


def _print_json(folder: Path, contents: Contents) -> None:
    from dilemmas.release.layout import MANIFEST

    print((folder / MANIFEST).read_text(encoding="utf-8"), end="")
