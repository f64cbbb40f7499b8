"""Label Studio's own SDK, as carefully as a key and other people's work are to be handled.

The SDK knows the requests and how a personal access token is exchanged. Added to it: what comes back is
the JSON that the server sent, since the SDK's models change with its versions; a failed request is sent
again only if it reads; no error carries a header, a cookie or the key; and the key goes to the user's own
address and to no other (redirects are not followed).
"""

from __future__ import annotations

import html
import json
import logging
import re
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from dilemmas.config import is_loopback
from dilemmas.errors import ReviewError
from dilemmas.review.connection import KEY, URL, Connection

# At level DEBUG it would log the server's headers, with their cookies.
logging.getLogger("httpcore").setLevel(logging.INFO)

T = TypeVar("T")
Call = Callable[[LabelStudio], object]
"""One call of the SDK, which sends one request."""
TIMEOUT, CONNECT = 120.0, 10.0
"""Longest wait for an answer, and for the connection, in seconds."""
PAUSES = (0.5, 1.0, 2.0)
"""Waits before a request that only reads is sent again, in seconds."""
_PAGE = 50_000
"""Characters of a page in which words are looked for."""
_JWT = re.compile(r"\beyJ[\w-]{8,}(\.[\w-]+)*")


class PassingError(ReviewError):
    """A failure that may pass: asking again may help."""


class StrangeError(ReviewError):
    """An answer that Label Studio does not give."""


class _Http(httpx.Client):
    """Remembers the last answer, and no cookies."""

    answer: httpx.Response | None = None

    def send(self, *request: Any, **options: Any) -> httpx.Response:
        self.answer = None
        answer = super().send(*request, **options)
        answer.read()
        self.cookies.clear()
        self.answer = answer
        return answer


class Client:
    """One server and one key."""

    def __init__(self, connection: Connection) -> None:
        """Sends nothing yet.

        Raises:
            ReviewError: no request can be sent to such an address.
        """
        self.connection = connection
        try:
            trust_env = not is_loopback(connection.url)
        except ValueError:
            raise self._error(ReviewError, "is no address of a server", fix=self._mend_address()) from None
        limits = httpx.Timeout(TIMEOUT, connect=CONNECT)
        self._http = _Http(timeout=limits, follow_redirects=False, trust_env=trust_env)
        self._sdk: LabelStudio | None = None
        weakref.finalize(self, self._http.close)

    def log_in(self) -> str:
        """E-mail address of the account whose key it is.

        Raises:
            ReviewError: nobody answers, it is not Label Studio, or it does not accept the key.
        """
        try:
            return self.get("log in", lambda sdk: sdk.users.whoami(), lambda me: str(me["email"]))
        except ReviewError as error:
            if not isinstance(error, StrangeError) and error.status not in (404, 405, 501):
                raise
            what = f"this is not Label Studio, or not its address ({error.what})"
        raise self._error(StrangeError, what, fix=self._mend_address())

    def get(self, doing: str, call: Call, read: Callable[[Any], T]) -> T:
        """What the server has; asked again a few times after a failure that may pass.

        Args:
            doing: what for, as it goes on after "cannot" in a message.
            call: asks for it.
            read: takes what is wanted out of the JSON.

        Raises:
            ReviewError: it cannot be had.
        """
        for pause in PAUSES:
            try:
                return self.send(doing, call, read)
            except PassingError:
                time.sleep(pause)
        return self.send(doing, call, read)

    def send(self, doing: str, call: Call, read: Callable[[Any], T]) -> T:
        """What the server answers to one request, which is sent once. Arguments as for `get`.

        Raises:
            PassingError: nobody answers, the connection breaks off, or the server is out of order; it may have
                done what was asked nevertheless.
            StrangeError: the answer is none of Label Studio's.
            ReviewError: it refuses, or takes too long.
        """
        reply, error = self._ask(call)
        if reply is not None and reply.status_code == 401 and self.connection.kind == "personal access token":
            self._sdk = None  # to exchange it anew: the SDK does so by the clock, and the server's may be ahead
            reply, error = self._ask(call)
        # Raised out here, where the SDK's error with the whole request does not come along.
        if reply is None or isinstance(error, UnicodeEncodeError):
            raise self._lost(doing, error)
        if not reply.is_success:
            raise self._refused(doing, reply)
        if error is None:
            with suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
                return read(json.loads(reply.content) if reply.content else None)
        kind = self._clean(reply.headers.get("content-type", "something").split(";")[0], 60)
        what = f"cannot {doing}: an answer that is none of Label Studio's: {kind}, {self._says(reply)}"
        raise self._error(StrangeError, what, reply.status_code, self._mend_address())

    def _ask(self, call: Call) -> tuple[httpx.Response | None, Exception | None]:
        """The server's answer, and what the SDK raises."""
        self._http.answer, error = None, None
        try:
            if self._sdk is None:
                self._sdk = LabelStudio(  # type: ignore[no-untyped-call]
                    base_url=f"{self.connection.url}/",  # without the slash, a token would be exchanged above the path
                    api_key=self.connection.key.get_secret_value(),
                    max_retries=0,
                    httpx_client=self._http,
                )
            call(self._sdk)
        except Exception as raised:  # noqa: BLE001 - all of them: the key may be in it
            error = raised
        return self._http.answer, error

    def _refused(self, doing: str, reply: httpx.Response) -> ReviewError:
        """What an answer means that is no success."""
        status = reply.status_code
        if reply.is_redirect:
            fix = f"Give the final address. {self._mend_address()}"
            return self._error(StrangeError, f"cannot {doing}: HTTP {status}, a redirect elsewhere", status, fix)
        what, fix = f"HTTP {status}: {self._says(reply)}", ""
        if status == 401:
            what, fix = self._unaccepted(self._says(reply))
        elif status == 403:
            fix = "Use the key of an account that may do this."
        elif status == 404:
            fix = "It may have been deleted."
        passing = status in (408, 425, 429) or (status >= 500 and status != 501)
        if passing:
            fix = "Run the same command again; if it stays so, look into the server's log."
        return self._error(PassingError if passing else ReviewError, f"cannot {doing}: {what}", status, fix)

    def _lost(self, doing: str, error: Exception | None) -> ReviewError:
        """What it means that no answer came."""
        match error:
            case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
                what = f"nobody answers ({self._clean(str(error), 120) or 'no connection in time'})"
                fix = f"Start the server (`dilemmas review serve` starts one here). {self._mend_address()}"
                return self._error(PassingError, f"cannot {doing}: {what}", fix=fix)
            case httpx.TimeoutException():
                what = f"no answer in {error.request.extensions['timeout']['read']:.0f} s"
                fix = "The server may be overloaded: run the same command again later."
                return self._error(ReviewError, f"cannot {doing}: {what}", fix=fix)
            case UnicodeEncodeError(encoding="utf-8"):
                what = f"cannot {doing}: there is half of a character in it"
                return self._error(ReviewError, what, fix="Mend the dataset.")
            case httpx.InvalidURL() | httpx.UnsupportedProtocol() | UnicodeError():
                return self._error(ReviewError, "is no address of a server", fix=self._mend_address())
            case httpx.HTTPError():
                what = f"the connection broke off ({type(error).__name__})"
                return self._error(PassingError, f"cannot {doing}: {what}", fix="Run the same command again.")
            case ApiError(body={"detail": says}):  # the SDK refuses a personal access token that is over
                what, fix = self._unaccepted(self._clean(str(says), 200))
                return self._error(ReviewError, f"cannot {doing}: {what}", 401, fix)
        what = f"cannot {doing}: label-studio-sdk fails ({type(error).__name__})"
        return self._error(ReviewError, what, fix="Update it: pip install 'dilemmas[review]'")

    def _unaccepted(self, says: str) -> tuple[str, str]:
        """What it means that the key is not accepted, and what to do about it."""
        kind, source, expiry = self.connection.kind, self.connection.source, self.connection.expiry
        what = f"the server does not accept the {kind} from {source}: {says}"
        if expiry and expiry < datetime.now(UTC):
            what += f" (it expired on {expiry:%Y-%m-%d})"
        fix = f"{_NEW_KEY[kind]} Put it into {'that variable' if source == KEY else 'that file'}."
        if kind == "legacy token" and "disabled" in says:
            fix = f"Allow legacy tokens under Organization > API Tokens Settings, or: {fix}"
        return what, fix

    def _says(self, reply: httpx.Response) -> str:
        """The server's own words, without markup."""
        try:
            body = reply.json()
            if isinstance(body, dict):
                body = body.get("validation_errors") or body.get("detail") or body
            words, longest = "; ".join(_sentences(body)), 600
        except (ValueError, RecursionError):
            bare = re.sub(r"(?is)<(script|style|head)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*(?:>|$)", " ", reply.text[:_PAGE])
            words, longest = html.unescape(bare), 200
        return self._clean(words, longest) or "no words"

    def _clean(self, text: str, longest: int) -> str:
        """A text from the server on one line, cut, and without what may be a key."""
        text = text.replace(self.connection.key.get_secret_value(), "[key]")
        flat = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(_JWT.sub("[key]", text).split()))
        return flat if len(flat) <= longest else flat[: longest - 3] + "..."

    def _error(self, kind: type[ReviewError], what: str, status: int | None = None, fix: str = "") -> ReviewError:
        return kind(what, where=self.connection.url, fix=fix, status=status)

    def _mend_address(self) -> str:
        source = self.connection.source
        return f"Is the address right? It is in {URL if source == KEY else source}."


_NEW_KEY = {
    "legacy token": "Copy the one under Account & Settings > Legacy Token, or make a personal access token there.",
    "personal access token": "Make a new one under Account & Settings > Personal Access Token.",
    "token of unknown kind": "A legacy token has 40 hexadecimal digits, a personal access token is long and has two "
    "dots: both are under Account & Settings.",
}


def _sentences(errors: Any, field: str = "") -> Iterator[str]:
    """The texts in a server's list of errors, each with the field it is about."""
    if isinstance(errors, dict):
        for name, below in errors.items():
            yield from _sentences(below, "" if name == "non_field_errors" else str(name))
    elif isinstance(errors, list):
        for one in errors:
            yield from _sentences(one, field)
    else:
        yield f"{field}: {errors}" if field else str(errors)
