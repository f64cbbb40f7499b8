"""Settings of a run: one typed record, from a TOML file, the command line or both.

Every setting declares whether it can change an answer (`changes_answer`). Those that can must
reach the trial's id; a test fails for a setting that does not say, or says it wrongly.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, ValidationError, field_validator

from dilemmas.errors import InputError
from dilemmas.resources import decode_utf8, read_bytes
from dilemmas.schema import Record, Sampling

Orders = Literal["williams", "random", "fixed"]
PromptStyle = Literal["variables", "statements"]
ScaleName = Literal["even", "thirds"]

_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_LOOPBACK = re.compile(r"^(localhost|127(\.\d{1,3}){3}|::1)$")


def setting(default: Any, *, changes_answer: bool, **limits: Any) -> Any:
    """A field of the configuration that says whether it can change an answer."""
    return Field(default=default, json_schema_extra={"changes_answer": changes_answer}, **limits)


class ModelConfig(Record):
    """Which model is asked, how it is reached and how it is sampled."""

    model_config = ConfigDict(strict=True)

    name: str = setting("embedded", changes_answer=True, min_length=1)
    """`embedded`, `scripted`, `local:/path/to.gguf`, or the name of a model at `base_url`."""
    base_url: str | None = setting(None, changes_answer=False)
    """Address of an OpenAI-compatible server, such as `http://gpu:8000/v1`."""
    api_key_env: str | None = setting(None, changes_answer=False)
    """Name of the environment variable that holds the server's key; never the key itself."""
    allow_plain_http_key: bool = setting(False, changes_answer=False)
    """Let a key go over unencrypted http to another machine."""
    protocol: Literal["reasoned", "logprob", "auto"] = setting("auto", changes_answer=True)
    """`reasoned`, `logprob`, or `auto`: `reasoned` for a server, `logprob` for the embedded model."""
    sampling: Sampling = setting(Sampling(), changes_answer=True)
    """Sampling of `reasoned`. `logprob` reads one token's probabilities and samples nothing."""
    send_seed: bool = setting(True, changes_answer=True)
    """Send a sampling seed with each request, drawn from the run's seed."""
    persona_role: Literal["system", "user"] = setting("system", changes_answer=True)
    """Message that carries the persona; `user` for models without a system message."""
    concurrency: int | None = setting(None, changes_answer=False, ge=1, le=1024)
    """Requests in flight; by default 8 for a server and 1 for the embedded model."""
    timeout: float = setting(180.0, changes_answer=False, gt=0)
    """Longest wait for one reply, seconds."""
    attempts: int = setting(4, changes_answer=False, ge=1, le=20)
    """Times a request is tried before its trial is left open."""

    @field_validator("base_url")
    @classmethod
    def _base_url_is_safe(cls, url: str | None) -> str | None:
        return None if url is None else check_base_url(url)

    @field_validator("api_key_env")
    @classmethod
    def _is_a_variable_name(cls, name: str | None) -> str | None:
        # Tokens such as hf_... would pass for names in small letters, and names are shown.
        if name is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
            raise ValueError("must be the name of an environment variable in capital letters, not a key")
        return name


class RunConfig(Record):
    """What is asked, of whom, and how often."""

    model_config = ConfigDict(strict=True)

    name: str | None = setting(None, changes_answer=False)
    """Name of the run and of its folder; by default the dataset's name."""
    dataset: str | None = setting(None, changes_answer=True)
    """Path of a JSON Lines file of dilemmas; by default the shipped ones."""
    limit: int | None = setting(None, changes_answer=False, ge=1)
    """Ask about the first dilemmas only. A later run may ask about more."""
    persona_set: str = setting("twelve", changes_answer=True, min_length=1)
    """A built-in set (`twelve`, `three`), a category of it, `none`, or the path of a TOML file."""
    prompt_style: PromptStyle = setting("variables", changes_answer=True)
    """How a persona is put into words."""
    templates: str | None = setting(None, changes_answer=True)
    """Folder whose templates take the place of the shipped ones."""
    repeats: int = setting(3, changes_answer=False, ge=1, le=720)
    """Times each question is asked, each time with its options in another order."""
    orders: Orders = setting("williams", changes_answer=True)
    """`williams`: rows of a randomised Williams square, shared by all conditions; `random`: an
    independent shuffle for each trial; `fixed`: always the canonical order."""
    seed: int = setting(20261121, changes_answer=True, ge=0, lt=2**53)
    """Seed of the option orders and of the sampling seeds."""
    scale: ScaleName | None = setting(None, changes_answer=False)
    """Scores of the six options: `even` (1, .6, .2, ...) or `thirds` (1, 2/3, 1/3, ...); by default
    those the run was begun with, at first `even`."""
    model: ModelConfig = setting(ModelConfig(), changes_answer=True)
    """The model."""

    @field_validator("name")
    @classmethod
    def _name_is_safe(cls, name: str | None) -> str | None:
        return None if name is None else check_run_name(name)


def check_run_name(name: str) -> str:
    """A run's name, if it can safely be a folder's name.

    Raises:
        ValueError: it cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", name) or _RESERVED.match(name) or name.endswith("."):
        raise ValueError(
            "a run's name has 1 to 64 letters, digits, dots, hyphens or underscores, "
            "starts with no dot or hyphen and is no reserved word"
        )
    return name


def check_base_url(url: str) -> str:
    """A server's address, if a request may be sent there.

    Raises:
        ValueError: it is not http(s), has no host, or carries a user name, a key or a backslash.
    """
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("is not an address") from None
    if "\\" in url or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("holds a backslash, a space or an unprintable character")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        raise ValueError("must look like http://host:port/v1")
    if parts.username is not None or parts.password is not None or "?" in url or "#" in url:
        raise ValueError("must carry no user name, password, query or fragment; name a key with api_key_env")
    return (parts.scheme + url[len(parts.scheme) :]).rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    return bool(_LOOPBACK.match(urlsplit(url).hostname or ""))


def load(path: Path | None, overrides: dict[str, Any]) -> RunConfig:
    """The settings of a run file with the command line's on top.

    Args:
        path: a TOML file, or None. Paths in it are relative to its folder.
        overrides: settings by name, `model.` before those of the model; None where not given.

    Raises:
        InputError: with the file, the line and the setting.
    """
    text = "" if path is None else decode_utf8(read_bytes(path, "run file"), path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not TOML: {error}", where=str(path), fix="Mend the line it names.") from None
    if path is not None:
        for key in ("dataset", "templates", "persona_set"):
            if isinstance(data.get(key), str) and (key != "persona_set" or data[key].endswith(".toml")):
                data[key] = str(path.parent / data[key])
    for dotted, given in overrides.items():
        if given is not None:
            *tables, key = dotted.split(".")
            place = data
            for table in tables:
                inner = place.setdefault(table, {})
                place = inner if isinstance(inner, dict) else {}
            place[key] = given
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        raise _config_error(
            error, path, text, {name for name, given in overrides.items() if given is not None}
        ) from None


_TABLES: dict[str, type[Record]] = {"": RunConfig, "model": ModelConfig, "model.sampling": Sampling}
"""The tables of a run file."""


def _line_of(names: list[str], text: str) -> int | None:
    """Line of a run file where a setting is given, or else the table it stands in."""
    table: list[str] = []
    longest, found = 0, None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+([^\]]+)\]", line)
        given = header or re.match(r"\s*([^=#]+?)\s*=", line)
        if given is None:
            continue
        parts = [part.strip(" \"'") for part in given.group(1).split(".")]
        table = parts if header else table
        parts = parts if header else table + parts
        if longest < len(parts) and names[: len(parts)] == parts:
            longest, found = len(parts), number
    return found


def _config_error(error: ValidationError, path: Path | None, text: str, overridden: set[str]) -> InputError:
    first = error.errors(include_input=False, include_url=False)[0]
    names = [str(part) for part in first["loc"]]
    key = names[-1] if names else ""
    where = f"setting {'.'.join(names)}"
    if path is not None and ".".join(names) not in overridden:
        line = _line_of(names, text)
        where = f"{path}, line {line}, {where}" if line else f"{path}, {where}"
    if first["type"] == "extra_forbidden":
        known = ModelConfig if names[:1] == ["model"] else RunConfig
        fields = Sampling.model_fields if names[:2] == ["model", "sampling"] else known.model_fields
        near = difflib.get_close_matches(key, fields, n=1)
        home = next((table for table, settings in _TABLES.items() if key in settings.model_fields), None)
        if home is not None:
            fix = f"It belongs under [{home}]." if home else "It belongs above the first table."
        else:
            fix = f'Did you mean "{near[0]}"?' if near else f"Known settings: {', '.join(fields)}."
        return InputError("there is no such setting", where=where, fix=fix)
    return InputError(first["msg"].removeprefix("Value error, "), where=where, fix="Change this setting.")
