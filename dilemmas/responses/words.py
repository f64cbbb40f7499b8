"""Answers in words, and what they score."""

from __future__ import annotations

import re
from typing import Literal

from dilemmas.config import ScaleName
from dilemmas.questions import INSTRUMENTS, SCALES

Points = Literal[4, 6]
"""Grades that words of agreement, and of actions, come in."""

ROUNDED = 0.01
"""How far a score may lie from that of its code, as with 0.33 for 1/3."""
FOUR_POINTS: dict[ScaleName, tuple[float, ...]] = {
    "even": (1.0, 1 / 3, -1 / 3, -1.0),
    "thirds": (1.0, 1 / 2, -1 / 2, -1.0),
}
"""Scores of four points, by the rules that give those of six: equal steps, or the rank on its side by the largest."""
_FOUR_CODES = {
    "stated": ("agree-strongly", "agree", "disagree", "disagree-strongly"),
    "acted": ("aligned-strong", "aligned-mild", "opposed-mild", "opposed-strong"),
}
_UNGRADED: dict[str, dict[str, float]] = {"stated": {}, "acted": {"aligned": 1.0, "opposed": -1.0}}


def scores_of(scale: ScaleName, points: Points) -> dict[str, dict[str, float]]:
    """Score of each code, by side.

    >>> scores_of("even", 4)["stated"]["agree"]
    0.3333333333333333
    """
    graded = {one.SIDE: one.CODES for one in INSTRUMENTS.values()} if points == 6 else _FOUR_CODES
    points_of = SCALES[scale] if points == 6 else FOUR_POINTS[scale]
    return {side: dict(zip(codes, points_of, strict=True)) | _UNGRADED[side] for side, codes in graded.items()}


def fits(score: float, side: str, code: str, points: Points) -> bool:
    """Whether a code may have a score: that of some scale, or, for a code without a grade, any of its sign.

    >>> fits(0.6, "stated", "agree", 6), fits(0.5, "stated", "agree", 6), fits(0.2, "acted", "aligned", 6)
    (True, False, True)
    """
    if code in _UNGRADED[side]:
        return score * _UNGRADED[side][code] > 0
    return any(abs(score - scores_of(scale, points)[side][code]) <= ROUNDED for scale in SCALES)


def code_of(text: str) -> str:
    """A code from words, the grade last on the stated side and on the acted one; any other text as it is.

    >>> code_of("Strongly agree"), code_of("mild, opposed"), code_of("agree-slightly")
    ('agree-strongly', 'opposed-mild', 'agree-slightly')
    >>> code_of("agree 100 %")
    'agree 100 %'
    """
    if not re.fullmatch(r"[a-z\s,()_-]*", text.lower()):
        return text
    words = re.findall(r"[a-z]+", text.lower())
    if len(words) == 2 and words[0] not in ("agree", "disagree", "aligned", "opposed"):
        words.reverse()
    return "-".join(words)
