"""What a judge that saw no labels made of the actions: where it puts them elsewhere, and whether it can be believed.

A reading is one machine's judgement of one revision: six placements in the order in which the
actions were shown, or none where the reply could not be read. A judge may be wrong, so nothing
here is an error; and where it reads no better than chance or contradicts itself, all it finds is
a note. An error that it makes in every order cannot be told from a flaw of the dilemma.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from dilemmas.checks.rules import Rule
from dilemmas.prompts import LETTERS
from dilemmas.schema import PLACES, Action, BlindSort, Dilemma, Finding, Judgement, Placement, Severity

CLEAR_SHARE = 0.8
"""Share of readings that must put an action on the other side for a warning; from more than half it is a note.

Of three readings that is all: a slip made in one order does not count. It presumes a judge that
errs in at most one side of ten, each time anew; `SELF_CONTRADICTION` looks whether this one does.
"""
FEWEST_READINGS = 2
"""Readings of a dilemma below which what the judge finds is a note: one slip must not have a text rewritten."""
SIDES_ALONE = math.sqrt(0.6)
"""Kendall's tau-b of a judge that tells the sides and sees all strengths alike: 9 / sqrt(15 x 9) = .775.

Below it the strengths that were read are no better than none. A judge that gets 8 of 10 strengths
and 19 of 20 sides right, each reading anew, falls below it in 2.6 % of good dilemmas (three readings).
"""
CHANCE_TAU = 0.6
"""Tau-b up to which a warning is given: 6.8 % of all orders of six reach it (49 of 720).

Two neighbours out of place leave .867, strengths exchanged within both sides .2. The judge above falls
to .6 in 1.6 % of good dilemmas. The tau is that of the middle of the readings, because the mean of
their taus, which `BlindSort` has, counts each passing slip: it would be 4.2 %.
"""
UNREADABLE_SHARE = 0.1
"""Share of all readings above which the judge, and not a dilemma, is to blame for unreadable ones.

At that share one dilemma in four loses one of its three readings (1 - .9**3 = .27).
"""
FEWEST_DILEMMAS = 5
"""Dilemmas that a judge must have read before it can be told from chance: with fewer, a t interval says little."""
POSITION_LIMIT = 0.2
"""Lean to one side under a letter, in shares of actions, above which a judge answers by position.

One that looks at nothing but the position in two of five readings, for the first three letters and
against the rest, leans by .2 under each letter and errs in one of five on that account alone, twice
what `CLEAR_SHARE` allows for. A smaller lean is evened out by the orders.
"""
ERRORS_ANEW = 0.1
"""Share of sides a judge may get wrong, each reading anew, and still be believed.

Simulated on 616 good dilemmas, three readings, four strengths of five right: judges right on 95 % of
sides give 6 of them a false warning, on 90 % 34; on 80 % it would be 136, on 60 % 307.
"""
SELF_CONTRADICTION = 2 * ERRORS_ANEW * (1 - ERRORS_ANEW)
"""How often two readings of one action then take different sides: one is wrong and the other is not.

Simulated so with judges right on 52, 60, 70, 80, 90 and 95 % of sides: .50, .48, .43, .33, .18, .10.
A good judge (97 %) stays at .04 also where 15 % of the labels are truly wrong, since it says the same
in every order. So does a judge that is wrong in every order: that one is not seen here.
"""
_ROUNDING = 1e-9
"""A tau that only just meets a limit may be computed a little to either side of it."""

SIDE_DISAGREES = Rule(
    name="side-disagrees",
    family="blind-sort",
    severity="warning",
    looks_for="A judge that sees no labels puts an action on the other side. A warning where at least "
    f"{CLEAR_SHARE:.0%} of at least {FEWEST_READINGS} readings do, a note where more than half do.",
    reason="The side of the action chosen is what is scored as acting on a value, so an action that readers put on "
    "the other side is counted the wrong way round. It is no error, since the judge may be the one that is wrong.",
    fix="Read the action without its label. Rewrite it so that it plainly serves one side, or keep it and say why.",
)
ORDER_DISAGREES = Rule(
    name="order-disagrees",
    family="blind-sort",
    severity="warning",
    looks_for="The judged places of the six actions, the middle of all readings, agree little with the intended ones: "
    f"Kendall's tau-b up to {CHANCE_TAU:g} is a warning, below {SIDES_ALONE:.3f} or from a single reading a note.",
    reason=f"{SIDES_ALONE:.3f} is what telling the two sides apart gives when all strengths look alike, and 6.8 % of "
    "random orders reach .6. The strengths decide how far an action counts, so they must be seen in the text.",
    fix="Make plain how much each action keeps for the other side: nothing (strong), a little (moderate), much (mild).",
)
JUDGE_UNREADABLE = Rule(
    name="judge-unreadable",
    family="blind-sort",
    severity="note",
    looks_for="Replies of the judge that could not be read: a note for a dilemma with one, a warning for a dilemma "
    f"with more than half, and a warning for the set from more than {UNREADABLE_SHARE:.0%} on. With that, or with a "
    "judge that is unfit, those of single dilemmas stay notes.",
    reason="A missing reading is not an agreement. Where one dilemma alone has them, its text may be what the judge "
    "refuses or misreads; where many have them, the judge is too weak or its replies are cut off.",
    fix="See in judging.jsonl what the judge replied. Where replies are cut off, give them more room with "
    "--max-tokens; else take another judge, or mend the dilemma.",
)
JUDGE_UNFIT = Rule(
    name="judge-unfit",
    family="blind-sort",
    severity="warning",
    looks_for="The judge's share of right sides over all dilemmas has a 95 % interval that reaches down to .5; or two "
    f"of its readings of one action take different sides in more than {SELF_CONTRADICTION:.0%} of cases (lower end of "
    f"the 95 % interval), as with one side of ten misread; or under some letter it leans to one side by "
    f"{POSITION_LIMIT:g} or more (interval for six letters beyond 0). A note with fewer than {FEWEST_DILEMMAS} "
    "dilemmas read, which cannot show whether it is fit.",
    reason="A judge that guesses, reads the question the wrong way round or answers by position says nothing about "
    "the dilemmas. Whatever it finds in single ones is then a note. An error made in every order cannot be told from "
    "a flaw of the dilemma.",
    fix="Take a stronger judge with --judge, or have people sort the actions.",
)
RULES = (SIDE_DISAGREES, ORDER_DISAGREES, JUDGE_UNREADABLE, JUDGE_UNFIT)
"""The rules of this family."""


def scores(
    dilemmas: Sequence[Dilemma], judgements: Sequence[Judgement], kind: Literal["person", "machine"] = "machine"
) -> tuple[BlindSort, ...]:
    """How well the actions were put where they were meant, for each dilemma that was asked about.

    Args:
        dilemmas: ids distinct.
        judgements: those of the other kind, of other revisions, and verdicts without a sorting are left out.
        kind: whose readings are scored; people and machines are never mixed.

    Returns:
        In the order of the dilemmas. `side` is over all actions of all readings that could be read.
        `tau` is the mean of the readings' tau-b (Kendall 1945, doi:10.1093/biomet/33.3.239), each
        between the intended and the judged place on the scale of six (`PLACES`); a reading that
        puts all six in one place has none and is left out of the mean.
    """
    readings = _readings(dilemmas, judgements, kind)
    return tuple(_score(dilemma, readings[dilemma.id]) for dilemma in dilemmas if dilemma.id in readings)


def find(dilemmas: Sequence[Dilemma], sorts: Sequence[BlindSort], judgements: Sequence[Judgement]) -> Iterator[Finding]:
    """What the judge finds, and what is found about the judge.

    Args:
        dilemmas: ids distinct.
        sorts: what `scores` gives for them and a machine.
        judgements: what `scores` was given.
    """
    readings = _readings(dilemmas, judgements, "machine")
    read = {name: [one.placements for one in some if one.placements] for name, some in readings.items()}
    asked, missing = sum(sort.asked for sort in sorts), sum(sort.asked - sort.read for sort in sorts)
    mostly_unreadable = missing > UNREADABLE_SHARE * asked
    if mostly_unreadable:
        yield JUDGE_UNREADABLE(None, f"{missing} of {asked} readings could not be read", severity="warning")
    shares = np.array([sort.side for sort in sorts if sort.side is not None])
    doubt = _doubt(shares, list(read.values()))
    if doubt:
        yield doubt
    of_dilemma = {dilemma.id: dilemma for dilemma in dilemmas}
    for sort in sorts:
        dilemma, found = of_dilemma[sort.id], read[sort.id]
        believed = not doubt and sort.read >= FEWEST_READINGS
        yield from _unreadable(dilemma, sort, readings[sort.id], blame_it=not mostly_unreadable and not doubt)
        yield from _wrong_sides(dilemma, found, believed=believed)
        yield from _wrong_order(dilemma, found, believed=believed)


def _readings(
    dilemmas: Sequence[Dilemma], judgements: Sequence[Judgement], kind: Literal["person", "machine"]
) -> dict[str, list[Judgement]]:
    """Readings of one kind, of these very revisions, by the dilemma's id."""
    revision_of = {dilemma.id: dilemma.revision for dilemma in dilemmas}
    found: dict[str, list[Judgement]] = {}
    for one in judgements:
        is_sorting = one.kind == kind and (one.placements or one.decision is None)
        if is_sorting and revision_of.get(one.dilemma) == one.revision:
            found.setdefault(one.dilemma, []).append(one)
    return found


def _score(dilemma: Dilemma, readings: list[Judgement]) -> BlindSort:
    read = [one.placements for one in readings if one.placements]
    right = [place.judged_polarity == place.polarity for places in read for place in places]
    pairs = (tuple(sorted((_intended(place), _judged(place)) for place in places)) for places in read)
    taus = [tau for one in pairs if not math.isnan(tau := _tau(one))]
    return BlindSort(
        id=dilemma.id,
        revision=dilemma.revision,
        asked=len(readings),
        read=len(read),
        side=sum(right) / len(right) if right else None,
        tau=sum(taus) / len(taus) if taus else None,
    )


def _intended(place: Placement) -> int:
    """From 1, strongly aligned, to 6, strongly opposed."""
    return PLACES.index((place.polarity, place.intensity)) + 1


def _judged(place: Placement) -> int:
    """From 1, strongly aligned, to 6, strongly opposed."""
    return PLACES.index((place.judged_polarity, place.judged_intensity)) + 1


@cache
def _tau(places: tuple[tuple[int, float], ...]) -> float:
    """Kendall's tau-b of intended and judged places; NaN where it is not defined."""
    if len(places) < 2:
        return math.nan
    intended, judged = zip(*places, strict=True)
    return float(stats.kendalltau(intended, judged).statistic)


def _doubt(shares: NDArray[np.float64], read: list[list[tuple[Placement, ...]]]) -> Finding | None:
    """Why the judge is not to be believed; None where it is, or where nothing was read.

    Args:
        shares: share of right sides of each dilemma that was read.
        read: the readings of each.
    """
    if len(shares) < FEWEST_DILEMMAS:
        what = f"too few dilemmas were read ({len(shares)}) to show whether the judge is better than chance"
        fix = f"Judge at least {FEWEST_DILEMMAS} dilemmas."
        return JUDGE_UNFIT(None, what, severity="note", fix=fix) if len(shares) else None
    reasons = []
    share = _mean(shares, 0.95)
    if share.low <= 0.5:
        how = "the judge, or the file, takes one side for the other" if share.high < 0.5 else "that may be chance"
        reasons.append(
            f"the judge puts {share.mean:.0%} of the actions on the side they were meant for "
            f"[{max(0.0, share.low):.0%}, {min(1.0, share.high):.0%}]: {how}"
        )
    contradictions = _contradictions(read)
    if len(contradictions) >= FEWEST_DILEMMAS and (other := _mean(contradictions, 0.95)).low > SELF_CONTRADICTION:
        reasons.append(
            f"the judge contradicts itself: two readings take different sides for one action in {other.mean:.0%} of "
            f"cases [{other.low:.0%}, {min(1.0, other.high):.0%}], more than the {SELF_CONTRADICTION:.0%} of a judge "
            "that misreads one side of ten"
        )
    leans = [
        (letter, lean)
        for letter, lean in zip(LETTERS, _leans(read), strict=False)
        if abs(lean.mean) >= POSITION_LIMIT and not lean.low <= 0 <= lean.high
    ]
    if leans:
        letter, lean = max(leans, key=lambda one: abs(one[1].mean))
        reasons.append(
            f"it answers by position: its share of aligned actions under the letter {letter} is off by "
            f"{lean.mean * 100:+.0f} percentage points [{lean.low * 100:+.0f}, {lean.high * 100:+.0f}]"
        )
    return JUDGE_UNFIT(None, "; ".join(reasons)) if reasons else None


class _Mean(NamedTuple):
    """A mean over dilemmas with its t interval."""

    mean: float
    low: float
    high: float


def _mean(numbers: NDArray[np.float64], level: float) -> _Mean:
    """Mean and t interval at some level of confidence; at least two numbers."""
    mean, error = float(numbers.mean()), float(numbers.std(ddof=1)) / math.sqrt(len(numbers))
    reach = float(stats.t.ppf((1 + level) / 2, len(numbers) - 1)) * error
    return _Mean(mean, mean - reach, mean + reach)


def _contradictions(read: list[list[tuple[Placement, ...]]]) -> NDArray[np.float64]:
    """For each dilemma read twice or more, how often two readings of an action take different sides."""
    found = []
    for some in read:
        sides = Counter((_intended(place), place.judged_polarity) for places in some for place in places)
        pairs = [(sides[place, "aligned"], sides[place, "opposed"]) for place in range(1, len(PLACES) + 1)]
        compared = sum(math.comb(aligned + opposed, 2) for aligned, opposed in pairs)
        if compared:
            found.append(sum(aligned * opposed for aligned, opposed in pairs) / compared)
    return np.array(found)


def _leans(read: list[list[tuple[Placement, ...]]]) -> list[_Mean]:
    """For each letter, how much more often than over all letters the judge calls aligned what is shown under it.

    What was intended is taken off, so that the draw of the orders leaves less noise. Intervals are
    over dilemmas, at 95 % for the six together (Bonferroni). Empty where positions tell nothing: the
    actions were not shuffled, or too few dilemmas were read whole.
    """
    whole = [kept for some in read if (kept := [places for places in some if len(places) == len(PLACES)])]
    shown = zip(*(places for some in whole for places in some), strict=True)
    if len(whole) < FEWEST_DILEMMAS or any(len({place.polarity for place in column}) == 1 for column in shown):
        return []
    excess = np.array([np.mean([[_excess(place) for place in places] for places in some], axis=0) for some in whole])
    excess -= excess.mean(axis=1, keepdims=True)
    return [_mean(column, 1 - 0.05 / len(PLACES)) for column in excess.T]


def _excess(place: Placement) -> int:
    """1 where an action is wrongly called aligned, -1 where it is wrongly called opposed, else 0."""
    return (place.judged_polarity == "aligned") - (place.polarity == "aligned")


def _unreadable(dilemma: Dilemma, sort: BlindSort, readings: list[Judgement], *, blame_it: bool) -> Iterator[Finding]:
    if missing := sort.asked - sort.read:
        grave: Severity = "warning" if blame_it and missing > sort.asked / 2 else "note"
        why = Counter(one.comment for one in readings if not one.placements).most_common(1)[0][0]
        shown = "".join(c if c.isprintable() else " " for c in why[:200]).strip() or "no reason is given"
        what = f"{missing} of {sort.asked} readings could not be read ({shown})"
        yield JUDGE_UNREADABLE(dilemma, what, severity=grave)


def _wrong_sides(dilemma: Dilemma, read: list[tuple[Placement, ...]], *, believed: bool) -> Iterator[Finding]:
    """The actions that most readings put on the other side."""
    for index, action in enumerate(dilemma.actions):
        places = _placements_of(action, read)
        wrong = Counter(place.judged_intensity for place in places if place.judged_polarity != action.polarity)
        if (count := wrong.total()) <= len(places) / 2:
            continue
        side = "opposed" if action.polarity == "aligned" else "aligned"
        yield SIDE_DISAGREES(
            dilemma,
            f"the {action.intensity} {action.polarity} action is read as {side} in {count} of {len(places)} blind "
            f"readings, most often as {wrong.most_common(1)[0][0]} {side}",
            f"actions[{index}].text",
            severity="warning" if believed and count >= CLEAR_SHARE * len(places) else "note",
        )


def _placements_of(action: Action, read: list[tuple[Placement, ...]]) -> list[Placement]:
    place = (action.polarity, action.intensity)
    return [one for places in read for one in places if (one.polarity, one.intensity) == place]


def _wrong_order(dilemma: Dilemma, read: list[tuple[Placement, ...]], *, believed: bool) -> Iterator[Finding]:
    """That the six are not read in the intended order."""
    judged: dict[int, list[int]] = {}
    for place in chain.from_iterable(read):
        judged.setdefault(_intended(place), []).append(_judged(place))
    middle = {place: statistics.median(found) for place, found in sorted(judged.items())}
    tau = _tau(tuple(middle.items()))
    if len(middle) < 2 or tau > SIDES_ALONE - _ROUNDING:
        return
    told = "not defined" if math.isnan(tau) else f"{tau:.2f}"
    grave: Severity = "note" if not believed or tau > CHANCE_TAU + _ROUNDING else "warning"
    yield ORDER_DISAGREES(
        dilemma,
        f"the actions meant for places {_listed(middle)} (1 is strong aligned, 6 strong opposed) are read in places "
        f"{_listed(middle.values())} (Kendall's tau-b {told})",
        "actions",
        severity=grave,
    )


def _listed(places: Iterable[float]) -> str:
    return ", ".join(f"{place:g}" for place in places)
