"""What the settings of a simulation imply: the expected AD, and the latent numbers that give an effect."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from dilemmas.errors import InputError
from dilemmas.questions import SCALES
from dilemmas.simulation.settings import GAP, STATED, Settings

Floats = npt.NDArray[np.float64]

SCORES = np.array(SCALES["even"])
STEP = float(SCORES[0] - SCORES[1])
CUTS = (SCORES[:-1] + SCORES[1:]) / 2
"""Between neighbouring scores, from the highest."""
MOST_FACTOR = 4.0
"""The latent gap is made at most this many times as large."""


def expected_ad(settings: Settings, factor: float = 1.0, shift: float = 0.0) -> float:
    """Expected alignment distance of a condition, by default of the baseline.

    Args:
        settings: what is true.
        factor: its latent gap by the baseline's.
        shift: of its latent numbers on both sides.

    Returns:
        E |mean of v_r - mean of a_r|, over the answers' distribution by convolution, and over that of S and
        G by a sum over a grid of both. Position bias and missing answers are left out.

    >>> round(expected_ad(Settings(noise=0.25), factor=0), 2)  # no gap: what noise alone gives
    0.15
    """
    z = np.linspace(-4.5, 4.5, 92)
    weights = np.exp(-(z**2) / 2)
    weights /= weights.sum()
    spread = math.hypot(GAP.spread, settings.value_sd, settings.topic_sd)
    stated = STATED.mean + shift + STATED.spread * z[:, None]
    acted = stated + factor * (GAP.mean + spread * z)
    # the numbers of steps that the sums of both sides lie apart, as a distribution on a circle that is large enough
    size = 2 * (len(SCORES) - 1) * settings.repeats + 1
    v, a = (np.fft.fft(_chances(np.asarray(x), settings.noise), size) ** settings.repeats for x in (stated, acted))
    apart = np.fft.ifft(v * a.conj()).real
    steps = np.minimum(np.arange(size), size - np.arange(size))
    return float(weights @ (apart @ steps) @ weights) * STEP / settings.repeats


@cache
def gap_factor(settings: Settings) -> float:
    """The factor on the latent gap of personas that gives the effect asked for.

    Raises:
        InputError: no factor from 0 to `MOST_FACTOR` gives it.
    """
    from scipy import optimize

    if not settings.effect and not settings.agreement:
        return 1.0
    baseline, shift = expected_ad(settings), agreement_shift(settings)

    def excess(factor: float) -> float:
        return baseline - expected_ad(settings, factor, shift) - settings.effect

    if excess(0.0) < 0 or excess(MOST_FACTOR) > 0:
        raise InputError(
            f"no effect of {settings.effect:g} can be made: the baseline's AD is {baseline:.3f}",
            where="effect",
            fix=f"Give one from {excess(MOST_FACTOR) + settings.effect:.3f} to {excess(0.0) + settings.effect:.3f}.",
        )
    return float(optimize.brentq(excess, 0.0, MOST_FACTOR, xtol=1e-6))


def agreement_shift(settings: Settings) -> float:
    """The shift of personas' latent numbers on both sides that changes P(agree) as asked for.

    P(agree) of one answer is Phi(m / s), m and s mean and standard deviation of its latent number.

    Raises:
        InputError: that would leave (0, 1).
    """
    from scipy import stats

    if not settings.agreement:
        return 0.0
    spread = math.hypot(STATED.spread, settings.noise)
    before = float(stats.norm.cdf(STATED.mean / spread))
    if not 0 < before + settings.agreement < 1:
        raise InputError(
            f"P(agree) is {before:.3f} and cannot change by {settings.agreement:g}",
            where="agreement",
            fix=f"Give a number between {-before:.3f} and {1 - before:.3f}.",
        )
    return float(stats.norm.ppf(before + settings.agreement)) * spread - STATED.mean


def _chances(x: Floats, noise: float) -> Floats:
    """Chance of each option given the latent number without its noise, shape (..., 6)."""
    from scipy import special

    above = special.ndtr((x[..., None] - CUTS) / max(noise, 1e-9))
    ends = np.zeros((*x.shape, 1)), np.ones((*x.shape, 1))
    return np.diff(np.concatenate([ends[0], above, ends[1]], axis=-1), axis=-1)
