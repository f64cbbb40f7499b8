"""`dilemmas release push`: send a release to the Hugging Face hub. Without --yes it only says what it would send."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json

if TYPE_CHECKING:
    from dilemmas.release.push import Plan, Pushed

EXAMPLES = """
[bold]Examples[/bold]

dilemmas release push releases/0.1.0 --to hf:my-lab/dilemmas

dilemmas release push releases/0.1.0 --to hf:my-lab/dilemmas --yes

dilemmas release push releases/0.1.0 --to hf:my-lab/dilemmas --public --yes
"""


def push(
    folder: Annotated[Path, typer.Argument(metavar="RELEASE", help="Folder of one version.")],
    to: Annotated[str, typer.Option("--to", metavar="hf:OWNER/NAME", help="The dataset repository to send it to.")],
    yes: Annotated[bool, typer.Option("--yes", help="Send it. Without this, nothing is sent.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be sent, whatever else is given.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody see the repository. \\[only its owner]")
    ] = False,
    json_: Json = False,
) -> None:
    """Send a release to the Hugging Face hub; without --yes only say what would be sent, where and how big.

    The token is HF_TOKEN, or what `hf auth login` stored. HF_ENDPOINT may name another hub.
    """
    import json

    from dilemmas.release import push as pushing

    planned = pushing.plan(folder, to, public=public)
    if not json_:
        _print_plan(planned)
    pushed = pushing.push(folder, to, public=public) if yes and not dry_run else None
    if json_:
        print(json.dumps(pushing.as_json(planned, pushed), indent=2, ensure_ascii=False))
    elif pushed is not None:
        _print_pushed(pushed)
    else:
        print(f"\nNothing was sent. {'Leave out --dry-run' if yes else 'Give --yes'} to send it.")


def _print_plan(planned: Plan) -> None:
    for name, size in planned.sizes.items():
        print(f"{size:>12,}  {name}")
    print(f"{sum(planned.sizes.values()):>12,}  bytes in {len(planned.sizes):,} files\n")
    print(f"version     {planned.version}, to be tagged {planned.tag}")
    print(f"to          {planned.url}")
    print(f"seen by     {'its owner only' if planned.private else 'everybody'}")
    if planned.caveat:
        print(f"note        {planned.caveat}")


def _print_pushed(pushed: Pushed) -> None:
    print(f"\nsent        {'to a new repository' if pushed.created else 'as a new version'}, commit {pushed.commit}")
    for name in pushed.removed:
        print(f"removed     {name}, which only the version before has")
    for remark in pushed.remarks:
        print(f"the hub     {' '.join(remark.split())}")
