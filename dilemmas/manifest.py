"""What a run's folder says of it: what is asked, of whom, with which settings, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dilemmas import dataset
from dilemmas.errors import InputError
from dilemmas.questions import INSTRUMENTS
from dilemmas.resources import now, versions, write_text
from dilemmas.schema import Asking, DatasetUsed, Run, canonical_json
from dilemmas.store import FILE, Store
from dilemmas.study import Study, check_same_run, design_of


def folder_of_its_own(runs: Path, name: str) -> Path:
    """The run's folder, which must not lead out of the folder of the runs.

    Raises:
        InputError: it is a link to another place.
    """
    if not (runs / name / FILE).resolve().is_relative_to(runs.resolve()):
        raise InputError(
            "the run's folder is a link to another place",
            where=str(runs / name),
            fix="Name the place itself with --runs-dir, or start another run with --run NAME.",
        )
    return runs / name


def begin(study: Study, store: Store, askings: Sequence[Asking]) -> None:
    """Note in the store what is to be asked, of whom.

    Raises:
        InputError, StoreError: the run was begun with other settings, dilemmas or personas.
    """

    def begun(old: Run | None) -> Run:
        try:
            return renewed(study, old, askings)
        except InputError:
            if not store.is_untouched():
                raise
        store.forget_plan()  # settings that never brought an answer bind nobody
        return renewed(study, None, askings)

    store.update_run(begun)
    store.add_records("items", ((d.id, dataset.to_line(d)) for d in study.dilemmas))
    store.add_records("personas", ((p.id, canonical_json(p.model_dump())) for p in study.personas))
    sides = {name: instrument.SIDE for name, instrument in INSTRUMENTS.items()}
    personas, items = [one.id for one in study.personas], [one.id for one in study.dilemmas]
    for asking in askings:
        store.add_cells(asking.name, personas, items, sides, study.config.repeats, study.asks)


def finish(store: Store, folder: Path) -> None:
    """Bring the manifest up to date, in the store and as a file beside it."""

    def counted(run: Run | None) -> Run:
        assert run is not None
        return run.model_copy(update={"updated": now(), "counts": store.counts()})

    done = store.update_run(counted)
    write_text(folder / "manifest.json", done.model_dump_json(indent=2) + "\n")


def renewed(study: Study, old: Run | None, askings: Sequence[Asking]) -> Run:
    """The run's manifest with this call's models and persona set in it. Nothing in it is secret.

    Raises:
        InputError: the run was begun with other settings.
    """
    for asking in askings:
        check_same_run(old, study, asking)
    design = design_of(study) if old is None else old.design
    if study.config.scale is not None:
        design = design.model_copy(update={"scale": study.config.scale})
    asked = {known.name: known for known in (*(old.models if old else ()), *askings)}
    models = [asked[name] for name in sorted(asked)]
    sets = old.persona_sets if old else ()
    named = Path(study.config.persona_set).name
    return Run(
        name=study.name,
        created=old.created if old else now(),
        updated=now(),
        caveat=" ".join(dict.fromkeys(known.caveat for known in models if known.caveat)),
        design=design,
        dataset=DatasetUsed(
            name=study.dataset.name,
            sha256=study.dataset.sha256,
            dilemmas=len(study.dataset.dilemmas),
            unreviewed=sum(d.review.status in ("unreviewed", "undecided") for d in study.dataset.dilemmas),
        ),
        persona_sets=sets if named in sets else (*sets, named),
        models=tuple(models),
        versions=versions(),
        counts={},
    )
