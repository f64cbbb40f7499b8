"""The real Label Studio behind a server that fails as told: for what the real one does not do on demand.

Every request goes on to the real server, and its answer back, unless a `Fault` says otherwise. For
something that is no Label Studio at all, `fake_server.FakeServer` with a script is enough.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

import httpx2
from fake_server import PATIENCE, Answer, FakeServer, Seen
from label_studio_server import ADMIN, Person, Team
from pydantic import SecretStr

from dilemmas.review.connection import Connection
from dilemmas.review.server import Server

DROP = Answer(drop=True)
"""The connection is closed in place of an answer."""


@dataclass
class Fault:
    """What goes wrong, and when: at the requests with this method whose path holds this text."""

    method: str
    path: str
    """Part of the path, such as "/import"."""
    answer: Answer
    """Sent in place of the real one."""
    skip: int = 0
    """Such requests that go well first."""
    times: int = 1
    """Such requests that fail then; those after them go well again."""
    stored: bool = False
    """Whether the real server gets the request nevertheless."""
    seen: int = field(default=0, init=False)
    """Such requests so far."""

    def hits(self, seen: Seen) -> bool:
        """Whether this request is to fail; counts it."""
        if seen.method != self.method or self.path not in seen.path:
            return False
        self.seen += 1
        return self.skip < self.seen <= self.skip + self.times


class FaultyLabelStudio(FakeServer):
    """A team's server with faults; listens as long as its `with` block lasts. `seen` has all requests."""

    def __init__(self, team: Team, *faults: Fault) -> None:
        super().__init__()
        self.team, self.faults = team, faults
        self.url = f"http://127.0.0.1:{self.port}"
        self._counting = threading.Lock()

    def server(self, person: Person = ADMIN) -> Server:
        return Server(Connection(self.url, SecretStr(person.token), "a test"))

    def environment(self, person: Person = ADMIN) -> dict[str, str]:
        """For a command, as `Team.environment`."""
        return {**os.environ, "LABEL_STUDIO_URL": self.url, "LABEL_STUDIO_API_KEY": person.token}

    def count(self, method: str, path: str) -> int:
        """Requests that came in with this method and with this text in their path."""
        with self.lock:
            return sum(one.method == method and path in one.path for one in self.seen)

    def usual(self, seen: Seen) -> Answer:
        """What the fault that is due says, else the real server's answer."""
        with self._counting:
            due = [fault for fault in self.faults if fault.hits(seen)]
        if not due:
            return self._passed_on(seen)
        if due[0].stored:
            self._passed_on(seen)
        return due[0].answer

    def _passed_on(self, seen: Seen) -> Answer:
        headers = {name: seen.headers[name] for name in ("authorization", "accept") if name in seen.headers}
        with httpx2.Client(trust_env=False, timeout=PATIENCE) as client:
            reply = client.request(seen.method, self.team.url + seen.path, headers=headers, json=seen.body)
        return Answer(reply.status_code, reply.content, kind=reply.headers.get("content-type", ""))
