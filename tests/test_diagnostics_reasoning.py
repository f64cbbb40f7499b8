"""Which letter a reasoning states as its choice, and how often that is another than the answer."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from dilemmas.dataset import read, shipped_path
from dilemmas.diagnostics import ALL, contradictions, said


def reply(reasoning: str, answer: str = "A") -> str:
    return json.dumps({"reasoning": reasoning, "answer": answer}, ensure_ascii=False)


@pytest.mark.parametrize(
    ("words", "letter"),
    [
        ("I choose B because honesty matters.", "B"),
        ("My answer is C.", "C"),
        ("Honesty counts most here, so I choose A.", "A"),
        ("I choose A and accept the cost.", "A"),
        ("Therefore, the answer is E.", "E"),
        ("So I would therefore pick option D here.", "D"),
        ("I'd go with B.", "B"),
        ("I’ll go for (C).", "C"),
        ("I will take action F, whatever it costs.", "F"),
        ("I opt for **C**.", "C"),
        ('My final answer is "E".', "E"),
        ("Option A is what I would do.", "A"),
        ("Option B is my choice.\nIt is kind.", "B"),
        ("Answer: D", "D"),
        ("Option B is kinder, but I choose D.", "D"),
    ],
)
def test_a_plain_statement_names_a_letter(words: str, letter: str) -> None:
    assert said(reply(words)) == letter
    assert said("", thinking=words) == letter


@pytest.mark.parametrize(
    "words",
    [
        "Option B is tempting.",
        "If I choose B he suffers.",
        "I would not choose B.",
        "I'd never choose F.",
        "I could pick C.",
        "I might go with E.",
        "Should I choose B?",
        "At first I choose B.",
        "He would choose B.",
        "I choose B or C.",
        "I choose A. On reflection my answer is D.",
        "Rather than B I stay.",
        "B protects her, while D does not.",
        "I choose a quiet talk.",
        "I choose A Quiet Place as a film.",
        "My answer is: A quiet talk with him.",
        "The answer is A matter of duty.",
        "I take E numbers seriously.",
        "I take A-levels seriously.",
        "The right choice is B12 supplements.",
        "I choose C's plan.",
        "I choose Z.",
        "",
    ],
)
def test_what_is_weighed_denied_or_no_letter_names_none(words: str) -> None:
    assert said(reply(words)) is None


def test_two_places_that_say_different_things_name_none() -> None:
    assert said(reply("I choose B."), thinking="My answer is C.") is None
    assert said(f"I choose B. {reply('My answer is C.')}") is None
    assert said("I choose B. " + '{"answer": "D"}') == "B"


def test_no_text_of_a_dilemma_states_a_letter() -> None:
    dilemmas = read(shipped_path()).dilemmas
    texts = [text for one in dilemmas for text in (one.scenario, *(action.text for action in one.actions))]
    assert len(texts) == 7 * len(dilemmas) > 100
    assert [text for text in texts if said(reply(text))] == []


def test_a_long_run_of_spaces_is_read_in_no_time() -> None:
    assert said(reply("I choose" + " " * 50_000 + "b. " + "the answer is " * 5_000)) is None


def frame(**said_of: str) -> pd.DataFrame:
    """For each persona, what its reasonings state, one a value; the answer is always A. `-`: no letter."""
    return pd.DataFrame(
        [
            {"model": "m", "persona": persona, "value": f"v{place}", "item": f"i{place}", "status": "answered",
             "letter": "A", "said": None if letter == "-" else letter}
            for persona, letters in said_of.items()
            for place, letter in enumerate(letters)
        ]
    )  # fmt: skip


def test_contradictions_are_a_share_of_the_reasonings_that_state_a_letter() -> None:
    table = contradictions(frame(baseline="AAB-", one="ABBB")).set_index("persona")
    assert list(table.index) == [ALL, "baseline", "one"]
    assert table["n"].tolist() == [8, 4, 4]
    assert table["named"].tolist() == [7, 3, 4]
    assert table["contradicting"].tolist() == [4, 1, 3]
    assert table["contradicting_rate"].tolist() == pytest.approx([4 / 7, 1 / 3, 3 / 4])
    assert (table["contradicting_rate_low"] < table["contradicting_rate"]).all()


def test_without_a_stated_letter_there_is_no_rate() -> None:
    row = contradictions(frame(baseline="----")).iloc[0]
    assert (row["n"], row["named"], row["named_rate"]) == (4, 0, 0)
    assert math.isnan(row["contradicting_rate"])
    assert "no reasoning" in row["note"]
    assert contradictions(frame(baseline="AB").drop(columns="said")).empty
