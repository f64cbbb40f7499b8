"""Live progress: a bar for each model in a terminal, plain lines now and then elsewhere. Always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

PLAIN_EVERY = 15.0
"""Seconds between plain lines about one model."""


class Outcome(Protocol):
    """What any work of many requests counts while it lasts."""

    planned: int
    """What is to be done in all."""
    reused: int
    """What was done before."""
    asked: int
    """What was done now."""
    open: int
    """What of `planned` is left."""
    failed_attempts: int
    seconds: float


Show = Callable[[Outcome], None]


@contextmanager
def progress(*, several: bool = False, quiet: bool = False) -> Iterator[Show]:
    """A function to call with the outcome so far.

    Args:
        several: each outcome is that of one `model` of several, and is shown under its name.
        quiet: show nothing.
    """
    if quiet:
        yield lambda outcome: None
    elif sys.stderr.isatty():
        with _bars(several=several) as show:
            yield show
    else:
        yield _plain(several=several)


@contextmanager
def _bars(*, several: bool) -> Iterator[Show]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    name = (TextColumn("{task.description}"),) if several else ()
    columns = (*name, BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

        def show(outcome: Outcome) -> None:
            model = _model(outcome) if several else ""
            if model not in tasks:
                tasks[model] = bars.add_task(escape(model), total=None, note="")
            done = outcome.planned - outcome.open
            bars.update(tasks[model], total=outcome.planned, completed=done, note=_note(outcome))

        yield show


def _plain(*, several: bool) -> Show:
    shown: dict[str, float] = {}

    def show(outcome: Outcome) -> None:
        model = _model(outcome) if several else ""
        if outcome.open == 0 or time.monotonic() - shown.get(model, -PLAIN_EVERY) >= PLAIN_EVERY:
            shown[model] = time.monotonic()
            done = outcome.planned - outcome.open
            about = f"{model}: " if several else ""
            print(f"{about}{done:,} of {outcome.planned:,}  {_note(outcome)}", file=sys.stderr, flush=True)

    return show


def _model(outcome: Outcome) -> str:
    return str(getattr(outcome, "model", ""))


def _note(outcome: Outcome) -> str:
    if outcome.asked == 0:
        return f"{outcome.reused:,} reused" if outcome.reused else "starting"
    rate = outcome.asked / max(outcome.seconds, 1e-9)
    failed = f", {outcome.failed_attempts:,} failed attempts" if outcome.failed_attempts else ""
    return f"{speed(rate)}, {duration(outcome.open / rate)} left{failed}"


def speed(rate: float) -> str:
    """A number of replies a second, in words."""
    return f"{rate:.1f} replies/s" if rate >= 0.1 or rate == 0 else f"{1 / rate:.0f} s a reply"


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours, whichever suits."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
