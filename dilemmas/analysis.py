"""From answers to tables: what `dilemmas analyse` writes and the report shows.

analyse()             a run's folder  -> Analysis, beside other runs where wanted
analyse_responses()   a CSV file      -> Analysis, by the same way, which begins at
of_answers()          a tidy frame    -> Analysis
save()                Analysis        -> analysis.json and tables/*.csv
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from dilemmas import diagnostics, responses, scores, significance
from dilemmas.comparing import Against, Common, Side, against
from dilemmas.conclusions import conclusions
from dilemmas.config import ScaleName
from dilemmas.diagnostics import Diagnosis, Verdict
from dilemmas.errors import InputError, StoreError
from dilemmas.protocols import PARSER_VERSION
from dilemmas.resources import versions, write_text
from dilemmas.responses import Points
from dilemmas.schema import Dilemma, Message, Persona, Run
from dilemmas.significance.bootstrap import DRAWS
from dilemmas.significance.compare import compare
from dilemmas.significance.contrasts import between, categories_to_baseline, category_to_category
from dilemmas.significance.equivalence import MARGIN
from dilemmas.significance.groups import by_group
from dilemmas.significance.models import regressions
from dilemmas.significance.panel import SPAN, Aggregate
from dilemmas.significance.published import published
from dilemmas.store import FILE, Store
from dilemmas.tidy import records, write_csv

Scale = Literal["even", "thirds", "given"]
"""Scores of the options; `given` where scores stand in a file."""


@dataclass(frozen=True)
class Settings:
    """What of an analysis can be chosen; recorded with it."""

    category: Aggregate = "mean"
    """A category's score is the mean of its personas' (`mean`) or that of all their dilemmas (`pooled`)."""
    margin: float = MARGIN
    """Largest delta that is taken as none."""
    draws: int = DRAWS
    """Of each bootstrap and permutation; 0 for none."""
    seed: int = 0
    """Of the draws."""


@dataclass(frozen=True)
class Analysis:
    """All tables of a study; each is one tidy frame."""

    name: str
    """Of the run, or of the file without its ending."""
    run: Run | None
    """The manifest; None where the answers come from elsewhere."""
    source: Path | None
    """The run's folder, or the file."""
    source_sha256: str
    """Checksum of the file; empty for a run."""
    scale: Scale
    settings: Settings
    caveats: dict[str, str]
    """What a reader must know of each model's results, and of those of two runs; may be empty."""
    notes: tuple[str, ...]
    """What cannot be concluded from these answers, and what was taken as it is."""
    personas_asked: tuple[Persona, ...]
    """Empty where they are not known but by name."""
    answers: pd.DataFrame
    dilemmas: pd.DataFrame
    personas: pd.DataFrame
    categories: pd.DataFrame
    variation: pd.DataFrame
    levels: pd.DataFrame
    effects: pd.DataFrame
    """Deltas to the baseline."""
    comparisons: pd.DataFrame
    """Category to category, model to model, and run to run."""
    groups: pd.DataFrame
    """Deltas of categories to the baseline by value and by topic, shrunken."""
    heterogeneity: pd.DataFrame
    """How much these differ."""
    regressions: pd.DataFrame
    published: pd.DataFrame
    """Categories to the baseline by the tests of published work, for comparison only."""
    diagnosis: Diagnosis
    examples: dict[str, tuple[Message, ...]] = field(default_factory=dict)
    """For each side, one conversation word for word: the first dilemma, as a persona where there is one."""
    outdated: bool = False
    """Whether some replies were read by an older reader than this version's."""
    compared: tuple[Common, ...] = ()
    """The runs that this one is compared with."""
    demonstrations: tuple[str, ...] = ()
    """Models that only show how the tool works."""

    @property
    def counts(self) -> dict[str, int]:
        """Trials planned, answered, refused, unreadable and open, and failed attempts."""
        if self.run is not None:
            return self.run.counts
        status = self.answers["status"].value_counts()
        counts = {name: int(status.get(name, 0)) for name in scores.STATUSES}
        return {"planned": len(self.answers), **counts, "failed_attempts": 0}

    @property
    def caveat(self) -> str:
        """What a reader must know before reading any number; may be empty."""
        return " ".join(dict.fromkeys(self.caveats.values())) if self.run is None else self.run.caveat

    @property
    def position(self) -> pd.DataFrame:
        """Letters chosen; without a row where letters are not known."""
        return self.diagnosis.tables.get("position", pd.DataFrame(columns=["model", "persona"]))

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Whether each model's answers are fit to interpret."""
        return self.diagnosis.models

    def tables(self) -> dict[str, pd.DataFrame]:
        """File name (without `.csv`) and table of everything that is written."""
        return {
            "answers": self._answers(),
            "dilemmas": self.dilemmas,
            "personas": self.personas,
            "categories": self.categories,
            "variation": self.variation,
            "levels": self.levels,
            "effects": self.effects,
            "comparisons": self.comparisons,
            "groups": self.groups,
            "heterogeneity": self.heterogeneity,
            "regressions": self.regressions,
            "published": self.published,
            **self.diagnosis.tables,
        }

    def _answers(self) -> pd.DataFrame:
        """The answers as they are written; a demonstration is marked, and stays one where they are read again."""
        table = self.answers.drop(columns="trial", errors="ignore")
        if not self.demonstrations:
            return table
        return table.assign(demonstration=table["model"].isin(self.demonstrations).map({True: "yes", False: ""}))


def analyse(
    folder: Path, scale: ScaleName | None = None, settings: Settings | None = None, compare_with: Sequence[Path] = ()
) -> Analysis:
    """Score a run and test its deltas.

    Args:
        folder: the run's folder.
        scale: scores of the six options; by default as the run was configured.
        settings: of the analysis.
        compare_with: folders of runs to compare this one with, on the same scale.

    Raises:
        StoreError: there is no run in a folder.
        InputError: a run has no trial yet; one is to be compared with itself, or has nothing in common with
            this one (see `comparing.against`).
    """
    chosen = settings or Settings()
    with Store.reading(folder / FILE) as store:
        run, answers = _asked(store, folder, scale)
        own = _side(store, run, answers)
        answers = _with_replies(answers, store)
        examples = _examples(store, answers)
    used = scale or run.design.scale
    beside = against(own, _others(folder, own.name, compare_with, used), used) if compare_with else None
    found = of_answers(
        answers,
        name=run.name,
        scale=used,
        settings=chosen,
        run=run,
        source=folder,
        caveats=run.caveats,
        demonstrations=_demonstrations(run),
        personas_asked=tuple(own.personas.values()),
        examples=examples,
        outdated=own.outdated,
    )
    return found if beside is None else _beside(found, beside)


def _demonstrations(run: Run) -> tuple[str, ...]:
    """The scripted model and the weights that come with the tool, whatever they are called in the run."""
    from dilemmas.models.embedded import WEIGHTS_SHA256
    from dilemmas.models.scripted import ScriptedModel

    weights = f"sha256:{WEIGHTS_SHA256}"
    return tuple(one.name for one in run.models if one.identity == ScriptedModel.identity or one.revision == weights)


def _asked(store: Store, folder: Path, scale: ScaleName | None) -> tuple[Run, pd.DataFrame]:
    """A run's manifest with the counts of now, and its answers."""
    run, counts = store.run(), store.counts()
    if run is None or not store.has_trials():
        raise InputError("the run has no trial yet", where=str(folder), fix="Run `dilemmas evaluate` first.")
    try:
        answers = scores.answers(store, scale or run.design.scale)
    except KeyError as error:
        raise StoreError(f"has trials of {error}, which it does not know", where=str(folder)) from None
    return run.model_copy(update={"counts": counts}), answers


def _side(store: Store, run: Run, answers: pd.DataFrame) -> Side:
    """A run as it is compared with others."""
    dilemmas = (Dilemma.model_validate_json(record) for record in store.records("items").values())
    personas = (Persona.model_validate_json(record) for record in store.records("personas").values())
    return Side(
        name=run.name,
        run=run,
        dilemmas=scores.per_dilemma(answers),
        texts={one.id: one.text_sha256 for one in dilemmas},
        personas={one.id: one for one in personas},
        outdated=(store.oldest_parser() or PARSER_VERSION) < PARSER_VERSION,
    )


def _others(folder: Path, name: str, folders: Sequence[Path], scale: ScaleName) -> list[Side]:
    """The runs to compare with; those that share a name are told apart by their folders."""
    read, taken, found = {folder.resolve()}, {name}, []
    for other in folders:
        if other.resolve() in read:
            raise InputError(
                "the run would be compared with itself", where=str(other), fix="Name each run once, and another one."
            )
        with Store.reading(other / FILE) as store:
            side = _side(store, *_asked(store, other, scale))
        if side.name in taken:
            side = replace(side, name=f"{side.name} ({other})")
        read.add(other.resolve())
        taken.add(side.name)
        found.append(side)
    return found


def _beside(found: Analysis, beside: Against) -> Analysis:
    """The analysis with its run compared with others, as a family of tests of its own."""
    how = found.settings
    rows = _with_detectable(
        compare(
            beside.dilemmas, beside.contrasts, aggregate=how.category, margin=how.margin, draws=how.draws, seed=how.seed
        )
    )
    return replace(
        found,
        comparisons=pd.concat([one for one in (found.comparisons, rows) if len(one)], ignore_index=True),
        notes=(*found.notes, *beside.notes),
        caveats={**found.caveats, **beside.caveats},
        compared=beside.common,
    )


def analyse_responses(
    path: Path, scale: ScaleName | None = None, settings: Settings | None = None, *, points: Points = 6
) -> Analysis:
    """Score answers from anywhere and test their deltas.

    Args:
        path: a CSV file; see `responses`.
        scale: scores of answers in words; `even` by default.
        settings: of the analysis.
        points: grades of the words.

    Raises:
        InputError: the file is not of the form described there, or a scale is asked for and the file has scores.
    """
    given = responses.read(path, scale or "even", points=points)
    if scale is not None and not given.from_words:
        raise InputError(
            "the file holds scores, so there is no scale to choose",
            where=f"{path}, --scale {scale}",
            fix="Leave out --scale, or give the answers in words.",
        )
    return of_answers(
        given.frame,
        name=path.stem,
        scale=(scale or "even") if given.from_words else "given",
        settings=settings or Settings(),
        source=path,
        source_sha256=given.sha256,
        caveats=given.caveats,
        demonstrations=given.demonstrations,
        notes=given.notes,
        options=points if given.from_words else None,
    )


def of_answers(
    answers: pd.DataFrame,
    *,
    name: str,
    scale: Scale,
    settings: Settings,
    run: Run | None = None,
    source: Path | None = None,
    source_sha256: str = "",
    caveats: Mapping[str, str] | None = None,
    demonstrations: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    personas_asked: tuple[Persona, ...] = (),
    examples: Mapping[str, tuple[Message, ...]] | None = None,
    outdated: bool = False,
    options: int | None = None,
) -> Analysis:
    """Score answers and test their deltas, wherever they come from.

    Args:
        answers: as from `scores.answers`; order, request and said beside it, where they are known,
            feed further diagnostics (see `diagnostics`).
        name, scale, settings, run, source, source_sha256, caveats, demonstrations, notes, personas_asked, examples,
            outdated: as in `Analysis`; what cannot be concluded is added to the notes.
        options: of a question; by default as many as the answers tell of (see `diagnostics`).
    """
    how, drawn = settings.category, {"draws": settings.draws, "seed": settings.seed}
    answers = answers.reset_index(drop=True)
    dilemmas = scores.per_dilemma(answers)
    personas = scores.per_persona(dilemmas, answers)
    to_baseline = categories_to_baseline(dilemmas)
    others = category_to_category(dilemmas) + [
        one for one in between(dilemmas) if one.level == "category" or one.name == "baseline"
    ]
    found = [by_group(dilemmas, to_baseline, by, aggregate=how) for by in ("value", "topic")]
    effects = _with_detectable(significance.effects(dilemmas, aggregate=how, margin=settings.margin, **drawn))
    return Analysis(
        name=name,
        run=run,
        source=source,
        source_sha256=source_sha256,
        scale=scale,
        settings=settings,
        caveats=dict(caveats or {}),
        notes=(*notes, *conclusions(dilemmas, effects)),
        personas_asked=personas_asked,
        answers=answers,
        dilemmas=dilemmas,
        personas=personas,
        categories=scores.per_category(personas) if how == "mean" else scores.pooled(dilemmas, answers),
        variation=scores.variation(dilemmas),
        levels=significance.levels(dilemmas, aggregate=how),
        effects=effects,
        comparisons=_with_detectable(compare(dilemmas, others, aggregate=how, margin=settings.margin, **drawn)),
        groups=pd.concat([one.groups for one in found], ignore_index=True),
        heterogeneity=pd.concat([one.spread for one in found], ignore_index=True),
        regressions=regressions(dilemmas, to_baseline),
        published=published(dilemmas, to_baseline, aggregate=how, **drawn),
        diagnosis=diagnostics.diagnose(
            answers,
            scale="thirds" if scale == "thirds" else "even",
            demonstrations=demonstrations,
            fixed=run is not None and run.design.orders == "fixed",
            options=options,
        ),
        examples=dict(examples or {}),
        outdated=outdated,
        demonstrations=demonstrations,
    )


def _with_replies(answers: pd.DataFrame, store: Store) -> pd.DataFrame:
    """The answers with what diagnostics need of the raw replies: order, request and said."""
    known = pd.DataFrame(
        [
            (one.trial, " ".join(one.order), one.number, diagnostics.said(one.reply.text, one.reply.reasoning))
            for one in store.replies()
        ],
        columns=["trial", "order", "request", "said"],
    )
    return answers.merge(known, on="trial", how="left")


def _with_detectable(table: pd.DataFrame) -> pd.DataFrame:
    """Deltas with `mde`: the smallest that such a test finds with a power of 80 %, uncorrected; NaN where none can."""
    from dilemmas.power import UNDETECTABLE, detectable

    of_unit = {df: detectable(1.0, df) for df in table["df"].unique()}
    smallest = table["se"].where(table["se"] > 0).astype(float) * table["df"].map(of_unit).astype(float)
    beyond = smallest > table["metric"].map(SPAN).astype(float)
    notes = [
        "; ".join(filter(None, (note, UNDETECTABLE))) if far else note
        for note, far in zip(table["note"], beyond, strict=True)
    ]
    return table.assign(mde=smallest.mask(beyond), note=notes)


def _examples(store: Store, answers: pd.DataFrame) -> dict[str, tuple[Message, ...]]:
    first = answers[(answers["item"] == next(iter(store.records("items")))) & answers["trial"].notna()]
    personas = first[first["category"] != "baseline"]
    shown = (first if personas.empty else personas).drop_duplicates("side").sort_values("side", ascending=False)
    return {str(side): store.messages(trial) for side, trial in zip(shown["side"], shown["trial"], strict=True)}


def summary(analysis: Analysis) -> dict[str, Any]:
    """The analysis for a script: settings, counts, verdicts and the tables that answer the question.

    NaN becomes null. `design` is null, and `responses` is not, where the answers come from a file.
    """
    run = analysis.run
    file = None if run is not None or analysis.source is None else analysis.source.name
    return {
        "run": analysis.name,
        "responses": file and {"file": file, "sha256": analysis.source_sha256},
        "caveat": analysis.caveat,
        "notes": list(analysis.notes),
        "scale": analysis.scale,
        "settings": asdict(analysis.settings),
        "design": None if run is None else run.design.model_dump(),
        "compared": [asdict(one) for one in analysis.compared],
        "versions": versions(),
        "counts": analysis.counts,
        "verdicts": [{"model": v.model, "fit": v.fit, "reasons": list(v.reasons)} for v in analysis.verdicts],
        **{
            name: records(analysis.tables()[name])
            for name in ("levels", "categories", "variation", "effects", "comparisons", "heterogeneity")
        },
        "conditions": records(analysis.diagnosis.tables["verdicts"]),
        "position": records(analysis.position),
    }


def save(analysis: Analysis, folder: Path) -> Path:
    """Write `analysis.json` and one CSV a table into `tables/`; the same answers give the same bytes.

    Returns:
        The folder of the tables.
    """
    place = folder / "tables"
    for name, table in analysis.tables().items():
        # A model's caveat travels with every table of results, so that none is read without it.
        caveat = table["model"].map(lambda model: analysis.caveats.get(model, analysis.caveat))
        write_csv(place / f"{name}.csv", table.assign(caveat=caveat) if any(analysis.caveats.values()) else table)
    text = json.dumps(summary(analysis), indent=2, ensure_ascii=False, allow_nan=False, default=str)
    write_text(folder / "analysis.json", text + "\n")
    return place
