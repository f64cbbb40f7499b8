"""Pseudonyms: one for each person, for good, and a key file for its owner alone."""

from __future__ import annotations

import fcntl
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilemmas.errors import InputError
from dilemmas.review.pseudonyms import assign


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "rounds" / "key.jsonl"


def test_names_follow_the_order_in_which_people_are_met(key: Path) -> None:
    assert assign(key, ["zoe@x.org", "adam@x.org"]) == {"zoe@x.org": "reviewer-01", "adam@x.org": "reviewer-02"}


def test_nobody_gets_another_name_later(key: Path) -> None:
    first = assign(key, ["a@x.org", "b@x.org"])
    assert assign(key, ["c@x.org", "b@x.org"]) == {"c@x.org": "reviewer-03", "b@x.org": first["b@x.org"]}
    assert assign(key, ["a@x.org"]) == {"a@x.org": first["a@x.org"]}


def test_an_address_is_the_same_in_capitals(key: Path) -> None:
    assert set(assign(key, ["Ann@X.org", "ann@x.org"]).values()) == {"reviewer-01"}


@given(groups=st.lists(st.lists(st.emails(), max_size=4), max_size=4))
def test_no_two_people_share_a_name(groups: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    key = tmp_path_factory.mktemp("key") / "key.jsonl"
    given_names: dict[str, str] = {}
    for group in groups:
        for email, name in assign(key, group).items():
            assert given_names.setdefault(email.lower(), name) == name
    assert len(set(given_names.values())) == len(given_names)


def test_only_the_owner_may_read_the_key_file(key: Path) -> None:
    assign(key, ["a@x.org"])
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    assign(key, ["a@x.org"])
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_no_key_file_keeps_its_mode(key: Path) -> None:
    key.parent.mkdir()
    key.write_text("# Notes\n")
    key.chmod(0o664)
    with pytest.raises(InputError) as error:
        assign(key, ["a@x.org"])
    assert error.value.where == f"{key}, line 1"
    assert (key.stat().st_mode & 0o777, key.read_text()) == (0o664, "# Notes\n")


def test_no_key_file_is_made_for_nobody(key: Path) -> None:
    assert assign(key, []) == {}
    assert not key.exists()


@pytest.mark.parametrize(
    "line",
    [
        '{"email": "b@x.org", "na',
        '{"email": "b@x.org"}',
        '{"email": "b@x.org", "name": "Bob"}',
        '{"email": "b@x.org", "name": "reviewer-02", "more": 1}',
        '{"email": "b@x.org", "name": "reviewer-01"}',
        '{"email": "a@x.org", "name": "reviewer-02"}',
        "b@x.org reviewer-02",
    ],
)
def test_a_key_file_that_is_torn_or_changed_is_refused_with_the_line(key: Path, line: str) -> None:
    assign(key, ["a@x.org"])
    spoilt = key.read_text() + line
    key.write_text(spoilt)
    with pytest.raises(InputError) as error:
        assign(key, ["c@x.org"])
    assert error.value.where.startswith(f"{key}, line 2")
    assert "x.org" not in str(error.value)
    assert key.read_text() == spoilt


def test_two_processes_do_not_write_it_at_once(key: Path) -> None:
    assign(key, ["a@x.org"])
    with key.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another"):
            assign(key, ["b@x.org"])


def test_a_full_disk_leaves_the_key_file_as_it_was(key: Path) -> None:
    assign(key, ["a@x.org"])
    before = key.read_bytes()
    resource_limited = (
        "import sys; from pathlib import Path; from dilemmas.review.pseudonyms import assign\n"
        "assign(Path(sys.argv[1]), [f'{n}@x.org' for n in range(50)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", resource_limited, str(key)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "InputError" in done.stderr
    assert key.read_bytes() == before
