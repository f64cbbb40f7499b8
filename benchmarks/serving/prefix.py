"""What the order of prompts saves a server: `python benchmarks/serving/prefix.py [--dilemmas 3] [--seed 1]`.

The same requests go to the embedded model one by one, each time to a new server: in the order of the plan, which is
by persona and scenario; shuffled; and shuffled with the server's prefix cache off. Told are the share of the prompts'
tokens that the server had in its cache and the requests a second. Exits 1 where the plan's order has less of the
tokens cached than a shuffled one, or is not faster than a shuffled one without a cache by half.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

import embedded
from measuring import at_least, child, heading, table

LEAST_GAIN = 1.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dilemmas", type=int, default=3, help="24 requests each")
    parser.add_argument("--seed", type=int, default=1, help="of the shuffling")
    given = parser.parse_args()
    print(heading(), end="\n\n")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ordered = embedded.bodies(folder, embedded.settings(given.dilemmas)).read_bytes().splitlines()
        shuffled = random.Random(given.seed).sample(ordered, len(ordered))
        uncached = [json.dumps({**json.loads(body), "cache_prompt": False}).encode() for body in shuffled]
        costs = {}
        for name, bodies in {"ordered": ordered, "shuffled": shuffled, "shuffled, no cache": uncached}.items():
            path = folder / "to-send"
            path.write_bytes(b"\n".join(bodies))
            with embedded.server() as address:
                costs[name] = child("bare", address, in_flight=1, bodies=path, cold=True)
    rate = {name: cost["asked"] / cost["seconds"] for name, cost in costs.items()}
    cached = {name: cost["cached_tokens"] / cost["prompt_tokens"] for name, cost in costs.items()}
    slowest = rate["shuffled, no cache"]
    rows = [[name, f"{cached[name]:.0%}", f"{rate[name]:.2f}", f"{rate[name] / slowest:.2f}"] for name in costs]
    tokens = costs["ordered"]["prompt_tokens"] / len(ordered)
    print(f"{len(ordered)} requests of {tokens:.0f} tokens on average, one at a time\n")
    print(table(("order", "tokens cached", "requests/s", "times no cache"), rows), end="\n\n")
    reached = at_least(cached["shuffled"], "share of the tokens cached, ordered", cached["ordered"])
    return int(not (reached & at_least(LEAST_GAIN, "requests/s, times those without cache", rate["ordered"] / slowest)))


if __name__ == "__main__":
    sys.exit(main())
