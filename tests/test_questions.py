"""Instruments: what is asked about a dilemma, how its options score, and the prompts word for word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from conftest import plan_of

from dilemmas import dataset, taxonomy
from dilemmas.config import ScaleName
from dilemmas.prompts import Prompts
from dilemmas.questions import INSTRUMENTS, SCALES, action, value
from dilemmas.schema import PLACES, Dilemma, Side

SHIPPED = dataset.read(dataset.shipped_path()).dilemmas
EACH = pytest.mark.parametrize("name", INSTRUMENTS)


@pytest.fixture
def dilemma(record: dict[str, Any]) -> Dilemma:
    return Dilemma.model_validate(record)


@pytest.mark.parametrize("protocol", ["reasoned", "logprob"])
@EACH
def test_the_prompt_word_for_word(
    name: str,
    protocol: str,
    record: dict[str, Any],
    write_lines: Callable[..., Path],
    golden: Callable[[str, str], None],
) -> None:
    settings: dict[str, Any] = {"model.protocol": protocol, "orders": "fixed", "repeats": 1}
    first = next(
        planned.trial
        for planned in plan_of(dataset=str(write_lines(record)), persona_set="incongruous", **settings)
        if planned.trial.question == name and planned.trial.persona == "incongruous-1"
    )
    golden(f"prompts/{name}-{protocol}.txt", "\n".join(f"[{m.role}]\n{m.content}\n" for m in first.messages))


@EACH
def test_every_instrument_keeps_the_contract(name: str) -> None:
    instrument = INSTRUMENTS[name]
    assert (instrument.NAME, instrument.SIDE in get_args(Side)) == (name, True)
    for dilemma in SHIPPED:
        question = instrument.question(dilemma, Prompts())
        assert (question.name, question.item, question.side) == (name, dilemma.id, instrument.SIDE)
        assert question.context == dilemma.scenario
        assert tuple(option.code for option in question.options) == instrument.CODES
        assert len({option.text for option in question.options}) == len(instrument.CODES)
        assert len(set(instrument.CODES)) == len(instrument.CODES)


def test_one_instrument_measures_what_is_stated_and_one_what_is_done() -> None:
    assert {name: instrument.SIDE for name, instrument in INSTRUMENTS.items()} == {"value": "stated", "action": "acted"}


@pytest.mark.parametrize(
    ("scale", "scores"),
    [("even", [1, 0.6, 0.2, -0.2, -0.6, -1]), ("thirds", [1, 2 / 3, 1 / 3, -1 / 3, -2 / 3, -1])],
)
@EACH
def test_options_score_from_full_agreement_to_its_opposite(
    name: str, scale: ScaleName, scores: list[float], dilemma: Dilemma
) -> None:
    question = INSTRUMENTS[name].question(dilemma, Prompts(), scale)
    assert [option.score for option in question.options] == pytest.approx(scores)


def test_no_scale_has_a_neutral_point() -> None:
    assert set(SCALES) == set(get_args(ScaleName))
    for scores in SCALES.values():
        assert 0 not in scores
        assert list(scores) == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(0)


def test_the_scale_is_even_unless_another_is_named(dilemma: Dilemma) -> None:
    for instrument in INSTRUMENTS.values():
        assert instrument.question(dilemma, Prompts()) == instrument.question(dilemma, Prompts(), "even")


def test_agreement_has_six_points_and_no_middle() -> None:
    words = list(value.AGREEMENT.values())
    assert words == [
        "Strongly agree",
        "Agree",
        "Slightly agree",
        "Slightly disagree",
        "Disagree",
        "Strongly disagree",
    ]


@pytest.mark.parametrize("dilemma", SHIPPED, ids=lambda dilemma: dilemma.id)
def test_the_value_question_names_the_focal_value_and_what_it_means(dilemma: Dilemma) -> None:
    stem = value.question(dilemma, Prompts()).stem
    assert dilemma.value in stem
    assert taxonomy.value(dilemma.value).definition in stem
    assert dilemma.competing_value not in stem


@pytest.mark.parametrize("dilemma", SHIPPED, ids=lambda dilemma: dilemma.id)
def test_the_action_question_names_no_value(dilemma: Dilemma) -> None:
    question = action.question(dilemma, Prompts())
    words = " ".join([question.stem, *(option.text for option in question.options)]).lower()
    assert [name for name in (dilemma.value, dilemma.competing_value) if name.lower() in words] == []


def test_actions_keep_their_codes_in_whatever_order_the_file_has_them(record: dict[str, Any]) -> None:
    wanted = {f"{one['polarity']}-{one['intensity']}": one["text"] for one in record["actions"]}
    record["actions"] = record["actions"][3:] + record["actions"][:3][::-1]
    question = action.question(Dilemma.model_validate(record), Prompts())
    assert {option.code: option.text for option in question.options} == wanted
    assert tuple(wanted) == action.CODES == tuple(f"{polarity}-{intensity}" for polarity, intensity in PLACES)


def test_the_prompt_ends_with_how_to_reply() -> None:
    for protocol, words in (("reasoned", "JSON"), ("logprob", "single letter")):
        settings: dict[str, Any] = {"model.protocol": protocol, "limit": 2}
        for planned in plan_of(persona_set="none", **settings):
            last = planned.trial.messages[-1].content.split("\n\n")[-1]
            assert words in last
            assert "A, B, C, D, E, F" in last
