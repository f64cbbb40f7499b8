"""What an evaluation adds to a real server's time: `python benchmarks/serving/load.py [--dilemmas 2] [--rounds 2]`.

The same prompts go to the embedded model one by one, from an evaluation and from a load generator that has them
prepared: a bare aiohttp loop. They take turns, each at a new server; told are the medians of the rounds by the clock,
from the first request of a prepared body, or from the call of `evaluate` with its probes, to the end. Exits 1 where
an evaluation takes over 5 % longer.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import embedded
from measuring import at_most, child, heading, table

MOST_OVER_GENERATOR = 1.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dilemmas", type=int, default=2, help="24 requests each")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    print(heading(), end="\n\n")
    clients: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
    with tempfile.TemporaryDirectory() as place:
        folder, settings = Path(place), embedded.settings(given.dilemmas)
        bodies = embedded.bodies(folder, settings)
        for number in range(given.rounds):
            for name in sorted(clients, reverse=bool(number % 2)):
                with embedded.server() as address:
                    run = {"folder": folder / f"{number}", "settings": settings}
                    options = run if name == "ours" else {"bodies": bodies}
                    clients[name].append(child(name, address, in_flight=1, cold=True, **options))
    seconds = {name: statistics.median(cost["seconds"] for cost in costs) for name, costs in clients.items()}
    rows = [
        [
            name,
            f"{seconds[name]:.1f}",
            f"{seconds[name] / seconds['bare']:.3f}",
            *(f"{c['seconds']:.1f}" for c in costs),
        ]
        for name, costs in clients.items()
    ]
    print(f"{clients['bare'][0]['asked']:.0f} requests, one at a time\n")
    heads = ("client", "wall s", "times the generator", *(f"round {number + 1}" for number in range(given.rounds)))
    print(table(heads, rows), end="\n\n")
    reached = at_most(MOST_OVER_GENERATOR, "an evaluation, times the generator", seconds["ours"] / seconds["bare"])
    return int(not (reached & at_most(0, "trials left open", sum(cost["open"] for cost in clients["ours"]))))


if __name__ == "__main__":
    sys.exit(main())
