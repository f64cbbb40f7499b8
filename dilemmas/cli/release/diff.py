"""`dilemmas release diff`: what is different between two versions of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dilemmas.cli.options import Json

if TYPE_CHECKING:
    from rich.text import Text

    from dilemmas.release.diff import Change, Compared

EXAMPLES = """
[bold]Examples[/bold]

dilemmas release diff releases/0.1.0 releases/0.2.0

dilemmas release diff releases/0.1.0 dataset/reviewed.jsonl

dilemmas release diff releases/0.1.0 releases/0.2.0 --json
"""
STYLES = {"same": "", "gone": "red strike", "new": "green"}
MARKS = {"same": ("", ""), "gone": ("[-", "-]"), "new": ("{+", "+}")}
"""The marks of `git diff --word-diff`, which can be read without colours."""


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Folder of a release, or a file of dilemmas.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="What came of it: a release, or a file of dilemmas.")],
    json_: Json = False,
) -> None:
    """Compare two releases: what came, what is gone, what changed word by word, and which version that asks for."""
    import json

    from dilemmas.release import diff as comparing

    compared = comparing.diff(old, new)
    if json_:
        print(json.dumps(compared.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(compared)


def _print(compared: Compared) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    console.print(_summary(compared), markup=False)
    found = compared.difference
    for what, ids in {"added": found.added, "removed": found.removed}.items():
        for name in ids:
            console.print(Text(f"\n{what}  {name}", style="bold"))
    for name, changes in compared.changes.items():
        what = "metadata" if name in found.touched else "relabelled" if name in found.relabelled else "changed"
        what = "redefined" if name in found.redefined else what
        console.print(Text(f"\n{what}  {name}", style="bold"))
        for change in changes:
            console.print(_line(change))
    if compared.files:
        console.print(f"\nother files that differ  {', '.join(compared.files)}", markup=False)


def _summary(compared: Compared) -> str:
    from dilemmas.release.versions import told

    old, new, found = compared.old, compared.new, compared.difference
    lines = [
        f"old      {old.name} ({len(old.records):,} dilemmas)",
        f"new      {new.name} ({len(new.records):,} dilemmas)",
        f"change   {'none' if found.kind == 'none' else f'{found.kind}: {told(found)}'}",
    ]
    if compared.asks_for and found.kind != "none":
        lines.append(f"version  {compared.asks_for} or later, after {old.version}")
    if compared.objection:
        lines.append(f"wrong    version {new.version}: {compared.objection}")
    return "\n".join(lines)


def _line(change: Change) -> Text:
    """A field and its two contents, as one text with marks."""
    from rich.text import Text

    from dilemmas.release.diff import words

    line = Text(f"  {change.field}: ")
    for piece in words(_shown(change.before), _shown(change.after)):
        opening, closing = MARKS[piece.what]
        line.append(f"{opening}{piece.text}{closing}", style=STYLES[piece.what])
    return line


def _shown(held: Any) -> str:
    """A content without characters that would steer a terminal; others than a space, so that a change of them shows."""
    text = "" if held is None else str(held)
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
