"""What batch files cost: `python benchmarks/batch.py [--larger] [--place FOLDER]`.

A full study (616 dilemmas, 2 questions, 3 repeats, 13 conditions: 48,048 trials), one of 2 conditions (7,392) and with
--larger 130 conditions (480,480) are written as batch files and their made-up results read back, each step in a new
process. The floor is a loop that decodes, encodes, writes and reads the very same bytes with orjson.
Exits 1 where the full study takes 30 s or more in all, or where the peak of the memory grows by over 10 %.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from dilemmas import config, dataset, study
from dilemmas.batches import reading, writing

DILEMMAS, FULL, MOST_SECONDS, MOST_GROWTH = 616, 48_048, 30.0, 1.1
SCENARIO = 1250
"""Characters of a made-up scenario: a prompt then has about 2,800 characters, 700 tokens."""
STEPS = ("write", "read", "floor")


def prepared(folder: Path) -> study.Study:
    chosen = {"name": "run", "dataset": str(folder / "dilemmas.jsonl"), "model.name": "made-up"}
    return study.prepare(config.load(None, {**chosen, "persona_set": str(folder / "personas.toml")}))


def make(folder: Path, conditions: int) -> None:
    """A dataset out of the shipped one's words, and personas of the grid; the baseline is one of the conditions."""
    shipped = dataset.read(dataset.shipped_path()).dilemmas
    words = " ".join(one.scenario for one in shipped)
    with (folder / "dilemmas.jsonl").open("w", encoding="utf-8") as lines:
        for number in range(DILEMMAS):
            like, begin = shipped[number % len(shipped)], 31 * number % (len(words) - SCENARIO)
            scenario = f"{like.scenario} {words[begin : begin + SCENARIO]}"[:SCENARIO]
            made = like.model_copy(update={"id": f"made-{number:05}", "scenario": scenario})
            lines.write(dataset.to_line(made) + "\n")
    entries = (f"[[persona]]\ngrid = {37 * number}\n" for number in range(1, conditions))
    (folder / "personas.toml").write_text('name = "of the grid"\n' + "".join(entries), encoding="utf-8")


def answer(folder: Path) -> None:
    """Results as a service would write them."""
    for path in sorted((folder / "out").glob("*.jsonl")):
        with path.open("rb") as requests, (folder / f"results-{path.name}").open("wb") as results:
            for number, raw in enumerate(requests):
                reply = {"reasoning": "It is what I would stand by. " * 8, "answer": "ABCDEF"[number % 6]}
                text = orjson.dumps(reply).decode()
                choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
                usage = {"prompt_tokens": 700, "completion_tokens": 60, "total_tokens": 760}
                about = {"id": f"chatcmpl-{number}", "created": 1_790_000_000, "model": "made-up"}
                body = {**about, "object": "chat.completion", "choices": [choice], "usage": usage}
                response = {"status_code": 200, "request_id": f"r-{number}", "body": body}
                name = orjson.loads(raw)["custom_id"]
                results.write(
                    orjson.dumps({"id": f"b-{number}", "custom_id": name, "response": response, "error": None})
                )
                results.write(b"\n")


def results_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("results-*.jsonl"))


def floor(folder: Path) -> None:
    with (folder / "floor").open("wb") as out:
        for path in sorted((folder / "out").glob("*.jsonl")):
            with path.open("rb") as lines:
                for raw in lines:
                    out.write(orjson.dumps(orjson.loads(raw)) + b"\n")
        os.fsync(out.fileno())
    for path in results_of(folder):
        with path.open("rb") as lines:
            for raw in lines:
                orjson.loads(raw)


def step(name: str, folder: Path) -> None:
    """One of the steps; prints its seconds and the peak of this process's memory, MiB."""
    asked = prepared(folder) if name == "write" else None
    began = time.perf_counter()
    if asked is not None:
        asyncio.run(writing.write(asked, folder / "runs", folder / "out", declared="vllm"))
    elif name == "read":
        assert not reading.read(folder / "runs" / "run", results_of(folder)).open
    else:
        floor(folder)
    print(time.perf_counter() - began, peak())


def peak() -> float:
    """MiB; of this program alone, where the kernel tells: a child's `ru_maxrss` begins with that of its parent."""
    try:
        told = Path("/proc/self/status").read_text(encoding="utf-8").split("VmHWM:")[1]
        return int(told.split()[0]) / 2**10
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**10 if sys.platform == "linux" else 2**20)


def measured(folder: Path) -> dict[str, tuple[float, float]]:
    found = {}
    for name in STEPS:
        if name == "read":
            answer(folder)
        command = [sys.executable, __file__, "--step", name, "--place", str(folder)]
        seconds, most = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        found[name] = float(seconds), float(most)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larger", action="store_true")
    parser.add_argument("--place", type=Path, help="folder for the files while this runs")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        step(given.step, given.place)
        return 0
    costs = {}
    print("| trials | MB out | MB back | write s | read s | floor s | times | peak MiB write | read | store MiB |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for conditions in (2, 13, 130) if given.larger else (2, 13):
        with tempfile.TemporaryDirectory(dir=given.place) as place:
            folder = Path(place)
            make(folder, conditions)
            trials = prepared(folder).size
            cost = costs[trials] = measured(folder)
            sizes = [
                sum(path.stat().st_size for path in folder.glob(kind)) for kind in ("out/*", "results-*", "runs/run/*")
            ]
        (write, most), (read, most_read), (least, _) = (cost[name] for name in STEPS)
        print(
            f"| {trials:,} | {sizes[0] / 1e6:.0f} | {sizes[1] / 1e6:.0f} | {write:.1f} | {read:.1f} | {least:.2f} | "
            f"{(write + read) / least:.1f} | {most:.0f} | {most_read:.0f} | {sizes[2] / 2**20:.0f} |",
            flush=True,
        )
    seconds = costs[FULL]["write"][0] + costs[FULL]["read"][0]
    first, last = costs[min(costs)], costs[max(costs)]
    growth = max(last[name][1] / first[name][1] for name in ("write", "read"))
    print(f"\nfull study: {seconds:.1f} s (at most {MOST_SECONDS:g}); largest peak: {growth:.2f} times the first")
    return int(seconds >= MOST_SECONDS or growth >= MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
