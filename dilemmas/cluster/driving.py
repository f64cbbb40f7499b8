"""The driver: starts the desk and the actors, hands out the plan, and tells how far it is."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from dilemmas.cluster import Cluster
from dilemmas.cluster.connecting import connected
from dilemmas.cluster.desk import Desk, Standing
from dilemmas.cluster.telling import Told
from dilemmas.cluster.worker import Worker
from dilemmas.config import ModelConfig, is_loopback
from dilemmas.errors import InputError, SetupError
from dilemmas.evaluate import together
from dilemmas.ledger import Outcome, Progress
from dilemmas.models import defaults
from dilemmas.questions import INSTRUMENTS
from dilemmas.study import Study

GRACE = 60.0
"""Seconds without a sign of life from any actor, after which what they had is handed out anew."""
_LOOKED = 0.2
"""Seconds between two looks at how far it is."""
_ANSWER = 600.0
"""Longest wait for the desk, seconds: it answers at once, but counts a large store at the end. One that is lost is
noticed at once."""
_ENDING = 10.0
"""Longest wait for a round whose actors are gone, seconds."""
_PAUSE = 2.0
"""Seconds until trials that another command is asking are looked at again."""
_MOST_STRETCHES, _FEWEST_EACH = 4096, 8
"""Parts of a plan: at most in all, since Ray plans each, and at least for each actor, so that all end at about once."""
_AT_ONCE = 2
"""Stretches in an actor's hands: while one ends the other has begun."""

Stretch = tuple[int, int]
"""The first of some groups of a plan, and the one after the last."""


def evaluate_on(
    study: Study,
    runs: Path,
    cluster: Cluster,
    progress: Progress = lambda outcome: None,
    *,
    reuse: Sequence[Path] = (),
) -> Outcome:
    """Ask all that is missing of a study on a cluster and keep every answer; several models one after the other.

    Args:
        study: what is asked.
        runs: folder of the runs, on this machine; the run's own folder is made in it.
        cluster: where it is asked.
        progress: called now and then with what came of one model so far, and once it is through.
        reuse: folders of other runs, whose answers to the very same trials are taken over.

    Returns:
        The outcome; `stopped` is set where a server was lost, or a node cannot ask, and what was answered until
        then is kept.

    Raises:
        DilemmasError: the run cannot begin: no cluster, no such model, other settings, no place to write.
    """
    cluster.check(study.config)
    with connected(cluster.address, max(cluster.actors or 1, 2)) as ray:
        done = []
        for settings in study.config.models:
            actors = _actors(ray, cluster, settings)
            outcome, begun = _Drive(ray, study, runs, cluster, settings, actors, reuse, progress).through()
            if outcome.stopped and not begun and len(study.config.models) == 1:
                raise outcome.stopped
            done.append(outcome)
    return together(done)


class _Drive:
    """One model's questions on a cluster that is connected."""

    def __init__(
        self,
        ray: Any,
        study: Study,
        runs: Path,
        cluster: Cluster,
        settings: ModelConfig,
        actors: int,
        reuse: Sequence[Path],
        progress: Progress,
    ) -> None:
        self._ray, self._cluster, self._settings, self._actors = ray, cluster, settings, actors
        self._progress, self._began = progress, time.monotonic()
        self._told = Told.of(study)
        self._all = stretches(
            len(study.personas) * len(study.dilemmas), len(INSTRUMENTS) * study.config.repeats, settings, actors
        )
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._nodes = _alive(ray)
        folders = [folder.resolve() for folder in reuse]
        self._desk = (
            ray.remote(Desk)
            .options(num_cpus=0, scheduling_strategy=here, max_restarts=0)
            .remote(self._told, settings, runs.resolve(), folders)
        )

    def through(self) -> tuple[Outcome, bool]:
        """Ask until nothing is left to ask; the outcome, and whether the run has begun at all."""
        begun = False
        with self._explained():
            try:
                begun = self._rounds()
            finally:
                outcome: Outcome = self._ray.get(self._desk.finish.remote(), timeout=_ANSWER)
        outcome.seconds = time.monotonic() - self._began
        lost = self._nodes - _alive(self._ray)
        outcome.notices += tuple(f"the node {name} was lost, and others asked its part" for name in sorted(lost))
        self._progress(outcome)
        return outcome, begun

    def _rounds(self) -> bool:
        todo, asked = self._all, -1
        for number in count():
            round_ = _Round(self._rows(todo, number))
            try:
                standing = self._watch(round_)
            finally:
                for actor in self._ray.get(self._desk.dismiss.remote(number + 1), timeout=_ANSWER):
                    self._ray.kill(actor)
                round_.join(_ENDING)
            outcome: Outcome = self._ray.get(self._desk.rest.remote(), timeout=_ANSWER)
            if outcome.stopped:
                return standing.begun
            if round_.failed is None and not round_.left:
                break
            if round_.failed is not None and outcome.asked == asked:
                raise SetupError(
                    f"the actors were lost, and nothing came back since: {_first_line(round_.failed)}",
                    where=f"--address {self._cluster.address}",
                    fix="See that the nodes are up; the same command again asks only what is missing.",
                )
            asked, todo = outcome.asked, self._all if round_.failed else round_.left
            if not round_.failed:
                time.sleep(_PAUSE)
        return True

    def _watch(self, round_: _Round) -> Standing:
        """Show how far it is, until a round is over, all is stopped, or nobody is alive."""
        while True:
            standing: Standing = self._ray.get(self._desk.standing.remote(), timeout=_ANSWER)
            standing.outcome.seconds = time.monotonic() - self._began
            if standing.begun:
                self._progress(standing.outcome)
            if not round_.is_alive() or standing.outcome.stopped:
                return standing
            if standing.idle > GRACE:
                round_.failed = round_.failed or TimeoutError(f"no sign of life for {GRACE:.0f} s")
                return standing
            round_.join(_LOOKED)

    def _rows(self, todo: Sequence[Stretch], number: int) -> Any:
        """What is to be asked, as a Ray dataset whose rows are asked as they are drawn.

        Ray Data spreads the actors over the nodes; it starts one again whose node is lost, and gives it again what
        that one had not done.
        """
        data, cluster = self._ray.data, self._cluster
        rows = [{"first": first, "end": end} for first, end in todo]
        return data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            Worker,
            batch_size=1,
            fn_constructor_args=(self._told, self._settings, cluster.serve, self._actors, self._desk, number),
            compute=data.ActorPoolStrategy(
                size=self._actors,
                max_tasks_in_flight_per_actor=_AT_ONCE,
                max_concurrent_calls_per_actor=_AT_ONCE,
                enable_true_multi_threading=True,
            ),
            num_cpus=0 if cluster.gpus_per_actor else 1,
            num_gpus=cluster.gpus_per_actor or None,
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Ray's complaints about the desk as ours."""
        try:
            yield
        except self._ray.exceptions.RayError as error:
            raise SetupError(
                f"the process that keeps the answers was lost: {_first_line(error)}",
                fix="What was answered is kept: the same command again asks only what is missing.",
            ) from None


class _Round(threading.Thread):
    """Draws all rows of a dataset, which has them asked; those that come back were not done."""

    def __init__(self, rows: Any) -> None:
        super().__init__(daemon=True)
        self.left: list[Stretch] = []
        self.failed: Exception | None = None
        """Why it ended early."""
        self._rows = rows
        self.start()

    def run(self) -> None:
        try:
            for row in self._rows.iter_rows():
                self.left.append((row["first"], row["end"]))
        except Exception as error:  # noqa: BLE001 - whoever joins looks at it
            self.failed = self.failed or error


def stretches(groups: int, trials: int, settings: ModelConfig, actors: int) -> list[Stretch]:
    """A plan in parts that are handed out one by one.

    Each keeps an actor busy for a while: some four times as many trials as it has in flight.

    Args:
        groups: how many there are.
        trials: in each.
        settings: the model's.
        actors: how many share it.

    >>> stretches(10, 6, ModelConfig(), 1)[:3]
    [(0, 1), (1, 2), (2, 3)]
    >>> stretches(1_000_000, 6, ModelConfig(name="m"), 4)[-1]
    (999845, 1000000)
    """
    _, usual = defaults(settings.name)
    in_flight = settings.concurrency or (1 if settings.strict else usual)
    wanted = math.ceil(4 * (64 if in_flight == "auto" else in_flight) / trials)
    wanted = min(wanted, groups // (actors * _FEWEST_EACH))
    size = max(wanted, math.ceil(groups / _MOST_STRETCHES), 1)
    return [(first, min(first + size, groups)) for first in range(0, groups, size)]


def _actors(ray: Any, cluster: Cluster, settings: ModelConfig) -> int:
    """How many actors are to ask.

    Raises:
        InputError: the cluster has no room for so many.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = cluster.gpus_per_actor
    rooms = [int(node.get("GPU", 0) / gpus if gpus else node.get("CPU", 0)) for node in nodes]
    room, urls = sum(rooms), settings.base_url
    if cluster.actors:
        wanted = cluster.actors
    elif gpus:
        wanted = max(1, room)
    elif len(urls) > 1 or (urls and not is_loopback(urls[0])):
        wanted = min(len(urls), max(1, room))
    else:
        wanted = max(1, sum(room > 0 for room in rooms))
    if wanted > room:
        raise InputError(
            f"{wanted} need {f'{gpus:g} GPUs' if gpus else 'a processor'} each, and the cluster has room for {room}",
            where="--gpus-per-actor" if gpus else "--actors",
            fix="Ask for fewer, or add nodes.",
        )
    return wanted


def _alive(ray: Any) -> set[str]:
    """Addresses of the nodes that are up, with the beginning of their ids."""
    return {f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})" for node in ray.nodes() if node["Alive"]}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
