"""The embedded model's server for benchmarks, and the bodies that an evaluation sends to it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clients import KEY
from measuring import recorded

from dilemmas.models import embedded


@contextmanager
def server() -> Iterator[str]:
    """Address of a new server, which has cached nothing; its key is in the environment, for children."""
    os.environ[KEY] = secrets.token_urlsafe(24)
    with embedded._server(embedded.shipped_weights(), os.environ[KEY]) as address:
        yield f"{address}/v1"


def settings(dilemmas: int) -> dict[str, Any]:
    """Settings of a run of the first shipped dilemmas, 24 trials each: 4 conditions x 2 questions x 3 repeats."""
    name = embedded.shipped_weights().stem
    study = {"persona_set": "three", "repeats": 3, "limit": dilemmas}
    return {**study, "model.name": name, "model.protocol": "logprob", "model.api_key_env": KEY}


def bodies(folder: Path, chosen: dict[str, Any]) -> Path:
    """The bodies of such a run in the order of its plan."""
    os.environ.setdefault(KEY, "not-yet-a-key")
    return recorded(folder, chosen)
