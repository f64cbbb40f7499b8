"""What is different between two releases, for people and for scripts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from releases import FIRST, REVIEWED, SECOND, copied, edited, two_releases
from spoil import SCENARIO, TEXTS, spoilt

from dilemmas import dataset
from dilemmas.cli.release import diff as command_module
from dilemmas.errors import InputError
from dilemmas.release import build, diff, layout

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two releases; not to be changed."""
    return two_releases(tmp_path_factory.mktemp("built"))


def test_people_see_what_came_what_went_and_which_words_changed(releases: Path, here: Run) -> None:
    done = here("release", "diff", str(releases / "0.1.0"), str(releases / "0.2.0"))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "change   major: 1 added, 1 removed, 1 changed" in lines
    assert "version  0.2.0 or later, after 0.1.0" in lines
    assert "added  loyal-politics" in lines
    assert "removed  helpful-work" in lines
    assert "changed  honest-leisure" in lines
    assert "  revision: [-1-]{+2+}" in lines
    scenario = next(line for line in lines if line.startswith("  scenario: "))
    assert "on a [-wide-]{+narrow+} lake." in scenario
    assert scenario.count("[-") == 1
    assert "aligned_strong" not in done.stdout


def test_scripts_get_all_of_it_as_json(releases: Path, here: Run) -> None:
    told = json.loads(here("release", "diff", str(releases / "0.1.0"), str(releases / "0.2.0"), "--json").stdout)
    assert told["old"] == {"name": str(releases / "0.1.0"), "version": "0.1.0", "dilemmas": 2}
    assert (told["kind"], told["asks_for"], told["objection"]) == ("major", "0.2.0", None)
    assert (told["added"], told["removed"], told["changed"]) == (
        ["loyal-politics"], ["helpful-work"], ["honest-leisure"]
    )  # fmt: skip
    changed = {change["field"]: change for change in told["changes"]["honest-leisure"]}
    assert set(changed) == {"scenario", "revision", "content_sha256"}
    assert changed["scenario"]["before"] == FIRST[0].scenario
    assert changed["scenario"]["after"] == SECOND[0].scenario


def test_a_release_is_no_different_from_itself(releases: Path) -> None:
    found = diff.diff(releases / "0.1.0", releases / "0.1.0")
    assert found.difference.kind == "none"
    assert found.changes == {}
    assert found.files == []
    assert "nothing changed" in found.objection


def test_a_version_that_the_difference_does_not_allow_is_told(releases: Path, tmp_path: Path, here: Run) -> None:
    later = copied(releases / "0.2.0", tmp_path)
    edited(later, layout.MANIFEST, '"version": "0.2.0"', '"version": "0.1.1"')
    done = here("release", "diff", str(releases / "0.1.0"), str(later))
    assert "wrong    version 0.1.1: the change since 0.1.0 is major" in done.stdout


def test_other_files_that_differ_are_named(releases: Path, tmp_path: Path) -> None:
    other = edited(copied(releases / "0.1.0", tmp_path), layout.LICENSE, "a", "b")
    assert diff.diff(releases / "0.1.0", other).files == [layout.LICENSE]


def test_a_release_is_held_against_a_file_before_the_next_one_is_built(releases: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    dataset.write(path, (*reversed(FIRST), spoilt(id="honest-politics", topic="Politics")))
    found = diff.diff(releases / "0.1.0", path)
    assert found.difference.added == ["honest-politics"]
    assert (found.difference.kind, str(found.asks_for)) == ("minor", "0.1.1")
    assert found.changes == {}
    assert found.as_json()["new"]["version"] is None


def test_relabelling_and_metadata_are_told_apart(tmp_path: Path, here: Run) -> None:
    swapped = {0: TEXTS[1], 1: TEXTS[0]}
    dataset.write(tmp_path / "a.jsonl", (spoilt(), spoilt(id="honest-work")))
    dataset.write(tmp_path / "b.jsonl", (spoilt(texts=swapped), spoilt(id="honest-work", reasons={0: "Or so."})))
    lines = here("release", "diff", "a.jsonl", "b.jsonl").stdout.splitlines()
    assert "relabelled  honest-leisure" in lines
    assert "metadata  honest-work" in lines
    assert "  aligned_strong_rationale: " in "".join(line[:28] for line in lines)


def test_a_release_that_was_changed_is_not_compared(releases: Path, tmp_path: Path, here: Run) -> None:
    other = copied(releases / "0.1.0", tmp_path)
    (other / layout.README).write_text("x", encoding="utf-8")
    assert here("release", "diff", str(releases / "0.2.0"), str(other)).returncode == 2


def test_a_line_that_is_no_dilemma_is_named(releases: Path, tmp_path: Path) -> None:
    other = edited(copied(releases / "0.1.0", tmp_path), layout.NESTED, '"value": "Helpful"', '"worth": "Helpful"')
    with pytest.raises(InputError) as refused:
        diff.diff(other, releases / "0.2.0")
    assert refused.value.where == f"{other / layout.NESTED}, line 2, field value"


def test_a_text_with_a_line_separator_is_one_record(tmp_path: Path) -> None:
    one = spoilt(scenario=SCENARIO.replace(". ", ".\u2028", 1), **REVIEWED)
    dataset.write(tmp_path / "mine.jsonl", (one,))
    folder, _ = build.build(tmp_path / "mine.jsonl", "0.1.0", tmp_path, date="2026-11-21")
    assert diff.diff(folder, tmp_path / "mine.jsonl").difference.kind == "none"


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_words_that_stay_and_go_are_the_old_text_and_those_that_stay_and_come_the_new(old: str, new: str) -> None:
    pieces = diff.words(old, new)
    assert "".join(piece.text for piece in pieces if piece.what != "new") == old
    assert "".join(piece.text for piece in pieces if piece.what != "gone") == new


def test_a_text_that_steers_a_terminal_is_shown_without_its_codes() -> None:
    assert "\x1b" not in command_module._line(diff.Change("scenario", "a \x1b[31m", "b \x1b[0m")).plain
