"""What `dilemmas review push` costs beside the calls it cannot do without: `python benchmarks/review.py`.

A Label Studio of its own runs on loopback. Every repeat makes two projects, one by a push of all the
dilemmas and one by the bare calls, and each goes first in turn. The bare calls are those of the push,
made by the SDK alone from data that was made beforehand: `projects.list` with the title (its first
page), `projects.create`, and `projects.import_tasks` for each batch of the same size. Told are the
medians, and the push over the bare calls. Then all is pushed again. Exits 1 where the ratio is above 1.5,
or where a second push sends a task.
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from checks import Writer
from label_studio_sdk import LabelStudio
from pydantic import SecretStr

from dilemmas.review import form, tasks
from dilemmas.review.connection import Connection
from dilemmas.review.local import LocalServer, command
from dilemmas.review.push import BATCH, push
from dilemmas.review.server import Raw, Server

MOST_OVER_FLOOR = 1.5


@contextlib.contextmanager
def label_studio(venv: Path) -> Iterator[Connection]:
    """A new Label Studio, and the key to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    token = secrets.token_hex(20)
    with tempfile.TemporaryDirectory() as folder:
        local = LocalServer(
            command(venv), Path(folder), port, email="admin@example.com", password=secrets.token_hex(8), token=token
        )
        local.start()
        try:
            yield Connection(local.url, SecretStr(token), "the benchmark")
        finally:
            local.stop()


def bare_sdk(connection: Connection) -> LabelStudio:
    """Calls and nothing else."""
    return LabelStudio(base_url=connection.url, api_key=connection.key.get_secret_value(), timeout=300)


def seconds(work: Callable[[], object]) -> float:
    """By the clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def bare_push(sdk: LabelStudio, project: Raw, made: list[Raw]) -> None:
    """The calls of a push of tasks that are made already."""
    sdk.projects.list(title=project["title"])
    number = sdk.projects.create(**project).id
    for start in range(0, len(made), BATCH):
        sdk.projects.import_tasks(number, request=made[start : start + BATCH], return_task_ids=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dilemmas", type=int, default=616)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--venv", type=Path, default=Path(".venv-label-studio"), help="where Label Studio is installed")
    given = parser.parse_args()
    dilemmas = list(Writer(seed=0).write(given.dilemmas))
    ours, floor, again, sent = [], [], [], 0
    with label_studio(given.venv) as connection:
        server, sdk = Server(connection), bare_sdk(connection)
        for repeat in range(given.repeats + 1):
            title = f"Pushed {repeat}"
            project = {
                "title": f"Bare {repeat}",
                "label_config": form.labeling_config("open"),
                "maximum_annotations": 2,
                "expert_instruction": form.instructions(),
            }
            made = [tasks.task(one, "open") for one in dilemmas]
            runs = [
                (ours, lambda title=title: push(server, dilemmas, title)),
                (floor, lambda project=project, made=made: bare_push(sdk, project, made)),
            ]
            for times, work in runs[:: (-1) ** repeat]:
                times.append(seconds(work))
            started = time.perf_counter()
            sent += push(server, dilemmas, title).sent
            again.append(time.perf_counter() - started)
            for one in server.projects():
                server.delete_project(one)
    # The first repeat warms up both sides.
    one, other, third = (statistics.median(times[1:]) for times in (ours, floor, again))
    print(f"{given.dilemmas} dilemmas, median of {given.repeats} repeats, seconds")
    print(f"push           {one:6.2f}   {' '.join(f'{t:.2f}' for t in ours[1:])}")
    print(f"bare calls     {other:6.2f}   {' '.join(f'{t:.2f}' for t in floor[1:])}")
    print(f"ratio          {one / other:6.2f}   (limit {MOST_OVER_FLOOR:g})")
    print(f"second push    {third:6.2f}   {sent} tasks sent")
    return int(one / other > MOST_OVER_FLOOR or sent > 0)


if __name__ == "__main__":
    sys.exit(main())
