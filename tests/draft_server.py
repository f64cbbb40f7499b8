"""A server that writes drafts: good ones unless a test says otherwise."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_server import Answer, FakeServer, Script, Seen, completion

from dilemmas import dataset
from dilemmas.journal import Entry, entries
from dilemmas.schema import PLACES, Dilemma

Record = dict[str, Any]
PATIENCE = 20.0
"""Longest wait of a test, seconds."""
_PROBE_WORD = "qzx-7"


def draft(about: str = "a test", **changes: Any) -> Record:
    """A reply of the right form, with some of its fields changed."""
    scenario = f"You are asked about {about} on the landing by a neighbour who waits for an answer. "
    steps = {
        f"{polarity}_{intensity}": {
            "text": f"I take way number {place} in {about} and tell my neighbour so tonight.",
            "rationale": f"It goes {intensity} in the {polarity} direction, which is where it has to stand.",
        }
        for place, (polarity, intensity) in enumerate(PLACES)
    }
    return {"scenario": scenario * 3, **steps, **changes}


def is_draft(seen: Seen) -> bool:
    return seen.is_chat and any("Focal value:" in message["content"] for message in seen.body["messages"])


def about(body: Record) -> str:
    """The value and the topic of a request."""
    text = "\n".join(message["content"] for message in body["messages"])
    value, topic = (
        re.search(r"^Focal value: ([^,\n]*), that is", text, re.M),
        re.search(r"^Topic: ([^.]*)\.", text, re.M),
    )
    assert value
    assert topic
    return f"{value[1]} and {topic[1]}"


def sent(body: Record, reply: Any, **message: Any) -> Answer:
    """A reply in the form in which a request wants it."""
    text = reply if isinstance(reply, str) else json.dumps(reply)
    if "tools" in body:
        call = {"id": "1", "type": "function", "function": {"name": body["tools"][0]["function"]["name"]}}
        call["function"]["arguments"] = text  # type: ignore[index]
        return completion(None, tool_calls=[call], finish="tool_calls", **message)
    return completion(text, **message)


class DraftServer(FakeServer):
    """Writes what `reply` gives for each request for a draft; None for a good one.

    Args:
        reply: given the request's body; an `Answer`, a text, or data for JSON.
        tools: whether a tool that must be called is called.
        die_after_drafts: drafts it writes before it is gone for good.
    """

    def __init__(
        self,
        reply: Callable[[Record], Any] = lambda body: None,
        *,
        tools: bool = False,
        die_after_drafts: int | None = None,
        **settings: Any,
    ) -> None:
        self._last = die_after_drafts

        def script(seen: Seen) -> Answer | None:
            if not seen.is_chat:
                return None
            if not is_draft(seen):
                return sent(seen.body, {"answer": _PROBE_WORD}) if tools and "tools" in seen.body else None
            if self._last is not None and len(self.drafts) > self._last:
                self.die()
                return Answer(drop=True)
            if refusal := self._refusal(seen):
                return refusal
            found = reply(seen.body)
            if isinstance(found, Answer):
                return found
            return sent(seen.body, draft(about(seen.body)) if found is None else found)

        super().__init__(script=script, **settings)

    @property
    def drafts(self) -> list[Record]:
        """Bodies of the requests for drafts."""
        with self.lock:
            return [seen.body for seen in self.seen if is_draft(seen)]


class Gate:
    """Holds requests back until a number of them is in flight, then lets them go one by one."""

    def __init__(self, count: int, total: int) -> None:
        self._count, self._left = count, total
        self._waiting = 0
        self._turn = threading.Condition()
        self.in_flight: list[int] = []
        """Requests in flight whenever one was let go."""

    def pass_through(self) -> None:
        with self._turn:
            self._waiting += 1
            self._turn.notify_all()
            full = self._turn.wait_for(lambda: self._waiting >= min(self._count, self._left), PATIENCE)
            assert full, "too few requests are in flight"
            self.in_flight.append(self._waiting)
            self._waiting -= 1
            self._left -= 1
            self._turn.notify_all()


def attempts(path: Path) -> list[Entry]:
    """What the journal of a file holds."""
    return list(entries(path.with_name(f"{path.stem}.attempts.jsonl")))


def written(path: Path) -> list[Dilemma]:
    """What the file holds."""
    return list(dataset.read(path).dilemmas)


__all__ = ["Answer", "DraftServer", "Gate", "Script", "about", "attempts", "draft", "is_draft", "sent", "written"]
