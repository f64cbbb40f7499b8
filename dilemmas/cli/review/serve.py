"""`dilemmas review serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dilemmas.review.hosting import Hosted

EXAMPLES = """
[bold]Examples[/bold]

dilemmas review serve

dilemmas review serve --port 8090 --folder ~/labels
"""


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8080,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where Label Studio and its data are kept. \\[~/.local/share/dilemmas/label-studio]"),
    ] = None,
    venv: Annotated[
        Path | None,
        typer.Option(
            envvar="DILEMMAS_LABEL_STUDIO_VENV",
            help="A virtual environment that has label-studio. \\[one in the folder]",
        ),
    ] = None,
) -> None:
    """Run a Label Studio of your own on this machine, for a small team.

    The first time it is installed, in a virtual environment of its own (1 GB, some minutes). It is
    reached from this machine only and tells nobody anything; Ctrl-C ends it, and its data stay.
    """
    import sys

    from dilemmas.errors import ReviewError
    from dilemmas.review import hosting

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with hosting.hosted((folder or hosting.default_folder()).absolute(), port, venv, say) as running:
        _tell(running)
        try:
            code = running.local.wait()
        except KeyboardInterrupt:
            say("stopped; the data stay")
            return
    raise ReviewError(f"Label Studio ended by itself (exit code {code})", where=str(running.local.log))


def _tell(running: Hosted) -> None:
    """Say where it is, how people get in, and what to type next."""
    import getpass
    import shlex
    import socket

    local = running.local
    which = "" if running.default else f" --server {shlex.quote(str(running.connection))}"
    tunnel = f"ssh -N -L {local.port}:127.0.0.1:{local.port} {getpass.getuser()}@{socket.gethostname()}"
    print(
        f"Label Studio runs at {local.url}\n\n"
        f"accounts   {running.invite}\n"
        "           Open this link to make yourself an account, and send it to those who judge with you.\n"
        f"elsewhere  {tunnel}\n"
        "           On another machine people type this first; then the link works there too.\n"
        f'next       dilemmas review push dataset/drafts.jsonl --project "Round 1"{which}\n'
        "           In another terminal.\n"
        f"data       {local.data} (log: {local.log.name})\n"
        f"           The administrator's account is in {running.account}.\n\n"
        "Ctrl-C stops it.",
        flush=True,
    )
