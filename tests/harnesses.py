"""Other harnesses in tests: a server that answers by the words it is sent, and our own run of the same."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
from fake_server import LETTERS, Answer, FakeServer, Seen, completion

from dilemmas import analysis, config, evaluate
from dilemmas import study as planning
from dilemmas.analysis import Analysis
from dilemmas.study import Study

ROOT = Path(__file__).parent.parent
FEW_DRAWS = analysis.Settings(draws=0)


def by_words(seen: Seen) -> Answer | None:
    """A reply that only the messages decide; some are refusals, some name two letters, some are in plain words."""
    if not seen.is_question or seen.body.get("logprobs"):
        return None
    said = json.dumps([(one["role"], one["content"]) for one in seen.body["messages"]])
    fate = int(sha256(said.encode()).hexdigest()[:8], 16)
    letter = LETTERS[fate % 6]
    by_chance = {0: "I'm sorry, but I can't choose between these.", 1: "A or B", 2: f"My answer is {letter}."}
    return completion(by_chance.get(fate // 6 % 20, json.dumps({"reasoning": "So it is.", "answer": letter})))


def study_of(**settings: Any) -> Study:
    """Ten dilemmas, once, as four personas."""
    chosen = {"limit": 10, "repeats": 1, "persona_set": "three", "model.name": "fake", **settings}
    return planning.prepare(config.load(None, chosen))


def own_run(server: FakeServer, runs: Path, **settings: Any) -> Analysis:
    """What our own run of the same study comes to."""
    study = study_of(**{"model.base_url": server.address, "name": "own", **settings})
    return analysis.analyse(Path(asyncio.run(evaluate.evaluate(study, runs)).folder), settings=FEW_DRAWS)


def sent(server: FakeServer) -> list[list[tuple[str, str]]]:
    """Messages of all questions that a server was asked, in an order of their own."""
    return sorted([(one["role"], one["content"]) for one in body["messages"]] for body in server.questions)


def same(ours: Analysis, theirs: Analysis) -> None:
    """Both tell the same of every persona and of every dilemma, but for the model's name."""
    for name, keys in (("personas", ["persona"]), ("dilemmas", ["persona", "item"]), ("categories", ["category"])):
        left, right = (
            getattr(one, name).drop(columns="model").sort_values(keys, ignore_index=True) for one in (ours, theirs)
        )
        pd.testing.assert_frame_equal(left, right, check_dtype=False, check_exact=False, rtol=0, atol=1e-9)
    assert ours.personas["AR"].notna().any()
    assert ours.personas["AD"].notna().any()
