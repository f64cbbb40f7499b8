"""Confounds over the set: planted ones are found with the right sign, and good or shuffled sets stay quiet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dilemmas import dataset, taxonomy
from dilemmas.checks import confounds
from dilemmas.schema import PLACES, Action, Confound, Cues, Dilemma, Finding, Severity

SHIPPED = dataset.read(dataset.shipped_path()).dilemmas[:24]
Reword = Callable[[Action], str]
KINDS = ("Benevolence", "Universalism", "Power", "Achievement")


def reworded(reword: Reword, dilemmas: Sequence[Dilemma] = SHIPPED) -> list[Dilemma]:
    return [
        dilemma.model_copy(
            update={"actions": tuple(one.model_copy(update={"text": reword(one)}) for one in dilemma.actions)}
        )
        for dilemma in dilemmas
    ]


def relabelled(dilemmas: Sequence[Dilemma], seed: int) -> list[Dilemma]:
    """The same texts under labels drawn anew within each dilemma."""
    draw = np.random.default_rng(seed)
    found = []
    for dilemma in dilemmas:
        texts = [dilemma.actions[index].text for index in draw.permutation(6)]
        actions = zip(dilemma.actions, texts, strict=True)
        moved = tuple(one.model_copy(update={"text": text}) for one, text in actions)
        found.append(dilemma.model_copy(update={"actions": moved}))
    return found


def swapped(dilemmas: Sequence[Dilemma]) -> list[Dilemma]:
    """The same texts with aligned and opposed exchanged."""
    other = {"aligned": "opposed", "opposed": "aligned"}
    return [
        dilemma.model_copy(
            update={
                "actions": tuple(one.model_copy(update={"polarity": other[one.polarity]}) for one in dilemma.actions)
            }
        )
        for dilemma in dilemmas
    ]


def check(dilemmas: Sequence[Dilemma]) -> dict[str, Finding]:
    found = list(confounds.find(confounds.measure(dilemmas), confounds.cues(dilemmas), dilemmas))
    assert all(finding.id is None and finding.where == "all actions" for finding in found)
    return {finding.rule: finding for finding in found}


def effect(dilemmas: Sequence[Dilemma], measure: str, factor: str) -> Confound:
    found = [one for one in confounds.measure(dilemmas) if (one.measure, one.factor) == (measure, factor)]
    assert len(found) == 1
    return found[0]


def cues(dilemmas: Sequence[Dilemma], held_out: str) -> Cues:
    return next(one for one in confounds.cues(dilemmas) if one.held_out == held_out)


def refusing(one: Action) -> str:
    return one.text if one.polarity == "aligned" else f"I refuse to {one.text[2:]}"


def gladly(one: Action) -> str:
    return one.text if one.polarity == "opposed" else f"{one.text[:-1]} gladly."


def longer(kind: str) -> Reword:
    return lambda one: (
        f"{one.text} I do that on the very same day." if kind in (one.polarity, one.intensity) else one.text
    )


def harder(one: Action) -> str:
    return one.text if one.polarity == "aligned" else f"{one.text[:-1]} notwithstanding considerable inconvenience."


def gloomy(one: Action) -> str:
    return one.text if one.polarity == "aligned" else f"{one.text[:-1]}, a miserable and horrible choice."


def test_the_shipped_dilemmas_have_no_finding() -> None:
    assert check(SHIPPED) == {}


@pytest.mark.parametrize("seed", range(5))
def test_labels_drawn_anew_give_no_finding(seed: int) -> None:
    shuffled = relabelled(SHIPPED, seed)
    assert check(shuffled) == {}
    assert cues(shuffled, "value").low < 0.5 < cues(shuffled, "value").high


@pytest.mark.parametrize(
    ("reword", "rule", "more", "less"),
    [
        (longer("aligned"), "length-confound", "aligned", "opposed"),
        (longer("opposed"), "length-confound", "opposed", "aligned"),
        (longer("strong"), "length-confound", "strong", "mild"),
        (longer("mild"), "length-confound", "mild", "strong"),
        (harder, "readability-confound", "opposed", "aligned"),
        (gloomy, "sentiment-confound", "aligned", "opposed"),
    ],
)
def test_a_planted_confound_is_an_error_that_names_the_greater_side_first(
    reword: Reword, rule: str, more: str, less: str
) -> None:
    finding = check(reworded(reword))[rule]
    assert finding.severity == "error"
    assert finding.what.startswith(more)
    assert less in finding.what


@pytest.mark.parametrize(("reword", "side", "word"), [(gladly, "aligned", "gladly"), (refusing, "opposed", "refuse")])
def test_wording_that_gives_the_side_away_is_named(reword: Reword, side: str, word: str) -> None:
    spoilt = reworded(reword)
    assert check(spoilt)["wording-cues"].severity == "error"
    assert f'"{word}"' in check(spoilt)["wording-cues"].what
    assert getattr(cues(spoilt, "value"), side)[0] == word


def test_wording_in_half_of_the_dilemmas_is_a_warning() -> None:
    half = [*reworded(refusing, SHIPPED[:14]), *SHIPPED[14:]]
    assert check(half)["wording-cues"].severity == "warning"


def test_words_are_listed_once_and_only_where_they_tell_more_than_chance() -> None:
    assert all(one.low < 0.5 and not one.aligned and not one.opposed for one in confounds.cues(SHIPPED))
    spoilt = confounds.cues(reworded(gladly))
    assert [(one.held_out, bool(one.aligned)) for one in spoilt] == [("dilemma", False), ("value", True)]


@pytest.mark.parametrize(("turned", "severity"), [(False, "warning"), (True, "error")])
def test_wording_is_no_error_where_one_kind_of_value_always_stands_against_another(
    turned: bool, severity: Severity
) -> None:
    """Deeds of giving and of winning, with no other habit; turned, every second dilemma has the kinds exchanged."""
    by_kind = {kind: [name for name, one in taxonomy.values().items() if one.basic_value == kind] for kind in KINDS}
    giving, winning = ([name for kind in kinds for name in by_kind[kind]] for kinds in (KINDS[:2], KINDS[2:]))
    spoilt = []
    for number, one in enumerate(SHIPPED):
        sides = giving[number % len(giving)], winning[number % len(winning)]
        value, rival = sides[::-1] if turned and number % 2 else sides
        spoilt.append(one.model_copy(update={"value": value, "competing_value": rival}))
    finding = check(reworded(gladly, spoilt))["wording-cues"]
    assert finding.severity == severity
    assert ("different kinds" in finding.what) == (not turned)


def marked_by_value(both_sides: bool, draw: int) -> list[Dilemma]:
    """Six values, eight dilemmas each; the value's word stands in the actions that serve it."""
    values = sorted({one.value for one in SHIPPED})[:6]
    word = dict(zip(values, ("amber", "birch", "coral", "daisy", "ember", "fjord"), strict=True))
    made: list[Dilemma] = []
    for number in range(48):
        value, rival = values[number % 6], values[(number % 6 + 1 + number // 6 % 5) % 6]
        mark = {"aligned": word[value], "opposed": word[rival] if both_sides else ""}
        update = {"id": f"made-{number}", "value": value, "competing_value": rival if both_sides else "Loyal"}
        base = relabelled(SHIPPED, 2 * draw + number // 24)[number % 24].model_copy(update=update)
        made += reworded(lambda one, mark=mark: f"{one.text} {mark[one.polarity]}", [base])  # type: ignore[misc]
    return made


@pytest.mark.parametrize("both_sides", [False, True])
def test_a_word_that_only_marks_its_value_is_no_cue(both_sides: bool) -> None:
    """As the competing value's word it stands in opposed actions, which must not push accuracy below chance.

    Over six draws of the labels, because one draw of 24 texts may come to .43 by itself.
    """
    draws = [marked_by_value(both_sides, draw) for draw in range(6)]
    assert np.mean([cues(made, "value").accuracy for made in draws]) == pytest.approx(0.5, abs=0.05)
    assert both_sides or cues(draws[0], "dilemma").low > 0.55
    assert "wording-cues" not in check(draws[0])


def test_exchanging_the_sides_turns_the_signs_and_keeps_the_sizes() -> None:
    for before, after in zip(confounds.measure(SHIPPED), confounds.measure(swapped(SHIPPED)), strict=True):
        sign = -1 if before.factor == "polarity" else 1
        assert after.estimate == pytest.approx(sign * (before.estimate or 0))
    spoilt = reworded(gladly)
    assert cues(swapped(spoilt), "value").opposed == cues(spoilt, "value").aligned


def test_the_effect_is_the_mean_of_within_dilemma_differences_with_its_t_interval() -> None:
    extra = {"aligned": "gladly " * 2, "opposed": ""}
    spoilt = reworded(lambda one: one.text + " " + extra[one.polarity])
    counts = {
        place: np.array([len(one.action(*place).text.split()) for one in spoilt]) for place in PLACES
    }  # fmt: skip
    by_hand = sum(counts[place] for place in PLACES[:3]) / 3 - sum(counts[place] for place in PLACES[3:]) / 3
    tested = stats.ttest_1samp(by_hand, 0)
    interval = tested.confidence_interval(1 - 0.05 / 6)
    found = effect(spoilt, "words", "polarity")
    assert found.n == 24
    assert found.estimate == pytest.approx(by_hand.mean())
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.dz == pytest.approx(tested.statistic / math.sqrt(24))


def test_readability_is_the_published_formula() -> None:
    """Coleman and Liau's own case: 639 letters, 119 words, 5 sentences are grade 14.5."""
    text = " ".join(["lapis."] * 5 + ["quarry"] * 44 + ["basal"] * 70)
    assert sum(map(str.isalnum, text)) == 639
    assert len(text.split()) == 119
    assert confounds.grade(text) == pytest.approx(14.5, abs=0.05)


@pytest.mark.parametrize(("text", "sentences"), [("I go", 1), ("I pay 3.50 now.", 1), ("Wait... I say 'no.' I go!", 3)])
def test_sentences_are_counted_where_they_end(text: str, sentences: int) -> None:
    letters, words = sum(map(str.isalnum, text)), len(text.split())
    assert confounds.grade(text) == pytest.approx(5.88 * letters / words - 29.6 * sentences / words - 15.8)


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"estimate": 2.0, "low": 1.2, "high": 2.8, "dz": 0.8}, "error"),
        ({"estimate": -2.0, "low": -2.8, "high": -1.2, "dz": -0.8}, "error"),
        ({"estimate": 2.0, "low": 0.3, "high": 3.7, "dz": 0.8}, "warning"),  # the interval reaches below one word
        ({"estimate": 2.0, "low": 1.2, "high": 2.8, "dz": 0.4}, "warning"),
        ({"estimate": 2.0, "low": 1.2, "high": 2.8, "dz": 0.15}, None),  # lost in the spread
        ({"estimate": 0.9, "low": 0.8, "high": 1.0, "dz": 3.0}, None),  # regular, but under a word
        ({"estimate": 2.0, "low": -0.1, "high": 4.1, "dz": 0.6}, None),  # uncertain
        ({"estimate": 2.0, "low": 2.0, "high": 2.0, "dz": None}, "error"),  # the same everywhere
        ({"estimate": 5.0, "low": None, "high": None, "dz": 3.0}, None),  # too few dilemmas
    ],
)
def test_severity_takes_certainty_and_size(fields: dict[str, Any], severity: Severity | None) -> None:
    found = list(confounds.find([Confound(measure="words", factor="polarity", n=100, **fields)], []))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_a_difference_that_is_the_same_in_every_dilemma_is_an_error() -> None:
    even = reworded(lambda one: f"I do {one.polarity} {one.intensity} it" + (" all day" * (one.polarity == "aligned")))
    found = effect(even, "words", "polarity")
    assert (found.estimate, found.low, found.high) == pytest.approx((2, 2, 2))
    assert found.dz is None
    assert check(even)["length-confound"].severity == "error"


@pytest.mark.parametrize(("held_out", "low", "rules"), [("value", 0.56, 1), ("value", 0.54, 0), ("dilemma", 0.99, 0)])
def test_only_wording_that_holds_across_values_is_a_finding(held_out: Any, low: float, rules: int) -> None:
    one = Cues(features="words", held_out=held_out, n=50, accuracy=0.99, low=low, high=1)
    assert len(list(confounds.find([], [one]))) == rules


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_a_tiny_set_is_measured_without_interval_or_finding(n: int) -> None:
    few = reworded(longer("aligned"), SHIPPED[:n])
    for one in confounds.measure(few):
        assert one.n == n
        assert (one.low, one.high) == (None, None)
        assert (one.estimate is None) == (n == 0)
    assert confounds.cues(few) == ()
    assert check(few) == {}


def test_five_dilemmas_have_an_interval_and_ten_an_account_of_wording() -> None:
    assert effect(SHIPPED[:5], "words", "polarity").low is not None
    assert confounds.cues(SHIPPED[:9]) == ()
    assert {one.held_out for one in confounds.cues(SHIPPED[:10])} == {"dilemma", "value"}


def test_few_values_give_no_account_across_values() -> None:
    rival = "Loyal"
    four = [
        one.model_copy(update={"value": SHIPPED[index % 4].value, "competing_value": rival})
        for index, one in enumerate(SHIPPED)
    ]
    assert [one.held_out for one in confounds.cues(four)] == ["dilemma"]


def test_order_in_the_file_and_among_the_actions_changes_nothing() -> None:
    spoilt = reworded(refusing, SHIPPED[:12]) + list(SHIPPED[12:])
    turned = [one.model_copy(update={"actions": one.actions[::-1]}) for one in spoilt[::-1]]
    assert confounds.cues(spoilt) == confounds.cues(spoilt)
    for one, other in zip(confounds.cues(spoilt), confounds.cues(turned), strict=True):
        assert other.accuracy == pytest.approx(one.accuracy)
        assert (other.aligned, other.opposed) == (one.aligned, one.opposed)
    for one, other in zip(confounds.measure(spoilt), confounds.measure(turned), strict=True):
        assert other.estimate == pytest.approx(one.estimate)


def test_an_action_without_a_letter_has_no_readability_but_is_counted_otherwise() -> None:
    first, *rest = SHIPPED
    odd = [*reworded(lambda one: f"... {one.polarity} 1" if one.intensity != "mild" else "!!!", [first]), *rest]
    assert effect(odd, "readability", "polarity").n == 23
    assert effect(odd, "words", "polarity").n == 24


def test_texts_without_a_word_give_no_account_of_wording() -> None:
    assert confounds.cues(reworded(lambda one: "!" * (1 + PLACES.index((one.polarity, one.intensity))))) == ()


def test_fits_look_at_a_bounded_number_of_dilemmas_and_all_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confounds, "MOST_FITTED", 8)
    found = cues(reworded(refusing), "value")
    assert found.n == 24
    assert found.accuracy == 1
