"""Which form of a published test is run, and effect sizes of what is undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from frames import dilemma_frame
from scipy import stats

from dilemmas.significance import categories_to_baseline, compare, published
from dilemmas.significance.published import NO_DRAWS, NOTHING, wilcoxon


def test_few_differences_without_ties_are_tested_exactly_and_the_method_says_so() -> None:
    found = wilcoxon(np.array([1.0, 2, 3, -4, 5, 6]))
    assert found.method == "wilcoxon exact (for comparison only)"
    assert found.p == pytest.approx(2 * 7 / 64)  # 7 of the 64 choices of signs have W- of 4 or less


def test_tied_and_many_differences_are_tested_by_the_normal_approximation() -> None:
    tied, many = np.repeat([0.2, -0.4, 0.6], [5, 3, 4]), np.arange(1.0, 52) * np.resize([1, 1, -1], 51)
    for d in (tied, many):
        found = wilcoxon(d)
        assert found.method == "wilcoxon (for comparison only)"
        assert found.p == pytest.approx(stats.wilcoxon(d, method="asymptotic").pvalue)


def test_an_undefined_delta_has_no_effect_size() -> None:
    values, ad = ["u", "u", "v", "w"], [0.1, 0.4, 0.2, 0.9]
    answered = {"ad": ad, "sign_v": [1] * 4, "sign_a": [1] * 4}
    table = dilemma_frame(
        {"baseline": answered, "one": answered | {"ad": [0.3, 0.1, 0.5, 0.2]}, "two": {}},
        values,
        {"baseline": "baseline", "one": "max", "two": "max"},
    )
    found = compare(table, categories_to_baseline(table), draws=0).set_index("metric").loc["AD"]
    assert math.isnan(found["estimate"])
    assert math.isnan(found["dz"])


def test_conditions_without_a_common_dilemma_are_not_tested() -> None:
    here, there = ([0.1, 0.4, 0.9, 0.3, *[math.nan] * 4], [*[math.nan] * 4, 0.2, 0.8, 0.5, 0.7])
    signs = {"sign_v": [1] * 8, "sign_a": [1] * 8}
    gaps = {
        name: {"ad": ad} | {side: np.where(np.isnan(ad), math.nan, of_side) for side, of_side in signs.items()}
        for name, ad in (("baseline", here), ("one", there))
    }
    table = dilemma_frame(gaps, ["a", "b"] * 4)
    found = published(table, categories_to_baseline(table))
    assert len(found) == 5
    assert found[["estimate", "p", "effect"]].isna().all(axis=None)
    assert set(found["note"]) == {NOTHING}


def test_without_draws_only_the_permutation_has_no_p_and_a_note_says_why() -> None:
    answered = {"sign_v": [1] * 4, "sign_a": [1, -1, 1, -1]}
    ad = {"baseline": [0.1, 0.4, 0.2, 0.9], "one": [0.3, 0.1, 0.5, 0.2]}
    table = dilemma_frame({name: answered | {"ad": of_persona} for name, of_persona in ad.items()}, list("abcd"))
    found = published(table, categories_to_baseline(table)[:1], draws=0).set_index("method")
    permuted = found.loc["paired-permutation (for comparison only)"]
    assert math.isnan(permuted["p"])
    assert permuted["note"] == NO_DRAWS
    assert found["p"].notna().sum() == 2
