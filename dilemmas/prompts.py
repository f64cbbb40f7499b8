"""Turning templates and data into the words a model is sent.

Templates come from the package or from a folder the user names, never from data. A dilemma's or a
persona's text is only ever the value of a variable, so markup in it comes out as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dilemmas.errors import InputError
from dilemmas.resources import folder
from dilemmas.schema import canonical_json, sha256

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Letters under which options are shown."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

ASKING = (
    "persona/variables.j2",
    "persona/statements.j2",
    "ask/question.j2",
    "ask/value.j2",
    "ask/action.j2",
    "ask/reasoned.j2",
    "ask/logprob.j2",
)
"""The templates that decide what a model reads when it is asked."""

DRAFTING = ("draft/brief.j2", "draft/dilemma.j2")
"""The templates that decide what a model reads when it writes: as system message, and for each dilemma."""


class Prompts:
    """The templates in use: those of `directory` where it has them, else the shipped ones."""

    def __init__(self, directory: Path | None = None) -> None:
        """Raises InputError where `directory` is no folder."""
        if directory is not None and not directory.is_dir():
            raise InputError("there is no such folder of templates", where=str(directory), fix="Check the path.")
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader([*([directory] if directory else []), folder("templates")]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            auto_reload=False,  # one run, one wording
        )
        self._environment.filters["json"] = lambda data: json.dumps(data, ensure_ascii=False)

    def render(self, name: str, **variables: Any) -> str:
        """One template with its variables, without blank lines around it.

        Raises:
            InputError: the template does not exist, is malformed, fails or comes out empty.
        """
        try:
            text = self._environment.get_template(name).render(**variables).strip()
        except TemplateSyntaxError as error:
            where = f"{error.filename or name}, line {error.lineno}"
            raise InputError(f"is no valid template: {error.message}", where=where, fix="Mend the template.") from None
        except UndefinedError as error:
            known = ", ".join(sorted(variables))
            raise InputError(
                str(error.message), where=f"template {name}", fix=f"Variables of this template: {known}."
            ) from None
        except TemplateError as error:
            raise InputError(
                f"cannot be used: {type(error).__name__}: {error.message}",
                where=f"template {name}",
                fix="Mend the template.",
            ) from None
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise InputError(
                f"cannot be used: {type(error).__name__}: {error}", where=f"template {name}", fix="Mend the template."
            ) from None
        if not text or _CONTROL.search(text):
            what = "holds a control character" if text else "comes out empty"
            raise InputError(what, where=f"template {name}", fix="Mend the template.")
        return text

    def checksum(self, names: Sequence[str] = ASKING) -> str:
        """SHA-256 over the sources of some templates, by default those for asking."""
        loader = self._environment.loader
        assert loader is not None
        try:
            sources = {name: loader.get_source(self._environment, name)[0] for name in names}
        except (TemplateError, UnicodeDecodeError) as error:
            raise InputError(f"templates cannot be read: {error}", fix="Save them as UTF-8.") from None
        return sha256(canonical_json(sources))


def lettered(texts: Sequence[str]) -> list[dict[str, str]]:
    """Options as a template shows them: `letter` and `text`."""
    return [{"letter": letter, "text": text} for letter, text in zip(LETTERS, texts, strict=False)]
