"""What no file of a release may hold: people's addresses and names, keys, paths of a machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from dilemmas.errors import InputError
from dilemmas.resources import decode_utf8, read_bytes

_NEVER = {
    "an e-mail address": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{2,}\b",
    "a key": (
        r"\b(?:hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
        r"|glpat-[\w-]{16,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|xox[abprs]-[\w-]{10,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,})"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bBearer\s+[\w.~+/-]{16,}"
    ),
    "a path of a machine": (
        r"(?<![\w.:/~-])/(?:home|Users|root|tmp|var|opt|mnt|media|srv|work|workspace|scratch|private|data|usr|etc)/[\w.-]+"
        r"|\b[A-Za-z]:\\+(?:Users|Documents|Temp)\b|\bfile://|(?<![\w/])~/[\w.-]+"
    ),
    "an address on a local network": r"\b(?:localhost|127\.0\.0\.1|10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+)(?::\d+)?\b",
}
_PATTERNS = {what: re.compile(pattern) for what, pattern in _NEVER.items()}
_SHORTEST_NAME = 3
"""A shorter name is in many words of any text."""


def found_in(text: str, names: Sequence[str] = ()) -> list[str]:
    """What a text holds that it must not, in words that do not repeat it.

    Args:
        text: of a file.
        names: people's names and addresses; found as whole words, in capitals or not.

    >>> found_in("Write to jo@example.org, or look into /home/jo/notes.")
    ['an e-mail address (line 1)', 'a path of a machine (line 1)']
    >>> found_in("Jo Doe read this.", ["jo doe"])
    ['a name of the given file (line 1)']
    """
    hits = [(what, pattern.search(text)) for what, pattern in _PATTERNS.items()]
    hits += [("a name of the given file", _whole(name).search(text)) for name in names]
    told = (f"{what} (line {text.count(chr(10), 0, hit.start()) + 1})" for what, hit in hits if hit)
    return list(dict.fromkeys(told))


def names_in(path: Path) -> tuple[str, ...]:
    """People's names and addresses out of a file.

    Args:
        path: the key file of `dilemmas review pull` (JSON Lines with `email`), or a list with a name on each line.

    Raises:
        InputError: it cannot be read, holds no name, or one that is too short to be looked for.
    """
    lines = [line.strip() for line in decode_utf8(read_bytes(path, "file of names"), path).splitlines()]
    names = dict.fromkeys(name for line in lines if line and not line.startswith("#") for name in _names(line))
    if not names or min(map(len, names)) < _SHORTEST_NAME:
        raise InputError(
            f"holds {'no name' if not names else f'a name of fewer than {_SHORTEST_NAME} letters'}",
            where=str(path),
            fix="Give pseudonyms.jsonl, or a file with a name on each line.",
        )
    return tuple(names)


def _names(line: str) -> Iterable[str]:
    """An address, and the name that it is made of (`jo.doe@example.org`: `jo doe`); or the line as it is."""
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return [line]
    address = str(record.get("email", ""))
    parts = re.findall(r"[^\W\d_]+", address.partition("@")[0])
    return [address, *([" ".join(parts)] if len(parts) > 1 else [])] if address else []


def _whole(name: str) -> re.Pattern[str]:
    words = r"\s+".join(map(re.escape, name.split()))
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)
