"""How a release's lines and rows are made of dilemmas, personas and judgements. Pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dilemmas.personas import built_in
from dilemmas.questions import SCALES
from dilemmas.release.evidence import Evidence
from dilemmas.release.forms import ActionRow, Derived, DilemmaRow, JudgementRow, PersonaRow, ReleasedDilemma, column
from dilemmas.release.layout import CANARY
from dilemmas.release.measures import Named, Said, Sorted, verdicts
from dilemmas.review.labels import place
from dilemmas.schema import PLACES, Dilemma, Judgement, Provenance, Record, Setting, canonical_json
from dilemmas.taxonomy import relation, value


def derived(
    dilemma: Dilemma, people: Said | None = None, machine: Sorted | None = None, naming: Named | None = None
) -> Derived:
    """What follows from a dilemma, and from what was said of it."""
    focal = value(dilemma.value)
    return Derived(
        content_sha256=dilemma.text_sha256,
        basic_value=focal.basic_value,
        higher_order=focal.higher_order,
        relation=relation(dilemma.value, dilemma.competing_value),
        people=people,
        machine=machine,
        naming=naming,
    )


def nested(dilemma: Dilemma, of_it: Derived) -> ReleasedDilemma:
    """A dilemma's line, its actions from the strongest aligned one to the strongest opposed one."""
    own = {**dict(dilemma), "actions": tuple(dilemma.action(*at) for at in PLACES)}
    return ReleasedDilemma(**own, derived=of_it, canary=CANARY)


def lines(dilemmas: Iterable[Dilemma], of_them: Mapping[str, Derived]) -> list[dict[str, Any]]:
    """`nested` of several dilemmas as plain data, without what they do not have.

    Args:
        dilemmas: in the order of the lines.
        of_them: what is derived of each, by id.
    """
    return [nested(one, of_them[one.id]).model_dump(mode="json", exclude_none=True) for one in dilemmas]


_SAME = ("id", "revision", "value", "topic", "competing_value", "scenario")
"""Fields of a dilemma that are columns as they are."""


def dilemma_row(dilemma: Dilemma, of_it: Derived) -> DilemmaRow:
    """A dilemma's row."""
    parameters = dilemma.provenance.parameters
    actions = {f"{polarity}_{intensity}": dilemma.action(polarity, intensity) for polarity, intensity in PLACES}
    flat: dict[str, Any] = {
        **{
            name: getattr(dilemma, name) for name in ("id", "revision", "value", "topic", "competing_value", "scenario")
        },
        **{name: getattr(of_it, name) for name in ("content_sha256", "basic_value", "relation")},
        "higher_order": ", ".join(of_it.higher_order),
        **_flat("setting", dilemma.setting, Setting),
        **{name: action.text for name, action in actions.items()},
        **{f"{name}_rationale": action.rationale for name, action in actions.items()},
        **_flat("provenance", dilemma.provenance, Provenance),
        "provenance_parameters": None if parameters is None else canonical_json(parameters),
        "review_status": dilemma.review.status,
        "reviewers": dilemma.review.reviewers,
        **_flat("people", of_it.people, Said),
        **_flat("machine", of_it.machine, Sorted),
        **_flat("naming", of_it.naming, Named),
        "canary": CANARY,
    }
    return DilemmaRow(**flat)


def _flat(name: str, part: Record | None, form: type[Record]) -> dict[str, Any]:
    """A part of a record as columns; all null where there is none."""
    return {f"{name}_{field}": getattr(part, field, None) for field in form.model_fields}


def action_rows(
    dilemmas: Sequence[Dilemma], people: dict[str, list[Judgement]], machines: Iterable[Judgement]
) -> Iterator[ActionRow]:
    """Six rows for each dilemma, with what was said of each action.

    Args:
        dilemmas: the released ones.
        people: what `measures.newest` gives.
        machines: readings of any revision; those of the released one count.
    """
    revision = {one.id: one.revision for one in dilemmas}
    readings: dict[str, list[Judgement]] = defaultdict(list)
    for one in machines:
        if revision.get(one.dilemma) == one.revision:
            readings[one.dilemma].append(one)
    for dilemma in dilemmas:
        for at, score in zip(PLACES, SCALES["even"], strict=True):
            action = dilemma.action(*at)
            of_people, of_machines = (
                Counter(found[at] for one in said if at in (found := verdicts(one)))
                for said in (people.get(dilemma.id, []), readings[dilemma.id])
            )
            yield ActionRow(
                id=dilemma.id,
                revision=dilemma.revision,
                polarity=at[0],
                intensity=at[1],
                score=score,
                text=action.text,
                rationale=action.rationale,
                review_status=dilemma.review.status,
                people=of_people.total(),
                people_hold=of_people["matches"],
                people_side=_on_side(of_people),
                machines=of_machines.total(),
                machines_hold=of_machines["matches"],
                machines_side=_on_side(of_machines),
                canary=CANARY,
            )


def _on_side(found: Counter[Any]) -> int:
    return sum(found[verdict] for verdict in ("matches", "weaker", "stronger"))


def persona_rows() -> list[Record]:
    """The built-in personas, each with the sets it is in."""
    sets = {name: {one.id for one in members} for name, members in built_in().items()}
    return [
        PersonaRow.model_validate(
            {
                "sets": ", ".join(name for name, members in sets.items() if one.id in members),
                "canary": CANARY,
                **one.model_dump(include={"id", "category", "T", "S", "incongruity"}),
                **{column(name): label for name, label in one.variables.items()},
            }
        )
        for one in built_in()["twelve"]
    ]


def judgement_rows(evidence: Evidence, *, with_comments: bool = False) -> list[JudgementRow]:
    """All answers, people's first, sorted: without times, and without comments unless they are wanted."""
    rows = [row for one in (*evidence.people, *evidence.machines) for row in _answers(one, with_comments)]
    rank: dict[tuple[str | None, str | None], int] = {at: number for number, at in enumerate(PLACES)}
    return sorted(
        rows,
        key=lambda row: (
            row.kind != "person", row.id, row.revision, row.reviewer, row.reading, row.criterion,
            rank.get((row.polarity, row.intensity), -1), row.answer,
        ),
    )  # fmt: skip


def _answers(one: Judgement, with_comments: bool) -> Iterator[JudgementRow]:
    def row(criterion: str, answer: str, polarity: str | None = None, intensity: str | None = None) -> JudgementRow:
        return JudgementRow.model_validate(
            {"id": one.dilemma, "revision": one.revision, "kind": one.kind, "reviewer": one.reviewer,
             "reading": one.repeat, "criterion": criterion, "polarity": polarity, "intensity": intensity,
             "answer": answer, "canary": CANARY}
        )  # fmt: skip

    if one.decision is not None:
        yield row("decision", one.decision)
    for name in ("harmless", "sufficient", "plausible"):
        if (answer := getattr(one, name)) is not None:
            yield row(name, "yes" if answer else "no")
    for at in one.placements:
        yield row("place", place(at.judged_polarity, at.judged_intensity), at.polarity, at.intensity)
    for said in one.verdicts:
        yield row("label", said.verdict, said.polarity, said.intensity)
    if with_comments and one.kind == "person" and one.comment.strip():
        yield row("comment", one.comment)
