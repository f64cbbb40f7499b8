"""A server on loopback that fails on purpose, and says for each prompt how often it was asked.

Which questions fail is decided by their number, in the order in which they come, so that every run meets the
same faults at the same places. An answer holds a checksum of what it answers; what a server may do beside failing
is in `fake_server`.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

LETTERS = "ABCDEF"
PATIENCE = 30.0
"""Longest that a test waits for this server, seconds."""
DRIP = 0.1
"""Seconds between two bytes of an answer that drips."""
KINDS = (
    "500",
    "429",
    "cut before",
    "cut in the middle",
    "drip",
    "garbage",
    "another page",
    "no choices",
    "mislabelled",
    "cut off",
)
"""What can be wrong; `mislabelled` and `cut off` are answers all the same."""
ANSWERS = frozenset({"mislabelled", "cut off"})

Record = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """A request that asks a trial."""

    number: int
    """How many came before it."""
    body: Record

    @property
    def key(self) -> str:
        """Checksum of what is asked."""
        return key_of(self.body["messages"], self.body.get("seed"))

    def mentions(self, text: str) -> bool:
        return any(text in message["content"] for message in self.body["messages"])


Fault = Callable[[Question], str | None]
"""What is wrong with the answer to a question: one of KINDS or `400`, or None."""


def key_of(messages: list[Record], seed: int | None) -> str:
    return sha256(json.dumps([[m["role"], m["content"]] for m in messages] + [seed]).encode()).hexdigest()


def scattered(*kinds: str, share: float = 0.1, seed: int = 1) -> Fault:
    """Each kind at some share of the questions, without a pattern."""

    def fault(question: Question) -> str | None:
        chance = int(sha256(f"{seed} {question.number}".encode()).hexdigest()[:8], 16) / 16**8
        place = int(chance / share)
        return kinds[place] if place < len(kinds) else None

    return fault


def bursts(kind: str, *, length: int = 25, every: int = 250, quiet: float = 0.5) -> Fault:
    """The first `length` of every so many questions, or until the server is left in peace for `quiet` seconds."""
    over, last = -1, 0.0

    def fault(question: Question) -> str | None:
        nonlocal over, last
        burst, place = divmod(question.number, every)
        silence, last = time.monotonic() - last, time.monotonic()
        if place and silence > quiet:
            over = burst
        return kind if place < length and burst > over else None

    return fault


def both(first: Fault, then: Fault, *, change: int = 1000) -> Fault:
    """One way to fail for so many questions, and then another."""
    return lambda question: (first if question.number < change else then)(question)


def about(text: str, kind: str) -> Fault:
    """All questions that mention a text."""
    return lambda question: kind if question.mentions(text) else None


class FaultServer:
    """Listens in a thread of its own as long as its `with` block lasts.

    Args:
        fault: what goes wrong.
        answer: seconds until an answer.
        dies_after: questions after which its engine is dead: `last_words` of 500, then no more connections.
        last_words: see there.
        port: where it listens; 0 takes a free one.
    """

    def __init__(
        self,
        fault: Fault = lambda question: None,
        *,
        answer: float = 0.0,
        dies_after: int | None = None,
        last_words: int = 32,
        port: int = 0,
    ) -> None:
        self.fault, self.answer, self.port = fault, answer, port
        self.dies_after, self.last_words = dies_after, last_words
        self.asked: Counter[str] = Counter()
        """How often each thing was asked, by its key."""
        self.faults: Counter[str] = Counter()
        """How often each kind of fault was met."""
        self.dead = threading.Event()
        """Set once it is gone for good."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=2**20, backlog=1024)
        self.port = self._listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        self._die()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _die(self) -> None:
        self._listener.close()
        for writer in self._writers:
            writer.transport.abort()
        self.dead.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                raw = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
                await self._reply(json.loads(raw) if raw else None, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _reply(self, body: Record | None, writer: asyncio.StreamWriter) -> None:
        if body is None:
            _send(writer, {"data": [{"id": "fake"}]})
        elif "\nA. " not in body["messages"][-1]["content"]:
            _send(writer, completion({"reasoning": "", "answer": "qzx-7"}))  # what the probe's schema allows alone
        else:
            question = Question(self.asked.total(), body)
            self.asked[question.key] += 1
            kind = "dead" if self.dies_after is not None and question.number >= self.dies_after else None
            kind = kind or self.fault(question)
            if kind:
                self.faults[kind] += 1
            await asyncio.sleep(self.answer)
            await self._fail_or_answer(kind, question, writer)

    async def _fail_or_answer(self, kind: str | None, question: Question, writer: asyncio.StreamWriter) -> None:
        good = completion({"reasoning": question.key, "answer": LETTERS[int(question.key[:8], 16) % 6]})
        now = {"retry-after": "0"}
        match kind:
            case None:
                _send(writer, good)
            case "500" | "dead":
                _send(writer, {"error": {"message": "engine core died"}}, "500 Internal Server Error", now)
            case "429":
                _send(writer, {"error": {"message": "slow down"}}, "429 Too Many Requests", now)
            case "400":
                _send(writer, {"error": {"message": "content not allowed"}}, "400 Bad Request")
            case "cut before":
                writer.transport.abort()
            case "cut in the middle":
                writer.write(_response(good)[:-40])
                await writer.drain()
                writer.close()
            case "drip":
                await _drip(writer, _response(good))
            case "garbage":
                _send(writer, '{"choices": [{"mess')
            case "another page":
                _send(writer, "<!doctype html><h1>It works!</h1>", headers={"content-type": "text/html"})
            case "no choices":
                _send(writer, {**good, "choices": []})
            case "mislabelled":
                _send(writer, good, headers={"content-type": "text/plain"})
            case "cut off":
                _send(writer, completion(f'{{"reasoning": "{question.key}', "length"))
            case _:
                raise AssertionError(kind)
        if kind == "dead" and self.faults["dead"] >= self.last_words:
            await writer.drain()
            self._loop.call_later(0.01, self._die)


def completion(content: Record | str, finish: str = "stop") -> Record:
    """A chat completion with some content."""
    text = content if isinstance(content, str) else json.dumps(content)
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
    return {"choices": [choice], "usage": {"prompt_tokens": 700, "completion_tokens": 40}}


def _response(body: Any, status: str = "200 OK", headers: dict[str, str] | None = None) -> bytes:
    data = (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + data


def _send(
    writer: asyncio.StreamWriter, body: Any, status: str = "200 OK", headers: dict[str, str] | None = None
) -> None:
    writer.write(_response(body, status, headers))


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    for place in range(len(data)):
        writer.write(data[place : place + 1])
        await writer.drain()
        await asyncio.sleep(DRIP)
