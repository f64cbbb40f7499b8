"""Are answers fit to interpret? The test of letters, and the rules of the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multivariate import test_mvmean as twin

from dilemmas.diagnostics import ALL, hotelling, position, verdict

Floats = npt.NDArray[np.float64]
EVEN = "ABCDEF"


def chosen(conditions: Mapping[str, Mapping[str, str]], mass: float = math.nan, model: str = "m") -> pd.DataFrame:
    """Answered trials: for each persona and item the letters chosen; `-` for a refusal."""
    return pd.DataFrame(
        [
            {
                "model": model,
                "persona": persona,
                "item": item,
                "status": "refused" if letter == "-" else "answered",
                "letter": None if letter == "-" else letter,
                "mass": math.nan if letter == "-" else mass,
            }
            for persona, items in conditions.items()
            for item, letters in items.items()
            for letter in letters
        ]
    )


def drawn(weights: Floats, *, items: int = 40, each: int = 9, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return chosen({"baseline": {f"i{item}": "".join(rng.choice(list(EVEN), each, p=weights)) for item in range(items)}})


def counts(answered: int = 100, refused: int = 0, unreadable: int = 0, still_open: int = 0) -> pd.DataFrame:
    row = {"model": "m", "answered": answered, "refused": refused, "unreadable": unreadable, "open": still_open}
    return pd.DataFrame([row])


UNIFORM = np.full(6, 1 / 6)


# Hotelling's test


@pytest.mark.parametrize("columns", [2, 3, 5])
def test_hotelling_equals_the_formula_and_statsmodels(columns: int) -> None:
    rng = np.random.default_rng(columns)
    rows = rng.normal(0.2, 1, (30, columns)) @ rng.normal(size=(columns, columns))
    mean, covariance = rows.mean(axis=0), np.cov(rows, rowvar=False).reshape(columns, columns)
    t2 = 30 * mean @ np.linalg.solve(covariance, mean)
    expected = t2 * (30 - columns) / (columns * 29)
    statistic, p = hotelling(rows)
    assert statistic == pytest.approx(expected)
    assert p == pytest.approx(stats.f.sf(expected, columns, 30 - columns))
    other = twin(rows, mean_null=np.zeros(columns))
    assert (statistic, p) == pytest.approx((other.statistic, other.pvalue))


def test_in_one_dimension_it_is_the_t_test() -> None:
    rows = np.random.default_rng(0).normal(0.3, 1, (15, 1))
    expected = stats.ttest_1samp(rows[:, 0], 0)
    assert hotelling(rows) == pytest.approx((expected.statistic**2, expected.pvalue))


def test_a_column_that_follows_from_the_others_changes_nothing() -> None:
    shares = np.random.default_rng(2).dirichlet(np.ones(6), size=40) - 1 / 6
    assert hotelling(shares) == pytest.approx(hotelling(shares[:, :5]))
    assert hotelling(shares) == pytest.approx(hotelling(shares[:, ::-1]))
    assert hotelling(np.column_stack([shares, np.zeros(40)])) == pytest.approx(hotelling(shares))


def test_without_enough_variation_there_is_no_test() -> None:
    rng = np.random.default_rng(3)
    for rows in (
        np.empty((0, 3)),
        rng.normal(size=(2, 1)),
        rng.normal(size=(4, 6)),
        np.full((20, 3), 0.5),
        np.zeros((20, 3)),
        np.column_stack([rng.normal(size=20), np.full(20, 0.5)]),
    ):
        assert all(math.isnan(number) for number in hotelling(rows))


def test_its_size_holds_where_conditions_share_orders_and_the_pooled_test_fails() -> None:
    """Thirteen conditions choose mostly the same option, and so the same letter, in each of three orders."""
    rng = np.random.default_rng(5)
    runs, items = 300, 40
    clustered = pooled = 0
    for _ in range(runs):
        orders = rng.permuted(np.tile(np.arange(6), (items, 3, 1)), axis=2)
        options = np.where(
            rng.random((items, 13)) < 0.8, rng.integers(6, size=(items, 1)), rng.integers(6, size=(items, 13))
        )
        letters = np.take_along_axis(orders, options[:, None, :], axis=2).reshape(items, -1)
        shares = np.stack([(letters == letter).mean(axis=1) for letter in range(6)], axis=1)
        clustered += hotelling(shares - 1 / 6)[1] < 0.05
        pooled += stats.chisquare(np.bincount(letters.ravel(), minlength=6)).pvalue < 0.05
    error = math.sqrt(0.05 * 0.95 / runs)
    assert clustered / runs == pytest.approx(0.05, abs=3 * error)
    assert pooled / runs > 0.5


# Letters


def test_letters_are_counted_by_persona_and_over_all() -> None:
    frame = chosen({"baseline": {"i": "AAB", "j": "AC-"}, "one": {"i": "FFF"}}, mass=0.8)
    table = position(frame).set_index("persona")
    assert list(table.index) == [ALL, "baseline", "one"]
    assert table["n"].tolist() == [8, 5, 3]
    assert table.loc[ALL, [f"share_{letter}" for letter in EVEN]].tolist() == [3 / 8, 1 / 8, 1 / 8, 0, 0, 3 / 8]
    assert table.loc["baseline", "share_A"] == 3 / 5
    assert (table.loc["one", "letter"], table.loc["one", "share"]) == ("F", 1)
    assert table["mass"].tolist() == pytest.approx([0.8, 0.8, 0.8])


def test_a_letter_beyond_the_options_counts_all_the_same() -> None:
    table = position(chosen({"b": {"i": "AF", "j": "BA"}}), 4).iloc[0]
    assert [table[f"share_{letter}"] for letter in EVEN] == [0.5, 0.25, 0, 0, 0, 0.25]


def test_the_test_takes_dilemmas_as_clusters() -> None:
    frame = drawn(np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.1]))
    shares = pd.crosstab(frame["item"], frame["letter"]).to_numpy() / 9
    row = position(frame).iloc[0]
    assert (row["F"], row["p"]) == pytest.approx(hotelling(shares - 1 / 6))
    doubled = position(pd.concat([frame, frame.assign(persona="one")])).iloc[0]
    assert doubled["n"] == 2 * row["n"]
    assert (doubled["F"], doubled["p"]) == pytest.approx((row["F"], row["p"]))


def test_models_are_judged_apart() -> None:
    frame = pd.concat([chosen({"b": {"i": "AAA"}}), chosen({"b": {"i": "BBB"}}, model="n")])
    table = position(frame)
    assert table[table["persona"] == ALL]["letter"].tolist() == ["A", "B"]


def test_no_answer_leaves_no_letter() -> None:
    table = position(chosen({"b": {"i": "--"}}))
    assert table.empty
    assert {"model", "persona", "share_A", "letter", "share", "mass", "F", "p"} <= set(table.columns)
    found = verdict("m", table, counts(0, 2))
    assert found.fit == "not fit to interpret"
    assert "no reply" in found.reasons[0]


# The verdict


def test_even_letters_are_fit_to_interpret() -> None:
    for seed in range(5):
        assert verdict("m", position(drawn(UNIFORM, seed=seed)), counts()) == ("m", "fit to interpret", ())


def test_letters_that_are_even_in_every_dilemma_are_fit_to_interpret() -> None:
    letters = position(chosen({"b": {f"i{item}": EVEN for item in range(10)}}))
    assert verdict("m", letters, counts()).fit == "fit to interpret"


@pytest.mark.parametrize("answers", ["AAAAAA", "AAAABC", "AAABCD"])
def test_one_letter_whatever_stands_there_is_not_fit(answers: str) -> None:
    letters = position(chosen({"b": {f"i{item}": answers for item in range(10)}}))
    found = verdict("m", letters, counts())
    assert found.fit == "not fit to interpret"
    assert "follow the letter" in found.reasons[0]
    assert "A" in found.reasons[0]


def test_a_favoured_letter_asks_for_care() -> None:
    found = verdict("m", position(drawn(np.array([0.3, 0.14, 0.14, 0.14, 0.14, 0.14]), items=200)), counts())
    assert found.fit == "interpret with care"
    assert "letter A is favoured" in found.reasons[0]
    assert "p =" in found.reasons[0]


def test_a_slight_but_certain_tilt_asks_for_care() -> None:
    letters = position(drawn(np.array([0.2, 0.16, 0.16, 0.16, 0.16, 0.16]), items=600))
    assert letters["share"][0] < 0.25
    assert verdict("m", letters, counts()).fit == "interpret with care"


def test_a_letter_that_is_never_chosen_does_not_pass_unseen() -> None:
    letters = position(drawn(np.array([0.2, 0.2, 0.2, 0.2, 0.2, 0]), items=200))
    assert letters["share"][0] < 0.25
    found = verdict("m", letters, counts())
    assert found.fit == "interpret with care"
    assert "never chosen" in found.reasons[0]


@pytest.mark.parametrize(("mass", "fit"), [(0.49, "interpret with care"), (0.51, "fit to interpret")])
def test_little_probability_on_the_letters_asks_for_care(mass: float, fit: str) -> None:
    letters = position(drawn(UNIFORM).assign(mass=mass))
    found = verdict("m", letters, counts())
    assert found.fit == fit
    assert any("probability" in reason for reason in found.reasons) == (mass < 0.5)


@pytest.mark.parametrize(
    ("table", "word"),
    [
        (counts(90, 10, 0), "10%"),
        (counts(90, 4, 6), "10%"),
        (counts(91, 4, 5), ""),
        (counts(100, 0, 0, 3), "3 trials"),
    ],
)
def test_unread_and_open_trials_ask_for_care(table: pd.DataFrame, word: str) -> None:
    found = verdict("m", position(drawn(UNIFORM)), table)
    assert found.fit == ("interpret with care" if word else "fit to interpret")
    assert any(word in reason for reason in found.reasons) == bool(word)


def test_only_the_models_own_counts_matter() -> None:
    other = counts(1, 50, 50, 9).assign(model="other")
    assert verdict("m", position(drawn(UNIFORM)), pd.concat([counts(), other])).fit == "fit to interpret"


def test_a_demonstration_is_never_fit_and_all_reasons_are_given() -> None:
    assert verdict("m", position(drawn(UNIFORM)), counts(), demonstration=True).fit == "not fit to interpret"
    letters = position(chosen({"b": {f"i{item}": "AAAAAA" for item in range(10)}}, mass=0.1))
    found = verdict("m", letters, counts(50, 50), demonstration=True)
    assert len(found.reasons) == 4


def test_where_options_never_change_places_a_letter_proves_nothing() -> None:
    letters = position(chosen({f"item-{n}": {"one": "AAA"} for n in range(8)}))
    found = verdict("m", letters, counts(), fixed=True)
    assert found.fit == "interpret with care"
    assert "never changed places" in found.reasons[0]
