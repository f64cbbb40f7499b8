"""A real Label Studio for the tests, with three people: it starts once a session, from a cached database."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dilemmas.review.connection import Connection
from dilemmas.review.local import VERSION, LocalServer, command
from dilemmas.review.server import Server

ROOT = Path(__file__).parent.parent
VENV = Path(os.environ.get("DILEMMAS_LABEL_STUDIO_VENV", ROOT / ".venv-label-studio"))
CACHE = ROOT / ".pytest_cache" / f"label-studio-{VERSION}"
"""A migrated database with the three accounts: starting from it takes 6 s in place of 30 to 100."""
PASSWORD = "correct-horse-9"


@dataclass
class Person:
    """Somebody with an account."""

    email: str
    token: str
    """A legacy token."""
    password: str = field(default=PASSWORD, repr=False)


ADMIN = Person("admin@example.com", "a" * 8 + "0123456789abcdef" * 2)
ALICE = Person("alice@example.com", "b" * 8 + "0123456789abcdef" * 2)
BOB = Person("bob@example.com", "c" * 8 + "0123456789abcdef" * 2)


@dataclass
class Team:
    """The server and its people; every test makes projects of its own, with titles of its own."""

    url: str
    local: LocalServer = field(repr=False)
    access_tokens: dict[str, str] = field(default_factory=dict, repr=False)
    """Personal access tokens by e-mail address: the server gives each person one, and shows it once."""

    def server(self, person: Person = ADMIN) -> Server:
        return Server(self.connection(person.token))

    def connection(self, key: str) -> Connection:
        return Connection(self.url, SecretStr(key), "a test")

    def environment(self, person: Person = ADMIN, *, key: str | None = None) -> dict[str, str]:
        """For a command: the shell's, with the server's address and the person's key, or another one."""
        return {**os.environ, "LABEL_STUDIO_URL": self.url, "LABEL_STUDIO_API_KEY": key or person.token}

    def personal_access_token(self, person: Person = ADMIN) -> str:
        """The other kind of key, made the first time it is wanted."""
        if person.email not in self.access_tokens:
            self.access_tokens[person.email] = self.sdk(person).tokens.create().token
        return self.access_tokens[person.email]

    def sdk(self, person: Person = ADMIN, *, key: str | None = None) -> Any:
        from label_studio_sdk import LabelStudio

        return LabelStudio(base_url=self.url, api_key=key or person.token, timeout=120)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A real Label Studio on loopback."""
    program = command(VENV)
    if not program.exists():
        pytest.skip("Label Studio is not installed; `make test` installs it")
    data = tmp_path_factory.mktemp("label-studio") / "data"
    if CACHE.is_dir():
        shutil.copytree(CACHE, data)
    local = LocalServer(program, data, free_port(), email=ADMIN.email, password=PASSWORD, token=ADMIN.token)
    local.start()
    try:
        if not CACHE.is_dir():
            for person in (ALICE, BOB):
                local.add_user(person.email, PASSWORD, person.token)
            local.stop()
            CACHE.parent.mkdir(exist_ok=True)
            shutil.copytree(data, CACHE.with_suffix(".new"))
            CACHE.with_suffix(".new").rename(CACHE)
            local.start()
        yield Team(local.url, local)
    finally:
        local.stop()
