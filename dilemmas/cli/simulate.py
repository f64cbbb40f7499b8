"""`dilemmas simulate`: answers made up from known truths, as a table that `dilemmas analyse` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = """
[bold]Examples[/bold]

dilemmas simulate --out made.csv --effect .05

dilemmas simulate --out null.csv --value-sd .3 --topic-sd .3 --seed 2

dilemmas simulate --out biased.csv --values 12 --topics 4 --position .3 --missing .1

dilemmas analyse --responses made.csv
"""
Values = Annotated[int | None, typer.Option(help="Values; with --topics, one dilemma for each pair. \\[56]")]
Topics = Annotated[int | None, typer.Option(help="Topics. \\[11]")]
Dataset = Annotated[Path | None, typer.Option(help="Take values and topics from this dataset (JSON Lines) instead.")]
Personas = Annotated[int, typer.Option(help="Personas in each category.")]
Repeats = Annotated[int, typer.Option(help="Times each question is asked.")]
Noise = Annotated[float, typer.Option(help="Sd of an answer from repeat to repeat, on the latent scale.")]
ValueSd = Annotated[float, typer.Option(help="Sd of the gap's shifts of each condition by value; .3: ICC about .07.")]
TopicSd = Annotated[float, typer.Option(help="The same by topic.")]


def simulate(
    out: Annotated[Path, typer.Option(help="The table (CSV) to write.")],
    values: Values = None,
    topics: Topics = None,
    dataset: Dataset = None,
    personas: Personas = 4,
    categories: Annotated[int, typer.Option(help="Categories that have personas, 1 to 3.")] = 1,
    repeats: Repeats = 3,
    effect: Annotated[float, typer.Option(help="AD of the baseline less that of a persona.")] = 0.0,
    agreement: Annotated[float, typer.Option(help="How much more often personas agree; their actions go along.")] = 0.0,
    noise: Noise = 0.25,
    value_sd: ValueSd = 0.0,
    topic_sd: TopicSd = 0.0,
    position: Annotated[float, typer.Option(help="Share of answers that are letter A, whatever it says.")] = 0.0,
    missing: Annotated[float, typer.Option(help="Share of personas' answers that are missing.")] = 0.0,
    missing_baseline: Annotated[float, typer.Option(help="Share of the baseline's.")] = 0.0,
    model: Annotated[str, typer.Option(help="Name that the table gives the model.")] = "simulated",
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
) -> None:
    """Make up a study whose truth is known: answers with a chosen effect, noise, heterogeneity and faults."""
    import shlex

    from dilemmas import simulation
    from dilemmas.tidy import write_csv

    settings = simulation.Settings(
        personas=personas, categories=categories, repeats=repeats, effect=effect, agreement=agreement, noise=noise,
        value_sd=value_sd, topic_sd=topic_sd, position=position, missing=missing, missing_baseline=missing_baseline,
    )  # fmt: skip
    table = simulation.table(simulation.draw(places(values, topics, dataset), settings, seed), model)
    write_csv(out, table)
    expected = simulation.expected_ad(settings)
    print(f"answers   {len(table):,}, of which {table['score'].isna().sum():,} missing; seed {seed}")
    print(f"truth     AD {expected:.3f} as itself, {expected - effect:.3f} as a persona, but for bias and gaps")
    print(f"file      {out}")
    print(f"next      dilemmas analyse --responses {shlex.quote(str(out))}")


def places(values: int | None, topics: int | None, file: Path | None) -> pd.DataFrame:
    """The dilemmas that are meant: those of a dataset, or one for each value and topic."""
    from dilemmas import simulation
    from dilemmas.dataset import read
    from dilemmas.errors import InputError

    if file is None:
        return simulation.grid(56 if values is None else values, 11 if topics is None else topics)
    if values is not None or topics is not None:
        raise InputError("a dataset has its own values and topics", where="--dataset", fix="Leave out one of them.")
    return simulation.places_of(read(file).dilemmas)
