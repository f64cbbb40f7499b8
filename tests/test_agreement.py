"""Agreement between annotators: worked numbers, other programs, what must not matter, and what is undefined."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from dilemmas import dataset
from dilemmas.agreement import FEW_CLUSTERS, LEVEL, Criterion, confusion, disagreements, measures, pairs, with_intended
from dilemmas.checks import blind_sort
from dilemmas.errors import InputError
from dilemmas.schema import PLACES, Judgement, Placement

GOLDEN = json.loads((Path(__file__).parent / "golden" / "agreement.json").read_text(encoding="utf-8"))
CANONICAL = GOLDEN["canonical"]
COLUMNS = ["unit", "cluster", "annotator", "label"]
MEASURES = ("raw", "alpha", "ac1", "kappa")
FEW = 20
"""Draws, where intervals are not what is tested."""
YES_NO = Criterion("clear", ("yes", "no"))
LEVELS = ("mild", "moderate", "strong")


def frame(rows: list[tuple[Any, Any, str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


def of_table(table: list[list[int]]) -> pd.DataFrame:
    """Labels of two annotators from the number of units with each pair of labels; a cluster for each unit."""
    cells = [(YES_NO.categories[i], YES_NO.categories[j]) for i in (0, 1) for j in (0, 1) for _ in range(table[i][j])]
    return frame([(unit, unit, "ab"[k], cell[k]) for unit, cell in enumerate(cells) for k in (0, 1)])


def canonical(metric: Any = "nominal") -> tuple[pd.DataFrame, Criterion]:
    labels = [
        (unit, unit, annotator, label)
        for annotator, given_labels in CANONICAL["labels"].items()
        for unit, label in enumerate(given_labels.split())
        if label != "."
    ]
    return frame(labels), Criterion("canonical", tuple(CANONICAL["categories"]), metric)


def random_labels(seed: int, annotators: int = 3, clusters: int = 12) -> pd.DataFrame:
    """Annotators who mostly agree, with a fifth of the labels missing; clusters of one to five units."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(clusters), rng.integers(1, 6, clusters))
    truth = rng.integers(0, 3, len(cluster))
    return frame(
        [
            (unit, f"value {cluster[unit]}", f"annotator {k}", LEVELS[true if rng.random() < 0.7 else rng.integers(3)])
            for unit, true in enumerate(truth)
            for k in range(annotators)
            if rng.random() < 0.8
        ]
    )


@st.composite
def any_labels(draw: st.DrawFn) -> pd.DataFrame:
    """Up to four annotators, ten units in four clusters, labels missing here and there, perhaps all of them."""
    codes = draw(st.lists(st.lists(st.sampled_from([None, *LEVELS]), min_size=1, max_size=4), max_size=10))
    return frame(
        [
            (unit, unit % 4, f"annotator {k}", label)
            for unit, labels in enumerate(codes)
            for k, label in enumerate(labels)
            if label is not None
        ]
    )


def same(one: Any, other: Any) -> bool:
    return bool(one == pytest.approx(other, abs=1e-12, nan_ok=True))


# Worked numbers


@pytest.mark.parametrize("metric", ["nominal", "ordinal"])
def test_alpha_of_the_canonical_table(metric: str) -> None:
    row = measures(*canonical(metric), draws=FEW)
    assert row["metric"] == metric
    assert row["alpha"] == pytest.approx(CANONICAL["alpha"][metric], abs=5e-4)
    assert (row["n_units"], row["n_pairs"], row["annotators"]) == (12, 11, 4)


def test_ac1_and_fleiss_of_the_canonical_table() -> None:
    row: Any = measures(*canonical(), draws=FEW)
    assert row["ac1"] == pytest.approx(CANONICAL["chance_corrected"]["ac1"], abs=5e-6)
    chance = sum(share**2 for share in row["prevalence"].values())
    fleiss = (row["raw"] - chance) / (1 - chance)
    assert fleiss == pytest.approx(CANONICAL["chance_corrected"]["fleiss"], abs=5e-6)


def test_the_canonical_table_is_the_published_one() -> None:
    table = [[math.nan if one == "." else int(one) for one in row.split()] for row in CANONICAL["labels"].values()]
    found = krippendorff.alpha(table, level_of_measurement="interval")
    assert found == pytest.approx(CANONICAL["alpha"]["interval"], abs=5e-4)


@pytest.mark.parametrize("case", GOLDEN["two_by_two"], ids=lambda case: str(case["table"]))
def test_two_annotators_and_two_categories(case: dict[str, Any]) -> None:
    labels = of_table(case["table"])
    row = measures(labels, YES_NO, draws=FEW)
    for name in ("raw", "kappa", "ac1"):
        assert row[name] == pytest.approx(case[name], abs=5e-4)
    pair = pairs(labels, YES_NO, draws=FEW).iloc[0]
    assert (pair["raw"], pair["kappa"], pair["n"]) == (row["raw"], row["kappa"], row["n_units"])
    assert confusion(labels, YES_NO, ("a", "b")).to_numpy().tolist() == case["table"]


# Other programs, and the same by other means


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_statsmodels_and_its_mean_is_reported(seed: int) -> None:
    labels, criterion = random_labels(seed), Criterion("strength", LEVELS)
    table = pairs(labels, criterion, draws=FEW)
    for first, second, n, raw, kappa in table[["first", "second", "n", "raw", "kappa"]].itertuples(index=False):
        counted = confusion(labels, criterion, (first, second)).to_numpy()
        assert kappa == pytest.approx(cohens_kappa(counted).kappa)
        assert (n, raw) == (counted.sum(), pytest.approx(np.trace(counted) / counted.sum()))
    assert measures(labels, criterion, draws=FEW)["kappa"] == pytest.approx(table["kappa"].mean())


@pytest.mark.parametrize("metric", ["nominal", "ordinal"])
def test_intervals_are_those_of_resampled_rows(metric: Any) -> None:
    """Draws by sums are compared with measures of rows that are really drawn, where alpha is the library's."""
    labels, criterion = random_labels(1), Criterion("strength", LEVELS, metric)
    of_cluster = [part for _, part in labels.groupby("cluster")]
    draws, seed = 40, 7
    times = np.random.default_rng(seed).multinomial(len(of_cluster), [1 / len(of_cluster)] * len(of_cluster), draws)
    resampled: list[Any] = []
    for drawn in times:
        copies = [
            part.assign(unit=part["unit"].astype(str) + f" copy {copy}")
            for part, count in zip(of_cluster, drawn, strict=True)
            for copy in range(count)
        ]
        resampled.append(measures(pd.concat(copies), criterion, draws=1))
    row: Any = measures(labels, criterion, draws=draws, seed=seed)
    ends = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    for name in MEASURES:
        expected = np.quantile([one[name] for one in resampled], ends)
        assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx(tuple(expected))
    for category in LEVELS:
        expected = np.quantile([one["prevalence"][category] for one in resampled], ends)
        assert (row["prevalence_low"][category], row["prevalence_high"][category]) == pytest.approx(tuple(expected))


def test_interval_of_kappa_is_near_the_asymptotic_one_where_units_are_independent() -> None:
    table = [[20, 5], [10, 15]]
    asymptotic = cohens_kappa(np.array(table))
    row = measures(of_table(table), YES_NO)
    assert row["kappa_low"] == pytest.approx(asymptotic.kappa_low, abs=0.02)
    assert row["kappa_high"] == pytest.approx(asymptotic.kappa_upp, abs=0.02)


def test_interval_is_wider_where_a_value_is_judged_alike() -> None:
    labels = of_table([[20, 5], [10, 15]])
    alike: Any = measures(labels.assign(cluster=labels["unit"] // 5), YES_NO)
    apart: Any = measures(labels.assign(cluster=labels["unit"] % 10), YES_NO)
    assert alike["clusters"] == apart["clusters"] == 10
    assert alike["raw_high"] - alike["raw_low"] > apart["raw_high"] - apart["raw_low"]


# What must not matter, and what must


@given(any_labels(), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_order_of_rows_and_names_of_annotators_do_not_matter(labels: pd.DataFrame, random: Any) -> None:
    criterion = Criterion("strength", LEVELS, "ordinal")
    names = [f"annotator {k}" for k in range(4)]
    renamed = dict(zip(names, random.sample(names, 4), strict=True))
    order = random.sample(range(len(labels)), len(labels))
    other = labels.assign(annotator=labels["annotator"].map(renamed)).iloc[order]
    one, two = (measures(some, criterion, draws=FEW) for some in (labels, other))
    assert one.keys() == two.keys()
    for name, number in one.items():
        assert number == two[name] or same(number, two[name]), name


@given(any_labels(), st.permutations(LEVELS))
@settings(max_examples=40)
def test_names_of_categories_do_not_matter_to_nominal_measures(labels: pd.DataFrame, other: list[str]) -> None:
    criterion = Criterion("strength", LEVELS)
    renamed = labels.assign(label=labels["label"].map(dict(zip(LEVELS, other, strict=True))))
    one, two = (measures(some, criterion, draws=FEW) for some in (labels, renamed))
    for name in MEASURES:
        for end in ("", "_low", "_high"):
            assert same(one[name + end], two[name + end]), name + end


@given(any_labels())
@settings(max_examples=40)
def test_ordinal_alpha_is_the_same_in_reversed_order_of_categories(labels: pd.DataFrame) -> None:
    one, two = (
        measures(labels, Criterion("strength", order, "ordinal"), draws=FEW) for order in (LEVELS, LEVELS[::-1])
    )
    assert same([one["alpha"], one["alpha_low"]], [two["alpha"], two["alpha_low"]])


def test_order_of_categories_matters_to_ordinal_alpha() -> None:
    labels = random_labels(2)
    orders = (LEVELS, ("moderate", "mild", "strong"))
    one, two = (measures(labels, Criterion("strength", order, "ordinal"), draws=FEW)["alpha"] for order in orders)
    assert not same(one, two)


def test_a_seed_gives_the_same_intervals_again_and_another_seed_others() -> None:
    labels, criterion = random_labels(3), Criterion("strength", LEVELS)
    one, again, other = (measures(labels, criterion, draws=FEW, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert (one["seed"], one["draws"]) == (1, FEW)
    assert one["alpha"] == other["alpha"]
    assert one["alpha_low"] != other["alpha_low"]


def test_a_label_of_nan_is_missing() -> None:
    labels = random_labels(4)
    gaps = labels.assign(label=labels["label"].where(labels.index % 4 > 0))
    criterion = Criterion("strength", LEVELS)
    assert measures(gaps, criterion, draws=FEW) == measures(gaps.dropna(), criterion, draws=FEW)


def with_single_judgements() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels of which ten clusters were judged twice, and the same beside thirty clusters judged by one alone."""
    paired = of_table([[20, 5], [10, 15]]).assign(cluster=lambda labels: labels["unit"] % 10)
    alone = frame([(1000 + n, 1000 + n % 30, "ab"[n % 2], ("no", "yes")[n % 5 == 0]) for n in range(90)])
    return paired, pd.concat([paired, alone], ignore_index=True)


def test_clusters_that_nobody_judged_twice_change_no_interval_of_agreement() -> None:
    paired, beside = with_single_judgements()
    one, two = (measures(labels, YES_NO, draws=FEW) for labels in (paired, beside))
    assert (two["n_units"], two["n_pairs"], two["clusters"]) == (140, 50, 10)
    assert "intervals from 10 clusters only are too narrow" in str(two["note"])
    for name in ("raw", "alpha", "kappa"):
        for end in ("", "_low", "_high"):
            assert same(one[name + end], two[name + end]), name + end


def test_chance_in_ac1_and_prevalence_rest_on_all_clusters() -> None:
    _, beside = with_single_judgements()
    row: Any = measures(beside, YES_NO)
    yes = row["prevalence"]["yes"]
    assert yes == pytest.approx((25 + 18) / 140 + (10 - 5) / 2 / 140)
    chance = 2 * yes * (1 - yes)
    assert row["ac1"] == pytest.approx((0.7 - chance) / (1 - chance))
    assert row["ac1_low"] < row["ac1"] < row["ac1_high"]


# What is undefined


def test_without_labels_all_is_missing_and_the_note_says_so() -> None:
    row: Any = measures(frame([]), YES_NO, draws=FEW)
    assert (row["n_units"], row["n_pairs"], row["annotators"], row["clusters"]) == (0, 0, 0, 0)
    assert all(math.isnan(row[name]) for name in MEASURES)
    assert all(math.isnan(share) for share in row["prevalence"].values())
    assert row["note"] == "raw, alpha, ac1, kappa: no unit has two labels"
    assert pairs(frame([]), YES_NO).empty
    assert disagreements(frame([]), YES_NO).empty
    assert confusion(frame([]), YES_NO).to_numpy().sum() == 0


def test_one_annotator_has_prevalence_and_nothing_else() -> None:
    labels = of_table([[6, 1], [1, 2]])
    row: Any = measures(labels[labels["annotator"] == "a"], YES_NO, draws=FEW)
    assert (row["n_units"], row["n_pairs"], row["annotators"]) == (10, 0, 1)
    assert row["prevalence"] == pytest.approx({"yes": 0.7, "no": 0.3})
    assert row["prevalence_low"]["yes"] < 0.7 < row["prevalence_high"]["yes"]
    assert all(math.isnan(row[name]) for name in MEASURES)
    assert "no unit has two labels" in row["note"]


def test_with_one_category_alpha_and_kappa_are_undefined_and_ac1_is_1() -> None:
    labels = of_table([[10, 0], [0, 0]])
    row: Any = measures(labels, YES_NO, draws=FEW)
    assert (row["raw"], row["ac1"]) == (1.0, 1.0)
    assert all(math.isnan(row[name]) for name in ("alpha", "kappa", "raw_low", "ac1_high"))
    assert "alpha, kappa: undefined, since only one category is used" in row["note"]
    assert "raw, ac1: the same in nearly every draw" in row["note"]
    pair = pairs(labels, YES_NO, draws=FEW).iloc[0]
    assert pair["raw"] == 1.0
    assert math.isnan(pair["kappa"])
    assert "only one category" in pair["note"]


def test_ac1_depends_on_categories_that_nobody_used() -> None:
    labels = of_table([[20, 5], [10, 15]])
    more = Criterion("clear", (*YES_NO.categories, "cannot tell"))
    one: Any = measures(labels, YES_NO, draws=FEW)
    two: Any = measures(labels, more, draws=FEW)
    assert two["ac1"] > one["ac1"]
    assert same([one[name] for name in ("raw", "alpha", "kappa")], [two[name] for name in ("raw", "alpha", "kappa")])


def test_an_annotator_of_a_single_unit_is_left_out_of_the_mean_kappa_and_named() -> None:
    labels = of_table([[20, 5], [10, 15]])
    guest = pd.concat([labels, frame([(0, 0, "guest", "yes")])], ignore_index=True)
    row: Any = measures(guest, YES_NO, draws=FEW)
    assert row["annotators"] == 3
    assert row["kappa"] == pytest.approx(0.4)
    assert "kappa: without 2 of 3 pairs" in row["note"]
    with_guest = pairs(guest, YES_NO, draws=FEW).set_index(["first", "second"]).loc[("a", "guest")]
    assert (with_guest["n"], with_guest["clusters"], with_guest["raw"]) == (1, 1, 1.0)
    assert "one cluster only" in with_guest["note"]


def test_annotators_who_share_no_unit_have_no_agreement() -> None:
    labels = frame([(unit, unit, "ab"[unit % 2], "yes") for unit in range(6)])
    pair = pairs(labels, YES_NO, draws=FEW).iloc[0]
    assert (pair["n"], pair["clusters"]) == (0, 0)
    assert math.isnan(pair["raw"])
    assert pair["note"] == "raw, kappa: no unit was judged by both"


def test_one_cluster_gives_no_interval() -> None:
    row: Any = measures(of_table([[20, 5], [10, 15]]).assign(cluster="Honest"), YES_NO, draws=FEW)
    assert row["raw"] == pytest.approx(0.7)
    assert math.isnan(row["raw_low"])
    assert "one cluster only" in row["note"]


@pytest.mark.parametrize("clusters", [FEW_CLUSTERS - 1, FEW_CLUSTERS])
def test_intervals_from_few_clusters_are_noted_to_be_too_narrow(clusters: int) -> None:
    labels = of_table([[20, 5], [10, 15]])
    row: Any = measures(labels.assign(cluster=labels["unit"] % clusters), YES_NO, draws=FEW)
    assert row["clusters"] == clusters
    assert ("too narrow" in row["note"]) == (clusters < FEW_CLUSTERS)


def test_a_category_in_one_cluster_alone_leaves_alpha_without_an_interval() -> None:
    """The second category is missing in more than a third of the draws, and alpha with it."""
    row: Any = measures(of_table([[20, 1], [0, 0]]), YES_NO, draws=200)
    assert not math.isnan(row["alpha"])
    assert math.isnan(row["alpha_low"])
    assert "alpha, kappa: undefined in" in row["note"]
    assert row["raw_low"] < row["raw"]


def test_a_few_undefined_draws_are_counted_beside_the_interval() -> None:
    row: Any = measures(of_table([[20, 2], [2, 0]]), YES_NO, draws=1000)
    assert row["alpha_low"] < row["alpha"] < row["alpha_high"]
    assert "undefined in" in row["note"]
    assert "no interval" not in row["note"]


# What is refused


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        ([(1, 1, "a", "yes"), (1, 1, "b", "yse")], "unit 1, annotator b"),
        ([(1, 1, "a", "yes"), (1, 1, "a", "no")], "unit 1, annotator a"),
        ([(1, 1, "a", "yes"), (1, 2, "b", "yes")], "unit 1"),
        ([(1, None, "a", "yes")], "cluster"),
    ],
    ids=["unknown label", "judged twice", "two clusters", "no cluster"],
)
def test_labels_that_cannot_be_used_are_refused(rows: list[tuple[Any, Any, str, Any]], where: str) -> None:
    with pytest.raises(InputError) as caught:
        measures(frame(rows), YES_NO)
    assert caught.value.where == where
    assert caught.value.fix


def test_a_misspelt_label_gets_a_hint() -> None:
    with pytest.raises(InputError, match="yse") as caught:
        measures(frame([(1, 1, "a", "yse")]), YES_NO)
    assert "yes" in caught.value.fix


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError) as caught:
        measures(frame([]).drop(columns="cluster"), YES_NO)
    assert caught.value.where == "cluster"


@pytest.mark.parametrize("categories", [(), ("yes",), ("yes", "no", "yes")])
def test_a_criterion_needs_two_different_categories(categories: tuple[str, ...]) -> None:
    with pytest.raises(InputError):
        Criterion("clear", categories)


def test_a_stranger_has_no_confusion() -> None:
    with pytest.raises(InputError) as caught:
        confusion(of_table([[1, 1], [1, 1]]), YES_NO, ("a", "c"))
    assert '"c"' in caught.value.what


# Tables


def test_pooled_confusion_is_symmetric_and_counts_each_label_that_has_another_beside_it() -> None:
    labels, criterion = canonical()
    table = confusion(labels, criterion).to_numpy()
    assert (table == table.T).all()
    beside = labels.groupby("unit")["label"].transform("size") > 1
    assert table.sum() == pytest.approx(beside.sum())


def test_disagreements_list_each_annotators_label() -> None:
    labels = frame(
        [
            (1, "Loyal", "a", "yes"), (1, "Loyal", "b", "no"), (2, "Loyal", "a", "yes"), (2, "Loyal", "b", "yes"),
            (3, "Honest", "a", "no"), (3, "Honest", "c", "yes"), (4, "Honest", "a", "no"),
        ]
    )  # fmt: skip
    listed = disagreements(labels, YES_NO)
    assert list(listed.index) == [("Honest", 3), ("Loyal", 1)]
    assert listed.loc[("Loyal", 1), ["a", "b"]].tolist() == ["yes", "no"]
    assert pd.isna(listed.loc[("Honest", 3), "b"])


# Blind sorting


def sorted_by(judge: str, judged: dict[str, tuple[int, ...]]) -> pd.DataFrame:
    """What `blind_sort` makes of one reading of some shipped dilemmas: the judged place of each action, from 0."""
    dilemmas = [one for one in dataset.read(dataset.shipped_path()).dilemmas if one.id in judged]
    readings = [
        Judgement(
            dilemma=one.id,
            revision=one.revision,
            reviewer=judge,
            kind="machine",
            placements=tuple(
                Placement(polarity=side, intensity=much, judged_polarity=PLACES[at][0], judged_intensity=PLACES[at][1])
                for (side, much), at in zip(PLACES, judged[one.id], strict=True)
            ),
        )
        for one in dilemmas
    ]
    value_of = {one.id: one.value for one in dilemmas}
    return pd.DataFrame(
        [
            {"unit": sort.id, "cluster": value_of[sort.id], "annotator": judge, "side": sort.side, "tau": sort.tau}
            for sort in blind_sort.scores(dilemmas, readings)
        ]
    )


def test_blind_sorts_are_averaged_over_dilemmas_for_each_annotator() -> None:
    names = [one.id for one in dataset.read(dataset.shipped_path()).dilemmas]
    right, backwards, all_alike = (0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (0,) * 6
    sorts = [
        sorted_by("perfect", dict.fromkeys(names, right)),
        sorted_by("mixed", {names[0]: right, names[1]: right, names[2]: backwards, names[3]: all_alike}),
    ]
    table = with_intended(pd.concat(sorts), draws=200).set_index("annotator")
    perfect, mixed = table.loc["perfect"], table.loc["mixed"]
    assert (perfect["side"], perfect["n_units"]) == (1.0, len(names))
    assert perfect["tau"] == pytest.approx(1.0)
    assert math.isnan(perfect["side_low"])
    assert "the same in nearly every draw" in perfect["note"]
    assert (mixed["n_units"], mixed["n_side"], mixed["n_tau"]) == (4, 4, 3)
    assert mixed["side"] == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert mixed["tau"] == pytest.approx(1 / 3)
    assert mixed["side_low"] < mixed["side"] < mixed["side_high"]


def test_a_sort_that_nobody_could_read_is_missing() -> None:
    sorts = pd.DataFrame(
        {"unit": [1, 2], "cluster": [1, 2], "annotator": "a", "side": [None, None], "tau": [None, None]}
    )
    row = with_intended(sorts, draws=FEW).iloc[0]
    assert (row["n_units"], row["n_side"], row["n_tau"]) == (2, 0, 0)
    assert math.isnan(row["side"])
    assert row["note"] == "side, tau: undefined for every dilemma"


def test_a_dilemma_that_an_annotator_sorted_twice_is_refused() -> None:
    sorts = pd.DataFrame({"unit": [1, 1], "cluster": [1, 1], "annotator": "a", "side": [1.0, 0.5], "tau": [1.0, 0.5]})
    with pytest.raises(InputError):
        with_intended(sorts)
