"""What judgements and namings come to: numbers for each dilemma, and rates over all. Pure functions.

People and machines are never mixed. What nobody judged is None, and never a rate of 0.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import Field

from dilemmas import tidy
from dilemmas.checks import blind_sort
from dilemmas.release.evidence import Naming
from dilemmas.review import tables
from dilemmas.review.form import FormName
from dilemmas.review.labels import labels
from dilemmas.schema import Dilemma, Judgement, LabelVerdict, Record

DRAWS = 2000
"""Draws behind the intervals of agreement."""
Kind = Literal["person", "machine"]
_Place = tuple[str, str]


class Said(Record):
    """What people said of one dilemma."""

    revision: int = Field(ge=1)
    """The newest revision that people judged; the numbers are about it."""
    reviewers: int = Field(ge=1)
    """People whose judgement counts."""
    decision_agreement: float | None = Field(ge=0, le=1)
    """Share of pairs of reviewers with the same decision; none with a single one."""
    label_agreement: float | None = Field(ge=0, le=1)
    """The same of what they say of an action's label, averaged over actions that two or more judged."""
    labels_hold: float | None = Field(ge=0, le=1)
    """Share of their verdicts on the six labels that say the label holds."""


class Sorted(Record):
    """Where machines that saw no labels put one dilemma's actions; of the released revision."""

    readings: int = Field(ge=0)
    """Readings asked for."""
    read: int = Field(ge=0)
    """Readings whose reply could be read."""
    side: float | None = Field(ge=0, le=1)
    """Share of actions put on the side they are labelled with."""
    tau: float | None = Field(ge=-1, le=1)
    """Kendall's tau-b of intended and judged places, averaged over readings."""


class Named(Record):
    """What readers who saw no labels took one dilemma's topic and value to be; of the released revision."""

    readings: int = Field(ge=0)
    """Readings whose reply could be read."""
    topic: float | None = Field(ge=0, le=1)
    """Share of them that name its topic."""
    value: float | None = Field(ge=0, le=1)
    """Share of them that name its focal value, out of the candidates offered."""


def newest(people: Iterable[Judgement]) -> dict[str, list[Judgement]]:
    """By dilemma, people's judgements of the newest revision that anybody judged, each reviewer's last word."""
    last: dict[tuple[str, int, str], Judgement] = {}
    for one in people:
        key = (one.dilemma, one.revision, one.reviewer)
        if key not in last or _age(one) >= _age(last[key]):
            last[key] = one
    by_revision: dict[str, dict[int, list[Judgement]]] = defaultdict(lambda: defaultdict(list))
    for (dilemma, revision, _), one in sorted(last.items()):
        by_revision[dilemma][revision].append(one)
    return {dilemma: found[max(found)] for dilemma, found in by_revision.items()}


def _age(one: Judgement) -> str:
    return one.updated or one.created or ""


def verdicts(one: Judgement) -> dict[_Place, LabelVerdict]:
    """What a judgement says of each label: said outright, or by where the action was put."""
    found: dict[_Place, LabelVerdict] = {(at.polarity, at.intensity): at.verdict for at in one.placements}
    return found | {(at.polarity, at.intensity): at.verdict for at in one.verdicts}


def said(judged: Sequence[Judgement]) -> Said | None:
    """What people said of one dilemma.

    Args:
        judged: its part of `newest`; None comes of none.
    """
    if not judged:
        return None
    by_place: dict[_Place, list[str]] = defaultdict(list)
    for one in judged:
        for at, verdict in verdicts(one).items():
            by_place[at].append(verdict)
    given = [verdict for found in by_place.values() for verdict in found]
    return Said(
        revision=judged[0].revision,
        reviewers=len(judged),
        decision_agreement=agreeing([one.decision for one in judged if one.decision]),
        label_agreement=_mean([agreeing(found) for found in by_place.values()]),
        labels_hold=_mean([float(verdict == "matches") for verdict in given]),
    )


def agreeing(labels: Sequence[str]) -> float | None:
    """Share of pairs of labels that are the same; None with fewer than two.

    >>> agreeing(["accept", "accept", "revise"])
    0.3333333333333333
    """
    n = len(labels)
    return None if n < 2 else sum(k * (k - 1) for k in Counter(labels).values()) / (n * (n - 1))


def sorting(dilemmas: Sequence[Dilemma], machines: Sequence[Judgement]) -> dict[str, Sorted]:
    """Machines' sorting of each released dilemma, by id; without those that no machine read."""
    return {
        one.id: Sorted(readings=one.asked, read=one.read, side=one.side, tau=one.tau)
        for one in blind_sort.scores(dilemmas, machines)
    }


def naming(dilemmas: Sequence[Dilemma], namings: Sequence[Naming]) -> dict[str, Named]:
    """Blind naming of each released dilemma, by id; without those that nobody read."""
    found: dict[str, list[Naming]] = defaultdict(list)
    for one in namings:
        found[one.dilemma].append(one)
    rows = {one.id: _rates(one, [n for n in found[one.id] if n.revision == one.revision]) for one in dilemmas}
    return {name: row for name, row in rows.items() if row.readings}


def _rates(dilemma: Dilemma, namings: Sequence[Naming]) -> Named:
    read = [one for one in namings if one.topic is not None and one.value is not None]
    return Named(
        readings=len(read),
        topic=_mean([float(one.topic == dilemma.topic) for one in read]),
        value=_mean([float(one.value == dilemma.value) for one in read]),
    )


def agreement(dilemmas: Mapping[str, Dilemma], people: Iterable[Judgement]) -> list[dict[str, Any]]:
    """How far people agree, over all: a row for each form and criterion, as `agreement.measures` has it.

    Only of forms in which two people judged the same; empty where there are none.
    """
    judged = [one for found in newest(people).values() for one in found]
    rows: list[dict[str, Any]] = []
    for form in get_args(FormName):
        own = [one for one in judged if _form(one) == form]
        if own:
            table, _ = tables.by_level(labels(own, dilemmas, form), form, levels=(), draws=DRAWS)
            rows += [{"form": form, **row} for row in tidy.records(table) if row["n_pairs"]]
    return rows


def _form(one: Judgement) -> str:
    return "blind" if one.placements else "open"


def passes(dilemmas: Sequence[Dilemma], judgements: Sequence[Judgement], kind: Kind) -> list[dict[str, Any]]:
    """How well actions were put in their places by readers who saw no labels: first texts, and the released ones.

    Args:
        dilemmas: the released ones.
        judgements: of any revision of theirs.
        kind: whose.

    Returns:
        A row for the first revision of each dilemma that was read and one for the released revision: which,
        dilemmas (read), readings, read (whose reply could be read), side (mean over dilemmas of the share of actions
        on the right side), tau (mean of Kendall's tau-b), place (share of all placements in the very place), revised
        (dilemmas whose released revision is a later one). The first row is left out where it would say the same.
    """
    own = [one for one in judgements if one.kind == kind and (one.placements or one.decision is None)]
    first: dict[str, int] = {}
    for one in own:
        first[one.dilemma] = min(one.revision, first.get(one.dilemma, one.revision))
    known = [one for one in dilemmas if one.id in first]
    began = [one.model_copy(update={"revision": first[one.id]}) for one in known]
    revised = sum(one.revision != first[one.id] for one in known)
    rows = [_pass("first revision that was read", began, own, kind, revised)] if revised else []
    return [row for row in (*rows, _pass("released revision", known, own, kind, revised)) if row["dilemmas"]]


def _pass(
    which: str, dilemmas: Sequence[Dilemma], own: Sequence[Judgement], kind: Kind, revised: int
) -> dict[str, Any]:
    scores = blind_sort.scores(dilemmas, own, kind)
    revision = {one.id: one.revision for one in dilemmas}
    placed = [at for one in own if revision.get(one.dilemma) == one.revision for at in one.placements]
    right = [(at.judged_polarity, at.judged_intensity) == (at.polarity, at.intensity) for at in placed]
    return {
        "which": which,
        "dilemmas": sum(one.read > 0 for one in scores),
        "readings": sum(one.asked for one in scores),
        "read": sum(one.read for one in scores),
        "side": _mean([one.side for one in scores]),
        "tau": _mean([one.tau for one in scores]),
        "place": _mean([float(one) for one in right]),
        "revised": revised,
    }


def single_rates(dilemmas: Sequence[Dilemma], singles: Sequence[Judgement]) -> list[dict[str, Any]]:
    """Where single actions were put by readers who did not see the other five.

    Returns:
        A row for the first revision of each dilemma that was read, one for later revisions, and one for the released
        ones: which, dilemmas, actions, side and place (shares of actions put on their side, and into their very place).
        Rows of nothing are left out.
    """
    of, first = {one.id: one for one in dilemmas}, dict[str, int]()
    known = [one for one in singles if one.dilemma in of]
    for one in known:
        first[one.dilemma] = min(one.revision, first.get(one.dilemma, one.revision))
    groups = {
        "first revision that was read": [one for one in known if one.revision == first[one.dilemma]],
        "later revisions": [one for one in known if one.revision > first[one.dilemma]],
        "released revision": [one for one in known if one.revision == of[one.dilemma].revision],
    }
    rows = []
    for which, own in groups.items():
        placed = [at for one in own for at in one.placements]
        right = [(at.judged_polarity, at.judged_intensity) == (at.polarity, at.intensity) for at in placed]
        rows.append(
            {
                "which": which,
                "dilemmas": len({one.dilemma for one in own}),
                "actions": len(placed),
                "side": _mean(float(at.judged_polarity == at.polarity) for at in placed),
                "place": _mean(map(float, right)),
            }
        )
    return [row for row in rows if row["actions"]]


def cut(x: float | None, digits: int) -> float | None:
    """A number cut off after some decimals, never rounded up; numbers that differ from the next by an error stay it.

    >>> cut(0.9983, 2), cut(0.29, 2), cut(None, 2)
    (0.99, 0.29, None)
    """
    return None if x is None else math.floor(x * 10**digits + 1e-9) / 10**digits


def naming_rates(dilemmas: Sequence[Dilemma], namings: Sequence[Naming]) -> list[dict[str, Any]]:
    """How often readers who saw no labels named topic and value: a row for each pass, and one for the released texts.

    Returns:
        which, dilemmas, readings, unread (replies that could not be read: in no rate), topic and value (shares of
        readings), candidates (fewest and most values that were offered, so that chance is known).
    """
    of = {one.id: one for one in dilemmas}
    known = [one for one in namings if one.dilemma in of]
    groups = {f"pass {number}": [one for one in known if one.pass_ == number] for number in _passes(known)}
    groups["released revision"] = [one for one in known if one.revision == of[one.dilemma].revision]
    rows = []
    for which, own in groups.items():
        read = [one for one in own if one.topic is not None and one.value is not None]
        if read:
            offered = [len(one.candidates) for one in read]
            rows.append(
                {
                    "which": which,
                    "dilemmas": len({one.dilemma for one in read}),
                    "readings": len(read),
                    "unread": len(own) - len(read),
                    "topic": _mean([float(one.topic == of[one.dilemma].topic) for one in read]),
                    "value": _mean([float(one.value == of[one.dilemma].value) for one in read]),
                    "candidates": (min(offered), max(offered)),
                }
            )
    return rows


def _passes(namings: Iterable[Naming]) -> list[int]:
    return sorted({one.pass_ for one in namings})


def _mean(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return statistics.fmean(known) if known else None
