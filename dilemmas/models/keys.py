"""A server's key: read from the environment variable the user named, and struck out of all that comes back."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from typing import Any

import orjson

from dilemmas.config import ModelConfig, is_loopback
from dilemmas.errors import InputError

_SHORTEST_SECRET = 8
"""A shorter key is one of these placeholders, or is refused: striking it out would spoil replies."""
_PLACEHOLDERS = frozenset({"empty", "none", "dummy", "test", "token", "ollama", "x", "-"})


def key_of(config: ModelConfig) -> str:
    """The key that a configuration names; empty where it names none.

    Raises:
        InputError: the variable holds no key, or the key would go out unencrypted.
    """
    if config.api_key_env is None:
        return ""
    key = os.environ.get(config.api_key_env, "").strip()
    if not key:
        raise InputError(
            f"the environment variable {config.api_key_env} is not set",
            where="--api-key-env",
            fix=f"export {config.api_key_env}=... in this shell, then run the same command again.",
        )
    if not key.isascii() or any(c.isspace() or not c.isprintable() for c in key):
        raise InputError(
            f"the key in {config.api_key_env} holds a space, a line break or a letter that no key has",
            where="--api-key-env",
            fix=f"Set {config.api_key_env} to the key alone.",
        )
    if len(key) < _SHORTEST_SECRET and key.lower() not in _PLACEHOLDERS:
        raise InputError(
            f"the key in {config.api_key_env} has fewer than {_SHORTEST_SECRET} characters, too few to be kept secret",
            where="--api-key-env",
            fix="Use a longer key, or EMPTY where the server wants any.",
        )
    open_to_all = [url for url in config.base_url if url.startswith("http://") and not is_loopback(url)]
    if open_to_all and not config.allow_plain_http_key:
        raise InputError(
            "a key would travel unencrypted to another machine",
            where="--base-url",
            fix="Use https, or, if the network is yours, --allow-plain-http-key (in a run file, under [model]: "
            "allow_plain_http_key = true).",
        )
    return key


class Secret:
    """A key that must not be seen again, and how it is kept out of what a server sends.

    >>> Secret("sk-12345678").out_of("you sent sk-12345678")
    'you sent [key]'
    """

    def __init__(self, key: str) -> None:
        self._forms, self._marks = None, tuple[bytes, ...]()
        if len(key) >= _SHORTEST_SECRET:
            encoded = [
                encode(key.encode()).decode().rstrip("=") for encode in (base64.b64encode, base64.urlsafe_b64encode)
            ]
            self._forms = re.compile("|".join([_in_any_disguise(key), *map(re.escape, encoded)]))
            # No encoding changes a letter or a digit, but JSON can write any character as \u00...
            plain = max(re.findall(r"[A-Za-z0-9]*", key), key=len)
            self._marks = (plain.encode(), *(form.encode() for form in encoded), rb"\u00")

    def out_of(self, text: str) -> str:
        """A text without the key, in whatever form it stands there."""
        return self._forms.sub("[key]", text) if self._forms else text

    def decoded(self, raw: bytes) -> Any:
        """What some JSON says, without the key and without the halves of characters that no file can hold.

        Raises:
            ValueError, RecursionError: it is no JSON.
        """
        try:
            data = orjson.loads(raw)
        except ValueError:  # NaN, half a character, or no JSON at all
            return self._clean(json.loads(raw.decode("utf-8", "replace")))
        # Three searches in the bytes tell at once that the key is not there; walking through the data takes longer.
        return self._clean(data) if self._marks and any(mark in raw for mark in self._marks) else data

    def _clean(self, data: Any) -> Any:
        if isinstance(data, str):
            return self.out_of(data.encode("utf-8", "replace").decode("utf-8"))
        if isinstance(data, list):
            return [self._clean(part) for part in data]
        return {self._clean(name): self._clean(part) for name, part in data.items()} if isinstance(data, dict) else data


def _in_any_disguise(key: str) -> str:
    """A pattern for a key in the forms in which a server may send it back: plain, URL, JSON, HTML."""

    def one(c: str) -> str:
        code = f"(?i:{ord(c):02x})"
        marked = rf"\\*{re.escape(c)}|%(?:25)*{code}|\\+u00{code}|{re.escape(html.escape(c))}|&#{ord(c)};"
        return c if c.isalnum() else f"(?:{marked})"

    return "".join(map(one, key))
