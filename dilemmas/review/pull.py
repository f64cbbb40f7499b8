"""A project -> a folder of judgements (`rounds`), with everything that is not as it should be.

The folder mirrors the project as it is now. What is gone from the server is told, and stays in the
raw exports of earlier pulls.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from itertools import count as numbers
from pathlib import Path
from typing import Any

from dilemmas.dataset import Dataset
from dilemmas.errors import InputError
from dilemmas.resources import now
from dilemmas.review import exports, projects, pseudonyms, rounds
from dilemmas.review.exports import Names, Reader, Task, count, problem
from dilemmas.review.rounds import Pulled
from dilemmas.review.server import Raw, Server
from dilemmas.review.tasks import text_sha256
from dilemmas.schema import Round, RoundProblem, sha256

NAMED = 5
"""Most dilemmas that are named where something is said of many."""


def pull(
    server: Server,
    title: str,
    out: Path,
    *,
    names: Path | None,
    dataset: Dataset | None = None,
    progress: Callable[[str], None] = lambda doing: None,
) -> Pulled:
    """Write what people have said so far to a folder; again later brings it up to date.

    Args:
        server: where the project is.
        title: of the project.
        out: the folder; a new one, or that of an earlier pull of the same project.
        names: the key file of the pseudonyms; without one, people appear under their e-mail addresses.
        dataset: what the project's dilemmas are held against, to tell which have no task or another text.
        progress: told in words what is being done.

    Raises:
        InputError: the folder cannot be written, is another project's, or holds files that are torn; or the
            key file cannot be used. The folder stays as it was.
        ReviewError: there is no such project, or two; it is not ours; the server fails. The folder stays as it was.
    """
    earlier = _earlier(out, names)
    project = projects.existing(server, title)
    form = project.form
    assert form is not None  # else it was not found
    if earlier is not None and (earlier.manifest.project, earlier.manifest.form) != (project.title, form):
        raise InputError(
            f'holds the {earlier.manifest.form} project "{earlier.manifest.project}"',
            where=str(out),
            fix="Give each project a folder of its own.",
        )
    progress("exporting; a large project takes minutes")
    export = server.export(project)
    users, predictions = server.users(), server.predictions(project)
    exports.check(export, predictions)

    progress(f"reading {count(len(export), 'task')}")
    found, problems = exports.ours(export)
    emails = exports.emails(export, users)
    by_email = pseudonyms.assign(names, emails) if names else {one: one for one in emails}
    by_id = {user: by_email[email] for user, email in users.items() if email in by_email}
    reader = Reader(Names(by_id, by_email, _authors(earlier)))
    reader.read(found, predictions)
    changed = {one.dilemma for one in problems if one.kind == "changed_task"}
    problems += _gone(earlier, found, changed)
    problems += _deleted(earlier, export, found, changed)
    problems += _against(dataset, found) if dataset else ()

    raw, predicted = _text(exports.without_names(export, by_email) if names else export), _text(predictions)
    kept = _kept(out, earlier, raw, predicted)
    people, machines = reader.people, reader.machines
    dilemmas = exports.as_judged(found, people)
    counted = rounds.counted(dilemmas, people)
    manifest = Round(
        project=project.title,
        form=form,
        annotators=project.annotators,
        pulled=now(),
        export=kept or _new_export(out),
        sha256=sha256((out / kept).read_bytes() if kept else raw),
        pseudonyms=names is not None,
        counts={
            "tasks": len(export),
            "judgements": len(people),
            "counted": len(counted),
            "older_text": sum(one.counts for one in people) - len(counted),
            "skipped": sum(one.state == "skipped" for one in people),
            "drafts": sum(one.state == "draft" for one in people),
            "superseded": sum(one.superseded for one in people),
            "ground_truth": sum(one.ground_truth for one in people),
            "anonymous": sum(one.anonymous for one in people),
            "predictions": len(machines),
        },
        problems=(*problems, *reader.problems),
    )
    return rounds.write(out, Pulled(manifest, dilemmas, people, machines), raw, predicted)


def _earlier(out: Path, names: Path | None) -> Pulled | None:
    """The round that the folder holds already; none where there is none."""
    if names and names.resolve().is_relative_to(out.resolve()):
        raise InputError(
            "the key file would lie in the folder of the round, and be passed on with it",
            where=str(names),
            fix="Keep it elsewhere.",
        )
    if not (out / rounds.MANIFEST).exists():
        if taken := [name for name in rounds.FILES if (out / name).exists()]:
            raise InputError(
                f"is no pulled round, and holds {', '.join(taken)}, which would be overwritten",
                where=str(out),
                fix="Choose another folder.",
            )
        return None
    earlier = rounds.read(out)
    if earlier.manifest.pseudonyms != (names is not None):
        has = "pseudonyms" if earlier.manifest.pseudonyms else "e-mail addresses"
        raise InputError(f"was pulled with {has}", where=str(out), fix="Pull the same way again, or into a new folder.")
    return earlier


def _authors(earlier: Pulled | None) -> dict[exports.Key, str]:
    """Who wrote which annotation, as an earlier pull knew it."""
    known = (one for one in (earlier.people if earlier else ()) if not one.anonymous)
    return {(one.annotation, one.created): one.reviewer for one in known}


def _gone(earlier: Pulled | None, found: Iterable[Task], changed: set[str | None]) -> Iterator[RoundProblem]:
    """What an earlier pull found and the server has no more; what is only `changed` is told as that.

    An older text that nobody had judged is not missed: a push replaces it.
    """
    if earlier is None:
        return
    keys = {task.key for task in found}
    present = {name for name, _ in keys} | changed
    missed = (one for one in earlier.manifest.problems if one.kind == "missing_task" and one.dilemma)
    told = [one for one in missed if one.dilemma not in present]
    yield from told
    known = changed | {one.dilemma for one in told}
    judged = Counter((one.dilemma, one.text_sha256) for one in earlier.people)
    judged.update({(one.id, text_sha256(one)): 0 for one in earlier.dilemmas.values() if one.id not in present})
    for (name, text), judgements in judged.items():
        if (name, text) not in keys and name not in known:
            kept = f"; {earlier.manifest.export} has them" if judgements else ""
            what = f"the task of {name} is gone, and {count(judgements, 'judgement')} with it{kept}"
            yield problem("missing_task", what, dilemma=name)


def _deleted(
    earlier: Pulled | None, export: Iterable[Raw], found: Iterable[Task], changed: set[str | None]
) -> Iterator[RoundProblem]:
    """Annotations that an earlier pull found and that are gone from a task that is there."""
    if earlier is None:
        return
    yield from (one for one in earlier.manifest.problems if one.kind == "missing_annotation")
    keys = {task.key for task in found}
    present = {exports.key(one) for task in export for one in task["annotations"]}
    for one in earlier.people:
        has_task = one.dilemma in changed or (one.dilemma, one.text_sha256) in keys
        if has_task and one.annotation is not None and (one.annotation, one.created) not in present:
            what = f"annotation {one.annotation} by {one.reviewer} is gone; {earlier.manifest.export} has it"
            yield problem(
                "missing_annotation", f"{what} ({one.dilemma})", dilemma=one.dilemma, annotation=one.annotation
            )


def _against(dataset: Dataset, found: Iterable[Task]) -> Iterator[RoundProblem]:
    """Where the project and a file of dilemmas differ. That some have no task is told once: it may be a sample."""
    texts = {one.id: text_sha256(one) for one in dataset.dilemmas}
    keys = {task.key for task in found}
    ids = {name for name, _ in keys}
    if absent := [name for name in texts if name not in ids]:
        named = ", ".join(absent[:NAMED]) + (", ..." if len(absent) > NAMED else "")
        share = f"{len(absent):,} of {count(len(texts), 'dilemma')} of {dataset.name}"
        yield problem("missing_task", f"{share} have no task, as where a sample was pushed: {named}")
    for name in sorted(ids):
        if name not in texts:
            yield problem("unknown_task", f"{name} is not in {dataset.name}", dilemma=name)
        elif (name, texts[name]) not in keys:
            yield problem("other_text", f"{name} has another text in {dataset.name} than was judged", dilemma=name)


def _text(export: Sequence[Raw]) -> str:
    """What was exported as a file, one record a line; in ASCII, so that it can be written whatever it holds."""
    return "[\n" + ",\n".join(json.dumps(one) for one in export) + "\n]\n"


def _kept(out: Path, earlier: Pulled | None, *came: str) -> str | None:
    """The earlier pull's raw export, where it and its predictions say what `came` now; none where a new one is due."""
    if earlier is None:
        return None
    name = earlier.manifest.export
    with suppress(OSError, ValueError):
        files = [(out / file).read_bytes() for file in (name, rounds.predictions_of(name))]
        if all(_lasting(was) == _lasting(now) for was, now in zip(files, came, strict=True)):
            return name
    return None


def _lasting(text: str | bytes) -> Any:
    """What a raw file says, without how long ago things were begun, which is another at each export."""

    def without(record: Raw) -> Raw:
        record.pop("created_ago", None)
        return record

    return json.loads(text, object_hook=without)


def _new_export(out: Path) -> str:
    """A name for a raw export that nothing has yet."""
    stamp = f"{rounds.RAW}/{now().replace(':', '-')}"
    names = (f"{stamp}{suffix}.json" for suffix in chain([""], (f"-{number}" for number in numbers(2))))
    return next(name for name in names if not (out / name).exists())
