"""A server that thinks of nothing: `python benchmarks/serving/null_server.py [--answer 0.02] [--record FILE]`.

Every chat request gets a good answer after a fixed time, in the form it asks for: JSON under a schema, or
one token with its likely rivals. It looks for a few words in the body and decodes none of it, so that it is
faster than any client beside it. It says its port on standard output and serves until standard input closes,
which it does whatever becomes of the parent. `GET /stats` tells how many questions came, and the most that
were waiting at once; with `--record`, each question's body is a line of that file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.request import urlopen

LETTERS = "ABCDEF"
TOKENS = 50
"""Likely tokens in an answer, however many are wanted."""
PROBE_WORD = "qzx-7"
"""What a probe's schema allows alone."""
OPTIONS = b"\\nA. "
"""What a question has and a probe has not."""


def _answer(content: str, logprobs: Any = None) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    if logprobs:
        choice["logprobs"] = {"content": [{**logprobs[0], "top_logprobs": logprobs}]}
    usage = {"prompt_tokens": 700, "completion_tokens": 40, "total_tokens": 740}
    return _response({"id": "chatcmpl-0", "object": "chat.completion", "choices": [choice], "usage": usage})


def _response(body: Any) -> bytes:
    data = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data)


def _likely(first: int) -> list[dict[str, Any]]:
    tokens = [*LETTERS[first:], *LETTERS[:first], *(f"t{number}" for number in range(TOKENS - len(LETTERS)))]
    return [{"token": token, "logprob": -0.7 * (place + 1)} for place, token in enumerate(tokens)]


REASONING = "Both have something for them, and what stands first here weighs a little more than what stands against it."
CHOSEN = [_answer(json.dumps({"reasoning": REASONING, "answer": letter})) for letter in LETTERS]
LIKELY = [_answer(letter, _likely(place)) for place, letter in enumerate(LETTERS)]
PROBED = _answer(json.dumps({"reasoning": "", "answer": PROBE_WORD}))


class Null:
    """What all connections share.

    Args:
        name: the model it lists.
        answer: seconds until an answer.
        record: takes each question's body as a line; None for nobody.
    """

    def __init__(self, name: str, answer: float, record: IO[bytes] | None) -> None:
        self.models = _response({"object": "list", "data": [{"id": name, "object": "model"}]})
        self.delay, self.record = answer, record
        self.questions = self.waiting = self.most = 0

    def reply(self, head: bytes, body: bytes) -> tuple[bytes, float]:
        """A response, and the seconds until it is due."""
        if head.startswith(b"GET"):
            counts = {"questions": self.questions, "most_waiting": self.most}
            return (_response(counts) if b"/stats" in head[:20] else self.models), 0.0
        if OPTIONS not in body:
            return (PROBED if PROBE_WORD.encode() in body else LIKELY[0]), 0.0
        self.questions += 1
        if self.record is not None:
            self.record.write(body + b"\n")
        fate = zlib.crc32(body) % len(LETTERS)
        return (LIKELY if b'"top_logprobs"' in body else CHOSEN)[fate], self.delay


class Connection(asyncio.Protocol):
    """One client, one request at a time."""

    def __init__(self, null: Null) -> None:
        self._null, self._buffer = null, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._later = asyncio.get_running_loop().call_later

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end]
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        size = end + 4 + (int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0)
        if len(self._buffer) < size:
            return
        response, delay = self._null.reply(head, self._buffer[end + 4 : size])
        self._buffer = self._buffer[size:]
        if not delay:
            self._transport.write(response)
            return
        self._null.waiting += 1
        self._null.most = max(self._null.most, self._null.waiting)
        self._later(delay, self._send, response)

    def _send(self, response: bytes) -> None:
        self._null.waiting -= 1
        if not self._transport.is_closing():
            self._transport.write(response)


async def serve(null: Null) -> None:
    """Say the port, then serve until standard input closes."""
    listener = await asyncio.get_running_loop().create_server(lambda: Connection(null), "127.0.0.1", 0, backlog=4096)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)


@contextmanager
def running(*, answer: float = 0.0, name: str = "null", record: Path | None = None) -> Iterator[str]:
    """Address of such a server in a process of its own, for the length of a `with` block."""
    command = [sys.executable, __file__, "--answer", str(answer), "--name", name]
    if record is not None:
        command += ["--record", str(record)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        server.communicate(timeout=30)


def stats(address: str) -> dict[str, int]:
    """What the server counted."""
    with urlopen(f"{address.removesuffix('/v1')}/stats", timeout=30) as response:
        found: dict[str, int] = json.load(response)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answer", type=float, default=0.0, help="seconds until an answer")
    parser.add_argument("--name", default="null", help="name of the model it lists")
    parser.add_argument("--record", type=Path, help="file for the bodies of the questions")
    given = parser.parse_args()
    record = given.record.open("wb") if given.record else None
    try:
        asyncio.run(serve(Null(given.name, given.answer, record)))
    finally:
        if record is not None:
            record.close()


if __name__ == "__main__":
    main()
