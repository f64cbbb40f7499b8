"""Which server, and with which key."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dilemmas.errors import InputError
from dilemmas.review import connection
from dilemmas.review.connection import KEY, URL, Connection

HERE = "http://127.0.0.1:8080"
TOKEN = "0123456789" * 4


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is set, and the default file is one of the test's own."""
    for name in (URL, KEY):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def given_by(monkeypatch: pytest.MonkeyPatch, url: str, key: str) -> None:
    monkeypatch.setenv(URL, url)
    monkeypatch.setenv(KEY, key)


def found(file: Path | None = None) -> tuple[str, str, str]:
    one = connection.find(file)
    return one.url, one.key.get_secret_value(), one.source


def refused(file: Path | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        connection.find(file)
    assert TOKEN not in str(caught.value)
    return caught.value


def test_a_file_that_is_named_comes_before_the_environment_and_that_before_the_default(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.write(connection.default_file(), "http://127.0.0.1:1", SecretStr(TOKEN))
    assert found() == ("http://127.0.0.1:1", TOKEN, str(connection.default_file()))
    given_by(monkeypatch, " http://127.0.0.1:2/ ", f"{TOKEN}\n")
    assert found() == ("http://127.0.0.1:2", TOKEN, KEY)
    named = written(home / "mine.toml", f'url = "http://127.0.0.1:3/"\napi_key = "{TOKEN}"\n')
    assert found(named) == ("http://127.0.0.1:3", TOKEN, str(named))


def test_without_any_settings_the_message_says_how_to_begin() -> None:
    error = refused()
    assert all(name in str(error) for name in (URL, KEY, str(connection.default_file()), "dilemmas review serve"))


@pytest.mark.parametrize(("name", "other"), [(URL, KEY), (KEY, URL)])
@pytest.mark.parametrize("empty", [None, "", "  "])
def test_half_a_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, other: str, empty: str | None) -> None:
    given_by(monkeypatch, HERE, TOKEN)
    if empty is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, empty)
    error = refused()
    assert error.where == name
    assert other in error.fix


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("127.0.0.1:8080", "http://"),
        ("ftp://127.0.0.1", "address"),
        ("http://", "address"),
        ("http://127.0.0.1:port", "address"),
        ("http://127.0.0.1:0", "address"),
        ("http://[::1", "address"),
        ("http://127.0.0.1/a b", "address"),
        ("http://somebody:hunter2@127.0.0.1", "password"),
        ("somebody:hunter2@127.0.0.1", "password"),
        ("http://127.0.0.1/?token=hunter2", "?"),
        ("http://127.0.0.1/#hunter2", "?"),
    ],
)
def test_what_is_no_address_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str, says: str) -> None:
    given_by(monkeypatch, url, TOKEN)
    error = refused()
    assert says in error.what
    assert error.where == URL
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("middle", [" ", "\n", "\t", "\x00", "\x7f", "é", "\u200b"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, middle: str
) -> None:
    file = written(home / "mine.toml", f'url = "{HERE}"\napi_key = {json.dumps("sesame" + middle + "open")}\n')
    error = refused(file)
    assert error.where == f"{file}, api_key"
    assert "sesame" not in str(error)
    assert "open" not in error.what


@pytest.mark.parametrize(
    ("text", "place", "fix"),
    [
        ('url = "http://h"\napi_key = "half', "", "api_key"),
        (f'url = "{HERE}"\napi-key = "{TOKEN}"\n', "api-key", '"api_key"'),
        (f'url = "{HERE}"\n', "api_key", "api_key"),
        (f'url = ""\napi_key = "{TOKEN}"\n', "url", "url"),
        (f"url = 1\napi_key = '{TOKEN}'\n", "url", "url"),
    ],
)
def test_a_spoilt_file_is_told_with_the_field(home: Path, text: str, place: str, fix: str) -> None:
    file = written(home / "mine.toml", text)
    error = refused(file)
    assert error.where == (f"{file}, {place}" if place else str(file))
    assert fix in error.fix


def test_broken_toml_is_told_with_its_line(home: Path) -> None:
    assert "line 2" in refused(written(home / "mine.toml", f'url = "{HERE}"\napi_key = {TOKEN}x\n')).what


def test_a_file_that_is_not_there_is_told(home: Path) -> None:
    assert "no such" in refused(home / "none.toml").what


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_may_read_is_refused(home: Path, mode: int) -> None:
    file = written(home / "my key.toml", f'url = "{HERE}"\napi_key = "{TOKEN}"\n', mode)
    assert refused(file).fix == f"chmod 600 '{file}'"


def test_a_key_goes_over_plain_http_to_this_machine_only_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    given_by(monkeypatch, "http://labels.example.org", TOKEN)
    assert "--allow-plain-http-key" in refused().fix
    assert connection.find(allow_plain_http_key=True).url == "http://labels.example.org"
    for safe in ("https://labels.example.org", "http://localhost:8080", "http://[::1]:8080"):
        monkeypatch.setenv(URL, safe)
        assert found()[0] == safe


@given(
    path=st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="?#@:/\\"), max_size=20),
    key=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
)
def test_what_is_written_is_found_again(tmp_path_factory: pytest.TempPathFactory, path: str, key: str) -> None:
    file = tmp_path_factory.mktemp("kept") / "folder" / "label-studio.toml"
    connection.write(file, f"{HERE}/{path}".rstrip("/"), SecretStr(key))
    assert found(file) == (f"{HERE}/{path}".rstrip("/"), key, str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def jwt(claims: object) -> str:
    parts = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "x"}, claims)
    )
    return ".".join((*parts, "c2ln"))


@pytest.mark.parametrize(
    ("key", "kind", "year"),
    [
        (TOKEN, "legacy token", None),
        (jwt({"exp": 1_700_000_000}), "personal access token", 2023),
        (jwt({}), "personal access token", None),
        (jwt([1]), "personal access token", None),
        (jwt({"exp": 10**30}), "personal access token", None),
        ("a.b.c", "token of unknown kind", None),
        ("MTIz.MTIz.MTIz", "token of unknown kind", None),
        ("secret", "token of unknown kind", None),
    ],
)
def test_the_kind_of_a_key_is_seen_from_its_looks(key: str, kind: str, year: int | None) -> None:
    one = Connection(HERE, SecretStr(key), KEY)
    assert one.kind == kind
    assert (one.expiry.year if one.expiry else None) == year
    assert key not in repr(one)
