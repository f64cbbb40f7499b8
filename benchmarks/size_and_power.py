"""How often each test rejects: `python benchmarks/size_and_power.py [--runs 2000] [--write docs/size-and-power.md]`.

Studies with no effect (size) and with one (power) are drawn by `dilemmas.simulation` and put through every
test that `dilemmas.significance` offers, the published ones too. A study is the full design: 616 dilemmas,
the baseline and four personas of one category, three repeats. The sharp and the value null get
all studies, the rest half as many, and the mixed model, which takes seconds a fit, fewer still. Exits 1 where a primary
test's size under the sharp or the value null is not .05 +- .015, or where that of the joint tests or of the
equivalence test exceeds .065. With `--write` the tables of a page are replaced.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the cores
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from dilemmas import power, resources, significance
from dilemmas.scores import icc
from dilemmas.significance import categories_to_baseline, personas_to_baseline
from dilemmas.significance.contrasts import Contrast, compared
from dilemmas.significance.panel import Panel
from dilemmas.simulation import Settings, draw, grid

ALPHA, MARGIN = 0.05, 0.05
WANTED, TOLERANCE = 0.05, 0.015
"""Size of the primary tests, and how far off it may be."""
HETEROGENEITY = 0.3
"""Sd of the shifts by value, and by topic, of the nulls that have them."""
EFFECT = 0.04
"""Delta of AD where power is told."""
PRIMARY = "**jackknife t by value** (primary)"
EQUIVALENCE = f"equivalence within ±{MARGIN:g}, of a true delta of {MARGIN:g}"
JOINT = (
    "max-T, any of 8: four personas, AD and AR",
    "Holm, any of 2: the category, AD and AR",
)
SCENARIOS = {
    "sharp": Settings(),
    "value": Settings(value_sd=HETEROGENEITY),
    "value and topic": Settings(value_sd=HETEROGENEITY, topic_sd=HETEROGENEITY),
    "effect, sharp": Settings(effect=EFFECT),
    "effect, value": Settings(effect=EFFECT, value_sd=HETEROGENEITY),
    "margin, sharp": Settings(effect=MARGIN),
    "margin, value": Settings(effect=MARGIN, value_sd=HETEROGENEITY),
}
NULLS = ("sharp", "value", "value and topic")
JUDGED = ("sharp", "value")
"""Where the primary tests' size must be right."""
PLACES = grid()
Rejections = dict[tuple[str, str], bool]
"""Whether each test, of each metric, rejects; a test without a p does not."""


def study(scenario: str, draws: int, mixed: bool, seed: int) -> tuple[Rejections, dict[str, float]]:
    """What each test makes of one study, and the category's deltas with their spread."""
    dilemmas = draw(PLACES, SCENARIOS[scenario], seed).dilemmas()
    category, personas = categories_to_baseline(dilemmas), personas_to_baseline(dilemmas)
    if mixed:
        return mixed_model(dilemmas, category), {}
    if scenario.startswith("margin"):
        rows = significance.compare(dilemmas, category, margin=MARGIN, draws=0).set_index("metric")
        equal = {(EQUIVALENCE, "AD"): bool(rows.at["AD", "p_equivalence"] < ALPHA)}
        return equal, deltas(dilemmas, category)
    return tests(dilemmas, category, personas, draws, seed), deltas(dilemmas, category)


def tests(
    dilemmas: pd.DataFrame, category: Sequence[Contrast], personas: Sequence[Contrast], draws: int, seed: int
) -> Rejections:
    """Every test of the category's delta, some of the first persona's, and of all personas together."""
    found: Rejections = {}
    # one call: the families are tested and corrected apart
    rows = significance.compare(dilemmas, [*category, *personas], draws=draws, seed=seed)
    first = personas[0].name
    for row in rows.to_dict("records"):
        if row["name"] == first:
            found["jackknife t by value, one persona", row["metric"]] = row["p"] < ALPHA
        if row["level"] == "category":
            outside = row["boot_low"] > 0 or row["boot_high"] < 0
            found[PRIMARY, row["metric"]] = row["p"] < ALPHA
            found["cluster bootstrap by value, percentile", row["metric"]] = outside
            found["two-way jackknife, value and topic", row["metric"]] = row["p_two_way"] < ALPHA
    by_level = {level: part for level, part in rows.groupby("level")}  # noqa: C416
    found[JOINT[0], "both"] = bool((by_level["persona"]["p_joint"] < ALPHA).any())
    found[JOINT[1], "both"] = bool((by_level["category"]["p_adjusted"] < ALPHA).any())
    for row in significance.regressions(dilemmas, category).to_dict("records"):
        found[row["method"], row["metric"]] = row["p"] < ALPHA
    single = [contrast for contrast in personas if contrast.name == first]
    for row in significance.published(dilemmas, [*category, *single], draws=draws, seed=seed).to_dict("records"):
        if not math.isnan(row["p"]):
            name = row["method"].removesuffix(" (for comparison only)")
            what = "category" if row["level"] == "category" else "one persona"
            found[f"{name}, {what}", row["metric"]] = row["p"] < ALPHA
    return found


def mixed_model(dilemmas: pd.DataFrame, category: Sequence[Contrast]) -> Rejections:
    """The mixed model of AD."""
    rows = significance.regressions(dilemmas, category, mixed_model=True)
    p = rows.loc[rows["method"].str.startswith("mixed"), "p"]
    return {("mixed model, slopes by value", "AD"): bool((p < ALPHA).all())}


def deltas(dilemmas: pd.DataFrame, category: Sequence[Contrast]) -> dict[str, float]:
    """Deltas of the category, and the standard deviation and ICC of its differences."""
    panel, found = Panel(dilemmas), {}
    for contrast in category:
        data = compared(panel, contrast)
        x = power.linearised(data)
        found[f"{contrast.metric} delta"] = float(data.delta(data.rows.sum(axis=0)))
        found[f"{contrast.metric} sd"] = float(x.std(ddof=1))
        found[f"{contrast.metric} ICC"] = icc(x, panel.value[data.counts])
    return found


def main() -> int:
    """Print the tables; 1 where a size is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="studies of the sharp and of the value null")
    parser.add_argument("--mixed", type=int, default=60, help="studies for the mixed model; 0 for none")
    parser.add_argument("--draws", type=int, default=1000, help="of the bootstrap and the permutation test")
    parser.add_argument("--seed", type=int, default=1, help="of all draws")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--write", type=Path, help="page whose tables are replaced")
    options = parser.parse_args()
    started = time.monotonic()
    rejections: dict[tuple[str, str], dict[str, tuple[float, int]]] = {}
    truths: dict[str, dict[str, float]] = {}
    # statsmodels collects garbage at every correction of p, which is quick where what was imported is left out
    with ProcessPoolExecutor(options.workers, initializer=gc.freeze) as pool:
        for place, scenario in enumerate(SCENARIOS):
            studies = options.runs if scenario in JUDGED else options.runs // 2
            for mixed, runs in ((False, studies), (True, options.mixed if scenario in NULLS else 0)):
                if not runs:
                    continue
                seeds = np.random.SeedSequence((options.seed, place)).generate_state(runs).tolist()
                one = partial(study, scenario, options.draws, mixed)
                results = list(pool.map(one, seeds, chunksize=5))
                for key in dict.fromkeys(key for found, _ in results for key in found):
                    hits = [found.get(key, False) for found, _ in results]
                    rejections.setdefault(key, {})[scenario] = (float(np.mean(hits)), runs)
                if not mixed:
                    truths[scenario] = pd.DataFrame([truth for _, truth in results]).mean().to_dict()
            print(f"{scenario}: {time.monotonic() - started:,.0f} s", file=sys.stderr, flush=True)
    text = page(options, rejections, truths)
    print(text)
    if options.write:
        replace_tables(options.write, text)
    missed = misses(rejections)
    print("\n".join(missed), end="\n" if missed else "", file=sys.stderr)
    return int(bool(missed))


def page(
    options: argparse.Namespace,
    rejections: dict[tuple[str, str], dict[str, tuple[float, int]]],
    truths: dict[str, dict[str, float]],
) -> str:
    """The tables as Markdown, and how they were made."""
    known = resources.versions()
    libraries = ", ".join(f"{name} {known[name]}" for name in ("python", "numpy", "scipy", "pandas", "statsmodels"))
    size_error, power_error = math.sqrt(0.05 * 0.95 / options.runs), math.sqrt(0.25 / max(options.runs // 2, 1))
    shown = [*NULLS, "effect, sharp", "effect, value"]
    lines = [
        f"Made {datetime.now(UTC):%Y-%m-%d} by `python benchmarks/size_and_power.py --runs {options.runs} --mixed "
        f"{options.mixed} --draws {options.draws} --seed {options.seed}`; dilemmas {known['dilemmas']}, {libraries}.",
        "",
        f"{options.runs:,} studies of the sharp and of the value null, {options.runs // 2:,} of each of the others, "
        f"{options.mixed:,} of each null for the mixed model. Monte Carlo standard errors: {size_error:.4f} of a size "
        f"of .05 in the first two columns and {size_error * math.sqrt(2):.4f} in the third, {power_error:.4f} of a "
        "power of .5.",
        "",
        "| test | of | null: sharp | null: value | null: value and topic "
        f"| power, sharp (delta AD {EFFECT:g}) | power, value (delta AD {EFFECT:g}) |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for (name, metric), by_scenario in rejections.items():
        if name == EQUIVALENCE:
            continue
        cells = [_cell(by_scenario.get(scenario)) for scenario in shown]
        lines.append(f"| {name} | {metric} | {' | '.join(cells)} |")
    lines += ["", f"| {EQUIVALENCE} | sharp | value |", "|---|---:|---:|"]
    cells = [_cell(rejections[EQUIVALENCE, "AD"].get(scenario)) for scenario in ("margin, sharp", "margin, value")]
    lines += [f"| AD called equivalent | {' | '.join(cells)} |", ""]
    lines += ["| what was drawn (means) | delta AD | sd | ICC | delta AR | sd | ICC | closed form: power AD | AR |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    size = power.Size.of(PLACES)
    for scenario, truth in truths.items():
        numbers = [f"{truth[f'{metric} {name}']:.3f}" for metric in ("AD", "AR") for name in ("delta", "sd", "ICC")]
        chances = []
        for metric in ("AD", "AR"):
            factor = 1 + (size.per_value - 1) * max(truth[f"{metric} ICC"], 0.0)
            se = truth[f"{metric} sd"] * math.sqrt(factor / size.dilemmas)
            chances.append(f"{power.power_of(truth[f'{metric} delta'], se, size.values - 1):.3f}")
        lines.append(f"| {scenario} | {' | '.join([*numbers, *chances])} |")
    return "\n".join(lines)


def _cell(share: tuple[float, int] | None) -> str:
    if share is None:
        return "–"
    rate, runs = share
    return f"{rate:.3f}" if runs >= 1000 else f"{rate:.2f} ± {math.sqrt(max(rate * (1 - rate), 1 / runs) / runs):.2f}"


def misses(rejections: dict[tuple[str, str], dict[str, tuple[float, int]]]) -> list[str]:
    """What is said of the sizes that are not as they should be."""
    found = []
    for scenario in JUDGED:
        for metric in ("AD", "AR"):
            rate, _ = rejections[PRIMARY, metric][scenario]
            if abs(rate - WANTED) > TOLERANCE:
                found.append(f"{metric}, null {scenario}: the primary test rejects {rate:.3f}")
        others = [(JOINT[0], "both", scenario), (JOINT[1], "both", scenario)]
        others.append((EQUIVALENCE, "AD", f"margin, {scenario}"))
        for name, metric, where in others:
            rate, _ = rejections[name, metric][where]
            if rate > WANTED + TOLERANCE:
                found.append(f"{name}, {where}: {rate:.3f}")
    return found


START, END = "<!-- written by benchmarks/size_and_power.py -->", "<!-- end -->"


def replace_tables(path: Path, text: str) -> None:
    """Put the tables between the marks of a page."""
    before, rest = path.read_text(encoding="utf-8").split(START)
    _, after = rest.split(END)
    path.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
