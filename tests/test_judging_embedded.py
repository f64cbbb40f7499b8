"""The embedded model as a judge: whatever it says is read or counted as unreadable."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from dilemmas import dataset
from dilemmas.config import ModelConfig
from dilemmas.errors import SetupError
from dilemmas.judging import sort_blind
from dilemmas.models import embedded
from dilemmas.prompts import Prompts


def why_not() -> str:
    """Why the embedded model cannot run here; empty if it can."""
    if importlib.util.find_spec("xllamacpp") is None:
        return "xllamacpp is not installed"
    try:
        embedded.shipped_weights()
    except SetupError as error:
        return f"{error.what}: {error.fix}"
    return ""


@pytest.mark.embedded
@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_the_embedded_model_judges_two_dilemmas(tmp_path: Path) -> None:
    dilemmas = dataset.read(dataset.shipped_path()).dilemmas[:2]

    settings = ModelConfig(name="embedded")
    done = asyncio.run(sort_blind(dilemmas, settings, tmp_path, orders=1, seed=1, prompts=Prompts()))
    assert (done.planned, done.asked, done.open, done.stopped) == (2, 2, 0, None)
    assert done.caveat
    for one in done.judgements:
        assert bool(one.comment) != bool(one.placements)
        assert len({(place.polarity, place.intensity) for place in one.placements}) in (0, 6)
