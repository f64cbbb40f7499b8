"""Parts of a plan that are asked apart: nothing is left out and nothing is asked twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from conftest import plan_of

from dilemmas import config, evaluate, study
from dilemmas.errors import InputError
from dilemmas.store import FILE, Store

SMALL = {"limit": 5, "persona_set": "three", "repeats": 2}
Ran = Callable[..., tuple[evaluate.Outcome, Path]]


def ids(**settings: Any) -> list[str]:
    return [planned.trial.id for planned in plan_of(**{**SMALL, **settings})]


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_shards_are_a_partition_of_the_plan(parts: int) -> None:
    shards = [ids(shard=f"{part}/{parts}") for part in range(1, parts + 1)]
    assert sorted(chain(*shards)) == sorted(ids())


def test_all_questions_about_an_item_as_a_persona_are_in_one_shard() -> None:
    shards = [{(p.trial.persona, p.trial.item) for p in plan_of(**SMALL, shard=f"{part}/2")} for part in (1, 2)]
    assert not shards[0] & shards[1]


def test_a_trial_stays_in_its_shard_as_the_plan_grows() -> None:
    assert set(ids(shard="2/3")) <= set(ids(shard="2/3", limit=9, persona_set="twelve"))


def test_shards_are_about_even() -> None:
    sizes = [len(ids(shard=f"{part}/4", limit=24, persona_set="twelve")) for part in range(1, 5)]
    assert max(sizes) < 1.4 * min(sizes)


def test_a_shard_is_a_run_of_its_own_and_holds_its_part_only(scripted_run: Ran) -> None:
    outcome, folder = scripted_run(**SMALL, shard="1/2")
    assert folder.name.endswith("-1of2")
    assert outcome.asked == outcome.planned == len(ids(shard="1/2"))
    with Store.reading(folder / FILE) as store:
        assert len(list(store.cells())) == outcome.planned


def test_a_study_knows_the_size_of_its_shard() -> None:
    chosen = config.load(None, {**SMALL, "shard": "2/3"})
    assert study.prepare(chosen).size == len(ids(shard="2/3"))


def test_zeros_in_front_make_no_other_run() -> None:
    assert config.load(None, {"shard": "02/08"}).shard == "2/8"


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3", "²/3"])
def test_a_shard_that_is_no_part_is_refused(shard: str) -> None:
    with pytest.raises(InputError, match="part"):
        config.load(None, {"shard": shard})
