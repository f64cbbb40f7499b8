"""What a study can find: against R, scipy, what was measured before, and simulation."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from frames import dilemma_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower
from typer.testing import CliRunner

from dilemmas import scores
from dilemmas.cli import power as command
from dilemmas.errors import InputError
from dilemmas.power import (
    TYPICAL,
    Size,
    Spread,
    closed_form,
    detectable,
    linearised,
    measured,
    power_of,
    simulated,
)
from dilemmas.significance import personas_to_baseline
from dilemmas.significance.contrasts import compared
from dilemmas.significance.panel import Panel
from dilemmas.simulation import Settings, draw, grid

FULL = Size.of(grid())


def row(found: pd.DataFrame, scope: str, metric: str = "AD") -> pd.Series:
    rows = found[(found["scope"] == scope) & (found["metric"] == metric)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_power_agrees_with_r() -> None:
    # R leaves out the chance of finding it with the wrong sign, 2e-7 here
    # R: power.t.test(n = 20, delta = 1, sd = 1), the example of its manual: power = 0.8689528
    assert power_of(1, math.sqrt(2 / 20), 38) == pytest.approx(0.8689528, abs=1e-6)
    # R: power.t.test(power = .90, delta = 1): n = 22.02110
    assert detectable(math.sqrt(2 / 22.02110), 2 * 21.02110, power=0.9) == pytest.approx(1, abs=1e-5)


@given(st.floats(0.001, 10), st.integers(1, 200), st.floats(0.3, 0.99))
@settings(max_examples=20)
def test_the_smallest_delta_found_has_the_power_wanted(se: float, df: int, power: float) -> None:
    delta = detectable(se, df, power=power)
    assert power_of(delta, se, df) == pytest.approx(power, abs=1e-6)
    assert power_of(-delta, se, df) == power_of(delta, se, df)


@pytest.mark.parametrize(("delta", "df"), [(0.0, 3), (1.0, 55), (3.0, 10)])
def test_power_agrees_with_statsmodels(delta: float, df: int) -> None:
    theirs = TTestPower().power(delta / math.sqrt(df + 1), df + 1, 0.05)
    assert power_of(delta, 1.0, df) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("df", [1, 2, 55, 500])
def test_power_grows_with_the_delta_up_to_one(df: int) -> None:
    chances = [power_of(delta, 1.0, df) for delta in (0, 0.5, 1, 2, 3.9, 4.1, 8, 16, 40, 100)]
    assert chances[0] == pytest.approx(0.05)
    assert (np.diff(chances) >= 0).all()
    assert chances[-1] > 0.99


def test_without_a_standard_error_there_is_no_number() -> None:
    for se, df in ((math.nan, 10), (0.0, 10), (0.1, 0)):
        assert math.isnan(detectable(se, df))
        assert math.isnan(power_of(0.1, se, df))


# Computed before this was written, with the normal in place of t, from sd .35 (four personas) and .46 (one):
# the smallest delta of AD that is found, by the ICC by value; the third by Holm over 18 tests.
@pytest.mark.parametrize(
    ("icc", "category", "persona", "by_holm"),
    [(0.0, 0.039, 0.052, 0.054), (0.07, 0.051, 0.068, 0.070), (0.15, 0.062, 0.082, 0.085)],
)
def test_the_closed_form_agrees_with_earlier_numbers(
    icc: float, category: float, persona: float, by_holm: float
) -> None:
    found = closed_form(FULL, {"AD": Spread(0.46, 0.44, icc, 0.0)}, tests=18)
    for scope, number, alpha in (
        ("category", category, 0.05),
        ("persona", persona, 0.05),
        ("category, Holm", by_holm, 0.05 / 18),
    ):
        one = row(found, scope)
        normal = (stats.norm.isf(alpha / 2) + stats.norm.ppf(0.8)) * one["se"]
        assert normal == pytest.approx(number, abs=0.001)
        assert normal < one["detectable"] < 1.06 * normal  # t has wider tails
    assert row(found, "category in one topic")["detectable"] == pytest.approx(0.13, abs=0.005)
    assert row(found, "category in one value")["detectable"] == pytest.approx(0.33, abs=0.005)


def test_two_ways_topics_add_to_the_variance_and_take_degrees_of_freedom() -> None:
    found = closed_form(FULL, {"AD": Spread(0.4, 1.0, 0.1, 0.05)})
    one, both = row(found, "category"), row(found, "category, two-way")
    assert one["se"] == pytest.approx(0.4 * math.sqrt((1 + 10 * 0.1) / 616))
    assert both["se"] == pytest.approx(0.4 * math.sqrt((1 + 10 * 0.1 + 55 * 0.05) / 616))
    assert (one["df"], both["df"]) == (55, 10)


def test_sizes_count_dilemmas_that_share_a_value_or_a_topic() -> None:
    places = pd.DataFrame({"item": list("abcd"), "value": ["x", "x", "x", "y"], "topic": ["s", "t", "s", "t"]})
    assert Size.of(places) == Size(4, 2, 2, (9 + 1) / 4, (4 + 4) / 4)


def test_more_personas_and_repeats_lower_the_spread_but_not_below_what_they_share() -> None:
    spread = Spread(1.0, 0.25, 0.0, 0.0, repeats=3, noise=0.3)
    assert spread.of(1, 3) == 1
    assert spread.of(4, 3) == pytest.approx(math.sqrt((1 + 3 * 0.25) / 4))
    assert spread.of(1, 1) == pytest.approx(math.sqrt(0.7 + 0.9))
    assert spread.of(10**6, 10**6) == pytest.approx(math.sqrt(0.25 * 0.7), rel=1e-4)
    asked_once = spread._replace(repeats=1)
    assert asked_once.of(1, 1) == 1
    assert asked_once.of(1, 3) == pytest.approx(1 / math.sqrt(1.6))


def test_one_value_only_has_no_test_and_says_so() -> None:
    found = row(closed_form(Size.of(grid(1, 6))), "category")
    assert math.isnan(found["detectable"])
    assert math.isnan(found["power"])
    assert "no test" in found["note"]


def test_a_study_that_can_find_no_possible_delta_says_so() -> None:
    found = row(closed_form(Size.of(grid(2, 2))), "category", "AR")
    assert math.isnan(found["detectable"])
    assert "no possible delta is detectable" in found["note"]
    assert "AD: no possible delta is detectable" in call("--values", "2", "--topics", "2", "--sd", ".4")
    told = call("--values", "24", "--topics", "1", "--sd", ".4").splitlines()
    assert "AD, category, two-way, category in one value: fewer than two clusters: no test" in told


def test_what_is_assumed_is_told() -> None:
    assert "sd" in row(closed_form(FULL), "category")["note"]
    known = TYPICAL["AD"].given(sd=0.3, icc_value=0.0, icc_topic=0.0)
    assert row(closed_form(FULL, {"AD": known}), "category")["note"] == "assumed: correlation, noise"


@pytest.mark.parametrize(
    "call",
    [
        lambda: closed_form(FULL, personas=0),
        lambda: closed_form(FULL, repeats=0),
        lambda: closed_form(FULL, tests=0),
        lambda: closed_form(FULL, effect=math.nan),
        lambda: closed_form(FULL, alpha=0.0),
        lambda: closed_form(FULL, power=1.0),
        lambda: closed_form(FULL, alpha=0.9),
        lambda: closed_form(FULL, {"AD": Spread(0.0, 0.5, 0.1, 0.0)}),
        lambda: closed_form(FULL, {"AD": Spread(0.4, 1.5, 0.1, 0.0)}),
        lambda: closed_form(FULL, {"AD": Spread(0.4, 0.5, 1.0, 0.0)}),
        lambda: closed_form(FULL, {"AD": Spread(math.nan, 0.5, 0.1, 0.0)}),
        lambda: Size.of(grid(2, 2).iloc[:0]),
        lambda: simulated(grid(1, 8), Settings(), runs=2),
        lambda: simulated(grid(4, 2), Settings(), runs=1),
        lambda: simulated(grid(4, 2), Settings(), runs=2, tests=0),
        lambda: simulated(grid(4, 2), Settings(), runs=2, alpha=1.0),
    ],
)
def test_bad_settings_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(InputError):
        call()


# What a run tells


def test_linearised_ad_is_the_paired_difference_without_its_mean() -> None:
    rows = dilemma_frame({"baseline": {"ad": [0.4, 1.0, 0.2]}, "one": {"ad": [0.2, 0.2, math.nan]}}, list("abc"))
    contrast = personas_to_baseline(rows)[0]
    np.testing.assert_allclose(linearised(compared(Panel(rows), contrast)), [-0.3, 0.3], atol=1e-9)


def test_linearised_ar_by_hand() -> None:
    # baseline: F1 = 1 throughout. Persona: TP 2, v 3, a 3, F1 = 2/3; N (2 tp - F1 (v + a)) / (v + a total)
    signs = {"sign_v": [1, 1, 1, -1], "sign_a": [1, 1, -1, 1]}
    rows = dilemma_frame(
        {"baseline": {"sign_v": signs["sign_v"], "sign_a": signs["sign_v"]}, "one": signs}, list("abcd")
    )
    contrast = personas_to_baseline(rows)[1]
    own = 4 * np.array([2 - 4 / 3, 2 - 4 / 3, -2 / 3, -2 / 3]) / 6
    np.testing.assert_allclose(linearised(compared(Panel(rows), contrast)), own, atol=1e-4)


def test_a_run_tells_the_spread_that_the_table_of_variation_has() -> None:
    study = draw(grid(12, 6), Settings(personas=3, value_sd=0.3, topic_sd=0.3, missing=0.05), 1)
    rows = scores.per_dilemma(study.answers())
    found, table = measured(rows)["AD"], scores.variation(rows)
    personas = table[(table["level"] == "persona") & (table["name"] != "baseline")]
    category = table[(table["level"] == "category") & (table["name"] != "baseline")].iloc[0]
    assert found.sd == pytest.approx(math.sqrt((personas["sd_d"] ** 2).mean()))
    assert found.of(3, 3) == pytest.approx(category["sd_d"], rel=0.01)
    assert found.icc_value == pytest.approx(max(category["icc_value_d"], 0), abs=0.01)
    assert found.icc_topic == pytest.approx(max(category["icc_topic_d"], 0), abs=0.01)
    assert found.repeats == 3
    assert found.assumed == ("noise",)


def test_a_run_in_another_order_and_with_other_names_tells_the_same() -> None:
    rows = draw(grid(6, 4), Settings(personas=2), 2).dilemmas()
    names = {"moderate-1": "zoe", "moderate-2": "abe", "baseline": "none"}
    other = rows.sample(frac=1, random_state=0).assign(persona=lambda frame: frame["persona"].map(names))
    for metric, spread in measured(rows).items():
        np.testing.assert_allclose(measured(other)[metric][:6], spread[:6])


def test_what_a_run_cannot_tell_is_assumed() -> None:
    found = measured(draw(grid(8, 1), Settings(personas=1), 0).dilemmas())["AD"]
    assert found.assumed == ("correlation", "icc_value", "icc_topic", "noise")  # one topic, one dilemma a value
    assert found.correlation == TYPICAL["AD"].correlation
    assert found.icc_value == TYPICAL["AD"].icc_value


def test_a_run_that_tells_nothing_is_refused() -> None:
    rows = draw(grid(4, 3), Settings(personas=1), 0).dilemmas()
    alone = rows[rows["persona"] == "baseline"]
    same = rows.assign(ad=0.5, sign_v=1.0, sign_a=1.0)
    for frame in (alone, rows[rows["persona"] != "baseline"], same):
        with pytest.raises(InputError, match="run"):
            measured(frame)


# Closed form and simulation


def test_the_closed_form_agrees_with_simulation() -> None:
    found = simulated(grid(20, 6), Settings(effect=0.12, value_sd=0.2), runs=100, seed=4)
    assert (found["undefined"] == 0).all()
    for one in found.to_dict("records"):
        error = math.sqrt(one["closed"] * (1 - one["closed"]) / one["runs"])
        assert abs(one["power"] - one["closed"]) < 3.5 * error + 0.02
    ad = row(found, "category")
    assert ad["delta"] == pytest.approx(0.12, abs=4 * ad["delta_sd"] / math.sqrt(100))
    assert 0.3 < ad["power"] < 0.95
    assert row(found, "category, Holm")["power"] < ad["power"]


def test_simulated_power_without_an_answer_is_missing() -> None:
    found = simulated(grid(4, 2), Settings(missing=1.0), runs=2)
    assert found["power"].isna().all()
    assert (found["undefined"] == 2).all()


def test_simulated_power_where_no_two_dilemmas_share_a_value() -> None:
    found = row(simulated(grid(12, 1), Settings(effect=0.2), runs=4), "category")
    assert math.isnan(found["icc"])
    assert found["closed"] > 0.05


def test_simulated_power_is_the_same_for_the_same_seed() -> None:
    one, same = (simulated(grid(5, 3), Settings(effect=0.1), runs=5, seed=9) for _ in range(2))
    pd.testing.assert_frame_equal(one, same)


# The command


def call(*arguments: str) -> str:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command.power)
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_command_prints_the_closed_form() -> None:
    said = call("--values", "24", "--topics", "2", "--sd", ".4", "--icc", "0")
    expected = detectable(Spread(0.4, 0.5, 0, 0).of(4, 3) / math.sqrt(48), 23)
    assert f"{expected:.3f}" in said
    assert "AR" not in said
    assert "assumed: correlation, icc_topic, noise" in said


def test_the_command_gives_json_for_a_script() -> None:
    found = json.loads(call("--json", "--tests", "18", "--effect", ".1"))
    assert {one["scope"] for one in found} >= {"category", "category, Holm", "persona"}
    simulation = json.loads(call("--json", "--simulate", "4", "--values", "5", "--topics", "3", "--seed", "2"))
    assert {one["runs"] for one in simulation} == {4}
    assert "seed" in simulation[0]


def test_the_command_simulates() -> None:
    said = call("--simulate", "4", "--values", "5", "--topics", "3", "--effect", ".1")
    assert "4 simulated studies" in said


@pytest.mark.parametrize("arguments", [("--simulate", "5", "--sd", ".3"), ("--value-sd", ".3")])
def test_options_that_would_not_be_used_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(InputError):
        call(*arguments)


def test_the_command_takes_what_a_run_tells(scripted_run: Callable[..., tuple[object, Path]]) -> None:
    _, folder = scripted_run()
    assert "assumed: sd" not in call("--run", str(folder))
