"""A pulled folder: what is written is read, and what is torn is refused."""

from __future__ import annotations

import errno
import json
import tempfile
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilemmas.errors import InputError
from dilemmas.review import rounds
from dilemmas.review.rounds import Pulled
from dilemmas.review.tasks import text_sha256
from dilemmas.schema import PLACES, Dilemma, Edit, Judgement, LabelVerdict, Placement, Round, RoundProblem, Verdict

Raw = dict[str, Any]
TYPED = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
JUDGEMENTS = st.builds(
    Judgement,
    dilemma=st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]", fullmatch=True),
    revision=st.integers(1, 9),
    text_sha256=st.none() | st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    reviewer=st.sampled_from(["reviewer-01", "unknown-7", "ann@example.org", "Ωμέγα\u2028 \xa0"]),
    kind=st.sampled_from(["person", "machine"]),
    decision=st.sampled_from([None, "accept", "revise", "reject"]),
    placements=st.lists(
        st.builds(
            lambda label, seen: Placement(
                polarity=label[0], intensity=label[1], judged_polarity=seen[0], judged_intensity=seen[1]
            ),
            st.sampled_from(PLACES),
            st.sampled_from(PLACES),
        ),
        max_size=6,
    ).map(tuple),
    verdicts=st.lists(
        st.builds(
            lambda label, verdict: Verdict(polarity=label[0], intensity=label[1], verdict=verdict),
            st.sampled_from(PLACES),
            st.sampled_from(get_args(LabelVerdict)),
        ),
        max_size=6,
    ).map(tuple),
    harmless=st.sampled_from([None, True, False]),
    edits=st.lists(st.builds(Edit, text=TYPED), max_size=2).map(tuple),
    comment=TYPED,
    state=st.sampled_from(["submitted", "skipped", "draft"]),
    superseded=st.booleans(),
    ground_truth=st.booleans(),
    anonymous=st.booleans(),
    seconds=st.none() | st.floats(0, 1e9),
    annotation=st.none() | st.integers(0),
)


def pulled(*people: Judgement, dilemmas: tuple[Dilemma, ...] = (), machines: tuple[Judgement, ...] = ()) -> Pulled:
    counts = {"tasks": len(dilemmas), "judgements": len(people), "predictions": len(machines)}
    manifest = Round(
        project="Round 1",
        form="open",
        annotators=2,
        pulled="2026-11-21T12:00:00Z",
        export="raw/2026-11-21T12-00-00Z.json",
        sha256="0" * 64,
        pseudonyms=True,
        counts=counts,
        problems=(RoundProblem(kind="no_author", what="annotation 3 by unknown-3", annotation=3),),
    )
    return Pulled(manifest, {one.id: one for one in dilemmas}, people, machines)


def judgement(**fields: Any) -> Judgement:
    return Judgement(
        **(
            {"dilemma": "d-1", "revision": 1, "reviewer": "reviewer-01", "kind": "person", "decision": "accept"}
            | fields
        )
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def of(kind: str, most: int) -> st.SearchStrategy[list[Judgement]]:
    return st.lists(JUDGEMENTS.map(lambda one: one.model_copy(update={"kind": kind})), max_size=most)


@given(people=of("person", 3), machines=of("machine", 2))
def test_what_is_written_is_read_again(
    people: list[Judgement], machines: list[Judgement], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("round")
    made = pulled(*people, machines=tuple(machines))
    written = rounds.write(folder, made, "[]")
    assert rounds.read(folder) == written
    assert (written.people, written.machines) == (made.people, made.machines)


def test_the_dilemmas_come_back_too(record: Raw, tmp_path: Path) -> None:
    made = rounds.write(tmp_path, pulled(dilemmas=(Dilemma.model_validate(record),)), "[1]", "[2]")
    assert rounds.read(tmp_path) == made
    raw = {made.manifest.export: b"[1]", rounds.predictions_of(made.manifest.export): b"[2]"}
    assert set(files(tmp_path)) == {*rounds.FILES, *raw}
    assert raw.items() < files(tmp_path).items()


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"text_sha256": None}, True),
        ({"state": "draft"}, False),
        ({"state": "skipped"}, False),
        ({"superseded": True}, False),
        ({"ground_truth": True}, False),
        ({"anonymous": True}, False),
        ({"revision": 2}, False),
        ({"text_sha256": "0" * 64}, False),
        ({"dilemma": "another"}, False),
    ],
)
def test_what_counts_is_finished_and_the_latest_and_on_the_text_at_hand(record: Raw, fields: Raw, counts: bool) -> None:
    dilemma = Dilemma.model_validate(record)
    one = judgement(**{"dilemma": dilemma.id, "text_sha256": text_sha256(dilemma), **fields})
    assert pulled(one, dilemmas=(dilemma,)).counted == ((one,) if counts else ())


@pytest.mark.parametrize("name", [rounds.PEOPLE, rounds.MACHINES, rounds.DILEMMAS])
def test_a_file_that_was_not_written_with_the_manifest_is_refused(tmp_path: Path, record: Raw, name: str) -> None:
    older, newer = (
        pulled(
            judgement(comment=comment),
            machines=(judgement(kind="machine", comment=comment),),
            dilemmas=(Dilemma.model_validate({**record, "scenario": f"You are asked {comment}."}),),
        )
        for comment in ("once", "twice")
    )
    for made in (newer, older):
        rounds.write(tmp_path, made, "[]")
        (tmp_path / name).replace(tmp_path / f"{made.people[0].comment}.txt")
    for spoilt in (tmp_path / "twice.txt").read_bytes(), (tmp_path / "once.txt").read_bytes()[:-20], None:
        if spoilt is not None:
            (tmp_path / name).write_bytes(spoilt)
        else:
            (tmp_path / name).unlink()
        with pytest.raises(InputError) as error:
            rounds.read(tmp_path)
        assert error.value.where == str(tmp_path / name)
    (tmp_path / "once.txt").replace(tmp_path / name)
    assert rounds.read(tmp_path).people == older.people


@pytest.mark.parametrize(
    ("spoil", "field"),
    [({"schema_version": 2}, "schema_version"), ({"form": "closed"}, "form"), ({"more": 1}, "more")],
)
def test_a_manifest_of_another_version_is_refused_with_the_field(tmp_path: Path, spoil: Raw, field: str) -> None:
    rounds.write(tmp_path, pulled(), "[]")
    path = tmp_path / rounds.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | spoil))
    with pytest.raises(InputError) as error:
        rounds.read(tmp_path)
    assert error.value.where == f"{path}, field {field}"


@pytest.mark.parametrize(("kind", "name"), [("machine", rounds.PEOPLE), ("person", rounds.MACHINES)])
def test_people_and_machines_are_not_mixed(kind: str, name: str, tmp_path: Path) -> None:
    stray = judgement(kind=kind)
    made = pulled(stray) if name == rounds.PEOPLE else pulled(machines=(stray,))
    rounds.write(tmp_path, made, "[]")
    with pytest.raises(InputError) as error:
        rounds.read(tmp_path)
    assert error.value.where == str(tmp_path / name)


def test_a_folder_without_a_round_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        rounds.read(tmp_path)
    assert str(tmp_path / rounds.MANIFEST) in error.value.where


def test_a_raw_export_is_never_written_over(tmp_path: Path) -> None:
    rounds.write(tmp_path, pulled(), "[1]")
    rounds.write(tmp_path, pulled(), "[2]")
    assert (tmp_path / pulled().manifest.export).read_text() == "[1]"


def test_a_failure_leaves_the_older_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds.write(tmp_path, pulled(judgement()), "[]")
    before = files(tmp_path)
    make = tempfile.mkstemp

    def full(prefix: str, **options: Any) -> tuple[int, str]:
        if rounds.MANIFEST in prefix:
            raise OSError(errno.ENOSPC, "No space left on device")
        return make(prefix=prefix, **options)

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(InputError) as error:
        rounds.write(tmp_path, pulled(), "[]")
    assert error.value.where == str(tmp_path / rounds.MANIFEST)
    assert files(tmp_path) == before
