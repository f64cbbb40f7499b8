"""The `dilemmas` command. Commands are thin, stages are imported when used, errors are printed here."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import typer

from dilemmas.cli import analyse, evaluate, listing
from dilemmas.errors import DilemmasError

EXIT_WRONG_INPUT, EXIT_GAPS, EXIT_INTERRUPTED = 2, 3, 130
INTERRUPTED = "interrupted; what was answered is kept, and the same command goes on from there"

app = typer.Typer(
    name="dilemmas",
    help="Does a language model act on the values it states, and does a cultural persona change that?",
    epilog="Exit codes: 0 done, 2 wrong input, 3 finished with some trials still open, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(epilog=analyse.ANALYSE_EXAMPLES)(analyse.analyse)
app.command(epilog=analyse.REPORT_EXAMPLES)(analyse.report)
app.command("list", epilog=listing.EXAMPLES)(listing.list_)


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    if version:
        from dilemmas import __version__

        print(__version__)
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line; the one place where errors become messages and exit codes."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        app()
    except SystemExit as done:
        if done.code == EXIT_INTERRUPTED:  # typer makes this of a KeyboardInterrupt
            print(INTERRUPTED, file=sys.stderr)
        raise
    except DilemmasError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    raise AssertionError("typer ends in an exit")
