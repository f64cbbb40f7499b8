"""How long `dilemmas check` takes, by the size of the set: `python benchmarks/checks.py [--sizes 616,2500,10000]`.

Each size is checked in a process of its own, so that every row holds the time of the imports and the
peak of the memory. Speed is told against a floor measured in the same process: reading the file and
weighting the words of its scenarios once (TF-IDF), which no check can do without. Ratios are of the
processor's time, which other programs on the machine change little. Exits 1 where 616 dilemmas take
10 s or more, or where a dilemma costs over 1.5 times as much among 10,000 as among 2,500.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from dilemmas import dataset, taxonomy
from dilemmas.schema import Action, Dilemma, Provenance, Review, Setting

GRID = 616
MOST_SECONDS = 10.0
"""Longest that a check of the whole grid may take."""
MOST_GROWTH = 1.5
"""Largest cost of a dilemma among 10,000, as a multiple of its cost among 2,500."""
FAMILIES = {
    "form": ("records", "find"),
    "content": ("find",),
    "confounds": ("measure", "cues", "find"),
    "sameness": ("neighbours", "find"),
    "coverage": ("count", "find"),
    "blind_sort": ("scores", "find"),
}
"""What `dilemmas.checks.check` calls, by module."""
VOCABULARY = 30_000
"""Distinct longer words to draw from: the shipped scenarios' own, then pairs of them written as one."""
CHANGED = 0.8
"""Share of the longer words that are replaced, so that two uses of a sentence are not alike."""
COPIED = 0.02
"""Share of the scenarios that are an earlier one with a tenth of the longer words changed."""


class Writer:
    """Makes dilemmas of the shipped ones' sentences, with words drawn as rarely as in real text.

    Args:
        seed: of all draws.
    """

    def __init__(self, seed: int) -> None:
        self.models = dataset.read(dataset.shipped_path()).dilemmas
        self.rng = np.random.default_rng(seed)
        known = sorted({word for one in self.models for word in re.findall(r"\b[a-z]{5,}\b", one.scenario)})
        pairs = self.rng.permutation(len(known) ** 2)[: VOCABULARY - len(known)]
        joined = (known[pair // len(known)] + known[pair % len(known)] for pair in pairs)
        self.words = [*self.rng.permutation(known), *joined]
        weights = 1 / (np.arange(len(self.words)) + 2.7)  # Zipf's law in Mandelbrot's form
        self.cumulative = np.cumsum(weights) / weights.sum()
        self.sentences = [re.split(r"(?<=[.?!]) ", one.scenario) for one in self.models]

    def write(self, size: int) -> Iterator[Dilemma]:
        """Some dilemmas, spread over the grid."""
        values, topics = list(taxonomy.values()), list(taxonomy.topics())
        cells = [(value, topic) for topic in topics for value in values]
        scenarios: list[str] = []
        for number in range(size):
            value, topic = cells[number % len(cells)]
            competing = values[(values.index(value) + 1 + int(self.rng.integers(len(values) - 1))) % len(values)]
            copied = scenarios and self.rng.random() < COPIED
            scenarios.append(
                self._changed(scenarios[self.rng.integers(len(scenarios))], 0.1) if copied else self._scenario()
            )
            yield Dilemma(
                id=f"made-{number:05d}",
                value=value,
                topic=topic,
                competing_value=competing,
                setting=Setting(
                    **{
                        part: f"a {self._word()} with {int(self.rng.integers(9)) + 2} {self._word()}"
                        for part in Setting.model_fields
                    }
                ),
                scenario=scenarios[-1],
                actions=self._actions(),
                provenance=Provenance(kind="model", author="none", method="benchmark", created="2026-11-21"),
                review=Review(status="unreviewed"),
            )

    def _scenario(self) -> str:
        drawn = [self.sentences[self.rng.integers(len(self.sentences))] for _ in range(6)]
        return self._changed(" ".join(one[min(place, len(one) - 1)] for place, one in enumerate(drawn)), CHANGED)

    def _actions(self) -> tuple[Action, ...]:
        model = self.models[self.rng.integers(len(self.models))]
        return tuple(
            Action(
                polarity=action.polarity,
                intensity=action.intensity,
                text=self._changed(action.text, CHANGED),
                rationale=self._changed(action.rationale, CHANGED),
            )
            for action in model.actions
        )

    def _changed(self, text: str, share: float) -> str:
        return re.sub(r"\b[a-z]{5,}\b", lambda found: self._word() if self.rng.random() < share else found[0], text)

    def _word(self) -> str:
        return str(self.words[np.searchsorted(self.cumulative, self.rng.random())])


def main() -> int:
    """Print the table; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="616,2500,10000", help="numbers of dilemmas")
    parser.add_argument("--seed", type=int, default=1, help="of the text that is made up")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one)))
        return 0
    sizes = sorted({int(size) for size in options.sizes.split(",")})
    rows: dict[int, dict[str, float]] = {}
    heads = ("dilemmas", "import", "s", "cpu s", "s/616", "cost", "floors", "MiB", *FAMILIES)
    print("".join(f"{head:>11}" for head in heads), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "made.jsonl")
        made = tuple(Writer(options.seed).write(sizes[-1]))
        for size in sizes:
            dataset.write(path, made[:size])
            child = [sys.executable, __file__, "--one", str(path)]
            row = rows[size] = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
            cost = row["cpu"] / size / (rows[sizes[0]]["cpu"] / sizes[0])
            told = (
                row["import"],
                row["seconds"],
                row["cpu"],
                row["seconds"] / size * GRID,
                cost,
                row["cpu"] / row["floor"],
            )
            spent = [row[family] for family in FAMILIES]
            print(f"{size:>11,}" + "".join(f"{number:>11.2f}" for number in told), end="")
            print(f"{row['memory']:>11.0f}" + "".join(f"{seconds:>11.2f}" for seconds in spent), flush=True)
    return int(_too_slow(rows))


def _too_slow(rows: dict[int, dict[str, float]]) -> bool:
    """Whether a limit is missed; says which."""
    slow = False
    if GRID in rows and (total := rows[GRID]["import"] + rows[GRID]["seconds"]) >= MOST_SECONDS:
        print(f"{GRID} dilemmas take {total:.1f} s with the imports; the limit is {MOST_SECONDS:g} s")
        slow = True
    if 2500 in rows and 10000 in rows:
        growth = rows[10000]["cpu"] / rows[2500]["cpu"] / 4
        print(f"a dilemma among 10,000 costs {growth:.2f} of one among 2,500; the limit is {MOST_GROWTH:g}")
        slow = slow or growth > MOST_GROWTH
    return slow


def measured(path: Path) -> dict[str, float]:
    """Seconds of the imports, of the floor (processor), of a check (both) and of its families; peak memory in MiB."""
    started = time.perf_counter()
    from dilemmas import checks

    imported = time.perf_counter()
    from sklearn.feature_extraction.text import TfidfVectorizer

    at = time.process_time()
    TfidfVectorizer().fit_transform([one.scenario for one in dataset.read(path).dilemmas])
    floor = time.process_time() - at
    spent = {family: timed(getattr(checks, family), names) for family, names in FAMILIES.items()}
    at, cpu_at = time.perf_counter(), time.process_time()
    checks.check(path, path.parent)
    seconds, cpu = time.perf_counter() - at, time.process_time() - cpu_at
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, but bytes on macOS
    return {
        "import": imported - started,
        "floor": floor,
        "seconds": seconds,
        "cpu": cpu,
        "memory": peak / (1024**2 if sys.platform == "darwin" else 1024),
        **{family: sum(times) for family, times in spent.items()},
    }


def timed(module: ModuleType, names: tuple[str, ...]) -> list[float]:
    """Have some functions of a module note the seconds of each call in the list that is given back."""
    times: list[float] = []

    def clocked(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any) -> Any:
            started = time.perf_counter()
            found = function(*arguments)
            found = list(found) if isinstance(found, Iterator) else found
            times.append(time.perf_counter() - started)
            return found

        return call

    for name in names:
        setattr(module, name, clocked(getattr(module, name)))
    return times


if __name__ == "__main__":
    sys.exit(main())
