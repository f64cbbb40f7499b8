"""Reading replies: lenient about the wrapping, never about the answer."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilemmas.errors import SetupError
from dilemmas.protocols import PROTOCOLS, logprob, reasoned
from dilemmas.schema import Capabilities, Reply, Sampling, TokenProbability

ORDER = ("one", "two", "three", "four", "five", "six")
TEXTS = (
    "I tell her all of it.",
    "I tell her most of it, and leave out the names.",
    "I tell her a little.",
    "I say nothing about it tonight.",
    "I change the subject",
    "I deny that there is anything to tell.",
)


def read(text: str, **fields: str) -> tuple[str, str | None]:
    response = reasoned.read(Reply(text=text, finish_reason=fields.pop("finish", "stop"), **fields), ORDER, TEXTS)
    assert (response.status == "answered") == (response.code is not None)
    assert (response.status == "answered") == (response.reason == "")
    if response.letter:
        assert ORDER["ABCDEF".index(response.letter)] == response.code
    return response.status, response.letter


@pytest.mark.parametrize(
    "text",
    [
        '{"reasoning": "A is tempting, but no.", "answer": "B"}',
        '{"answer": "B", "reasoning": "x"}',
        '{"reasoning": "x", "answer": "b"}',
        '{"reasoning": "x", "answer": "B."}',
        '{"reasoning": "x", "answer": "(b)"}',
        '{"reasoning": "x", "answer": "[B]"}',
        '{"reasoning": "x", "answer": "**B**"}',
        '{"reasoning": "x", "answer": "Option B"}',
        '{"reasoning": "x", "answer": "The answer is B."}',
        '{"reasoning": "x", "answer": "B. I tell her most of it, and leave out the names."}',
        '{"reasoning": "x", "answer": "B) I tell her most of it"}',
        '{"reasoning": "x", "answer": "I tell her most of it, and leave out the names"}',
        '{"reasoning": "x", "answer": "i tell her most of it and leave out the NAMES."}',
        '{"reasoning": "line\nbreak", "answer": "B"}',
        '{"action": "B"}',
        '```json\n{"reasoning": "x", "answer": "B"}\n```',
        '```\n{"reasoning": "x", "answer": "B"}\n```\nThat is my choice.',
        'Let me think. {"reasoning": "x", "answer": "B"} I hope this helps!',
        '{"reasoning": "first", "answer": "B"} {"reasoning": "again", "answer": "B"}',
        '<think>A? or C? {"answer": "C"}</think>{"reasoning": "x", "answer": "B"}',
        "B",
        "B.",
        "(b)",
        " **B** ",
        "B: I tell her most of it, and leave out the names.",
        "I tell her most of it, and leave out the names.",
        "My answer is B.",
        "After weighing both sides, I choose B because it is kind.",
        "Answer: B",
        "Option B",
        "I cannot be sure, but my answer is B.",
        "A hard case. I choose B.",
        '{"answer": "B. A person must decide."}',
        '{"answer": "B", "answer": "B"}',
    ],
)
def test_wrapping_does_not_matter(text: str) -> None:
    assert read(text) == ("answered", "B")


@pytest.mark.parametrize(
    "text",
    [
        '{"reasoning": "x", "answer": "A or B"}',
        '{"reasoning": "x", "answer": "A, B"}',
        '{"reasoning": "x", "answer": "A/B"}',
        '{"reasoning": "x", "answer": "A and B"}',
        '{"answer": "A"} {"answer": "B"}',
        '{"answer": "A", "choice": "B"}',
        '{"reasoning": "x", "answer": "A. I tell her most of it, and leave out the names."}',
        "A. I tell her all of it.\nB. I tell her most of it, and leave out the names.",
        "I choose A. Then again, my answer is B.",
        '{"reasoning": "x", "answer": "G"}',
        '{"reasoning": "x", "answer": ""}',
        '{"reasoning": "x", "answer": 2}',
        '{"reasoning": "x", "answer": ["B"]}',
        '{"reasoning": "x"}',
        '{"reasoning": "x", "answer": "both"}',
        '{"reasoning": "A broken ob',
        '{"answer": "A. or rather B"}',
        '{"answer": "A - no, B"}',
        '{"answer": "B. Actually C"}',
        '{"answer": "A", "answer": "B"}',
        '{"answer": "B", "option": "the one above"}',
        "I would never pick option B.",
        "I'd pick A or maybe B",
        "The best choice: B) or C)",
        "My answer is B. C is tempting too.",
        "A person has to do what is right.",
        "I would act with care.",
        "",
        "   ",
        "{}",
        "{" * 5000,
        "[" * 5000 + '{"answer"',
    ],
)
def test_two_letters_or_none_are_unreadable(text: str) -> None:
    assert read(text) == ("unreadable", None)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't choose between these.",
        "As an AI, I do not have values.",
        "I cannot help with that.",
        "I'm sorry, but I cannot choose option A or B.",
        "I will not choose A.",
        '{"answer": "I refuse", "option": "A"}',
        '{"reasoning": "I won\'t pick one.", "answer": null}',
    ],
)
def test_a_refusal_is_a_refusal(text: str) -> None:
    assert read(text) == ("refused", None)


def test_a_refusing_tone_with_an_answer_is_an_answer() -> None:
    assert read('{"reasoning": "I cannot be sure.", "answer": "C"}') == ("answered", "C")


def test_the_servers_own_refusal_counts() -> None:
    assert read('{"answer": "B"}', refusal="not this one") == ("refused", None)
    assert read("", finish="content_filter") == ("refused", None)


def test_a_cut_off_reply_is_unreadable_and_says_so() -> None:
    reply = Reply(text='{"answer": "B"}', finish_reason="length")
    response = reasoned.read(reply, ORDER, TEXTS)
    assert response.status == "unreadable"
    assert "cut off" in response.reason
    endless = reasoned.read(Reply(text="<think>and so on. B", finish_reason="stop"), ORDER, TEXTS)
    assert endless.status == "unreadable"
    assert "cut off" in endless.reason


@given(st.text(max_size=300))
def test_reading_never_fails(text: str) -> None:
    read(text)


@given(st.text(max_size=200), st.sampled_from("ABCDEF"))
def test_any_reasoning_leaves_the_answer_as_it_is(reasoning: str, letter: str) -> None:
    assert read(json.dumps({"reasoning": reasoning, "answer": letter})) == ("answered", letter)


def tokens(**probabilities: float) -> Reply:
    return Reply(
        text="A",
        top_tokens=tuple(TokenProbability(token=t, logprob=math.log(p)) for t, p in probabilities.items()),
    )


def test_letters_are_renormalised_and_the_rest_is_recorded() -> None:
    response = logprob.read(tokens(A=0.4, B=0.2, C=0.1, D=0.05, E=0.03, F=0.02, the=0.2), ORDER, TEXTS)
    assert response.status == "answered"
    assert (response.code, response.letter) == ("one", "A")
    assert response.mass == pytest.approx(0.8)
    assert response.missing == ()
    assert response.probabilities is not None
    assert response.probabilities["one"] == pytest.approx(0.5)
    assert math.fsum(response.probabilities.values()) == pytest.approx(1)


def test_tokens_that_spell_the_same_letter_are_summed_and_missing_letters_named() -> None:
    reply = Reply(
        text="B",
        top_tokens=tuple(
            TokenProbability(token=t, logprob=math.log(p))
            for t, p in (("B", 0.3), (" B", 0.2), ("B\n", 0.1), ("C", 0.4), ("c", 0.1))
        ),
    )
    response = logprob.read(reply, ORDER, TEXTS)
    assert response.probabilities is not None
    assert response.probabilities["two"] == pytest.approx(0.6)
    assert response.missing == ("A", "D", "E", "F")


def test_probabilities_over_one_are_rounding_or_none_at_all() -> None:
    rounded = logprob.read(tokens(A=0.7, B=0.304), ORDER, TEXTS)
    assert (rounded.status, rounded.letter, rounded.mass) == ("answered", "A", 1.0)
    impossible = logprob.read(tokens(A=0.9, B=0.9), ORDER, TEXTS)
    assert (impossible.status, impossible.mass) == ("unreadable", None)


def test_no_letter_among_the_tokens_is_unreadable() -> None:
    response = logprob.read(tokens(the=0.6, I=0.4), ORDER, TEXTS)
    assert (response.status, response.mass) == ("unreadable", 0)
    assert logprob.read(Reply(text="A"), ORDER, TEXTS).status == "unreadable"


def test_every_protocol_says_how_it_imposes_a_form() -> None:
    able = Capabilities(top_logprobs=20, reply_schema="bounded")
    assert {name: way.mode(able) for name, way in PROTOCOLS.items()} == {"reasoned": "json_schema", "logprob": "top20"}
    assert reasoned.mode(Capabilities(reply_schema="plain")) == "json_schema_plain"
    assert reasoned.mode(Capabilities()) == "free"
    with pytest.raises(SetupError, match="no log-probabilities"):
        logprob.mode(Capabilities())


def test_top_k_is_left_out_where_the_server_refuses_it() -> None:
    assert reasoned.sampling(Sampling(), Capabilities(top_k=False)).top_k == 0
    assert reasoned.sampling(Sampling(), Capabilities()).top_k == 64
