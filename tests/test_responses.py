"""Answers handed in as a file: the two forms, the words, and where each mistake is said to be."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frames import random_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from dilemmas import responses, scores
from dilemmas.errors import InputError
from dilemmas.questions import INSTRUMENTS, SCALES
from dilemmas.responses import Responses

Row = Mapping[str, str]
Write = Callable[..., Path]
PLACE = {"model": "m", "persona": "baseline", "value": "Honest", "topic": "Religion", "item": "i-1"}
WIDE = {**PLACE, "v": "0.6", "a": "-0.2"}
OPTIONAL = ("code", "status", "vote", "letter", "mass", "request", "demonstration")
LONG = {**PLACE, "side": "stated", "score": "1"}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows as a file of answers."""

    def written(*rows: Row) -> Path:
        stream = io.StringIO()
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        path = tmp_path / "answers.csv"
        path.write_text(stream.getvalue(), encoding="utf-8")
        return path

    return written


def refused(path: Path, **chosen: int) -> InputError:
    with pytest.raises(InputError) as caught:
        responses.read(path, **chosen)  # type: ignore[arg-type]
    assert caught.value.fix
    assert str(path) in caught.value.where
    return caught.value


def by_side(found: Responses, column: str = "score") -> dict[str, object]:
    return dict(zip(found.frame["side"], found.frame[column], strict=True))


# Two forms


def test_a_row_of_two_scores_is_two_answers(write: Write) -> None:
    found = responses.read(write(WIDE))
    assert by_side(found) == {"stated": 0.6, "acted": -0.2}
    assert by_side(found, "vote") == {"stated": 1, "acted": -1}
    assert by_side(found, "question") == {"stated": "value", "acted": "action"}
    assert set(found.frame["status"]) == {"answered"}
    assert set(found.frame["category"]) == {"baseline"}
    assert set(found.frame["basic_value"]) == {"Benevolence"}
    assert set(found.frame["repeat"]) == {0}
    assert (found.name, found.from_words, found.notes) == ("answers.csv", False, ())


def test_both_forms_of_the_same_answers_are_the_same(write: Write) -> None:
    wide = responses.read(write(WIDE)).frame
    long = responses.read(write({**LONG, "score": "0.6"}, {**LONG, "side": "acted", "score": "-0.2"})).frame
    pd.testing.assert_frame_equal(wide, long)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_any_answers_come_back_as_they_were_written(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    rng = np.random.default_rng(seed)
    frame = random_frame(rng, ("baseline", "one, or two", 'the "third"'), values=2, per_value=2, missing=0.3)
    frame["persona"] = frame["persona"].replace("one, or two", "one,\nor two")
    path = tmp_path_factory.mktemp("any") / "answers.csv"
    columns = ["model", "persona", "category", "value", "topic", "item", "repeat", "side", "score"]
    frame.sample(frac=1, random_state=seed)[columns].to_csv(path, index=False)
    found = responses.read(path).frame
    expected = scores.per_dilemma(frame).drop(columns="basic_value")
    pd.testing.assert_frame_equal(scores.per_dilemma(found)[expected.columns], expected, check_dtype=False)


# Words


def test_words_score_as_the_options_of_a_run_do(write: Write) -> None:
    rows = []
    for name, one in INSTRUMENTS.items():
        rows += [{**PLACE, "item": f"{name}-{code}", "side": one.SIDE, "code": code} for code in one.CODES]
    for scale in ("even", "thirds"):
        found = responses.read(write(*rows), scale)  # type: ignore[arg-type]
        assert found.from_words
        for one in INSTRUMENTS.values():
            own = found.frame[found.frame["side"] == one.SIDE].set_index("code")["score"]
            assert own[list(one.CODES)].tolist() == list(SCALES[scale])  # type: ignore[index]


@pytest.mark.parametrize(
    ("scale", "stated", "acted"),
    [("even", [1, 1 / 3, -1 / 3, -1], [1, 1 / 3, -1 / 3, -1]), ("thirds", [1, 0.5, -0.5, -1], [1, 0.5, -0.5, -1])],
)
def test_four_points_are_spaced_as_six_are(write: Write, scale: str, stated: list[float], acted: list[float]) -> None:
    words = {
        "v": ["Strongly agree", "agree", "Disagree", "disagree-strongly"],
        "a": ["aligned-strong", "mild aligned", "opposed (mild)", "Strong, opposed"],
    }
    rows = [{**PLACE, "item": f"i-{n}", "v": v, "a": a} for n, (v, a) in enumerate(zip(*words.values(), strict=True))]
    found = responses.read(write(*rows), scale, points=4).frame  # type: ignore[arg-type]
    assert found[found["side"] == "stated"]["score"].tolist() == pytest.approx(stated)
    assert found[found["side"] == "acted"]["score"].tolist() == pytest.approx(acted)


def test_agree_is_the_milder_of_two_and_the_middle_of_three(write: Write) -> None:
    row = {**WIDE, "v": "agree", "a": "aligned"}
    assert by_side(responses.read(write(row), points=4)) == {"stated": pytest.approx(1 / 3), "acted": 1}
    assert by_side(responses.read(write(row))) == {"stated": pytest.approx(0.6), "acted": 1}


def test_a_score_goes_before_its_word(write: Write) -> None:
    found = responses.read(write({**LONG, "score": "0.37", "code": "agree", "mass": "0.99"}))
    assert (found.frame["score"].item(), found.frame["code"].item(), found.from_words) == (0.37, "agree", False)


# What is missing


@pytest.mark.parametrize("empty", ["", "NA", "nan", " "])
def test_an_empty_answer_is_missing_and_never_nought(write: Write, empty: str) -> None:
    row = responses.read(write({**WIDE, "v": empty})).frame.set_index("side").loc["stated"]
    assert row["status"] == "unreadable"
    assert row["reason"] == responses.MISSING
    assert math.isnan(row["score"])
    assert math.isnan(row["vote"])


def test_a_refusal_can_be_told_from_what_could_not_be_read(write: Write) -> None:
    found = responses.read(write({**LONG, "score": "", "status": "refused", "reason": "no"})).frame
    assert (found["status"].item(), found["reason"].item()) == ("refused", "no")


def test_personas_without_a_category_count_as_other_and_that_is_noted(write: Write) -> None:
    found = responses.read(write(WIDE, {**WIDE, "persona": "Norway"}))
    assert set(zip(found.frame["persona"], found.frame["category"], strict=True)) == {
        ("baseline", "baseline"),
        ("Norway", "other"),
    }
    assert ["category" in note for note in found.notes] == [True]


def test_other_values_and_topics_are_taken_and_noted(write: Write) -> None:
    found = responses.read(write({**WIDE, "value": "Honst", "topic": "Sport"}))
    assert set(found.frame["value"]) == {"Honst"}
    assert set(found.frame["basic_value"]) == {""}
    value, topic = found.notes
    assert '"Honst"' in value
    assert '"Honest"' in value
    assert '"Sport"' in topic


def test_a_models_caveat_stays_with_it(write: Write) -> None:
    rows = [{**LONG, "model": model, "caveat": caveat} for model, caveat in (("m", "made up"), ("n", ""))]
    assert responses.read(write(*rows)).caveats == {"m": "made up"}


def test_different_caveats_of_a_model_are_all_kept(write: Write) -> None:
    told = ("made up", "", "old", "made up", "")
    rows = [{**LONG, "repeat": str(place), "caveat": caveat} for place, caveat in enumerate(told)]
    found = responses.read(write(*rows))
    assert (found.caveats, found.demonstrations) == ({"m": "made up old"}, ())


def test_a_demonstration_is_marked_as_one(write: Write) -> None:
    rows = [{**LONG, "model": model, "demonstration": yes} for model, yes in (("m", "yes"), ("n", ""))]
    assert responses.read(write(*rows)).demonstrations == ("m",)


@pytest.mark.parametrize("score", ["0.6", "0.67"])
def test_a_score_beside_its_word_may_be_of_either_scale(write: Write, score: str) -> None:
    assert by_side(responses.read(write({**LONG, "score": score, "code": "agree"}))) == {"stated": float(score)}


# What is wrong, and where


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"v": "1.2"}, "v"),
        ({"a": "-1.0001"}, "a"),
        ({"v": "inf"}, "v"),
        ({"v": "3"}, "v"),
        ({"v": "yes"}, "v"),
        ({"a": "agree"}, "a"),
        ({"v": "aligned"}, "v"),
        ({"repeat": "-1"}, "repeat"),
        ({"repeat": "1.5"}, "repeat"),
        ({"repeat": ""}, "repeat"),
        ({"model": ""}, "model"),
        ({"persona": "(all)"}, "persona"),
        ({"item": "i\x00"}, "item"),
        ({"category": "kind"}, "category"),
        ({"category": "max"}, "category"),
        ({"value": "Wealth"}, "value"),
        ({"topic": "Environment"}, "topic"),
        ({"repeat": "0"}, "item"),
        ({"persona": "again"}, "persona"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(write: Write, change: Row, column: str) -> None:
    first = {**WIDE, "repeat": "0", "category": "baseline"}
    error = refused(write(first, {**first, "repeat": "1", **change}))
    assert error.where.endswith(f"line 3, column {column}")


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"side": "said"}, "side"),
        ({"side": ""}, "side"),
        ({"score": "2"}, "score"),
        ({"score": "high"}, "score"),
        ({"status": "lost"}, "status"),
        ({"status": "refused"}, "status"),
        ({"status": "answered", "score": ""}, "status"),
        ({"vote": "2"}, "vote"),
        ({"letter": "AB"}, "letter"),
        ({"mass": "1.5"}, "mass"),
        ({"request": "x"}, "request"),
        ({"score": "0.5", "code": "agree"}, "score"),
        ({"score": "-0.6", "code": "agree"}, "score"),
        ({"score": "\uff11"}, "score"),
        ({"score": "1_0"}, "score"),
        ({"score": "", "code": "agree 100 %"}, "code"),
        ({"vote": "-1"}, "vote"),
        ({"vote": "0"}, "vote"),
        ({"demonstration": "perhaps"}, "demonstration"),
    ],
)
def test_a_wrong_cell_of_the_long_form_is_named_too(write: Write, change: Row, column: str) -> None:
    first = {**LONG, "repeat": "0", **dict.fromkeys(OPTIONAL, "")}
    error = refused(write(first, {**first, "repeat": "1", **change}))
    assert error.where.endswith(f"line 3, column {column}")


def test_an_answer_given_twice_names_both_lines(write: Write) -> None:
    error = refused(write(LONG, {**LONG, "item": "i-2"}, {**LONG, "score": "-1"}))
    assert error.where.endswith("line 4, column item")
    assert "line 2" in error.what


def test_lines_are_those_of_the_file_also_where_a_cell_spans_two(write: Write) -> None:
    error = refused(write({**LONG, "item": "two\nlines"}, {**LONG, "score": "9"}))
    assert "line 4" in error.where


def test_an_unknown_column_gets_the_nearest_name(write: Write) -> None:
    error = refused(write({**WIDE, "repeats": "0"}))
    assert error.where.endswith("line 1, column repeats")
    assert '"repeat"' in error.fix


@pytest.mark.parametrize("missing", ["model", "persona", "value", "topic", "item", "v", "a"])
def test_a_missing_column_is_named(write: Write, missing: str) -> None:
    error = refused(write({name: cell for name, cell in WIDE.items() if name != missing}))
    assert missing in error.what.split()


def test_the_long_form_needs_a_score_or_a_word(write: Write) -> None:
    assert "score" in refused(write({name: cell for name, cell in LONG.items() if name != "score"})).what


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no row"),
        ("model,persona\n", "no row"),
        ("model;persona\na;b\n", "model;persona"),
        ("model,model\na,b\n", "two columns"),
        ("model,persona\na\n", "1 cells"),
        ('model,persona\n"a,b\n', "CSV"),
    ],
)
def test_a_file_that_is_no_table_says_so(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(text, encoding="utf-8")
    assert told in str(refused(path))


def test_a_file_that_is_not_there_or_not_text_says_so(tmp_path: Path) -> None:
    refused(tmp_path / "none.csv")
    path = tmp_path / "latin.csv"
    path.write_bytes(b"model\n\xe9\n")
    assert "line 2" in refused(path).where
