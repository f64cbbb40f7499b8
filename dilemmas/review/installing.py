"""Label Studio in a virtual environment of its own: its packages and ours exclude each other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from dilemmas.errors import ReviewError
from dilemmas.review.local import VERSION, command

LONGEST = 3600.0
"""Longest wait for pip, seconds; two minutes are usual."""


def installed(venv: Path) -> bool:
    """Whether a virtual environment made by `install` is complete."""
    return _mark(venv).is_file() and command(venv).is_file()


def install(venv: Path) -> None:
    """Make the virtual environment, anew where an earlier attempt was cut off: 1 GB from the package index.

    Raises:
        ReviewError: it cannot be made, or pip fails; the last of what pip said, without addresses.
    """
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").is_file():
        raise ReviewError("is in the way of a virtual environment", where=str(venv), fix="Choose another --folder.")
    _run("make a virtual environment", venv, [sys.executable, "-m", "venv", "--clear", str(venv)])
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    _run(f"install label-studio {VERSION}", venv, [*pip, "install", f"label-studio=={VERSION}"])
    _mark(venv).touch()


def _mark(venv: Path) -> Path:
    """The file whose presence says that pip came to its end."""
    return venv / f".label-studio-{VERSION}"


def _run(doing: str, venv: Path, arguments: list[str]) -> None:
    try:
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=LONGEST
        )
        failed, said = done.returncode, _last_words(done.stdout + done.stderr)
    except subprocess.TimeoutExpired:
        failed, said = 1, f"it takes longer than {LONGEST / 60:.0f} minutes"
    if failed:
        fix = "Run the same command again; a virtual environment that has label-studio goes to --venv."
        raise ReviewError(f"cannot {doing}: {said}", where=str(venv), fix=fix)


def _last_words(said: str) -> str:
    """The last lines of a program, without addresses: an index's may hold a password."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = " / ".join(lines[-3:])[-600:]
    return re.sub(r"\w+://\S+|host='[^']*'|'[\w.-]+\.[a-z]{2,}'", "[address]", text) or "it said nothing"
