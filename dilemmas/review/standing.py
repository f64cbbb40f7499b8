"""What a project holds, held against the dilemmas that are to be in it. Pure functions.

A task is known by its dilemma's id and the checksum of its text, never by its number: Label Studio
gives the numbers of deleted tasks away again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dilemmas.errors import InputError
from dilemmas.review import tasks
from dilemmas.review.tasks import Raw, Sent
from dilemmas.schema import Dilemma


class Standing(NamedTuple):
    """A project's tasks, seen from some dilemmas."""

    tasks: Mapping[str, Raw] = {}
    """The task with a dilemma's text, by the dilemma's id."""
    stale: tuple[Raw, ...] = ()
    """Tasks with another text of such a dilemma, and surplus ones with the same."""
    others: int = 0
    """Tasks that are not ours."""
    changed: tuple[Raw, ...] = ()
    """Those of `tasks` that were changed on the server, so that nobody knows what is judged there."""


def compare(raws: Iterable[Raw], wanted: Mapping[str, Dilemma]) -> Standing:
    """Sort a project's tasks. Of several with the same text one as it was sent stands, of these one that was begun.

    Args:
        raws: from a listing, or from an export, which alone tells what was begun.
        wanted: the dilemmas, by id.
    """
    texts = {name: one.text_sha256 for name, one in wanted.items()}
    there: dict[str, Raw] = {}
    stale: list[Raw] = []
    others = 0
    changed: list[Raw] = []
    ranked = [((sent(raw) is None, not begun(raw), raw["id"]), raw) for raw in raws]
    for (altered, *_), raw in sorted(ranked, key=lambda one: one[0]):
        if (found := key(raw)) is None:
            others += 1
            continue
        name, text = found
        if texts.get(name) == text and name not in there:
            there[name] = raw
            if altered:
                changed.append(raw)
        elif name in texts:
            stale.append(raw)
    return Standing(there, tuple(stale), others, tuple(changed))


def key(raw: Raw) -> tuple[str, str] | None:
    """Id and checksum of a task's dilemma; None where it is not ours."""
    name, text = raw["data"].get(tasks.KEY), raw["data"].get(tasks.TEXT)
    return (name, text) if isinstance(name, str) and isinstance(text, str) else None


def begun(exported: Raw) -> bool:
    """Whether somebody has judged, skipped or begun a task."""
    return bool(exported.get("annotations") or exported.get("drafts"))


def sent(raw: Raw) -> Sent | None:
    """What a task was made of; None where it was changed on the server."""
    try:
        return tasks.sent(raw)
    except InputError:
        return None


def removable(stale: Iterable[Raw], wanted: Mapping[str, Dilemma]) -> list[Raw]:
    """Tasks that nobody has begun, nor changed on the server, and that are no newer than what is wanted."""
    return [
        raw
        for raw in stale
        if not begun(raw) and (of := sent(raw)) and of.dilemma.revision <= wanted[of.dilemma.id].revision
    ]


def check_revisions(stale: Iterable[Raw], wanted: Mapping[str, Dilemma]) -> None:
    """Refuse what would bring back an older text, or leave two judged texts with one revision number.

    Raises:
        InputError: the project has a newer revision, or people are judging another text of the same one.
    """
    for raw in stale:
        if (of := sent(raw)) is None:
            continue
        there, ours = of.dilemma.revision, wanted[of.dilemma.id]
        if there > ours.revision:
            raise InputError(
                f'the project has revision {there} of "{ours.id}", the file has revision {ours.revision}',
                where=f"task {raw['id']}",
                fix="Push the newer file, or choose another project.",
            )
        if there == ours.revision and begun(raw) and of.key != (ours.id, ours.text_sha256):
            raise InputError(
                f'somebody is judging another text of revision {there} of "{ours.id}"',
                where=f"task {raw['id']}",
                fix=f"Make the new text revision {there + 1} in the file, and push again.",
            )
