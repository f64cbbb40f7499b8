"""Pushing a release, by the hub's own library, to a hub on loopback."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from release_hub import TOKEN, Hub, Repository, hub
from releases import copied, two_releases

from dilemmas.release import layout, push

Run = Callable[..., subprocess.CompletedProcess[str]]
TO = ("--to", "hf:lab/dilemmas")


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two releases; not to be changed."""
    return two_releases(tmp_path_factory.mktemp("built"))


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub, and a shell that knows its address and a token for it."""
    with hub() as here:
        monkeypatch.setenv("HF_ENDPOINT", here.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        # What the library read from the shell when it was imported.
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
        yield here


def contents(release: Path) -> dict[str, bytes]:
    return {path.relative_to(release).as_posix(): path.read_bytes() for path in release.rglob("*") if path.is_file()}


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--yes", "--dry-run"), ("--public",)])
def test_without_yes_nothing_is_asked_and_all_that_would_be_sent_is_told(
    releases: Path, there: Hub, here: Run, options: tuple[str, ...]
) -> None:
    done = here("release", "push", str(releases / "0.1.0"), *TO, *options)
    assert done.returncode == 0
    assert there.asked == []
    files = contents(releases / "0.1.0")
    assert all(f"{len(data):>12,}  {name}" in done.stdout for name, data in files.items())
    assert f"{sum(map(len, files.values())):,}  bytes in {len(files)} files" in done.stdout
    assert f"{there.url}/datasets/lab/dilemmas" in done.stdout
    assert ("everybody" if "--public" in options else "its owner only") in done.stdout
    assert "Nothing was sent." in done.stdout


def test_a_dry_run_needs_no_token(releases: Path, there: Hub, here: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert here("release", "push", str(releases / "0.1.0"), *TO).returncode == 0


def test_a_first_version_makes_a_private_repository_and_tags_the_commit(releases: Path, there: Hub, here: Run) -> None:
    done = here("release", "push", str(releases / "0.1.0"), *TO, "--yes")
    assert done.returncode == 0, done.stderr
    made = there.repositories["lab/dilemmas"]
    assert made.private
    assert {name: data for name, data in made.files.items() if name != ".gitattributes"} == contents(releases / "0.1.0")
    assert made.tags == {"v0.1.0": made.commits[-1]}
    assert len(made.commits) == 2
    assert "the card could say more" in done.stdout
    assert TOKEN not in done.stdout + done.stderr


def test_the_next_version_replaces_the_files_and_removes_those_it_lacks(releases: Path, there: Hub, here: Run) -> None:
    here("release", "push", str(releases / "0.1.0"), *TO, "--yes", "--public")
    made = there.repositories["lab/dilemmas"]
    assert not made.private
    made.files["data/judgements.parquet"] = b"PAR1"
    done = here("release", "push", str(releases / "0.2.0"), *TO, "--yes", "--public", "--json")
    told = json.loads(done.stdout)
    assert (told["sent"], told["created"], told["tag"]) == (True, False, "v0.2.0")
    assert told["removed"] == ["data/judgements.parquet"]
    assert {name for name in made.files if name != ".gitattributes"} == set(contents(releases / "0.2.0"))
    assert list(made.tags) == ["v0.1.0", "v0.2.0"]
    assert made.tags["v0.2.0"] == told["commit"] == made.commits[-1]


def test_a_push_that_broke_before_its_tag_is_ended_by_the_same_command(releases: Path, there: Hub, here: Run) -> None:
    there.broken["/tag/"] = 403
    assert here("release", "push", str(releases / "0.1.0"), *TO, "--yes").returncode == 2
    made = there.repositories["lab/dilemmas"]
    assert made.tags == {}
    there.broken.clear()
    done = here("release", "push", str(releases / "0.1.0"), *TO, "--yes")
    assert done.returncode == 0, done.stderr
    assert len(made.commits) == 2  # the second time there was nothing left to commit
    assert made.tags == {"v0.1.0": made.commits[-1]}


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_a_version_that_is_out_is_never_sent_again(releases: Path, there: Hub, here: Run) -> None:
    there.repositories["lab/dilemmas"] = Repository(True, tags={"v0.1.0": "0" * 40})
    refused(here("release", "push", str(releases / "0.1.0"), *TO, "--yes"), "version 0.1.0 is there already")
    assert {method for method, _ in there.asked} == {"GET"}


def test_an_earlier_version_does_not_follow_a_later_one(releases: Path, there: Hub, here: Run) -> None:
    there.repositories["lab/dilemmas"] = Repository(True, tags={"v0.10.0": "0" * 40, "draft": "0" * 40})
    refused(here("release", "push", str(releases / "0.2.0"), *TO, "--yes"), "0.10.0, which is later")
    assert {method for method, _ in there.asked} == {"GET"}


def test_a_repository_with_something_else_is_left_alone(releases: Path, there: Hub, here: Run) -> None:
    there.repositories["lab/dilemmas"] = Repository(True, files={"train.csv": b"a"})
    refused(here("release", "push", str(releases / "0.1.0"), *TO, "--yes"), "holds something else: train.csv")
    assert there.repositories["lab/dilemmas"].files == {"train.csv": b"a"}


@pytest.mark.parametrize(("private", "options"), [(False, ()), (True, ("--public",))])
def test_who_sees_a_repository_is_never_other_than_said(
    releases: Path, there: Hub, here: Run, private: bool, options: tuple[str, ...]
) -> None:
    there.repositories["lab/dilemmas"] = Repository(private)
    refused(here("release", "push", str(releases / "0.1.0"), *TO, "--yes", *options), "--public")
    assert {method for method, _ in there.asked} == {"GET"}


def test_another_owners_place_is_refused(releases: Path, there: Hub, here: Run) -> None:
    done = here("release", "push", str(releases / "0.1.0"), "--to", "hf:others/dilemmas", "--yes")
    refused(done, "may not write to others", "403")


@pytest.mark.parametrize("exists", [True, False])
def test_a_token_that_the_hub_does_not_know_is_refused_and_not_repeated(
    releases: Path, there: Hub, here: Run, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    other = "hf_" + "z9Y8x7" * 6
    monkeypatch.setenv("HF_TOKEN", other)
    if exists:
        there.repositories["lab/dilemmas"] = Repository(True)
    done = here("release", "push", str(releases / "0.1.0"), *TO, "--yes")
    refused(done, "does not know the token", "HF_TOKEN")
    assert other not in done.stdout + done.stderr


def test_a_token_that_a_hub_sends_back_is_struck_out(releases: Path, there: Hub, here: Run) -> None:
    there.broken["/refs"] = 418
    there.repositories["lab/dilemmas"] = Repository(True)
    refused(here("release", "push", str(releases / "0.1.0"), *TO, "--yes"), "418", "[key]")


def test_without_a_token_nothing_is_asked(
    releases: Path, there: Hub, here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    refused(here("release", "push", str(releases / "0.1.0"), *TO, "--yes"), "there is no token", "HF_TOKEN")
    assert there.asked == []


def test_a_hub_that_is_not_there_is_told(
    releases: Path, there: Hub, here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    refused(here("release", "push", str(releases / "0.1.0"), *TO, "--yes"), "cannot be reached", "HF_ENDPOINT")


def test_a_token_does_not_travel_unencrypted(
    releases: Path, there: Hub, here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example.org")
    refused(here("release", "push", str(releases / "0.1.0"), *TO, "--yes"), "HF_ENDPOINT", "https")


def test_a_release_that_was_changed_is_not_sent(releases: Path, there: Hub, here: Run, tmp_path: Path) -> None:
    other = copied(releases / "0.1.0", tmp_path)
    (other / layout.README).write_text("x", encoding="utf-8")
    refused(here("release", "push", str(other), *TO, "--yes"), "README.md was changed")
    assert there.asked == []


@pytest.mark.parametrize(
    "to", ["lab/dilemmas", "hf:dilemmas", "hf:lab/", "hf:../x", "hf:lab/a--b", "hf:lab/x.git", "s3:a/b"]
)
def test_a_target_is_one_repository_of_a_hub(releases: Path, there: Hub, here: Run, to: str) -> None:
    refused(here("release", "push", str(releases / "0.1.0"), "--to", to), "hf:OWNER/NAME")


def test_a_plan_says_what_people_have_not_reviewed(releases: Path) -> None:
    planned = push.plan(releases / "0.1.0", "hf:lab/dilemmas")
    assert (planned.caveat, planned.tag, planned.private) == ("", "v0.1.0", True)
