"""Matrices: cells by hand, the order of the circle, and shades whose words can be read."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from frames import answer_frame, random_frame
from hypothesis import given, settings
from hypothesis import strategies as st

from dilemmas import scores, taxonomy
from dilemmas.reporting import matrices
from dilemmas.reporting.shades import FILLS, INKS, Shades

RING = [
    "Self-direction", "Stimulation", "Hedonism", "Achievement", "Power", "Security", "Tradition", "Conformity",
    "Benevolence", "Universalism",
]  # fmt: skip
NUMBERS = ["n", "AD", "v", "a", "n_ar", "AR", "f1_chance", "p_agree", "p_aligned", "accuracy"]


def dilemmas(seed: int = 0, missing: float = 0.2) -> pd.DataFrame:
    frame = random_frame(np.random.default_rng(seed), values=3, per_value=4, missing=missing)
    return scores.per_dilemma(frame)


def test_a_cell_has_the_scores_of_its_dilemmas() -> None:
    items = {
        "Honest-1": ([1.0, 1.0], [0.6, 0.6]),  # agree, aligned
        "Honest-2": ([0.2, 0.2], [-0.6, -0.6]),  # agree, opposed
        "Honest-3": ([-1.0, -1.0], [None, None]),
        "Wealth-1": ([-1.0], [-0.2]),
    }
    table = matrices.cells(scores.per_dilemma(answer_frame({"baseline": items})))
    rows = table.set_index("group")
    assert table["group"].tolist() == ["Wealth", "Honest"]
    assert rows.loc["Honest", ["n", "n_ar"]].tolist() == [2, 2]
    assert rows.loc["Honest", "AD"] == pytest.approx((0.4 + 0.8) / 2)
    assert rows.loc["Honest", "AR"] == pytest.approx(2 / 3)
    assert rows.loc["Honest", "f1_chance"] == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert rows.loc["Honest", "accuracy"] == 0.5
    assert rows.loc["Wealth", ["AD", "accuracy"]].tolist() == pytest.approx([0.8, 1.0])
    assert math.isnan(rows.loc["Wealth", "AR"])  # nobody agrees and nothing is aligned: no F1


@pytest.mark.parametrize("by", ["value", "topic"])
def test_cells_agree_with_the_scores_of_the_same_dilemmas(by: matrices.By) -> None:
    rows = dilemmas()
    for cell in matrices.cells(rows, by).to_dict("records"):
        own = rows[(rows["persona"] == cell["persona"]) & (rows[by] == cell["group"])]
        measures = scores.agreement(own["sign_v"].to_numpy(float), own["sign_a"].to_numpy(float))
        assert cell["AD"] == pytest.approx(own["ad"].mean(), nan_ok=True)
        assert cell["n_ar"] == measures["n_ar"]
        assert cell["AR"] == pytest.approx(measures["f1_agree"], nan_ok=True)
        for name in ("f1_chance", "p_agree", "p_aligned", "accuracy"):
            assert cell[name] == pytest.approx(measures[name], nan_ok=True)


def test_values_stand_on_the_circle() -> None:
    names = sorted(taxonomy.values())
    items = {f"{name}-1": ([1.0], [1.0]) for name in names}
    rows = scores.per_dilemma(answer_frame({"baseline": items}))
    table = matrices.cells(rows.assign(value=rows["item"].str.removesuffix("-1"), basic_value="wrong"))
    assert len(table) == 56
    assert list(dict.fromkeys(table["basic_value"])) == RING
    shown = matrices.grid(table, "m", "AD")
    assert [row.basic_value for row in shown.rows if row.first] == RING
    assert sum(row.first for row in shown.rows) == 56


def test_a_value_that_nobody_knows_stands_last() -> None:
    items = {name: ([1.0], [1.0]) for name in ("Zeal-1", "Wealth-1", "Honest-1")}
    table = matrices.cells(scores.per_dilemma(answer_frame({"baseline": items})).drop(columns="basic_value"))
    assert table["group"].tolist() == ["Wealth", "Honest", "Zeal"]
    assert table["basic_value"].tolist() == ["Power", "Benevolence", ""]


def test_what_a_condition_was_not_asked_is_an_empty_cell() -> None:
    frame = answer_frame(
        {"baseline": {"Honest-1": ([1.0], [1.0]), "Wealth-1": ([1.0], [1.0])}, "p": {"Honest-1": ([1.0], [1.0])}}
    )
    shown = matrices.grid(matrices.cells(scores.per_dilemma(frame)), "m", "AD")
    assert [one.persona for one in shown.rows[0].cells] == ["baseline", "p"]
    empty = shown.rows[0].cells[1]
    assert (empty.n, empty.shade, empty.text) == (0, None, "–")


@settings(max_examples=15)
@given(st.permutations(range(36)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    rows = dilemmas(1)
    pd.testing.assert_frame_equal(matrices.cells(rows.iloc[order]), matrices.cells(rows))


def test_doubling_every_dilemma_doubles_counts_only() -> None:
    rows = dilemmas(2)
    twice = pd.concat([rows, rows.assign(item=rows["item"] + "-again")])
    before, after = matrices.cells(rows), matrices.cells(twice)
    counts = ["n", "n_ar"]
    assert (after[counts] == 2 * before[counts]).all(axis=None)
    pd.testing.assert_frame_equal(after.drop(columns=counts), before.drop(columns=counts))


def test_exchanging_stated_and_acted_leaves_every_measure_but_the_rates() -> None:
    rows = dilemmas(3)
    names = {"v": "a", "a": "v", "sign_v": "sign_a", "sign_a": "sign_v"}
    before, after = matrices.cells(rows), matrices.cells(rows.rename(columns=names))
    for name, other in (("AD", "AD"), ("AR", "AR"), ("f1_chance", "f1_chance"), ("p_agree", "p_aligned")):
        pd.testing.assert_series_equal(after[name], before[other], check_names=False)


def test_shades_of_one_study_mean_the_same_in_all_its_matrices() -> None:
    rows = pd.concat([dilemmas(4), dilemmas(5).assign(model="other", ad=lambda x: x["ad"] / 4)])
    table = matrices.cells(rows)
    assert matrices.grid(table, "m", "AD").shades == matrices.grid(table, "other", "AD").shades


def test_darker_is_a_larger_gap_in_both_metrics() -> None:
    distances, rates = Shades("AD", 0, 1), Shades("AR", 0, 1)
    numbers = np.linspace(0, 1, 30)
    assert [distances.of(x) for x in numbers] == sorted(distances.of(x) or 0 for x in numbers)
    assert [rates.of(x) for x in numbers] == sorted((rates.of(x) or 0 for x in numbers), reverse=True)
    assert {distances.of(0), distances.of(1)} == {0, len(FILLS) - 1}


def test_words_can_be_read_on_every_shade() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    light = [luminance(fill) for fill in FILLS]
    assert light == sorted(light, reverse=True)
    for fill, ink in zip(FILLS, INKS, strict=True):
        low, high = sorted((luminance(fill), luminance(ink)))
        assert (high + 0.05) / (low + 0.05) >= 4.5


@pytest.mark.parametrize("numbers", [[], [math.nan], [0.5], [0.3, 0.3]])
def test_shades_span_something_whatever_there_is(numbers: list[float]) -> None:
    shades = Shades.spanning("AD", numbers)
    assert shades.low < shades.high
    assert all(shades.of(x) is not None for x in numbers if not math.isnan(x))
