"""What goes from one machine to another: a study in a form that can travel, and errors that arrive as they were."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ParamSpec, TypeVar

from dilemmas import __version__
from dilemmas.config import RunConfig
from dilemmas.dataset import Dataset
from dilemmas.errors import DilemmasError, InputError
from dilemmas.prompts import Prompts
from dilemmas.schema import Persona
from dilemmas.study import Study

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True)
class Told:
    """A study with all that files on this machine say of it. It holds no key, but the name of its variable."""

    config: RunConfig
    dataset: Dataset
    personas: tuple[Persona, ...]
    templates: dict[str, str]
    """The user's own templates, by their path in the folder."""
    checksum: str
    """Of all templates that decide what a model reads."""
    version: str
    """Of this package."""

    @classmethod
    def of(cls, study: Study) -> Told:
        """A study as it travels."""
        own = Path(study.config.templates) if study.config.templates else None
        files = [path for path in own.rglob("*.j2") if path.is_file()] if own else []
        templates = {path.relative_to(own).as_posix(): path.read_text(encoding="utf-8") for path in files if own}
        checksum = study.prompts.checksum()
        return cls(study.config, study.dataset, study.personas, templates, checksum, __version__)

    def study(self, stack: ExitStack) -> Study:
        """The study again, on another machine.

        Args:
            stack: holds the folder with the user's templates, where there are any.

        Raises:
            InputError: this machine has another version of the package, or other templates.
        """
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="dilemmas-"))) if self.templates else None
        for name, text in self.templates.items():
            assert folder is not None
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        prompts = Prompts(folder)
        if __version__ != self.version or prompts.checksum() != self.checksum:
            raise InputError(
                f"has version {__version__} of dilemmas, or other templates in it; the command has {self.version}",
                fix="Install the same version of dilemmas on all nodes.",
            )
        return Study(self.config, self.dataset, self.personas, prompts)


def tells(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T | DilemmasError]]:
    """Have a method give back an error of ours in place of raising it, which Ray would wrap in others."""

    @wraps(method)
    async def told(*args: P.args, **kwargs: P.kwargs) -> T | DilemmasError:
        try:
            return await method(*args, **kwargs)
        except DilemmasError as error:
            return error.with_traceback(None)

    return told


async def heard(answer: Awaitable[Any]) -> Any:
    """What such a method gave.

    Raises:
        DilemmasError: what it did not raise.
    """
    found = await answer
    if isinstance(found, DilemmasError):
        raise found
    return found
