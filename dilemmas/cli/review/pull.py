"""`dilemmas review pull`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json
from dilemmas.cli.review.options import PlainHttpKey, ServerFile, connect

if TYPE_CHECKING:
    from dilemmas.review.rounds import Pulled

EXAMPLES = """
[bold]Examples[/bold]

dilemmas review pull --project "Round 1" --out annotations/round-1/

dilemmas review pull --project "Round 1" --out annotations/round-1/ --dataset dataset/drafts.jsonl
"""
SHOWN = 5
"""Most problems of a kind that are printed; round.json has all."""


def pull(
    project: Annotated[str, typer.Option(metavar="TITLE", help="Title of the project.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the round, such as annotations/round-1/.")],
    dataset: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Dilemmas to hold the project against: which lack a task, or differ."),
    ] = None,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms/--no-pseudonyms", help="Call people reviewer-01, ... or by their addresses.")
    ] = True,
    names: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who is who, for you alone. \\[pseudonyms.jsonl beside the folder]"),
    ] = None,
    json_: Json = False,
    server: ServerFile = None,
    allow_plain_http_key: PlainHttpKey = False,
) -> None:
    """Bring back what people have said: judgements, skips, drafts, and whatever is not as it should be.

    The same command again brings the folder up to date. Raw exports stay in raw/ and are never overwritten.
    """
    import sys

    from dilemmas import dataset as datasets
    from dilemmas.errors import InputError
    from dilemmas.review import pull as pulling
    from dilemmas.review.pseudonyms import KEY_FILE

    if names and not pseudonyms:
        raise InputError("is of no use here", where="--names", fix="Leave it out, or leave out --no-pseudonyms.")
    known = datasets.read(dataset) if dataset else None
    pulled = pulling.pull(
        connect(server, allow_plain_http_key=allow_plain_http_key),
        project,
        out,
        names=(names or out.resolve().parent / KEY_FILE) if pseudonyms else None,
        dataset=known,
        progress=lambda doing: None if json_ else print(doing, file=sys.stderr, flush=True),
    )
    if json_:
        print(pulled.manifest.model_dump_json(indent=2))
    else:
        _print(pulled, out)


def _print(pulled: Pulled, out: Path) -> None:
    """What came back, what is wrong with it, and what comes next."""
    import shlex
    from collections import Counter

    manifest = pulled.manifest
    counts = manifest.counts
    print(f"project      {manifest.project}, {manifest.form} form, {manifest.annotators} judgements of each dilemma")
    print(f"tasks        {counts['tasks']:,}")
    by = Counter(one.reviewer for one in pulled.counted)
    who = f": {', '.join(f'{name} {number:,}' for name, number in sorted(by.items()))}" if by else ""
    print(f"judgements   {counts['counted']:,} that count{who}")
    notes = {
        "older_text": ("older text", "of an older revision of a dilemma; they do not count"),
        "skipped": ("skipped", "passed over"),
        "drafts": ("drafts", "left half done"),
        "superseded": ("superseded", "followed by a newer one of the same reviewer"),
        "ground_truth": ("marked", "as the right answer on the server; they do not count"),
        "anonymous": ("anonymous", "by deleted accounts that nobody knows any more; they do not count"),
        "predictions": ("machines", "readings by a judge, kept apart"),
    }
    for key, (name, what) in notes.items():
        if counts[key]:
            print(f"{name:11}  {counts[key]:,} {what}")
    _tell(pulled)
    if not manifest.pseudonyms:
        print("names        people appear under their e-mail addresses")
    print(f"folder       {out}")
    print(f"next         dilemmas review agree {shlex.quote(str(out))}")


def _tell(pulled: Pulled) -> None:
    """The problems, on standard error: how many of each kind, and the first ones."""
    import sys
    from itertools import groupby

    problems = sorted(pulled.manifest.problems, key=lambda one: one.kind)  # stable: the first ones stay the first
    for kind, group in groupby(problems, key=lambda one: one.kind):
        found = list(group)
        print(f"{kind.replace('_', ' ')} ({len(found):,}):", file=sys.stderr)
        for one in found[:SHOWN]:
            print(f"  {one.what}", file=sys.stderr)
        if len(found) > SHOWN:
            print(f"  and {len(found) - SHOWN:,} more, in round.json", file=sys.stderr)
