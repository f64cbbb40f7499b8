"""`dilemmas review status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json
from dilemmas.cli.review.options import PlainHttpKey, ServerFile, connect

if TYPE_CHECKING:
    from dilemmas.review.progress import Progress

EXAMPLES = """
[bold]Examples[/bold]

dilemmas review status

dilemmas review status --project "Round 1"
"""


def status(
    project: Annotated[str | None, typer.Option(metavar="TITLE", help="Title of the project. \\[all of ours]")] = None,
    json_: Json = False,
    server: ServerFile = None,
    allow_plain_http_key: PlainHttpKey = False,
) -> None:
    """Say who has judged what, what is left, and how far people agree so far."""
    from dilemmas.review.progress import progress

    found = progress(connect(server, allow_plain_http_key=allow_plain_http_key), project)
    if json_:
        _print_json(found)
    elif not found:
        print("No project yet; `dilemmas review push` makes one.")
    for one in () if json_ else found:
        _print(one)


def _print_json(found: list[Progress]) -> None:
    import json

    plain = [one._asdict() | {"people": [person._asdict() for person in one.people]} for one in found]
    print(json.dumps(plain, indent=2, ensure_ascii=False))


def _print(found: Progress) -> None:
    """A project in a few lines, and a line for each person."""
    print(f"{found.title} ({found.form} form)  {found.url}")
    print(
        f"  {found.dilemmas:,} dilemmas, {found.finished:,} finished; "
        f"{found.left:,} judgements to go, {found.annotators} wanted of each dilemma"
    )
    if found.older:
        print(f"  {found.older:,} tasks with an older text, not counted here")
    if found.others:
        print(f"  {found.others:,} tasks that are not ours, or were changed on the server")
    if found.people:
        width = max(len("annotator"), *(len(one.email) for one in found.people))
        print(f"\n  {'annotator':{width}}  judged  skipped  drafts  median time")
        for one in found.people:
            print(f"  {one.email:{width}}  {one.done:6,}  {one.skipped:7,}  {one.drafts:6,}  {_time(one.seconds):>11}")
    print(f"\n  {_agreement(found)}\n")


def _time(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def _agreement(found: Progress) -> str:
    """How far people agree, in a line."""
    from dilemmas.agreement import FEW_CLUSTERS
    from dilemmas.pages import number

    row = found.agreement
    if row is None:
        return "No dilemma has been judged by two people yet, so there is no agreement to tell."
    raw, ac1 = (
        f"{number(row[name])} [{number(row[f'{name}_low'])}, {number(row[f'{name}_high'])}]" for name in ("raw", "ac1")
    )
    told = f"Agreement on the decision, {row['n_pairs']:,} dilemmas judged by two or more: raw {raw}, AC1 {ac1}"
    few = f"\n  With {row['clusters']} values (under {FEW_CLUSTERS}) the intervals are too narrow."
    return told + few if row["clusters"] < FEW_CLUSTERS else told
