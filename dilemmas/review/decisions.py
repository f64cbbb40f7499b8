"""From people's verdicts on dilemmas to what becomes of them, by a rule that the user names. Pure functions.

Only people's verdicts are looked at, and of each person only the latest that was handed in, on the very
text that the dilemma has now.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import NamedTuple

from dilemmas.errors import InputError
from dilemmas.review.form import DECISIONS
from dilemmas.review.tasks import revised
from dilemmas.schema import (
    PLACES,
    Decision,
    DecisionOutcome,
    DecisionRule,
    Dilemma,
    Edit,
    Intensity,
    Judgement,
    Polarity,
    Provenance,
    Review,
    ReviewDecision,
    ReviewStatus,
)

QUOTED, CONTEXT = 160, 3
"""Longest quotation of a new text, characters, and words of it on either side of where it differs from another."""
COMMENTED = 300
"""Characters of reviewers' comments that a revision carries; the rest is in their judgements."""

STATUS: dict[DecisionOutcome, ReviewStatus] = {
    "accept": "accepted", "revise": "revised", "reject": "rejected", "undecided": "undecided",
}  # fmt: skip
Place = tuple[Polarity | None, Intensity | None]
"""Side and strength of an action; two times none for the scenario."""


class Rule(NamedTuple):
    """How verdicts are read."""

    name: DecisionRule = "unanimous"
    """`unanimous`: all say the same. `majority`: more than half do. `adjudicator`: one reviewer's word decides, and
    where that one gave none, all must say the same."""
    min_reviewers: int = 2
    """Verdicts without which nothing is decided, at least 1; an adjudicator's is enough by itself."""
    adjudicator: str | None = None
    """Whose word decides; none with the other rules."""

    def __str__(self) -> str:
        """The rule in words."""
        name = f"{self.adjudicator} decides, else unanimous" if self.adjudicator else self.name
        return f"{name} of at least {self.min_reviewers} verdict{'s' if self.min_reviewers > 1 else ''}"


class Left(NamedTuple):
    """A dilemma that people judged and that is left alone nevertheless."""

    dilemma: str
    reason: str


class Reviewed(NamedTuple):
    """What verdicts make of a set of dilemmas. Each of them is in `dilemmas` or in `gone`."""

    dilemmas: tuple[Dilemma, ...]
    """The set as it is now, in its order, without those that were rejected."""
    gone: tuple[Dilemma, ...]
    """Revisions that were replaced, and dilemmas that were rejected."""
    decisions: tuple[Decision, ...]
    """One for each dilemma that is decided on now, `undecided` included."""
    left: tuple[Left, ...]
    """Verdicts that were of no use."""
    before: int
    """Dilemmas that these very verdicts decided on before."""

    @property
    def undecided(self) -> tuple[Decision, ...]:
        """What another round is for."""
        return tuple(one for one in self.decisions if one.outcome == "undecided")

    @property
    def open(self) -> bool:
        """Whether anything that people judged is not settled."""
        return bool(self.undecided or self.left)

    @property
    def counts(self) -> dict[str, int]:
        """Dilemmas by what became of them now; those on which nothing was decided are `unchanged`."""
        outcomes = Counter(STATUS[one.outcome] for one in self.decisions)
        unchanged = len(self.dilemmas) + outcomes["rejected"] - len(self.decisions)
        return {**{status: outcomes[status] for status in STATUS.values()}, "unchanged": unchanged}


def review(
    dilemmas: Sequence[Dilemma],
    judgements: Iterable[Judgement],
    rule: Rule,
    project: str,
    *,
    pulled: str,
    earlier: Iterable[Decision] = (),
) -> Reviewed:
    """Decide on all dilemmas that were judged.

    Args:
        dilemmas: the set.
        judgements: a round's, in any order.
        rule: how they are read.
        project: title of the round's project.
        pulled: UTC time at which they were fetched; a revision has it where its verdicts have no time.
        earlier: what was decided on this set before, so that no verdict counts twice.
    """
    votes = _votes(judgements)
    here = [one for one in earlier if one.project == project and not one.replaced]
    known = {(one.dilemma, one.text_sha256): one for one in here}
    before = {text: cast for text in known if (cast := votes.pop(text, None))}
    kept: list[Dilemma] = []
    gone: list[Dilemma] = []
    decisions: list[Decision] = []
    for dilemma in dilemmas:
        cast = votes.pop((dilemma.id, dilemma.text_sha256), None)
        if cast is None:
            kept.append(dilemma)
            continue
        decision = decide(dilemma, cast, rule, project)
        decisions.append(decision)
        (gone if decision.outcome == "reject" else kept).append(_after(dilemma, decision, pulled))
        if decision.outcome == "revise":
            gone.append(dilemma)
    there = {dilemma.id: dilemma for dilemma in dilemmas}
    again = {text: _again(known[text], cast, rule, there.get(text[0])) for text, cast in before.items()}
    left = [
        *(Left(id, reason) for (id, _), reason in again.items() if reason),
        *(
            Left(id, "was judged on another text than it has" if id in there else "is not in the file")
            for id, _ in votes
        ),
    ]
    same = sum(_verdicts(cast) == known[text].verdicts for text, cast in before.items())
    return Reviewed(tuple(kept), tuple(gone), tuple(decisions), tuple(sorted(left)), same)


def decide(dilemma: Dilemma, judgements: Iterable[Judgement], rule: Rule, project: str) -> Decision:
    """What is to become of one dilemma.

    Args:
        dilemma: as it was judged.
        judgements: all of this text, in any order; what is no person's verdict is left out.
        rule: how they are read.
        project: title of the round's project.
    """
    cast = [one for votes in _votes(judgements).values() for one in votes]
    winning, reason = _winning(cast, rule)
    outcome: DecisionOutcome = winning[0].decision or "undecided" if winning else "undecided"
    edits: tuple[Edit, ...] = ()
    if outcome == "revise":
        try:
            edits = _merged(winning)
            revised(dilemma, edits)
        except InputError as error:
            place = f"{error.where}: " if error.where else ""
            outcome, edits, reason = "undecided", (), f"{reason}; but {place}{error.what}"
    authors = [one for one in winning if edits and one.edits]
    return Decision(
        dilemma=dilemma.id,
        revision=dilemma.revision,
        text_sha256=dilemma.text_sha256,
        project=project,
        rule=rule.name,
        min_reviewers=rule.min_reviewers,
        adjudicator=rule.adjudicator,
        verdicts=_verdicts(cast),
        outcome=outcome,
        reason=reason,
        edits=edits,
        authors=tuple(one.reviewer for one in authors),
        comment=" / ".join(dict.fromkeys(comment for one in authors if (comment := _legible(one.comment))))[:COMMENTED],
        decided=max((time for one in cast if (time := _time(one.updated or one.created))), default=None),
    )


def _votes(judgements: Iterable[Judgement]) -> dict[tuple[str, str | None], list[Judgement]]:
    """What counts as a person's verdict, by dilemma and text: one for each reviewer, in their order.

    Which is a reviewer's newest on one revision is known already (`superseded`). Times are looked at only where
    one text stood in two revisions; all are of one server, so that they sort as they are written.
    """
    counted = [one for one in judgements if one.kind == "person" and one.counts and one.decision]
    votes: dict[tuple[str, str | None], dict[str, Judgement]] = {}
    for one in sorted(counted, key=lambda one: (one.dilemma, one.reviewer, _age(one))):
        votes.setdefault((one.dilemma, one.text_sha256), {})[one.reviewer] = one
    return {text: list(cast.values()) for text, cast in votes.items()}


def _age(one: Judgement) -> tuple[str, int]:
    """Time and number; that somebody else has changed one makes it no newer."""
    return (one.created if one.editor else one.updated or one.created) or "", one.annotation or 0


def _verdicts(cast: Sequence[Judgement]) -> dict[str, ReviewDecision]:
    return {one.reviewer: one.decision for one in cast if one.decision}


def _again(decision: Decision, cast: Sequence[Judgement], rule: Rule, now: Dilemma | None) -> str:
    """Why it does not do that a text was decided on before; empty where it does.

    Args:
        decision: what was decided in this round.
        cast: its verdicts now.
        rule: the rule now.
        now: the dilemma as it is in the file; None where it has left it.
    """
    pushed = "apply the round to the file that was pushed"
    if _verdicts(cast) != decision.verdicts:
        return f"has other verdicts than when this round was applied before; {pushed}"
    if rule != (before := Rule(decision.rule, decision.min_reviewers, decision.adjudicator)):
        return f"was decided on before ({decision.outcome}) by another rule: {before}; {pushed}"
    if now and now.review.status == "undecided" and now.text_sha256 == decision.text_sha256:
        return f"was undecided before and still is: {decision.reason}"
    return ""


def _winning(cast: Sequence[Judgement], rule: Rule) -> tuple[list[Judgement], str]:
    """The verdicts that decide, none where nothing is decided, and why."""
    for one in cast:
        if one.reviewer == rule.adjudicator:
            return [one], f"{one.reviewer} decides: {one.decision}"
    counts = Counter(one.decision for one in cast)
    told = ", ".join(f"{counts[name]} {name}" for name in DECISIONS if counts[name])
    if len(cast) < rule.min_reviewers:
        return [], f"too few verdicts: {told}; {rule.min_reviewers} wanted"
    best, most = counts.most_common(1)[0]
    if rule.name == "majority":
        if 2 * most <= len(cast):
            return [], f"no majority: {told}"
    elif most < len(cast):
        return [], f"not unanimous: {told}"
    return [one for one in cast if one.decision == best], told


def _merged(winning: Sequence[Judgement]) -> tuple[Edit, ...]:
    """The texts that reviewers want, in the order of the dilemma's parts.

    Raises:
        InputError: there are none, or two for one place.
    """
    wanted: dict[Place, dict[str, list[str]]] = {}
    for one in winning:
        for edit in one.edits:
            texts = wanted.setdefault((edit.polarity, edit.intensity), {})
            texts.setdefault(edit.text.strip(), []).append(one.reviewer)
    if not wanted:
        raise InputError("nobody gives a new text" if len(winning) > 1 else f"{winning[0].reviewer} gives no new text")
    for place, texts in wanted.items():
        if len(texts) > 1:
            said = zip(texts.values(), _differences(list(texts)), strict=True)
            told = "; ".join(f'{", ".join(names)}: "{text}"' for names, text in said)
            raise InputError(f"new texts of the {_name(place)} differ: {told}")
    order: tuple[Place, ...] = ((None, None), *PLACES)
    return tuple(
        Edit(polarity=place[0], intensity=place[1], text=next(iter(wanted[place])))
        for place in order
        if place in wanted
    )


def _after(dilemma: Dilemma, decision: Decision, pulled: str) -> Dilemma:
    """The dilemma with its new status, and with its new texts where it is revised."""
    review = Review(status=STATUS[decision.outcome], reviewers=dilemma.review.reviewers + len(decision.verdicts))
    if decision.outcome != "revise":
        return dilemma.model_copy(update={"review": review})
    written = Provenance(
        kind="person",
        author=", ".join(decision.authors),
        method=f"revised in review: {decision.comment}" if decision.comment else "revised in review",
        created=decision.decided or pulled,
    )
    changes = {"revision": dilemma.revision + 1, "provenance": written, "review": review}
    return revised(dilemma, decision.edits).model_copy(update=changes)


def _name(place: Place) -> str:
    return "scenario" if place == (None, None) else f"{place[1]} {place[0]} action"


def _differences(texts: Sequence[str]) -> list[str]:
    """Where texts differ, in words, each on one line and shortened."""
    words = [_legible(text).split() for text in texts]
    start = max(0, _shared(words) - CONTEXT)
    end = max(0, _shared([of[start:][::-1] for of in words]) - CONTEXT)
    parts = [" ".join(["…"][:start] + of[start : len(of) - end] + ["…"][:end]) for of in words]
    return [part if len(part) <= QUOTED else f"{part[:QUOTED]}…" for part in parts]


def _shared(texts: Sequence[Sequence[str]]) -> int:
    """How many of their first words are the same."""
    return sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*texts, strict=False)))


def _time(text: str | None) -> str | None:
    """A time in UTC to the second; none where it cannot be told."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _legible(text: str) -> str:
    """A text on one line, with a mark for each character that no reader can see."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Cf" else "\ufffd" for c in line)
