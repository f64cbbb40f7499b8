"""A Label Studio for a small team on this machine: installed, with an account of ours, and running.

FOLDER/venv/            Label Studio
FOLDER/data/            its database and its log
FOLDER/account.toml     the administrator's e-mail address, password and token; for the owner's eyes only
FOLDER/connection.toml  address and token, for --server; for the owner's eyes only
"""

from __future__ import annotations

import fcntl
import os
import secrets
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from dilemmas.errors import InputError, ReviewError, os_error
from dilemmas.resources import decode_utf8, read_bytes
from dilemmas.review import connection, installing
from dilemmas.review.connection import Connection
from dilemmas.review.local import VERSION, LocalServer, check_port, command
from dilemmas.review.server import Server

VENV, DATA, ACCOUNT, CONNECTION = "venv", "data", "account.toml", "connection.toml"
EMAIL = "admin@localhost"
"""The administrator's address; no mail is ever sent."""


class Account(NamedTuple):
    """The administrator's account, which the commands use."""

    email: str
    password: SecretStr
    token: SecretStr
    """A legacy token."""


class Hosted(NamedTuple):
    """A server that runs."""

    local: LocalServer
    invite: str
    """Link by which people make accounts."""
    account: Path
    """File with the administrator's account."""
    connection: Path
    """File for --server."""
    default: bool
    """Whether the commands find this server without --server."""


def default_folder() -> Path:
    """Where Label Studio and its data are kept."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "dilemmas" / "label-studio"


@contextmanager
def hosted(folder: Path, port: int, venv: Path | None, say: Callable[[str], None]) -> Iterator[Hosted]:
    """A server that runs as long as the `with` block, and whose key the commands have.

    Args:
        folder: see above; made where it is missing.
        port: on loopback.
        venv: a virtual environment that has label-studio; None for the folder's own.
        say: told what takes long, before it begins.

    Raises:
        ReviewError: Label Studio cannot be installed or started, or does not take the account.
        InputError: the folder cannot be used.
    """
    with _alone(folder):
        check_port(port)  # before anything that takes minutes
        owner = account(folder)
        local = LocalServer(
            _program(folder, venv, say), folder / DATA, port,
            email=owner.email, password=owner.password.get_secret_value(), token=owner.token.get_secret_value(),
        )  # fmt: skip
        say(f"Starting Label Studio {'(the first time takes a minute or two)' if not local.data.exists() else ''}...")
        local.start()
        try:
            server = Server(Connection(local.url, owner.token, str(folder / ACCOUNT)))
            file = folder / CONNECTION
            connection.write(file, local.url, owner.token)
            yield Hosted(local, server.invite_url(), folder / ACCOUNT, file, _make_default(file))
        finally:
            local.stop()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder: two servers on one database would spoil it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise os_error(error, "use the folder", folder) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            fix = f"Its address is in {folder / CONNECTION}; or choose another --folder."
            raise ReviewError("another `review serve` uses this folder", where=str(folder), fix=fix) from None
        yield


def _program(folder: Path, venv: Path | None, say: Callable[[str], None]) -> Path:
    own = folder / VENV
    if venv is None and not installing.installed(own):
        say(f"Installing Label Studio {VERSION} into {own}, once: about 1 GB, two minutes or more ...")
        installing.install(own)
    program = command(venv or own).absolute()
    if not program.is_file():
        fix = f"Give one in which `pip install label-studio=={VERSION}` was run, or leave --venv out."
        raise InputError("this virtual environment has no Label Studio", where=str(venv), fix=fix)
    return program


def account(folder: Path) -> Account:
    """The account that is kept, or a new one where there is no database yet."""
    path = folder / ACCOUNT
    if not path.exists():
        if (folder / DATA / "label_studio.sqlite3").exists():
            fix = f"Put {path.name} back, or choose another --folder."
            raise InputError("there is a database, but not the account that goes with it", where=str(path), fix=fix)
        made = {"email": EMAIL, "password": secrets.token_urlsafe(18), "token": secrets.token_hex(20)}
        connection.write_private(path, "".join(f'{name} = "{text}"\n' for name, text in made.items()))
    try:
        kept = tomllib.loads(decode_utf8(read_bytes(path, "account file"), path))
        return Account(str(kept["email"]), SecretStr(str(kept["password"])), SecretStr(str(kept["token"])))
    except (tomllib.TOMLDecodeError, KeyError):
        fix = "Mend it: it has email, password and token."
        raise InputError("is no account file", where=str(path), fix=fix) from None


def _make_default(file: Path) -> bool:
    """Have the commands find this server by themselves, unless they find another one that somebody chose."""
    ours, path = connection.read(file), connection.default_file()
    try:
        free = not path.exists() or connection.read(path).key == ours.key
    except InputError:
        free = False
    if free:
        connection.write(path, ours.url, ours.key)
    try:
        return connection.find().url == ours.url
    except InputError:
        return False
