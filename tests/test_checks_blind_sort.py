"""What a blind judge's readings say about dilemmas, and about the judge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilemmas import dataset
from dilemmas.checks import blind_sort
from dilemmas.checks.blind_sort import find, scores
from dilemmas.orders import shuffled
from dilemmas.schema import PLACES, Dilemma, Finding, Judgement, Placement

DILEMMAS = dataset.read(dataset.shipped_path()).dilemmas
FIRST = DILEMMAS[0]
RIGHT = (1, 2, 3, 4, 5, 6)


def reading(dilemma: Dilemma, judged: Sequence[int] = RIGHT, repeat: int = 0, **fields: object) -> Judgement:
    """A machine's reading: the judged place (1 to 6) of each action, in the intended order; shown shuffled."""
    placements = {
        str(place): Placement(
            polarity=PLACES[place][0],
            intensity=PLACES[place][1],
            judged_polarity=PLACES[seen - 1][0],
            judged_intensity=PLACES[seen - 1][1],
        )
        for place, seen in enumerate(judged)
    }
    order = shuffled(list(placements), dilemma.id, repeat)
    return Judgement.model_validate(
        {
            "dilemma": dilemma.id,
            "revision": dilemma.revision,
            "reviewer": "a-judge",
            "kind": "machine",
            "repeat": repeat,
            "placements": tuple(placements[name] for name in order),
            **fields,
        }
    )


def unreadable(dilemma: Dilemma, repeat: int = 0, comment: str = "the reply is empty") -> Judgement:
    return reading(dilemma, (), repeat, comment=comment)


def of_first(*judged: Sequence[int]) -> list[Judgement]:
    """Some readings of the first dilemma, and three right ones of all others."""
    others = [reading(one, RIGHT, repeat) for one in DILEMMAS[1:] for repeat in range(3)]
    return [reading(FIRST, places, repeat) for repeat, places in enumerate(judged)] + others


def found(judgements: Sequence[Judgement], dilemmas: Sequence[Dilemma] = DILEMMAS) -> list[Finding]:
    return list(find(dilemmas, scores(dilemmas, judgements), judgements))


def by_rule(findings: Sequence[Finding], rule: str) -> list[Finding]:
    return [one for one in findings if one.rule == rule]


def test_side_and_order_are_scored_over_the_readings_that_could_be_read() -> None:
    judgements = [reading(FIRST), reading(FIRST, (1, 2, 4, 3, 5, 6), 1), unreadable(FIRST, 2)]
    (score,) = scores(DILEMMAS, judgements)
    assert (score.id, score.revision, score.asked, score.read) == (FIRST.id, 1, 3, 2)
    assert score.side == 10 / 12  # all six, then all but two
    assert score.tau == pytest.approx((1 + (14 - 1) / 15) / 2)  # one of 15 pairs is the other way round


def test_equal_strengths_give_the_tau_of_the_sides_alone() -> None:
    (score,) = scores(DILEMMAS, [reading(FIRST, (1, 1, 1, 6, 6, 6))])
    assert score.tau == pytest.approx(9 / math.sqrt(15 * 9))
    assert score.tau == pytest.approx(blind_sort.SIDES_ALONE)


@given(st.lists(st.integers(1, 6), min_size=6, max_size=6))
def test_tau_is_what_counting_pairs_gives(judged: list[int]) -> None:
    (score,) = scores(DILEMMAS, [reading(FIRST, judged)])
    signs = [(late > early) - (late < early) for early, late in itertools.combinations(judged, 2)]
    untied = sum(sign != 0 for sign in signs)
    if untied:
        assert score.tau == pytest.approx(sum(signs) / math.sqrt(15 * untied))
    else:
        assert score.tau is None


def test_a_reading_that_tells_nothing_apart_has_no_tau_and_does_not_lower_the_mean() -> None:
    same = reading(FIRST, (2,) * 6)
    assert scores(DILEMMAS, [same])[0].tau is None
    assert scores(DILEMMAS, [same])[0].side == 0.5
    assert scores(DILEMMAS, [same, reading(FIRST, repeat=1)])[0].tau == pytest.approx(1)


def test_nothing_read_is_missing_and_not_zero() -> None:
    (score,) = scores(DILEMMAS, [unreadable(FIRST), unreadable(FIRST, 1)])
    assert (score.asked, score.read, score.side, score.tau) == (2, 0, None, None)


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "person"},
        {"revision": 7},
        {"dilemma": "unknown"},
        {"placements": (), "decision": "accept"},
    ],
    ids=str,
)
def test_only_a_machines_sorting_of_this_revision_counts(other: dict[str, object]) -> None:
    stray = Judgement.model_validate({**reading(FIRST, (6, 5, 4, 3, 2, 1)).model_dump(), **other})
    assert scores(DILEMMAS, [stray]) == ()
    assert found([stray]) == []
    assert scores(DILEMMAS, [stray, reading(FIRST)])[0].side == 1


def test_people_are_scored_by_the_same_code_and_apart_from_machines() -> None:
    mixed = [reading(FIRST), reading(FIRST, (6, 5, 4, 3, 2, 1), kind="person", reviewer="a-reader")]
    assert [(one.asked, one.side) for one in scores(DILEMMAS, mixed)] == [(1, 1)]
    assert [(one.asked, one.side) for one in scores(DILEMMAS, mixed, "person")] == [(1, 0)]


def test_unreadable_replies_may_have_been_cut_off() -> None:
    assert "--max-tokens" in blind_sort.JUDGE_UNREADABLE.fix


@pytest.mark.parametrize("dilemmas", [(), DILEMMAS])
def test_without_judgements_there_is_nothing_to_say(dilemmas: Sequence[Dilemma]) -> None:
    assert scores(dilemmas, []) == ()
    assert found([], dilemmas) == []


def test_right_readings_raise_nothing() -> None:
    assert found(of_first(RIGHT, RIGHT, RIGHT)) == []


WRONG = (1, 2, 4, 4, 5, 6)
"""The mild aligned action is read as mild opposed."""


@pytest.mark.parametrize(
    ("wrong", "right", "severity"),
    [
        (3, 0, "warning"),
        (2, 0, "warning"),
        (5, 1, "warning"),
        (2, 1, "note"),
        (3, 1, "note"),
        (1, 0, "note"),
        (1, 1, None),
        (1, 2, None),
    ],
)
def test_an_action_on_the_other_side_is_as_grave_as_the_readings_agree(
    wrong: int, right: int, severity: str | None
) -> None:
    findings = by_rule(found(of_first(*[WRONG] * wrong, *[RIGHT] * right)), "side-disagrees")
    assert [one.severity for one in findings] == ([severity] if severity else [])
    for one in findings:
        assert (one.id, one.revision) == (FIRST.id, FIRST.revision)
        assert one.where == f"actions[{FIRST.actions.index(FIRST.action('aligned', 'mild'))}].text"
        assert "mild aligned action" in one.what
        assert f"{wrong} of {wrong + right}" in one.what
        assert "mild opposed" in one.what


def test_the_finding_points_to_the_action_wherever_it_stands_in_the_file() -> None:
    turned = FIRST.model_copy(update={"actions": FIRST.actions[::-1]})
    (finding,) = by_rule(found(of_first(WRONG, WRONG, WRONG), (turned, *DILEMMAS[1:])), "side-disagrees")
    assert turned.actions[int(finding.where[len("actions[")])] == turned.action("aligned", "mild")


@pytest.mark.parametrize(
    ("judged", "severity"),
    [
        ((1, 3, 2, 4, 5, 6), None),  # two neighbours exchanged: .87
        ((1, 1, 3, 4, 6, 6), None),  # some strengths alike
        ((1, 1, 1, 6, 6, 6), None),  # strengths alike, sides right: .775, just at the limit
        ((2, 2, 2, 4, 6, 5), "note"),
        ((3, 1, 2, 5, 4, 6), "warning"),  # three pairs the other way round: .6, just at the limit
        ((3, 2, 1, 6, 5, 4), "warning"),  # strengths exchanged on both sides: .2
        ((3, 3, 3, 3, 3, 3), "warning"),  # no order at all
    ],
)
def test_an_order_that_is_not_recovered_is_found(judged: tuple[int, ...], severity: str | None) -> None:
    findings = by_rule(found(of_first(judged, judged, judged)), "order-disagrees")
    assert [one.severity for one in findings] == ([severity] if severity else [])
    for one in findings:
        assert one.where == "actions"
        assert ", ".join(map(str, judged)) in one.what


def test_one_slip_among_three_readings_disturbs_no_order() -> None:
    assert by_rule(found(of_first(RIGHT, (6, 5, 4, 3, 2, 1), RIGHT)), "order-disagrees") == []


def test_a_single_reading_gives_notes_only() -> None:
    assert {one.severity for one in found(of_first((6, 5, 4, 3, 2, 1)))} == {"note"}


def test_unreadable_readings_are_a_note_or_where_most_are_a_warning() -> None:
    judgements = of_first(RIGHT)
    (few,) = found([unreadable(FIRST, 1), *judgements])
    assert (few.rule, few.severity, few.id) == ("judge-unreadable", "note", FIRST.id)
    (most,) = found([unreadable(FIRST, 1), unreadable(FIRST, 2), *judgements])
    assert (most.severity, most.id) == ("warning", FIRST.id)
    assert "2 of 3" in most.what
    assert "the reply is empty" in most.what


def test_many_unreadable_readings_are_held_against_the_judge_and_not_the_dilemma() -> None:
    lost = [unreadable(one, repeat) for one in DILEMMAS[1:] for repeat in (3, 4)]
    whole, *single = by_rule(found([*of_first(), unreadable(FIRST), *lost]), "judge-unreadable")
    assert (whole.id, whole.severity) == (None, "warning")
    assert f"{len(lost) + 1} of" in whole.what
    assert {one.severity for one in single} == {"note"}


def test_a_judge_of_whom_nothing_can_be_read_is_one_warning() -> None:
    findings = found([unreadable(one, repeat) for one in DILEMMAS for repeat in range(3)])
    assert [one.severity for one in findings if one.id is None] == ["warning"]
    assert {one.rule for one in findings} == {"judge-unreadable"}


@pytest.mark.parametrize("comment", ["", "\x1b[31mred\n", "\u202e"], ids=repr)
def test_an_odd_reason_is_told_without_what_a_terminal_obeys(comment: str) -> None:
    (finding,) = found([unreadable(FIRST, 3, comment), *of_first(RIGHT, RIGHT, RIGHT)])
    assert finding.what.isprintable()


def by_position(dilemma: Dilemma, repeat: int) -> Judgement:
    """For the first three letters, against the rest."""
    shown = reading(dilemma, repeat=repeat).placements
    judged = [
        one.model_copy(update={"judged_polarity": "aligned" if place < 3 else "opposed"})
        for place, one in enumerate(shown)
    ]
    return reading(dilemma, repeat=repeat, placements=tuple(judged))


@pytest.mark.parametrize(
    ("judge", "words"),
    [
        (lambda one, repeat: reading(one, (1,) * 6, repeat), "50%"),
        (lambda one, repeat: reading(one, (6, 5, 4, 3, 2, 1), repeat), "one side for the other"),
        (by_position, "by position"),
    ],
    ids=["says the same of all", "the wrong way round", "by position"],
)
def test_an_unfit_judge_is_one_warning_and_says_nothing_of_the_dilemmas(
    judge: Callable[[Dilemma, int], Judgement], words: str
) -> None:
    findings = found([judge(one, repeat) for one in DILEMMAS for repeat in range(3)])
    (unfit,) = by_rule(findings, "judge-unfit")
    assert (unfit.id, unfit.severity) == (None, "warning")
    assert words in unfit.what
    assert {one.severity for one in findings if one is not unfit} == {"note"}


def test_a_lean_under_one_letter_is_found_though_most_sides_are_right() -> None:
    def leaning(dilemma: Dilemma, repeat: int) -> Judgement:
        first, *rest = reading(dilemma, repeat=repeat).placements
        first = first.model_copy(update={"judged_polarity": "opposed"})
        return reading(dilemma, repeat=repeat, placements=(first, *rest))

    (unfit,) = by_rule(found([leaning(one, repeat) for one in DILEMMAS for repeat in range(3)]), "judge-unfit")
    assert "letter A" in unfit.what
    assert "%" not in unfit.what  # the share of right sides is beyond doubt


def erring(share: float, *, always: bool = False) -> list[Judgement]:
    """Three readings of all dilemmas with that share of sides wrong, drawn anew each time or once for all."""
    draw = np.random.default_rng(5)
    made = []
    for one in DILEMMAS:
        wrong = draw.random((3, 6)) < share
        for repeat in range(3):
            judged = [7 - place if wrong[0 if always else repeat, place - 1] else place for place in RIGHT]
            made.append(reading(one, judged, repeat))
    return made


@pytest.mark.parametrize("share", [0.4, 0.3, 0.2])
def test_a_judge_that_contradicts_itself_is_unfit_though_better_than_chance(share: float) -> None:
    findings = found(erring(share))
    (unfit,) = by_rule(findings, "judge-unfit")
    assert unfit.severity == "warning"
    assert unfit.what.startswith("the judge contradicts itself")
    assert {one.severity for one in findings if one is not unfit} == {"note"}


@pytest.mark.parametrize(("share", "always"), [(0, False), (0.03, False), (0.15, True)])
def test_a_judge_that_says_the_same_in_every_order_is_believed(share: float, always: bool) -> None:
    findings = found(erring(share, always=always))
    assert by_rule(findings, "judge-unfit") == []
    assert not always or "warning" in {one.severity for one in by_rule(findings, "side-disagrees")}


def test_positions_prove_nothing_where_the_actions_were_not_shuffled() -> None:
    def unshuffled(dilemma: Dilemma) -> Judgement:
        places = sorted(reading(dilemma, WRONG).placements, key=lambda one: PLACES.index((one.polarity, one.intensity)))
        return reading(dilemma, placements=tuple(places))

    assert by_rule(found([unshuffled(one) for one in DILEMMAS]), "judge-unfit") == []


def test_a_few_dilemmas_do_not_show_that_a_judge_is_fit() -> None:
    few = DILEMMAS[: blind_sort.FEWEST_DILEMMAS - 1]
    findings = found([reading(one, WRONG, repeat) for one in few for repeat in range(3)], few)
    (unfit,) = by_rule(findings, "judge-unfit")
    assert unfit.fix == f"Judge at least {blind_sort.FEWEST_DILEMMAS} dilemmas."
    assert len(by_rule(findings, "side-disagrees")) == len(few)
    assert {one.severity for one in findings} == {"note"}


def test_every_rule_is_declared_for_its_family() -> None:
    assert {rule.family for rule in blind_sort.RULES} == {"blind-sort"}
    assert "error" not in {rule.severity for rule in blind_sort.RULES}
