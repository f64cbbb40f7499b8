"""One client in a process of its own, so that none disturbs another; it prints what it cost as JSON.

`bare` and `openai` send prepared bodies, one a line of a file. `ours` is `dilemmas.evaluate.evaluate` with all
that belongs to it: reading the dilemmas, planning, rendering, sending, reading replies, and a new store on disk.
Each first sends a few requests that do not count, because imports and first connections cost a run once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEY = "BENCHMARK_SERVER_KEY"
"""Environment variable with the server's key, where it wants one."""
WARM = 40
"""Requests before those that count."""
ONE_DILEMMA = {"persona_set": "three", "repeats": 5}
"""Settings with which a dilemma has 40 trials: 4 conditions x 2 questions x 5 repeats."""


@contextmanager
def costs() -> Iterator[dict[str, float]]:
    """Seconds by the clock and of the processor (this process, all threads) that a block took."""
    cost: dict[str, float] = {}
    at, began = time.perf_counter(), os.times()
    yield cost
    ended = os.times()
    cost["seconds"] = time.perf_counter() - at
    cost["cpu"] = ended.user + ended.system - began.user - began.system


async def through(bodies: list[Any], in_flight: int, send: Callable[[Any], Awaitable[Any]]) -> None:
    """Send bodies, so many at a time."""
    left = iter(bodies)

    async def work() -> None:
        for body in left:
            await send(body)

    await asyncio.gather(*(work() for _ in range(in_flight)))


async def bare(address: str, lines: list[bytes], in_flight: int, *, warm: bool) -> dict[str, float]:
    import aiohttp

    headers = {"content-type": "application/json"}
    if KEY in os.environ:
        headers["authorization"] = f"Bearer {os.environ[KEY]}"
    connector = aiohttp.TCPConnector(limit=in_flight)
    usages: list[dict[str, Any]] = []
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def send(body: bytes) -> None:
            async with session.post(f"{address}/chat/completions", data=body) as response:
                reply = json.loads(await response.read())
            assert reply["choices"][0]["message"]["content"]
            usages.append(reply["usage"])

        await through(lines[: WARM * warm], in_flight, send)
        usages.clear()
        with costs() as cost:
            await through(lines, in_flight, send)
    prompt = sum(usage["prompt_tokens"] for usage in usages)
    cached = sum((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0) for usage in usages)
    return {**cost, "asked": len(lines), "prompt_tokens": prompt, "cached_tokens": cached}


async def with_openai(address: str, lines: list[bytes], in_flight: int, *, warm: bool) -> dict[str, float]:
    import openai

    bodies = [json.loads(line) for line in lines]
    ours = {"top_k"}  # fields that the client does not know
    asked = [
        {name: field for name, field in body.items() if name not in ours}
        | {"extra_body": {name: field for name, field in body.items() if name in ours}}
        for body in bodies
    ]
    async with openai.AsyncOpenAI(base_url=address, api_key="none", max_retries=0) as client:

        async def send(body: dict[str, Any]) -> None:
            reply = await client.chat.completions.create(**body)
            assert reply.choices[0].message.content

        await through(asked[: WARM * warm], in_flight, send)
        with costs() as cost:
            await through(asked, in_flight, send)
    return {**cost, "asked": len(lines)}


def ours(address: str, folder: Path, settings: dict[str, Any], *, warm: bool) -> dict[str, float]:
    from dilemmas import config, evaluate, loops, study

    def once(runs: Path, **changes: Any) -> evaluate.Outcome:
        chosen = config.load(None, {**settings, **changes, "name": "run", "model.base_url": address})
        return loops.run(evaluate.evaluate(study.prepare(chosen), runs))

    if warm:
        once(folder / "warm", limit=1)
    with costs() as cost:
        outcome = once(folder / "runs")
    if outcome.stopped:
        raise outcome.stopped
    return {**cost, "asked": outcome.asked, "open": outcome.open, "unreadable": outcome.unreadable}


def peak() -> float:
    """Most memory that this process ever had, MiB."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage counts in what the parent had when it started this process
        most = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(most.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("client", choices=("bare", "openai", "ours"))
    parser.add_argument("--address", required=True)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--bodies", type=Path, help="prepared bodies, for bare and openai")
    parser.add_argument("--folder", type=Path, help="where a new run is put, for ours")
    parser.add_argument("--settings", type=json.loads, default={}, help="of the run, as JSON, for ours")
    parser.add_argument("--cold", action="store_true", help="all counts from the first request on")
    given = parser.parse_args()
    if given.client == "ours":
        settings = {"model.concurrency": given.in_flight, **given.settings}
        found = ours(given.address, given.folder, settings, warm=not given.cold)
    else:
        send = bare if given.client == "bare" else with_openai
        lines = given.bodies.read_bytes().splitlines()
        found = asyncio.run(send(given.address, lines, given.in_flight, warm=not given.cold))
    print(json.dumps({**found, "peak": peak()}))


if __name__ == "__main__":
    main()
