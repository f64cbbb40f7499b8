"""Runs as released results: their answers as tables, from which anybody can compute every number anew.

The folder appears whole or not at all, after it was read back; the same runs give the same bytes.
"""

from __future__ import annotations

import heapq
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from dilemmas import __version__
from dilemmas.errors import InputError
from dilemmas.release import leaks, need, restore, results_card, results_layout, streams
from dilemmas.release.answers import About, AnswerRow, AttemptRow, PromptRow, answer_row
from dilemmas.release.intact import checksum
from dilemmas.release.kept import KeptRun
from dilemmas.release.layout import CANARY, LICENSE, README, SUMS
from dilemmas.release.placing import staged
from dilemmas.release.restore import ReleasedRun, Results
from dilemmas.release.versions import Version, day_of
from dilemmas.resources import write_texts
from dilemmas.schema import Dilemma, Persona, Record, Run
from dilemmas.store import FILE

LIBRARIES = ("pyarrow", "pydantic")
"""Libraries that the bytes of a release depend on, beside Python."""


def build(
    runs: Sequence[Path], out: Path, *, date: str | None = None, model_terms: Mapping[str, str] | None = None
) -> Results:
    """Release the answers of some runs.

    Args:
        runs: their folders.
        out: the new folder, named after the version of the results, such as `results/0.1.0`.
        date: day of the release (ISO 8601); today in UTC without it.
        model_terms: under what terms a model's text stands, by the model's name.

    Returns:
        What is in it.

    Raises:
        InputError: the version is none or is there already, two runs share a name, one has no answer or would tell a
            path or a key, terms are told of a model that nobody asked, or the folder cannot be written.
        StoreError: a run cannot be read.
    """
    need("pyarrow", "yaml")
    version, day, terms = Version.parse(out.absolute().name), day_of(date), dict(model_terms or {})
    if out.exists() or out.is_symlink():
        raise InputError("is there already", where=str(out), fix="Results never change: give them the next version.")
    if results_layout.is_in_release(out):
        raise InputError("is in released results", where=str(out), fix="Give a folder beside them.")
    with ExitStack() as stack:
        sources = _sources(stack, runs)
        manifests = {name: one.manifest for name, one in sources.items()}
        _check_terms(terms, manifests.values())
        found = Results(
            version=str(version),
            date=day,
            runs=tuple(map(ReleasedRun.of, manifests.values())),
            model_terms=dict(sorted(terms.items())),
            versions={
                "dilemmas": __version__,
                "python": platform.python_version(),
                **{name: importlib.metadata.version(name) for name in LIBRARIES},
            },
        )
        with staged(out, "results") as folder:
            streams.write(folder / results_layout.PROMPTS, PromptRow, _prompts([one.store for one in sources.values()]))
            for name, one in sources.items():
                _write_run(one, folder / results_layout.RUNS / name)
            texts = {
                README: results_card.readme(found, manifests),
                LICENSE: results_card.license_text(found),
                results_layout.MANIFEST: found.model_dump_json(indent=2) + "\n",
            }
            write_texts({folder / name: text for name, text in texts.items()})
            _write_sums(folder)
            _read_back(folder)
    return found


class _Source(NamedTuple):
    """A run that is released, as it was at one moment."""

    store: KeptRun
    manifest: Run


def _sources(stack: ExitStack, runs: Iterable[Path]) -> dict[str, _Source]:
    """Some runs by name and in the order of their names, open as long as the stack is."""
    found: dict[str, _Source] = {}
    for folder in runs:
        store = stack.enter_context(KeptRun.reading(folder / FILE))
        stack.enter_context(store.as_it_is())
        manifest = _manifest(store, folder)
        if found.setdefault(manifest.name, source := _Source(store, manifest)) is not source:
            raise InputError(
                f'two runs have the name "{manifest.name}"',
                where=str(folder),
                fix="Name each run once. `dilemmas merge` makes runs of one design one.",
            )
    return dict(sorted(found.items()))


def _manifest(store: KeptRun, folder: Path) -> Run:
    """What a run says of itself, with the counts of now."""
    run, counts = store.run(), store.counts()
    if run is None or counts["open"] == counts["planned"]:
        raise InputError("the run has no answer yet", where=str(folder), fix="Run `dilemmas evaluate` first.")
    if leaked := leaks.found_in(json.dumps(run.model_dump(), indent=1, ensure_ascii=False)):
        raise InputError(
            f"the run's manifest holds {leaked[0].partition(' (')[0]}, which everybody would read",
            where=str(folder / results_layout.RUN),
            fix="Serve the model under a plain name, such as vLLM's --served-model-name, and ask it in another run.",
        )
    return run.model_copy(update={"counts": counts})


def _check_terms(terms: Mapping[str, str], manifests: Iterable[Run]) -> None:
    known = {asking.name for run in manifests for asking in run.models}
    if unknown := [name for name in terms if name not in known]:
        raise InputError(
            f'no run asked the model "{unknown[0]}"', where="--model-terms", fix=f"Known: {', '.join(sorted(known))}."
        )
    if empty := [name for name, text in terms.items() if not text.strip()]:
        raise InputError(f"tells nothing of {empty[0]}", where="--model-terms", fix="Give NAME=TEXT.")
    if broken := [name for name, text in terms.items() if text != text.encode(errors="replace").decode()]:
        raise InputError(f"is not UTF-8 for {broken[0]}", where="--model-terms", fix="Give the text in UTF-8.")


def _prompts(stores: Sequence[KeptRun]) -> Iterator[PromptRow]:
    """All texts that were shown in some runs, each once, in the order of their checksums."""
    merged = heapq.merge(*(store.texts() for store in stores))
    for key, same in groupby(merged, key=itemgetter(0)):
        yield PromptRow(sha256=key, text=next(same)[1])


def _write_run(source: _Source, folder: Path) -> None:
    store, run = source
    folder.mkdir(parents=True)
    items = [Dilemma.model_validate_json(record) for record in store.records("items").values()]
    personas = [Persona.model_validate_json(record) for record in store.records("personas").values()]
    about = About.of(run, items, personas)
    rows = (answer_row(told.cell, told.options, told.parser, about) for told in store.told())
    streams.write(folder / results_layout.ANSWERS, AnswerRow, rows)
    if run.counts["failed_attempts"]:
        failed = (AttemptRow(trial=one.trial, at=one.at, kind=one.kind, status=one.status) for one in store.attempts())
        streams.write(folder / results_layout.ATTEMPTS, AttemptRow, failed)
    marked = {**run.model_dump(), "canary": CANARY}
    write_texts(
        {
            folder / results_layout.RUN: json.dumps(marked, indent=2, ensure_ascii=False) + "\n",
            folder / results_layout.ITEMS: _lines(items),
            folder / results_layout.PERSONAS: _lines(personas),
        }
    )


def _lines(found: Iterable[Record]) -> str:
    told = ({**one.model_dump(exclude_none=True), "canary": CANARY} for one in found)
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told)


def _write_sums(folder: Path) -> None:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    sums = "".join(f"{checksum(folder / name)}  {name}\n" for name in names)
    write_texts({folder / SUMS: f"# {CANARY}\n{sums}"})


def _read_back(folder: Path) -> None:
    """Make sure that every run can be had again out of what was written."""
    found = restore.read(folder)
    for run in found.runs:
        with restore.restored(results_layout.Place(folder, run.name)):
            pass
