"""What the inference of one model costs: `python benchmarks/significance.py [--draws 10000] [--loop 5]`.

A made-up study of 13 conditions x 616 dilemmas is put through everything: levels, deltas of personas
and categories with jackknife, cluster bootstrap, two-way errors, corrections and equivalence; deltas
by value and topic; regressions; the published tests. Speed is told against a loop over pandas and
scikit-learn that draws values and scores the 13 conditions anew, measured in the same run on a few
draws and told per draw. Memory is that of the deltas with 1,000, 10,000 and 100,000 draws
(tracemalloc). One thread; seconds of the processor. The mixed model is optional there and told apart
here. Exits 1 where everything takes 5 s or more, where it is less than 1,000 times as fast as the
loop, or where a hundred times as many draws take over 1.5 times the memory.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score
from threadpoolctl import threadpool_limits

from dilemmas import scores, significance
from dilemmas.significance import models

VALUES, TOPICS, PERSONAS, REPEATS = 56, 11, 12, 3
MOST_SECONDS = 5.0
LEAST_RATIO = 1000.0
MOST_GROWTH = 1.5
"""Largest memory of 100,000 draws, as a multiple of that of 1,000."""
CATEGORIES = ("moderate", "max", "incongruous")


def made(seed: int) -> pd.DataFrame:
    """Dilemma rows of a study whose answers follow a latent value, with a shift of each value and persona."""
    rng = np.random.default_rng(seed)
    scale, cuts = np.array([-1, -0.6, -0.2, 0.2, 0.6, 1]), np.array([-1.2, -0.6, 0, 0.6, 1.2])
    value, topic = (codes.ravel() for codes in np.indices((VALUES, TOPICS)))
    n = len(value)
    stated, gap = rng.normal(0.6, 0.8, n), rng.normal(0, 0.6, n)
    rows = []
    for persona in range(PERSONAS + 1):
        shift = rng.normal(0, 0.2, VALUES)[value]
        for side, latent in (("stated", stated), ("acted", stated + gap + shift)):
            drawn = scale[np.searchsorted(cuts, latent[:, None] + rng.normal(0, 0.4, (n, REPEATS)))]
            rows.append(
                pd.DataFrame(
                    {
                        "model": "made",
                        "persona": f"persona {persona:02}" if persona else "baseline",
                        "category": CATEGORIES[persona % 3] if persona else "baseline",
                        "item": np.repeat([f"dilemma {at:03}" for at in range(n)], REPEATS),
                        "value": np.repeat([f"value {at:02}" for at in value], REPEATS),
                        "topic": np.repeat([f"topic {at:02}" for at in topic], REPEATS),
                        "side": side,
                        "repeat": np.tile(np.arange(REPEATS), n),
                        "status": "answered",
                        "score": drawn.ravel(),
                        "vote": np.sign(drawn).ravel(),
                    }
                )
            )
    return scores.per_dilemma(pd.concat(rows, ignore_index=True))


def loop(dilemmas: pd.DataFrame, draws: int) -> float:
    """Seconds of a draw of the deltas of all personas the obvious way; what pairs dilemmas is left out."""
    rng = np.random.default_rng(0)
    baseline = dilemmas[dilemmas["persona"] == "baseline"]
    pairs = [
        {name: rows for name, rows in baseline.merge(rows, on=["item", "value"]).groupby("value")}  # noqa: C416
        for persona, rows in dilemmas.groupby("persona")
        if persona != "baseline"
    ]
    names = list(pairs[0])
    at = time.process_time()
    for _ in range(draws):
        drawn = rng.choice(names, len(names))
        for of_value in pairs:
            rows = pd.concat([of_value[name] for name in drawn])
            (rows["ad_x"] - rows["ad_y"]).mean()
            decided = rows[(rows[["sign_v_x", "sign_a_x", "sign_v_y", "sign_a_y"]] != 0).all(axis=1)]
            before, after = (f1_score(decided[f"sign_v_{one}"], decided[f"sign_a_{one}"]) for one in "xy")
            after - before
    return (time.process_time() - at) / draws


def main() -> int:
    """Print the tables; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=10_000, help="of the bootstrap and the permutation test")
    parser.add_argument("--loop", type=int, default=5, help="draws of the loop over pandas and scikit-learn")
    parser.add_argument("--seed", type=int, default=1, help="of the study that is made up")
    options = parser.parse_args()
    with threadpool_limits(1):
        dilemmas = made(options.seed)
        contrasts = significance.categories_to_baseline(dilemmas) + significance.personas_to_baseline(dilemmas)
        stages: dict[str, Callable[[], object]] = {
            "levels": lambda: significance.levels(dilemmas),
            "deltas": lambda: significance.effects(dilemmas, draws=options.draws),
            "by value": lambda: significance.by_group(dilemmas, contrasts, "value"),
            "by topic": lambda: significance.by_group(dilemmas, contrasts, "topic"),
            "regressions": lambda: significance.regressions(dilemmas, contrasts),
            "published": lambda: significance.published(dilemmas, contrasts, draws=options.draws),
        }
        for stage in stages.values():
            stage()  # imports, and what is kept between calls
        seconds = {name: timed(stage) for name, stage in stages.items()}
        mixed = timed(lambda: significance.regressions(dilemmas, contrasts[:1], mixed_model=True))
        each = loop(dilemmas, options.loop)
        memory = {draws: peak(dilemmas, draws) for draws in (1_000, 10_000, 100_000)}
    total = sum(seconds.values())
    ratio, growth = each * options.draws / total, memory[100_000] / memory[1_000]
    print(f"{len(contrasts)} contrasts of 13 conditions x {VALUES * TOPICS} dilemmas, {options.draws:,} draws")
    for name, spent in (*seconds.items(), ("everything", total), (f"one {models.MIXED}", mixed)):
        print(f"{name:>36} {spent:8.2f} s")
    print(f"{'loop, by the draw':>36} {each:8.3f} s, {ratio:,.0f} times everything")
    for draws, used in memory.items():
        print(f"{f'{draws:,} draws':>36} {used:8.1f} MiB")
    missed = [
        f"everything takes {total:.1f} s; the limit is {MOST_SECONDS:g} s" * (total >= MOST_SECONDS),
        f"the loop takes {ratio:,.0f} times as long; at least {LEAST_RATIO:,.0f} are wanted" * (ratio < LEAST_RATIO),
        f"memory grows {growth:.2f} times; the limit is {MOST_GROWTH:g}" * (growth > MOST_GROWTH),
    ]
    print("\n".join(filter(None, missed)), end="\n" if any(missed) else "")
    return int(any(missed))


def timed(stage: Callable[[], object]) -> float:
    """Seconds of the processor."""
    at = time.process_time()
    stage()
    return time.process_time() - at


def peak(dilemmas: pd.DataFrame, draws: int) -> float:
    """Largest memory in use during the deltas, in MiB over that before them."""
    tracemalloc.start()
    significance.effects(dilemmas, draws=draws)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return used / 2**20


if __name__ == "__main__":
    sys.exit(main())
