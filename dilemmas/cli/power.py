"""`dilemmas power`: what a planned study can find."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dilemmas.cli.options import Json, RunsDir
from dilemmas.cli.simulate import Dataset, Noise, Personas, Repeats, Topics, TopicSd, Values, ValueSd

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from dilemmas.power import Spread
    from dilemmas.significance.panel import Metric

EXAMPLES = """
[bold]Examples[/bold]

dilemmas power

dilemmas power --values 24 --topics 1 --effect .1 --tests 18

dilemmas power --run dilemmas --repeats 6

dilemmas power --simulate 1000 --effect .05 --value-sd .3
"""
WIDE = 100
"""Columns of output that is not a terminal's."""
LEGEND = (
    "Found: smallest delta that is found with the power wanted. Se: standard error of a delta. sd, ICC: of paired "
    "differences between dilemmas, and how much of their variance lies between values. Holm: the smallest p of the "
    "family. Two-way: values and topics both as clusters."
)


def power(
    values: Values = None,
    topics: Topics = None,
    dataset: Dataset = None,
    run: Annotated[str | None, typer.Option(help="Take sd and ICC as measured in this run.")] = None,
    runs_dir: RunsDir = Path("runs"),
    personas: Personas = 4,
    repeats: Repeats = 3,
    sd: Annotated[
        float | None, typer.Option(help="Sd of one persona's paired differences of AD; AR is left out.")
    ] = None,
    icc: Annotated[float | None, typer.Option(help="Their ICC by value.")] = None,
    icc_topic: Annotated[float | None, typer.Option(help="Their ICC by topic.")] = None,
    effect: Annotated[float, typer.Option(help="Delta whose power is wanted.")] = 0.05,
    alpha: Annotated[float, typer.Option(help="Size of a test, two-sided.")] = 0.05,
    wanted: Annotated[float, typer.Option("--power", help="Power wanted of the smallest delta.")] = 0.8,
    tests: Annotated[int, typer.Option(help="Tests in the family that Holm corrects.")] = 6,
    simulate: Annotated[
        int | None,
        typer.Option(metavar="N", help="Draw N studies and count; sd and ICC follow from the settings below."),
    ] = None,
    noise: Noise = 0.25,
    value_sd: ValueSd = 0.0,
    topic_sd: TopicSd = 0.0,
    seed: Annotated[int, typer.Option(help="Of the studies drawn.")] = 0,
    json_: Json = False,
) -> None:
    """Tell how small a delta a planned study can find, and how likely it finds a given one."""
    import json

    from dilemmas import power as stage
    from dilemmas.cli.simulate import places
    from dilemmas.errors import InputError
    from dilemmas.simulation import Settings
    from dilemmas.tidy import records

    where = places(values, topics, dataset)
    if simulate is None:
        if (noise, value_sd, topic_sd) != (0.25, 0.0, 0.0):
            raise InputError(
                "only a simulation has noise and shifts", where="--noise, --value-sd, --topic-sd",
                fix="Add --simulate N, or give --sd and --icc.",
            )  # fmt: skip
        found = stage.closed_form(
            stage.Size.of(where), _spreads(run, runs_dir, sd, icc, icc_topic), personas=personas, repeats=repeats,
            effect=effect, alpha=alpha, power=wanted, tests=tests,
        )  # fmt: skip
    else:
        if any(given is not None for given in (run, sd, icc, icc_topic)):
            raise InputError(
                "a simulation has its own sd and ICC", where="--simulate",
                fix="Leave out --run, --sd, --icc and --icc-topic; --value-sd and --topic-sd make an ICC.",
            )  # fmt: skip
        settings = Settings(
            personas=personas, repeats=repeats, effect=effect, noise=noise, value_sd=value_sd, topic_sd=topic_sd
        )
        found = stage.simulated(where, settings, runs=simulate, alpha=alpha, tests=tests, seed=seed)
    if json_:
        print(json.dumps(records(found), indent=2))
    elif simulate is None:
        _print_closed(found)
    else:
        _print_simulated(found)


def _spreads(
    run: str | None, runs_dir: Path, sd: float | None, icc: float | None, icc_topic: float | None
) -> dict[Metric, Spread]:
    """Spreads as measured or typical, with what was given instead; without AR where an sd of AD was given."""
    from dilemmas import scores
    from dilemmas.power import TYPICAL, measured
    from dilemmas.runs import find
    from dilemmas.store import FILE, Store

    if run is None:
        found = dict(TYPICAL)
    else:
        with Store.reading(find(run, runs_dir) / FILE) as store:
            found = measured(scores.per_dilemma(scores.answers(store)))
    if sd is not None:
        found = {"AD": found["AD"].given(sd=sd)}
    return {metric: spread.given(icc_value=icc, icc_topic=icc_topic) for metric, spread in found.items()}


def _print_closed(found: pd.DataFrame) -> None:
    from dilemmas.pages import number, p_value, share

    wanted, effect = found["power_wanted"].iloc[0], found["effect"].iloc[0]
    rows = [
        (row["metric"], row["scope"], f"{row['dilemmas']:,}", str(row["clusters"]), number(row["sd"]),
         number(row["icc"]), p_value(row["alpha"]), number(row["se"], 3), number(row["detectable"], 3),
         share(row["power"]))
        for row in found.to_dict("records")
    ]  # fmt: skip
    heads = ("metric", "delta of a", "dilemmas", "clusters", "sd", "ICC", "alpha", "se", "found", "power")
    _print(f"Smallest delta found with power {share(wanted)}; power for a delta of {number(effect, 3)}", heads, rows)
    for metric, of_metric in found.groupby("metric"):
        told = of_metric.assign(note=of_metric["note"].str.split("; ")).explode("note")
        for note, scopes in told[told["note"] != ""].groupby("note", sort=False)["scope"]:
            where = [] if len(scopes) == len(of_metric) else list(scopes)
            print(f"{', '.join([str(metric), *where])}: {note}")


def _print_simulated(found: pd.DataFrame) -> None:
    from dilemmas.pages import number, share

    rows = [
        (row["metric"], row["scope"], number(row["delta"], 3), number(row["sd"]), number(row["icc"]),
         f"{share(row['power'], 1)} ± {share(row['power_error'], 1)}", share(row["closed"], 1))
        for row in found.to_dict("records")
    ]  # fmt: skip
    heads = ("metric", "delta of a", "delta", "sd", "ICC", "power", "closed form")
    _print(f"Power in {found['runs'].iloc[0]:,} simulated studies, ± its standard error", heads, rows)


def _print(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place < 2 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(LEGEND, style="dim", highlight=False)
