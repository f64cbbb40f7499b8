"""Whether drafting keeps a server busy: `python benchmarks/generation.py [--cells 96] [--concurrency 16] [--answer 1]`.

A server in a process of its own answers every request after a fixed time, so that all replies of a round
come at once, which is the worst case: they wait for one another until they are read and kept. Told are
the share of the time with all requests in flight, and how many are on average, from the first draft's
request to the last one's; and the wall clock against the floor (rounds of requests x time of an answer).
Exits 1 where the floor is exceeded by half or more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path

from dilemmas import config
from dilemmas.drafts.planning import prepare
from dilemmas.generate import generate
from dilemmas.schema import PLACES

MOST_OVER_FLOOR = 1.5
SENTENCE = "You stand at the counter and are asked for an answer that both of you will have to live with. "
PROBE_WORD = "qzx-7"


def draft(number: int) -> str:
    steps = {
        f"{polarity}_{intensity}": {
            "text": f"I take way {place} of case {number} and say so at the counter.",
            "rationale": "It goes as far in this direction as its place among the six asks for.",
        }
        for place, (polarity, intensity) in enumerate(PLACES)
    }
    return json.dumps({"scenario": f"Case {number}. " + SENTENCE * 3, **steps})


class Server:
    """Answers after a fixed time, and notes how many requests for drafts are in flight."""

    def __init__(self, answer: float) -> None:
        self._answer = answer
        self.changes: list[tuple[float, int]] = []
        """Time, and requests in flight from then on."""
        self._in_flight = self._drafts = 0

    def _note(self, change: int) -> None:
        self._in_flight += change
        self.changes.append((time.perf_counter(), self._in_flight))

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            raw = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
            data = json.dumps(await self._reply(json.loads(raw) if raw else None)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(data))
            writer.write(data)
            await writer.drain()

    async def _reply(self, body: dict[str, object] | None) -> dict[str, object]:
        if body is None:
            return {"data": [{"id": "fake"}]}
        text = json.dumps({"reasoning": "", "answer": PROBE_WORD})
        if "Focal value:" in json.dumps(body["messages"]):
            self._note(1)
            self._drafts += 1
            text = draft(self._drafts)
            await asyncio.sleep(self._answer)
            self._note(-1)
        message = {"role": "assistant", "content": text}
        return {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}


def serve(answer: float, pipe: Connection) -> None:
    async def run() -> None:
        server = Server(answer)

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await server.handle(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        listener = await asyncio.start_server(handle, "127.0.0.1", 0, limit=2**20)
        pipe.send(listener.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.recv)
        pipe.send(server.changes)

    asyncio.run(run())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cells", type=int, default=96)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--answer", type=float, default=1.0, help="seconds")
    given = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(given.answer, theirs), daemon=True)
    server.start()
    address = f"http://127.0.0.1:{ours.recv()}/v1"
    with tempfile.TemporaryDirectory() as folder:
        chosen = config.load(
            None,
            {"model.name": "fake", "model.base_url": address, "model.concurrency": given.concurrency}
            | {"limit": given.cells},
        )
        out = Path(folder) / "drafts.jsonl"
        job = prepare(chosen, values="all", topics="all", per_cell=-(-given.cells // 616), out=out)
        outcome = asyncio.run(generate(job))
    ours.send("enough")
    changes = ours.recv()
    server.join(10)
    first, last = changes[0][0], changes[-1][0]
    started = [at for (_, before), (at, now) in pairwise(changes) if now > before]
    until = started[-1]  # afterwards nothing is left to be put in flight
    full = sum(later - at for (at, now), (later, _) in pairwise(changes) if now == given.concurrency and at < until)
    slots = sum(now * (later - at) for (at, now), (later, _) in pairwise(changes) if at < until)
    floor = -(-given.cells // given.concurrency) * given.answer
    print(
        f"drafts         {outcome.asked:,} of {given.cells:,}, {given.concurrency} in flight, {given.answer:.2f} s each"
    )
    print(f"all in flight  {full / max(until - first, 1e-9):.1%} of the time until the last request went out")
    print(f"in flight      {slots / max(until - first, 1e-9):.1f} on average in that time")
    print(f"wall clock     {last - first:.2f} s, {(last - first) / floor:.2f} times the floor of {floor:.2f} s")
    return int(outcome.asked < given.cells or (last - first) / floor >= MOST_OVER_FLOOR)


if __name__ == "__main__":
    sys.exit(main())
