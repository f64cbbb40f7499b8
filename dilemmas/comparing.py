"""A run beside other runs: the same model as the same persona on the same dilemmas.

What is not the same in both is left out and counted. Runs that were asked otherwise are compared all the same,
with a note that names what differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dilemmas.config import ScaleName
from dilemmas.errors import InputError
from dilemmas.schema import Persona, Run
from dilemmas.significance.contrasts import Contrast, run_to_run
from dilemmas.study import differences

LISTED = 6
"""Names in a note; of the rest only the number is told."""


@dataclass(frozen=True)
class Side:
    """A run as it is compared."""

    name: str
    """Tells it from the others."""
    run: Run
    """The manifest."""
    dilemmas: pd.DataFrame
    """As from `scores.per_dilemma`."""
    texts: Mapping[str, str]
    """Checksum of each dilemma's text (`Dilemma.text_sha256`), by id."""
    personas: Mapping[str, Persona]
    """By id."""
    outdated: bool = False
    """Whether some replies were read by an older reader than this version's."""

    def asked(self, column: str) -> set[str]:
        """Names in a column of the dilemma rows."""
        return set(self.dilemmas[column].astype(str))


@dataclass(frozen=True)
class Common:
    """What another run has in common with the analysed one."""

    run: str
    """Name of the other run."""
    dataset: str
    """Name of its dataset."""
    dataset_sha256: str
    """Checksum of that."""
    dilemmas: int
    """Dilemmas with the same id and the same text in both: those compared."""
    left_out_here: int
    """Dilemmas of the analysed run that are not."""
    left_out_there: int
    """Dilemmas of the other run that are not."""
    reworded: int
    """Ids that stand in both with another text; they count as left out on either side."""
    differs: tuple[str, ...]
    """Settings under which the two were asked, where they differ (there / here)."""


@dataclass(frozen=True)
class Against:
    """What is compared, and what a reader must know of it."""

    dilemmas: pd.DataFrame
    """Rows of all runs, as `significance.compare` takes them."""
    contrasts: tuple[Contrast, ...]
    """The other run comes first in each, so a positive delta is a smaller gap in the analysed one."""
    common: tuple[Common, ...]
    """One for each other run."""
    notes: tuple[str, ...]
    """What was left out, and what may make a difference beside the model."""
    caveats: Mapping[str, str]
    """By the contrasts' `model`; may be empty."""


def against(own: Side, others: Sequence[Side], scale: ScaleName) -> Against:
    """Compare a run with others, in each model, persona and category that both have.

    Models are the same if their names are, personas if their records are, dilemmas if id and text are.

    Args:
        own: the analysed run.
        others: runs to compare it with; all names differ.
        scale: on which all were scored.

    Raises:
        InputError: another run has no dilemma in common with this one, or no persona of any model.
    """
    sides = {**{other.name: _comparable(own, other) for other in others}, own.name: own}
    frame, contrasts = run_to_run({name: _keyed(side) for name, side in sides.items()})
    # The run is the last one, so it is the second side of what it has a part in. The others are not compared.
    models = {f"{own.name}: {model}" for model in own.asked("model")}
    kept = _each_once(one for one in contrasts if one.second[0].model in models)
    common = tuple(_common(own, other) for other in others)
    notes = [note for other, found in zip(others, common, strict=True) for note in _notes(own, other, found, scale)]
    named = " and ".join(other.name for other in others)
    notes.append(f"verdicts are on the answers of {own.name}; those on {named} come from analysing these by themselves")
    caveats = {
        f"{other.name}: {model} to {own.name}: {model}": _caveat(model, own, other)
        for other in others
        for model in own.asked("model") & other.asked("model")
    }
    return Against(frame, kept, common, tuple(notes), caveats)


def _each_once(contrasts: Iterable[Contrast]) -> tuple[Contrast, ...]:
    """The contrasts without those of the only persona of a category: a family must not hold one test twice."""
    known = list(contrasts)
    categories = {(one.first, one.second) for one in known if one.level == "category"}
    return tuple(one for one in known if one.level == "category" or (one.first, one.second) not in categories)


def _comparable(own: Side, other: Side) -> Side:
    """The other run without personas that are not the same; refused where nothing is left."""
    where = f"{own.name}, {other.name}"
    if not _same(own.texts, other.texts, own.asked("item") & other.asked("item")):
        raise InputError(
            "the runs have no dilemma in common", where=where, fix="Compare runs on dilemmas of the same id and text."
        )
    known = other.dilemmas["persona"].isin(_same(own.personas, other.personas, other.asked("persona")))
    kept = other.dilemmas[known]
    key = ["model", "persona"]
    if kept[key].merge(own.dilemmas[key]).empty:
        here, there = (_some(side.asked("model")) for side in (own, other))
        raise InputError(
            "the runs have no persona of any model in common",
            where=where,
            fix=f"Compare runs of the same model, by name: {own.name} has {here}, {other.name} has {there}.",
        )
    return Side(other.name, other.run, kept, other.texts, other.personas)


def _keyed(side: Side) -> pd.DataFrame:
    """Rows whose items are the same in two runs only if their texts are."""
    return side.dilemmas.assign(item=[f"{item} {side.texts[item]}" for item in side.dilemmas["item"]])


def _same(here: Mapping[str, Any], there: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    return {name for name in names if name in here and here[name] == there.get(name)}


def _common(own: Side, other: Side) -> Common:
    here, there = own.asked("item"), other.asked("item")
    same = _same(own.texts, other.texts, here & there)
    return Common(
        run=other.name,
        dataset=other.run.dataset.name,
        dataset_sha256=other.run.dataset.sha256,
        dilemmas=len(same),
        left_out_here=len(here - same),
        left_out_there=len(there - same),
        reworded=len(here & there - same),
        differs=tuple(_settings(own, other)),
    )


def _settings(own: Side, other: Side) -> list[str]:
    """Settings that differ, those of a model with its name.

    The version of this package is one, since it words values and personas.
    """
    differs = differences(other.run.design, own.run.design)
    then, now = (side.run.versions.get("dilemmas", "unknown") for side in (other, own))
    if then != now:
        differs.append(f"version of dilemmas ({then} / {now})")
    here = {asking.name: asking for asking in own.run.models}
    for asking in other.run.models:
        if asking.name in here:
            found = differences(asking, here[asking.name], but={"caveat", "capabilities"})
            differs += [f"{asking.name}: {one}" for one in found]
    return differs


def _notes(own: Side, other: Side, common: Common, scale: ScaleName) -> list[str]:
    """What a reader must know of one comparison."""
    notes = []
    another = "another dataset, " if other.run.dataset.sha256 != own.run.dataset.sha256 else ""
    if another or common.left_out_here or common.left_out_there:
        reworded = f" ({common.reworded} of each for another text under the same id)" if common.reworded else ""
        notes.append(
            f"{another}dilemmas compared, the same by id and text: {common.dilemmas}; left out: "
            f"{common.left_out_here} of {own.name}, {common.left_out_there} of {other.name}{reworded}"
        )
    both = own.asked("persona") & other.asked("persona")
    if others := both - _same(own.personas, other.personas, both):
        notes.append(f"left out are personas of the same name that are others there: {_some(others)}")
    notes += [
        f"left out is each {kind} that only one of the runs has: {_some(alone)}"
        for kind in ("model", "persona")
        if (alone := own.asked(kind) ^ other.asked(kind))
    ]
    if common.differs:
        notes.append(
            f"was asked with other settings (there / here), which may be what differs: {'; '.join(common.differs)}"
        )
    if other.run.design.scale != own.run.design.scale:
        notes.append(f"both runs are scored {scale} here")
    if other.outdated:
        notes.append("some of its replies were read by an older version; `dilemmas analyse` it with --reparse")
    if (told := other.run.caveat) and told != own.run.caveat:
        notes.append(told)
    return [f"{other.name}: {note}" for note in notes]


def _caveat(model: str, *sides: Side) -> str:
    return " ".join(dict.fromkeys(told for side in sides if (told := side.run.caveats.get(model, ""))))


def _some(names: Iterable[str]) -> str:
    """Names in a row, of many the first ones."""
    ordered = sorted(names)
    more = len(ordered) - LISTED
    return ", ".join(ordered[:LISTED]) + (f" and {more} more" if more > 0 else "")
