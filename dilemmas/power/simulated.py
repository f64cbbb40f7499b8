"""Power by simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from dilemmas.errors import InputError
from dilemmas.power.closed import ALPHA, TESTS, Size, check, power_of
from dilemmas.power.spread import mean_of_known, variance
from dilemmas.significance import categories_to_baseline, jackknife
from dilemmas.significance.contrasts import compared
from dilemmas.significance.jackknife import cluster_sums
from dilemmas.significance.panel import METRICS, Metric, Panel
from dilemmas.simulation import Settings, draw


def simulated(
    places: pd.DataFrame,
    settings: Settings,
    *,
    runs: int = 1000,
    alpha: float = ALPHA,
    tests: int = TESTS,
    seed: int = 0,
) -> pd.DataFrame:
    """Power by simulation: how often the primary test finds a category's delta in studies drawn anew.

    Args:
        places: the dilemmas, as from `simulation.grid`.
        settings: what is true.
        runs: studies drawn, at least 2.
        alpha: size of a test, two-sided.
        tests: in the family that Holm corrects.
        seed: of all draws.

    Returns:
        One row per metric, about the first category: metric, scope (`category`, or `category, Holm`: its
        first test, held to alpha / tests), runs, power (share of runs with p below alpha), power_error
        (Monte Carlo standard error), delta and delta_sd (mean and standard deviation over runs), sd and
        icc (as `measured`, averaged over runs), closed (power by the closed form from these), undefined
        (runs without a test; they do not count), seed.

    Raises:
        InputError: a number is out of range, or the effect cannot be made.
    """
    check(runs=runs, alpha=alpha, tests=tests)
    size = Size.of(places)
    if size.values < 2:
        raise InputError("one value only: there is no test", where="simulation", fix="Give two values or more.")
    found: dict[Metric, list[tuple[float, float, float, float]]] = {metric: [] for metric in METRICS}
    for one in np.random.SeedSequence(seed).generate_state(runs):
        dilemmas = draw(places, settings, int(one)).dilemmas()
        panel = Panel(dilemmas)
        for contrast in categories_to_baseline(dilemmas)[: len(METRICS)]:
            data = compared(panel, contrast)
            test = jackknife(cluster_sums(data.rows, panel.value, data.counts), data.delta)
            of_differences, by_value, _ = variance(panel, contrast)
            found[contrast.metric].append((test.estimate, test.p, of_differences, by_value))
    rows = []
    for metric, numbers in found.items():
        deltas, p, variances, iccs = np.array(numbers).T
        delta, sd, rho = mean_of_known(deltas), math.sqrt(mean_of_known(variances)), mean_of_known(iccs)
        # undefined where no two dilemmas share a value, and then of no consequence
        se = sd * math.sqrt((1 + (size.per_value - 1) * np.fmax(rho, 0.0)) / size.dilemmas)
        tested = p[~np.isnan(p)]
        for scope, level in (("category", alpha), ("category, Holm", alpha / tests)):
            power = float((tested < level).mean()) if len(tested) else math.nan
            rows.append(
                {
                    "metric": metric,
                    "scope": scope,
                    "runs": runs,
                    "power": power,
                    "power_error": math.sqrt(power * (1 - power) / max(len(tested), 1)),
                    "delta": delta,
                    "delta_sd": float(deltas.std(ddof=1)),
                    "sd": sd,
                    "icc": rho,
                    "closed": power_of(delta, se, size.values - 1, alpha=level),
                    "undefined": runs - len(tested),
                    "seed": seed,
                }
            )
    return pd.DataFrame(rows)
