"""Verifying a release: what holds for one that was built, and what each check finds in one that was spoilt."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from releases import copied, edited, sealed, two_releases
from spoil import spoilt

from dilemmas import dataset
from dilemmas.errors import InputError
from dilemmas.release import build, inside, intact, layout, leaks, lint, loading
from dilemmas.release import verify as verifying
from dilemmas.resources import data_file

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release as it was built; not to be changed."""
    return two_releases(tmp_path_factory.mktemp("built")) / "0.1.0"


@pytest.fixture
def release(built: Path, tmp_path: Path) -> Path:
    """A release that may be spoilt."""
    return copied(built, tmp_path)


def problems(folder: Path, check: str, *names: str) -> tuple[str, ...]:
    """What one of the checks finds that need no library of others."""
    return verifying.look(check, verifying.Opened(intact.read(folder), names)).problems


def test_a_built_release_holds_in_every_check_and_stays_as_it_was(built: Path, here: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*")}
    done = here("release", "verify", str(built))
    assert done.returncode == 0, done.stdout
    assert "FAILS" not in done.stdout
    for name in ("checksums", *verifying.CHECKS, *loading.LIBRARIES):
        assert f"holds  {name} " in done.stdout
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*")} == before


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def stray(path: Path) -> None:
    (path.parent / "notes.txt").write_text("mine", encoding="utf-8")


def link(path: Path) -> None:
    target = path.rename(path.with_name("elsewhere"))
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (append, "data/dilemmas.jsonl was changed"),
        (Path.unlink, "data/dilemmas.jsonl is missing"),
        (stray, "data/notes.txt is in no list"),
        (link, "data/dilemmas.jsonl is a link"),
        (lambda path: (path.parent / "more").mkdir(), "data/more/ is empty"),
        (lambda path: (path.parent / "more").symlink_to("/"), "data/more is a link"),
        (lambda path: os.mkfifo(path.parent / "more"), "data/more is a special file"),
    ],
)
def test_a_folder_that_is_not_as_it_was_built_ends_in_2(
    release: Path, here: Run, spoil: Callable[[Path], object], told: str
) -> None:
    spoil(release / layout.NESTED)
    done = here("release", "verify", str(release))
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["../mine.jsonl", "/etc/passwd", "data//x", "./x", "data\\x", "SHA256SUMS", "C:x"])
def test_a_list_of_checksums_names_only_files_within_the_folder(release: Path, name: str) -> None:
    with (release / layout.SUMS).open("a", encoding="utf-8") as sums:
        sums.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(InputError, match="within the folder") as refused:
        intact.read(release)
    assert ", line " in refused.value.where


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, lambda path: path.write_text("x", encoding="utf-8")])
def test_what_is_no_release_ends_in_2(tmp_path: Path, here: Run, make: Callable[[Path], object]) -> None:
    make(tmp_path / "0.1.0")
    assert here("release", "verify", "0.1.0").returncode == 2


def test_coreutils_reads_the_checksums_as_we_do(built: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", layout.SUMS], cwd=built, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("check", "name", "old", "new", "told"),
    [
        ("layout", layout.MANIFEST, '"dilemmas": 2', '"dilemmas": 3', "counts"),
        ("schemas", layout.NESTED, '"intensity": "mild"', '"intensity": "meek"', "record 1"),
        ("schemas", layout.NESTED, '"topic": "Leisure', '"subject": "Leisure', "record 1"),
        ("tables", layout.NESTED, "wide lake", "wild lake", "scenario of honest-leisure"),
        ("tables", layout.NESTED, "Nothing is held back", "Much is held back", "aligned_strong_rationale"),
        ("tables", layout.NESTED, '"basic_value": "Benevolence"', '"basic_value": "Power"', "does not follow"),
        ("tables", layout.NESTED, '"id": "helpful-work"', '"id": "honest-leisure"', "stands twice"),
        ("canary", layout.NESTED, layout.CANARY_ID, "0", "without the canary"),
        ("canary", layout.README, layout.CANARY_ID, "0", "README.md"),
        ("private", layout.CHANGELOG, "0.1.0", "0.1.0 by jo@example.org", "CHANGELOG.md: an e-mail address"),
        ("caveat", layout.NESTED, '"status": "accepted"', '"status": "unreviewed"', "caveat does not go"),
        ("card", layout.README, "license: cc-by-4.0", "licence: cc-by-4.0", "licence: no field"),
        ("citation", layout.CITATION, "cff-version: 1.2.0", "cff-version: 1.3.0", "cff-version"),
        ("citation", layout.CITATION, "version: 0.1.0", "version: 0.1.1", "version: is not 0.1.0"),
        ("zenodo", layout.ZENODO, '"upload_type"', '"kind"', "upload_type: is not dataset"),
        ("tables", layout.NESTED, '"status": "accepted"', '"status": "revised"', "does not have the actions"),
        ("croissant", layout.CROISSANT, '"contentUrl": "data/', '"contentUrl": "../0.1.0/data/', "no plain path"),
    ],
)
def test_a_spoilt_file_is_found_though_its_checksum_was_made_anew(
    release: Path, check: str, name: str, old: str, new: str, told: str
) -> None:
    found = problems(edited(release, name, old, new), check)
    assert told in "; ".join(found)


@pytest.mark.parametrize("name", ["tool.py", "figures/tool.exe", "schemas/other.json"])
def test_a_file_that_no_release_has_is_found_though_it_has_a_checksum(release: Path, name: str) -> None:
    (release / name).write_text(f"# {layout.CANARY}", encoding="utf-8")
    assert problems(sealed(release), "layout") == (f"{name}: no file that a release has",)


def test_a_manifest_that_is_a_list_is_a_problem_and_no_crash(release: Path) -> None:
    (release / layout.MANIFEST).write_text(f'["{layout.CANARY}"]', encoding="utf-8")
    assert "cannot be told" in "; ".join(problems(sealed(release), "canary"))


def test_a_place_that_tells_of_fewer_unreviewed_dilemmas_than_there_are_is_found(tmp_path: Path) -> None:
    dataset.write(tmp_path / "mine.jsonl", (spoilt(), spoilt(id="honest-leisure-2")))
    folder, _ = build.build(tmp_path / "mine.jsonl", "0.1.0", tmp_path, date="2026-11-21", include_unreviewed=True)
    assert problems(folder, "caveat") == ()
    found = problems(edited(folder, layout.README, "2 of 2 dilemmas", "1 of 2 dilemmas"), "caveat")
    assert found == ('README.md: does not say "2 of 2 dilemmas are not yet reviewed by people"',)


def test_a_schema_that_points_elsewhere_fetches_nothing(release: Path) -> None:
    (release / "schemas" / "dilemma.json").write_text('{"$ref": "https://example.org/x.json"}', encoding="utf-8")
    assert "Unresolvable" in problems(sealed(release), "schemas")[0]


def test_a_column_that_is_gone_is_found_by_loading_where_the_metadata_look_well(release: Path) -> None:
    from pyarrow.parquet import read_table, write_table

    table = read_table(release / layout.ACTIONS)
    write_table(table.drop_columns(["rationale"]), release / layout.ACTIONS)
    sums = sealed(release) and intact.read(release).sums
    told = json.loads((release / layout.CROISSANT).read_text(encoding="utf-8"))
    for node in told["distribution"]:
        node["sha256"] = sums[node["contentUrl"]]
    (release / layout.CROISSANT).write_text(json.dumps(told), encoding="utf-8")
    assert problems(sealed(release), "croissant") == ()
    found = loading.load(release)
    assert found["mlcroissant"]
    assert "rationale" in found["mlcroissant"][0]
    assert found["pandas"] == []


def test_a_release_that_fails_ends_in_1_and_says_so_to_scripts(release: Path, here: Run) -> None:
    edited(release, layout.CROISSANT, '"contentUrl": "data/', '"contentUrl": "/data/')
    done = here("release", "verify", str(release), "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["holds"] is False
    failed = {check["name"] for check in told["checks"] if check["problems"]}
    assert failed == {"croissant", "private", *loading.LIBRARIES}  # an absolute path is also one of a machine
    assert "not tried" in next(check["problems"][0] for check in told["checks"] if check["name"] == "mlcroissant")


def test_people_are_found_by_name_and_address_and_not_repeated(release: Path, tmp_path: Path) -> None:
    key = tmp_path / "pseudonyms.jsonl"
    key.write_text('{"email":"jo.doe@lab.example","name":"reviewer-01"}\n', encoding="utf-8")
    names = leaks.names_in(key)
    assert problems(release, "private", *names) == ()
    found = problems(edited(release, layout.CHANGELOG, "0.1.0", "0.1.0, thanks to Jo\nDoe"), "private", *names)
    assert len(found) == 1
    assert found[0].startswith("CHANGELOG.md: a name of the given file")
    assert "Doe" not in found[0]


def test_a_name_in_a_table_is_found_too(built: Path) -> None:
    opened = intact.read(built)
    assert leaks.found_in(inside.words(opened, layout.DILEMMAS), ["tomas"])
    assert leaks.found_in(inside.words(opened, layout.DILEMMAS), ["oma"]) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("jo@example.org", "e-mail"),
        (f"hf_{'a1' * 17}", "key"),
        (f"sk-proj-{'a1' * 12}", "key"),
        (f"AKIA{'A1' * 8}", "key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "key"),
        (f"Authorization: Bearer {'a1' * 12}", "key"),
        ("/home/jo/x.jsonl", "path"),
        ("read from /Users/jo", "path"),
        (r"C:\\Users\\jo", "path"),
        ("file:///x", "path"),
        ("~/x", "path"),
        ("http://192.168.1.7:8080", "local network"),
    ],
)
def test_what_must_not_be_in_a_file_is_found_and_not_repeated(text: str, told: str) -> None:
    found = leaks.found_in(f"A first line.\n{text}\n")
    assert any(told in one and one.endswith("(line 2)") for one in found)
    assert not any(text in one for one in found)


@pytest.mark.parametrize(
    "text",
    ["https://example.org/home/page", "either/or", "10.1016/S0065-2601(08)60281-6", "data/dilemmas.jsonl",
     '"@type": "sc:Dataset"', "doi:10.48550/arXiv.2206.04615", "version 10.2.0", "at home/work", "5 @ 3 coins"],
)  # fmt: skip
def test_plain_words_addresses_and_paths_of_the_release_are_nobodys_secret(text: str) -> None:
    assert leaks.found_in(text) == []


def test_a_list_of_names_that_would_be_in_any_text_is_refused(tmp_path: Path) -> None:
    for text in ("Al\n", "\n"):
        (tmp_path / "names").write_text(text, encoding="utf-8")
        with pytest.raises(InputError):
            leaks.names_in(tmp_path / "names")


def card(built: Path, **fields: Any) -> list[str]:
    """What is wrong with a release's card with other front matter; a field that is None is left out."""
    front, body = (built / layout.README).read_text(encoding="utf-8").removeprefix("---\n").split("\n---\n", 1)
    told = {name: held for name, held in {**yaml.safe_load(front), **fields}.items() if held is not None}
    return lint.card(f"---\n{yaml.safe_dump(told)}---\n{body}", intact.read(built).files, 2)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"language": [False]}, "language: false is no text"),  # what YAML 1.1 makes of `no`
        ({"language": ["english"]}, "language"),
        ({"tags": ["values", 45045]}, "tags: 45045 is no text"),
        ({"license": "mit"}, "license"),
        ({"pretty_name": None}, "pretty_name: is missing"),
        ({"size_categories": ["1K<n<10K"]}, "size_categories: 2 dilemmas are n<1K"),
        ({"task_categories": ["ethics"]}, "task_categories"),
        ({"homepage": "x"}, "homepage: no field"),
        ({"configs": []}, "configs"),
        ({"configs": [{"config_name": "dilemmas", "data_files": "data/*"}]}, "configs"),
    ],
)
def test_front_matter_is_held_against_what_the_hub_knows(built: Path, fields: dict[str, Any], told: str) -> None:
    assert card(built) == []
    assert any(told in one for one in card(built, **fields))


@pytest.mark.parametrize(
    ("body", "told"),
    [("## Uses\n\n## Distribution\n\nHere.", 'nothing stands under "Uses"'), ("It has {{ n }} items.", "open place"),
     ("It has nan items.", "open place"), ("Nothing.", "no section on motivation")],
)  # fmt: skip
def test_a_card_has_all_its_sections_and_none_of_them_is_empty(body: str, told: str) -> None:
    assert any(told in one for one in lint.card(f"---\nlicense: cc-by-4.0\n---\n{body}", [], 2))


def test_the_fields_of_a_card_are_at_least_those_of_the_hubs_own_library() -> None:
    from huggingface_hub import DatasetCardData

    known = {name.replace("train_eval_index", "train-eval-index") for name in signature(DatasetCardData).parameters}
    assert known - {"ignore_metadata_errors", "kwargs"} <= {*lint.TEXT_LISTS, *lint.OTHER_FIELDS}


def test_the_schema_of_citations_is_the_one_that_its_notice_names() -> None:
    data = data_file("cff-1.2.0.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() in data_file("NOTICE.md").read_text(encoding="utf-8")
    Draft7Validator.check_schema(lint.cff_schema())


def test_a_card_without_front_matter_is_told_as_one() -> None:
    for text in ("# Title", "---\n- a\n---\nx", "---\na: [\n---\nx"):
        assert len(lint.card(text, [], 2)) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        {"@context": ["https://schema.org", {}]},
        {"@context": {"@import": "https://example.org"}},
        {"distribution": [{"contentUrl": "data/x", "sha256": "0", "containedIn": {"@id": "zip"}}]},
        {"distribution": [{"@type": "cr:FileSet", "contentUrl": "data/x", "sha256": "0"}]},
        {"distribution": [{"contentUrl": "https://example.org/x", "sha256": "0"}]},
        {"distribution": [{"contentUrl": "data/x", "sha256": "1"}]},
        {"distribution": {}},
        {"recordSet": [{"source": {"https://schema.org/contentUrl": "../secret"}}]},
        {"version": "9.9.9"},
    ],
)
def test_croissant_that_would_reach_outside_the_folder_is_never_opened(spoil: dict[str, Any]) -> None:
    good = {"@context": {}, "version": "0.1.0", "distribution": [{"contentUrl": "data/x", "sha256": "0"}]}
    assert lint.croissant(good, {"data/x": "0"}, "0.1.0") == []
    assert lint.croissant({**good, **spoil}, {"data/x": "0"}, "0.1.0")


def test_the_process_that_loads_reaches_no_network() -> None:
    code = (
        "import sys, socket\nfrom dilemmas.release import loading\nsys.addaudithook(loading.refuse_network)\n"
        "socket.create_connection(('127.0.0.1', 9))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "reached for the network" in done.stderr
