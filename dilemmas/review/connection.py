"""Which Label Studio, and with which key: from the environment, or from a file that `review serve` writes.

The key never stands on a command line, in a message or in a log.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from dilemmas.config import is_loopback
from dilemmas.errors import InputError, did_you_mean, os_error
from dilemmas.resources import decode_utf8, read_bytes

URL, KEY = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"
"""Environment variables."""
FIELDS = ("url", "api_key")
"""What a connection file holds."""
_FIRST = f"Run `dilemmas review serve` for a server of your own, or set {URL} and {KEY}."


class Connection(NamedTuple):
    """A server and the key to it."""

    url: str
    """Address without a slash at its end, such as http://127.0.0.1:8080."""
    key: SecretStr
    """A legacy token (40 hexadecimal digits) or a personal access token (a JWT)."""
    source: str
    """Where the key was found: the name of the environment variable, or of the file."""

    @property
    def kind(self) -> Literal["legacy token", "personal access token", "token of unknown kind"]:
        """Which kind of token the key is, by its looks."""
        if re.fullmatch(r"[0-9a-f]{40}", self.key.get_secret_value()):
            return "legacy token"
        return "personal access token" if "alg" in self._jwt(0) else "token of unknown kind"

    @property
    def expiry(self) -> datetime | None:
        """Until when the key is good, as a personal access token says itself."""
        seconds = self._jwt(1).get("exp")
        return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) and 0 < seconds < 1 << 33 else None

    def _jwt(self, part: Literal[0, 1]) -> dict[str, Any]:
        """Head or claims of a JSON Web Token (RFC 7519); empty where the key is none."""
        parts = self.key.get_secret_value().split(".")
        try:
            decoded = json.loads(base64.urlsafe_b64decode(parts[part] + "=" * (-len(parts[part]) % 4)))
        except (ValueError, IndexError):
            return {}
        return decoded if len(parts) == 3 and isinstance(decoded, dict) else {}


def default_file() -> Path:
    """Where the address and the key are kept between commands."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "dilemmas" / "label-studio.toml"


def find(file: Path | None = None, *, allow_plain_http_key: bool = False) -> Connection:
    """The server to talk to: from a file that is named, else from the environment, else from the default file.

    Args:
        file: the file that is named.
        allow_plain_http_key: let the key go over unencrypted http to another machine.

    Raises:
        InputError: no address or no key, a file that cannot be read or that others may read, an address
            that is none or that holds a password, a key with blanks within, a key that would travel
            unencrypted.
    """
    if file is None and (os.environ.get(URL) or os.environ.get(KEY)):
        found, at = _from_environment(), (URL, KEY)
    else:
        path = file or default_file()
        if file is None and not path.exists():
            raise InputError("no Label Studio is known", where=f"{URL}, {KEY} and {path}", fix=_FIRST)
        found, at = read(path), (f"{path}, url", f"{path}, api_key")
    _check_url(found.url, at[0])
    _check_key(found.key.get_secret_value(), at[1])
    if found.url.startswith("http://") and not is_loopback(found.url) and not allow_plain_http_key:
        raise InputError(
            "a key would travel unencrypted to another machine",
            where=at[0],
            fix="Use https, or, if the network is yours, --allow-plain-http-key.",
        )
    return found


def read(path: Path) -> Connection:
    """What a connection file says; whether it is an address and a key is for `find` to check.

    Raises:
        InputError: it cannot be read or others may read it, is no TOML, lacks a field or has an unknown one.
    """
    text = decode_utf8(read_bytes(path, "connection file"), path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        fix = f"chmod 600 {shlex.quote(str(path))}"
        raise InputError("others may read this file, and it holds a key", where=str(path), fix=fix)
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:  # it names the place and quotes nothing
        fix = 'Write url = "..." and api_key = "...".'
        raise InputError(f"is not valid TOML: {error}", where=str(path), fix=fix) from None
    for name in settings:
        if name not in FIELDS:
            raise InputError("unknown setting", where=f"{path}, {name}", fix=did_you_mean(name, FIELDS))
    for name in FIELDS:
        if not isinstance(settings.get(name), str) or not settings[name].strip():
            raise InputError("is missing, empty or no text", where=f"{path}, {name}", fix=f'Write {name} = "...".')
    return _connection(settings["url"], settings["api_key"], str(path))


def write(path: Path, url: str, key: SecretStr) -> None:
    """Keep an address and a key in a file that only its owner can read; whole or not at all.

    Raises:
        InputError: the place cannot be written.
    """
    texts = (json.dumps(one, ensure_ascii=False) for one in (url, key.get_secret_value()))
    write_private(path, "".join(f"{name} = {text}\n" for name, text in zip(FIELDS, texts, strict=True)))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all.

    Raises:
        InputError: the place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # owner-only from the start
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).replace(path)
    except OSError as error:
        raise os_error(error, "write", path) from None


def _from_environment() -> Connection:
    url, key = os.environ.get(URL, ""), os.environ.get(KEY, "")
    for name, given, other in ((URL, url, KEY), (KEY, key, URL)):
        if not given.strip():
            fix = f"Set it, or unset {other} to use what `dilemmas review serve` wrote."
            raise InputError("is not set, or empty", where=name, fix=fix)
    return _connection(url, key, KEY)


def _connection(url: str, key: str, source: str) -> Connection:
    return Connection(url.strip().rstrip("/"), SecretStr(key.strip()), source)


def _check_url(url: str, where: str) -> None:
    """Refuse what is no address of a server, and show nothing of it: it may hold a password."""
    fix = "Write it as http://127.0.0.1:8080 or https://label-studio.example.org."
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port or an IPv6 address
        known = False
    if "@" in url.split("://")[-1].split("/")[0]:
        raise InputError("the address holds a user's name or password", where=where, fix=f"Leave it out. {fix}")
    if "://" not in url:
        raise InputError("the address lacks http:// or https://", where=where, fix=fix)
    if not known or any(c.isspace() or not c.isprintable() for c in url):
        raise InputError("is not an address of a web server", where=where, fix=fix)
    if parts.query or parts.fragment:
        raise InputError("the address goes on after ? or #", where=where, fix=f"Leave that out. {fix}")


def _check_key(key: str, where: str) -> None:
    """Refuse a key that cannot stand in a header: an HTTP client would print it in its complaint."""
    if not key.isascii() or any(c.isspace() or not c.isprintable() for c in key):
        raise InputError(
            "the key holds a blank, a line break or a letter that no key has",
            where=where,
            fix="Set it to the token alone, as Label Studio shows it under Account & Settings.",
        )
