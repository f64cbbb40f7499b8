"""Settings of a run: one typed record, from a TOML file, the command line or both.

Every setting declares whether it can change an answer (`changes_answer`). Those that can must
reach the trial's id; a test fails for a setting that does not say, or says it wrongly.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, JsonValue, ValidationError, ValidationInfo, field_validator

from dilemmas.errors import InputError, did_you_mean
from dilemmas.resources import decode_utf8, read_bytes
from dilemmas.schema import Record, Sampling, canonical_json, readable

Orders = Literal["williams", "random", "fixed"]
PromptStyle = Literal["variables", "statements"]
ScaleName = Literal["even", "thirds"]

_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_LOOPBACK = re.compile(r"^(localhost|127(\.\d{1,3}){3}|::1)$")
_OWN_FIELDS = frozenset(
    {"model", "messages", "temperature", "top_p", "top_k", "max_tokens", "seed", "stream", "n", "tools", "tool_choice"}
    | {"logprobs", "top_logprobs", "response_format", "reasoning_effort", "chat_template_kwargs"}
    | {"thinking_token_budget"}
)
"""Fields of a request that have settings of their own, or that this program sees to."""


def setting(default: Any, *, changes_answer: bool, **limits: Any) -> Any:
    """A field of the configuration that says whether it can change an answer."""
    return Field(default=default, json_schema_extra={"changes_answer": changes_answer}, **limits)


def _names(held: JsonValue) -> Iterator[str]:
    """All names in some fields, at any depth."""
    if isinstance(held, dict):
        yield from held
    for inner in held.values() if isinstance(held, dict) else held if isinstance(held, list) else ():
        yield from _names(inner)


def _check_fields(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Further fields of a request, if they can be sent, and kept with each trial.

    Raises:
        ValueError: one holds a number that JSON cannot carry, or has the name of a secret.
    """
    if any(
        re.search(r"(?i)api.?key|authorization|password|secret|access.?token|bearer", name) for name in _names(fields)
    ):
        raise ValueError("must hold no secret: it is kept with every trial; name a key with api_key_env")
    try:
        json.loads(canonical_json(fields), parse_int=_of_64_bits)
    except ValueError:
        raise ValueError("holds a number that JSON cannot carry") from None
    return fields


def _of_64_bits(digits: str) -> int:
    number = int(digits)
    if abs(number) >= 2**63:
        raise ValueError("too long")
    return number


class ModelConfig(Record):
    """Which model is asked, how it is reached and how it is sampled."""

    model_config = ConfigDict(strict=True)

    name: str = setting("embedded", changes_answer=True, min_length=1)
    """`embedded`, `scripted`, `local:/path/to.gguf`, or the name of a model at `base_url`."""
    base_url: tuple[str, ...] = setting((), changes_answer=False)
    """Address of an OpenAI-compatible server, such as `http://gpu:8000/v1`; or a list of them, which share the work."""
    api_key_env: str | None = setting(None, changes_answer=False)
    """Name of the environment variable that holds the server's key; never the key itself."""
    allow_plain_http_key: bool = setting(False, changes_answer=False)
    """Let a key go over unencrypted http to another machine."""
    protocol: Literal["reasoned", "logprob", "auto"] = setting("auto", changes_answer=True)
    """`reasoned`, `logprob`, or `auto`: `reasoned` for a server, `logprob` for the embedded model."""
    reasoning_effort: str | None = setting(None, changes_answer=True, min_length=1, max_length=32)
    """How long a reasoning model thinks, in its server's words: `none`, `low`, `high`, ..."""
    chat_template_kwargs: dict[str, JsonValue] = setting({}, changes_answer=True)
    """Variables of the model's chat template, such as `enable_thinking = false` (vLLM, SGLang, llama.cpp)."""
    thinking_budget: int | None = setting(None, changes_answer=True, ge=0, lt=2**31)
    """Most tokens of thinking; sent as `thinking_token_budget` (vLLM)."""
    extra_body: dict[str, JsonValue] = setting({}, changes_answer=True)
    """Other fields of a request, sent as they are. They are kept with every trial: put no secret there."""
    strict: bool = setting(False, changes_answer=True)
    """Ask one request at a time, and llama.cpp without its prompt cache, so that the same prompt has the same reply.
    How far replies differ all the same is written down, as with `noise`."""
    noise: bool = setting(False, changes_answer=False)
    """Find out first how far replies to the same question differ, by eight requests, and write it into the manifest."""
    sampling: Sampling = setting(Sampling(), changes_answer=True)
    """Sampling of `reasoned`. `logprob` reads one token's probabilities and samples nothing."""
    send_seed: bool = setting(True, changes_answer=True)
    """Send a sampling seed with each request, drawn from the run's seed."""
    persona_role: Literal["system", "user"] = setting("system", changes_answer=True)
    """Message that carries the persona; `user` for models without a system message."""
    concurrency: int | Literal["auto"] | None = setting(None, changes_answer=False)
    """Requests in flight at each address, 1 to 1024, or `auto`: as many as make it faster; by default 8 for a server
    and 1 for the embedded model."""
    patience: float = setting(60.0, changes_answer=False, ge=0)
    """How long servers that fail are tried again before the run stops, seconds."""
    timeout: float = setting(180.0, changes_answer=False, gt=0)
    """Longest wait for one reply, seconds."""
    attempts: int = setting(4, changes_answer=False, ge=1, le=20)
    """Times a request is tried before its trial is left open."""

    @field_validator("base_url", mode="before")
    @classmethod
    def _addresses_are_safe(cls, given: Any) -> tuple[str, ...]:
        urls = (given,) if isinstance(given, str) else () if given is None else given
        if not isinstance(urls, list | tuple) or not all(isinstance(url, str) for url in urls):
            raise ValueError("must be an address or a list of addresses")
        checked = tuple(check_base_url(url) for url in urls)
        if len(set(checked)) < len(checked):
            raise ValueError("names the same address twice")
        return checked

    @field_validator("name")
    @classmethod
    def _name_can_be_read(cls, name: str) -> str:
        return readable(name)

    @field_validator("api_key_env")
    @classmethod
    def _is_a_variable_name(cls, name: str | None) -> str | None:
        # Tokens such as hf_... would pass for names in small letters, and names are shown.
        if name is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
            raise ValueError("must be the name of an environment variable in capital letters, not a key")
        return name

    @field_validator("chat_template_kwargs", "extra_body")
    @classmethod
    def _can_be_sent(cls, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        return _check_fields(fields)

    @field_validator("extra_body")
    @classmethod
    def _leaves_the_rest_alone(cls, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if taken := sorted(_OWN_FIELDS & fields.keys()):
            raise ValueError(f"must leave {', '.join(taken)} to the other settings and to this program")
        return fields

    @field_validator("strict")
    @classmethod
    def _has_one_server(cls, strict: bool, others: ValidationInfo) -> bool:
        if strict and len(others.data.get("base_url", ())) > 1:
            raise ValueError("asks one request at a time, and so takes one address")
        return strict

    @field_validator("sampling")
    @classmethod
    def _carries_what_else_is_sent(cls, sampling: Sampling, others: ValidationInfo) -> Sampling:
        """Fields that only some servers know can change an answer, so they go where a trial's id is made of."""
        given, body = others.data, others.data.get("extra_body", {})
        if given.get("strict") and body.get("cache_prompt"):
            raise ValueError("is strict, and its extra_body turns cache_prompt on: leave out one of the two")
        fields: dict[str, JsonValue] = {
            "cache_prompt": False if given.get("strict") else None,
            "reasoning_effort": given.get("reasoning_effort"),
            "chat_template_kwargs": given.get("chat_template_kwargs") or None,
            "thinking_token_budget": given.get("thinking_budget"),
        }
        extra = {name: value for name, value in fields.items() if value is not None} | body
        if any(name not in extra or extra[name] != value for name, value in sampling.extra.items()):
            raise ValueError("has no setting extra: give these fields as extra_body, under [model]")
        return sampling.model_copy(update={"extra": extra})

    @field_validator("concurrency", mode="before")
    @classmethod
    def _is_a_number_or_auto(cls, given: Any, others: ValidationInfo) -> Any:
        is_number = isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= 1024
        if not (given in (None, "auto") or is_number):
            raise ValueError("must be a number from 1 to 1024, or auto")
        if others.data.get("strict") and given not in (None, 1):
            raise ValueError("must be 1 with strict, which asks one request at a time")
        return given


class RunConfig(Record):
    """What is asked, of whom, and how often."""

    model_config = ConfigDict(strict=True)

    name: str | None = setting(None, changes_answer=False)
    """Name of the run and of its folder; by default the dataset's name."""
    dataset: str | None = setting(None, changes_answer=True)
    """Path of a JSON Lines file of dilemmas; by default the shipped ones."""
    limit: int | None = setting(None, changes_answer=False, ge=1)
    """Ask about the first dilemmas only. A later run may ask about more."""
    shard: str = setting("", changes_answer=False)
    """Part of the plan that is asked, such as `1/4`; empty for all of it. A persona and item are always in the same
    part, however the plan grows; the parts are runs of their own, and `dilemmas merge` makes one of them."""
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
    models: tuple[ModelConfig, ...] = setting((ModelConfig(),), changes_answer=True, min_length=1)
    """The models, each with its server: one under `[model]`, or several under `[[models]]`, of different names."""

    @field_validator("name")
    @classmethod
    def _name_is_safe(cls, name: str | None) -> str | None:
        return None if name is None else check_run_name(name)

    @field_validator("shard")
    @classmethod
    def _shard_is_a_part(cls, shard: str) -> str:
        part, _, parts = shard.partition("/")
        if shard and not (part.isascii() and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
            raise ValueError("must be a part and how many there are, such as 1/4")
        return f"{int(part)}/{int(parts)}" if shard else ""  # 01/4 is the same run

    @field_validator("models", mode="before")
    @classmethod
    def _a_list_will_do(cls, models: Any) -> Any:
        return tuple(models) if isinstance(models, list) else models

    @field_validator("models")
    @classmethod
    def _names_are_distinct(cls, models: tuple[ModelConfig, ...]) -> tuple[ModelConfig, ...]:
        names = [model.name for model in models]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f'two models have the name "{name}"')
        return models

    @property
    def model(self) -> ModelConfig:
        """The model, where there is one.

        Raises:
            InputError: there are several.
        """
        if len(self.models) > 1:
            raise _which_model([one.name for one in self.models], "the run file")
        return self.models[0]


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
        overrides: settings by name, `model.` before those of the model; None where not given. In a file with
            several models, `model.name` picks one of them, and the others need it.

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
    given = {name: value for name, value in overrides.items() if value is not None}
    place = _pick(data, given, str(path))
    for dotted, value in given.items():
        *tables, key = dotted.split(".")
        table = data
        for name in tables:
            inner = table.setdefault(name, {})
            table = inner if isinstance(inner, dict) else {}
        table[key] = value
    _forget_the_address(data, given)
    if "models" not in data:
        data["models"] = (data.pop("model", {}),)
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        raise _config_error(error, path, text, set(given), place) from None


def _forget_the_address(data: dict[str, Any], given: dict[str, Any]) -> None:
    """A model that runs in this process, named in place of the file's, does not have the address of that one."""
    from dilemmas.models import in_process

    model = data.get("model")
    if isinstance(model, dict) and in_process(str(given.get("model.name", ""))):
        for key in ("base_url", "api_key_env"):
            if f"model.{key}" not in given:
                model.pop(key, None)


def _pick(data: dict[str, Any], given: dict[str, Any], where: str) -> list[str]:
    """Put the one of several models that is meant under `model`, where one is.

    Returns:
        Where the settings of `model` stand in the file.

    Raises:
        InputError: it is not said which model is meant, or there is no such model.
    """
    models = data.get("models")
    if models is None:
        return ["model"]
    if "model" in data:
        raise InputError(
            "has both [model] and [[models]]", where=where, fix="Put each model under a [[models]] of its own."
        )
    if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
        return ["models"]
    names = [str(model.get("name", ModelConfig().name)) for model in models]
    wanted = given.get("model.name", names[0] if len(names) == 1 else None)
    if wanted is None:
        if any(name.startswith("model.") for name in given):
            raise _which_model(names, where)
        return ["models"]
    if wanted not in names:
        raise InputError(
            f'there is no model "{wanted}"', where=where, fix=did_you_mean(wanted, names) or "Take one that is there."
        )
    index = names.index(wanted)
    data["model"] = models[index]
    del data["models"]
    return ["models", str(index)]


def _which_model(names: Sequence[str], where: str) -> InputError:
    return InputError(
        "there are several models", where=where, fix=f"Name one of them with --model: {', '.join(names)}."
    )


_TABLES: dict[str, type[Record]] = {"": RunConfig, "model": ModelConfig, "model.sampling": Sampling}
"""The tables of a run file."""


def _line_of(names: list[str], text: str) -> int | None:
    """Line of a run file where a setting is given, or else the table it stands in."""
    table: list[str] = []
    models = -1
    longest, found = 0, None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+([^\]]+)\]", line)
        given = header or re.match(r"\s*([^=#]+?)\s*=", line)
        if given is None:
            continue
        parts = [part.strip(" \"'") for part in given.group(1).split(".")]
        if header and parts[0] == "models":
            models += len(parts) == 1
            parts.insert(1, str(models))
        table = parts if header else table
        parts = parts if header else table + parts
        shared = min(len(parts), len(names))
        if longest < shared and names[:shared] == parts[:shared]:
            longest, found = shared, number
    return found


def _config_error(
    error: ValidationError, path: Path | None, text: str, overridden: set[str], place: list[str]
) -> InputError:
    """What is wrong with the settings, and where; `place` is where those of `model` stand in the file."""
    first = error.errors(include_input=False, include_url=False)[0]
    names = [str(part) for part in first["loc"]]
    in_file = names
    if names[0] == "models":
        # What comes after a setting's name says which of several types was tried, or which part of it is meant.
        inner = names[2:4] if names[2:3] == ["sampling"] else names[2:3]
        in_file = (names[:2] if place == ["models"] else place) + inner
        names = ["models" if place == ["models"] and not inner else "model", *inner]
    where = f"setting {'.'.join(names)}"
    if path is not None and ".".join(names) not in overridden:
        line = _line_of(in_file, text)
        where = f"{path}, line {line}, {where}" if line else f"{path}, {where}"
    if first["type"] == "extra_forbidden":
        return InputError("there is no such setting", where=where, fix=_home_of(names))
    fix = "Change this setting."
    if len(names) == 1 and names[0] in ("model", "models"):
        fix = "Put the settings of one model under [model], of several each under a [[models]] of its own."
    return InputError(first["msg"].removeprefix("Value error, "), where=where, fix=fix)


def _home_of(names: list[str]) -> str:
    """Where a setting belongs that stands where there is none of its name, or what it may have been meant to be."""
    *table, key = names
    fields = [*_TABLES[".".join(table)].model_fields, *(() if table else ("model",))]
    home = next((name for name, settings in _TABLES.items() if key in settings.model_fields), None)
    if home is not None:
        return f"It belongs under [{home}]." if home else "It belongs above the first table."
    near = difflib.get_close_matches(key, fields, n=1)
    return f'Did you mean "{near[0]}"?' if near else f"Known settings: {', '.join(fields)}."
