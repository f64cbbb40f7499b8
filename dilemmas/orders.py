"""In which order a question's options are shown.

A Williams square of even order n has n rows; over them every option stands once in every
position and follows every other option once (Williams 1949, doi:10.1071/CH9490149). For an odd n
the square and its mirror image together do the same with 2n rows. Shuffles are sorts by SHA-256
of the seed and the names, so that they are the same on every machine and in every version.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

from dilemmas.config import Orders
from dilemmas.schema import sha256


def williams_square(n: int) -> list[list[int]]:
    """Rows of a balanced square over 0..n-1: n rows for an even n, 2n for an odd one.

    >>> williams_square(4)
    [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]
    """
    zigzag = [(place + 1) // 2 if place % 2 else (n - place // 2) % n for place in range(n)]
    square = [[(start + row) % n for start in zigzag] for row in range(n)]
    return square if n % 2 == 0 else square + [row[::-1] for row in square]


def shuffled(names: Sequence[str], *key: object) -> list[str]:
    """The names in an order that the key decides, uniform over keys."""
    salt = "\x1f".join(str(part) for part in key)
    return sorted(names, key=lambda name: sha256(f"{salt}\x1f{name}"))


def option_order(
    codes: Sequence[str], *, orders: Orders, seed: int, item: str, question: str, persona: str, repeat: int
) -> tuple[str, ...]:
    """Option codes in the order shown in one trial.

    Args:
        codes: the options in their canonical order.
        orders: `williams` takes row `repeat` of a square whose labels are shuffled anew for each
            (item, question), the same for all personas; once its rows are used up, another square
            follows. `random` shuffles for each trial by itself, `fixed` keeps the canonical order.
        seed: the run's seed.
        item, question, persona: names of what is asked, and as whom.
        repeat: number of the repeat, from 0.
    """
    if orders == "fixed":
        return tuple(codes)
    if orders == "random":
        return tuple(shuffled(codes, seed, "random", item, question, persona, repeat))
    square = _square(len(codes))
    block, row = divmod(repeat, len(square))
    labels = _labels(tuple(codes), seed, item, question, block)
    return tuple(labels[place] for place in square[row])


_square = cache(williams_square)


@lru_cache(maxsize=4096)
def _labels(codes: tuple[str, ...], seed: int, item: str, question: str, block: int) -> list[str]:
    return shuffled(codes, seed, "williams", item, question, block)
