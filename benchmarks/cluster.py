"""What Ray costs: `python benchmarks/cluster.py [--trials 2000] [--answer 0.5] [--in-flight 8]`.

The same trials go to two servers that answer after a fixed time: from one process that asks both, and from two
actors on two nodes of a Ray cluster on this machine, each with its own server and as many requests in flight. Told
is the wall clock of both, of a call in all and from the first answer to the last; the cluster is up before, as a
user's would be. Exits 1 where Ray takes over 1.10 times as long once it has started.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("serving")))

from measuring import at_most, heading, study, table
from null_server import running

from dilemmas import config, evaluate
from dilemmas import study as planning
from dilemmas.cluster import Cluster
from dilemmas.cluster.connecting import library
from dilemmas.cluster.driving import evaluate_on
from dilemmas.ledger import Outcome, Progress

MOST = 1.10
"""Wall clock on two Ray nodes, times that of one process."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000, help="a multiple of 40")
    parser.add_argument("--answer", type=float, default=0.5, help="seconds until an answer")
    parser.add_argument("--in-flight", type=int, default=8, help="at each server")
    given = parser.parse_args()
    print(heading(), end="\n\n")
    with (
        tempfile.TemporaryDirectory() as place,
        running(answer=given.answer) as first,
        running(answer=given.answer) as second,
    ):
        settings = study(Path(place) / "dilemmas.jsonl", given.trials)
        settings |= {"model.base_url": [first, second], "model.concurrency": given.in_flight, "name": "run"}

        def prepared() -> planning.Study:
            return planning.prepare(config.load(None, settings))

        direct = timed(lambda show: asyncio.run(evaluate.evaluate(prepared(), Path(place) / "direct", show)))
        with two_nodes() as address:
            cluster = Cluster(address=address, actors=2)
            spread = timed(lambda show: evaluate_on(prepared(), Path(place) / "ray", cluster, show))
    floor = given.trials * given.answer / (2 * given.in_flight)
    print(f"{given.trials:,} trials, two servers, {given.in_flight} in flight at each, {given.answer:g} s an answer:")
    print(f"no client can take less than {floor:.1f} s\n")
    heads = ("", "wall s", "until the first answer", "until the last", "until the end")
    rows = [
        [name, *(f"{seconds:.1f}" for seconds in (sum(spans), *spans))]
        for name, spans in (("one process", direct), ("two Ray nodes", spread))
    ]
    print(table(heads, rows), end="\n\n")
    print(f"with its start and end, Ray takes {sum(spread) / sum(direct):.2f} times as long")
    return int(not at_most(MOST, "its wall clock once started, times", spread[1] / direct[1]))


def timed(ask: Callable[[Progress], Outcome]) -> tuple[float, float, float]:
    """Seconds until the first answer, from there to the last, and from there to the end."""
    at = [time.perf_counter()]

    def show(outcome: Outcome) -> None:
        if (len(at) == 1 and outcome.asked) or (len(at) == 2 and not outcome.open):
            at.append(time.perf_counter())

    outcome = ask(show)
    at.append(time.perf_counter())
    if outcome.stopped or outcome.open or outcome.asked != outcome.planned:
        raise SystemExit(f"not all was answered: {outcome}")
    began, first, last, ended = at
    return first - began, last - first, ended - last


@contextmanager
def two_nodes() -> Iterator[str]:
    """Address of a Ray cluster of two nodes on this machine; its head does no work."""
    library()
    from ray.cluster_utils import Cluster as RayCluster

    cluster = RayCluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    sys.exit(main())
