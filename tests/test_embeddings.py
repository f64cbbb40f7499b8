"""Embeddings asked of a server: in batches, in order, again where that helps."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from fake_server import Answer, FakeServer, Script, Seen, error
from numpy.typing import NDArray

from dilemmas import config, dataset
from dilemmas.checks import sameness
from dilemmas.errors import InputError, RejectedError, TransientError
from dilemmas.models import open_model

SHIPPED = dataset.read(dataset.shipped_path()).dilemmas[:24]


def vector(text: str) -> list[float]:
    return [float(len(text)), float(text.count("e")), 1.0]


def embeddings(seen: Seen, **changes: Any) -> Answer | None:
    """The answer of a server that makes embeddings; in another order than asked, as it may."""
    if not seen.path.endswith("/embeddings"):
        return None
    data = [{"index": index, "embedding": vector(text), **changes} for index, text in enumerate(seen.body["input"])]
    return Answer(body={"object": "list", "data": data[::-1]})


def embed(script: Script, count: int = 24, batch: int = 10) -> tuple[NDArray[np.float64], list[list[str]]]:
    """Embeddings of the first few shipped dilemmas, and the texts of each request."""
    with FakeServer(script=script) as server:
        settings = config.load(None, {"model.name": "fake", "model.base_url": server.address}).model

        async def ask() -> NDArray[np.float64]:
            async with open_model(settings) as model:
                return await sameness.embedded(SHIPPED[:count], model, batch)

        vectors = asyncio.run(asyncio.wait_for(ask(), 30))
        return vectors, [seen.body["input"] for seen in server.seen if seen.path.endswith("/embeddings")]


def test_rows_are_in_the_order_of_the_dilemmas_and_asked_in_batches() -> None:
    vectors, asked = embed(embeddings)
    assert [len(texts) for texts in asked] == [10, 10, 4]
    assert [text for texts in asked for text in texts] == [one.scenario for one in SHIPPED]
    assert vectors.tolist() == [vector(one.scenario) for one in SHIPPED]
    assert {one.method for one in sameness.neighbours(SHIPPED, vectors)} == {"embedding"}


def test_nothing_is_asked_about_nothing() -> None:
    vectors, asked = embed(embeddings, count=0)
    assert (len(vectors), asked) == (0, [])
    assert sameness.neighbours([], vectors) == ()


def test_a_server_that_is_busy_is_asked_again() -> None:
    busy = iter([error(503, "loading", retry_after="0"), error(429, "busy", retry_after="0")])
    vectors, asked = embed(lambda seen: next(busy, None) or embeddings(seen) if "embeddings" in seen.path else None)
    assert len(vectors) == 24
    assert len(asked) == 5


def test_a_server_that_stays_busy_is_given_up() -> None:
    with pytest.raises(TransientError, match="loading"):
        embed(lambda seen: error(503, "loading", retry_after="0") if "embeddings" in seen.path else None)


@pytest.mark.parametrize(
    "script",
    [
        lambda seen: None,
        lambda seen: embeddings(seen, embedding=[]),
        lambda seen: embeddings(seen, embedding="none"),
        lambda seen: embeddings(seen, index=0),
        lambda seen: Answer(body={"data": None}) if "embeddings" in seen.path else None,
    ],
    ids=["not found", "empty", "no numbers", "one for all", "no data"],
)
def test_a_server_without_embeddings_is_refused(script: Script) -> None:
    with pytest.raises(RejectedError) as caught:
        embed(script)
    assert caught.value.fix


def test_embeddings_of_several_lengths_are_refused() -> None:
    with pytest.raises(RejectedError, match="length 6, 12"):
        embed(lambda seen: embeddings(seen, embedding=[1.0] * (2 + len(seen.body["input"]))) if seen.body else None)


def test_a_model_that_makes_none_is_refused() -> None:
    async def ask() -> None:
        async with open_model(config.load(None, {"model.name": "scripted"}).model) as model:
            await sameness.embedded(SHIPPED, model)

    with pytest.raises(InputError, match="no embeddings"):
        asyncio.run(ask())
