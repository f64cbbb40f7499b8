"""What can go wrong, as one tree.

DilemmasError                 anything this package raises on purpose; the command line prints it
├── InputError                what the user gave is wrong: a file, a name, a setting
├── StoreError                a run's store cannot be opened, read or written
├── ReviewError               Label Studio cannot be started or reached, refuses, or holds something else
└── ModelError                a model could not be asked
    ├── SetupError            not installed, not found, not started, or it lacks what is needed
    ├── RejectedError         the server refuses this request for good; asking again is pointless
    └── TransientError        a failure that may pass: asking again is right
        ├── UnreachableError  nobody answers at that address
        └── GoneError         no server of a model answers any more; the run stops

What may be retried and what may not are different types, so that no caller has to look at a
status code. A refusal or an unreadable reply is not an error at all: it is a Response.
"""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable


class DilemmasError(Exception):
    """Base of all errors raised on purpose.

    `what` says what is wrong, `where` points to it (a file, line and field, or a setting) and
    `fix` says what to do. `str()` gives them on one to three lines.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(what)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.fix:
            lines.append(self.fix)
        return "\n".join(lines)


class InputError(DilemmasError):
    """What the user gave cannot be used."""


class StoreError(DilemmasError):
    """A run's store cannot be opened, read or written."""


class ReviewError(DilemmasError):
    """Label Studio cannot be started or reached, refuses, or holds something else than it should.

    `status` is the HTTP status of its answer, if there was one.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "", status: int | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status = status


class ModelError(DilemmasError):
    """A model could not be asked."""

    raw: str = ""
    """What the server sent instead of an answer, without the key; empty where nothing came."""


class SetupError(ModelError):
    """The model is not installed, not found, not started, or lacks what the protocol needs."""


class RejectedError(ModelError):
    """The server refuses this request for good. `status` is its HTTP status, if it had one."""

    def __init__(self, what: str, *, where: str = "", fix: str = "", status: int | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status = status


class TransientError(ModelError):
    """A failure that may pass. `retry_after` is the server's own wish, in seconds."""

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        fix: str = "",
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status, self.retry_after = status, retry_after


class UnreachableError(TransientError):
    """Nobody answers at the server's address."""


class GoneError(TransientError):
    """No server of a model answers any more. Asking again in this run is pointless; a later run may go on."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: the nearest known one, or all of them where there are few.

    >>> did_you_mean("Honesty", ["Honest", "Helpful"])
    'Did you mean "Honest"?'
    """
    names = list(known)
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f'Did you mean "{folded[near[0]]}"?'
    return f"Known: {', '.join(names)}." if 0 < len(names) <= 16 else ""


def os_error(error: OSError, doing: str, path: str | os.PathLike[str]) -> InputError:
    """An operating system's complaint about a path, in our form."""
    reason = error.strerror or str(error)
    fix = "Choose another place, or mend this one."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        fix = "Make room and run the same command again; what was answered before is safe."
    return InputError(f"cannot {doing}: {reason}", where=os.fspath(path), fix=fix)
