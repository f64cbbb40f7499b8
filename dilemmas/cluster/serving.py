"""A server that an actor starts for itself, and that does not outlive it."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

from dilemmas.errors import RejectedError, SetupError, TransientError
from dilemmas.models.http import Address, opened

PATIENCE = 1800.0
"""Longest wait for a server's first answer, seconds: large weights may have to be fetched."""
_SHOWN, _READ = 8, 1 << 14
"""Lines of its output that are shown where it fails, and bytes at its end in which they are looked for."""


@dataclass(frozen=True)
class Server:
    """A server that was started."""

    url: str
    """Its base URL."""
    log: IO[bytes]

    @property
    def last_words(self) -> str:
        """The last lines that it wrote."""
        self.log.seek(max(self.log.seek(0, os.SEEK_END) - _READ, 0))
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return " / ".join(lines[-_SHOWN:]) or "it said nothing"


@asynccontextmanager
async def started(command: str, model: str) -> AsyncIterator[Server]:
    """A server that lives as long as the block, and no longer than this process.

    Args:
        command: with `{model}` and `{port}` in it; it is no shell's.
        model: the model's name.

    Raises:
        SetupError: it ended, or did not answer in time; with the last lines that it wrote.
    """
    port = _free_port()
    words = [word.replace("{model}", model).replace("{port}", str(port)) for word in shlex.split(command)]
    with tempfile.TemporaryFile() as log:
        keeper = subprocess.Popen(  # noqa: ASYNC220 - this process of it is gone in no time
            [sys.executable, "-m", "dilemmas.cluster.server_child", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        ended = asyncio.create_task(asyncio.to_thread(keeper.stdout.read))
        server = Server(f"http://127.0.0.1:{port}/v1", log)
        try:
            await _answers(server, ended, words[0])
            yield server
        finally:
            keeper.stdin.close()
            await ended
            keeper.wait()
            keeper.stdout.close()


async def _answers(server: Server, ended: asyncio.Task[bytes], name: str) -> None:
    """Wait until a server answers."""
    until = time.monotonic() + PATIENCE
    async with opened() as session:
        address = Address(server.url, session, timeout=10.0)
        while not ended.done() and time.monotonic() < until:
            try:
                await address.call("GET", "/models")
            except TransientError:
                await asyncio.sleep(0.5)
                continue
            except RejectedError:
                pass  # it has no list, but it is there
            return
    why = "ended" if ended.done() else f"is silent after {PATIENCE:.0f} s"
    raise SetupError(
        f"the server {name} {why}: {server.last_words}",
        where="--serve",
        fix="Try the command by hand on that node.",
    )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
