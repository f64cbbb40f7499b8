"""Whether memory grows with a study: `python benchmarks/serving/memory.py [--million] [--by personas|repeats]`.

10,000 and 100,000 trials, with --million 1,000,000 too, are asked of a server that answers at once: the same dilemmas
of more personas of the grid, or more often. Told is the peak of the memory of the evaluating process (the kernel's
`VmHWM`). Exits 1 where it grows by more than 10 % over that of the first size, or where a trial is left open.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import at_most, child, heading, study, table
from null_server import running

MOST_GROWTH = 1.1
SMALLEST = 10_000
CONDITIONS, REPEATS = 4, 5
"""Of the smallest size; the baseline is one of the conditions."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--by", choices=("personas", "repeats"), default="personas", help="what there is more of")
    parser.add_argument("--in-flight", type=int, default=64)
    given = parser.parse_args()
    print(heading(), end="\n\n")
    costs: dict[int, dict[str, float]] = {}
    for times in (1, 10, 100) if given.million else (1, 10):
        with tempfile.TemporaryDirectory() as place, running() as address:
            folder = Path(place)
            settings = larger(folder, times, given.by)
            run = {"in_flight": given.in_flight, "folder": folder, "settings": settings}
            cost = costs[SMALLEST * times] = child("ours", address, cold=True, **run)
            cost["store"] = sum(path.stat().st_size for path in folder.glob("runs/run/*")) / 2**20
    first = costs[SMALLEST]["peak"]
    rows = [
        [
            f"{trials:,}",
            f"{cost['peak']:.0f}",
            f"{cost['peak'] / first:.2f}",
            f"{cost['seconds']:.0f}",
            f"{1000 * cost['cpu'] / trials:.2f}",
            f"{cost['store']:,.0f}",
        ]
        for trials, cost in costs.items()
    ]
    print(table(("trials", "peak MiB", "times the first", "wall s", "CPU ms a trial", "store MiB"), rows), end="\n\n")
    reached = at_most(MOST_GROWTH, "largest peak, times the first", max(c["peak"] for c in costs.values()) / first)
    return int(not (reached & at_most(0, "trials left open", sum(cost["open"] for cost in costs.values()))))


def larger(folder: Path, times: int, by: str) -> dict[str, Any]:
    """Settings of a run so many times the smallest, of the same dilemmas."""
    settings = study(folder / "dilemmas.jsonl", SMALLEST)
    if by == "repeats":
        return {**settings, "repeats": REPEATS * times}
    personas = folder / "personas.toml"
    entries = (f"[[persona]]\ngrid = {37 * number}\n" for number in range(1, CONDITIONS * times))
    personas.write_text('name = "of the grid"\n' + "".join(entries), encoding="utf-8")
    return {**settings, "persona_set": str(personas)}


if __name__ == "__main__":
    sys.exit(main())
