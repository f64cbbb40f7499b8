"""A project's export -> judgements, and what is not as it should be. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from dilemmas.errors import InputError, ReviewError
from dilemmas.records import first_problem
from dilemmas.review import tasks
from dilemmas.review.tasks import Raw, Read, Sent
from dilemmas.schema import Dilemma, Identifier, Judgement, ProblemKind, RoundProblem

Key = tuple[int | None, str | None]
"""By what an annotation is known from one pull to the next: its number, which may be given away again, and the time
of its first saving."""
Age = tuple[datetime, int, int]
LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Task(NamedTuple):
    """A task that is ours."""

    sent: Sent
    key: tuple[str, str]
    """Id of the dilemma and checksum of its text."""
    raw: Raw


class Names(NamedTuple):
    """What people are called in the files."""

    by_id: Mapping[int, str]
    """By the number of their account."""
    by_email: Mapping[str, str]
    """By their address, which is all that a draft has."""
    before: Mapping[Key, str]
    """What an earlier pull called the author of an annotation: Label Studio forgets who wrote it when the account
    is deleted."""

    def author(self, annotation: Raw) -> str | None:
        """The author of an annotation; none where nobody knows any more."""
        account = annotation["completed_by"]
        name = self.by_id.get(account) or self.before.get(key(annotation))
        return name or (None if account is None else f"user-{account}")

    def editor(self, annotation: Raw) -> str | None:
        """Who changed an annotation last, where that is not its author."""
        account = annotation["updated_by"]
        if account in (None, annotation["completed_by"]):
            return None
        return self.by_id.get(account, f"user-{account}")


def key(annotation: Raw) -> Key:
    """By what an annotation is known from one pull to the next."""
    return annotation["id"], annotation.get("created_at")


def problem(kind: ProblemKind, what: str, *, dilemma: str | None = None, annotation: int | None = None) -> RoundProblem:
    """A problem; whatever the server put into the words is made printable."""
    printable = "".join(one if one.isprintable() else "\ufffd" for one in what)
    return RoundProblem(kind=kind, what=printable, dilemma=dilemma, annotation=annotation)


def count(number: int, what: str) -> str:
    """A number of things in words.

    >>> count(2, "task")
    '2 tasks'
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def check(export: Iterable[Any], predictions: Iterable[Any]) -> None:
    """Refuse what has another form than an export or a list of predictions, before anything is made of it.

    Raises:
        ReviewError: it has.
    """
    if not all(map(_is_task, export)) or not all(map(_is_prediction, predictions)):
        raise ReviewError(
            "what the server sent has another form than an export",
            fix="It may be a Label Studio of another version; docs/review.md says which was tried.",
        )


def _is_task(raw: Any) -> bool:
    match raw:
        case {"id": int(), "annotations": list(annotations), "drafts": list(drafts), "predictions": list()}:
            return all(map(_is_annotation, annotations)) and all(map(_is_draft, drafts))
    return False


def _is_annotation(raw: Any) -> bool:
    match raw:
        case {"id": int(), "completed_by": int() | None, "updated_by": int() | None}:
            return True
    return False


def _is_draft(raw: Any) -> bool:
    match raw:
        case {"user": str()}:
            return True
    return False


def _is_prediction(raw: Any) -> bool:
    match raw:
        case {"id": int(), "task": int()}:
            return True
    return False


def ours(export: Iterable[Raw]) -> tuple[list[Task], list[RoundProblem]]:
    """The tasks that are ours and as they were made, and a problem for each of the others."""
    found, problems = [], []
    for raw in export:
        try:
            sent = tasks.sent(raw)
        except InputError as error:
            name = bears(raw)
            held = [count(len(raw[f"{one}s"]), one) for one in ("annotation", "draft", "prediction") if raw[f"{one}s"]]
            what = f"{error.where} {error.what}; it is left out with {', '.join(held) or 'nothing in it'}"
            problems.append(problem("changed_task" if name else "unknown_task", what, dilemma=name))
        else:
            found.append(Task(sent, sent.key, raw))
    return found, problems


def bears(raw: Raw) -> str | None:
    """The id of a dilemma that a task bears, changed or not; none where it is somebody else's."""
    with suppress(TypeError, KeyError, ValidationError):
        return TypeAdapter(Identifier).validate_python(raw["data"][tasks.KEY])
    return None


def emails(export: Iterable[Raw], users: Mapping[int, str]) -> list[str]:
    """Addresses of those who wrote or changed something, in the order in which they are met."""
    met: list[str] = []
    for task in export:
        for one in task["annotations"]:
            met += [users[by] for by in (one["completed_by"], one["updated_by"]) if by in users]
        met += [one["user"] for one in task["drafts"]]
    return list(dict.fromkeys(met))


def without_names(export: Iterable[Raw], by_email: Mapping[str, str]) -> list[Raw]:
    """The export with pseudonyms where it names people, which is in drafts; all the rest is as it was."""
    return [
        {
            **task,
            "drafts": [
                {**draft, **dict.fromkeys({"user", "created_username"} & draft.keys(), by_email[draft["user"]])}
                for draft in task["drafts"]
            ],
        }
        for task in export
    ]


class Reader:
    """Reads annotations, drafts and predictions; what is wrong with them goes to `problems`."""

    def __init__(self, names: Names) -> None:
        """`names` has everybody who wrote or changed something."""
        self._names = names
        self._people: list[Judgement] = []
        self._machines: list[Judgement] = []
        self.problems: list[RoundProblem] = []

    @property
    def people(self) -> tuple[Judgement, ...]:
        """What people said, by dilemma, reviewer and time."""
        return with_superseded(
            sorted(
                self._people,
                key=lambda one: (one.dilemma, one.revision, one.reviewer, one.created or "", one.annotation or 0),
            )
        )

    @property
    def machines(self) -> tuple[Judgement, ...]:
        """What machines said, in the order in which it was read."""
        return with_superseded(self._machines)

    def read(self, found: Sequence[Task], predictions: Iterable[Raw]) -> None:
        """All annotations and drafts, and the predictions for these tasks."""
        for task in found:
            for raw in task.raw["annotations"]:
                self._annotation(raw, task.sent)
            for raw in task.raw["drafts"]:
                self._draft(raw, task.sent)
        by_number = {task.raw["id"]: task.sent for task in found}
        for raw in predictions:
            if of := by_number.get(raw["task"]):
                self._prediction(raw, of)

    def _annotation(self, raw: Raw, of: Sent) -> None:
        number = raw["id"]
        author, editor = self._names.author(raw), self._names.editor(raw)
        reviewer = author or f"unknown-{number}"
        what = f"annotation {number} by {reviewer}"
        if raw["completed_by"] not in self._names.by_id:
            result = "" if author else ", and nobody knows who it was; it does not count"
            self._note("no_author", f"{what}: the account of its author is gone{result}", of, number)
        if editor is not None:
            self._note("edited_by_other", f"{what} was changed by {editor}", of, number)
        found = self._read(lambda: tasks.judgement(raw, of, reviewer, editor=editor), what, of, number)
        self._people += [one.model_copy(update={"anonymous": author is None}) for one in found]

    def _draft(self, raw: Raw, of: Sent) -> None:
        reviewer = self._names.by_email[raw["user"]]
        what = f"a draft by {reviewer}"
        self._people += self._read(lambda: tasks.judgement(raw, of, reviewer, draft=True), what, of)

    def _prediction(self, raw: Raw, of: Sent) -> None:
        what = f"prediction {raw['id']} by {raw.get('model_version')}"
        self._machines += self._read(lambda: tasks.machine_judgement(raw, of), what, of)

    def _read(self, read: Callable[[], Read], what: str, of: Sent, number: int | None = None) -> list[Judgement]:
        """The judgement, if it is one."""
        try:
            judgement, problems = read()
        except ValidationError as error:
            field, wrong = first_problem(error)
            self._note("unreadable", f"{what}: {field}: {wrong}", of, number)
            return []
        for one in problems:
            self._note("unknown_answer", f"{what} {one}", of, number)
        return [judgement]

    def _note(self, kind: ProblemKind, what: str, of: Sent, number: int | None) -> None:
        self.problems.append(problem(kind, f"{what} ({of.dilemma.id})", dilemma=of.dilemma.id, annotation=number))


def with_superseded(judgements: Sequence[Judgement]) -> tuple[Judgement, ...]:
    """Mark those after which the same reviewer has handed in another one on the same text.

    Only one that is finished supersedes another: no draft, skip or mark as the right answer, and none without a
    decision. Of two of the same time, the annotation with the higher number is the newer one, and where there are no
    numbers the later one here. That somebody else has changed one makes it no newer: it is as old as its first saving.
    """
    times = [one.created if one.editor else one.updated or one.created for one in judgements]
    ages: list[Age] = [
        (datetime.fromisoformat(time) if time else LONG_AGO, one.annotation or 0, place)
        for place, (one, time) in enumerate(zip(judgements, times, strict=True))
    ]
    newest: dict[tuple[object, ...], Age] = {}
    for one, age in zip(judgements, ages, strict=True):
        if one.finished:
            newest[_series(one)] = max(newest.get(_series(one), age), age)
    return tuple(
        one.model_copy(update={"superseded": age < newest.get(_series(one), age)})
        for one, age in zip(judgements, ages, strict=True)
    )


def as_judged(found: Iterable[Task], people: Iterable[Judgement]) -> dict[str, Dilemma]:
    """Each dilemma in its newest revision that has a judgement that counts, else in its newest, in the tasks' order."""
    judged = {(one.dilemma, one.text_sha256) for one in people if one.counts}
    newest: dict[str, tuple[tuple[bool, int], Dilemma]] = {}
    for task in found:
        rank = task.key in judged, task.sent.dilemma.revision
        if task.key[0] not in newest or rank >= newest[task.key[0]][0]:
            newest[task.key[0]] = rank, task.sent.dilemma
    return {name: dilemma for name, (_, dilemma) in newest.items()}


def _series(one: Judgement) -> tuple[object, ...]:
    """What two judgements have in common of which only the newer one stands."""
    return one.dilemma, one.revision, one.text_sha256, one.reviewer, one.repeat
