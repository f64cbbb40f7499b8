"""The `dilemmas` command. Commands are thin, stages are imported when used, errors are printed here."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import typer

from dilemmas.cli import (
    analyse,
    batch,
    check,
    evaluate,
    export,
    generate,
    listing,
    merge,
    power,
    probe,
    release,
    review,
    simulate,
    status,
)
from dilemmas.errors import DilemmasError, os_error

EXIT_WRONG_INPUT, EXIT_GAPS, EXIT_INTERRUPTED = 2, 3, 130
INTERRUPTED = "interrupted; what came back is kept, and the same command goes on from there (generate: with --resume)"

app = typer.Typer(
    name="dilemmas",
    help="Does a language model act on the values it states, and does a cultural persona change that?",
    epilog="Exit codes: 0 done, 1 errors found in a dataset, 2 wrong input, 3 finished with something still open, "
    "130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(epilog=status.EXAMPLES)(status.status)
app.add_typer(batch.app)
app.command(epilog=merge.EXAMPLES)(merge.merge)
app.command(epilog=probe.EXAMPLES)(probe.probe)
app.command(epilog=generate.EXAMPLES)(generate.generate)
app.command(epilog=check.EXAMPLES)(check.check)
app.add_typer(review.app)
app.add_typer(release.app)
app.command(epilog=analyse.ANALYSE_EXAMPLES)(analyse.analyse)
app.command(epilog=analyse.REPORT_EXAMPLES)(analyse.report)
app.command(epilog=export.EXAMPLES)(export.export)
app.command(epilog=power.EXAMPLES)(power.power)
app.command(epilog=simulate.EXAMPLES)(simulate.simulate)
app.command("list", epilog=listing.EXAMPLES)(listing.list_)


def _print_version(asked: bool) -> None:
    if asked:
        from dilemmas import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
    ),
) -> None:
    pass


def _stop(*_: object) -> None:
    """End as Ctrl-C does."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.raise_signal(signal.SIGINT)


def _fail(error: DilemmasError) -> NoReturn:
    # A server's or a file's words may be in it, and they may hold a terminal's control codes.
    message = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in f"error: {error}")
    print(message, file=sys.stderr)
    sys.exit(error.exit_code)


def main() -> NoReturn:
    """Run the command line; the one place where errors become messages and exit codes."""
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A background job, for which the shell has Ctrl-C ignored. Blocked is as good, and `_stop` can let it through.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        try:
            app(prog_name="dilemmas")
        finally:
            sys.stdout.flush()
    except SystemExit as done:
        if done.code == EXIT_INTERRUPTED:  # typer makes this of a KeyboardInterrupt
            print(INTERRUPTED, file=sys.stderr)
        raise
    except DilemmasError as error:
        _fail(error)
    except OSError as error:
        if error.filename is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left has nowhere to go
            _fail(os_error(error, "write the output", "standard output"))
        _fail(os_error(error, "use this path", error.filename))
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    raise AssertionError("typer ends in an exit")
