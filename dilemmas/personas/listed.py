"""Named lists of personas: the built-in twelve, a category of them, or a TOML file of one's own.

A file looks like this; `grid` and `variables` are two ways to say who a persona is:

    name = "two of mine"

    [[persona]]
    id = "grandmother"
    variables = { religiosity = "very important", "social trust" = "most people trusted", ... }

    [[persona]]
    grid = 4711
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dilemmas.errors import InputError, did_you_mean
from dilemmas.personas.grid import PROFILES, build, persona_at, variables
from dilemmas.prompts import Prompts
from dilemmas.resources import data_file, decode_utf8, read_bytes
from dilemmas.schema import Persona, PersonaSet

CATEGORIES = ("moderate", "max", "incongruous")
"""Categories of the built-in twelve; each names the set of its four."""


@cache
def built_in() -> dict[str, tuple[Persona, ...]]:
    """The built-in sets by name.

    `twelve`: four personas of each category; `three`: the first of each; `none`: only the baseline;
    and one set for each category.
    """
    entries = json.loads(data_file("personas.json").read_text(encoding="utf-8"))["personas"]
    twelve = tuple(build(entry["id"], entry["variables"]) for entry in entries)
    return {
        "twelve": twelve,
        "three": tuple(next(p for p in twelve if p.category == category) for category in CATEGORIES),
        **{category: tuple(p for p in twelve if p.category == category) for category in CATEGORIES},
        "none": (),
    }


def resolve(name: str) -> tuple[Persona, ...]:
    """The personas that a name or a TOML file's path stands for; the baseline is not among them.

    Raises:
        InputError: no such set, category or file, or a persona in it is malformed.
    """
    if name.endswith(".toml"):
        return _from_file(Path(name))
    if name in built_in():
        return built_in()[name]
    raise InputError(
        f'there is no persona set or category "{name}"',
        where="--persona-set",
        fix=f"{did_you_mean(name, built_in())} A file of your own must end in .toml.".strip(),
    )


def render(persona: Persona, style: str, prompts: Prompts) -> str:
    """A persona in words; empty for the baseline.

    Args:
        persona: whom to describe.
        style: name of a template in `templates/persona/`.
        prompts: the templates in use.
    """
    if persona.is_baseline:
        return ""
    lines = []
    for variable in variables():
        label = persona.variables[variable.name]
        lines.append(
            {
                "name": variable.name,
                "explanation": variable.explanation,
                "label": label,
                "statement": variable.statements[variable.labels.index(label)],
            }
        )
    return prompts.render(f"persona/{style}.j2", persona=persona, lines=lines)


def _from_file(path: Path) -> tuple[Persona, ...]:
    try:
        data = tomllib.loads(decode_utf8(read_bytes(path, "persona file"), path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not TOML: {error}", where=str(path), fix="Mend the line it names.") from None
    _only(data, ("name", "persona"), str(path))
    entries = data.get("persona")
    if not isinstance(entries, list) or not entries:
        raise InputError("has no [[persona]]", where=str(path), fix="Give at least one.")
    personas = []
    for number, entry in enumerate(entries, start=1):
        where = f"{path}, persona {number}"
        try:
            personas.append(_one(entry, where))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise InputError(first["msg"], where=f"{where}, field {field}", fix="Mend the entry.") from None
        except InputError as error:
            raise InputError(error.what, where=error.where or where, fix=error.fix) from None
    try:
        return PersonaSet(name=str(data.get("name") or path.stem), personas=tuple(personas)).personas
    except ValidationError as error:
        message = error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise InputError(message, where=str(path), fix="Give each persona an id of its own.") from None


def _one(entry: Any, where: str) -> Persona:
    if not isinstance(entry, dict):
        raise InputError("is not a table", fix="Write [[persona]].")
    _only(entry, ("id", "grid", "variables", "category"), where)
    if ("grid" in entry) == ("variables" in entry):
        raise InputError("needs either grid or variables", fix="Give a profile's number or its ten categories.")
    if "grid" in entry:
        if not isinstance(entry["grid"], int) or isinstance(entry["grid"], bool):
            raise InputError("grid must be a whole number", fix=f"Profiles are numbered 0 to {PROFILES - 1}.")
        persona = persona_at(entry["grid"])
        persona = persona if "id" not in entry else build(str(entry["id"]), persona.variables)
    else:
        labels = entry["variables"]
        if "id" not in entry or not isinstance(labels, dict):
            raise InputError("needs an id and a table of variables", fix='Write id = "..." and variables = { ... }.')
        persona = build(str(entry["id"]), {str(key): str(label) for key, label in labels.items()})
    claimed = entry.get("category", persona.category)
    known = (*CATEGORIES, "other")
    if claimed not in known:
        raise InputError(f'there is no persona category "{claimed}"', fix=did_you_mean(str(claimed), known))
    if claimed != persona.category:
        raise InputError(
            f'is not "{claimed}": its place on the axes makes it "{persona.category}"',
            fix="Leave category out; it follows from the variables.",
        )
    return persona


def _only(table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise InputError(f'there is no setting "{key}"', where=where, fix=did_you_mean(key, known))
