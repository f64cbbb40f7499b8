"""How far a run is: what a look at its store tells, while it is being asked or afterwards.

Nothing is changed and nobody is held up. The store is not looked over for damage, so that a look at a large one
is quick.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dilemmas.store import FILE, Store

WINDOW = 60.0
"""Seconds over which the rate is measured."""


@dataclass(frozen=True)
class ModelStanding:
    """How far one model of a run is; counts are of trials, `failed_attempts` excepted."""

    model: str
    planned: int
    answered: int
    refused: int
    unreadable: int
    open: int
    """Those without a reply."""
    set_aside: int
    """Those of them that the server refused for good the last time."""
    failed_attempts: int
    per_second: float | None
    """Replies a second over the last minute; None while nobody asks."""
    seconds_left: float | None
    """Time that the others of them take at that rate; None without a rate."""


@dataclass(frozen=True)
class Standing:
    """How far a run is."""

    run: str
    asking: bool
    """Whether a process is asking now."""
    models: tuple[ModelStanding, ...]
    """By name; none where nothing is planned yet."""


def standing(folder: Path, at: float) -> Standing:
    """How far a run is.

    Args:
        folder: the run's.
        at: the present time, seconds since the epoch.

    Raises:
        StoreError: there is no store, or none of this version.
    """
    with Store.reading(folder / FILE, checked=False) as store:
        counts, failures = store.counts_by_model(), store.failures_by_model()
        begun = store.asking_since()
        recent = Counter[str]() if begun is None else _replies_since(store, max(begun, at - WINDOW))
    seconds = None if begun is None else min(WINDOW, max(1.0, at - begun))
    return Standing(
        folder.resolve().name,
        begun is not None,
        tuple(
            _of_model(model, counts[model], *failures.get(model, (0, 0)), recent[model], seconds)
            for model in sorted(counts)
        ),
    )


def _of_model(
    model: str, counts: dict[str, int], failed: int, rejected: int, recent: int, seconds: float | None
) -> ModelStanding:
    """One model's; `recent` replies came in the last `seconds`."""
    left = counts.get("open", 0)
    rate = None if seconds is None else recent / seconds
    return ModelStanding(
        model=model,
        planned=sum(counts.values()),
        answered=counts.get("answered", 0),
        refused=counts.get("refused", 0),
        unreadable=counts.get("unreadable", 0),
        open=left,
        set_aside=rejected,
        failed_attempts=failed,
        per_second=rate,
        seconds_left=(left - rejected) / rate if rate else None,
    )


def _replies_since(store: Store, since: float) -> Counter[str]:
    """Replies of each model since a time, seconds since the epoch."""
    # Times are kept to the second.
    first, found = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), Counter[str]()
    for model, came in store.newest_replies():
        if came < first:
            break
        found[model] += 1
    return found
