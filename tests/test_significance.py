"""Deltas and their intervals: against explicit loops, textbook formulas and simulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from frames import answer_frame, dilemma_frame, random_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from dilemmas import scores
from dilemmas.significance import effects, holm, jackknife, levels

Floats = npt.NDArray[np.float64]
VALUES = ["a"] * 6 + ["b"] * 7 + ["c"] * 8 + ["d"] * 9
CATEGORIES = {"one": "max", "two": "max", "three": "moderate"}


def mean(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / sums[..., 1])


def random_dilemmas(seed: int, personas: Sequence[str] = ("baseline", "one", "two", "three")) -> pd.DataFrame:
    """Dilemma rows with a few distances missing and a few signs missing or undecided."""
    rng = np.random.default_rng(seed)
    n = len(VALUES)
    signs = [-1] * 5 + [1] * 10 + [0, math.nan]
    return dilemma_frame(
        {
            name: {
                "ad": np.where(rng.random(n) < 0.1, np.nan, rng.uniform(0, 2, n)),
                "sign_v": rng.choice(signs, n),
                "sign_a": rng.choice(signs, n),
            }
            for name in personas
        },
        VALUES,
        CATEGORIES,
    )


def find(table: pd.DataFrame, metric: str, name: str, level: str = "persona") -> pd.Series:
    rows = table[(table["metric"] == metric) & (table["name"] == name) & (table["level"] == level)]
    assert len(rows) == 1
    return rows.iloc[0]


# The same by explicit loops over rows


def f1(rows: pd.DataFrame) -> float:
    v, a = rows["sign_v"] == 1, rows["sign_a"] == 1
    positive = v.sum() + a.sum()
    return float(2 * (v & a).sum() / positive) if positive else math.nan


def plain_level(rows: pd.DataFrame, metric: str) -> float:
    if metric == "AD":
        return float(rows["ad"].mean())
    return f1(rows[rows["sign_v"].isin([-1, 1]) & rows["sign_a"].isin([-1, 1])])


def plain_delta(baseline: pd.DataFrame, other: pd.DataFrame, metric: str) -> float:
    def valid(rows: pd.DataFrame) -> set[str]:
        kept = rows["ad"].notna() if metric == "AD" else rows[["sign_v", "sign_a"]].isin([-1, 1]).all(axis=1)
        return set(rows.loc[kept, "item"])

    common = valid(baseline) & valid(other)
    before, after = (plain_level(rows[rows["item"].isin(common)], metric) for rows in (baseline, other))
    return before - after if metric == "AD" else after - before


def delete_one(statistic: Callable[[pd.DataFrame], float], table: pd.DataFrame) -> dict[str, float]:
    """Estimate, interval and p by recomputing from the rows that are left."""
    values = sorted(table["value"].unique())
    without = np.array([statistic(table[table["value"] != value]) for value in values])
    count, estimate = len(values), statistic(table)
    se = math.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, count - 1) * se
    return {
        "estimate": estimate,
        "se": se,
        "low": estimate - half,
        "high": estimate + half,
        "p": 2 * stats.t.sf(abs(estimate / se), count - 1),
        "df": count - 1,
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("metric", ["AD", "AR"])
def test_deltas_equal_a_loop_that_deletes_rows(metric: str, seed: int) -> None:
    table = random_dilemmas(seed)
    found = effects(table)
    members = {"max": ["one", "two"], "moderate": ["three"], "one": ["one"], "two": ["two"], "three": ["three"]}
    for name, personas in members.items():

        def statistic(rows: pd.DataFrame, personas: list[str] = personas) -> float:
            baseline = rows[rows["persona"] == "baseline"]
            return float(np.mean([plain_delta(baseline, rows[rows["persona"] == one], metric) for one in personas]))

        expected = delete_one(statistic, table)
        most = {"AD": 2, "AR": 1}[metric]
        expected |= {"low": max(expected["low"], -most), "high": min(expected["high"], most)}
        row = find(found, metric, name, "category" if name in CATEGORIES.values() else "persona")
        assert row["delta"] == pytest.approx(expected.pop("estimate"))
        assert row[list(expected)].tolist() == pytest.approx(list(expected.values()))
        assert row["t"] == pytest.approx(row["delta"] / row["se"])
        assert row["personas"] == len(personas)


@pytest.mark.parametrize("metric", ["AD", "AR"])
def test_levels_equal_a_loop_that_deletes_rows(metric: str) -> None:
    table = random_dilemmas(5)
    found = levels(table)
    for name, personas in {"baseline": ["baseline"], "max": ["one", "two"]}.items():

        def statistic(rows: pd.DataFrame, personas: list[str] = personas) -> float:
            return float(np.mean([plain_level(rows[rows["persona"] == one], metric) for one in personas]))

        expected = delete_one(statistic, table)
        row = find(found, metric, name, "category")
        assert (row["estimate"], row["se"], row["df"]) == pytest.approx((expected["estimate"], expected["se"], 3))
        most = {"AD": 2, "AR": 1}[metric]
        assert row["low"] == pytest.approx(max(0, expected["low"]))
        assert row["high"] == pytest.approx(min(most, expected["high"]))


def test_intervals_of_levels_end_where_the_metric_ends() -> None:
    columns = {"ad": [0.0, 0.1, 2.0], "sign_v": [1, 1, 1], "sign_a": [1, 1, -1]}
    found = levels(dilemma_frame({"baseline": columns}, ["a", "b", "c"]))
    distance, rate = (find(found, metric, "baseline") for metric in ("AD", "AR"))
    assert (distance["low"], distance["high"]) == (0, 2)
    assert rate["low"] < rate["estimate"] < rate["high"] == 1
    assert distance["estimate"] + 4.3 * distance["se"] > 2


def test_levels_are_the_scores_of_the_other_tables() -> None:
    frame = random_frame(np.random.default_rng(2), ("baseline", "one", "two"), missing=0.2)
    table = scores.per_dilemma(frame)
    personas = scores.per_persona(table, frame)
    found = levels(table)
    for metric in ("AD", "AR"):
        for row in personas.itertuples():
            assert find(found, metric, row.persona)["estimate"] == pytest.approx(getattr(row, metric), nan_ok=True)
        for row in scores.per_category(personas).itertuples():
            level = find(found, metric, row.category, "category")
            assert level["estimate"] == pytest.approx(getattr(row, metric), nan_ok=True)
            assert level["n"] == {"AD": row.n, "AR": row.n_ar}[metric]


# The jackknife by itself


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.floats(-2, 2), min_size=3, max_size=3), min_size=2, max_size=12))
def test_equal_clusters_give_the_t_interval_over_their_means(clusters: list[list[float]]) -> None:
    data = np.array(clusters)
    means = data.mean(axis=1)
    found = jackknife(np.column_stack([data.sum(axis=1), np.full(len(data), 3.0)]), mean)
    assert found.estimate == pytest.approx(data.mean(), abs=1e-12)
    if means.std() < 1e-9:
        return
    expected = stats.ttest_1samp(means, 0)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-6, abs=1e-9)
    assert found.df == len(data) - 1
    assert found.note == ""
    assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


def test_the_level_of_the_interval_can_be_chosen() -> None:
    parts = np.array([[1.0, 1], [2, 1], [3, 1], [5, 1]])
    interval = stats.ttest_1samp(parts[:, 0], 0).confidence_interval(0.8)
    found = jackknife(parts, mean, level=0.8)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize(
    ("parts", "estimate", "word"),
    [
        (np.zeros((0, 2)), math.nan, "undefined"),
        (np.zeros((3, 2)), math.nan, "undefined"),
        (np.array([[1.0, 2]]), 0.5, "one value"),
        (np.array([[1.0, 2], [0, 0]]), 0.5, "without one"),
        (np.array([[1.0, 2], [2, 4], [0.5, 1]]), 0.5, "no variation"),
        (np.array([[0.1, 1], [0.2, 2], [0.3, 3]]), 0.1, "no variation"),
    ],
)
def test_where_there_is_no_interval_a_note_says_why(parts: Floats, estimate: float, word: str) -> None:
    found = jackknife(parts, mean)
    assert found.estimate == pytest.approx(estimate, nan_ok=True)
    assert word in found.note
    assert all(math.isnan(number) for number in (found.low, found.high, found.t, found.p))


# Holm


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, math.nan, 0.03]) == pytest.approx([0.06, 0.03, math.nan, 0.06], nan_ok=True)
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    several = [0.2, 0.001, 0.03, 0.03, 0.7, 0.012]
    assert holm(several) == pytest.approx(multipletests(several, method="holm")[1].tolist())
    assert holm([]) == []
    assert all(math.isnan(p) for p in holm([math.nan, math.nan]))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=12))
def test_holm_steps_down_over_the_known_ones(p: list[float]) -> None:
    found = holm(p)
    known = [one for one in p if not math.isnan(one)]
    largest_so_far, expected = 0.0, {}
    for rank, one in enumerate(sorted(known)):
        largest_so_far = max(largest_so_far, min(1.0, (len(known) - rank) * one))
        expected[one] = max(largest_so_far, expected.get(one, 0.0))
    for raw, adjusted in zip(p, found, strict=True):
        assert math.isnan(adjusted) if math.isnan(raw) else adjusted == pytest.approx(expected[raw])


def test_only_categories_by_metrics_by_models_are_one_family() -> None:
    first = random_dilemmas(1)
    table = pd.concat([first, random_dilemmas(2).assign(model="another")], ignore_index=True)
    found = effects(table)
    family = found["level"] == "category"
    assert family.sum() == 2 * 2 * 2
    assert found.loc[~family, "p_holm"].isna().all()
    assert found.loc[~family, "p"].notna().all()
    expected = multipletests(found.loc[family, "p"], method="holm")[1]
    assert found.loc[family, "p_holm"].tolist() == pytest.approx(expected.tolist())
    alone = effects(first)
    both = find(found[found["model"] == "m"], "AD", "max", "category")
    assert find(alone, "AD", "max", "category")["p"] == both["p"]
    assert find(alone, "AD", "max", "category")["p_holm"] <= both["p_holm"]


# What a delta is


def test_a_value_without_a_valid_dilemma_is_no_cluster() -> None:
    table = random_dilemmas(3)
    baseline = (table["persona"] == "baseline") & (table["value"] == "d")
    spoilt = table.assign(ad=table["ad"].mask(baseline))
    found = find(effects(spoilt), "AD", "one")
    expected = find(effects(table[table["value"] != "d"]), "AD", "one")
    assert (found["values"], found["df"]) == (3, 2)
    same = ["delta", "low", "high", "se", "p", "n", "dz"]
    assert found[same].tolist() == pytest.approx(expected[same].tolist())


def test_a_positive_delta_is_a_smaller_gap() -> None:
    table = dilemma_frame(
        {
            "baseline": {"ad": [1.0, 0.8, 0.9, 1.1], "sign_v": [1, 1, 1, 1], "sign_a": [-1, 1, -1, 1]},
            "better": {"ad": [0.5, 0.2, 0.4, 0.1], "sign_v": [1, 1, 1, 1], "sign_a": [1, 1, -1, 1]},
            "worse": {"ad": [1.5, 1.2, 1.4, 1.1], "sign_v": [1, 1, 1, 1], "sign_a": [-1, 1, -1, -1]},
        },
        ["a", "a", "b", "b"],
    )
    found = effects(table)
    better, worse = (find(found, "AD", name) for name in ("better", "worse"))
    assert better["delta"] == pytest.approx(0.95 - 0.3)
    assert worse["delta"] == pytest.approx(0.95 - 1.3)
    assert (better["baseline"], better["other"]) == pytest.approx((0.95, 0.3))
    better, worse = (find(found, "AR", name) for name in ("better", "worse"))
    assert better["delta"] == pytest.approx(6 / 7 - 2 / 3)
    assert worse["delta"] == pytest.approx(2 / 5 - 2 / 3)
    assert (better["baseline"], better["other"]) == pytest.approx((2 / 3, 6 / 7))


def test_only_dilemmas_valid_in_both_conditions_are_compared() -> None:
    nan = math.nan
    table = dilemma_frame(
        {
            "baseline": {"ad": [nan, 0.4, 0.6, 0.8], "sign_v": [nan, 1, 1, 0], "sign_a": [1, 1, -1, 1]},
            "one": {"ad": [2.0, nan, 0.1, 0.5], "sign_v": [1, 1, 1, 1], "sign_a": [1, nan, 1, -1]},
        },
        ["a", "b", "c", "d"],
    )
    distance, rate = (find(effects(table), metric, "one") for metric in ("AD", "AR"))
    assert (distance["n"], distance["values"], distance["df"]) == (2, 2, 1)
    assert (distance["baseline"], distance["other"]) == pytest.approx((0.7, 0.3))
    assert distance["delta"] == pytest.approx(0.4)
    assert (rate["n"], rate["baseline"], rate["other"], rate["delta"]) == (1, 0, 1, 1)


def test_dilemmas_asked_of_one_condition_only_are_not_compared() -> None:
    table = dilemma_frame({"baseline": {"ad": [1, 1, 1]}, "one": {"ad": [0.5, 0.5, 0.5]}}, ["a", "b", "c"])
    table = table.drop(index=[0, 5])
    assert find(effects(table), "AD", "one")["n"] == 1


def test_effect_size_by_hand() -> None:
    table = dilemma_frame(
        {
            "baseline": {"ad": [1.0, 1.0, 1.0, 1.0]},
            "one": {"ad": [0.9, 0.5, 0.8, 0.2]},
            "two": {"ad": [0.7, 0.7, 0.2, math.nan]},
        },
        ["a", "a", "b", "b"],
        {"one": "max", "two": "max"},
    )
    found = effects(table)
    assert find(found, "AD", "one")["dz"] == pytest.approx(0.4 / np.std([0.1, 0.5, 0.2, 0.8], ddof=1))
    over_personas = [0.2, 0.4, 0.5, 0.8]
    expected = np.mean(over_personas) / np.std(over_personas, ddof=1)
    assert find(found, "AD", "max", "category")["dz"] == pytest.approx(expected)
    assert found.loc[found["metric"] == "AR", "dz"].isna().all()


def test_the_worst_case_stands_beside_the_delta() -> None:
    full, refused = ([1, 1], [1, 1]), ([1, None], [1, 1])
    frame = answer_frame(
        {
            "baseline": {"a-1": ([1, 1], [0.2, 0.2]), "b-1": refused},
            "one": {"a-1": full, "b-1": ([1, 1], [0.6, 0.6])},
        }
    )
    row = find(effects(scores.per_dilemma(frame)), "AD", "one")
    # Baseline .8 and 0 to 1, persona 0 and .4.
    assert row["delta"] == pytest.approx(0.4 - 0.2)
    assert (row["worst_low"], row["worst_high"]) == pytest.approx((0.4 - 0.2, 0.9 - 0.2))


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 10**6))
def test_without_missing_answers_the_worst_case_is_the_delta(seed: int) -> None:
    frame = random_frame(np.random.default_rng(seed), ("baseline", "one"), per_value=2)
    for row in effects(scores.per_dilemma(frame)).itertuples():
        assert (row.worst_low, row.worst_high) == pytest.approx((row.delta, row.delta), nan_ok=True)


# Where there is nothing to say

NUMBERS = ["low", "high", "t", "p", "p_holm"]


def compared(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = scores.per_dilemma(frame)
    return levels(table), effects(table)


def test_one_value_gives_deltas_without_intervals() -> None:
    level, effect = compared(random_frame(np.random.default_rng(0), values=1))
    assert level["estimate"].notna().all()
    assert effect["delta"].notna().all()
    assert effect[NUMBERS].isna().all(axis=None)
    assert level[["low", "high"]].isna().all(axis=None)
    for table in (level, effect):
        assert table["note"].str.contains("one value").all()


def test_without_a_baseline_there_are_levels_and_no_deltas() -> None:
    level, effect = compared(random_frame(np.random.default_rng(0), ("one", "two")))
    assert set(level["name"]) == {"one", "two", "other"}
    assert effect.empty
    assert {"delta", "p", "p_holm", "note"} <= set(effect.columns)


def test_without_personas_there_is_a_level_and_no_delta() -> None:
    level, effect = compared(random_frame(np.random.default_rng(0), ("baseline",)))
    assert set(level["name"]) == {"baseline"}
    assert effect.empty
    assert {"delta", "p", "p_holm", "note"} <= set(effect.columns)


@pytest.mark.parametrize("score", [1.0, -1.0])
def test_answers_that_never_vary_give_no_interval(score: float) -> None:
    level, effect = compared(random_frame(np.random.default_rng(0), scale=(score,)))
    distances = level["metric"] == "AD"
    assert (level.loc[distances, "estimate"] == 0).all()
    assert (effect.loc[effect["metric"] == "AD", "delta"] == 0).all()
    assert level[["low", "high"]].isna().all(axis=None)
    assert effect[[*NUMBERS, "dz"]].isna().all(axis=None)
    assert (level["note"] != "").all()
    assert (effect["note"] != "").all()
    rates = level.loc[~distances, "estimate"]  # nothing is agreed to: F1 has no denominator
    assert (rates == 1).all() if score > 0 else rates.isna().all()


def test_no_readable_answer_gives_no_number_but_the_widest_bounds() -> None:
    level, effect = compared(random_frame(np.random.default_rng(0), missing=1.0))
    assert level[["estimate", "low", "high"]].isna().all(axis=None)
    assert effect[["delta", "baseline", "other", "dz", *NUMBERS]].isna().all(axis=None)
    assert (effect["n"] == 0).all()
    assert effect["note"].str.contains("undefined").all()
    widest = {"AD": 2.0, "AR": 1.0}
    assert (effect["worst_high"] == effect["metric"].map(widest)).all()
    assert (effect["worst_low"] == -effect["metric"].map(widest)).all()


def test_conditions_without_a_common_dilemma_have_no_delta() -> None:
    frame = answer_frame({"baseline": {"a-1": ([1], [1])}, "one": {"b-1": ([1], [-1])}})
    _, effect = compared(frame)
    assert (effect["n"] == 0).all()
    assert effect["delta"].isna().all()
    assert (effect["note"] != "").all()


def test_a_persona_without_answers_leaves_its_category_undefined_and_others_alone() -> None:
    yes, no = [1.0, 1.0], [-1.0, -0.6]
    asked = {"a-1": (yes, yes), "b-1": (yes, no), "c-1": (no, yes)}
    silent: Any = {item: ([None, None], [None, None]) for item in asked}
    frame = answer_frame({"baseline": asked, "one": asked, "two": silent}, {"one": "max", "two": "max"})
    _, effect = compared(frame)
    assert find(effect, "AD", "one")["delta"] == 0
    assert math.isnan(find(effect, "AD", "two")["delta"])
    assert math.isnan(find(effect, "AD", "max", "category")["delta"])
    assert "undefined" in find(effect, "AD", "max", "category")["note"]


# Its size under the null


def test_true_nulls_with_value_level_shifts_are_rejected_one_time_in_twenty() -> None:
    """Each value shifts each condition at random, so that differences within a value hang together."""
    rng = np.random.default_rng(20)
    runs, values, per_value = 600, 24, 5
    rejected = {"AD": 0, "AR": 0, "unclustered": 0}
    for _ in range(runs):
        shape = (values, per_value)
        shift = rng.normal(0, 0.25, (2, values, 1))
        distances = np.abs(0.6 + shift + rng.normal(0, 0.35, (2, *shape)))
        common = rng.normal(0.5, 1, shape)
        v, a = (common + shift + rng.normal(0, 0.7, (2, *shape)) > 0 for _ in range(2))
        size = np.full((values, 1), float(per_value))
        parts = np.hstack([distances[0].sum(1, keepdims=True), distances[1].sum(1, keepdims=True), size])
        rejected["AD"] += jackknife(parts, lambda s: (s[..., 0] - s[..., 1]) / s[..., 2]).p < 0.05
        sums = np.stack([(v & a).sum(2), v.sum(2), a.sum(2)]).astype(float)
        parts = sums.transpose(2, 1, 0).reshape(values, 6)
        rejected["AR"] += (
            jackknife(
                parts, lambda s: 2 * s[..., 3] / (s[..., 4] + s[..., 5]) - 2 * s[..., 0] / (s[..., 1] + s[..., 2])
            ).p
            < 0.05
        )
        rejected["unclustered"] += stats.ttest_1samp((distances[0] - distances[1]).ravel(), 0).pvalue < 0.05
    error = math.sqrt(0.05 * 0.95 / runs)
    assert rejected["AD"] / runs == pytest.approx(0.05, abs=3 * error)
    assert rejected["AR"] / runs == pytest.approx(0.05, abs=3 * error)
    assert rejected["unclustered"] / runs > 0.05 + 5 * error
