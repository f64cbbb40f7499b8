"""Label Studio as the review needs it: its projects, tasks, exports and people.

Tasks, predictions and exports are the JSON that the server keeps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dilemmas.errors import ReviewError
from dilemmas.review.connection import Connection
from dilemmas.review.form import FormName, form_of

if TYPE_CHECKING:
    from dilemmas.review.client import Call

Raw = dict[str, Any]
PAGE, PROJECTS = 1000, 100
"""Tasks and projects a page of a listing: with the default of 30, tasks take eight times as long. Projects have a limit
of 100."""
EXPORT = 1800.0
"""Longest wait for an export, seconds: the server makes all of it before it sends the first byte."""


class Project(NamedTuple):
    """A project on the server."""

    id: int
    title: str
    label_config: str
    annotators: int
    """Annotations wanted for each task."""
    url: str
    """Where its tasks are seen in a browser."""
    instructions: str
    """HTML that annotators see before they begin."""

    @property
    def form(self) -> FormName | None:
        """Which of our forms it has; None for somebody else's project."""
        return form_of(self.label_config)


class Server:
    """A Label Studio that has answered and accepts the key. Every method may raise `ReviewError`."""

    def __init__(self, connection: Connection) -> None:
        """Connect.

        Raises:
            ReviewError: the SDK is not installed; nobody answers, it is not Label Studio, or it does not accept
                the key.
        """
        try:  # here, where a server is wanted: it takes a second, and is an extra
            from dilemmas.review.client import Client
        except ModuleNotFoundError:
            raise ReviewError("label-studio-sdk is not installed", fix="pip install 'dilemmas[review]'") from None
        self.connection = connection
        client = Client(connection)
        self.email = client.log_in()
        """Whose key it is."""
        self._get, self._send = client.get, client.send

    def projects(self, title: str | None = None) -> list[Project]:
        """All projects, or those with exactly this title."""
        found = self._all(
            "list the projects", "results", "count",
            lambda page: lambda sdk: sdk.projects.list(title=title, page=page, page_size=PROJECTS),
        )  # fmt: skip
        # The server takes the title for a part of one.
        return [one for one in map(self._project, found) if title is None or one.title == title]

    def project(self, id: int) -> Project:
        """One project.

        Raises:
            ReviewError: there is none (any more).
        """
        return self._get("open the project", lambda sdk: sdk.projects.get(id), self._project)

    def create_project(self, title: str, label_config: str, *, annotators: int, instructions: str) -> Project:
        """A new project; machines' predictions are not shown in it."""
        settings: Raw = {
            "title": title,
            "label_config": label_config,
            "maximum_annotations": annotators,
            "expert_instruction": instructions,
            "show_instruction": True,
            "show_skip_button": True,
            "enable_empty_annotation": False,
            "show_collab_predictions": False,
            "sampling": "Sequential sampling",
        }
        return self._send("create the project", lambda sdk: sdk.projects.create(**settings), self._project)

    def update_project(
        self, project: Project, *, label_config: str | None = None, annotators: int | None = None,
        instructions: str | None = None,
    ) -> Project:  # fmt: skip
        """Change a project; a config is validated against the annotations first.

        Raises:
            ReviewError: the config does not fit annotations that are there; nothing is changed.
        """
        id, config = project.id, label_config
        if config is not None:  # the change alone would let a choice go that annotations have
            self._send(
                "change the form", lambda sdk: sdk.projects.validate_label_config(id, label_config=config), _nothing
            )
        settings: Raw = {
            "label_config": config, "maximum_annotations": annotators, "expert_instruction": instructions,
        }  # fmt: skip
        changes = {name: value for name, value in settings.items() if value is not None}
        return self._send("change the project", lambda sdk: sdk.projects.update(id, **changes), self._project)

    def delete_project(self, project: Project) -> None:
        """Delete a project with all that is in it."""
        self._send("delete the project", lambda sdk: sdk.projects.delete(project.id), _nothing)

    def tasks(self, project: Project) -> list[Raw]:
        """All tasks: id, data, meta, total_annotations (skips not among them) and cancelled_annotations.

        For annotations and drafts take `export`: a listing hides drafts.
        """
        fields = "id,data,meta,total_annotations,cancelled_annotations"
        wanted: Raw = {"project": project.id, "fields": "task_only", "include": fields, "page_size": PAGE}
        return self._all(
            "list the tasks", "tasks", "total", lambda page: lambda sdk: sdk.tasks.list(page=page, **wanted)
        )

    def import_tasks(self, project: Project, tasks: Sequence[Raw]) -> list[int]:
        """Import one batch, all or nothing; gives the new ids. It is never sent twice: list the tasks after an error.

        Raises:
            ReviewError: refused, or cut off, in which case they may be there nevertheless.
        """
        request: Any = tasks  # the SDK's own records do not take predictions without a task's id
        return self._send(
            "import the tasks",
            lambda sdk: sdk.projects.import_tasks(project.id, request=request, return_task_ids=True),
            lambda made: [int(one) for one in made["task_ids"]],
        )

    def delete_tasks(self, project: Project, ids: Sequence[int]) -> None:
        """Delete tasks with all that is in them."""
        if not ids:
            return  # which the server would take for all of them
        action: Raw = {"id": "delete_tasks", "selected_items": {"all": False, "included": list(ids)}}
        self._send("delete tasks", lambda sdk: sdk.actions.create(project=project.id, **action), _nothing)

    def add_prediction(self, task: int, prediction: Raw) -> None:
        """Add a prediction, `model_version` and `result`, to a task."""
        self._send("add a prediction", lambda sdk: sdk.predictions.create(task=task, **prediction), _nothing)

    def predictions(self, project: Project) -> list[Raw]:
        """All predictions: id, task, model_version, result and more."""
        return self._get("list the predictions", lambda sdk: sdk.predictions.list(project=project.id), _records)

    def export(self, project: Project) -> list[Raw]:
        """All tasks with annotations and drafts, as the server keeps them."""
        wanted: Raw = {"download_all_tasks": True, "request_options": {"timeout_in_seconds": EXPORT}}
        return self._get(
            "export the project",
            lambda sdk: list(sdk.projects.exports.download_sync(project.id, **wanted)),  # all the pieces it comes in
            _records,
        )

    def users(self) -> dict[int, str]:
        """E-mail address of each user, by id; deleted users are missing."""
        return self._get(
            "list the users", lambda sdk: sdk.users.list(), lambda all: {int(u["id"]): str(u["email"]) for u in all}
        )

    def invite_url(self) -> str:
        """A link by which somebody can make an account."""
        link = self._get(
            "get the invite link",
            lambda sdk: sdk.organizations.invites.get_invite_link(),
            lambda invite: str(invite["invite_url"]),
        )
        return link if link.startswith("http") else f"{self.connection.url}{link}"

    def _all(self, doing: str, name: str, total: str, page: Callable[[int], Call]) -> list[Raw]:
        """All records of a listing that comes in pages, which hold them under `name` and their number under `total`."""
        found: list[Raw] = []
        for number in itertools.count(1):
            records, wanted = self._get(
                doing, page(number), lambda answer: (_records(answer[name]), int(answer[total]))
            )
            found += records
            if not records or len(found) >= wanted:
                break
        return found

    def _project(self, raw: Raw) -> Project:
        return Project(
            id=int(raw["id"]),
            title=str(raw["title"]),
            label_config=str(raw["label_config"] or ""),
            annotators=int(raw["maximum_annotations"] or 1),
            url=f"{self.connection.url}/projects/{raw['id']}/data",
            instructions=str(raw["expert_instruction"] or ""),
        )


def _records(answer: Any) -> list[Raw]:
    if not (isinstance(answer, list) and all(isinstance(one, dict) for one in answer)):
        raise TypeError
    return answer


def _nothing(answer: Any) -> None:
    """For an answer that says nothing of interest."""
