"""Settings: what a run file may say, what is refused and where, and which names and addresses are safe."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilemmas.config import ModelConfig, RunConfig, check_base_url, check_run_name, is_loopback, load
from dilemmas.errors import InputError
from dilemmas.schema import Sampling

Write = Callable[[str], Path]
EXPERIMENTS = sorted((Path(__file__).parent.parent / "experiments").glob("*/run.toml"))


@pytest.fixture
def toml(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "study" / "run.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(path: Path | None, **overrides: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load(path, {name.replace("__", "."): given_ for name, given_ in overrides.items()})
    assert caught.value.exit_code == 2
    assert caught.value.fix
    return caught.value


def test_nothing_said_gives_the_defaults() -> None:
    assert load(None, {}) == RunConfig()
    assert load(None, {"name": None, "model.name": None}) == RunConfig()


def test_defaults_are_those_of_the_published_design() -> None:
    chosen = RunConfig()
    assert (chosen.repeats, chosen.orders, chosen.prompt_style, chosen.scale) == (3, "williams", "variables", None)
    sampling = chosen.model.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.2, 0.95, 64)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.parent.name)
def test_the_run_files_of_the_experiments_are_valid(path: Path) -> None:
    assert load(path, {}).name == path.parent.name


def test_the_command_line_goes_before_the_file(toml: Write) -> None:
    path = toml('repeats = 2\nseed = 7\n[model]\nname = "theirs"\nconcurrency = 3\n')
    chosen = load(path, {"repeats": 5, "seed": None, "model.name": "mine", "model.sampling.temperature": 0.0})
    assert (chosen.repeats, chosen.seed) == (5, 7)
    assert (chosen.model.name, chosen.model.concurrency, chosen.model.sampling.temperature) == ("mine", 3, 0)


def test_paths_in_a_file_are_relative_to_its_folder(toml: Write) -> None:
    path = toml('dataset = "d.jsonl"\ntemplates = "../t"\npersona_set = "p.toml"\n')
    chosen = load(path, {})
    assert chosen.dataset == str(path.parent / "d.jsonl")
    assert chosen.templates == str(path.parent / "../t")
    assert chosen.persona_set == str(path.parent / "p.toml")
    assert load(toml('dataset = "/data/d.jsonl"\npersona_set = "three"\n'), {}).dataset == "/data/d.jsonl"
    assert load(toml('persona_set = "three"\n'), {}).persona_set == "three"


def test_paths_on_the_command_line_are_relative_to_where_one_is(toml: Write) -> None:
    chosen = load(toml('dataset = "d.jsonl"\n'), {"dataset": "other.jsonl", "persona_set": "p.toml"})
    assert (chosen.dataset, chosen.persona_set) == ("other.jsonl", "p.toml")


BAD: dict[str, tuple[str, int, str, tuple[str, ...]]] = {
    "misspelt key": ("seed = 1\nrepeets = 3\n", 2, "repeets", ('"repeats"',)),
    "hyphen for underscore": ('persona-set = "three"\n', 1, "persona-set", ('"persona_set"',)),
    "key in quotes": ('"prompt style" = "x"\n', 1, "prompt style", ('"prompt_style"',)),
    "misspelt table": ('[modell]\nname = "x"\n', 1, "modell", ('"model"',)),
    "misspelt key of the model": (
        'name = "x"\n\n[model]\nname = "y"\nconcurency = 3\n',
        5,
        "model.concurency",
        ('"concurrency"',),
    ),
    "misspelt key of the sampling": (
        "[model]\ntimeout = 3\n[model.sampling]\ntemprature = 1\n",
        4,
        "model.sampling.temprature",
        ('"temperature"',),
    ),
    "misspelt key with dots": ('seed = 1\nmodel.nmae = "x"\n', 2, "model.nmae", ('"name"',)),
    "misspelt key inside a line": ('seed = 1\nmodel = { nmae = "x" }\n', 2, "model.nmae", ('"name"',)),
    "same key above, in another table": ('name = "fine"\n[model]\nname = ""\n', 3, "model.name", ("at least 1",)),
    "key in a comment above": ("# repeets are for later\nrepeets = 3\n", 2, "repeets", ('"repeats"',)),
    "key of another table": ("temperature = 0.2\n", 1, "temperature", ("[model.sampling]",)),
    "key of the model at the top": ('base_url = "http://h/v1"\n', 1, "base_url", ("[model]",)),
    "key of the top in the model": ("[model]\nseed = 3\n", 2, "model.seed", ("above the first table",)),
    "nothing like it": ("zzz = 3\n", 1, "zzz", ("repeats", "orders")),
    "unknown order": ('orders = "latin"\n', 1, "orders", ("williams", "random", "fixed")),
    "unknown style": ('prompt_style = "prose"\n', 1, "prompt_style", ("variables", "statements")),
    "unknown protocol": ('[model]\nprotocol = "vote"\n', 2, "model.protocol", ("reasoned", "logprob", "auto")),
    "unknown role": ('[model]\npersona_role = "tool"\n', 2, "model.persona_role", ("system", "user")),
    "no repeat": ("repeats = 0\n", 1, "repeats", ("greater than or equal to 1",)),
    "half a repeat": ("repeats = 1.5\n", 1, "repeats", ("integer",)),
    "limit 0": ("limit = 0\n", 1, "limit", ("greater than or equal to 1",)),
    "seed below 0": ("seed = -1\n", 1, "seed", ("greater than or equal to 0",)),
    "seed that no other program can hold": ("seed = 9007199254740992\n", 1, "seed", ("less than",)),
    "hot": ("[model.sampling]\ntemperature = 2.1\n", 2, "model.sampling.temperature", ("less than or equal to 2",)),
    "no nucleus": ("[model.sampling]\ntop_p = 0\n", 2, "model.sampling.top_p", ("greater than 0",)),
    "no number": ("[model]\ntimeout = nan\n", 2, "model.timeout", ("finite",)),
    "no time": ("[model]\ntimeout = 0\n", 2, "model.timeout", ("greater than 0",)),
    "a date for a name": ("name = 2026-11-21\n", 1, "name", ("string",)),
    "a text for the model": ('seed = 1\nmodel = "x"\n', 2, "model", ("dictionary",)),
    "a list of models": ('[[model]]\nname = "x"\n', 1, "model", ("dictionary",)),
    "a path for a name": ('name = "a/b"\n', 1, "name", ("letters",)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_setting_is_refused_with_file_line_and_hint(name: str, toml: Write) -> None:
    text, line, setting, words = BAD[name]
    path = toml(text)
    error = refused(path)
    assert error.where == f"{path}, line {line}, setting {setting}"
    assert [word for word in words if word not in str(error)] == []


def test_a_bad_setting_of_the_command_line_is_not_blamed_on_the_file(toml: Write) -> None:
    error = refused(toml("seed = 5\n"), seed=-1)
    assert error.where == "setting seed"
    assert refused(None, model__timeout=0).where == "setting model.timeout"


def test_a_file_that_is_not_toml_names_the_line(toml: Write) -> None:
    for text in ("seed = 1\nrepeats =\n", "seed = 1\nseed = 2\n", '{"seed": 1}\n'):
        path = toml(text)
        error = refused(path)
        assert "TOML" in error.what
        assert "line" in error.what
        assert error.where == str(path)


def test_a_file_that_is_not_utf8_or_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    assert "no such run file" in refused(path).what
    path.write_bytes(b"# caf\xc3\xa9\n# caf\xe9\nseed = 1\n")
    assert refused(path).where == f"{path}, line 2"
    assert "read" in refused(tmp_path).what


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xef\xbb\xbfseed = 3\r\n")
    assert load(path, {}).seed == 3


BAD_NAMES = ["", ".", "..", ".hidden", "-rf", "a/b", "a\\b", "../a", "/tmp", "a b", "a\n", "a\0b", "é", "~", "a:b", "*"]
RESERVED = ["con", "CON", "nul", "Prn", "aux", "com1", "LPT9", "con.txt", "nul.tar.gz", "a."]


@pytest.mark.parametrize("name", [*BAD_NAMES, *RESERVED, "a" * 65], ids=repr)
def test_a_name_that_no_folder_should_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        check_run_name(name)
    assert refused(None, name=name).where == "setting name"


@pytest.mark.parametrize("name", ["a", "_a", "run-1", "2026.11.21", "A_b", "con10", "console", "a..b", "a" * 64])
def test_a_plain_name_is_accepted(name: str) -> None:
    assert load(None, {"name": name}).name == name


@given(st.text(max_size=70))
def test_an_accepted_name_stays_within_its_folder(name: str) -> None:
    try:
        check_run_name(name)
    except ValueError:
        return
    runs = Path("/runs")
    assert (runs / name).resolve().parent == runs
    assert name == name.strip()
    assert 1 <= len(name) <= 64


BAD_URLS = [
    "",
    "http://",
    "http:///v1",
    "gpu:8000/v1",
    "//gpu/v1",
    "ftp://gpu/v1",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://user:pass@gpu/v1",
    "http://user@gpu/v1",
    "http://@gpu/v1",
    "http://gpu%2f@evil/v1",
    "http://gpu\\@evil/v1",
    "http://gpu/v1?key=secret",
    "http://gpu/v1?",
    "http://gpu/v1#top",
    "http://gpu/v1#",
    "http://gpu :8000/v1",
    " http://gpu/v1",
    "http://gpu/v1\n",
    "http://gpu/v1\r\nHost: evil",
    "http://gpu/\tv1",
    "http://gpu/v1\u200b",
    "http://gpu:0/v1",
    "http://gpu:99999/v1",
    "http://gpu:port/v1",
    "http://[::1/v1",
]


@pytest.mark.parametrize("url", BAD_URLS, ids=repr)
def test_an_address_that_is_not_plainly_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        check_base_url(url)
    assert refused(None, model__base_url=url).where == "setting model.base_url"


def test_a_password_in_an_address_is_not_repeated(toml: Write) -> None:
    path = toml('[model]\nbase_url = "http://user:sentinel-9f3a@gpu/v1"\n')
    error = refused(path)
    assert error.where == f"{path}, line 2, setting model.base_url"
    assert "sentinel" not in str(error)
    assert "api_key_env" in str(error)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://gpu:8000/v1", "http://gpu:8000/v1"),
        ("https://api.example.org/v1/", "https://api.example.org/v1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("HTTP://gpu/v1", "http://gpu/v1"),
    ],
)
def test_a_plain_address_is_accepted(url: str, kept: str) -> None:
    assert load(None, {"model.base_url": url}).model.base_url == (kept,)


def test_several_addresses_are_a_list(toml: Write) -> None:
    urls = ["http://one:8000/v1/", "http://two:8000/v1"]
    path = toml(f"[model]\nbase_url = {urls}\n")
    for chosen in (load(path, {}), load(None, {"model.base_url": urls}), load(None, {"model.base_url": tuple(urls)})):
        assert chosen.model.base_url == ("http://one:8000/v1", "http://two:8000/v1")
    assert load(None, {}).model.base_url == ()


@pytest.mark.parametrize(
    "urls", [["http://a/v1", "http://a/v1/"], ["http://a/v1", "b"], ["http://a/v1", 3], 3, True, {"a": "http://a/v1"}]
)
def test_a_list_with_a_bad_address_in_it_is_refused(urls: Any) -> None:
    assert refused(None, model__base_url=urls).where == "setting model.base_url"


@pytest.mark.parametrize("number", [None, 1, 1024, "auto"])
def test_requests_in_flight_are_a_number_or_found_out(number: Any) -> None:
    assert ModelConfig(concurrency=number).concurrency == number


@pytest.mark.parametrize("number", [0, -1, 1025, 1.0, True, "8", "all", []])
def test_any_other_number_of_requests_in_flight_is_refused(number: Any) -> None:
    error = refused(None, model__concurrency=number)
    assert error.where == "setting model.concurrency"
    assert "auto" in error.what


def test_strict_asks_one_at_a_time() -> None:
    strict = {"model__strict": True}
    assert "strict" in refused(None, **strict, model__concurrency=2).what
    assert "strict" in refused(None, **strict, model__concurrency="auto").what
    assert refused(None, **strict, model__base_url=["http://a/v1", "http://b/v1"]).where == "setting model.strict"
    assert load(None, {"model.strict": True, "model.concurrency": 1}).model.strict


def test_what_only_some_servers_know_goes_into_the_sampling() -> None:
    chosen = ModelConfig(
        reasoning_effort="low",
        chat_template_kwargs={"enable_thinking": False},
        thinking_budget=0,
        extra_body={"min_p": 0.1},
        strict=True,
    )
    assert chosen.sampling.extra == {
        "cache_prompt": False,
        "reasoning_effort": "low",
        "chat_template_kwargs": {"enable_thinking": False},
        "thinking_token_budget": 0,
        "min_p": 0.1,
    }
    assert ModelConfig.model_validate(chosen.model_dump()) == chosen
    assert ModelConfig().sampling == Sampling()
    assert "extra" not in Sampling().model_dump()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"api_key": "sentinel"}, "api_key_env"),
        ({"Authorization": "sentinel"}, "api_key_env"),
        ({"stream": True}, "stream"),
        ({"messages": [], "n": 2}, "messages, n"),
        ({"min_p": float("nan")}, ""),
        ({"deep": [{"seed": 2**63}]}, "number"),
        ({"when": datetime.date(2026, 11, 21)}, ""),
    ],
)
def test_fields_that_cannot_be_sent_or_kept_are_refused(fields: dict[str, Any], words: str) -> None:
    error = refused(None, model__extra_body=fields)
    assert error.where.startswith("setting model.extra_body")
    assert words in error.what
    assert "sentinel" not in str(error)


def test_further_fields_have_one_place_in_a_run_file(toml: Write) -> None:
    error = refused(toml("[model.sampling.extra]\nmin_p = 0.1\n"))
    assert "extra_body" in error.what


def test_only_this_machine_is_loopback() -> None:
    for url in ("http://localhost:1/v1", "http://127.0.0.1", "http://127.9.9.9/v1", "http://[::1]:8/v1"):
        assert is_loopback(url)
    for url in ("http://gpu/v1", "http://127.0.0.1.evil.org", "http://localhost.evil.org", "http://1127.0.0.1"):
        assert not is_loopback(url)


@pytest.mark.parametrize(
    "key",
    [
        "sk-sentinel9f3a0123456789abcdef",
        "sk_sentinel9f3a0123456789abcdef",
        "hf_Sentinel9f3aAbCdEfGhIjKlMnOp",
        "sentinel9f3a0123456789abcdef0123",
        "MY KEY sentinel",
        "$SENTINEL_sentinel",
        "SENTINEL=sentinel",
        "X" * 65,
        "",
    ],
)
def test_a_key_in_place_of_its_variable_is_refused_and_not_repeated(key: str, toml: Write) -> None:
    path = toml(f'[model]\napi_key_env = "{key}"\n')
    for error in (refused(path), refused(None, model__api_key_env=key)):
        assert "environment variable" in error.what
        assert "sentinel" not in str(error).lower()


def test_a_key_under_any_name_is_refused_and_not_repeated(toml: Write) -> None:
    error = refused(toml('[model]\napi_key = "sentinel-9f3a"\n'))
    assert "api_key_env" in error.fix
    assert "sentinel" not in str(error)


@pytest.mark.parametrize("name", ["MY_SERVER_KEY", "OPENAI_API_KEY", "K2", "_KEY"])
def test_the_name_of_a_variable_is_accepted(name: str) -> None:
    assert load(None, {"model.api_key_env": name}).model.api_key_env == name


@pytest.mark.parametrize("table", [RunConfig, ModelConfig, Sampling], ids=lambda table: table.__name__)
def test_every_setting_is_explained(table: type[RunConfig | ModelConfig | Sampling]) -> None:
    assert [name for name, field in table.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("line", ["repeats = true", 'repeats = "3"', "seed = 1.0", "name = 7"])
def test_a_setting_of_the_wrong_type_is_refused_not_bent(line: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load(path, {})
    assert "line 1" in caught.value.where


SWEEP = """
seed = 7

[[models]]
name = "one"
base_url = "http://a/v1"
timeout = 5

[[models]]
name = "two"
base_url = "http://b/v1"

[models.sampling]
temperature = 0.5
"""


def test_several_models_stand_in_one_file(toml: Write) -> None:
    one, two = load(toml(SWEEP), {"seed": 9}).models
    assert (one.name, one.timeout, one.sampling.temperature) == ("one", 5, 0.2)
    assert (two.name, two.timeout, two.sampling.temperature) == ("two", 180, 0.5)
    with pytest.raises(InputError, match="several models"):
        load(toml(SWEEP), {}).model  # noqa: B018


def test_one_of_several_models_is_picked_by_name_and_changed_from_the_command_line(toml: Write) -> None:
    chosen = load(toml(SWEEP), {"model.name": "two", "model.timeout": 9.0})
    assert [one.name for one in chosen.models] == ["two"]
    assert (chosen.model.timeout, chosen.model.sampling.temperature) == (9, 0.5)
    assert chosen.model.base_url == ("http://b/v1",)


def test_the_only_model_of_a_list_need_not_be_named(toml: Write) -> None:
    path = toml('[[models]]\nname = "one"\n')
    assert load(path, {"model.timeout": 9.0}).model.timeout == 9
    assert load(path, {}) == load(toml('[model]\nname = "one"\n'), {})


def test_a_setting_of_one_model_among_several_needs_its_name(toml: Write) -> None:
    error = refused(toml(SWEEP), model__timeout=9.0)
    assert "several models" in error.what
    assert "--model: one, two" in error.fix


def test_a_model_that_the_file_does_not_have_suggests_the_nearest(toml: Write) -> None:
    error = refused(toml(SWEEP), model__name="ones")
    assert '"ones"' in error.what
    assert 'Did you mean "one"?' in error.fix


def test_embedded_and_a_server_may_stand_together(toml: Write) -> None:
    path = toml('[[models]]\n[[models]]\nname = "m"\nbase_url = "http://h/v1"\n')
    assert [one.name for one in load(path, {}).models] == ["embedded", "m"]


BAD_SWEEPS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "two of one name": (SWEEP.replace('"two"', '"one"'), "line 4, setting models", ("two models", '"one"')),
    "misspelt in the first": (SWEEP.replace("timeout", "timeuot"), "line 7, setting model.timeuot", ('"timeout"',)),
    "misspelt in the second": (
        SWEEP.replace('base_url = "http://b/v1"', "conccurrency = 4"),
        "line 11, setting model.conccurrency",
        ('"concurrency"',),
    ),
    "misspelt in its sampling": (
        SWEEP.replace("temperature", "temprature"),
        "line 14, setting model.sampling.temprature",
        ('"temperature"',),
    ),
    "bad value in the second": (SWEEP.replace("http://b/v1", "b"), "line 11, setting model.base_url", ("http://",)),
    "both kinds of table": (SWEEP + '[model]\nname = "three"\n', "run.toml", ("[model]", "[[models]]")),
    "single brackets": ('[models]\nname = "one"\n', "line 1, setting models", ("[[models]]",)),
    "a list of names": ('models = ["one"]\n', "line 1, setting models", ("[[models]]",)),
    "none": ("models = []\n", "line 1, setting models", ("at least 1",)),
    "a key of the top in a model": (SWEEP + "repeats = 2\n", "line 15, setting", ("above the first table",)),
}


@pytest.mark.parametrize("name", BAD_SWEEPS)
def test_a_bad_list_of_models_is_refused_with_its_line_and_a_hint(name: str, toml: Write) -> None:
    text, where, words = BAD_SWEEPS[name]
    error = refused(toml(text))
    assert where in error.where
    assert [word for word in words if word not in str(error)] == []


def test_a_bad_setting_of_the_model_that_was_picked_has_its_line(toml: Write) -> None:
    path = toml(SWEEP.replace("http://b/v1", "b"))
    assert refused(path, model__name="two").where == f"{path}, line 11, setting model.base_url"
    assert load(path, {"model.name": "one"}).model.name == "one"
    assert refused(path, model__name="one", model__timeout=0.0).where == "setting model.timeout"


def test_a_model_of_this_process_does_not_take_the_address_of_the_one_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[model]\nname = "org/model"\nbase_url = "http://gpu:8000/v1"\napi_key_env = "SERVER_KEY"\n')
    chosen = load(path, {"model.name": "scripted"}).model
    assert (chosen.name, chosen.base_url, chosen.api_key_env) == ("scripted", (), None)
    assert load(path, {}).model.base_url == ("http://gpu:8000/v1",)


def test_strict_is_not_undone_by_another_field(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[model]\nstrict = true\nextra_body = { cache_prompt = true }\n")
    with pytest.raises(InputError, match="cache_prompt"):
        load(path, {})


@pytest.mark.parametrize("fields", ['{ a = { api_key = "x" } }', '{ a = [{ access_token = "x" }] }'])
def test_no_secret_hides_in_a_table_of_a_table(tmp_path: Path, fields: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f"[model]\nextra_body = {fields}\n")
    with pytest.raises(InputError, match="secret"):
        load(path, {})


def test_a_model_whose_name_cannot_be_read_is_refused() -> None:
    with pytest.raises(InputError, match=r"U\+001B"):
        load(None, {"model.name": "a\x1bmodel"})
