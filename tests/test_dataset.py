"""Files of dilemmas: what goes in comes out, what is wrong is named, and the shipped ones keep their promises."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dilemmas import dataset, taxonomy
from dilemmas.errors import InputError
from dilemmas.schema import PLACES, Action, Dilemma, Provenance, Review, ReviewStatus, TopicName, ValueName, sha256

Record = dict[str, Any]
Write = Callable[..., Path]

TRICKY = '\u2028\u2029\u200f\u202e\ufeff\u0301"\\\n\t{}é你ش🧭'
"""Characters that line splitting, quoting, direction or normalisation could trip over."""


LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Co", "Cn"], include_characters="\n\t")


def texts(longest: int) -> st.SearchStrategy[str]:
    either = st.text(LETTERS, min_size=1, max_size=longest) | st.text(TRICKY, min_size=1, max_size=longest)
    return either.filter(lambda text: bool(text.strip()))


@st.composite
def dilemmas(draw: st.DrawFn, ids: st.SearchStrategy[str]) -> Dilemma:
    value, competing = draw(st.lists(st.sampled_from(get_args(ValueName)), min_size=2, max_size=2, unique=True))
    words = draw(st.lists(texts(12), min_size=6, max_size=6, unique_by=lambda text: text.strip().casefold()))
    other = draw(texts(12))
    actions = [
        Action(polarity=polarity, intensity=intensity, text=text, rationale=other)
        for (polarity, intensity), text in zip(draw(st.permutations(PLACES)), words, strict=True)
    ]
    return Dilemma(
        id=draw(ids),
        revision=draw(st.integers(1, 10**30)),
        value=value,
        competing_value=competing,
        topic=draw(st.sampled_from(get_args(TopicName))),
        scenario=draw(texts(60)),
        actions=tuple(actions),
        provenance=Provenance(
            kind=draw(st.sampled_from(["model", "person"])),
            author=other,
            method=other,
            created=draw(st.sampled_from(["2026-11-21", "2026-11-21T03:04:05Z"])),
            template_sha256=draw(st.none() | st.just("0" * 64)),
            seed=draw(st.none() | st.integers(0, 2**63)),
        ),
        review=Review(status=draw(st.sampled_from(get_args(ReviewStatus))), reviewers=draw(st.integers(0, 9))),
    )


@settings(max_examples=60)
@given(dilemmas(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]", fullmatch=True)))
def test_a_dilemma_and_its_line_are_one_thing(dilemma: Dilemma) -> None:
    line = dataset.to_line(dilemma)
    assert "\n" not in line
    assert dataset.parse(line, "here") == dilemma
    assert dataset.to_line(dataset.parse(line, "here")) == line


@settings(max_examples=25)
@given(st.tuples(dilemmas(st.just("one-of-two")), dilemmas(st.just("two-of-two"))))
def test_a_file_gives_back_what_was_written(written: tuple[Dilemma, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.jsonl"
        dataset.write(path, written)
        found = dataset.read(path)
        assert found.dilemmas == written
        assert found.name == "mine.jsonl"
        assert found.sha256 == sha256(path.read_bytes())
        assert [entry.name for entry in Path(folder).iterdir()] == ["mine.jsonl"]


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        dataset.read(path)
    assert caught.value.where.startswith(str(path))
    assert caught.value.fix
    return caught.value


Spoil = Callable[[Record], Any]

BAD: dict[str, tuple[Spoil, str, tuple[str, ...]]] = {
    "five actions": (lambda r: r["actions"].pop(), "actions", ("six actions", "5")),
    "seven actions": (lambda r: r["actions"].append(r["actions"][0]), "actions", ("six actions", "7")),
    "no action": (lambda r: r.update(actions=[]), "actions", ("six actions", "0")),
    "two strong aligned": (
        lambda r: r["actions"][1].update(intensity="strong"),
        "actions",
        ("2 strong aligned", "no moderate aligned"),
    ),
    "one side only": (
        lambda r: [action.update(polarity="aligned") for action in r["actions"]],
        "actions",
        ("2 strong aligned", "no strong opposed"),
    ),
    "unknown value": (lambda r: r.update(value="Honesty"), "value", ('"Honesty"', '"Honest"')),
    "unknown competing value": (lambda r: r.update(competing_value="loyal"), "competing_value", ('"loyal"', '"Loyal"')),
    "unknown topic": (lambda r: r.update(topic="Politcs"), "topic", ('"Politcs"', '"Politics"')),
    "far from any value": (lambda r: r.update(value="Zzz"), "value", ("list values",)),
    "value that is a list": (lambda r: r.update(value=["Honest"]), "value", ("Honest",)),
    "unknown polarity": (
        lambda r: r["actions"][2].update(polarity="alined"),
        "actions[2].polarity",
        ('"alined"', '"aligned"'),
    ),
    "unknown intensity": (
        lambda r: r["actions"][5].update(intensity="severe"),
        "actions[5].intensity",
        ('"severe"', "strong, moderate, mild"),
    ),
    "unknown key": (lambda r: r.update(scenaro="x"), "", ("scenaro", '"scenario"')),
    "unknown key in an action": (
        lambda r: r["actions"][2].update(rational="x"),
        "actions[2]",
        ("rational", '"rationale"'),
    ),
    "unknown key in the provenance": (lambda r: r["provenance"].update(autor="x"), "provenance", ("autor", '"author"')),
    "misspelt key": (lambda r: r.update(topics=r.pop("topic")), "", ("topics", '"topic"')),
    "missing key": (lambda r: r.pop("scenario"), "", ("scenario",)),
    "missing keys": (lambda r: [r.pop("topic"), r.pop("value")], "", ("topic", "value")),
    "missing key in an action": (lambda r: r["actions"][3].pop("text"), "actions[3]", ("text",)),
    "action that is a text": (lambda r: r["actions"].__setitem__(4, "I go."), "actions[4]", ("object",)),
    "actions that are all texts": (lambda r: r.update(actions=["a"] * 6), "actions[0]", ("object",)),
    "actions by name": (lambda r: r.update(actions={}), "actions", ("array",)),
    "scenario of none": (lambda r: r.update(scenario=None), "scenario", ("string",)),
    "scenario that is a number": (lambda r: r.update(scenario=7), "scenario", ("string",)),
    "blank scenario": (lambda r: r.update(scenario=" \n"), "scenario", ("blank",)),
    "scenario too long": (lambda r: r.update(scenario="x" * 4001), "scenario", ("4,001", "4,000")),
    "control character": (lambda r: r.update(scenario="a\u0000b"), "scenario", ("U+0000", "position 1")),
    "carriage return": (lambda r: r["actions"][0].update(text="a\rb"), "actions[0].text", ("U+000D",)),
    "half a character": (lambda r: r["actions"][1].update(text="\ud83d"), "actions[1].text", ("unicode",)),
    "revision that is a text": (lambda r: r.update(revision="1"), "revision", ("integer",)),
    "revision that is true": (lambda r: r.update(revision=True), "revision", ("integer",)),
    "revision 0": (lambda r: r.update(revision=0), "revision", ("minimum of 1",)),
    "another form": (lambda r: r.update(schema_version=2), "schema_version", ("1",)),
    "id with capitals": (lambda r: r.update(id="Honest Friend"), "id", ("Honest Friend",)),
    "id with a line break": (lambda r: r.update(id="honest-friend\n"), "id", ("pattern",)),
    "id that leaves the folder": (lambda r: r.update(id="../../etc"), "id", ("../../etc",)),
    "no date": (lambda r: r["provenance"].update(created="soon"), "provenance.created", ("soon",)),
    "no checksum": (
        lambda r: r["provenance"].update(template_sha256="x"),
        "provenance.template_sha256",
        ("[0-9a-f]{64}",),
    ),
    "seed below 0": (lambda r: r["provenance"].update(seed=-1), "provenance.seed", ("minimum of 0",)),
    "unknown review": (lambda r: r["review"].update(status="acepted"), "review.status", ('"acepted"', '"accepted"')),
    "same text twice": (
        lambda r: r["actions"][1].update(text=r["actions"][0]["text"].upper()),
        "",
        ("actions", "same text"),
    ),
    "a value against itself": (lambda r: r.update(competing_value=r["value"]), "", ("competing_value", "differ")),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_refused_with_file_line_and_field(name: str, record: Record, tmp_path: Path) -> None:
    spoil, field, words = BAD[name]
    good = json.dumps({**record, "id": "good-one"})
    spoil(record)
    path = tmp_path / "mine.jsonl"
    path.write_text(f"{good}\n\n{json.dumps(record)}\n", encoding="utf-8")
    error = refused(path)
    assert error.where == f"{path}, line 3" + (f", field {field}" if field else "")
    assert [word for word in words if word not in str(error)] == []


def test_a_duplicate_id_names_both_lines(record: Record, write_lines: Write) -> None:
    path = write_lines(record, {**record, "id": "another-one"}, record)
    error = refused(path)
    assert error.where == f"{path}, line 3, field id"
    assert record["id"] in error.what
    assert "line 1" in error.what


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text.replace('"revision": 1', '"revision": NaN'), ("NaN",)),
        (lambda text: text.replace('"revision": 1', '"revision": -Infinity'), ("Infinity",)),
        (lambda text: text.replace('"revision": 1', '"revision": 1e999'), ("revision", "integer")),
        (lambda text: text.replace('"revision": 1', '"revision": ' + "9" * 5000), ("not JSON",)),
        (lambda text: text[:-1] + ', "id": "again"}', ("key stands twice",)),
        (lambda text: text.replace('"kind"', '"kind": "model", "kind"'), ("key stands twice",)),
        (lambda text: text[:-1], ("not JSON",)),
        (lambda text: text.replace('"', "'"), ("not JSON",)),
        (lambda text: text + text, ("not JSON",)),
        (lambda text: text + ",", ("not JSON",)),
        (lambda text: f"[{text}]", ("not a JSON object",)),
        (lambda text: "null", ("not a JSON object",)),
        (lambda text: '"a text"', ("not a JSON object",)),
        (lambda text: "3", ("not a JSON object",)),
        (lambda text: "[" * 100_000, ("nested",)),
        (lambda text: '{"id":' * 100_000, ("nested",)),
        (lambda text: text.replace('"revision": 1', '"revision": ' + "[" * 400 + "]" * 400), ("revision",)),
    ],
)
@pytest.mark.parametrize("ending", ["\n", ""])
def test_a_bad_line_is_refused_with_its_number(
    spoil: Callable[[str], str], words: tuple[str, ...], ending: str, record: Record, tmp_path: Path
) -> None:
    path = tmp_path / "mine.jsonl"
    good = json.dumps({**record, "id": "good-one"})
    path.write_text(f"{good}\n{spoil(json.dumps(record))}{ending}", encoding="utf-8")
    error = refused(path)
    assert error.where.startswith(f"{path}, line 2")
    assert all(word in str(error) for word in words) or (not ending and "torn" in error.what)


LINE = dataset.to_line(dataset.read(dataset.shipped_path()).dilemmas[0])


def test_a_last_line_without_a_line_break_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(LINE, encoding="utf-8")
    assert [dataset.to_line(dilemma) for dilemma in dataset.read(path).dilemmas] == [LINE]


@given(st.integers(1, len(LINE) - 1))
def test_a_last_line_torn_anywhere_is_refused(kept: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.jsonl"
        path.write_text("\n" + LINE[:kept], encoding="utf-8")
        error = refused(path)
        assert "torn" in error.what
        assert error.where == f"{path}, line 2"


def test_a_line_torn_within_a_character_is_torn(record: Record, tmp_path: Path) -> None:
    record["scenario"] = "You meet Zoé"
    line = json.dumps(record, ensure_ascii=False).encode()
    path = tmp_path / "mine.jsonl"
    path.write_bytes(line[: line.index(b"\xc3") + 1])
    error = refused(path)
    assert "torn" in error.what
    assert error.where == f"{path}, line 1"


@pytest.mark.parametrize("content", ["", "\n", " \n\t\n", "\ufeff", "\ufeff\n"])
def test_an_empty_file_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(content, encoding="utf-8")
    assert "no dilemma" in refused(path).what


def test_a_file_that_is_not_utf8_names_the_line(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    record["scenario"] = "You meet Zoé"
    good = json.dumps({**record, "id": "good-one"})
    path.write_bytes(f"{good}\n{json.dumps(record, ensure_ascii=False)}\n".encode("latin-1"))
    error = refused(path)
    assert "UTF-8" in error.what
    assert error.where == f"{path}, line 2"
    path.write_bytes(good.encode("utf-16"))
    assert "UTF-8" in refused(path).what


def test_byte_order_mark_blank_lines_and_windows_line_ends_are_no_fault(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    other = {**record, "id": "another-one"}
    path.write_bytes(b"\xef\xbb\xbf" + f"{json.dumps(record)}\r\n\r\n{json.dumps(other)}".encode())
    assert [dilemma.id for dilemma in dataset.read(path).dilemmas] == [record["id"], "another-one"]


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "no such dataset" in refused(tmp_path / "missing.jsonl").what
    assert "read" in refused(tmp_path).what


def test_writing_where_nobody_can_leaves_the_old_file(record: Record, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot write"):
        dataset.write(tmp_path / "file" / "mine.jsonl", (Dilemma.model_validate(record),))
    assert (tmp_path / "file").read_text() == "mine"


SHIPPED = dataset.read(dataset.shipped_path()).dilemmas


def breaking(rule: Callable[[Dilemma], object]) -> list[str]:
    """Ids of the shipped dilemmas that do not keep to a rule."""
    return [dilemma.id for dilemma in SHIPPED if not rule(dilemma)]


def test_the_shipped_dilemmas_fill_the_grid_once() -> None:
    cells = [(dilemma.value, dilemma.topic) for dilemma in SHIPPED]
    assert sorted(cells) == sorted(product(taxonomy.values(), taxonomy.topics()))


@pytest.mark.parametrize(("first", "values", "topics"), [(24, 24, 11), (80, 56, 11)])
def test_the_first_shipped_dilemmas_are_about_many_values_and_topics(first: int, values: int, topics: int) -> None:
    assert len({dilemma.value for dilemma in SHIPPED[:first]}) == values
    assert len({dilemma.topic for dilemma in SHIPPED[:first]}) == topics


def test_the_shipped_file_is_as_the_tool_would_write_it(tmp_path: Path) -> None:
    dataset.write(tmp_path / "again.jsonl", SHIPPED)
    found = [json.loads(line) for line in dataset.shipped_path().read_text(encoding="utf-8").splitlines()]
    assert found == [json.loads(line) for line in (tmp_path / "again.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_shipped_dilemmas_do_not_begin_alike() -> None:
    openings = Counter(tuple(dilemma.scenario.lower().split()[:4]) for dilemma in SHIPPED)
    assert openings.most_common(1)[0][1] <= 4
    assert len({dilemma.scenario for dilemma in SHIPPED}) == 616


def test_no_action_stands_twice() -> None:
    assert len({action.text for dilemma in SHIPPED for action in dilemma.actions}) == 616 * 6


def test_length_does_not_give_the_side_away() -> None:
    aligned = [sum(len(a.text) for a in d.actions if a.polarity == "aligned") for d in SHIPPED]
    opposed = [sum(len(a.text) for a in d.actions if a.polarity == "opposed") for d in SHIPPED]
    assert 0.99 < sum(aligned) / sum(opposed) < 1.01


def test_the_shipped_dilemmas_are_unreviewed_and_say_where_they_come_from() -> None:
    assert breaking(lambda one: one.review == Review(status="unreviewed", reviewers=0)) == []
    assert breaking(lambda one: one.provenance.author and len(one.provenance.method) > 20) == []
    assert breaking(lambda one: re.fullmatch(r"\d{4}-\d{2}-\d{2}", one.provenance.created)) == []


def test_shipped_scenarios_speak_to_the_reader_and_are_of_readable_length() -> None:
    assert breaking(lambda one: re.search(r"\byou(r)?\b", one.scenario, re.IGNORECASE)) == []
    assert breaking(lambda one: 60 <= len(one.scenario.split()) <= 120) == []


def test_shipped_actions_are_in_the_first_person_and_of_similar_length() -> None:
    def alike(dilemma: Dilemma) -> bool:
        lengths = [len(action.text.split()) for action in dilemma.actions]
        return min(lengths) >= 15 and max(lengths) <= 35 and max(lengths) / min(lengths) <= 1.5

    def first_person(dilemma: Dilemma) -> bool:
        return all(re.search(r"\b(?:I|me|we|us|my|our)\b", action.text, re.IGNORECASE) for action in dilemma.actions)

    assert breaking(alike) == []
    assert breaking(first_person) == []
    assert breaking(lambda one: all(action.rationale.strip() not in action.text for action in one.actions)) == []


def test_no_shipped_dilemma_names_its_values() -> None:
    def unnamed(dilemma: Dilemma) -> bool:
        shown = " ".join([dilemma.scenario, *(action.text for action in dilemma.actions)])
        names = (dilemma.value, dilemma.competing_value)
        return not any(re.search(rf"\b{re.escape(name)}\b", shown, re.IGNORECASE) for name in names)

    assert breaking(unnamed) == []


def test_a_file_that_mixes_versions_of_the_schema_names_the_lines_of_each(record, write_lines):
    path = write_lines(
        *({**record, "id": f"number-{n}", "schema_version": 2 if n in (1, 2, 4) else 1} for n in range(6))
    )
    with pytest.raises(InputError) as caught:
        dataset.read(path)
    assert "version 1 on lines 1, 4, 6; version 2 on lines 2-3, 5" in caught.value.what
    assert caught.value.where == f"{path}, line 2, field schema_version"
    assert "version 1" in caught.value.fix


@pytest.mark.parametrize("field", ["schema_version", "revision"])
def test_true_is_not_the_number_one(record, write_lines, field):
    with pytest.raises(InputError) as caught:
        dataset.read(write_lines({**record, field: True}))
    assert caught.value.where.endswith(f"line 1, field {field}")


def test_a_survey_gives_every_line_its_dilemma_or_its_problem(record, write_lines):
    path = write_lines(record, {**record, "id": "short", "actions": record["actions"][:5]}, record)
    lines = dataset.survey(path).lines
    assert [line.dilemma is not None for line in lines] == [True, False, True]
    assert lines[0].problem is None
    assert "six actions, this one has 5" in lines[1].problem.what
    assert "line 1" in lines[2].problem.what
