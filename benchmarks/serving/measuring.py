"""What these benchmarks have in common: a study to ask, clients in processes of their own, and the words of a table."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from clients import ONE_DILEMMA
from null_server import running

from dilemmas import dataset

TRIALS_A_DILEMMA = 40
"""With the settings in `clients.ONE_DILEMMA`."""
SCENARIO = 1250
"""Characters of a made-up scenario: a prompt then has about 2,800 characters, 700 tokens."""
PACKAGES = ("dilemmas", "aiohttp", "uvloop", "orjson", "openai", "httpx2", "xllamacpp")


def study(path: Path, trials: int) -> dict[str, Any]:
    """Settings of a run of so many trials; its dilemmas, of the shipped ones' words, are written to a file."""
    shipped = dataset.read(dataset.shipped_path()).dilemmas
    words = " ".join(one.scenario for one in shipped)
    count = trials // TRIALS_A_DILEMMA
    with path.open("w", encoding="utf-8") as lines:
        for number in range(count):
            like = shipped[number % len(shipped)]
            begin = 31 * number % (len(words) - SCENARIO)
            scenario = f"{like.scenario} {words[begin : begin + SCENARIO]}"[:SCENARIO]
            lines.write(
                dataset.to_line(like.model_copy(update={"id": f"made-{number:05}", "scenario": scenario})) + "\n"
            )
    return {"dataset": str(path), "model.name": "null", **ONE_DILEMMA}


def child(client: str, address: str, **options: Any) -> dict[str, float]:
    """What a client cost (see `clients`)."""
    command = [sys.executable, str(Path(__file__).with_name("clients.py")), client, "--address", address]
    for name, value in options.items():
        command.append(f"--{name.replace('_', '-')}")
        if value is not True:
            command.append(json.dumps(value) if isinstance(value, dict) else str(value))
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def recorded(folder: Path, settings: dict[str, Any]) -> Path:
    """The bodies that an evaluation sends, in its order, as a file to send them from again."""
    path = folder / "bodies"
    with running(record=path, name=settings["model.name"]) as address:
        child("ours", address, in_flight=1, folder=folder / "recorded", settings=settings, cold=True)
    return path


def heading() -> str:
    """Date, machine and versions: what numbers of another day are to be compared by."""
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"no {name}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    machine = f"{platform.system()} {platform.machine()}, {_processor()}, {cores} cores, load {load}"
    return f"{today}, {machine}\nPython {platform.python_version()}, {', '.join(versions)}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def at_most(most: float, name: str, value: float, unit: str = "") -> bool:
    """Print a number beside the most that it may be; whether it is no more."""
    return _told(name, value, f"at most {most:g}", unit, reached=value <= most)


def at_least(least: float, name: str, value: float, unit: str = "") -> bool:
    """Print a number beside the least that it may be; whether it is no less."""
    return _told(name, value, f"at least {least:g}", unit, reached=value >= least)


def _told(name: str, value: float, wanted: str, unit: str, *, reached: bool) -> bool:
    print(f"{name:45} {value:>7.4g}{unit}   ({wanted}{unit}: {'reached' if reached else 'MISSED'})")
    return reached
