"""Which project on the server a title means."""

from __future__ import annotations

from dilemmas.errors import ReviewError, did_you_mean
from dilemmas.review.server import Project, Server


def find(server: Server, title: str) -> Project | None:
    """The project of this title; None where there is none.

    Raises:
        ReviewError: there are two of that title, or it is not one of ours.
    """
    found = server.projects(title)
    if len(found) > 1:
        raise ReviewError(
            f'{len(found)} projects have the title "{title}": {", ".join(one.url for one in found)}',
            where="--project",
            fix="Rename all but one of them in Label Studio, or choose another title.",
        )
    if found and found[0].form is None:
        raise ReviewError(
            f'the project "{title}" was not made by `dilemmas review push`, or by another version of it',
            where=found[0].url,
            fix="Choose another title.",
        )
    return found[0] if found else None


def existing(server: Server, title: str) -> Project:
    """The project of this title.

    Raises:
        ReviewError: there is none, or two; or it is not one of ours.
    """
    if project := find(server, title.strip()):
        return project
    ours = [one.title for one in server.projects() if one.form]
    raise ReviewError(
        f'there is no project "{title}"',
        where="--project",
        fix=did_you_mean(title, ours) or "Push to it first: `dilemmas review push`.",
    )
