"""How far reviewers agree: a pulled round as tidy tables. People's judgements and machines' are never pooled.

All tables are made from the judgements that count, as they were given: before anybody adjudicates.
The measures and their sources are in `agreement`, the criteria in `labels`.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dilemmas import agreement, tidy
from dilemmas.agreement import DRAWS, FEW_CLUSTERS, Row
from dilemmas.errors import InputError, did_you_mean
from dilemmas.review import machines, rounds
from dilemmas.review.form import DECISIONS, FormName
from dilemmas.review.labels import PLACE_NAMES, QUESTIONS, labels
from dilemmas.review.rounds import Pulled
from dilemmas.schema import PLACES, Dilemma, Judgement
from dilemmas.taxonomy import topics, values

LEVELS: dict[str, tuple[str, ...]] = {
    "place": PLACE_NAMES,
    "basic_value": tuple(dict.fromkeys(one.basic_value for one in values().values())),
    "topic": tuple(topics()),
}
"""Columns of `labels` by which agreement is broken down, and their groups in the order of the tables."""
OVERALL = "overall"
"""Level of the rows about everything; their group is empty."""
EXCERPT = 160
"""Characters of a text in the list of disagreements."""


@dataclass(frozen=True)
class Agreement:
    """A pulled round and its tables, each a tidy frame."""

    pulled: Pulled
    """Without the judgements of those who are left out."""
    without: tuple[str, ...]
    """Reviewers who are left out."""
    draws: int
    seed: int
    labels: pd.DataFrame
    """People's labels, see `labels`."""
    agreement: pd.DataFrame
    """`agreement.measures` of each criterion, by level and group."""
    prevalence: pd.DataFrame
    """Share of each category, by level, group and criterion."""
    pairs: pd.DataFrame
    """`agreement.pairs` of each criterion."""
    disagreements: pd.DataFrame
    """A row for each label of a unit whose labels differ; of what was asked, not of what follows from it."""
    annotators: pd.DataFrame
    """What each reviewer did."""
    intended: pd.DataFrame
    """Where people who saw no labels put the actions, against where they were meant; empty for the open form."""
    machine: pd.DataFrame
    """Each machine against each person and the majority of people."""
    machine_intended: pd.DataFrame
    """Where machines put the actions, against where they were meant."""

    @property
    def form(self) -> FormName:
        """The form that was filled in."""
        return self.pulled.manifest.form

    @property
    def overall(self) -> pd.DataFrame:
        """Agreement on each criterion, over everything."""
        return self.agreement[self.agreement["level"] == OVERALL]

    def tables(self) -> dict[str, pd.DataFrame]:
        """File name (without `.csv`) and table of everything that is written."""
        names = ("agreement", "prevalence", "pairs", "disagreements", "annotators", "intended", "machine")
        return {name: getattr(self, name) for name in (*names, "machine_intended")}


def agree(folder: Path, *, without: Collection[str] = (), draws: int = DRAWS, seed: int = 0) -> Agreement:
    """Agreement in a pulled round.

    Args:
        folder: what `dilemmas review pull` wrote.
        without: reviewers to leave out of everything, such as one who settled what others had disagreed on.
        draws: resamples of focal values behind each interval, at least 1.
        seed: seed of the draws.

    Raises:
        InputError: it is no pulled round, nobody has judged anything in it yet, or somebody who is to be left out
            is not in it.
    """
    pulled = _without(rounds.read(folder), without)
    if not pulled.counted:
        raise InputError(
            f"nobody {'else ' if without else ''}has judged anything yet that counts",
            where=str(folder),
            fix="`dilemmas review status` says who has done what; pull again when there are judgements.",
        )
    form, people = pulled.manifest.form, pulled.counted
    given = labels(people, pulled.dilemmas, form)
    measured, prevalence = by_level(given, form, draws=draws, seed=seed)
    of_machines = rounds.counted(pulled.dilemmas, pulled.machines)
    readings = labels(of_machines, pulled.dilemmas, form)
    sorts = machines.sorted_blind(pulled.dilemmas, people if form == "blind" else ())
    machine_sorts = machines.sorted_blind(pulled.dilemmas, of_machines) if form == "blind" else machines.sides(readings)
    return Agreement(
        pulled=pulled,
        without=tuple(sorted(set(without))),
        draws=draws,
        seed=seed,
        labels=given,
        agreement=measured,
        prevalence=prevalence,
        pairs=_pairs(given, form, draws, seed),
        disagreements=_disagreements(given, pulled),
        annotators=_annotators(pulled),
        intended=machines.with_intended(sorts, people, draws=draws, seed=seed),
        machine=machines.against_people(readings, given, form, draws=draws, seed=seed),
        machine_intended=machines.with_intended(machine_sorts, of_machines, draws=draws, seed=seed),
    )


def _without(pulled: Pulled, names: Collection[str]) -> Pulled:
    known = {one.reviewer for one in pulled.people}
    for name in names:
        if name not in known:
            raise InputError(
                f'there is nothing by "{name}" in this round', where="--without", fix=did_you_mean(name, sorted(known))
            )
    return pulled._replace(people=tuple(one for one in pulled.people if one.reviewer not in names))


def by_level(
    given: pd.DataFrame, form: FormName, *, levels: Sequence[str] = tuple(LEVELS), draws: int = DRAWS, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Agreement and prevalence over everything and in each group of some levels.

    Args:
        given: people's labels, see `labels`.
        form: the form they filled in.
        levels: which of `LEVELS`, besides all together.
        draws: resamples behind each interval, at least 1.
        seed: seed of the draws.

    Returns:
        A row of `agreement.measures` for each level, group and criterion, and a row for each of its
        categories: share, low, high and n_units.
    """
    measured: list[Row] = []
    shares: list[Row] = []
    for level, group, part in _groups(given, levels):
        of_criterion = dict(list(part.groupby("criterion")))
        for question in QUESTIONS[form]:
            if level == "place" and not question.per_action:
                continue
            key: Row = {"level": level, "group": group}
            some = of_criterion.get(question.criterion.name, given[:0])
            row = agreement.measures(some, question.criterion, draws=draws, seed=seed)
            prevalence, low, high = (_popped(row, f"prevalence{end}") for end in ("", "_low", "_high"))
            measured.append(key | row)
            shares += [
                {**key, "criterion": question.criterion.name, "category": category, "n_units": row["n_units"],
                 "share": share, "low": low[category], "high": high[category]}
                for category, share in prevalence.items()
            ]  # fmt: skip
    return pd.DataFrame(measured), pd.DataFrame(shares)


NOT_COUNTED = {
    "skipped": "skipped",
    "drafts": "half done",
    "superseded": "replaced by the reviewer's newer one",
    "ground_truth": "marked on the server as the right answer",
    "no_decision": "handed in without a decision",
    "anonymous": "of somebody whose account is gone",
    "other_revision": "about an older text",
}
"""Columns of the table of annotators with judgements that are in no other table, and why."""


def cautions(found: Agreement) -> list[str]:
    """What a reader must know before reading the numbers, in plain language."""
    clusters = int(found.overall["clusters"].max())
    told = []
    if found.without:
        told.append(f"Left out of all tables, as asked for: {', '.join(found.without)}.")
    if not clusters:
        told.append(
            "No dilemma has been judged by two people, so nothing can be said about agreement yet. "
            "What single people answered is in the table of prevalence, and on the page."
        )
    if found.form == "open":
        told.append(
            "Reviewers saw our labels, and what people see draws their answers towards it: read the agreement that a "
            "label holds as high rather than low. The blind form asks for side and strength without the labels."
        )
    values_about = clusters or found.labels["cluster"].nunique()
    if values_about < FEW_CLUSTERS:
        told.append(
            f"The dilemmas judged{' by two people or more' if clusters else ''} are about {values_about} "
            f"value{'s' if values_about != 1 else ''} only. Intervals resample values, and with fewer than "
            f"{FEW_CLUSTERS} they are too narrow; with one there are none."
        )
    if left_out := [f"{count:,} {NOT_COUNTED[name]}" for name, count in not_counted(found).items()]:
        told.append(f"Judgements not counted: {', '.join(left_out)}.")
    if problems := len(found.pulled.manifest.problems):
        told.append(
            f"The pull found {problems:,} problem{'s' if problems != 1 else ''}; {rounds.MANIFEST} says what and where."
        )
    return told


def not_counted(found: Agreement) -> dict[str, int]:
    """How many judgements are in no table, by the reason in `NOT_COUNTED`; reasons without any are left out."""
    counts = found.annotators[list(NOT_COUNTED)].sum()
    return {name: int(counts[name]) for name in NOT_COUNTED if counts[name]}


def notes(rows: pd.DataFrame) -> list[str]:
    """The notes of some rows of agreement, each once with the criteria it is about."""
    about: dict[str, list[str]] = {}
    all_few = rows["clusters"].max() < FEW_CLUSTERS  # `cautions` says that
    for criterion, note in zip(rows["criterion"], rows["note"], strict=True):
        for part in str(note).split("; "):
            if part and not (all_few and part.endswith("too narrow")):
                about.setdefault(part, []).append(str(criterion))
    return [f"{', '.join(criteria)}: {note}" for note, criteria in about.items()]


def summary(found: Agreement) -> dict[str, Any]:
    """The agreement for a script; NaN becomes null."""
    manifest = found.pulled.manifest
    return {
        "project": manifest.project,
        "form": manifest.form,
        "pulled": manifest.pulled,
        "counts": manifest.counts,
        "without": list(found.without),
        "draws": found.draws,
        "seed": found.seed,
        "cautions": cautions(found),
        **{
            name: tidy.records(table)
            for name, table in (found.tables() | {"agreement": found.overall}).items()
            if name not in ("prevalence", "disagreements")
        },
        "disagreements": differing(found),
    }


def differing(found: Agreement) -> dict[str, int]:
    """Labels that differ: how many units, and on how many dilemmas."""
    listed = found.disagreements
    return {
        "units": len(listed[["criterion", "dilemma", "place"]].drop_duplicates()),
        "dilemmas": int(listed["dilemma"].nunique()),
    }


def save(found: Agreement, folder: Path) -> Path:
    """Write one CSV a table into `tables/`; the same round gives the same bytes.

    Returns:
        The folder of the tables.
    """
    for name, table in found.tables().items():
        tidy.write_csv(folder / "tables" / f"{name}.csv", table)
    return folder / "tables"


def _groups(given: pd.DataFrame, levels: Sequence[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Level, group and its labels; groups without a label are left out."""
    yield OVERALL, "", given
    for level in levels:
        parts = dict(list(given.groupby(level)))
        yield from ((level, group, parts[group]) for group in LEVELS[level] if group in parts)


def _popped(row: Row, name: str) -> Mapping[str, float]:
    found = row.pop(name)
    assert isinstance(found, dict)
    return found


def _pairs(given: pd.DataFrame, form: FormName, draws: int, seed: int) -> pd.DataFrame:
    parts = [
        agreement.pairs(given[given["criterion"] == one.criterion.name], one.criterion, draws=draws, seed=seed)
        for one in QUESTIONS[form]
    ]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _disagreements(given: pd.DataFrame, pulled: Pulled) -> pd.DataFrame:
    """Whose labels differ on what; with the text that was judged, cut, and the reviewer's comment on the dilemma."""
    comments = {(one.dilemma, one.reviewer): one.comment for one in pulled.counted}
    rows: list[Row] = []
    for question in QUESTIONS[pulled.manifest.form]:
        if question.derived:
            continue
        part = given[given["criterion"] == question.criterion.name]
        units = agreement.disagreements(part, question.criterion).index.get_level_values("unit")
        for one in part[part["unit"].isin(units)].itertuples():
            dilemma = pulled.dilemmas[str(one.dilemma)]
            rows.append(
                {"dilemma": one.dilemma, "revision": dilemma.revision, "value": dilemma.value, "topic": dilemma.topic,
                 "criterion": one.criterion, "place": one.place, "annotator": one.annotator, "label": one.label,
                 "comment": comments[str(one.dilemma), str(one.annotator)],
                 "text": _excerpt(dilemma, str(one.place))}
            )  # fmt: skip
    columns = ["dilemma", "revision", "value", "topic", "criterion", "place", "annotator", "label", "comment", "text"]
    return pd.DataFrame(rows, columns=columns)


def _excerpt(dilemma: Dilemma, place: str) -> str:
    text = dilemma.action(*PLACES[PLACE_NAMES.index(place)]).text if place else dilemma.scenario
    return text if len(text) <= EXCERPT else f"{text[: EXCERPT - 1]}…"


def _annotators(pulled: Pulled) -> pd.DataFrame:
    """One row per reviewer. `median_seconds` is over judgements that count and whose time is known."""
    rows: list[Row] = []
    of_all = pulled.counted
    for reviewer in sorted({one.reviewer for one in pulled.people}):
        theirs = [one for one in pulled.people if one.reviewer == reviewer]
        counted = [one for one in of_all if one.reviewer == reviewer]
        decided = Counter(one.decision for one in counted if one.decision)
        seconds = [one.seconds for one in counted if one.seconds is not None]
        others = Counter(_why_not(one) for one in theirs if not one.counts)
        others["other_revision"] = sum(one.counts for one in theirs) - len(counted)
        rows.append(
            {
                "annotator": reviewer,
                "judged": len(counted),
                **{decision: decided[decision] for decision in DECISIONS},
                "share_accept": decided["accept"] / decided.total() if decided else None,
                "median_seconds": statistics.median(seconds) if seconds else None,
                "n_seconds": len(seconds),
                **{reason: others[reason] for reason in NOT_COUNTED},
            }
        )
    return pd.DataFrame(rows)


def _why_not(one: Judgement) -> str:
    """Which of `NOT_COUNTED` a judgement falls under that does not count whatever the text."""
    if one.superseded:
        return "superseded"
    if one.state != "submitted":
        return "drafts" if one.state == "draft" else "skipped"
    if one.ground_truth:
        return "ground_truth"
    if not one.finished:
        return "no_decision"
    return "anonymous"
