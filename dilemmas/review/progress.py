"""Who has done what in a project, what is left, and how far people agree so far."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from dilemmas.agreement import Criterion, measures
from dilemmas.review import exports, rounds
from dilemmas.review.exports import Names, Reader
from dilemmas.review.form import DECISION, DECISIONS, FormName
from dilemmas.review.labels import labels
from dilemmas.review.projects import existing
from dilemmas.review.server import Project, Raw, Server
from dilemmas.schema import Dilemma, Judgement
from dilemmas.tidy import records


class Person(NamedTuple):
    """What one person has done in a project."""

    email: str
    """The account."""
    done: int
    """Dilemmas judged."""
    skipped: int
    """Dilemmas passed over, and not judged."""
    drafts: int
    """Dilemmas begun and not handed in."""
    seconds: float | None
    """Median time of a judgement; none where no time was kept."""


class Progress(NamedTuple):
    """How far a project is. What is done and left is told of each dilemma's newest text alone."""

    title: str
    """Of the project."""
    url: str
    """Where it is seen in a browser."""
    form: FormName
    """What annotators are asked."""
    annotators: int
    """Judgements wanted of each dilemma."""
    dilemmas: int
    """Dilemmas in it."""
    finished: int
    """Those with as many judgements as are wanted."""
    left: int
    """Judgements still wanted."""
    older: int
    """Tasks with an older text of a dilemma."""
    others: int
    """Tasks that are not ours, or were changed on the server."""
    people: tuple[Person, ...]
    """By e-mail address."""
    agreement: dict[str, Any] | None
    """On the decision, as `agreement.measures` gives it, NaN as None; none before two people judged one dilemma. As
    `tables.agree` has it after a pull: on each dilemma's newest text that anybody has judged."""


def progress(server: Server, title: str | None = None) -> list[Progress]:
    """How far a project is, or each of ours, by title.

    Raises:
        ReviewError: there is no project of that title, or two, it is not one of ours, or the server fails.
    """
    ours = [one for one in server.projects() if one.form] if title is None else [existing(server, title)]
    users = server.users() if ours else {}
    return [_of(one, server.export(one), users) for one in sorted(ours, key=lambda one: (one.title, one.id))]


def _of(project: Project, export: Sequence[Raw], users: Mapping[int, str]) -> Progress:
    """How far a project is, from its export."""
    assert project.form is not None
    exports.check(export, ())
    found, problems = exports.ours(export)
    newest = exports.as_judged(found, ())
    current = {(name, one.text_sha256) for name, one in newest.items()}
    reader = Reader(Names(users, {email: email for email in exports.emails(export, users)}, {}))
    reader.read(found, ())
    judged = exports.as_judged(found, reader.people)
    people = [one for one in reader.people if (one.dilemma, one.text_sha256) in current]
    given = Counter(one.dilemma for one in people if one.counts)
    return Progress(
        title=project.title,
        url=project.url,
        form=project.form,
        annotators=project.annotators,
        dilemmas=len(newest),
        finished=sum(given[name] >= project.annotators for name in newest),
        left=sum(max(0, project.annotators - given[name]) for name in newest),
        older=sum(one.key not in current for one in found),
        others=len(problems),
        people=tuple(_people(people)),
        agreement=_agreement(rounds.counted(judged, reader.people), judged, project.form),
    )


def _people(judgements: Sequence[Judgement]) -> Iterator[Person]:
    for email in sorted({one.reviewer for one in judgements}):
        theirs = [one for one in judgements if one.reviewer == email]
        done = {one.dilemma: one.seconds for one in theirs if one.counts}
        times = [seconds for seconds in done.values() if seconds is not None]
        yield Person(
            email,
            done=len(done),
            skipped=len({one.dilemma for one in theirs if one.state == "skipped"} - done.keys()),
            drafts=len({one.dilemma for one in theirs if one.state == "draft"} - done.keys()),
            seconds=statistics.median(times) if times else None,
        )


def _agreement(counted: Sequence[Judgement], dilemmas: Mapping[str, Dilemma], form: FormName) -> dict[str, Any] | None:
    given = labels(counted, dilemmas, form)
    decisions = given[given["criterion"] == DECISION]
    if not decisions["unit"].duplicated().any():
        return None
    return records(pd.DataFrame([measures(decisions, Criterion(DECISION, DECISIONS))]))[0]
