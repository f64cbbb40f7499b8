"""Live progress: a bar in a terminal, a plain line now and then elsewhere. Always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

PLAIN_EVERY = 15.0
"""Seconds between plain lines."""


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


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Callable[[Outcome], None]]:
    """A function to call with the outcome so far."""
    if quiet:
        yield lambda outcome: None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _plain()


@contextmanager
def _bar() -> Iterator[Callable[[Outcome], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("asking", total=None, note="")

        def show(outcome: Outcome) -> None:
            bar.update(task, total=outcome.planned, completed=outcome.planned - outcome.open, note=_note(outcome))

        yield show


def _plain() -> Callable[[Outcome], None]:
    last = -PLAIN_EVERY

    def show(outcome: Outcome) -> None:
        nonlocal last
        if time.monotonic() - last >= PLAIN_EVERY or outcome.open == 0:
            last = time.monotonic()
            done = outcome.planned - outcome.open
            print(f"{done:,} of {outcome.planned:,}  {_note(outcome)}", file=sys.stderr, flush=True)

    return show


def _note(outcome: Outcome) -> str:
    if outcome.asked == 0:
        return f"{outcome.reused:,} reused" if outcome.reused else "starting"
    rate = outcome.asked / max(outcome.seconds, 1e-9)
    left = outcome.open / rate
    clock = f"{left / 3600:.1f} h" if left >= 5400 else f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
    speed = f"{rate:.1f} replies/s" if rate >= 0.1 else f"{1 / rate:.0f} s a reply"
    failed = f", {outcome.failed_attempts:,} failed attempts" if outcome.failed_attempts else ""
    return f"{speed}, {clock} left{failed}"
