"""Simulated studies: what is asked for is what is drawn, and the rest of the package takes it."""

from __future__ import annotations

import inspect
import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from frames import EVEN
from typer.testing import CliRunner

from dilemmas import diagnostics, responses, scores, taxonomy
from dilemmas.cli import simulate as command
from dilemmas.errors import InputError
from dilemmas.simulation import (
    COLUMNS,
    Settings,
    agreement_shift,
    draw,
    expected_ad,
    gap_factor,
    grid,
    table,
)

SMALL = grid(8, 5)
FULL = grid()
SCORES = np.array(EVEN)
FAR = 4.5
"""Standard errors that a mean of draws may be off: chance has it once in 150,000."""


def deltas(settings: Settings, studies: int = 150, places: pd.DataFrame = SMALL) -> tuple[float, float]:
    """Mean over studies of AD of the baseline less that of the personas, and its standard error."""
    found = []
    for seed in range(studies):
        ad = draw(places, settings, seed).dilemmas().groupby("category")["ad"].mean()
        found.append(ad["baseline"] - ad.drop("baseline").mean())
    return float(np.mean(found)), float(np.std(found) / math.sqrt(studies))


def near(mean: float, error: float, wanted: float) -> bool:
    return abs(mean - wanted) < FAR * error


def test_the_same_seed_draws_the_same_study_and_another_seed_another() -> None:
    settings = Settings(value_sd=0.3, position=0.1, missing=0.1)
    one, same, other = (draw(SMALL, settings, seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one.answers(), same.answers())
    assert (one.choices != other.choices).any()


def test_the_baseline_is_the_same_whatever_the_personas_do() -> None:
    baselines = [
        draw(SMALL, Settings(effect=effect, missing=rate), 1).choices[:, 0] for effect, rate in ((0, 0), (0.1, 0.3))
    ]
    np.testing.assert_array_equal(*baselines)


@pytest.mark.parametrize("repeats", [1, 2, 3, 7])
def test_the_short_way_to_dilemma_rows_agrees_with_scoring_the_answers(repeats: int) -> None:
    study = draw(SMALL, Settings(personas=2, repeats=repeats, missing=0.3, missing_baseline=0.2), repeats)
    keys = ["model", "persona", "item"]
    short = study.dilemmas().sort_values(keys, ignore_index=True)
    scored = scores.per_dilemma(study.answers()).sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(short, scored[short.columns], check_dtype=False)


def test_answers_are_what_a_run_gives() -> None:
    frame = draw(FULL, Settings(categories=3), 0).answers()
    assert len(frame) == 48_048
    assert not frame.drop(columns="mass").isna().any().any()
    rows = frame.sample(200, random_state=1)
    for row in rows.to_dict("records"):
        assert row["order"].split()["ABCDEF".index(row["letter"])] == row["code"]
        assert row["basic_value"] == taxonomy.value(row["value"]).basic_value
    personas = scores.per_persona(scores.per_dilemma(frame), frame)
    assert personas["category"].value_counts().to_dict() == {"max": 4, "moderate": 4, "incongruous": 4, "baseline": 1}


def test_orders_are_balanced_and_shared_by_the_conditions() -> None:
    study = draw(SMALL, Settings(personas=1, repeats=6), 0)
    assert (np.sort(study.orders, axis=2) == np.arange(6)[:, None]).all()  # each option once in each place
    by_trial = study.answers().groupby(["item", "side", "repeat"])["order"].nunique()
    assert (by_trial == 1).all()


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(repeats=1, noise=0.6), Settings(value_sd=0.3, topic_sd=0.2), Settings(noise=0.05, repeats=5)],
)
def test_expected_ad_is_the_mean_of_what_is_drawn(settings: Settings) -> None:
    means = [draw(grid(40, 20), settings, seed).dilemmas()["ad"].mean() for seed in range(60)]
    assert near(float(np.mean(means)), float(np.std(means)) / math.sqrt(60), expected_ad(settings))


def test_expected_ad_in_cases_that_are_known() -> None:
    assert expected_ad(Settings(noise=0.0), factor=0) == pytest.approx(0, abs=1e-9)
    # noise drowns everything: each answer is 1 or -1 with equal chance, and one pair in two is 2 apart
    assert expected_ad(Settings(noise=1e6, repeats=1)) == pytest.approx(1.0, abs=1e-4)
    # two repeats: sides are sums of two, 0, 2 or 4 steps of 1 apart with chances 6/16, 8/16 and 2/16
    assert expected_ad(Settings(noise=1e6, repeats=2)) == pytest.approx(8 / 16 + 2 * 2 / 16, abs=1e-4)


@pytest.mark.parametrize("heterogeneity", [0.0, 0.3])
def test_without_an_effect_there_is_none_in_expectation(heterogeneity: float) -> None:
    assert near(*deltas(Settings(value_sd=heterogeneity, topic_sd=heterogeneity)), 0.0)


@pytest.mark.parametrize("effect", [0.1, -0.1])
@pytest.mark.parametrize("heterogeneity", [0.0, 0.3])
def test_the_effect_is_the_one_asked_for(effect: float, heterogeneity: float) -> None:
    mean, error = deltas(Settings(effect=effect, value_sd=heterogeneity), places=grid(30, 4))
    assert error < 0.01
    assert near(mean, error, effect)


def test_the_largest_effect_is_what_leaves_only_noise() -> None:
    settings = Settings()
    most = expected_ad(settings) - expected_ad(settings, factor=0)
    assert gap_factor(Settings(effect=most - 1e-6)) == pytest.approx(0, abs=0.01)
    with pytest.raises(InputError, match="effect"):
        draw(SMALL, Settings(effect=most + 0.01))


def test_shifts_by_value_cluster_differences_by_value_only() -> None:
    found = []
    for seed in range(40):
        ad = (
            draw(FULL, Settings(personas=1, value_sd=0.45), seed)
            .dilemmas()
            .pivot(index="item", columns="persona", values="ad")
        )
        d = (ad["baseline"] - ad.drop(columns="baseline").iloc[:, 0]).reindex(FULL["item"]).to_numpy()
        found.append((scores.icc(d, FULL["value"]), scores.icc(d, FULL["topic"])))
    (by_value, by_topic), errors = np.mean(found, axis=0), np.std(found, axis=0) / math.sqrt(40)
    assert by_value > 0.05
    assert near(float(by_topic), float(errors[1]), 0.0)


@pytest.mark.parametrize("change", [0.1, -0.2])
def test_agreement_changes_how_often_personas_agree(change: float) -> None:
    settings = Settings(personas=1, agreement=change, repeats=1)
    found = []
    for seed in range(60):
        agree = draw(FULL, settings, seed).choices[0] < 3
        found.append(agree[1].mean() - agree[0].mean())
    assert near(float(np.mean(found)), float(np.std(found)) / math.sqrt(60), change)


def test_agreement_leaves_the_effect_as_asked() -> None:
    mean, error = deltas(Settings(effect=0.05, agreement=0.15), places=grid(30, 8))
    assert error < 0.01
    assert near(mean, error, 0.05)


def test_agreement_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="agreement"):
        agreement_shift(Settings(agreement=0.9))


def test_position_bias_shows_in_the_letters_and_is_found() -> None:
    share = 0.2
    frame = draw(FULL, Settings(personas=1, position=share), 0).answers()
    expected = share + (1 - share) / 6
    assert (frame["letter"] == "A").mean() == pytest.approx(expected, abs=FAR * math.sqrt(expected / len(frame)))
    assert diagnostics.position(frame)["p"].max() < 1e-6
    even = draw(FULL, Settings(personas=1), 0).answers()
    assert diagnostics.position(even)["p"].min() > 1e-3


def test_without_noise_repeats_are_alike_and_noise_makes_them_differ() -> None:
    quiet, loud = (draw(SMALL, Settings(noise=noise), 0).choices for noise in (0.0, 0.8))
    assert (quiet == quiet[..., :1]).all()
    assert (loud != loud[..., :1]).any()


def test_missing_answers_are_as_many_as_asked_and_are_no_scores() -> None:
    frame = draw(FULL, Settings(missing=0.3, missing_baseline=0.05), 0).answers()
    gone = frame["status"] == "refused"
    rates = gone.groupby(frame["category"]).mean()
    assert rates["baseline"] == pytest.approx(0.05, abs=0.02)
    assert rates["moderate"] == pytest.approx(0.3, abs=0.02)
    assert frame.loc[gone, ["score", "vote", "code", "letter"]].isna().all().all()
    nothing = draw(SMALL, Settings(missing=1.0, missing_baseline=1.0), 0).dilemmas()
    assert nothing[["v", "a", "ad", "sign_v", "sign_a"]].isna().all().all()


def test_the_table_is_read_back_as_the_same_study(tmp_path: Path) -> None:
    study = draw(grid(6, 3), Settings(personas=2, missing=0.1), 5)
    path = tmp_path / "made.csv"
    table(study, "m").to_csv(path, index=False)
    read = responses.read(path).frame
    keys = ["model", "persona", "item"]
    given, back = (
        scores.per_dilemma(frame).sort_values(keys, ignore_index=True) for frame in (study.answers("m"), read)
    )
    columns = [*keys, "category", "value", "topic", "v", "a", "ad", "sign_v", "sign_a", "n_v", "n_a", "r_v"]
    pd.testing.assert_frame_equal(given[columns], back[columns], check_dtype=False)
    pd.testing.assert_frame_equal(
        diagnostics.position(study.answers("m")).drop(columns="mass"), diagnostics.position(read).drop(columns="mass")
    )


def test_more_values_than_the_taxonomy_has_get_names() -> None:
    places = grid(58, 12)
    assert places["value"].nunique() == 58
    assert places["topic"].nunique() == 12
    assert set(draw(places, Settings(), 0).answers()["basic_value"]) > {""}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("personas", 0),
        ("categories", 4),
        ("repeats", 0),
        ("effect", math.nan),
        ("agreement", 1.5),
        ("noise", -0.1),
        ("value_sd", math.inf),
        ("topic_sd", -1.0),
        ("position", 1.1),
        ("missing", -0.1),
        ("missing_baseline", 2.0),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, number: float) -> None:
    with pytest.raises(InputError) as error:
        Settings(**{name: number})
    assert error.value.where == name


def test_a_study_of_nothing_is_refused() -> None:
    with pytest.raises(InputError):
        grid(0, 5)
    with pytest.raises(InputError):
        draw(SMALL.iloc[:0], Settings())


# The command


def test_the_commands_have_the_defaults_of_the_settings() -> None:
    asked = {name: one.default for name, one in inspect.signature(command.simulate).parameters.items()}
    for one in fields(Settings):
        assert asked[one.name] == one.default


def call(*arguments: str) -> str:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command.simulate)
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_the_command_writes_the_table_and_says_the_truth(tmp_path: Path) -> None:
    path = tmp_path / "made.csv"
    said = call(
        "--out", str(path), "--values", "4", "--topics", "3", "--personas", "2", "--effect", ".1", "--seed", "7"
    )
    written = pd.read_csv(path)
    assert list(written.columns) == COLUMNS
    assert len(written) == 4 * 3 * 3 * 2 * 3
    assert set(written["score"].round(1)) <= set(SCORES.round(1))
    truth = expected_ad(Settings())
    assert f"{truth:.3f}" in said
    assert f"{truth - 0.1:.3f}" in said


def test_the_command_takes_a_dataset(tmp_path: Path) -> None:
    from dilemmas import dataset

    shipped = dataset.shipped_path()
    call("--out", str(tmp_path / "made.csv"), "--dataset", str(shipped), "--personas", "1")
    items = {one.id for one in dataset.read(shipped).dilemmas}
    assert set(pd.read_csv(tmp_path / "made.csv")["item"]) == items
    with pytest.raises(InputError, match="dataset"):
        call("--out", str(tmp_path / "two.csv"), "--dataset", str(shipped), "--values", "4")
