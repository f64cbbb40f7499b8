"""Names that stand for people's: `reviewer-01`, `reviewer-02`, ... in the order in which people are first met.

Who is who stands in a key file, one line a person, that only its owner may read. It lies outside the
rounds' folders, so that these can be passed on, and all rounds share it, so that a person has one name.
A name is never given to anybody else.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from pydantic import Field

from dilemmas.errors import InputError, os_error
from dilemmas.journal import locked
from dilemmas.records import parse_records
from dilemmas.schema import Record

KEY_FILE = "pseudonyms.jsonl"
"""Name of the key file; it lies beside the rounds' folders unless the user says otherwise."""
RESTORE = "Restore the key file from a copy, or name another: without it, people get other pseudonyms than before."
"""What to do where it holds something else."""


class Person(Record):
    """A line of the key file."""

    email: str = Field(min_length=1)
    """Address of the account, in lower case."""
    name: str = Field(pattern=r"^reviewer-[0-9]{2,}$")
    """What the person is called in files that others may see."""


def assign(path: Path, emails: Iterable[str]) -> dict[str, str]:
    """The pseudonym of each address, as the address is written here; people not met before are added to the file.

    Raises:
        InputError: the file cannot be read or written, or another process writes it; or it holds something else,
            and then nothing about it is changed.
    """
    wanted = {one: one.strip().lower() for one in emails}
    if not wanted:
        return {}
    with locked(path) as stream:
        known = _read(stream, path)
        os.fchmod(stream.fileno(), 0o600)  # not before it is read: any file may have been named by mistake
        last = max((int(name.removeprefix("reviewer-")) for name in known.values()), default=0)
        new = [address for address in dict.fromkeys(wanted.values()) if address not in known]
        added = {address: f"reviewer-{number:02}" for number, address in enumerate(new, start=last + 1)}
        _append(stream, added, path)
    return {one: (known | added)[address] for one, address in wanted.items()}


def _read(stream: FileIO, path: Path) -> dict[str, str]:
    stream.seek(0)
    known: dict[str, str] = {}
    for number, person in parse_records(stream.readall(), path, Person, fix=RESTORE).items():
        if person.email in known or person.name in known.values():
            raise InputError("repeats an address or a pseudonym", where=f"{path}, line {number}", fix=RESTORE)
        known[person.email] = person.name
    return known


def _append(stream: FileIO, added: dict[str, str], path: Path) -> None:
    """Add people, all or none; on return they are on disk."""
    end = stream.seek(0, os.SEEK_END)
    lines = "".join(Person(email=email, name=name).model_dump_json() + "\n" for email, name in added.items()).encode()
    try:
        while lines:
            lines = lines[stream.write(lines) :]
        os.fsync(stream.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            stream.truncate(end)
        raise os_error(error, "write", path) from None
