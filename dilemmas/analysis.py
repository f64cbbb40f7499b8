"""From a run's store to its tables: what `dilemmas analyse` writes and the report shows."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dilemmas import diagnostics, scores, significance
from dilemmas.config import ScaleName
from dilemmas.diagnostics import Verdict
from dilemmas.errors import InputError, StoreError
from dilemmas.protocols import PARSER_VERSION
from dilemmas.resources import versions, write_text
from dilemmas.schema import Message, Persona, Run
from dilemmas.store import FILE, Store


@dataclass(frozen=True)
class Analysis:
    """All tables of a run; each is one tidy frame."""

    run: Run
    scale: ScaleName
    personas_asked: tuple[Persona, ...]
    answers: pd.DataFrame
    dilemmas: pd.DataFrame
    personas: pd.DataFrame
    categories: pd.DataFrame
    levels: pd.DataFrame
    effects: pd.DataFrame
    position: pd.DataFrame
    verdicts: tuple[Verdict, ...]
    examples: dict[str, tuple[Message, ...]]
    """For each side, one conversation word for word: the first dilemma, as a persona where there is one."""
    outdated: bool = False
    """Whether some replies were read by an older reader than this version's."""

    def tables(self) -> dict[str, pd.DataFrame]:
        """File name (without `.csv`) and table of everything that is written."""
        return {
            "answers": self.answers.drop(columns="trial"),
            "dilemmas": self.dilemmas,
            "personas": self.personas,
            "categories": self.categories,
            "levels": self.levels,
            "effects": self.effects,
            "position": self.position,
        }


def analyse(folder: Path, scale: ScaleName | None = None) -> Analysis:
    """Score a run and test its deltas.

    Args:
        folder: the run's folder.
        scale: scores of the six options; by default as the run was configured.

    Raises:
        StoreError: there is no run in the folder.
        InputError: the run has no trial yet.
    """
    with Store.reading(folder / FILE) as store:
        run = store.run()
        counts = store.counts()
        if run is None or not counts["planned"]:
            raise InputError("the run has no trial yet", where=str(folder), fix="Run `dilemmas evaluate` first.")
        used: ScaleName = scale or run.design.scale
        try:
            answers = scores.answers(store, used)
        except KeyError as error:
            raise StoreError(f"has trials of {error}, which it does not know", where=str(folder)) from None
        asked = tuple(Persona.model_validate_json(record) for record in store.records("personas").values())
        examples = _examples(store, answers)
        outdated = (store.oldest_parser() or PARSER_VERSION) < PARSER_VERSION
        run = run.model_copy(update={"counts": counts})
    dilemmas = scores.per_dilemma(answers)
    personas = scores.per_persona(dilemmas, answers)
    position = diagnostics.position(answers)
    models = sorted(answers["model"].unique())
    return Analysis(
        run=run,
        scale=used,
        personas_asked=asked,
        answers=answers,
        dilemmas=dilemmas,
        personas=personas,
        categories=scores.per_category(personas),
        levels=significance.levels(dilemmas),
        effects=significance.effects(dilemmas),
        position=position,
        verdicts=tuple(
            diagnostics.verdict(
                model, position, personas, demonstration=bool(run.caveats[model]), fixed=run.design.orders == "fixed"
            )
            for model in models
        ),
        examples=examples,
        outdated=outdated,
    )


def _examples(store: Store, answers: pd.DataFrame) -> dict[str, tuple[Message, ...]]:
    first = answers[answers["item"] == next(iter(store.records("items")))]
    personas = first[first["category"] != "baseline"]
    shown = (first if personas.empty else personas).drop_duplicates("side").sort_values("side", ascending=False)
    return {str(side): store.messages(trial) for side, trial in zip(shown["side"], shown["trial"], strict=True)}


def summary(analysis: Analysis) -> dict[str, Any]:
    """The analysis for a script: counts, verdicts, levels and effects; NaN becomes null."""
    return {
        "run": analysis.run.name,
        "caveat": analysis.run.caveat,
        "scale": analysis.scale,
        "design": analysis.run.design.model_dump(),
        "versions": versions(),
        "counts": analysis.run.counts,
        "verdicts": [{"model": v.model, "fit": v.fit, "reasons": list(v.reasons)} for v in analysis.verdicts],
        "levels": records(analysis.levels),
        "categories": records(analysis.categories),
        "effects": records(analysis.effects),
        "position": records(analysis.position),
    }


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain data."""
    return [
        {str(key): None if isinstance(cell, float) and math.isnan(cell) else cell for key, cell in row.items()}
        for row in json.loads(table.to_json(orient="records", double_precision=15))
    ]


def save(analysis: Analysis, folder: Path) -> Path:
    """Write `analysis.json` and one CSV a table into `tables/`; the same run gives the same bytes.

    Returns:
        The folder of the tables.
    """
    place = folder / "tables"
    for name, table in analysis.tables().items():
        # A model's caveat travels with every table of results, so that none is read without it.
        marked = table.assign(caveat=table["model"].map(analysis.run.caveats)) if analysis.run.caveat else table
        write_text(place / f"{name}.csv", _spreadsheet_safe(marked).to_csv(index=False, float_format="%.12g"))
    text = json.dumps(summary(analysis), indent=2, ensure_ascii=False, allow_nan=False, default=str)
    write_text(folder / "analysis.json", text + "\n")
    return place


def _spreadsheet_safe(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before text that a spreadsheet would take for a formula."""
    safe = table.copy()
    for name in table.columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            text = table[name].astype("object")
            risky = text.map(lambda cell: isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")))
            safe[name] = text.where(~risky.astype(bool), "'" + text.astype(str))
    return safe


def find(run: str, runs: Path) -> Path:
    """Folder of a run given by name or by path.

    Raises:
        InputError: there is none; suggests the nearest name.
    """
    from dilemmas.config import check_run_name
    from dilemmas.errors import did_you_mean

    path = Path(run)
    if path.name != run or (path / FILE).is_file():
        folder = path
    else:
        try:
            folder = runs / check_run_name(run)
        except ValueError as error:
            raise InputError(str(error), where=f'run "{run}"', fix="Give a run's name or its folder.") from None
    if not (folder / FILE).is_file():
        known = [one.name for one in list_runs(runs)]
        fix = did_you_mean(run, known) if known else f"There are no runs in {runs}/ yet; `dilemmas evaluate` makes one."
        raise InputError(f'there is no run "{run}"', where=str(folder), fix=fix)
    return folder


def list_runs(runs: Path) -> list[Path]:
    """Folders of the runs in a folder, by name."""
    return sorted(path.parent for path in runs.glob(f"*/{FILE}"))
