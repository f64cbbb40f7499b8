"""A release's folder: what is in it, that it is the same every time, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pyarrow.parquet as pq
import pytest
import typer
from releases import edited
from typer.testing import CliRunner

from dilemmas import dataset
from dilemmas.cli.release import build as command
from dilemmas.errors import InputError
from dilemmas.personas import built_in
from dilemmas.release import build as building
from dilemmas.release import evidence, layout
from dilemmas.review import rounds
from dilemmas.schema import PLACES, Dilemma, Judgement, Review, Round

DAY = "2026-11-21"
SHIPPED = dataset.read(dataset.shipped_path()).dilemmas
Write = Callable[..., Path]


def reviewed(count: int = 6, status: str = "accepted") -> list[Dilemma]:
    """The first dilemmas as if people had judged them."""
    return [one.model_copy(update={"review": Review(status=status, reviewers=2)}) for one in SHIPPED[:count]]


def verdict(dilemma: Dilemma, reviewer: str, **fields: Any) -> Judgement:
    """A person's verdict who saw the labels and says that they hold."""
    labels = [{"polarity": polarity, "intensity": intensity, "verdict": "matches"} for polarity, intensity in PLACES]
    told = {"dilemma": dilemma.id, "revision": dilemma.revision, "text_sha256": dilemma.text_sha256, "kind": "person",
            "reviewer": reviewer, "decision": "accept", "verdicts": labels, "harmless": True,
            "comment": "Zoltan lives there", "seconds": 61.5, "created": "2026-11-20T09:00:00Z"}  # fmt: skip
    return Judgement.model_validate(told | fields)


def sorting(dilemma: Dilemma, repeat: int = 0, *, swapped: bool = False, **fields: Any) -> Judgement:
    """A machine's reading that puts every action in its place, or the two strong ones each in the other's."""
    order = [*PLACES[::-1]] if swapped else [*PLACES]
    judged = [order[at] if at in (0, 5) else PLACES[at] for at in range(6)]
    placed = [
        {"polarity": own[0], "intensity": own[1], "judged_polarity": seen[0], "judged_intensity": seen[1]}
        for own, seen in zip(PLACES, judged, strict=True)
    ]
    told = {"dilemma": dilemma.id, "revision": dilemma.revision, "text_sha256": dilemma.text_sha256, "kind": "machine",
            "reviewer": "judge-1", "repeat": repeat, "placements": placed}  # fmt: skip
    return Judgement.model_validate(told | fields)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write dilemmas, and what stands beside them, and give the path."""

    def to(dilemmas: list[Dilemma], name: str = "mine", **beside: list[Any]) -> Path:
        path = tmp_path / f"{name}.jsonl"
        dataset.write(path, tuple(dilemmas))
        for what, lines in beside.items():
            texts = [json.dumps(one) if isinstance(one, dict) else one.model_dump_json() for one in lines]
            dataset.beside(path, what).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        return path

    return to


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of the shipped dilemmas, which nobody has reviewed."""
    out = tmp_path_factory.mktemp("shipped")
    return building.build(dataset.shipped_path(), "0.1.0", out, date=DAY, include_unreviewed=True)[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_has_every_file_and_each_has_the_mark(shipped: Path) -> None:
    files = contents(shipped)
    assert set(layout.REQUIRED) <= set(files)
    assert set(files) - set(layout.REQUIRED) >= {layout.JUDGEMENTS, layout.PLAN}
    without = [name for name, data in files.items() if layout.CANARY.encode() not in data]
    assert not without


def test_the_checksums_are_those_of_all_other_files(shipped: Path) -> None:
    listed = [line for line in (shipped / layout.SUMS).read_text().splitlines() if not line.startswith("#")]
    told = {name: digest for digest, _, name in (line.partition("  ") for line in listed)}
    files = contents(shipped)
    del files[layout.SUMS]
    assert told == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_the_same_input_gives_the_same_bytes(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("USER", "somebody")
    copy = tmp_path / "elsewhere" / dataset.SHIPPED
    shutil.copytree(dataset.shipped_path().parent, copy.parent)
    again, _ = building.build(copy, "0.1.0", tmp_path / "out", date=DAY, include_unreviewed=True)
    there, here = contents(shipped), contents(again)
    assert [name for name in there if there[name] != here.get(name)] == []
    assert set(there) == set(here)


def test_every_line_and_row_fits_its_schema(shipped: Path) -> None:
    for name, schema_name in layout.SCHEMA_OF.items():
        path = shipped / name
        if not path.exists():
            continue
        schema = json.loads((shipped / schema_name).read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        check = jsonschema.Draft202012Validator(schema)
        rows = pq.read_table(path).to_pylist() if path.suffix == ".parquet" else None
        text = path.read_text(encoding="utf-8") if rows is None else ""
        for row in rows or ([json.loads(text)] if path.suffix == ".json" else map(json.loads, text.split("\n")[:-1])):
            check.validate(row)


def test_tables_and_lines_say_the_same(shipped: Path) -> None:
    flat = pd.read_parquet(shipped / layout.DILEMMAS).set_index("id")
    actions = pd.read_parquet(shipped / layout.ACTIONS)
    lines = [json.loads(line) for line in (shipped / layout.NESTED).read_text(encoding="utf-8").splitlines()]
    assert list(flat.index) == [one["id"] for one in lines] == [one.id for one in SHIPPED]
    assert len(actions) == 6 * len(flat)
    for line, dilemma in zip(lines, SHIPPED, strict=True):
        row = flat.loc[line["id"]]
        assert row["content_sha256"] == line["derived"]["content_sha256"] == dilemma.text_sha256
        own = actions[actions["id"] == dilemma.id]
        assert own["score"].tolist() == [1, 0.6, 0.2, -0.2, -0.6, -1]
        for (polarity, intensity), text in zip(PLACES, own["text"], strict=True):
            assert row[f"{polarity}_{intensity}"] == text == dilemma.action(polarity, intensity).text
    assert pq.read_schema(shipped / layout.DILEMMAS).metadata[b"canary"].decode() == layout.CANARY


def test_personas_are_the_built_in_ones(shipped: Path) -> None:
    personas = pd.read_parquet(shipped / layout.PERSONAS).set_index("id")
    assert personas["sets"].str.split(", ").explode().value_counts().to_dict() == {
        "twelve": 12, "three": 3, "moderate": 4, "max": 4, "incongruous": 4,
    }  # fmt: skip
    for one in built_in()["twelve"]:
        row = personas.loc[one.id]
        assert {name: row[name.replace(" ", "_")] for name in one.variables} == one.variables


def test_unreviewed_dilemmas_are_left_out_and_named(write: Write, tmp_path: Path) -> None:
    some = [*reviewed(3), *SHIPPED[3:5], *reviewed(6, "rejected")[5:]]
    folder, _ = building.build(write(some), "1.0.0", tmp_path / "out", date=DAY)
    manifest = json.loads((folder / layout.MANIFEST).read_text())
    assert manifest["counts"]["dilemmas"] == 3
    assert manifest["caveat"] == ""
    assert manifest["left_out"] == {
        "rejected": [SHIPPED[5].id],
        "unreviewed": [SHIPPED[3].id, SHIPPED[4].id],
    }


def test_rejected_dilemmas_are_left_out_even_with_unreviewed_ones(write: Write, tmp_path: Path) -> None:
    path = write([*reviewed(1), SHIPPED[1], *reviewed(3, "rejected")[2:]])
    _, found = building.build(path, "1.0.0", tmp_path / "out", date=DAY, include_unreviewed=True)
    assert [one.id for one in found.dilemmas] == [SHIPPED[0].id, SHIPPED[1].id]


def test_judgements_are_released_under_pseudonyms_without_times_and_comments(write: Write, tmp_path: Path) -> None:
    some = reviewed(2)
    source = some[1].provenance.model_copy(
        update={"kind": "person", "author": "reviewer-02", "method": "revised in review: Zoltan says so"}
    )
    some[1] = some[1].model_copy(update={"provenance": source})
    said = [
        verdict(some[0], "reviewer-01"),
        verdict(some[0], "reviewer-02", decision="revise"),
        verdict(some[1], "reviewer-01"),
        verdict(some[1], "reviewer-02", state="draft"),
        sorting(some[0]),
        sorting(some[0], repeat=1, swapped=True),
    ]
    folder, found = building.build(write(some, judgements=said), "1.0.0", tmp_path / "out", date=DAY)
    rows = pd.read_parquet(folder / layout.JUDGEMENTS)
    assert set(rows["reviewer"]) == {"reviewer-01", "reviewer-02", "judge-1"}
    assert not {"seconds", "created", "comment"} & set(rows.columns)
    assert b"Zoltan" not in b"".join(contents(folder).values())
    assert (rows["criterion"] == "decision").sum() == 3
    assert (rows["criterion"] == "place").sum() == 12
    assert found.evidence.not_counted == 1

    flat = pd.read_parquet(folder / layout.DILEMMAS).set_index("id")
    first, second = flat.loc[some[0].id], flat.loc[some[1].id]
    assert (first["people_reviewers"], first["people_decision_agreement"], first["people_labels_hold"]) == (2, 0, 1)
    assert pd.isna(second["people_decision_agreement"])  # a single one agrees with nobody
    assert (first["machine_readings"], first["machine_side"]) == (2, 10 / 12)  # 2 of 12 placements on the other side
    assert pd.isna(second["machine_side"])
    actions = pd.read_parquet(folder / layout.ACTIONS).query("id == @some[0].id")
    assert actions["people_hold"].tolist() == [2] * 6
    assert actions["machines_hold"].tolist() == [1, 2, 2, 2, 2, 1]


def test_comments_come_only_where_they_are_wanted(write: Write, tmp_path: Path) -> None:
    (one,) = reviewed(1)
    path = write([one], judgements=[verdict(one, "reviewer-01")], plan=[{"id": "a-work", "value": "Honest"}])
    folder, _ = building.build(path, "1.0.0", tmp_path / "out", date=DAY, with_comments=True)
    assert "Zoltan lives there" in set(pd.read_parquet(folder / layout.JUDGEMENTS)["answer"])
    # and a plan that stands beside the dataset is released
    assert json.loads((folder / layout.PLAN).read_text()) == {
        "id": "a-work", "value": "Honest", "canary": layout.CANARY,
    }  # fmt: skip


def test_a_reading_of_an_earlier_text_is_not_taken_for_one_of_the_present_text(write: Write, tmp_path: Path) -> None:
    (now,) = reviewed(1)
    then = now.model_copy(update={"scenario": now.scenario.replace("father", "mother")})
    path = write([now], judgements=[sorting(then)], history=[then])
    with pytest.raises(InputError, match="an earlier text"):
        building.build(path, "1.0.0", tmp_path / "out", date=DAY)
    raised = now.model_copy(update={"revision": 2})
    folder, _ = building.build(write([raised]), "1.0.0", tmp_path / "out", date=DAY)
    assert pd.read_parquet(folder / layout.DILEMMAS)["machine_readings"].isna().all()


def test_a_plan_tells_nothing_of_dilemmas_that_are_left_out(write: Write, tmp_path: Path) -> None:
    some = [*reviewed(2)[:1], *reviewed(2, "rejected")[1:]]
    folder, _ = building.build(write(some, plan=[{"id": one.id} for one in some]), "1.0.0", tmp_path / "out", date=DAY)
    assert [json.loads(line)["id"] for line in (folder / layout.PLAN).read_text().splitlines()] == [some[0].id]


@pytest.mark.parametrize("line", ['{"place": "\\ud800"}', '{"weight": NaN}', "[1]"])
def test_a_plan_with_what_is_no_json_is_refused(write: Write, tmp_path: Path, line: str) -> None:
    path = write(reviewed(1))
    dataset.beside(path, "plan").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match="no JSON object"):
        building.build(path, "1.0.0", tmp_path / "out", date=DAY)
    assert not (tmp_path / "out").exists()


def test_a_dataset_whose_name_is_no_utf8_is_released(write: Write, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/na\xefme.jsonl"))
    odd.write_bytes(write(reviewed(1)).read_bytes())
    folder, _ = building.build(odd, "1.0.0", tmp_path / "out", date=DAY)
    assert json.loads((folder / layout.MANIFEST).read_text())["dataset"] == "na?me.jsonl"


def test_an_earlier_release_with_another_manifest_is_told_as_one(write: Write, tmp_path: Path) -> None:
    some = reviewed(2)
    first, _ = building.build(write(some[:1]), "1.0.0", tmp_path / "out", date=DAY)
    edited(first, layout.MANIFEST, '"retired"', '"pensioned"')
    with pytest.raises(InputError) as refused:
        building.build(write(some), "1.1.0", tmp_path / "out", date=DAY)
    assert refused.value.where == f"{first / layout.MANIFEST}, field retired"


def test_versions_follow_one_another(write: Write, tmp_path: Path) -> None:
    out = tmp_path / "out"
    some = reviewed(4)
    building.build(write(some[:3]), "1.0.0", out, date=DAY)
    with pytest.raises(InputError) as there:
        building.build(write(some[:3]), "1.0.0", out, date=DAY)
    assert "1.0.0" in there.value.where

    with pytest.raises(InputError, match=r"1\.1\.0"):  # an item more is a minor change
        building.build(write(some), "1.0.1", out, date=DAY)
    folder, found = building.build(write(some), "1.1.0", out, date=DAY)
    assert found.difference is not None
    assert found.difference.added == [some[3].id]
    changes = (folder / layout.CHANGELOG).read_text()
    assert changes.index("## 1.1.0") < changes.index("## 1.0.0")
    assert changes.count(layout.CANARY) == 1
    assert sorted(path.name for path in out.iterdir()) == ["1.0.0", "1.1.0"]


def test_an_id_that_was_gone_never_comes_back_as_something_else(write: Write, tmp_path: Path) -> None:
    out = tmp_path / "out"
    some = reviewed(2)
    building.build(write(some), "1.0.0", out, date=DAY)
    _, found = building.build(write(some[:1]), "2.0.0", out, date=DAY)
    assert list(found.retired) == [some[1].id]
    other = some[1].model_copy(update={"topic": some[0].topic})
    with pytest.raises(InputError, match=some[1].id):
        building.build(write([some[0], other]), "2.1.0", out, date=DAY)


def test_a_release_that_was_changed_is_not_built_upon(write: Write, tmp_path: Path) -> None:
    folder, _ = building.build(write(reviewed(1)), "1.0.0", tmp_path / "out", date=DAY)
    with (folder / layout.NESTED).open("a") as stream:
        stream.write("\n")
    with pytest.raises(InputError, match=r"dilemmas\.jsonl was changed"):
        building.build(write(reviewed(2)), "1.1.0", tmp_path / "out", date=DAY)


ONE = SHIPPED[0]
OTHER_TEXT = {"text_sha256": "0" * 64}


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ({"judgements": [sorting(SHIPPED[9])]}, SHIPPED[9].id),
        ({"judgements": [sorting(ONE, revision=7)]}, "revision 7"),
        ({"judgements": [sorting(ONE, **OTHER_TEXT)]}, "never had"),
        ({"judgements": [verdict(ONE, "A. Smith")]}, "names a reviewer"),
        ({"judgements": [{"dilemma": ONE.id}]}, "required"),
        ({"naming": [{"dilemma": "no-such", "revision": 1, "reader": "r", "topic": None, "value": None,
                      "candidates": ["Honest", "Loyal"]}]}, "no-such"),
        ({"naming": [{"dilemma": ONE.id, "revision": 1, "reader": "r", "topic": "Weather", "value": None,
                      "candidates": ["Honest", "Loyal"]}]}, "Input should be"),
        ({"answers": [{"rule": "no-such-rule", "answer": "so"}]}, "no-such-rule"),
    ],
)  # fmt: skip
def test_what_is_said_of_another_dataset_is_refused(
    said: dict[str, list[Any]], part: str, write: Write, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=part) as refused:
        building.build(write(reviewed(2), **said), "1.0.0", tmp_path / "out", date=DAY)
    assert f"mine.{next(iter(said))}.jsonl, line 1" in refused.value.where
    assert not (tmp_path / "out").exists()


def test_a_reading_of_an_earlier_text_is_known_by_the_history(write: Write, tmp_path: Path) -> None:
    (old,) = reviewed(1)
    new = old.model_copy(update={"revision": 2, "scenario": f"{old.scenario} It rains."})
    said = [sorting(old, swapped=True), sorting(new)]
    with pytest.raises(InputError, match="history"):
        building.build(write([new], judgements=said), "1.0.0", tmp_path / "out", date=DAY)
    path = write([new], judgements=said, history=[old])
    folder, _ = building.build(path, "1.0.0", tmp_path / "out", date=DAY)
    assert pd.read_parquet(folder / layout.DILEMMAS)["machine_side"].tolist() == [1]
    assert set(pd.read_parquet(folder / layout.JUDGEMENTS)["revision"]) == {1, 2}


def test_a_pulled_round_is_read_whatever_the_order_of_its_lines(write: Write, tmp_path: Path) -> None:
    some = reviewed(2)
    path = write(some)
    people = [verdict(one, name) for one in some for name in ("reviewer-01", "reviewer-02")]
    manifest = Round(
        project="Round 1", form="open", annotators=2, pulled="2026-11-20T10:00:00Z", export="raw/x.json",
        sha256="0" * 64, pseudonyms=True, counts={},
    )  # fmt: skip
    found = []
    for number, lines in enumerate((people, people[::-1])):
        pulled = rounds.Pulled(manifest, {one.id: one for one in some}, tuple(lines), ())
        rounds.write(tmp_path / f"round-{number}", pulled, "[]")
        found.append(evidence.read(path, some, [tmp_path / f"round-{number}"]))
    assert found[0] == found[1]
    assert set(found[0].people) == set(people)
    assert found[0].about([some[0].id]).people == tuple(one for one in found[0].people if one.dilemma == some[0].id)


def spoilt(kind: str, path: Path) -> None:
    """Make a good file of dilemmas a bad one."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes({"twice": b"".join([*lines, lines[0]]), "latin": b"".join([*lines, b'{"id": "\xe9"}\n'])}[kind])


@pytest.mark.parametrize(("kind", "part"), [("twice", "stands already"), ("latin", "not UTF-8")])
def test_a_bad_dataset_is_refused_with_its_line(kind: str, part: str, write: Write, tmp_path: Path) -> None:
    path = write(reviewed(1))
    spoilt(kind, path)
    with pytest.raises(InputError, match=part) as refused:
        building.build(path, "1.0.0", tmp_path / "out", date=DAY)
    assert "line 2" in refused.value.where
    assert not (tmp_path / "out").exists()


def test_a_dataset_without_an_accepted_dilemma_is_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        building.build(write(list(SHIPPED[:2])), "1.0.0", tmp_path / "out", date=DAY)
    assert "--include-unreviewed" in refused.value.fix


@pytest.mark.parametrize(("version", "date"), [("v1", DAY), ("1.0", DAY), ("1.0.0", "21.11.2026")])
def test_a_version_or_day_that_is_none_is_refused(version: str, date: str, write: Write, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        building.build(write(reviewed(1)), version, tmp_path / "out", date=date)


def test_nothing_is_left_where_a_build_fails_half_way(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def full(handle: int) -> None:
        synced.append(handle)
        if len(synced) > 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        building.build(write(reviewed(1)), "1.0.0", tmp_path / "out", date=DAY)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_command_says_what_it_built(write: Write, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(command.build)
    path = write([*reviewed(2), SHIPPED[2]])
    done = CliRunner().invoke(
        app, [str(path), "--version", "0.1.0", "--out", str(tmp_path / "out"), "--date", DAY, "--include-unreviewed"]
    )
    assert done.exit_code == 0, done.output
    assert "1 of 3 dilemmas are not yet reviewed by people" in done.output
    assert str(tmp_path / "out" / "0.1.0") in done.output
