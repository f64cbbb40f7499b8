"""The mathematics of significance: against numpy loops, scipy, statsmodels, published tables and work by hand."""

from __future__ import annotations

import doctest
import importlib
import math
import pkgutil

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from dilemmas import significance
from dilemmas.errors import InputError
from dilemmas.significance import bootstrap as bootstrapping
from dilemmas.significance.bootstrap import Bootstrap, bootstrap
from dilemmas.significance.corrections import benjamini_hochberg
from dilemmas.significance.equivalence import equivalence
from dilemmas.significance.jackknife import cluster_sums, jackknife
from dilemmas.significance.models import mixed, ols
from dilemmas.significance.published import mann_whitney, mcnemar, permutation, wilcoxon
from dilemmas.significance.shrinkage import shrink
from dilemmas.significance.two_way import FALLBACK, two_way

Floats = npt.NDArray[np.float64]
MODULES = [name for _, name, _ in pkgutil.iter_modules(significance.__path__, "dilemmas.significance.")]


def ratios(sums: Floats) -> Floats:
    """Every sum but the last by the last."""
    return np.asarray(sums[..., :-1] / sums[..., -1:])


def mean(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / sums[..., 1])


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_give_what_they_say(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


# Bootstrap

PARTS = np.column_stack([np.random.default_rng(1).normal([0.1, 0.5, 0], 1, (20, 3)), np.full(20, 4.0)])
SE = np.array([jackknife(PARTS[:, [at, 3]], mean).se for at in range(3)])
DF = np.full(3, 19.0)


def plain_bootstrap(parts: Floats, se: Floats, df: Floats, draws: int, seed: int) -> Bootstrap:
    """The same with all draws in memory."""
    rng, n = np.random.default_rng(seed), len(parts)
    with np.errstate(all="ignore"):
        estimate = ratios(parts.sum(axis=0))
        drawn = np.array([ratios(rng.multinomial(n, [1 / n] * n) @ parts) for _ in range(draws)])
    farthest = np.nanmax(np.abs(drawn - estimate) / (se * math.sqrt((n - 1) / n)), axis=1)
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    # the t quantile at the probability of a normal one
    half = np.maximum(stats.t.ppf(stats.norm.cdf(np.quantile(farthest, 0.95)), df), stats.t.ppf(0.975, df)) * se
    score = stats.norm.ppf(stats.t.cdf(np.abs(estimate) / se, df))
    p = np.array([(1 + (farthest >= one).sum()) / (1 + draws) for one in score])
    p = np.maximum(p, 2 * stats.t.sf(np.abs(estimate) / se, df))
    return Bootstrap(low, high, estimate - half, estimate + half, p, np.isnan(drawn).sum(axis=0))


@pytest.mark.parametrize("block", [2**19, 700])
@pytest.mark.parametrize("draws", [1, 2, 39, 1000])
def test_bootstrap_in_blocks_equals_one_with_all_draws_in_memory(
    monkeypatch: pytest.MonkeyPatch, draws: int, block: int
) -> None:
    monkeypatch.setattr(bootstrapping, "BLOCK", block)
    found = bootstrap(PARTS, ratios, SE, DF, draws=draws, seed=4)
    expected = plain_bootstrap(PARTS, SE, DF, draws, 4)
    if draws == 1:  # one draw has no width
        assert np.isnan(found.low).all()
        found, expected = (one._replace(low=SE, high=SE) for one in (found, expected))
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other)


def test_draws_in_which_a_contrast_is_undefined_do_not_count_for_it() -> None:
    parts = np.zeros((8, 3))
    parts[:, 0] = parts[:, 1] = np.arange(8.0)
    parts[:, 1] += 1
    parts[:4, 2] = 1  # absent from one draw in 2^8 or so

    def statistic(sums: Floats) -> Floats:
        return np.stack([sums[..., 0] / sums[..., 1], sums[..., 1] / sums[..., 2]], axis=-1)

    with np.errstate(all="ignore"):
        rng = np.random.default_rng(0)
        drawn = np.array([statistic(rng.multinomial(8, [1 / 8] * 8) @ parts) for _ in range(500)])
    drawn[np.isinf(drawn)] = np.nan
    found = bootstrap(
        parts, lambda s: np.where(np.isinf(x := statistic(s)), np.nan, x), np.ones(2), np.full(2, 7), draws=500
    )
    assert found.undefined.tolist() == np.isnan(drawn).sum(axis=0).tolist()
    assert found.undefined[1] > 0
    assert found.low == pytest.approx(np.nanquantile(drawn, 0.025, axis=0))
    assert found.high == pytest.approx(np.nanquantile(drawn, 0.975, axis=0))


def test_a_contrast_undefined_in_many_draws_has_no_interval() -> None:
    parts = np.column_stack([np.ones(5), [0.0, 0, 0, 0, 1]])
    found = bootstrap(parts, lambda s: np.where(s[..., 1:] > 0, s[..., :1], np.nan), np.ones(1), np.ones(1), draws=200)
    assert found.undefined[0] > 10
    assert all(math.isnan(numbers[0]) for numbers in found[:5])


def test_one_joint_interval_is_the_t_interval_and_several_are_wider() -> None:
    parts = np.random.default_rng(3).normal(0.4, 1, (40, 6))
    parts[:, 5] = 1
    single = [jackknife(parts[:, [at, 5]], mean) for at in range(5)]
    se, df = np.array([one.se for one in single]), np.full(5, 39.0)
    alone = bootstrap(parts[:, [0, 5]], ratios, se[:1], df[:1], draws=20_000)
    assert (alone.joint_low[0], alone.joint_high[0]) == pytest.approx((single[0].low, single[0].high), abs=0.02)
    assert alone.p_joint[0] == pytest.approx(single[0].p, abs=0.01)
    family = bootstrap(parts, ratios, se, df, draws=2000)
    assert (family.joint_low < [one.low for one in single]).all()
    assert (family.p_joint > [one.p for one in single]).all()
    assert ((family.joint_low > 0) | (family.joint_high < 0)).tolist() == (family.p_joint < 0.05).tolist()


@pytest.mark.parametrize(("clusters", "joint"), [(5, False), (6, True)])
def test_few_clusters_have_no_joint_interval_and_none_is_narrower_than_the_one_by_t(clusters: int, joint: bool) -> None:
    parts = np.column_stack([np.arange(clusters) ** 3 + 1.0, np.ones(clusters)])
    alone = jackknife(parts, mean)
    found = bootstrap(parts, ratios, np.array([alone.se]), np.array([alone.df]), draws=500)
    assert np.isfinite(found.low[0])
    assert [bool(np.isfinite(one[0])) for one in found[2:5]] == [joint] * 3
    if joint:
        assert found.joint_low[0] <= alone.low + 1e-9
        assert found.joint_high[0] >= alone.high - 1e-9
        assert found.p_joint[0] >= alone.p


def test_the_seed_makes_the_draws() -> None:
    first, again, other = (bootstrap(PARTS, ratios, SE, DF, draws=200, seed=seed) for seed in (1, 1, 2))
    assert first.low.tolist() == again.low.tolist() != other.low.tolist()


@pytest.mark.parametrize("draws", [0, -1])
def test_there_is_no_bootstrap_without_draws(draws: int) -> None:
    with pytest.raises(InputError, match=str(draws)):
        bootstrap(PARTS, ratios, SE, DF, draws=draws)


# Two ways


def crossed(values: int, topics: int, seed: int = 0, effect: float = 0.5) -> pd.DataFrame:
    """Differences of one dilemma for each value and topic, with effects of both."""
    rng = np.random.default_rng(seed)
    value, topic = (codes.ravel() for codes in np.indices((values, topics)))
    difference = rng.normal(0, effect, values)[value] + rng.normal(0, effect, topics)[topic]
    return pd.DataFrame({"difference": difference + rng.normal(0.2, 1, len(value)), "value": value, "topic": topic})


def two_way_of(table: pd.DataFrame) -> significance.Estimate:
    rows = np.column_stack([table["difference"], np.ones(len(table))])
    return two_way(rows, table["value"].to_numpy(), table["topic"].to_numpy(), mean)


@pytest.mark.parametrize("seed", range(3))
def test_a_mean_over_a_full_grid_has_the_two_way_errors_of_statsmodels(seed: int) -> None:
    # OLS(d, 1).fit(cov_type="cluster", cov_kwds={"groups": [value, topic]}, use_t=True)
    table = crossed(9, 5, seed)
    assert two_way_of(table) == pytest.approx(ols(table, topics=True))
    assert two_way_of(table).df == 4


def test_two_way_errors_by_hand() -> None:
    table = pd.DataFrame({"difference": [0.0, 2, 2, 4], "value": [0, 0, 1, 1], "topic": [0, 1, 0, 1]})
    # Means of values 1 and 3, of topics 1 and 3: variance of the mean 2/2 each; of the four 8/3/4.
    found = two_way_of(table)
    assert (found.estimate, found.df) == (2, 1)
    assert found.se == pytest.approx(math.sqrt(1 + 1 - 2 / 3))


def test_where_variances_cancel_the_larger_one_is_used_and_told() -> None:
    table = pd.DataFrame({"difference": [5.0, 0.2, 0, 5.1], "value": [0, 0, 1, 1], "topic": [0, 1, 0, 1]})
    found = two_way_of(table)
    rows = np.column_stack([table["difference"], np.ones(4)])
    single = [
        jackknife(cluster_sums(rows, table[name].to_numpy(), np.ones(4, bool)), mean).se for name in ("value", "topic")
    ]
    assert found.note == FALLBACK
    assert found.se == max(single)


def test_one_topic_gives_no_two_way_error() -> None:
    found = two_way_of(crossed(4, 1))
    assert math.isnan(found.p)
    assert "one topic" in found.note


# Corrections and equivalence


def test_benjamini_hochberg_by_hand() -> None:
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.55), "BH")
    found = benjamini_hochberg([0.01, 0.04, math.nan, 0.03, 0.005, 0.55])
    assert found == pytest.approx([0.025, 0.05, math.nan, 0.05, 0.025, 0.55], nan_ok=True)
    assert benjamini_hochberg([]) == []


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-0.3, 0.3), min_size=4, max_size=30, unique=True), st.floats(0.01, 0.2))
def test_equivalence_is_two_one_sided_t_tests(data: list[float], margin: float) -> None:
    found = stats.ttest_1samp(data, 0)
    se, df = float(stats.sem(data)), len(data) - 1
    if se < 1e-9:
        return
    low = stats.ttest_1samp(data, -margin, alternative="greater").pvalue
    high = stats.ttest_1samp(data, margin, alternative="less").pvalue
    p, verdict = equivalence(float(np.mean(data)), se, df, margin=margin)
    assert p == pytest.approx(max(low, high), abs=1e-9)
    inside = found.confidence_interval(0.9)
    assert ("equivalent" in verdict) == (-margin < inside.low and inside.high < margin)
    assert ("different" in verdict) == (found.pvalue < 0.05)


def test_different_may_rest_on_a_corrected_p() -> None:
    assert equivalence(0.1, 0.04, 30).verdict == "different"
    assert equivalence(0.1, 0.04, 30, p_different=0.06).verdict == "inconclusive"
    assert equivalence(0.001, 0.01, 30, p_different=0.01).verdict == "different and equivalent"


def test_nothing_is_said_about_equivalence_without_an_error() -> None:
    for estimate, se in ((0.0, 0.0), (0.0, math.nan), (math.nan, 0.1)):
        p, verdict = equivalence(estimate, se, 10)
        assert (math.isnan(p), verdict) == (True, "")


@pytest.mark.parametrize("margin", [0.0, -0.1, math.nan, math.inf])
def test_a_margin_must_be_above_zero(margin: float) -> None:
    with pytest.raises(InputError, match="above zero"):
        equivalence(0.1, 0.1, 10, margin=margin)


# Shrinkage

BCG = np.array(
    [
        (4, 123, 11, 139), (6, 306, 29, 303), (3, 231, 11, 220), (62, 13598, 248, 12867), (33, 5069, 47, 5808),
        (180, 1541, 372, 1451), (8, 2545, 10, 629), (505, 88391, 499, 88391), (29, 7499, 45, 7277),
        (17, 1716, 65, 1665), (186, 50634, 141, 27338), (5, 2498, 3, 2341), (27, 16913, 29, 17854),
    ],
    float,
)  # fmt: skip
"""Tuberculosis and all, vaccinated and not, in 13 trials: `dat.bcg` of R's metafor."""


def bcg() -> tuple[Floats, Floats]:
    """Logarithms of the risk ratios and their standard errors."""
    a, n, c, m = BCG.T
    return np.log(a / n / (c / m)), np.sqrt(1 / a - 1 / n + 1 / c - 1 / m)


def test_heterogeneity_of_the_bcg_trials() -> None:
    # R: rma(measure="RR", ai=tpos, bi=tneg, ci=cpos, di=cneg, data=dat.bcg, method="DL")
    spread, _ = shrink(*bcg())
    assert spread.mean == pytest.approx(-0.7141, abs=5e-5)
    assert spread.mean_se == pytest.approx(0.1787, abs=5e-5)
    assert spread.tau**2 == pytest.approx(0.3088, abs=5e-5)
    assert spread.cochran_q == pytest.approx(152.2330, abs=5e-5)
    assert spread.i2 == pytest.approx(0.9212, abs=5e-5)
    assert (spread.groups, spread.df) == (13, 12)
    assert spread.p < 0.0001
    far = stats.t.ppf(0.975, 11) * math.sqrt(0.30876 + 0.17874**2)
    assert (spread.prediction_low, spread.prediction_high) == pytest.approx((-0.71412 - far, -0.71412 + far), abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0.1, 2)), min_size=3, max_size=12))
def test_spread_equals_statsmodels_where_groups_differ_more_than_chance(groups: list[tuple[float, float]]) -> None:
    y, se = np.array(groups).T
    spread, shrunken = shrink(y, se)
    if spread.tau > 0.01:
        expected = combine_effects(y, se**2, method_re="dl")
        assert (spread.tau**2, spread.cochran_q) == pytest.approx((expected.tau2, expected.q))
        assert (spread.mean, spread.mean_se) == pytest.approx((expected.mean_effect_re, expected.sd_eff_w_re))
    assert (np.minimum(y, spread.mean) - 1e-9 <= shrunken.estimate).all()
    assert (shrunken.estimate <= np.maximum(y, spread.mean) + 1e-9).all()
    assert (shrunken.se <= np.maximum(se, spread.mean_se) + 1e-9).all()


def test_shrinkage_by_hand() -> None:
    spread, shrunken = shrink(np.array([0.0, 4.0, math.nan]), np.array([1.0, 1.0, 1.0]))
    # Q = 8, tau^2 = (8 - 1) / (2 - 1); weights 1/8: mean 2, error 2; B = 1/8.
    assert (spread.groups, spread.cochran_q, spread.mean, spread.mean_se) == pytest.approx((2, 8, 2, 2))
    assert spread.tau**2 == pytest.approx(7)
    assert shrunken.estimate == pytest.approx([0.25, 3.75, math.nan], nan_ok=True)
    assert shrunken.se[0] ** 2 == pytest.approx(7 / 8 + 4 / 64)
    assert math.isnan(spread.prediction_low)
    assert "prediction" in spread.note


def test_groups_that_differ_by_chance_only_have_one_estimate_and_no_p_of_their_own() -> None:
    spread, shrunken = shrink(np.array([1.0, 1.05, 0.95]), np.array([0.1, 0.1, 0.1]))
    assert spread.tau == 0
    assert "common mean" in spread.note
    assert np.isnan(shrunken.p).all()
    assert shrunken.estimate == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    ("estimates", "se", "word"),
    [
        ([], [], "no group"),
        ([math.nan], [1.0], "no group"),
        ([1.0], [1.0], "one group"),
        ([1.0, 2], [0.0, 0], "within"),
    ],
)
def test_too_few_groups_are_not_shrunken_and_a_note_says_why(
    estimates: list[float], se: list[float], word: str
) -> None:
    spread, shrunken = shrink(np.array(estimates), np.array(se))
    assert word in spread.note
    assert math.isnan(spread.tau)
    assert np.isnan(shrunken.estimate).all()


# Models


def test_errors_by_value_by_hand() -> None:
    table = pd.DataFrame({"difference": [1.0, 2, 3, 6, math.nan], "value": ["a", "a", "b", "b", "c"]})
    found = ols(table)
    # Residuals -2, -1, 0, 3 add up to -3 and 3 in the values.
    assert found.estimate == 3
    assert found.se == pytest.approx(math.sqrt(2 / 1 * (9 + 9) / 16))
    assert (found.df, found.p) == pytest.approx((1, 2 * stats.t.sf(3 / found.se, 1)))


def sides(first: Floats, second: Floats, values: int) -> pd.DataFrame:
    n = len(first)
    value, item = np.repeat(np.arange(values), n // values), np.arange(n)
    return pd.concat(
        [
            pd.DataFrame({"ad": ad, "first": side, "value": value, "item": item})
            for side, ad in ((1, first), (0, second))
        ],
        ignore_index=True,
    )


def test_the_mixed_model_has_the_errors_of_the_means_it_is_about() -> None:
    rng = np.random.default_rng(2)
    item, shift = rng.normal(0, 1, 60), np.repeat(rng.normal(0.5, 0.6, 12), 5)
    first, second = item + shift + rng.normal(0, 0.3, 60), item + rng.normal(0, 0.3, 60)
    difference = first - second
    of_values = difference.reshape(12, 5).mean(axis=1)
    found = mixed(sides(first, second, 12))
    assert found.note == ""
    assert found.estimate == pytest.approx(difference.mean(), abs=1e-4)
    assert found.se == pytest.approx(of_values.std(ddof=1) / math.sqrt(12), rel=0.02)
    without = mixed(sides(first, second, 12), slope=False)
    assert without.se == pytest.approx(difference.std(ddof=1) / math.sqrt(60), rel=0.02)


def test_a_mixed_model_that_does_not_converge_gives_a_note_and_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    def fails(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError("singular")

    rng = np.random.default_rng(0)
    monkeypatch.setattr(MixedLM, "fit", fails)
    found = mixed(sides(rng.normal(size=12), rng.normal(size=12), 3))
    assert "converge" in found.note
    assert math.isnan(found.estimate)
    assert math.isnan(found.p)


def test_where_nothing_varies_or_one_value_is_left_there_is_no_regression() -> None:
    flat = pd.DataFrame({"difference": [0.5, 0.5, 0.5], "value": ["a", "b", "c"]})
    assert math.isnan(ols(flat).p)
    assert "no variation" in ols(flat).note
    assert "one cluster" in ols(flat.assign(difference=[1.0, 2, 3], value="a")).note
    assert "no dilemma" in ols(flat.assign(difference=math.nan)).note
    ones = np.ones(6)
    assert "no variation" in mixed(sides(ones, ones, 3)).note
    assert "one value" in mixed(sides(ones, ones, 1)).note


# Published tests


def test_mann_whitney_as_documented_in_r() -> None:
    # R, example(wilcox.test): permeability of placentas, W = 35, one-sided p = .1272
    x = np.array([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])
    y = np.array([1.15, 0.88, 0.90, 0.74, 1.21])
    found = mann_whitney(x, y)
    assert (found.statistic, found.n) == (35, 15)
    assert found.p / 2 == pytest.approx(0.1272, abs=5e-5)
    assert found.effect == pytest.approx(2 * 35 / 50 - 1)


def test_wilcoxon_as_documented_in_r() -> None:
    # R, example(wilcox.test): depression, V = 40 of 45, one-sided p = .01953
    x = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    y = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    found = wilcoxon(x - y)
    assert found.statistic == 45 - 40
    assert found.p / 2 == pytest.approx(0.01953, abs=5e-6)
    assert found.effect == pytest.approx((40 - 5) / 45)


def pairs(both: int, first_only: int, second_only: int, neither: int) -> tuple[npt.NDArray[np.bool_], ...]:
    counts = [both, first_only, second_only, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_mcnemar_by_hand() -> None:
    # Approval of a prime minister in two surveys: Agresti (2002), Categorical data analysis, table 10.1
    found = mcnemar(*pairs(794, 150, 86, 570))
    assert found.statistic == pytest.approx((86 - 150) ** 2 / (86 + 150))
    assert found.p == pytest.approx(stats.chi2.sf(found.statistic, 1))
    assert found.effect == pytest.approx((86 - 150) / 1600)
    few = mcnemar(*pairs(5, 2, 9, 1))
    assert few.p == pytest.approx(stats.binomtest(2, 11).pvalue)


def test_paired_permutation_agrees_with_all_permutations() -> None:
    d = np.array([0.3, -0.1, 0.5, 0.2, 0.4, -0.2, 0.1, 0.6])
    rows, swapped = (np.column_stack([one, np.ones(8)]) for one in (d, -d))
    p = permutation(rows, swapped, ratios, draws=20_000)[0]
    exact = stats.permutation_test(
        (d, np.zeros(8)), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert p == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000))


def test_published_tests_say_where_there_is_nothing_to_test() -> None:
    nothing, same = np.array([]), np.ones(4)
    no = np.zeros(3, bool)
    for found in (mann_whitney(nothing, same), mann_whitney(same, same), wilcoxon(same * 0), mcnemar(no, no)):
        assert math.isnan(found.p)
        assert found.note
    assert np.isnan(permutation(np.zeros((3, 2)), np.zeros((3, 2)), ratios, draws=9)).all()
    with pytest.raises(InputError, match="draws 0"):
        permutation(np.zeros((3, 2)), np.zeros((3, 2)), ratios, draws=0)
