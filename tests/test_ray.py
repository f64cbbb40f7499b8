"""Studies on real Ray clusters: two nodes on this machine, and a local one that the command starts itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, Seen
from processes import descendants, server_command, wait_for_end

from dilemmas import config, evaluate, study
from dilemmas.cluster import Cluster, connecting
from dilemmas.errors import InputError, ModelError
from dilemmas.ledger import Outcome
from dilemmas.store import FILE, Store

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),  # Ray's own
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc"),
]
IN_FLIGHT = 4
TIMEOUT = 120
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
"""How soon Ray takes a node for dead: in 1.5 s, where it usually takes some 20."""


class TwoNodes:
    """A cluster of a head that does no work and two nodes."""

    def __init__(self) -> None:
        ray = connecting.library()
        from ray.cluster_utils import Cluster as RayCluster

        assert not ray.is_initialized()
        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": QUICK}
        self._cluster = RayCluster(initialize_head=True, head_node_args=head)
        self._nodes: list[Any] = []
        self.address: str = self._cluster.address
        self.restore()

    def restore(self) -> None:
        """Bring the nodes up that are missing."""
        while len(self._nodes) < 2:
            self._nodes.append(self._cluster.add_node(num_cpus=2, num_gpus=1))  # Ray does not look for it

    def kill_one(self) -> None:
        self._cluster.remove_node(self._nodes.pop(), allow_graceful=False)

    def shutdown(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def nodes() -> Iterator[TwoNodes]:
    cluster = TwoNodes()
    yield cluster
    cluster.shutdown()


def asked_on(
    nodes: TwoNodes, place: Path, *, kill_at: int | None = None, gpus: float = 0.0, **settings: Any
) -> Outcome:
    """Ask a study on two nodes; one of them is killed once so many answers are there."""
    from dilemmas.cluster.driving import evaluate_on

    nodes.restore()

    def show(outcome: Outcome) -> None:
        nonlocal kill_at
        if kill_at is not None and outcome.asked >= kill_at:
            kill_at = None
            nodes.kill_one()

    chosen = config.load(None, {"name": "run", "persona_set": "three", **settings})
    cluster = Cluster(address=nodes.address, actors=2, gpus_per_actor=gpus)
    outcome = evaluate_on(study.prepare(chosen), place / "runs", cluster, show)
    assert kill_at is None
    return outcome


def answers(place: Path) -> list[tuple[str, str | None]]:
    """Trials of the run with their responses."""
    with Store.reading(place / "runs" / "run" / FILE) as store:
        return [(trial, response) for *_, trial, response in store.cells()]


def test_after_a_node_is_killed_all_is_answered_and_nothing_asked_twice_but_what_was_in_flight(
    nodes: TwoNodes, tmp_path: Path
) -> None:
    def take_your_time(seen: Seen) -> None:
        if seen.is_question:
            time.sleep(0.05)

    with FakeServer(script=take_your_time) as server:
        model = {"model.name": "fake", "model.base_url": server.address, "model.concurrency": IN_FLIGHT}
        outcome = asked_on(nodes, tmp_path, kill_at=40, gpus=0.5, limit=6, **model)
        assert outcome.asked == outcome.planned == 6 * 4 * 2 * 3
        assert outcome.open == 0
        assert any("was lost" in notice for notice in outcome.notices)
        assert all(response for _, response in answers(tmp_path))
        asked = [str(body["messages"]) + str(body.get("seed")) for body in server.questions]
        assert len(set(asked)) == outcome.planned
        assert len(asked) <= outcome.planned + IN_FLIGHT
        before = len(asked)
        chosen = config.load(None, {"name": "run", "persona_set": "three", "limit": 6, **model})
        again = asyncio.run(evaluate.evaluate(study.prepare(chosen), tmp_path / "runs"))
        assert (again.asked, again.reused) == (0, outcome.planned)
        assert len(server.questions) == before


@pytest.mark.embedded
def test_the_embedded_model_is_asked_on_two_nodes_of_which_one_is_killed(nodes: TwoNodes, tmp_path: Path) -> None:
    small = {"model.name": "embedded", "persona_set": "none", "limit": 3, "repeats": 1}
    outcome = asked_on(nodes, tmp_path, kill_at=1, **small)
    assert (outcome.asked, outcome.open, outcome.planned) == (6, 0, 6)
    assert all(response for _, response in answers(tmp_path))
    manifest = (tmp_path / "runs" / "run" / "manifest.json").read_text(encoding="utf-8")
    assert "135 million parameters" in manifest


def test_a_node_without_the_model_ends_the_run_before_it_begins(nodes: TwoNodes, tmp_path: Path) -> None:
    with (
        FakeServer(models=("other",)) as server,
        pytest.raises(ModelError, match=r'has no model "fake"; it has: other') as raised,
    ):
        asked_on(nodes, tmp_path, **{"model.name": "fake", "model.base_url": server.address})
    assert "node " in str(raised.value)
    assert not (tmp_path / "runs").exists()


def test_more_actors_than_there_is_room_for_are_refused(nodes: TwoNodes, tmp_path: Path) -> None:
    from dilemmas.cluster.driving import evaluate_on

    nodes.restore()
    chosen = config.load(None, {"name": "run", "model.name": "scripted", "limit": 1})
    with pytest.raises(InputError, match="room for 4"):
        evaluate_on(study.prepare(chosen), tmp_path / "runs", Cluster(address=nodes.address, actors=5))


def test_a_cluster_that_does_not_answer_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "PATIENCE", 1.0)
    with (
        FakeServer() as no_cluster,
        pytest.raises(InputError, match="no Ray cluster answers"),
        connecting.connected(f"127.0.0.1:{no_cluster.port}", 1),
    ):
        raise AssertionError("it is none")
    with pytest.raises(InputError, match="refused"), connecting.connected("127.0.0.1:1", 1):
        raise AssertionError("it is none")


def test_a_server_that_dies_is_started_again_and_an_interrupted_run_leaves_no_process_behind(
    tmp_path: Path,
) -> None:
    noted = tmp_path / "processes"
    serve = server_command(tmp_path, noted, delay=0.3)
    small = ("--model", "m", "--limit", "6", "--persona-set", "three", "--run", "run", "--no-report", "--json")
    ray = ("--engine", "ray", "--serve", serve, "--concurrency", "2", "--patience", "0.5")
    with subprocess.Popen(
        [sys.executable, "-m", "dilemmas", "evaluate", *small, *ray],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for_answers(process, tmp_path, 1)
        first = list(map(int, noted.read_text(encoding="utf-8").split()))
        os.kill(first[0], signal.SIGKILL)
        assert wait_for_end(*first)
        wait_for_answers(process, tmp_path, answered(tmp_path) + 4)  # more than may have been under way
        second = list(map(int, noted.read_text(encoding="utf-8").split()))
        assert first != second
        started = [*descendants(process.pid), *second]
        process.send_signal(signal.SIGTERM)
        said, complaints = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, complaints
    assert len(complaints.splitlines()) == 1, complaints
    assert not said
    assert wait_for_end(*started)
    kept = answered(tmp_path)
    with FakeServer(models=("m",)) as server:
        model = {"model.name": "m", "model.base_url": server.address}
        chosen = config.load(None, {"name": "run", "persona_set": "three", "limit": 6, **model})
        again = asyncio.run(evaluate.evaluate(study.prepare(chosen), tmp_path / "runs"))
        assert (again.reused, again.asked, again.open) == (kept, 144 - kept, 0)
        assert len(server.questions) == 144 - kept


def answered(place: Path) -> int:
    """How many trials of the run have an answer; none where there is no run yet."""
    there = (place / "runs" / "run" / FILE).exists()
    return sum(response is not None for _, response in answers(place)) if there else 0


def wait_for_answers(process: subprocess.Popen[str], place: Path, count: int) -> None:
    until = time.monotonic() + TIMEOUT
    while answered(place) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)
