"""One server: requests over aiohttp to one base URL, and an error of ours for every way in which they fail.

A redirect is not followed, no cookie is kept, and nothing is taken from the environment but a proxy, which is
not used for this machine itself. The server's key goes to its own address, in no header but one, and is
struck out of every text that comes back. aiohttp repeats no request of ours: what may be asked again is
decided by the type of the error.
"""

from __future__ import annotations

import copy
import errno
import math
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
from multidict import CIMultiDict
from yarl import URL

from dilemmas import __version__
from dilemmas.config import is_loopback
from dilemmas.errors import InputError, ModelError, RejectedError, TransientError, UnreachableError
from dilemmas.models.completions import short
from dilemmas.models.keys import Secret

LARGEST = 32 * 2**20
"""Longest body that is read, bytes."""
_CONNECTING = 10.0
"""Longest wait for a connection, seconds."""
_KEPT_ALIVE = 4.0
"""How long a connection nobody uses is kept, seconds: less than the 5 after which uvicorn closes it."""
RETRYABLE = frozenset({408, 409, 425, 429})
"""Statuses below 500 of failures that may pass."""
_OTHER_FILES = 128
"""Files that are open beside the connections."""
_NO_FILES_LEFT = frozenset({errno.EMFILE, errno.ENFILE})


@asynccontextmanager
async def opened() -> AsyncIterator[aiohttp.ClientSession]:
    """What the requests to all addresses of a model are sent through, as a context manager."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_ALIVE)  # how many, others decide
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=("Accept-Encoding",)
    ) as session:
        yield session


def make_room(connections: int, *, needed: bool) -> None:
    """Let this process hold so many connections open, as far as the system allows it.

    Args:
        connections: how many.
        needed: whether fewer will not do.

    Raises:
        InputError: fewer are allowed than are needed.
    """
    if sys.platform == "win32":
        return
    import resource

    wanted = connections + _OTHER_FILES
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY or allowed >= wanted:
        return
    room = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, room), most))
    if needed and room < wanted:
        raise InputError(
            f"{connections} requests in flight need {wanted} open files, and this system allows {room}",
            where="--concurrency",
            fix=f"Lower --concurrency, or raise the limit (ulimit -Hn {wanted}, as the system's administrator).",
        )


class Address:
    """One base URL of an OpenAI-compatible server.

    Args:
        url: the base URL, as `config.check_base_url` gives it.
        session: as `opened` gives it.
        key: the server's key; empty for none.
        timeout: longest wait for one reply, seconds.

    Raises:
        InputError: no request can be sent to such an address.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession, key: str = "", timeout: float = 180.0) -> None:
        self.url = url
        self._session, self._has_key, self._secret = session, bool(key), Secret(key)
        self._timeout = aiohttp.ClientTimeout(
            total=timeout + min(_CONNECTING, timeout), sock_connect=min(_CONNECTING, timeout)
        )
        self._headers = CIMultiDict({"accept": "application/json", "user-agent": f"dilemmas/{__version__}"})
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._posting = CIMultiDict({**self._headers, "content-type": "application/json"})
        self._proxy = None if is_loopback(url) else _proxy_for(url)
        self._urls: dict[str, URL] = {}
        self._speaks: set[str] = set()
        """Paths that have brought a JSON object: what comes instead later is a mishap."""
        self._url("/models")

    def _url(self, path: str) -> URL:
        if path not in self._urls:
            try:
                url = URL(self.url + path)
                (url.raw_host or "").encode("idna")  # as the search for its number will
                self._urls[path] = url
            except ValueError as error:
                raise InputError(f"is no address: {error}", where="--base-url", fix="Check the host's name.") from None
        return self._urls[path]

    def above(self) -> Address:
        """The same server without the `/v1` of its address: there some tell of themselves."""
        other = copy.copy(self)
        other.url, other._urls, other._speaks = self.url.removesuffix("/v1"), {}, set()
        return other

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request; the JSON object that comes back, without the key.

        Args:
            method: `GET` or `POST`.
            path: what follows the base URL, such as `/models`.
            body: what is sent, as JSON.

        Raises:
            RejectedError: asking again is pointless.
            UnreachableError: nobody answers.
            TransientError: asking again may help.
        """
        try:
            async with self._session.request(
                method,
                self._url(path),
                data=None if body is None else orjson.dumps(body),
                headers=self._headers if body is None else self._posting,
                allow_redirects=False,
                timeout=self._timeout,
                proxy=self._proxy,
            ) as response:
                raw = await self._body(response)
        except TimeoutError as error:
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                raise self._lost(error) from None
            raise TransientError("no reply in time", where=self.url, fix="Raise timeout under [model].") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._lost(error) from None
        if response.status >= 300:
            raise self._with_raw(self._refused(response, raw), raw)
        try:
            answer = self._secret.decoded(raw)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise self._with_raw(self._no_json(response, raw, path), raw)
        self._speaks.add(path)
        return answer

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        """All that a response holds.

        Raises:
            RejectedError: it is longer than any answer.
        """
        parts, size = list[bytes](), 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > LARGEST:
                raise RejectedError(
                    f"sends more than {LARGEST // 2**20} MB in place of an answer",
                    where=self.url,
                    fix="Check the address; that of an OpenAI-compatible server usually ends in /v1.",
                    status=response.status,
                )
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _with_raw(self, error: ModelError, raw: bytes) -> ModelError:
        """An error with what the server sent."""
        error.raw = self._text(raw)
        return error

    def _text(self, raw: bytes) -> str:
        return self._secret.out_of(raw.decode("utf-8", "replace"))

    def _no_json(self, response: aiohttp.ClientResponse, raw: bytes, path: str) -> RejectedError | TransientError:
        kind = short(self._secret.out_of(response.headers.get("content-type", "no content type").split(";")[0]))
        what = f"answers with {kind} that is no JSON object: {short(self._text(raw))}"
        if path in self._speaks:
            return TransientError(what, where=self.url, status=response.status)
        return RejectedError(
            what,
            where=self.url,
            fix="Check the address; that of an OpenAI-compatible server usually ends in /v1.",
            status=response.status,
        )

    def _lost(self, error: Exception) -> TransientError:
        if isinstance(error, OSError) and error.errno in _NO_FILES_LEFT:
            return TransientError(
                "this machine allows no more open connections",
                where=self.url,
                fix="Raise the limit of open files (ulimit -n 4096), or lower --concurrency.",
            )
        told = f"HTTP {error.status}: {error.message}" if isinstance(error, aiohttp.ClientResponseError) else str(error)
        # A proxy's address may hold its user's password.
        reason = short(re.sub(r"//[^/@\s]*@", "//", self._secret.out_of(told))) or type(error).__name__
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
            return UnreachableError(
                f"nobody answers ({reason})",
                where=self.url,
                fix="Start the server, or mend --base-url; then run the same command again.",
            )
        return TransientError(f"the connection was lost ({reason})", where=self.url)

    def _refused(self, response: aiohttp.ClientResponse, raw: bytes) -> RejectedError | TransientError:
        status, where = response.status, self.url
        try:
            message = short(_message(self._secret.decoded(raw)))
        except (ValueError, RecursionError):
            message = short(self._text(raw))
        if status in RETRYABLE or (status >= 500 and status != 501):
            wish = _seconds(response.headers.get("retry-after", ""))
            return TransientError(f"HTTP {status}: {message}", where=where, status=status, retry_after=wish)
        if status in (401, 403):
            sent = "was refused" if self._has_key else "was not sent"
            return RejectedError(
                f"HTTP {status}: a key is wanted and {sent}: {message}",
                where=where,
                fix="Put the key into an environment variable and name that variable with --api-key-env.",
                status=status,
            )
        if 300 <= status < 400:
            return RejectedError(
                f"HTTP {status}: redirects elsewhere, which is not followed",
                where=where,
                fix="Give the final address with --base-url.",
                status=status,
            )
        fix = "Check the address (it usually ends in /v1) and the model's name." if status == 404 else ""
        lowered = message.lower()
        if "context" in lowered and any(word in lowered for word in ("length", "size", "exceed", "window", "maximum")):
            message = f"the prompt is longer than the model's context: {message}"
            fix = "Serve the model with a longer context, or shorten the scenario, the persona or max_tokens."
        return RejectedError(f"HTTP {status}: {message}", where=where, fix=fix, status=status)


def _proxy_for(url: str) -> URL | None:
    """The proxy that the environment names for an address; aiohttp itself would send keys of ~/.netrc as well.

    Raises:
        InputError: it is of a kind that cannot be used.
    """
    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    try:
        found = URL(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError:
        found = URL()
    if found.scheme not in ("http", "https") or not found.host:
        raise InputError(
            "the proxy that this shell names is none for http",
            where=f"{parts.scheme}_proxy, all_proxy",
            fix=f"Name another one, or put {parts.hostname} into no_proxy.",
        )
    return found


def _message(body: Any) -> str:
    """The server's own words about an error."""
    error = body.get("error", body) if isinstance(body, dict) else body
    return str(error.get("message", error) if isinstance(error, dict) else error)


def _seconds(retry_after: str) -> float | None:
    """A server's wish to wait, which it says in seconds or as a date.

    >>> _seconds("1.5"), _seconds("Wed, 21 Oct 2015 07:28:00 GMT"), _seconds("soon")
    (1.5, 0.0, None)
    """
    try:
        wish = float(retry_after)
    except ValueError:
        try:
            wish = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, wish) if math.isfinite(wish) else None
