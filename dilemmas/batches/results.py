"""One line of a file of results, as the services write it.

Success and failure have one form, in OpenAI's file of results and in its file of errors:
`{"id", "custom_id", "response": {"status_code", "request_id", "body"} or null, "error": {"code", "message"} or null}`
(BatchRequestOutput of OpenAI's OpenAPI description, https://platform.openai.com/docs/api-reference/batch/request-output).
`vllm run-batch` writes the same with a null `body` where a request failed, and the words of the error in `error`, as
a text or as the object its server would send (vllm/entrypoints/openai/run_batch.py, read 2026-11-21).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dilemmas.errors import InputError
from dilemmas.models.completions import as_sent, short
from dilemmas.models.http import RETRYABLE
from dilemmas.models.keys import Secret
from dilemmas.resources import now

_JSON = Secret("")
"""Reads as replies of servers are read; there is no key that could be in a file."""
_FIRST = 1_600_000_000
"""A time before there were batches, seconds since the epoch: an earlier one is no time."""


class NotWholeError(InputError):
    """A line is not all there."""


@dataclass(frozen=True)
class Result:
    """What became of one request."""

    line: int
    trial: str
    """The request's `custom_id`."""
    body: dict[str, Any] | None
    """The server's reply; none where there is none."""
    mark: bytes
    """Checksum of the line."""
    status: int | None = None
    """HTTP status; none where the request never got as far."""
    failure: str = ""
    """What went wrong, in the service's words; empty where there is a reply."""

    @property
    def model(self) -> str:
        """The model that replied; empty where it is not told."""
        told = (self.body or {}).get("model")
        return told if isinstance(told, str) else ""

    @property
    def at(self) -> str:
        """When the reply was made, UTC (ISO 8601); the present where that is not told."""
        made = (self.body or {}).get("created")
        if not isinstance(made, int | float) or made < _FIRST:
            return now()
        try:
            told = datetime.fromtimestamp(made, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, OverflowError, OSError):
            return now()
        return min(told, now())

    @property
    def kind(self) -> str:
        """The kind of failure, as the store has it: `rejected` where asking again is pointless."""
        may_pass = self.status is None or self.status in RETRYABLE or not 400 <= self.status < 500
        return "TransientError" if may_pass else "rejected"


def result(number: int, raw: bytes, path: str) -> Result:
    """A line's result.

    Args:
        number: the line's.
        raw: its bytes.
        path: the file's name, for messages.

    Raises:
        NotWholeError: it is no JSON, or is cut off.
        InputError: it is no result.

    >>> result(1, b'{"id": "r1", "custom_id": "a", "response": null, "error": {"message": "too late"}}', "f").failure
    'too late (r1)'
    """
    where = f"{path}, line {number}"
    try:
        entry = _JSON.decoded(raw)
    except (ValueError, RecursionError):
        what = "is not JSON" if raw.endswith(b"\n") else "is cut off in the middle"
        raise NotWholeError(
            what, where=where, fix="Fetch the file again, or take in the lines that are whole with --partial."
        ) from None
    if isinstance(entry, dict) and "method" in entry and "response" not in entry:
        raise InputError(
            "is a request and not a result", where=where, fix="Name the file that the service made of this one."
        )
    if not isinstance(entry, dict) or not isinstance(entry.get("custom_id"), str):
        raise InputError("is no result: it has no custom_id", where=where, fix="Is it a file of results of a batch?")
    response = entry.get("response")
    told = response if isinstance(response, dict) else {}
    status, body, error = told.get("status_code"), told.get("body"), entry.get("error")
    status = status if isinstance(status, int) and 100 <= status < 600 else None
    mark = hashlib.sha256(raw.strip()).digest()
    if isinstance(body, dict) and status in (200, None) and not error:
        return Result(number, entry["custom_id"], body, mark, status)
    words = _words(error or body) if error or body else "no reply"
    head = f"HTTP {status}: " if status is not None else ""
    name = entry.get("id")
    failure = f"{head}{words}" + (f" ({short(name)})" if isinstance(name, str) and name else "")
    return Result(number, entry["custom_id"], None, mark, status, failure)


def is_model(asked: str, told: str) -> bool:
    """Whether a reply's model is the one that was asked: services leave out the owner and add the day of a version.

    >>> is_model("gpt-4o", "gpt-4o-2024-08-06"), is_model("gpt-4o", "gpt-4o-mini"), is_model("openai/gpt-4o", "gpt-4o")
    (True, False, True)
    """
    names = {asked, asked.rpartition("/")[2]}
    return any(re.fullmatch(rf"{re.escape(name)}(-\d{{4}}(-\d\d-\d\d)?)?", told) for name in names)


def _words(error: Any) -> str:
    """A service's own words about an error, wherever it put them."""
    while isinstance(error, dict):
        error = error.get("message") or error.get("error") or as_sent(error)
    return short(str(error))
