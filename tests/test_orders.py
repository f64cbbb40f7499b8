"""Option orders: balance, sharing and determinism."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilemmas.config import Orders
from dilemmas.orders import option_order, shuffled, williams_square

CODES = ("one", "two", "three", "four", "five", "six")
GOLDEN_WILLIAMS = ("four", "five", "two", "six", "one", "three")
GOLDEN_RANDOM = ("two", "four", "one", "five", "three", "six")


def order(
    orders: Orders = "williams",
    *,
    seed: int = 1,
    item: str = "ferry",
    question: str = "value",
    persona: str = "baseline",
    repeat: int = 0,
) -> tuple[str, ...]:
    return option_order(CODES, orders=orders, seed=seed, item=item, question=question, persona=persona, repeat=repeat)


@pytest.mark.parametrize("n", range(2, 9))
def test_a_square_is_balanced_for_position_and_carry_over(n: int) -> None:
    square = williams_square(n)
    times = 1 if n % 2 == 0 else 2
    assert len(square) == n * times
    assert all(sorted(row) == list(range(n)) for row in square)
    positions = Counter((place, option) for row in square for place, option in enumerate(row))
    assert positions == {(place, option): times for place in range(n) for option in range(n)}
    followers = Counter(pair for row in square for pair in pairwise(row))
    assert followers == {(one, other): times for one in range(n) for other in range(n) if one != other}


@given(st.integers(0, 2**53), st.text(max_size=8), st.integers(0, 20))
def test_any_six_repeats_of_a_block_are_balanced(seed: int, item: str, block: int) -> None:
    rows = [order(seed=seed, item=item, repeat=6 * block + row) for row in range(6)]
    positions = Counter((place, code) for row in rows for place, code in enumerate(row))
    assert positions == {(place, code): 1 for place in range(6) for code in CODES}
    assert len({pair for row in rows for pair in pairwise(row)}) == 30


def test_all_conditions_share_the_rows() -> None:
    for repeat in range(8):
        assert len({order(persona=name, repeat=repeat) for name in ("baseline", "max-1", "moderate-2")}) == 1


def test_items_questions_seeds_and_blocks_get_squares_of_their_own() -> None:
    orders = [order(), order(item="bath"), order(question="action"), order(seed=2), order(repeat=6)]
    assert len(set(orders)) == len(orders)


def test_random_orders_differ_by_persona_and_repeat() -> None:
    orders = {order("random", persona=persona, repeat=repeat) for persona in "abcdef" for repeat in range(5)}
    assert len(orders) >= 28  # of 720; two of thirty may meet


def test_fixed_is_the_canonical_order() -> None:
    assert {order("fixed", seed=seed, repeat=repeat) for seed in range(3) for repeat in range(3)} == {CODES}


@pytest.mark.parametrize("orders", ["williams", "random", "fixed"])
@given(seed=st.integers(0, 2**53), item=st.text(max_size=8), repeat=st.integers(0, 800))
def test_every_order_has_every_option_once_and_comes_again(orders: Orders, seed: int, item: str, repeat: int) -> None:
    shown = order(orders, seed=seed, item=item, repeat=repeat)
    assert sorted(shown) == sorted(CODES)
    assert shown == order(orders, seed=seed, item=item, repeat=repeat)


def test_an_order_is_the_same_on_every_machine() -> None:
    assert order(seed=20261121, item="honest-social-networks", repeat=1) == GOLDEN_WILLIAMS
    assert order("random", seed=20261121, item="honest-social-networks", repeat=1) == GOLDEN_RANDOM


def test_shuffling_is_even() -> None:
    firsts = Counter(shuffled(CODES, key)[0] for key in range(1200))
    assert all(150 <= firsts[code] <= 250 for code in CODES)  # 200 expected, 13 its deviation


def test_the_canonical_order_does_not_matter_to_a_shuffle() -> None:
    assert shuffled(CODES, 1) == shuffled(CODES[::-1], 1)
