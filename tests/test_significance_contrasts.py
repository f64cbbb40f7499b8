"""Comparisons: which dilemmas count, what stands beside a delta, and what is said where there is nothing to say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import answer_frame, dilemma_frame, random_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from dilemmas import scores, significance
from dilemmas.errors import InputError
from dilemmas.significance import (
    between,
    by_group,
    categories_to_baseline,
    category_to_category,
    compare,
    effects,
    jackknife,
    personas_to_baseline,
    published,
    regressions,
    run_to_run,
)
from dilemmas.significance.contrasts import Contrast, compared
from dilemmas.significance.panel import Member, Panel

CATEGORIES = {"one": "max", "two": "max", "three": "moderate", "four": "moderate"}
PERSONAS = ("baseline", *CATEGORIES)
NUMBERS = ["low", "high", "p", "boot_low", "joint_low", "p_joint", "p_two_way", "p_equivalence"]


def table_of(seed: int, *, personas: tuple[str, ...] = PERSONAS, values: int = 6, topics: int = 4, missing: float = 0.0,
             model: str = "m") -> pd.DataFrame:  # fmt: skip
    """Dilemmas of every value and topic, some of them without a score."""
    rng = np.random.default_rng(seed)
    value, topic = (codes.ravel() for codes in np.indices((values, topics)))
    n = len(value)
    table = dilemma_frame(
        {
            name: {
                "ad": np.where(gone := rng.random(n) < missing, np.nan, rng.uniform(0, 2, n)),
                "sign_v": np.where(gone, np.nan, rng.choice([-1, 1, 1], n)),
                "sign_a": np.where(gone, np.nan, rng.choice([-1, 1, 1], n)),
            }
            for name in personas
        },
        [f"v{code}" for code in value],
        CATEGORIES,
    )
    topic_of = {f"v{v}-{place}": f"t{t}" for place, (v, t) in enumerate(zip(value, topic, strict=True))}
    return table.assign(topic=table["item"].map(topic_of), model=model)


def find(table: pd.DataFrame, metric: str, name: str, level: str = "category") -> pd.Series:
    rows = table[(table["metric"] == metric) & (table["name"] == name) & (table["level"] == level)]
    assert len(rows) == 1
    return rows.iloc[0]


def wide(table: pd.DataFrame) -> pd.DataFrame:
    return table.pivot(index="item", columns="persona", values="ad")


# What is compared


def test_categories_are_compared_on_the_dilemmas_valid_in_all_their_personas() -> None:
    table = table_of(1, missing=0.1)
    found = find(compare(table, category_to_category(table)), "AD", "max to moderate")
    ad = wide(table)[list(CATEGORIES)].dropna()
    assert (found["n"], found["items"]) == (len(ad), len(ad))
    assert (found["first"], found["second"]) == ("one, two", "four, three")
    difference = ad[["one", "two"]].mean(axis=1) - ad[["three", "four"]].mean(axis=1)
    assert found["estimate"] == pytest.approx(difference.mean())
    assert found["dz"] == pytest.approx(difference.mean() / difference.std())
    parts = difference.groupby(difference.index.str.split("-").str[0]).agg(["sum", "size"]).to_numpy(float)
    expected = jackknife(parts, lambda s: s[..., 0] / s[..., 1])
    assert found[["low", "high", "p", "df"]].tolist() == pytest.approx(
        [expected.low, expected.high, expected.p, expected.df]
    )


def test_the_baseline_is_compared_with_each_persona_on_their_own_common_dilemmas() -> None:
    table = table_of(2, missing=0.15)
    found = compare(table, personas_to_baseline(table) + categories_to_baseline(table), draws=0)
    ad = wide(table)
    each = [(ad["baseline"] - ad[name]).dropna() for name in ("one", "two")]
    row = find(found, "AD", "max")
    assert row["estimate"] == pytest.approx(np.mean([one.mean() for one in each]))
    assert (row["n"], row["items"]) == (sum(map(len, each)), len(pd.concat(each, axis=1)))
    assert find(found, "AD", "one", "persona")["estimate"] == pytest.approx(each[0].mean())


def test_a_category_may_be_pooled_instead_of_averaged() -> None:
    table = table_of(3)
    contrasts = categories_to_baseline(table)
    found = find(compare(table, contrasts, aggregate="pooled", draws=0), "AR", "max")

    def f1(*names: str) -> float:
        rows = table[table["persona"].isin(names)]
        v, a = rows["sign_v"] > 0, rows["sign_a"] > 0
        return float(2 * (v & a).sum() / (v.sum() + a.sum()))

    assert found["estimate"] == pytest.approx(f1("one", "two") - f1("baseline"))
    assert found["estimate"] != pytest.approx(find(compare(table, contrasts, draws=0), "AR", "max")["estimate"])
    assert "pooled" in found["method"]
    assert (found["worst_low"], found["worst_high"]) == pytest.approx((found["estimate"],) * 2)


def test_models_are_compared_in_the_personas_that_both_have() -> None:
    first = table_of(4, model="a")
    second = table_of(5, model="b", personas=("baseline", "one", "three"))
    table = pd.concat([first, second], ignore_index=True)
    found = compare(table, between(table), draws=0)
    names = {level: set(rows["name"]) for level, rows in found.groupby("level")}
    assert names == {"persona": {"baseline", "one", "three"}, "category": {"max", "moderate"}}
    assert set(found["model"]) == {"a to b"}
    expected = (wide(first)["one"] - wide(second)["one"]).mean()
    assert find(found, "AD", "one", "persona")["estimate"] == pytest.approx(expected)
    assert find(found, "AD", "max")["estimate"] == pytest.approx(expected)
    with pytest.raises(InputError, match="there is no model"):
        between(table, [("a", "c")])


def test_a_run_compared_with_itself_shows_no_difference_and_no_p() -> None:
    table = table_of(6)
    frame, contrasts = run_to_run({"old": table, "new": table})
    found = compare(frame, contrasts)
    assert (found["model"] == "old: m to new: m").all()
    assert (found["estimate"] == 0).all()
    assert found[NUMBERS].isna().all(axis=None)
    assert found["note"].str.contains("no variation").all()
    assert (found["equivalence"] == "").all()


def test_runs_on_different_datasets_share_no_dilemma_or_are_refused() -> None:
    one, other = table_of(1), table_of(2)
    frame, contrasts = run_to_run({"one": one, "other": other.assign(item="x" + other["item"])})
    found = compare(frame, contrasts)
    assert found["estimate"].isna().all()
    assert (found["n"] == 0).all()
    assert found["note"].str.contains("no dilemma is valid in all").all()
    for column in ("value", "topic"):
        frame, contrasts = run_to_run({"one": one, "other": other.assign(**{column: "another"})})
        with pytest.raises(InputError, match=f"two {column}s"):
            compare(frame, contrasts)


def test_a_dilemma_twice_in_one_condition_is_refused() -> None:
    table = table_of(1)
    with pytest.raises(InputError, match="occurs twice"):
        effects(pd.concat([table, table.tail(1)], ignore_index=True))


def test_several_baselines_are_refused() -> None:
    table = table_of(1)
    table["category"] = table["category"].replace("moderate", "baseline")
    with pytest.raises(InputError, match="several baselines"):
        effects(table)


# What stands beside a delta


def test_each_family_is_corrected_by_itself() -> None:
    table = pd.concat([table_of(1), table_of(2, model="other")], ignore_index=True)
    found = effects(table, draws=100)
    for level, column, method in (("category", "p_holm", "holm"), ("persona", "q", "fdr_bh")):
        family = found[found["level"] == level]
        assert family[column].tolist() == pytest.approx(multipletests(family["p"], method=method)[1].tolist())
        assert found.loc[found["level"] != level, column].isna().all()
    assert set(found["correction"]) == {"holm", "benjamini-hochberg"}


def test_the_columns_beside_a_delta_hang_together() -> None:
    found = effects(table_of(7, values=20), draws=2000, margin=0.4, seed=3)
    assert (found["note"] == "").all()
    assert (found["boot_low"] < found["delta"]).all()
    assert (found["joint_low"] < found["low"]).all()
    assert (found["joint_high"] > found["high"]).all()
    assert (found["p_joint"] >= found["p"] - 0.02).all()
    assert (found["df_two_way"] == 3).all()
    assert found["p_two_way"].tolist() == pytest.approx(
        (2 * stats.t.sf(abs(found["delta"] / found["se_two_way"]), 3)).tolist()
    )
    assert (found["two_way_agrees"] == ((found["p"] < 0.05) == (found["p_two_way"] < 0.05))).all()
    assert (found["equivalence"].str.contains("equivalent") == (found["p_equivalence"] < 0.05)).all()
    adjusted = found["p_holm"].fillna(found["q"])
    assert (found["equivalence"].str.contains("different") == (adjusted < 0.05)).all()
    assert (found[["values", "topics", "draws", "seed", "margin"]] == [20, 4, 2000, 3, 0.4]).all(axis=None)


def test_a_topic_that_shifts_a_persona_makes_the_verdicts_disagree() -> None:
    table = table_of(8, values=40)
    rng = np.random.default_rng(0)
    shift = table["topic"].map({"t0": 0.9, "t1": 0.4, "t2": -0.1, "t3": 0.0})
    gap = 0.8 - shift * (table["persona"] != "baseline") + rng.normal(0, 0.05, len(table))
    found = find(effects(table.assign(ad=gap), draws=0), "AD", "max")
    assert found["p"] < 0.001
    assert found["p_two_way"] > 0.05
    assert not found["two_way_agrees"]


def test_without_draws_there_is_no_bootstrap_and_the_rest_stands() -> None:
    table = table_of(1)
    without, with_draws = effects(table, draws=0), effects(table, draws=50)
    drawn = ["boot_low", "boot_high", "joint_low", "joint_high", "p_joint"]
    assert without[drawn].isna().all(axis=None)
    same = [name for name in without.columns if name not in (*drawn, "draws", "note")]
    pd.testing.assert_frame_equal(without[same], with_draws[same])
    assert without.loc[without["p"].notna(), "note"].str.contains("no draws").all()
    with pytest.raises(InputError, match="draws -1"):
        effects(table, draws=-1)


def test_a_persona_with_few_values_limits_the_degrees_of_freedom_of_its_category() -> None:
    table = table_of(3, values=12)
    table = table[(table["persona"] != "two") | table["value"].isin(["v0", "v1", "v2"])]
    row = find(effects(table, draws=100), "AD", "max")
    assert (row["values"], row["df"], row["df_two_way"]) == (12, 2, 2)
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(row["t"]), 2))
    assert "a persona has 3 of 12 values only: 2 degrees of freedom" in row["note"]
    assert "no joint interval" in row["note"]
    assert math.isnan(row["joint_low"])
    level = significance.levels(table).query("name == 'max' and metric == 'AD'")
    assert level["df"].tolist() == [2]


def test_intervals_end_where_a_delta_can() -> None:
    table = table_of(1, values=2)
    table["ad"] = np.where((table["persona"] == "baseline") & (table["value"] == "v0"), 2.0, 0.1)
    row = find(effects(table, draws=0), "AD", "one", "persona")
    assert (row["low"], row["high"]) == (-2, 2)
    groups = by_group(table, personas_to_baseline(table)).groups
    assert groups["low"].min() >= -2
    assert groups["high"].max() <= 2
    assert regressions(table, personas_to_baseline(table))["low"].min() >= -2


def test_means_over_dilemmas_are_told_where_personas_have_different_ones() -> None:
    table = table_of(3)
    told = "mean over dilemmas, not over personas"
    for part, uneven in ((table, False), (table[(table["persona"] != "two") | (table["value"] != "v0")], True)):
        contrasts = categories_to_baseline(part)
        for found in (regressions(part, contrasts), published(part, contrasts, draws=20)):
            own = found[(found["name"] == "max") & ~found["method"].str.contains("permutation")]
            assert own["note"].str.contains(told).tolist() == [uneven] * len(own)
    pooled = published(table, contrasts := categories_to_baseline(table), aggregate="pooled", draws=20)
    assert pooled["note"].str.contains(told).any()
    assert find(compare(table, contrasts, aggregate="pooled", draws=0), "AR", "max")["estimate"] in set(
        pooled["estimate"]
    )


# By value and topic


def test_deltas_by_value_are_those_of_their_dilemmas() -> None:
    table = table_of(9, missing=0.1)
    found, spread = by_group(table, categories_to_baseline(table)[:1])
    ad = wide(table)
    each = pd.concat([ad["baseline"] - ad["one"], ad["baseline"] - ad["two"]], axis=1)
    assert set(found["name"]) == {"max"}
    squares = freedom = 0.0
    for row in found.itertuples():
        of_value = each[each.index.str.startswith(f"{row.group}-")].dropna(how="all")
        assert row.raw == pytest.approx(of_value.mean().mean())
        assert row.n == len(of_value)
        if not of_value.isna().any(axis=None):
            squares, freedom = squares + of_value.mean(axis=1).var() * (row.n - 1), freedom + row.n - 1
    assert freedom > 5
    assert found["raw_se"].iloc[0] == pytest.approx(math.sqrt(squares / freedom / found["n"].iloc[0]), rel=0.3)
    assert found["q"].tolist() == pytest.approx(multipletests(found["p"], method="fdr_bh")[1].tolist())
    assert spread["groups"].tolist() == [6]
    assert ((found["estimate"] - spread["mean"][0]).abs() <= (found["raw"] - spread["mean"][0]).abs() + 1e-9).all()


def test_the_error_of_a_group_pools_the_scatter_of_dilemmas_within_groups() -> None:
    gaps = {"baseline": {"ad": [1.0, 1.0, 1.0, 1.0, 1.0]}, "one": {"ad": [0.9, 0.7, 0.2, 0.4, 0.6]}}
    table = dilemma_frame(gaps, ["a", "a", "b", "b", "b"])
    found, _ = by_group(table, personas_to_baseline(table)[:1])
    # Differences .1 .3 and .8 .6 .4: squares .02 and .08 on 1 + 2 degrees of freedom.
    assert found["raw_se"].tolist() == pytest.approx([math.sqrt(0.1 / 3 / 2), math.sqrt(0.1 / 3 / 3)])


def test_groups_without_an_error_are_left_out_and_a_note_says_why() -> None:
    signs = {"sign_v": [1, 1, 1, 1, -1, 1], "sign_a": [1, -1, 1, 1, -1, 1]}
    conditions = {name: {"ad": [math.nan, *rest], **signs} for name, rest in
                  (("baseline", [1.0, 1, 1, 1, 1]), ("one", [0.5, 0.1, 0.2, 0.5, 0.9]))}  # fmt: skip
    table = dilemma_frame(conditions, ["a", "b", "c", "c", "d", "d"])
    found, spread = by_group(table, personas_to_baseline(table))
    notes = found.set_index(["metric", "group"])["note"]
    assert "no dilemma" in notes["AD", "a"]
    assert "one dilemma" in notes["AD", "b"]
    assert notes["AD", "c"] == ""
    assert "without one" in notes["AR", "d"]
    assert found.loc[found["note"] != "", ["estimate", "p", "q"]].isna().all(axis=None)
    assert spread["groups"].tolist() == [2, 1]
    with pytest.raises(InputError, match="topic"):
        by_group(table, personas_to_baseline(table), "topic")


def test_the_prediction_interval_ends_where_a_delta_does_and_a_note_says_so() -> None:
    values, noise = np.repeat(list("abc"), 2).tolist(), np.array([0.0, 0.01] * 3)
    ends = {"baseline": {"ad": np.array([2, 2, 0, 0, 1, 1]) + noise}, "one": {"ad": [0.0, 0, 2, 2, 1, 1]}}
    table = dilemma_frame(ends, values)
    spread = by_group(table, personas_to_baseline(table)[:1]).spread.iloc[0]
    assert (spread["prediction_low"], spread["prediction_high"]) == (-2, 2)
    assert "cut" in spread["note"]
    alike = dilemma_frame({name: {"ad": [1.0]} for name in ("baseline", "one")}, ["a"])
    undefined = by_group(alike, personas_to_baseline(alike)[:1]).spread.iloc[0]
    assert math.isnan(undefined["prediction_low"])
    assert "cut" not in undefined["note"]


def test_topics_are_groups_too() -> None:
    table = table_of(3)
    found, _ = by_group(table, personas_to_baseline(table), "topic")
    assert set(found["group"]) == {"t0", "t1", "t2", "t3"}
    assert set(found["by"]) == {"topic"}


# Regressions and published tests


def test_regressions_have_the_delta_and_on_full_data_the_error_of_the_jackknife() -> None:
    table = table_of(4)
    contrasts = categories_to_baseline(table)
    primary, found = compare(table, contrasts, draws=0), regressions(table, contrasts, mixed_model=True)
    assert set(found["metric"]) == {"AD"}
    for name, rows in found.groupby("name"):
        row = find(primary, "AD", str(name))
        by_value, two_ways, mixed_model = (one for _, one in rows.iterrows())
        assert by_value[["estimate", "low", "high", "p"]].tolist() == pytest.approx(
            row[["estimate", "low", "high", "p"]].tolist()
        )
        assert (two_ways["se"], two_ways["df"]) == pytest.approx((row["se_two_way"], 3))
        assert mixed_model["estimate"] == pytest.approx(row["estimate"], abs=1e-3)
        assert math.isnan(mixed_model["df"])


def test_published_tests_are_labelled_and_take_what_they_take() -> None:
    table = table_of(5)
    found = published(table, categories_to_baseline(table)[:2], draws=200)
    assert found["method"].str.endswith("(for comparison only)").all()
    assert found["p"].notna().all()
    distances = found[found["metric"] == "AD"]
    ad, by_method = wide(table), distances.set_index(distances["method"].str.split().str[0])
    unpaired = stats.mannwhitneyu(ad["baseline"], ad[["one", "two"]].to_numpy().ravel())
    assert by_method.loc["mann-whitney", "p"] == pytest.approx(unpaired.pvalue)
    assert by_method.loc["mann-whitney", "n"] == 3 * len(ad)
    paired = stats.wilcoxon(ad["baseline"] - ad[["one", "two"]].mean(axis=1))
    assert by_method.loc["wilcoxon", "p"] == pytest.approx(paired.pvalue)
    rate = found[(found["metric"] == "AR") & found["method"].str.startswith("mcnemar")].iloc[0]
    assert rate["n"] == 2 * len(ad)
    match = {name: (rows["sign_v"] == rows["sign_a"]).mean() for name, rows in table.groupby("persona")}
    assert rate["effect"] == pytest.approx((match["one"] + match["two"]) / 2 - match["baseline"])


def test_sides_of_unequal_size_have_no_permutation_and_no_pairs() -> None:
    table = table_of(5, personas=("one", "two", "three"))
    found = published(table, category_to_category(table), draws=50)
    assert found["method"].str.split().str[0].tolist() == [
        "mann-whitney", "wilcoxon", "paired-permutation", "paired-permutation"
    ]  # fmt: skip
    rows = found[found["method"].str.startswith("paired")]
    assert rows["p"].isna().all()
    assert rows["note"].str.contains("unequal size").all()


# What changes nothing


def everything(table: pd.DataFrame) -> list[pd.DataFrame]:
    contrasts = personas_to_baseline(table) + categories_to_baseline(table) + category_to_category(table)
    groups = by_group(table, contrasts)
    return [
        compare(table, contrasts, draws=60),
        groups.groups,
        groups.spread,
        published(table, contrasts, draws=20),
        regressions(table, contrasts),
    ]


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 10**6))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    table = table_of(seed, missing=0.1)
    for one, other in zip(everything(table), everything(table.sample(frac=1, random_state=seed)), strict=True):
        pd.testing.assert_frame_equal(one, other)


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 10**6), st.permutations(list(CATEGORIES)))
def test_the_names_of_conditions_change_nothing_but_the_names(seed: int, names: list[str]) -> None:
    table = table_of(seed, missing=0.1)
    renamed = dict(zip(CATEGORIES, (f"new {name}" for name in names), strict=True))
    other = table.replace({"persona": renamed, "model": {"m": "another"}})
    first, second = effects(table, draws=60), effects(other, draws=60)
    first["name"] = first["name"].replace(renamed)
    order = ["metric", "level", "name"]
    first, second = (found.drop(columns="model").sort_values(order, ignore_index=True) for found in (first, second))
    pd.testing.assert_frame_equal(first, second)


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 10**6))
def test_turning_both_sides_round_leaves_distances_as_they_are(seed: int) -> None:
    frame = random_frame(np.random.default_rng(seed), missing=0.1)
    turned = frame.assign(score=-frame["score"], vote=-frame["vote"])
    one, other = (effects(scores.per_dilemma(answers), draws=60) for answers in (frame, turned))
    # AR is of the same family, and not symmetric
    family = ["p_holm", "q", "joint_low", "joint_high", "p_joint", "equivalence"]
    distances = one["metric"] == "AD"
    pd.testing.assert_frame_equal(*(found[distances].drop(columns=family) for found in (one, other)))


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 10**6))
def test_every_dilemma_twice_changes_no_number_but_counts_and_the_scatter_within_values(seed: int) -> None:
    table = table_of(seed, missing=0.1)
    twice = pd.concat([table, table.assign(item=table["item"] + "-again")], ignore_index=True)
    one, other = effects(table, draws=60), effects(twice, draws=60)
    assert (other[["n", "items"]] == 2 * one[["n", "items"]]).all(axis=None)
    pd.testing.assert_frame_equal(one.drop(columns=["n", "items", "dz"]), other.drop(columns=["n", "items", "dz"]))


# Where there is nothing to say


def explained(table: pd.DataFrame) -> pd.DataFrame:
    """Everything there is on a table of which no test can be made; each row says why."""
    contrasts = personas_to_baseline(table) + categories_to_baseline(table)
    found = compare(table, contrasts, draws=50)
    assert found[[*NUMBERS, "p_adjusted", "dz"]].isna().all(axis=None)
    assert (found["note"] != "").all()
    assert (found["equivalence"] == "").all()
    assert found["two_way_agrees"].isna().all()
    groups = by_group(table, contrasts)
    assert groups.groups[["estimate", "p", "q"]].isna().all(axis=None)
    assert (groups.groups["note"] != "").all()
    assert (groups.spread["note"] != "").all()
    for other in (published(table, contrasts, draws=20), regressions(table, contrasts, mixed_model=True)):
        assert other["p"].isna().all()
        assert (other["note"] != "").all()
    return found


def test_one_persona_alone_has_no_comparison() -> None:
    for personas in (("baseline",), ("one",)):
        table = table_of(1, personas=personas)
        for found in everything(table):
            assert found.empty
        assert effects(table).empty


@pytest.mark.parametrize("score", [1.0, -1.0])
def test_answers_that_are_all_the_same_show_no_difference_and_test_none(score: float) -> None:
    found = explained(scores.per_dilemma(random_frame(np.random.default_rng(0), scale=(score,))))
    assert (found.loc[found["metric"] == "AD", "estimate"] == 0).all()


def test_without_a_readable_answer_there_is_nothing_to_compare() -> None:
    found = explained(scores.per_dilemma(random_frame(np.random.default_rng(0), missing=1.0)))
    assert found["estimate"].isna().all()


def test_one_value_has_deltas_and_no_tests_of_them() -> None:
    table = table_of(1, values=1)
    found = compare(table, categories_to_baseline(table), draws=50)
    assert found["estimate"].notna().all()
    assert found[[*NUMBERS, "p_adjusted"]].isna().all(axis=None)
    assert found["note"].str.contains("one value only").all()


def test_a_value_with_one_dilemma_is_a_cluster_like_others() -> None:
    table = table_of(2)
    small = table[(table["value"] != "v0") | (table["topic"] == "t0")]
    found = find(effects(small, draws=200), "AD", "max")
    assert (found["values"], found["items"]) == (6, 21)
    assert found[NUMBERS].notna().all()


def test_few_values_and_unknown_topics_are_told() -> None:
    found = effects(table_of(1).drop(columns="topic"), draws=50)
    assert found["note"].str.contains("6 values only are too narrow").all()
    assert found["note"].str.contains("topics are not known").all()
    assert found["p_two_way"].isna().all()
    assert (found["topics"] == 0).all()


def test_no_number_of_any_table_is_infinite() -> None:
    yes, no = [1.0, 0.6], [-1.0, -0.2]
    asked: dict[str, Any] = {"a-1": (yes, yes), "a-2": (no, no), "b-1": (no, no), "c-1": (yes, no), "c-2": (no, yes)}
    frame = answer_frame({"baseline": asked, "one": {**asked, "b-1": (yes, no)}, "two": asked})
    for found in everything(scores.per_dilemma(frame)):
        numbers = found.select_dtypes("float").to_numpy()
        assert not np.isinf(numbers).any()


def test_a_contrast_may_be_made_by_hand() -> None:
    table = table_of(3)
    contrast = Contrast("mine", "AD", "m", "persona", "two to one", (Member("m", "two"),), (Member("m", "one"),))
    ad = wide(table)
    assert compared(Panel(table), contrast).ad.tolist() == pytest.approx((ad["two"] - ad["one"]).tolist())
    found = compare(table, [contrast], draws=0).iloc[0]
    assert found["p_adjusted"] == found["p"]
    assert (found["family"], found["correction"]) == ("mine", "benjamini-hochberg")
