"""Dilemmas -> tasks of a project. The same command again sends only what is missing.

What somebody has judged, skipped or begun stays as it is. A new text is a new task. The older one goes
if nobody has begun it, so that no one judges what is out of date; so does one of two tasks with the
same text, which two pushes at once can leave behind.

All reading and checking comes before the first change. Then come the project, the new tasks, the
predictions, and last what goes, after a second look at what people have begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from dilemmas.errors import InputError, ReviewError
from dilemmas.review import form as forms
from dilemmas.review import projects, standing, tasks
from dilemmas.review.form import FormName
from dilemmas.review.server import Project, Raw, Server
from dilemmas.review.standing import Standing
from dilemmas.schema import Dilemma, Judgement

BATCH = 250
"""Tasks a request: some 3 MB, and what is sent again at most where a push was cut off."""
SHORTEST, LONGEST = 3, 50
"""Characters of a title that Label Studio takes."""
ANNOTATORS = 2
"""Judgements wanted of each dilemma where nobody says otherwise."""
Progress = Callable[[int, int], None]
"""Called with the tasks sent so far and the tasks to send."""


class Pushed(NamedTuple):
    """What a push did, or in a dry run would do."""

    title: str
    """Of the project."""
    form: FormName
    """What annotators are asked."""
    annotators: int
    """Judgements wanted of each dilemma."""
    url: str | None
    """Where the project is seen in a browser; none where a dry run found no project."""
    created: bool
    """Whether the project is new."""
    changed: tuple[str, ...]
    """What else of the project was changed: `label_config`, `annotators`, `instructions`."""
    dilemmas: int
    """Dilemmas that were to be there."""
    sent: int
    """Tasks that were missing."""
    removed: int
    """Tasks taken away that nobody had begun: older texts, and the second of two with the same text."""
    kept: int
    """Such tasks that stay, since somebody has begun them, or changed them on the server."""
    altered: tuple[int, ...]
    """Numbers of tasks that were changed on the server, so that nobody knows what is judged there. They are left
    alone and not sent again."""
    others: int
    """Tasks that are not ours; they are left alone."""
    predictions: int
    """Machines' judgements added, as predictions that annotators do not see."""
    predictions_left: int
    """Those not added, since somebody has begun the task or changed it on the server."""
    unreadable: int
    """Those not added, since the model's reply could not be read."""
    dry_run: bool
    """Whether nothing was changed."""


def push(
    server: Server,
    dilemmas: Sequence[Dilemma],
    title: str,
    *,
    annotators: int | None = None,
    form: FormName = "open",
    seed: int = 0,
    predictions: Iterable[Judgement] = (),
    dry_run: bool = False,
    progress: Progress = lambda done, planned: None,
) -> Pushed:
    """Have all these dilemmas in a project of this title, which is made if there is none.

    Args:
        server: where to.
        dilemmas: ids distinct.
        title: of the project, 3 to 50 characters.
        annotators: judgements wanted of each dilemma; None for what the project has, 2 for a new one.
        form: what annotators are asked.
        seed: of the order of the actions in the blind form.
        predictions: machines' judgements; those of other dilemmas are left out.
        dry_run: only find out what would be done.
        progress: called after each batch.

    Raises:
        InputError: the title is too short or too long, the project has a newer revision of a dilemma,
            people are judging another text of the very same revision, or Label Studio cannot hold a
            text. Nothing is changed.
        ReviewError: the project is not ours or has another form, there are two of that title, its
            annotations do not fit the config any more (nothing is changed in these cases), or the
            server fails. The same push again completes one that was cut off.
    """
    wanted = {one.id: one for one in dilemmas}
    title = _title(title)
    project = _project(server, title, form)
    read, unreadable = _by_dilemma(predictions, wanted)
    held = _held(server, project, wanted, closely=bool(read)) if project else Standing()
    standing.check_revisions(held.stale, wanted)
    missing = [_task(one, form, seed, read.get(one.id, ())) for one in dilemmas if one.id not in held.tasks]
    late, too_late = _late(server, project, held, read) if project and read else ([], 0)
    changes = _changes(project, form, annotators) if project else {}
    goes = standing.removable(held.stale, wanted)
    done = Pushed(
        title=title,
        form=form,
        annotators=annotators or (project.annotators if project else ANNOTATORS),
        url=project and project.url,
        created=project is None,
        changed=tuple(changes),
        dilemmas=len(dilemmas),
        sent=len(missing),
        removed=len(goes),
        kept=len(held.stale) - len(goes),
        altered=tuple(one["id"] for one in held.changed),
        others=held.others,
        predictions=sum(len(one.get("predictions", ())) for one in missing) + len(late),
        predictions_left=too_late,
        unreadable=unreadable,
        dry_run=dry_run,
    )
    if dry_run:
        return done
    if project is None:
        project = server.create_project(
            title,
            forms.labeling_config(form),
            annotators=done.annotators,
            instructions=forms.instructions(),
        )
    elif changes:
        project = server.update_project(project, **changes)
    _send(server, project, missing, progress)
    for task, prediction in late:
        server.add_prediction(task, prediction)
    if goes:
        goes = standing.removable(standing.compare(server.export(project), wanted).stale, wanted)
        server.delete_tasks(project, [one["id"] for one in goes])
    return done._replace(url=project.url, removed=len(goes), kept=len(held.stale) - len(goes))


def _project(server: Server, title: str, form: FormName) -> Project | None:
    """The project to push to; None where it has to be made."""
    project = projects.find(server, title)
    if project and project.form != form:
        raise ReviewError(
            f"the project has the {project.form} form, not the {form} one",
            where=project.url,
            fix=f"{'Leave out' if form == 'blind' else 'Give'} --blind, or choose another title.",
        )
    return project


def _title(title: str) -> str:
    """The title as Label Studio keeps it: without blanks around it."""
    title = title.strip()
    if not SHORTEST <= len(title) <= LONGEST or not title.isprintable():
        raise InputError(
            f"a title has {SHORTEST} to {LONGEST} characters that can be seen",
            where="--project",
            fix="Change the title.",
        )
    return title


def _held(server: Server, project: Project, wanted: Mapping[str, Dilemma], *, closely: bool) -> Standing:
    """What the project holds; with annotations and drafts where it matters who has begun what.

    A listing is five times as fast as an export, but tells nothing of drafts.
    """
    held = standing.compare(server.tasks(project), wanted)
    return standing.compare(server.export(project), wanted) if held.stale or (closely and held.tasks) else held


def _by_dilemma(
    predictions: Iterable[Judgement], wanted: Mapping[str, Dilemma]
) -> tuple[Mapping[str, list[Judgement]], int]:
    """The judgements of these dilemmas that say something, by id; and how many say nothing."""
    found: dict[str, list[Judgement]] = {}
    ours = [one for one in predictions if one.dilemma in wanted]
    for one in ours:
        if one.placements:
            found.setdefault(one.dilemma, []).append(one)
    return found, sum(not one.placements for one in ours)


def _task(dilemma: Dilemma, form: FormName, seed: int, read: Sequence[Judgement]) -> Raw:
    """A task for the import, with its predictions."""
    raw = tasks.task(dilemma, form, seed=seed)
    if not read:
        return raw
    of = tasks.sent(raw)
    return {**raw, "predictions": [tasks.prediction(one, of) for one in read]}


def _late(
    server: Server, project: Project, held: Standing, read: Mapping[str, list[Judgement]]
) -> tuple[list[tuple[int, Raw]], int]:
    """Predictions to add to tasks that are there already, with the task's number; and how many it is too late for."""
    there = {(one["task"], one["model_version"]) for one in server.predictions(project)}
    late: list[tuple[int, Raw]] = []
    too_late = 0
    for name, task in held.tasks.items():
        for one in read.get(name, ()):
            sent = standing.sent(task)
            if sent is None or sent.dilemma.revision != one.revision:
                too_late += 1
                continue
            prediction = tasks.prediction(one, sent)
            if (task["id"], prediction["model_version"]) in there:
                continue
            if standing.begun(task):
                too_late += 1
            else:
                late.append((task["id"], prediction))
    return late, too_late


def _changes(project: Project, form: FormName, annotators: int | None) -> Raw:
    """What of the project is not as it is to be, as `Server.update_project` takes it."""
    config, instructions = forms.labeling_config(form), forms.instructions()
    changes: Raw = {}
    if project.label_config.strip() != config.strip():  # the server strips it
        changes["label_config"] = config
    if annotators not in (None, project.annotators):
        changes["annotators"] = annotators
    if project.instructions.strip() != instructions.strip():
        changes["instructions"] = instructions
    return changes


def _send(server: Server, project: Project, missing: Sequence[Raw], progress: Progress) -> None:
    """Import tasks in batches. A batch whose answer was lost is not sent again: it may be there."""
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        try:
            server.import_tasks(project, batch)
        except ReviewError as error:
            if not _arrived(server, project, batch, error):
                rest = f"{start:,} of {len(missing):,} new tasks are in the project; the same command adds the rest."
                error.fix = f"{error.fix} {rest}".strip()
                raise
        progress(start + len(batch), len(missing))


def _arrived(server: Server, project: Project, batch: Sequence[Raw], error: ReviewError) -> bool:
    """Whether a batch is in the project, although its import failed."""
    if error.status is not None and 400 <= error.status < 500:
        return False  # it was refused
    try:
        there = {standing.key(one) for one in server.tasks(project)}
    except ReviewError:
        return False
    return all(standing.key(one) in there for one in batch)
