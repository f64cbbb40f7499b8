"""Processes that tests watch from outside, and a server that is started by a command."""

from __future__ import annotations

import sys
import time
from pathlib import Path

SERVER = """
import os, subprocess, sys, time
sys.path.insert(0, {tests!r})
from fake_server import FakeServer
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({noted!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
with FakeServer(models=(sys.argv[1],), port=int(sys.argv[2]), script=lambda seen: time.sleep({delay})):
    time.sleep(60)
"""


def server_command(place: Path, noted: Path, delay: float = 0.0) -> str:
    """Starts a server that has a child of its own; both process numbers are noted in a file.

    Args:
        place: folder for its script.
        noted: the file.
        delay: of each answer, seconds.
    """
    script = place / "server.py"
    text = SERVER.format(tests=str(Path(__file__).parent), noted=str(noted), delay=delay)
    script.write_text(text, encoding="utf-8")
    return f"{sys.executable} {script} {{model}} {{port}}"


def wait_for_end(*processes: int) -> bool:
    """Whether some processes are gone within a while."""
    until = time.monotonic() + 30
    while any(map(_is_up, processes)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def descendants(process: int) -> list[int]:
    """Processes that a process has started, and those that they have."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        if fields := _fields(stat):
            parents[int(stat.parent.name)] = int(fields[1])
    found, new = list[int](), [process]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


def _is_up(process: int) -> bool:
    fields = _fields(Path(f"/proc/{process}/stat"))
    return bool(fields) and fields[0] != "Z"


def _fields(stat: Path) -> list[str]:
    """State, parent and what follows them in a process's file; nothing where it is gone (proc_pid_stat(5))."""
    try:
        return stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
