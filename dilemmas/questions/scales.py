"""Scores of six graded options, from full agreement (or strongly aligned) to the opposite."""

from __future__ import annotations

from dilemmas.config import ScaleName

SCALES: dict[ScaleName, tuple[float, ...]] = {
    "even": (1.0, 0.6, 0.2, -0.2, -0.6, -1.0),
    "thirds": (1.0, 2 / 3, 1 / 3, -1 / 3, -2 / 3, -1.0),
}
"""`even`: equal steps, no neutral point. `thirds`: signed thirds, the published alternative."""
