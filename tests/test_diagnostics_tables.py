"""Tables of diagnostics: hand-computed cases, twins, invariances, and what they say where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dilemmas import scores
from dilemmas.diagnostics import (
    ALL,
    diagnose,
    drift,
    letter_mass,
    letters,
    order_sensitivity,
    repeat_agreement,
    signs,
    spread,
    unread,
)
from dilemmas.diagnostics.shares import share
from dilemmas.orders import williams_square
from dilemmas.questions import INSTRUMENTS, SCALES

Floats = npt.NDArray[np.float64]
CODES = {one.SIDE: one.CODES for one in INSTRUMENTS.values()}
SQUARE = np.array(williams_square(6))
LETTERS = np.array(list("ABCDEF"))


def row(
    chosen: int | None, order: Sequence[int], repeat: int = 0, item: str = "v1-0", side: str = "stated", **more: object
) -> dict[str, object]:
    """One trial: the number of the option chosen (None: refused) and the options in the order shown."""
    return {
        "model": "m", "persona": "baseline", "category": "baseline", "item": item, "value": item.split("-")[0],
        "side": side, "repeat": repeat,
        "status": "refused" if chosen is None else "answered",
        "code": None if chosen is None else CODES[side][chosen],
        "letter": None if chosen is None else LETTERS[list(order).index(chosen)],
        "score": math.nan if chosen is None else SCALES["even"][chosen],
        "mass": math.nan,
        "order": " ".join(CODES[side][option] for option in order),
        **more,
    }  # fmt: skip


def simulated(
    seed: int,
    *,
    values: int = 8,
    each: int = 5,
    personas: Sequence[str] = ("baseline", "one"),
    follow: float = 0.0,
    lapse: float = 0.3,
    missing: float = 0.05,
) -> pd.DataFrame:
    """Three repeats in rows of a Williams square that conditions share; a share of answers is always A."""
    rng = np.random.default_rng(seed)
    rows = []
    for value in range(values):
        for place in range(each):
            for side in CODES:
                labels = rng.permutation(6)
                for persona in personas:
                    favourite = rng.integers(6)
                    for repeat in range(3):
                        order = labels[SQUARE[repeat]]
                        chosen = rng.integers(6) if rng.random() < lapse else favourite
                        chosen = order[0] if rng.random() < follow else chosen
                        answer = None if rng.random() < missing else int(chosen)
                        rows.append(row(answer, order.tolist(), repeat, f"v{value}-{place}", side, persona=persona,
                                        category="baseline" if persona == "baseline" else "max"))  # fmt: skip
    frame = pd.DataFrame(rows).sort_values(["repeat", "persona", "item", "side"], ignore_index=True)
    return frame.assign(request=np.arange(len(frame)), said=None)


# Shares


def test_a_share_has_the_interval_of_clopper_and_pearson_for_fewer_trials() -> None:
    sums = np.array([[2.0, 10], [0, 12], [1, 9], [4, 10], [1, 11]])
    p, n, clusters = 8 / 52, 52, 5
    without = np.array([(8 - hit) / (52 - trials) for hit, trials in sums])
    se = math.sqrt(4 / 5 * ((without - without.mean()) ** 2).sum())
    effective = p * (1 - p) / se**2 * (stats.t.ppf(0.975, n - 1) / stats.t.ppf(0.975, clusters - 1)) ** 2
    found = share(sums)
    assert found.estimate == pytest.approx(p)
    assert found.low == pytest.approx(stats.beta.ppf(0.025, p * effective, (1 - p) * effective + 1))
    assert found.high == pytest.approx(stats.beta.ppf(0.975, p * effective + 1, (1 - p) * effective))


def test_a_share_of_none_is_as_uncertain_as_one_trial_a_cluster() -> None:
    found = share(np.array([[0.0, 100]] * 10))
    assert (found.estimate, found.low) == (0, 0)
    assert found.high == pytest.approx(stats.binomtest(0, 10).proportion_ci().high)
    assert share(np.array([[100.0, 100]] * 10)).low == pytest.approx(1 - found.high)


def test_a_share_that_is_the_same_in_every_cluster_counts_every_trial() -> None:
    expected = stats.binomtest(10, 60).proportion_ci()
    assert share(np.array([[1.0, 6]] * 10))[1:3] == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("sums", "estimate"), [([], math.nan), ([[0, 0]], math.nan), ([[1, 4]], 0.25)])
def test_without_two_clusters_a_share_has_no_interval(sums: list[list[float]], estimate: float) -> None:
    found = share(np.array(sums, dtype=float).reshape(-1, 2))
    assert found.estimate == pytest.approx(estimate, nan_ok=True)
    assert math.isnan(found.low)
    assert found.note


def test_intervals_of_shares_cover_where_answers_hang_together() -> None:
    rng = np.random.default_rng(1)
    runs, p, size = 300, 0.1, 9.0
    hits = 0
    for _ in range(runs):
        counts = rng.binomial(33, rng.beta(p * size, (1 - p) * size, 24)).astype(float)
        found = share(np.column_stack([counts, np.full(24, 33.0)]))
        hits += found.low <= p <= found.high
    assert hits / runs == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / runs))


# Letters


def test_letters_have_a_row_each_with_an_interval_by_dilemma() -> None:
    frame = simulated(1, missing=0)
    table = letters(frame)
    own = table[table["persona"] == "one"]
    assert own["letter"].tolist() == list("ABCDEF")
    assert own["share"].sum() == pytest.approx(1)
    answered = frame[frame["persona"] == "one"]
    of_a = answered.assign(hit=answered["letter"] == "A").groupby("item")["hit"].agg(["sum", "size"]).to_numpy(float)
    assert tuple(own.iloc[0][["share", "share_low", "share_high"]]) == pytest.approx(share(of_a)[:3])
    assert set(own["dilemmas"]) == {40}


# Repeats

AB, BA = (0, 1, 2, 3, 4, 5), (1, 0, 2, 3, 4, 5)


def test_pairs_are_counted_apart_by_whether_their_order_is_the_same() -> None:
    frame = pd.DataFrame(
        [
            *(row(0, order, repeat, "v1-0") for repeat, order in enumerate((AB, AB, BA))),  # keeps the option
            row(0, AB, 0, "v2-0"), row(1, BA, 1, "v2-0"),  # keeps the letter
            row(2, AB, 0, "v3-0"), row(2, BA, 1, "v3-0"),  # keeps both
            row(3, AB, 0, "v4-0"), row(5, AB, 1, "v4-0"), row(None, BA, 2, "v4-0"),
        ]
    )  # fmt: skip
    found = repeat_agreement(frame)
    assert list(found["persona"]) == [ALL, "baseline"]
    one = found.iloc[1]
    assert (one["dilemmas"], one["pairs"], one["pairs_same"]) == (4, 4, 2)
    assert one["kept"] == 3 / 4
    assert one["same_letter"] == 2 / 4
    assert one["lead"] == 1 / 4
    assert one["change"] == pytest.approx(0.4 / 4)
    assert (one["kept_same"], one["change_same"]) == (1 / 2, pytest.approx(0.8 / 2))
    assert one["order_effect"] == pytest.approx(1 / 2 - 3 / 4)


def test_answers_that_follow_the_letter_keep_it_and_lose_the_option() -> None:
    found = repeat_agreement(simulated(2, follow=1))
    assert found["same_letter"].tolist() == [1] * len(found)
    assert found["lead"].tolist() == [-1] * len(found)


def test_answers_thrown_like_a_die_keep_neither() -> None:
    found = repeat_agreement(simulated(3, values=20, lapse=1))
    assert (found["lead"].abs() < 0.1).all()
    assert (found["kept"] - 1 / 6).abs().max() < 0.08


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([row(0, AB)], "answered twice"),
        ([row(0, AB, 0), row(0, AB, 1)], "never changed places"),
        ([row(0, AB, 0), row(0, BA, 1)], "no order was shown twice"),
    ],
)
def test_what_repeats_cannot_show_is_missing_and_said(rows: list[dict[str, object]], word: str) -> None:
    one = repeat_agreement(pd.DataFrame(rows)).iloc[0]
    assert word in one["note"]
    assert math.isnan(one["order_effect"])
    assert math.isnan(one["kept"]) == (one["pairs"] == 0)


# Order


def test_the_share_of_the_order_is_the_adjusted_r_squared_of_a_fixed_effects_regression() -> None:
    frame = simulated(4, follow=0.3, personas=("baseline",), missing=0.1)
    one = frame[(frame["side"] == "acted") & frame["score"].notna()].copy()
    score_of = dict(zip(CODES["acted"], SCALES["even"], strict=True))
    shown = np.array([[score_of[code] for code in order.split()] for order in one["order"]])
    for place in range(5):
        one[f"x{place}"] = shown[:, place]
    full = smf.ols("score ~ C(item) + x0 + x1 + x2 + x3 + x4", one).fit()
    reduced = smf.ols("score ~ C(item)", one).fit()
    found = order_sensitivity(frame).query("persona == 'baseline' and side == 'acted'").iloc[0]
    between = reduced.ssr / reduced.df_resid
    # the reduced model takes out one mean per dilemma; so does `sd_repeats`
    assert found["sd_repeats"] == pytest.approx(math.sqrt(between))
    assert found["order_share"] == pytest.approx(1 - full.ssr / full.df_resid / between)


def test_the_order_explains_nothing_by_chance_and_all_where_letters_are_all() -> None:
    by_chance = [order_sensitivity(simulated(seed)).query("persona == '(all)'") for seed in range(12)]
    shares = pd.concat(by_chance)["order_share"]
    assert abs(shares.mean()) < 3 * shares.std() / math.sqrt(len(shares))
    assert order_sensitivity(simulated(1, follow=1))["order_share"].tolist() == pytest.approx([1] * 6)


def test_recall_is_how_often_the_favourite_is_chosen_at_each_place() -> None:
    rows = []
    for place in range(6):
        for number in range(2):
            order = np.roll(np.arange(6), place).tolist()  # option 0 stands at `place`
            item = f"v{number}-{place}"
            # the favourite of two repeats, 0, is chosen again unless it stands first in the second dilemma
            again = 5 if place == 0 and number else 0
            rows += [row(again, order, 0, item), row(0, np.roll(order, 1).tolist(), 1, item)]
            rows += [row(0, np.roll(order, 2).tolist(), 2, item)]
    found = order_sensitivity(pd.DataFrame(rows)).iloc[0]
    # where 0 was not chosen, the two others of that dilemma have no common favourite to be recalled
    standing = 3 * np.array([2, 2, 2, 2, 2, 2]) - np.bincount([1, 2], minlength=6)
    recalls = 1 - np.array([1, 0, 0, 0, 0, 0]) / standing
    assert found["n_recall"] == standing.sum()
    assert found["recall"] == pytest.approx(recalls.mean())
    assert found["recall_sd"] == pytest.approx(recalls.std())


def test_recall_varies_with_the_place_more_than_chance_where_a_letter_is_favoured() -> None:
    biased = order_sensitivity(simulated(5, values=20, follow=0.3, lapse=0.1)).iloc[0]
    assert biased["recall_sd"] > 2 * biased["recall_floor"]
    excess = [
        one["recall_sd"] ** 2 - one["recall_floor"] ** 2
        for seed in range(12)
        for _, one in order_sensitivity(simulated(seed)).query("persona == '(all)'").iterrows()
    ]
    assert abs(np.mean(excess)) < 3 * np.std(excess) / math.sqrt(len(excess))


@pytest.mark.parametrize(
    ("options", "orders", "word"),
    [
        ([0, 0, 0], [AB, BA, AB[::-1]], "no answer changes"),
        ([0, 1, 2], [AB, AB, AB], "never changed places"),
        ([0, None, None], [AB, BA, AB], "answered twice"),
        ([0, 1, 2], [AB, BA, AB[::-1]], "too few"),
    ],
)
def test_where_the_order_cannot_be_told_apart_there_is_no_share(
    options: list[int | None], orders: list[Sequence[int]], word: str
) -> None:
    rows = [
        row(option, order, repeat, f"v{value}-0")
        for value in range(2)
        for repeat, (option, order) in enumerate(zip(options, orders, strict=True))
    ]
    one = order_sensitivity(pd.DataFrame(rows)).iloc[0]
    assert word in one["note"]
    assert one[["order_share", "recall_sd"]].isna().all()


# Drift


def test_drift_is_the_slope_of_a_regression_with_an_intercept_for_each_question() -> None:
    frame = simulated(6, missing=0.1)
    frame["score"] += 0.3 * frame["request"] / frame["request"].max()
    replied = frame.assign(x=frame["request"] / frame["request"].max(), z=frame["repeat"] / 2)
    table = drift(frame)
    for over, name in (("run", "x"), ("repeats", "z")):
        stated = replied[(replied["side"] == "stated") & replied["score"].notna()]
        fitted = smf.ols(f"score ~ C(persona):C(item) + {name}", stated).fit()
        found = table[(table["persona"] == ALL) & (table["what"] == "stated") & (table["over"] == over)].iloc[0]
        assert found["change"] == pytest.approx(fitted.params[name])
        assert found["low"] < found["change"] < found["high"]
        assert (found["n"], found["dilemmas"]) == (len(stated), 40)


def test_a_drift_is_found() -> None:
    frame = simulated(7)
    moved = frame.assign(score=frame["score"] + 2 * frame["request"] / frame["request"].max())
    assert drift(moved).query("persona == '(all)' and what != 'unread'")["p_holm"].max() < 0.01


def test_no_drift_is_rejected_about_as_often_as_it_should_be() -> None:
    rng = np.random.default_rng(8)
    items, runs = 24, 60
    frame = pd.DataFrame(
        [(f"r{run}", f"i{item}", repeat) for repeat in range(3) for run in range(runs) for item in range(items)],
        columns=["persona", "item", "repeat"],
    ).assign(model="m", side="stated", status="answered", request=lambda rows: np.arange(len(rows)))
    frame["score"] = rng.choice(SCALES["even"], len(frame))
    table = drift(frame)
    p = table.loc[(table["persona"] != ALL) & (table["what"] == "stated") & (table["over"] == "run"), "p"]
    assert len(p) == runs
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / runs))


def test_drift_over_the_run_is_not_told_where_repeats_are_asked_together() -> None:
    frame = simulated(8).sort_values(["persona", "item", "side", "repeat"], ignore_index=True)
    table = drift(frame.assign(request=np.arange(len(frame))))
    of_run = table[table["over"] == "run"]
    assert of_run["change"].isna().all()
    assert of_run["note"].str.contains("one after the other").all()
    assert table.loc[table["over"] == "repeats", "change"].notna().all()
    assert list(table["persona"].drop_duplicates()) == [ALL, "baseline", "one"]
    unknown = drift(frame.drop(columns="request"))
    assert unknown.loc[unknown["over"] == "run", "note"].str.contains("not known").all()


# Replies


def test_unread_replies_are_counted_by_condition_and_by_value() -> None:
    rows = [
        row(0, AB, 0, "a-0"), row(None, AB, 1, "a-0"), row(0, AB, 0, "a-1"), row(0, AB, 1, "a-1", status="open"),
        row(0, AB, 0, "b-0", persona="one"), row(None, AB, 1, "b-0", persona="one", status="unreadable"),
    ]  # fmt: skip
    table = unread(pd.DataFrame(rows)).set_index(["level", "name"])
    assert list(table.index) == [("all", ALL), ("persona", "baseline"), ("persona", "one"), ("value", "a"),
                                 ("value", "b")]  # fmt: skip
    assert table["replies"].tolist() == [5, 3, 2, 3, 2]
    assert table["open"].tolist() == [1, 1, 0, 1, 0]
    assert table["refused_rate"].tolist() == pytest.approx([1 / 5, 1 / 3, 0, 1 / 3, 0])
    assert table["unread_rate"].tolist() == pytest.approx([2 / 5, 1 / 3, 1 / 2, 1 / 3, 1 / 2])
    assert "one value only" in table["note"]["persona", "baseline"]
    assert "one dilemma only" in table["note"]["value", "b"]
    assert table["unread_rate_low"].notna().tolist() == [True, False, False, True, False]


def test_mass_is_told_where_it_is_known() -> None:
    rows = [row(0, AB, 0, f"v{place}-0", mass=mass) for place, mass in enumerate((0.9, 0.8, 0.3))]
    found = letter_mass(pd.DataFrame(rows)).iloc[0]
    assert (found["n"], found["mass"], found["low_mass"]) == (3, pytest.approx(2 / 3), pytest.approx(1 / 3))
    expected = stats.ttest_1samp([0.9, 0.8, 0.3], 0).confidence_interval()
    assert (found["mass_low"], found["mass_high"]) == pytest.approx((expected.low, expected.high))
    assert letter_mass(simulated(1)).empty


def test_the_commonest_answer_and_the_ends_of_the_scale_are_counted_by_side() -> None:
    chosen = {"stated": (0, 0, 0, 5), "acted": (1, 2, 2, 3)}
    frame = pd.DataFrame(
        [row(code, AB, 0, f"v{place}-0", side) for side, codes in chosen.items() for place, code in enumerate(codes)]
    )
    for table in (spread(frame), spread(frame.drop(columns="code").assign(code=None))):
        table = table[table["persona"] == "baseline"]
        assert table["side"].tolist() == ["stated", "acted"]
        assert table["used"].tolist() == [2, 3]
        assert table["most"].tolist() == [0.75, 0.5]
        assert table["extreme"].tolist() == [1, 0]
    assert spread(frame)["code"].tolist()[:2] == ["agree-strongly", "aligned-mild"]


# All together


@settings(deadline=None, max_examples=3)
@given(st.integers(0, 10**6))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    frame = simulated(seed, values=3, each=2)
    first, second = diagnose(frame), diagnose(frame.sample(frac=1, random_state=seed))
    assert first.verdicts == second.verdicts
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, second.tables[name])


TABLES: tuple[Callable[[pd.DataFrame], pd.DataFrame], ...] = (letters, repeat_agreement, order_sensitivity, spread)


@settings(deadline=None, max_examples=3)
@given(st.integers(0, 10**6))
def test_names_of_conditions_change_nothing_but_themselves(seed: int) -> None:
    frame = simulated(seed, values=3, each=2)
    names = {"baseline": "z", "one": "a", ALL: ALL}
    renamed = frame.assign(persona=frame["persona"].map(names))
    for table in TABLES:
        expected = table(frame).assign(persona=lambda rows: rows["persona"].map(names))
        keys = [key for key in ("persona", "side", "letter") if key in expected]
        pd.testing.assert_frame_equal(
            expected.sort_values(keys, ignore_index=True), table(renamed).sort_values(keys, ignore_index=True)
        )


@settings(deadline=None, max_examples=3)
@given(st.integers(0, 10**6))
def test_turning_the_scale_round_changes_no_measure_of_order(seed: int) -> None:
    frame = simulated(seed, values=3, each=2)
    turned = {code: opposite for codes in CODES.values() for code, opposite in zip(codes, codes[::-1], strict=True)}
    flipped = frame.assign(
        score=-frame["score"],
        code=frame["code"].map(turned),
        order=[" ".join(turned[code] for code in order.split()) for order in frame["order"]],
    )
    for table in (repeat_agreement, order_sensitivity, letters):
        pd.testing.assert_frame_equal(table(frame), table(flipped))
    same = ["n", "used", "most", "extreme", "extreme_low", "extreme_high"]
    pd.testing.assert_frame_equal(spread(frame)[same], spread(flipped)[same])


def test_answers_without_letters_and_orders_are_diagnosed_as_far_as_they_go() -> None:
    frame = simulated(9).drop(columns=["letter", "code", "order", "mass", "request", "said"])
    found = diagnose(frame)
    assert set(found.tables) == {"repeats", "order", "drift", "unread", "contradictions", "spread", "verdicts"}
    assert found.tables["repeats"].empty
    assert found.models[0].fit == "interpret with care"
    assert found.models[0].reasons == ("letters and orders are not known, so position and stability are untested",)


def test_four_points_have_four_letters() -> None:
    rng = np.random.default_rng(3)
    chosen = rng.integers(4, size=240)
    frame = pd.DataFrame(
        [row(int(one), range(6), repeat, f"v{place % 8}-{place}") for place in range(80) for repeat in range(3)
         for one in [chosen[3 * place + repeat]]]
    ).drop(columns="order")  # fmt: skip
    found = diagnose(frame)
    assert found.tables["letters"]["letter"].unique().tolist() == list("ABCD")
    assert found.tables["letters"]["even"].unique().tolist() == [0.25]
    table = found.tables["position"]
    assert table[["share_E", "share_F"]].isna().all(axis=None)
    assert table["p"].min() > 0.001
    assert "favours-letter" not in found.verdicts[0].rules
    assert diagnose(frame, options=6).tables["position"]["share_F"].tolist() == [0, 0]


def test_answers_without_a_letter_count_under_none() -> None:
    frame = simulated(4).assign(letter=lambda rows: rows["letter"].where(rows["persona"] == "one"))
    assert set(letters(frame)["persona"]) == {ALL, "one"}


def test_signs_are_those_of_the_scores() -> None:
    frame = simulated(2).assign(topic="t", vote=lambda rows: np.sign(rows["score"]))
    expected = scores.per_persona(scores.per_dilemma(frame), frame).set_index("persona")
    found = signs(frame).set_index("persona").loc[expected.index]
    for name, other in (("p_agree", "p_agree"), ("p_aligned", "p_aligned"), ("chance", "f1_chance")):
        assert found[name].tolist() == pytest.approx(expected[other].tolist())
    assert signs(frame.drop(columns="vote")).empty
    always = frame.assign(vote=frame["vote"].where(frame["side"] == "acted", 1))
    assert "one-sided" in diagnose(always).verdicts[0].rules


def test_no_readable_answer_leaves_tables_without_a_number_and_a_verdict() -> None:
    frame = pd.DataFrame([row(None, AB, repeat, f"v{value}-0") for value in range(3) for repeat in range(2)])
    found = diagnose(frame.assign(request=range(6), said=None))
    assert [one.fit for one in found.verdicts] == ["not fit to interpret"] * 2
    assert found.verdicts[0].reasons == ("no reply could be read",)
    for name in ("position", "letters", "repeats", "order", "mass", "contradictions", "spread"):
        assert found.tables[name].empty, name
    assert found.tables["unread"]["unread_rate"].tolist() == [1] * 5
