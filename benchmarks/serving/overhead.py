"""What a request costs this side: `python benchmarks/serving/overhead.py [--trials 2000] [--rounds 3]`.

The same prompts of about 700 tokens go to a server that answers in 20 ms, 64 at a time: from a bare aiohttp loop
with prepared bodies, from the openai client, and from an evaluation with all that belongs to it. The clients take
turns; told are the medians of the rounds. Then 1,000 are in flight at a server that answers in a second. Exits 1
where an evaluation takes over 0.5 ms of the processor a request, or over twice the wall clock of the bare loop,
where not all is answered, or where the thousand are never in flight at once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from measuring import at_least, at_most, child, heading, recorded, study, table
from null_server import running, stats

MOST_CPU_MS = 0.5
MOST_OVER_BARE = 2.0
MANY = 1000
"""In flight at the slow server."""
FEWEST_AT_ONCE = 0.99
"""Share of them that the slow server must have seen waiting at once."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000, help="a multiple of 40")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", default="bare,openai,ours")
    parser.add_argument("--many", type=int, default=4000, help="trials with 1,000 in flight; 0 for none")
    given = parser.parse_args()
    names = given.clients.split(",")
    print(heading(), end="\n\n")
    reached = True
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        reached &= usual(folder, given.trials, given.rounds, names)
        if given.many:
            reached &= many(folder, given.many)
    return int(not reached)


def usual(folder: Path, trials: int, rounds: int, names: list[str]) -> bool:
    settings = study(folder / "dilemmas.jsonl", trials)
    bodies = recorded(folder, settings)
    size = statistics.mean(map(_characters, bodies.read_bytes().splitlines()))
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            with running(answer=0.02) as address:
                run = {"folder": folder / f"{name}-{number}", "settings": settings}
                options = run if name == "ours" else {"bodies": bodies}
                costs[name].append(child(name, address, in_flight=64, **options))
    cpu = {name: 1000 * statistics.median(cost["cpu"] for cost in costs[name]) / trials for name in names}
    clock = {name: statistics.median(cost["seconds"] for cost in costs[name]) for name in names}
    print(
        f"{trials:,} prompts of some {size / 4:,.0f} tokens (4 characters each), 64 in flight, 20 ms an answer, "
        f"median of {rounds}\n"
    )
    heads = ("client", "CPU ms a request", "times bare", "wall s", "times bare", "requests/s", "peak MiB")
    rows = [
        [
            name,
            f"{cpu[name]:.2f}",
            f"{cpu[name] / cpu['bare']:.1f}",
            f"{clock[name]:.2f}",
            f"{clock[name] / clock['bare']:.2f}",
            f"{trials / clock[name]:,.0f}",
            f"{max(cost['peak'] for cost in costs[name]):.0f}",
        ]
        for name in names
    ]
    print(table(heads, rows), end="\n\n")
    if "ours" not in names:
        return True
    reached = at_most(MOST_CPU_MS, "CPU of an evaluation a request", cpu["ours"], " ms")
    reached &= at_most(MOST_OVER_BARE, "its wall clock, times the bare loop's", clock["ours"] / clock["bare"])
    return reached & at_most(0, "trials left open or unreadable", _lost(costs["ours"]))


def many(folder: Path, trials: int) -> bool:
    settings = study(folder / "dilemmas-many.jsonl", trials)
    with running(answer=1.0) as address:
        cost = child("ours", address, in_flight=MANY, folder=folder / "many", settings=settings)
        most = stats(address)["most_waiting"]
    floor = trials / MANY
    print(
        f"\n{trials:,} requests, {MANY:,} in flight, 1 s an answer: {cost['seconds']:.2f} s, "
        f"{cost['seconds'] / floor:.2f} times the floor of {floor:.0f} s; {1000 * cost['cpu'] / trials:.2f} ms of CPU "
        f"a request, {cost['peak']:.0f} MiB\n"
    )
    reached = at_least(FEWEST_AT_ONCE * MANY, "most that waited at the server at once", most)
    return reached & at_most(0, "trials left open or unreadable", _lost([cost]))


def _characters(body: bytes) -> int:
    return sum(len(message["content"]) for message in json.loads(body)["messages"])


def _lost(costs: list[dict[str, float]]) -> float:
    return sum(cost["open"] + cost["unreadable"] for cost in costs)


if __name__ == "__main__":
    sys.exit(main())
