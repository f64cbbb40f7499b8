"""Scores: the settled definitions, checked by hand, by brute force and against scikit-learn."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Sequence
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import EVEN, Score, Sides, answer_frame, one_persona, random_frame
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn import metrics

from dilemmas import scores
from dilemmas.errors import InputError
from dilemmas.questions import SCALES
from dilemmas.schema import Response
from dilemmas.significance import effects, levels
from dilemmas.store import FILE, Store

GOLDEN = json.loads((Path(__file__).parent / "golden" / "value_action.json").read_text(encoding="utf-8"))[
    "value_action"
]
THIRDS = SCALES["thirds"]
MEASURES = [
    "f1_agree", "f1_disagree", "f1_macro", "accuracy", "kappa", "mcc", "p_agree", "p_aligned", "f1_chance",
    "f1_always_aligned", "f1_always_agree",
]  # fmt: skip
few = settings(deadline=None, max_examples=10)
many = settings(deadline=None, max_examples=100)


def scored(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = scores.per_dilemma(frame)
    return table, scores.per_persona(table, frame)


def by_persona(frame: pd.DataFrame) -> pd.DataFrame:
    return scored(frame)[1].set_index("persona").select_dtypes("number")


# The worked example


@pytest.mark.parametrize("scale", ["even", "thirds"])
def test_the_worked_example_is_reproduced(scale: str) -> None:
    points = SCALES[scale]
    key = {"even": "equal", "thirds": "thirds"}[scale]
    assert points == pytest.approx(GOLDEN[f"scale_{key}"])
    sides = [
        ([points[code - 1] for code in stated], [points[code - 1] for code in acted])
        for stated, acted in zip(GOLDEN["value_codes"], GOLDEN["action_codes"], strict=True)
    ]
    table, personas = scored(one_persona(*sides))
    assert table["ad"].tolist() == pytest.approx(GOLDEN[f"AD_{key}_per_dilemma"])
    assert (table["sign_v"] > 0).tolist() == [bool(one) for one in GOLDEN["majority_value_positive"]]
    assert (table["sign_a"] > 0).tolist() == [bool(one) for one in GOLDEN["majority_action_positive"]]
    row = personas.iloc[0]
    assert pytest.approx(GOLDEN[f"AD_{key}"]) == row["AD"]
    assert row["accuracy"] == pytest.approx(GOLDEN["accuracy"])
    assert row["AR"] == row["f1_agree"] == pytest.approx(GOLDEN["f1_agree_aligned"])
    assert row["f1_disagree"] == pytest.approx(GOLDEN["f1_disagree_opposed"])
    assert row["f1_macro"] == pytest.approx(GOLDEN["f1_macro"])
    assert row["kappa"] == pytest.approx(GOLDEN["kappa"], abs=1e-9)
    assert (row["n"], row["n_ar"], row["undecided"]) == (6, 6, 0)


def test_the_distance_is_between_means_and_not_the_mean_over_pairs_of_repeats() -> None:
    sides = [
        ([EVEN[code - 1] for code in stated], [EVEN[code - 1] for code in acted])
        for stated, acted in zip(GOLDEN["value_codes"], GOLDEN["action_codes"], strict=True)
    ]
    over_pairs = np.mean([np.mean([abs(x - y) for x, y in product(v, a)]) for v, a in sides])
    assert over_pairs == pytest.approx(GOLDEN["AD_equal_all_repeat_pairs"])
    assert scored(one_persona(*sides))[1]["AD"].item() == pytest.approx(GOLDEN["AD_equal"]) != over_pairs


def test_a_tie_with_a_mean_of_zero_is_undecided_left_out_and_counted() -> None:
    tie = [EVEN[code - 1] for code in GOLDEN["tie_example"]["two_valid_repeats"]]
    table, personas = scored(one_persona(([*tie, None], [1, 1, 1]), ([1, 1, 1], [0.2, 0.2, 0.2])))
    assert table["v"][0] == GOLDEN["tie_example"]["equal_mean"]
    assert table["sign_v"].tolist() == [0, 1]
    row = personas.iloc[0]
    assert (row["n"], row["n_ar"], row["undecided"], row["AR"], row["p_agree"]) == (2, 1, 1, 1, 1)


def test_distance_lies_between_nought_and_two() -> None:
    table, personas = scored(one_persona(([1, 1, 1], [-1, -1, -1]), ([0.6, 0.6, 0.6], [0.6, 0.6, 0.6])))
    assert table["ad"].tolist() == [GOLDEN["max_AD"], 0]
    assert personas["AD"].item() == 1


# Signs


@pytest.mark.parametrize(
    ("repeats", "sign"),
    [
        ([0.2], 1),
        ([-1], -1),
        ([None, None, -0.2], -1),
        ([0.2, 0.2], 1),
        ([0.6, -0.2], 1),
        ([0.2, -1], -1),
        ([0.2, -0.2], 0),
        ([None, 1, -1], 0),
        ([0.2, 0.2, -1], 1),
        ([-0.2, -0.2, 1], -1),
        ([0.2, 0.2, 0.2, -1], 1),
        ([1, 0.2, -0.2, -0.2], 1),
        ([1, 0.2, -0.6, -0.6], 0),
        ([0.2, 0.6, -0.2, -1], -1),
        ([0.2, 0.6, None, -0.2, -0.6], 0),
        ([1, 1 / 3, -2 / 3, -2 / 3], 0),
        ([1, 1 / 3, 1 / 3, -1, -1 / 3, -1 / 3], 0),
        ([0.6, 0.6, 0.2, -0.2, -0.2, -1], 0),
        ([None, None], math.nan),
    ],
)
def test_the_majority_decides_then_the_mean(repeats: Sequence[Score], sign: float) -> None:
    table = scores.per_dilemma(one_persona((repeats, [1]), ([1], repeats)))
    assert table["sign_v"][0] == pytest.approx(sign, nan_ok=True)
    assert table["sign_a"][1] == pytest.approx(sign, nan_ok=True)
    mirrored = [None if score is None else -score for score in repeats]
    assert scores.per_dilemma(one_persona((mirrored, [1])))["sign_v"].item() == pytest.approx(-sign, nan_ok=True)


def test_a_side_with_no_answer_has_no_sign_and_no_distance() -> None:
    table, personas = scored(one_persona(([None, None, None], [1, 1, 0.6]), ([1, 1, 1], [1, 1, 1])))
    first = table.iloc[0]
    for name in ("v", "ad", "gap", "sq_gap", "sign_v", "sd_v", "floor"):
        assert math.isnan(first[name]), name
    assert (first["n_v"], first["r_v"], first["n_a"], first["r_a"]) == (0, 3, 3, 3)
    row = personas.iloc[0]
    assert (row["items"], row["n"], row["n_ar"], row["AD"], row["AR"], row["undecided"]) == (2, 1, 1, 0, 1, 0)


def test_a_condition_without_answers_has_n_nought_and_nan_never_nought() -> None:
    frame = one_persona(([None, None, None], [None, None, None]), ([None, None, None], [None, None, None]))
    _, personas = scored(frame)
    row = personas.iloc[0]
    assert (row["items"], row["n"], row["n_ar"], row["undecided"]) == (2, 0, 0, 0)
    assert (row["answered"], row["refused"], row["refused_rate"], row["unreadable_rate"]) == (0, 12, 1, 0)
    for name in ("AD", "AR", "floor", "sq_gap", "gap", "sd_v", "sd_a", *MEASURES):
        assert math.isnan(row[name]), name
    assert (row["AD_low"], row["AD_high"], row["AR_low"], row["AR_high"]) == (0, 2, 0, 1)
    category = scores.per_category(personas).iloc[0]
    assert (category["n"], category["personas"]) == (0, 1)
    assert math.isnan(category["AD"])
    assert math.isnan(category["AR"])


def test_missing_repeats_are_left_out_of_means_and_never_count_as_nought() -> None:
    table = scores.per_dilemma(one_persona(([1, None, 0.6], [None, -0.2, -0.6])))
    row = table.iloc[0]
    assert (row["v"], row["a"], row["n_v"], row["n_a"]) == (0.8, -0.4, 2, 2)
    assert (row["ad"], row["gap"]) == pytest.approx((1.2, -1.2))
    assert row["sd_v"] == pytest.approx(0.4 / math.sqrt(2))


def test_rates_are_among_replies_and_open_trials_stand_apart() -> None:
    frame = one_persona(([1, None, 1], [1, 1, 1]))
    frame.loc[2, ["status", "score", "vote"]] = ["unreadable", math.nan, math.nan]
    frame.loc[5, ["status", "score", "vote"]] = ["open", math.nan, math.nan]
    row = scored(frame)[1].iloc[0]
    assert (row["answered"], row["refused"], row["unreadable"], row["open"]) == (3, 1, 1, 1)
    assert (row["refused_rate"], row["unreadable_rate"]) == pytest.approx((1 / 5, 1 / 5))
    frame.loc[:, "status"] = "open"
    assert math.isnan(scores.status_counts(frame)["refused_rate"].item())


# Measures of agreement


def signs(v: Sequence[int], a: Sequence[int]) -> dict[str, float]:
    return scores.agreement(np.array(v, float), np.array(a, float))


@many
@given(st.lists(st.tuples(st.sampled_from([-1, 1]), st.sampled_from([-1, 1])), min_size=1, max_size=30))
def test_measures_equal_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    v, a = (list(side) for side in zip(*pairs, strict=True))
    found = signs(v, a)
    assert found["n_ar"] == len(pairs)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(v, a))
    f1, f0 = (
        metrics.f1_score(v, a, pos_label=label, average="binary", zero_division=np.nan)
        if label in v + a
        else math.nan  # no such sign on either side: undefined, not 0
        for label in (1, -1)
    )
    assert (found["f1_agree"], found["f1_disagree"]) == pytest.approx((f1, f0), nan_ok=True)
    assert found["f1_macro"] == pytest.approx((f1 + f0) / 2, nan_ok=True)
    if len({*v, *a}) == 2:
        assert found["kappa"] == pytest.approx(metrics.cohen_kappa_score(v, a, labels=[-1, 1]))
    else:
        assert math.isnan(found["kappa"])
    if len(set(v)) == len(set(a)) == 2:
        assert found["mcc"] == pytest.approx(metrics.matthews_corrcoef(v, a))
    else:
        assert math.isnan(found["mcc"])
    assert found["p_agree"] == pytest.approx(v.count(1) / len(v))
    assert found["p_aligned"] == pytest.approx(a.count(1) / len(a))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.sampled_from([-1, 1]), st.sampled_from([-1, 1])), min_size=2, max_size=6))
def test_chance_f1_is_the_mean_f1_over_all_pairings_of_the_same_signs(pairs: list[tuple[int, int]]) -> None:
    v, a = (list(side) for side in zip(*pairs, strict=True))
    found = signs(v, a)
    assume(1 in v + a)
    shuffled = [signs(v, other)["f1_agree"] for other in permutations(a)]
    assert found["f1_chance"] == pytest.approx(np.mean(shuffled))


@many
@given(st.lists(st.tuples(st.sampled_from([-1, 1]), st.sampled_from([-1, 1])), min_size=1, max_size=30))
def test_reference_lines_are_the_f1_of_one_side_made_constant(pairs: list[tuple[int, int]]) -> None:
    v, a = (list(side) for side in zip(*pairs, strict=True))
    found, always = signs(v, a), [1] * len(pairs)
    assert found["f1_always_aligned"] == pytest.approx(metrics.f1_score(v, always, zero_division=0))
    assert found["f1_always_agree"] == pytest.approx(metrics.f1_score(always, a, zero_division=0))


def test_reference_lines_by_hand() -> None:
    # Three of four agree: had it acted aligned throughout, TP 3 and FP 1. Two are aligned: agreeing, TP 2 and FN 2.
    found = signs([1, 1, 1, -1], [1, 1, -1, -1])
    assert found["f1_always_aligned"] == pytest.approx(6 / 7)
    assert found["f1_always_agree"] == pytest.approx(4 / 6)


# P(agree), F1, chance F1, kappa and MCC that a simulated study gave for one coupling
COUPLING = [
    (0.50, 0.704, 0.479, 0.433, 0.434),
    (0.71, 0.790, 0.650, 0.399, 0.413),
    (0.87, 0.861, 0.790, 0.338, 0.373),
    (0.95, 0.913, 0.887, 0.236, 0.297),
]


@pytest.mark.parametrize(("p", "f1", "chance", "kappa", "mcc"), COUPLING)
def test_the_same_coupling_gives_more_f1_and_less_kappa_as_agreement_rises(
    p: float, f1: float, chance: float, kappa: float, mcc: float
) -> None:
    rng = np.random.default_rng(3)
    shift = norm.ppf(p)
    latent = rng.multivariate_normal([shift, 0.645 * shift - 0.1], [[1, 0.63], [0.63, 1]], size=200_000)
    found = scores.agreement(*np.sign(latent).T)
    assert found["p_agree"] == pytest.approx(p, abs=0.005)
    assert found["f1_agree"] == pytest.approx(f1, abs=0.006)
    assert found["f1_chance"] == pytest.approx(chance, abs=0.006)
    assert found["kappa"] == pytest.approx(kappa, abs=0.015)
    assert found["mcc"] == pytest.approx(mcc, abs=0.015)


def test_undecided_and_missing_signs_stay_out_of_every_measure() -> None:
    found = scores.agreement(
        np.array([1, 1, -1, 0, 1, 0, math.nan, math.nan]), np.array([1, -1, -1, 1, 0, 0, 1, math.nan])
    )
    assert (found["n_ar"], found["undecided"]) == (3, 3)
    assert found["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("sign", "defined", "undefined"), [(1, "f1_agree", "f1_disagree"), (-1, "f1_disagree", "f1_agree")]
)
def test_a_measure_without_a_denominator_is_nan(sign: int, defined: str, undefined: str) -> None:
    found = signs([sign] * 5, [sign] * 5)
    assert (found[defined], found["accuracy"]) == (1, 1)
    for name in (undefined, "f1_macro", "kappa", "mcc"):
        assert math.isnan(found[name]), name


def test_mcc_does_not_overflow_in_a_large_run() -> None:
    v, a = np.tile([1.0, 1, -1, -1], 100_000), np.tile([1.0, -1, 1, -1], 100_000)
    assert scores.agreement(v, a)["mcc"] == 0
    assert scores.agreement(v, v)["mcc"] == 1


# The noise floor, the unbiased gap


def test_noise_floor_by_hand() -> None:
    # Residuals .2, -.2 and 0, two of them to one side: distances 0, .3 and .3, times sqrt(2 / 1).
    assert scores.noise_floor(np.array([0.2, -0.2]), np.array([0.6])) == pytest.approx(0.2 * math.sqrt(2))
    # Residuals .4, -.2, -.2 and three zeros; of the twenty deals ten are mirrors of the others.
    found = scores.noise_floor(np.array([1, 0.4, 0.4]), np.array([-0.2, -0.2, -0.2]))
    residuals = [0.4, -0.2, -0.2, 0, 0, 0]
    dealt = [abs(2 * sum(one) / 3) for one in combinations(residuals, 3)]
    assert found == pytest.approx(math.sqrt(5 / 4) * sum(dealt) / 20)
    table = scores.per_dilemma(one_persona(([1, 0.4, 0.4], [-0.2, -0.2, -0.2])))
    assert table["floor"].item() == pytest.approx(found)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (0, 3), (3, 0), (0, 0)])
def test_noise_floor_needs_three_answers_and_both_sides(n: int, m: int) -> None:
    assert math.isnan(scores.noise_floor(np.linspace(0, 1, n), np.linspace(0, 1, m)))


def test_noise_floor_knows_nothing_of_the_gap_and_vanishes_without_noise() -> None:
    v, a = np.array([1, 0.6, -0.2]), np.array([0.2, 0.2, -0.6])
    assert scores.noise_floor(v, a) == pytest.approx(scores.noise_floor(v - 0.7, a + 0.3))
    assert scores.noise_floor(v, a) == pytest.approx(scores.noise_floor(a, v))
    assert scores.noise_floor(np.full(3, 1.0), np.full(3, -1.0)) == 0


# With few answers a dealt distance is less spread out at the same variance, so that its mean is a few percent lower.
@pytest.mark.parametrize(("repeats", "least"), [(6, 0.97), (3, 0.93)])
def test_noise_floor_is_the_distance_of_data_without_a_gap(repeats: int, least: float) -> None:
    rng = np.random.default_rng(11)
    items = 3000
    v, a = rng.normal(size=(2, items, repeats)) + rng.normal(size=(items, 1))
    distance = np.abs(v.mean(axis=1) - a.mean(axis=1))
    floors = [scores.noise_floor(*pair) for pair in zip(v, a, strict=True)]
    error = (distance - floors).std() / math.sqrt(items) / distance.mean()
    assert least - 3 * error < np.mean(floors) / distance.mean() < 1 + 3 * error


def test_many_repeats_use_a_fixed_sample_of_deals() -> None:
    rng = np.random.default_rng(4)
    v, a = rng.choice(EVEN, size=(2, 7))
    residuals = np.concatenate([v - v.mean(), a - a.mean()])
    dealt = [abs(2 * residuals[list(one)].sum() / 7) for one in combinations(range(14), 7)]
    exact = math.sqrt(13 / 12) * np.mean(dealt)
    assert scores.noise_floor(v, a) == scores.noise_floor(v, a) == pytest.approx(exact, rel=0.1)


def test_squared_gap_by_hand() -> None:
    # Differences .8, .4, .4: products over r != s are .32, .32, .16, each twice.
    table = scores.per_dilemma(one_persona(([1, 0.6, 0.2], [0.2, 0.2, -0.2]), ([1, None, 0.2], [0.2, 0.2, None])))
    assert table["sq_gap"][0] == pytest.approx(1.6 / 6)
    assert math.isnan(table["sq_gap"][1])


@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_squared_gap_is_unbiased_where_the_plain_one_is_not(gap: float) -> None:
    rng = np.random.default_rng(7)
    items = 300
    stated = rng.normal(0, 0.3, (items, 3)) + gap
    acted = rng.normal(0, 0.3, (items, 3))
    table = scores.per_dilemma(one_persona(*zip(stated.tolist(), acted.tolist(), strict=True)))
    error = table["sq_gap"].std() / math.sqrt(items)
    assert abs(table["sq_gap"].mean() - gap**2) < 3 * error
    assert (table["ad"] ** 2).mean() - gap**2 > 3 * error


def test_the_gap_is_signed_acted_less_stated() -> None:
    table, personas = scored(one_persona(([1, 1, 1], [0.2, 0.2, 0.2]), ([-1, -1, -1], [-0.6, -0.6, -0.6])))
    assert table["gap"].tolist() == pytest.approx([-0.8, 0.4])
    assert personas["gap"].item() == pytest.approx(-0.2)
    assert personas["AD"].item() == pytest.approx(0.6)


# Worst-case bounds


def plain_sign(repeats: Sequence[float]) -> int:
    """The rule in other words: more of one sign wins, else the sum does, else nobody."""
    lead = sum(1 if score > 0 else -1 for score in repeats)
    total = round(sum(repeats), 6)
    return (lead > 0) - (lead < 0) or (total > 0) - (total < 0)


def plain_f1(pairs: Sequence[tuple[int, int]]) -> float:
    tp = sum(pair == (1, 1) for pair in pairs)
    apart = sum(pair in ((1, -1), (-1, 1)) for pair in pairs)
    return 2 * tp / (2 * tp + apart) if tp + apart else math.nan


def completions(repeats: Sequence[Score], scale: Sequence[float]) -> list[list[float]]:
    return [list(one) for one in product(*[scale if score is None else [score] for score in repeats])]


@st.composite
def gappy(draw: st.DrawFn) -> tuple[Sequence[float], list[Sides]]:
    scale = draw(st.sampled_from([EVEN, THIRDS]))
    repeats = draw(st.integers(1, 4))
    side = st.lists(st.sampled_from([None, *scale]), min_size=repeats, max_size=repeats)
    sides = draw(st.lists(st.tuples(side, side), min_size=1, max_size=3))
    assume(sum(side.count(None) for pair in sides for side in pair) <= 4)
    return scale, sides


@settings(deadline=None, max_examples=120)
@given(gappy())
def test_bounds_hold_for_every_completion_and_are_reached(case: tuple[Sequence[float], list[Sides]]) -> None:
    scale, sides = case
    row = scored(one_persona(*sides))[1].iloc[0]
    outcomes = []
    for v, a in sides:
        full = list(product(completions(v, scale), completions(a, scale)))
        outcomes.append(
            {(round(abs(sum(x) / len(x) - sum(y) / len(y)), 9), (plain_sign(x), plain_sign(y))) for x, y in full}
        )
    distances = [[ad for ad, _ in outcome] for outcome in outcomes]
    assert row["AD_high"] == pytest.approx(np.mean([max(one) for one in distances]))
    lowest = np.mean([min(one) for one in distances])
    if scale is EVEN:
        assert row["AD_low"] == pytest.approx(lowest, abs=1e-9)
    assert row["AD_low"] <= lowest + 1e-9  # thirds have no nought, so that the last step may be missing
    found = [plain_f1(pairs) for pairs in product(*[{pair for _, pair in outcome} for outcome in outcomes])]
    defined = [one for one in found if not math.isnan(one)]
    expected = (min(defined), max(defined)) if defined else (math.nan, math.nan)
    assert (row["AR_low"], row["AR_high"]) == pytest.approx(expected, nan_ok=True)


def test_a_missing_repeat_that_could_leave_a_dilemma_undecided_widens_the_bounds() -> None:
    # Stated: 1 and one missing, at worst undecided. Then only the second dilemma counts, and it disagrees.
    row = scored(one_persona(([1, None], [1, 1]), ([1, 1], [-1, -1])))[1].iloc[0]
    assert pytest.approx(2 / 3) == row["AR"]
    assert row["AR_low"] == 0


def test_bounds_are_those_of_the_completions_that_define_the_rate() -> None:
    # One dilemma that agrees or is undecided, and one that is apart or twice negative.
    assert scored(one_persona(([1, None], [1, 1])))[1][["AR_low", "AR_high"]].to_numpy().tolist() == [[1, 1]]
    assert scored(one_persona(([None], [-1])))[1][["AR_low", "AR_high"]].to_numpy().tolist() == [[0, 0]]
    assert scored(one_persona(([-1], [-1])))[1][["AR_low", "AR_high"]].isna().all(axis=None)


@few
@given(st.integers(0, 10**6))
def test_bounds_close_where_nothing_is_missing(seed: int) -> None:
    row = scored(random_frame(np.random.default_rng(seed), ("baseline",)))[1].iloc[0]
    assert (row["AD_low"], row["AD_high"]) == pytest.approx((row["AD"], row["AD"]))
    assert (row["AR_low"], row["AR_high"]) == pytest.approx((row["AR"], row["AR"]), nan_ok=True)


# Probabilities


def probable(**chances: float) -> Response:
    return Response(status="answered", code=max(chances, key=chances.__getitem__), probabilities=chances)


SCORE_OF = {"a": 1.0, "b": 0.6, "c": 0.2, "d": -0.2, "e": -0.6, "f": -1.0}


@pytest.mark.parametrize(
    ("response", "score", "vote"),
    [
        (probable(a=0.5, c=0.3, f=0.2), 0.36, 1),
        (probable(c=0.51, f=0.49), -0.388, 1),
        (probable(a=0.4, d=0.3, e=0.3), 0.16, -1),
        (probable(a=0.5, f=0.5), 0, 0),
        (probable(a=0.5, d=0.5), 0.4, 0),
        (Response(status="answered", code="b"), 0.6, 1),
        (Response(status="answered", code="d"), -0.2, -1),
        (Response(status="refused", reason="x"), math.nan, math.nan),
        (Response(status="unreadable", reason="x"), math.nan, math.nan),
    ],
)
def test_scores_are_expectations_and_votes_follow_the_likelier_side(
    response: Response, score: float, vote: float
) -> None:
    assert scores.score_and_vote(response, SCORE_OF) == pytest.approx((score, vote), nan_ok=True)


def test_the_vote_and_not_the_expectation_gives_the_majority() -> None:
    frame = one_persona(([1, 1, 1], [1, 1, 1]))
    frame.loc[frame["side"] == "acted", ["score", "vote"]] = [-0.388, 1.0]
    row = scored(frame)[0].iloc[0]
    assert row["a"] == pytest.approx(-0.388)
    assert row["sign_a"] == 1
    frame.loc[frame["side"] == "acted", "vote"] = 0.0
    assert scored(frame)[0]["sign_a"].item() == -1


# Categories


def test_a_categorys_rate_is_the_mean_over_its_personas_and_not_pooled() -> None:
    yes, no = [1, 1, 1], [-1, -1, -1]
    frame = answer_frame(
        {
            "p": {"v-1": (yes, yes), "v-2": (yes, yes), "v-3": (no, no)},
            "q": {"v-1": (yes, no), "v-2": (no, yes), "v-3": (yes, yes)},
        },
        {"p": "max", "q": "max"},
    )
    _, personas = scored(frame)
    row = scores.per_category(personas).iloc[0]
    assert personas["AR"].tolist() == [1, 0.5]
    assert row["AR"] == 0.75  # pooled it would be 2 * 3 / (2 * 3 + 2)
    assert pytest.approx((0 + 4 / 3) / 2) == row["AD"]
    assert (row["personas"], row["items"], row["n"], row["answered"]) == (2, 6, 6, 36)


def test_a_persona_without_a_measure_does_not_vanish_from_its_category() -> None:
    frame = answer_frame(
        {"p": {"v-1": ([1], [1])}, "q": {"v-1": ([None], [None])}, "baseline": {"v-1": ([1], [1])}},
        {"p": "max", "q": "max"},
    )
    table = scores.per_category(scored(frame)[1]).set_index("category")
    assert math.isnan(table["AR"]["max"])
    assert math.isnan(table["AD"]["max"])
    assert table["AD"]["baseline"] == 0
    assert list(table.index) == ["baseline", "max"]


def test_a_pooled_category_counts_all_dilemmas_of_its_personas_together() -> None:
    yes, no, open_ = [1, 1, 1], [-1, -1, -1], [None, None, None]
    frame = answer_frame(
        {
            "p": {"v-1": (yes, yes), "v-2": (yes, yes), "v-3": (yes, no)},
            "q": {"v-1": (yes, no), "v-2": (yes, no), "v-3": (open_, no)},
            "baseline": {"v-1": (yes, yes), "v-2": (yes, yes), "v-3": (yes, yes)},
        },
        {"p": "max", "q": "max"},
    )
    table, personas = scored(frame)
    found = scores.pooled(table, frame)
    assert list(found.columns) == list(scores.per_category(personas).columns)
    assert found["category"].tolist() == ["baseline", "max"]
    row = found.iloc[1]
    assert (row["personas"], row["items"], row["n"], row["n_ar"]) == (2, 6, 5, 5)
    assert pytest.approx(6 / 5) == row["AD"]  # the mean of 2 / 3 and 2 would be 4 / 3
    assert pytest.approx(2 * 2 / (2 * 2 + 3)) == row["AR"]  # the mean of .8 and 0 would be .4
    assert row["refused_rate"] == pytest.approx(3 / 36)


def test_a_repeat_that_stands_twice_is_refused_and_named() -> None:
    frame = one_persona(([1, 1], [1, 1]))
    frame.loc[1, "repeat"] = 0
    with pytest.raises(InputError) as caught:
        scores.per_dilemma(frame)
    assert "v-0, stated, repeat 0" in caught.value.where


def test_repeats_need_not_be_numbered_alike_nor_as_many_on_both_sides() -> None:
    frame = one_persona(([1, 0.6, 0.2], [0.2, 0.2, -0.2]))
    odd = frame.drop(index=[0]).assign(repeat=lambda rows: rows["repeat"] * 1000 + 7)
    row = scores.per_dilemma(odd).iloc[0]
    assert (row["r_v"], row["r_a"], row["n_v"], row["n_a"]) == (2, 3, 2, 3)
    assert row["v"] == pytest.approx(0.4)
    assert row["sq_gap"] == pytest.approx(0.4 * 0.4)  # repeats 1 and 2 stand on both sides


# How much scores vary

# Shrout and Fleiss (1979), doi:10.1037/0033-2909.86.2.420: six targets, four judges; mean squares between targets
# 11.24 and within 6.26, ICC(1,1) = .17.
TARGETS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_icc_is_that_of_the_published_example() -> None:
    x, groups = np.array(TARGETS, float).ravel(), np.repeat(np.arange(6), 4)
    assert scores.icc(x, groups) == pytest.approx((11.24 - 6.26) / (11.24 + 3 * 6.26), abs=5e-4)


def test_icc_of_unequal_groups_by_hand() -> None:
    # Means 2, 5; squares within 2 + 2 (3 degrees of freedom), between 3 * (2 - 3.2)^2 + 2 * (5 - 3.2)^2 = 10.8; n0 2.4.
    between, within, each = 10.8, 4 / 3, 5 - 13 / 5
    expected = (between - within) / (between + (each - 1) * within)
    assert scores.icc(np.array([1.0, 2, 3, 4, 6]), list("aaabb")) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("x", "groups"), [([], ""), ([1], "a"), ([1, 2], "aa"), ([1, 2], "ab"), ([1, 1, 1, 1], "aabb")]
)
def test_icc_is_missing_where_it_has_no_meaning(x: list[float], groups: str) -> None:
    assert math.isnan(scores.icc(np.array(x, float), list(groups)))


@few
@given(st.integers(0, 10**6), st.floats(-5, 5), st.floats(0.1, 10))
def test_icc_knows_nothing_of_order_names_place_and_unit(seed: int, shift: float, unit: float) -> None:
    rng = np.random.default_rng(seed)
    x, groups = rng.normal(size=20), rng.integers(0, 4, size=20)
    order = rng.permutation(20)
    assert scores.icc(shift + unit * x[order], [f"g{9 - one}" for one in groups[order]]) == pytest.approx(
        scores.icc(x, groups)
    )


def test_variation_by_hand() -> None:
    steady, noisy = [1.0, 1.0], [1.0, 0.6]
    frame = answer_frame(
        {
            "baseline": {"v-1": (steady, [0.6, 0.6]), "v-2": (noisy, [0.6, 0.2]), "w-1": (steady, [-1, -1])},
            "one": {"v-1": (steady, steady), "v-2": (steady, steady), "w-1": (steady, [None, None])},
            "two": {"v-1": (steady, [-1, -1]), "v-2": (steady, steady), "w-1": (steady, steady)},
        },
        {"one": "max", "two": "max"},
    )
    found = scores.variation(scores.per_dilemma(frame)).set_index("name")
    baseline, one, both = found.loc["baseline"].iloc[0], found.loc["one"], found.loc["max"]
    assert (one["level"], both["level"], both["personas"]) == ("persona", "category", 2)
    # Repeats about their mean: .2 twice among three pairs of repeats, each with one degree of freedom.
    assert baseline["sd_repeat_v"] == pytest.approx(math.sqrt(0.08 / 3))
    assert baseline["sd_ad"] == pytest.approx(np.std([0.4, 0.4, 2], ddof=1))
    assert (baseline["n_d"], one["n"], one["n_d"], both["n_d"]) == (0, 2, 2, 3)
    assert math.isnan(baseline["sd_d"])
    assert one["sd_d"] == pytest.approx(0)
    # ad of the category: (0 + 2) / 2, 0 and, of the one persona that has it, 0
    assert both["sd_ad"] == pytest.approx(np.std([1, 0, 0], ddof=1))
    assert both["sd_d"] == pytest.approx(np.std([-0.6, 0.4, 2], ddof=1))
    assert both["icc_value_d"] == pytest.approx(scores.icc(np.array([-0.6, 0.4, 2]), list("vvw")))
    assert math.isnan(both["icc_topic_d"]), "all are of one topic"


def test_sd_of_paired_differences_is_what_dz_divides_by() -> None:
    table = scores.per_dilemma(random_frame(np.random.default_rng(2), values=4, missing=0.2))
    spread = scores.variation(table).set_index(["level", "name"])["sd_d"]
    found = effects(table)
    found = found[found["metric"] == "AD"].set_index(["level", "name"])
    means = table.pivot(index="item", columns="persona", values="ad")
    d = means["baseline"] - means["one"]
    assert found["dz"]["persona", "one"] == pytest.approx(d.mean() / spread["persona", "one"])


# Invariances


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 10**6))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = random_frame(rng, ("baseline", "one"), values=2, per_value=2, missing=0.15)
    table, personas = scored(frame)
    shuffled = frame.sample(frac=1, random_state=rng.integers(2**31))
    other_table, other_personas = scored(shuffled)
    pd.testing.assert_frame_equal(table, other_table)
    pd.testing.assert_frame_equal(personas, other_personas)
    pd.testing.assert_frame_equal(scores.per_category(personas), scores.per_category(other_personas))
    pd.testing.assert_frame_equal(effects(table), effects(other_table.sample(frac=1, random_state=1)))


@few
@given(st.integers(0, 10**6))
def test_the_names_of_conditions_do_not_matter(seed: int) -> None:
    frame = random_frame(np.random.default_rng(seed), values=2, per_value=2, missing=0.15)
    names = {"baseline": "zero", "one": "b", "two": "a"}
    renamed = by_persona(frame.assign(persona=frame["persona"].map(names)))
    pd.testing.assert_frame_equal(by_persona(frame).rename(index=names).sort_index(), renamed)


@few
@given(st.integers(0, 10**6))
def test_flipping_both_sides_swaps_the_two_f1_and_leaves_the_rest(seed: int) -> None:
    frame = random_frame(np.random.default_rng(seed), values=2, per_value=3, missing=0.15)
    before = by_persona(frame)
    after = by_persona(frame.assign(score=-frame["score"], vote=-frame["vote"]))
    same = ["AD", "floor", "sq_gap", "sd_v", "accuracy", "kappa", "mcc", "f1_macro", "AD_low", "AD_high", "undecided"]
    pd.testing.assert_frame_equal(before[same], after[same])
    assert after["f1_agree"].tolist() == pytest.approx(before["f1_disagree"].tolist(), nan_ok=True)
    assert after["f1_disagree"].tolist() == pytest.approx(before["f1_agree"].tolist(), nan_ok=True)
    assert after["gap"].tolist() == pytest.approx((-before["gap"]).tolist(), nan_ok=True)
    assert after["p_agree"].tolist() == pytest.approx((1 - before["p_agree"]).tolist(), nan_ok=True)


@few
@given(st.integers(0, 10**6))
def test_swapping_stated_and_acted_leaves_the_rate_and_the_distance(seed: int) -> None:
    frame = random_frame(np.random.default_rng(seed), values=2, per_value=3, missing=0.15)
    swapped = frame.assign(side=frame["side"].map({"stated": "acted", "acted": "stated"}))
    same = ["AD", "AR", "f1_disagree", "kappa", "mcc", "f1_chance", "sq_gap", "AD_low", "AR_low", "AR_high"]
    pd.testing.assert_frame_equal(by_persona(frame)[same], by_persona(swapped)[same])


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 10**6))
def test_every_dilemma_twice_leaves_the_estimates_and_their_intervals(seed: int) -> None:
    frame = random_frame(np.random.default_rng(seed), ("baseline", "one"), values=3, per_value=2, missing=0.1)
    twice = pd.concat([frame, frame.assign(item=frame["item"] + "-again")], ignore_index=True)
    (table, personas), (table_twice, personas_twice) = scored(frame), scored(twice)
    same = ["AD", "AR", "floor", "sq_gap", "gap", *MEASURES, "AD_low", "AD_high", "AR_low", "AR_high", "refused_rate"]
    pd.testing.assert_frame_equal(personas[same], personas_twice[same])
    same = ["estimate", "low", "high", "se", "df", "values", "note"]
    pd.testing.assert_frame_equal(levels(table)[same], levels(table_twice)[same])
    same = ["delta", "low", "high", "se", "p", "p_holm", "baseline", "other", "worst_low", "worst_high"]
    pd.testing.assert_frame_equal(effects(table)[same], effects(table_twice)[same])


# From a run's store


def test_every_trial_of_a_run_has_a_row_and_missing_is_missing(
    scripted_run: Callable[..., tuple[Any, Path]],
) -> None:
    _, folder = scripted_run(limit=6, repeats=6)
    with Store.reading(folder / FILE) as store:
        counts = store.counts()
        even, thirds = scores.answers(store), scores.answers(store, "thirds")
    assert len(even) == counts["planned"] == 4 * 6 * 2 * 6
    assert not even.duplicated(["model", "persona", "item", "side", "repeat"]).any()
    assert all((even["status"] == status).sum() == counts[status] for status in ("answered", "refused", "unreadable"))
    unread = even["status"] != "answered"
    assert unread.any(), "the scripted model is to refuse now and then"
    assert even.loc[unread, ["score", "vote", "code", "letter"]].isna().all(axis=None)
    assert even.loc[~unread, ["score", "vote", "code", "letter"]].notna().all(axis=None)
    assert set(even.loc[~unread, "score"]) == set(EVEN)
    assert thirds.loc[~unread, "score"].tolist() == [THIRDS[EVEN.index(score)] for score in even.loc[~unread, "score"]]
    strong = even[even["code"].isin(["agree-strongly", "aligned-strong"])]
    assert set(strong["score"]) == {1.0}
    assert set(even.loc[even["code"] == "opposed-mild", "score"]) == {-0.2}
    row = scored(even)[1]
    assert row[["answered", "refused", "unreadable"]].sum().sum() == len(even)


def test_a_trial_without_a_reply_is_open(scripted_run: Callable[..., tuple[Any, Path]]) -> None:
    _, folder = scripted_run(limit=1, persona_set="none")
    connection = sqlite3.connect(folder / FILE)
    with connection:
        trial = connection.execute("SELECT trial FROM cells ORDER BY question, repeat LIMIT 1").fetchone()[0]
        connection.execute("DELETE FROM responses WHERE trial = ?", (trial,))
        connection.execute("DELETE FROM replies WHERE trial = ?", (trial,))
    connection.close()
    with Store.reading(folder / FILE) as store:
        frame = scores.answers(store)
    row = frame[frame["trial"] == trial].iloc[0]
    assert row["status"] == "open"
    assert math.isnan(row["score"])
    assert math.isnan(row["vote"])
    assert scored(frame)[1]["open"].item() == 1


def test_probabilities_of_a_run_become_expected_scores(scripted_run: Callable[..., tuple[Any, Path]]) -> None:
    _, folder = scripted_run(limit=2, persona_set="none", **{"model.protocol": "logprob"})
    with Store.reading(folder / FILE) as store:
        frame = scores.answers(store)
        responses = {cell[6]: Response.model_validate_json(str(cell[7])) for cell in store.cells()}
    assert len(frame) == 12
    codes = {
        "stated": ["agree-strongly", "agree", "agree-slightly", "disagree-slightly", "disagree", "disagree-strongly"],
        "acted": [f"{side}-{how}" for side, how in product(["aligned"], ["strong", "moderate", "mild"])]
        + [f"opposed-{how}" for how in ("mild", "moderate", "strong")],
    }
    for row in frame.itertuples():
        chances = responses[row.trial].probabilities
        assert chances is not None
        ordered = [chances[code] for code in codes[row.side]]
        assert row.score == pytest.approx(np.dot(ordered, EVEN))
        assert row.vote == np.sign(sum(ordered[:3]) - sum(ordered[3:]))
        assert row.mass == pytest.approx(0.98)
