"""Settings: what a run file may say, what is refused and where, and which names and addresses are safe."""

from __future__ import annotations

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
    assert load(None, {"model.base_url": url}).model.base_url == kept


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
