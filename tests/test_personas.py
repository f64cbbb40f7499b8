"""Personas: the grid, the axes, the built-in sets, files of one's own, and their words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from conftest import GOLDEN
from hypothesis import given
from hypothesis import strategies as st

from dilemmas.errors import InputError
from dilemmas.personas import grid, listed
from dilemmas.personas.grid import categorise, conflict, place
from dilemmas.prompts import Prompts
from dilemmas.schema import BASELINE, Persona

WORKED: dict[str, Any] = json.loads((GOLDEN / "personas.json").read_text(encoding="utf-8"))
TWELVE: dict[str, dict[str, Any]] = {one["id"]: one for one in WORKED["personas"]}
PROFILE: dict[str, str] = TWELVE["max-2"]["values"]

indices = st.integers(0, grid.PROFILES - 1)


def where(persona: Persona) -> tuple[float, float, float]:
    assert persona.T is not None
    assert persona.S is not None
    assert persona.incongruity is not None
    return persona.T, persona.S, persona.incongruity


def test_variables_and_scores_are_those_of_the_source() -> None:
    found = {v.name: [v.axis, {label: v.score(label) for label in v.labels}] for v in grid.variables()}
    assert list(found) == list(WORKED["scores"])
    for name, (axis, scores) in WORKED["scores"].items():
        assert found[name][0] == axis
        assert found[name][1] == pytest.approx(scores, abs=1e-6)
        assert list(found[name][1]) == list(scores)


def test_every_category_has_a_sentence_of_its_own() -> None:
    sentences = [sentence for variable in grid.variables() for sentence in variable.statements]
    assert len(sentences) == len(set(sentences)) == sum(len(v.labels) for v in grid.variables())
    assert all(sentence.startswith("You ") and sentence.endswith(".") for sentence in sentences)


def test_census_of_all_profiles() -> None:
    """A profile's place is one of 144 on the first axis and one of 648 on the second."""
    at_a_pole = {variable.name: variable.labels[-1] for variable in grid.variables()}
    places: dict[str, list[tuple[float, float]]] = {}
    for side, axis in enumerate(grid.AXES):
        own = [variable for variable in grid.variables() if variable.axis == axis]
        places[axis] = []
        for labels in product(*(variable.labels for variable in own)):
            found = place({**at_a_pole, **dict(zip((v.name for v in own), labels, strict=True))})
            places[axis].append((found[side], found[2]))
    assert {axis: len(found) for axis, found in places.items()} == {"TS": 144, "SE": 648}
    census = Counter(categorise(t, s, max(ct, cs)) for t, ct in places["TS"] for s, cs in places["SE"])
    assert census == WORKED["census"] == {"max": 4, "moderate": 32, "incongruous": 54_960, "other": 38_316}
    assert census.total() == grid.PROFILES


@given(indices)
def test_number_and_profile_are_two_names_of_one_thing(index: int) -> None:
    labels = grid.profile(index)
    assert grid.index_of(labels) == index
    assert grid.index_of(dict(reversed(labels.items()))) == index
    persona = grid.persona_at(index)
    assert persona.variables == labels
    assert persona.id == f"grid-{index:05d}"
    assert grid.build(persona.id, labels) == persona


@given(indices)
def test_a_persona_and_its_mirror_image_are_of_one_kind(index: int) -> None:
    persona, mirrored = grid.persona_at(index), grid.persona_at(grid.PROFILES - 1 - index)
    assert persona.category == mirrored.category
    there, here = where(mirrored), where(persona)
    assert here == pytest.approx((-there[0], -there[1], there[2]))


def test_the_last_variable_counts_fastest() -> None:
    first, second = grid.profile(0), grid.profile(1)
    last = grid.variables()[-1]
    assert {name for name in first if first[name] != second[name]} == {last.name}
    assert list(first) == [variable.name for variable in grid.variables()]


@pytest.mark.parametrize("index", [-1, 93_312, 10**9])
def test_a_number_outside_the_grid_is_refused(index: int) -> None:
    with pytest.raises(InputError, match=str(index)) as caught:
        grid.profile(index)
    assert "93311" in caught.value.fix


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1, 1, 1, 1], 0),
        ([1, -1], 1),
        ([1, 1, -1, -1], 1),
        ([1, -1, -1, -1], 3 / 4),
        ([1, 1, -1], 1),
        ([1, 1, 1, -1, -1, -1], 1),
        ([1, -1, -1, -1, -1, -1], 5 / 9),
        ([0, 0, 0, 0], 0),
        ([1, 0, 0, -1], 1 / 4),
        ([1 / 3, -1 / 3, 0, 0], 1 / 36),
        ([1 / 3, -1, 0, 1], (1 / 3 + 1) / 4),
    ],
)
def test_conflict_is_the_formula_worked_by_hand(scores: list[float], expected: float) -> None:
    assert conflict(scores) == pytest.approx(expected)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8))
def test_conflict_lies_between_none_and_one(scores: list[float]) -> None:
    assert 0 <= conflict(scores) <= 1 + 1e-9
    assert conflict(scores) == pytest.approx(conflict([-score for score in reversed(scores)]))
    assert conflict([abs(score) for score in scores]) == 0


@pytest.mark.parametrize(
    ("t", "s", "incongruity", "category"),
    [
        (1, -1, 0, "max"),
        (0.9, -0.9, 0.05, "max"),
        (0.9, 0.89, 0.05, "other"),
        (0.9, 0.9, 0.06, "other"),
        (1, 1, 0.5, "incongruous"),
        (0, 0, 0.5, "incongruous"),
        (0, 0, 0.499, "other"),
        (0.25, -0.25, 0.1, "moderate"),
        (0.25, 0.26, 0.1, "other"),
        (0, 0, 0.11, "other"),
        (0, 0, 0, "moderate"),
    ],
)
def test_categories_at_their_bounds(t: float, s: float, incongruity: float, category: str) -> None:
    assert categorise(t, s, incongruity) == category


def test_the_built_in_twelve_stand_where_the_source_puts_them() -> None:
    twelve = listed.resolve("twelve")
    assert [persona.id for persona in twelve] == list(TWELVE)
    for persona in twelve:
        worked = TWELVE[persona.id]
        assert persona.variables == worked["values"]
        assert persona.category == worked["group"]
        assert where(persona) == pytest.approx((worked["T"], worked["S"], worked["incongruity"]["max"]), abs=1e-6)


def test_the_built_in_sets() -> None:
    assert Counter(p.category for p in listed.resolve("twelve")) == {"moderate": 4, "max": 4, "incongruous": 4}
    assert [p.id for p in listed.resolve("three")] == ["moderate-1", "max-1", "incongruous-1"]
    assert {p.id for p in listed.resolve("max")} == {"max-1", "max-2", "max-3", "max-4"}
    assert listed.resolve("none") == ()


@pytest.mark.parametrize(("name", "meant"), [("twelv", "twelve"), ("Moderate", "moderate"), ("incongrous", "incongru")])
def test_an_unknown_set_gets_the_nearest_name(name: str, meant: str) -> None:
    with pytest.raises(InputError) as caught:
        listed.resolve(name)
    assert name in caught.value.what
    assert meant in caught.value.fix
    assert ".toml" in caught.value.fix


def spoilt(**changes: str | None) -> dict[str, str]:
    labels: dict[str, str | None] = {**PROFILE, **{name.replace("_", " "): label for name, label in changes.items()}}
    return {name: label for name, label in labels.items() if label is not None}


@pytest.mark.parametrize(
    ("labels", "what", "hint"),
    [
        (spoilt(religiosity="very importent"), ("very importent", "religiosity"), "very important"),
        (spoilt(religion="very important"), ("religion",), "religiosity"),
        (spoilt(happiness=None), ("happiness",), "ten"),
        ({}, ("religiosity", "tolerance diversity"), "ten"),
    ],
)
def test_a_malformed_profile_is_refused(labels: dict[str, str], what: tuple[str, ...], hint: str) -> None:
    with pytest.raises(InputError) as caught:
        grid.build("someone", labels)
    assert all(word in caught.value.what for word in what)
    assert hint in caught.value.fix


Write = Callable[[str], Path]


@pytest.fixture
def toml(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def entry(**fields: Any) -> str:
    """A [[persona]] as TOML."""
    lines = ["[[persona]]"]
    for name, value in fields.items():
        if isinstance(value, dict):
            value = "{ " + ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in value.items()) + " }"
        else:
            value = json.dumps(value)
        lines.append(f"{name} = {value}")
    return "\n".join(lines) + "\n"


def test_a_file_of_ones_own(toml: Write) -> None:
    path = toml(
        'name = "four of mine"\n'
        + entry(id="grandmother", variables=PROFILE, category="max")
        + entry(grid=4711)
        + entry(grid=0, id="pole")
        + entry(id="shuffled", variables=dict(reversed(PROFILE.items())))
    )
    grandmother, numbered, pole, shuffled = listed.resolve(str(path))
    assert (grandmother.id, grandmother.category, grandmother.variables) == ("grandmother", "max", PROFILE)
    assert numbered == grid.persona_at(4711)
    assert (pole.id, pole.variables) == ("pole", grid.profile(0))
    assert list(shuffled.variables) == list(grandmother.variables)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + entry(grid=1).encode())
    assert [persona.id for persona in listed.resolve(str(path))] == ["grid-00001"]


BAD: dict[str, tuple[str, tuple[str, ...]]] = {
    "unknown category of a persona": (
        entry(id="one-of-mine", variables=PROFILE, category="maximal"),
        ("persona 1", "maximal", '"max"'),
    ),
    "category that the place contradicts": (
        entry(id="one-of-mine", variables=PROFILE, category="moderate"),
        ("persona 1", "moderate", '"max"'),
    ),
    "unknown variable": (
        entry(grid=1) + entry(id="one-of-mine", variables=spoilt(happyness="very happy")),
        ("persona 2", "happyness", "happiness"),
    ),
    "missing variable": (
        entry(id="one-of-mine", variables=spoilt(happiness=None)),
        ("persona 1", "lacks", "happiness"),
    ),
    "unknown label": (
        entry(id="one-of-mine", variables=spoilt(happiness="very hapy")),
        ("persona 1", "very hapy", "very happy"),
    ),
    "label that is a number": (
        entry(id="one-of-mine", variables=PROFILE).replace('"very happy"', "3"),
        ("persona 1", "3", "happiness"),
    ),
    "misspelt key": (entry(id="one-of-mine", varables=PROFILE), ("persona 1", "varables", "variables")),
    "misspelt key at the top": ("nam = 'x'\n" + entry(grid=1), ("nam", "name")),
    "misspelt table": ("[[personas]]\ngrid = 1\n", ("personas", "persona")),
    "neither grid nor variables": (entry(id="one-of-mine"), ("persona 1", "grid", "variables")),
    "both grid and variables": (entry(grid=1, variables=PROFILE), ("persona 1", "grid", "variables")),
    "variables without an id": (entry(variables=PROFILE), ("persona 1", "id")),
    "variables that are no table": (entry(id="one-of-mine", variables="none"), ("persona 1", "table")),
    "grid below the range": (entry(grid=-1), ("persona 1", "-1", "93311")),
    "grid above the range": (entry(grid=93_312), ("persona 1", "93312", "93311")),
    "grid that is a text": (entry(grid="12"), ("persona 1", "whole number")),
    "grid that is true": (entry(grid=True), ("persona 1", "whole number")),
    "grid that is half": (entry(grid=0.5), ("persona 1", "whole number")),
    "id with a space": (entry(grid=1, id="my aunt"), ("persona 1", "id")),
    "id that leaves the folder": (entry(grid=1, id="../aunt"), ("persona 1", "id")),
    "same id twice": (entry(grid=1, id="aunt") + entry(grid=2, id="aunt"), ("aunt", "two")),
    "the baseline's id": (entry(grid=1, id="baseline"), ("baseline",)),
    "no persona": ('name = "nobody"\n', ("[[persona]]",)),
    "persona that is no table": ("persona = [3]\n", ("persona 1", "table")),
    "persona that is one table": ("[persona]\ngrid = 1\n", ("[[persona]]",)),
    "nothing at all": ("", ("[[persona]]",)),
    "not TOML": ("[[persona]\ngrid = 1\n", ("TOML", "line 1")),
    "a key twice": (entry(grid=1) + "grid = 2\n", ("TOML", "line 3")),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_place_and_hint(name: str, toml: Write) -> None:
    text, words = BAD[name]
    path = toml(text)
    with pytest.raises(InputError) as caught:
        listed.resolve(str(path))
    assert caught.value.where.startswith(str(path))
    assert caught.value.fix
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"# fine\nname = '\xe9'\n")
    with pytest.raises(InputError, match="UTF-8") as caught:
        listed.resolve(str(path))
    assert caught.value.where == f"{path}, line 2"


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    for name in ("missing.toml", "folder.toml"):
        with pytest.raises(InputError) as caught:
            listed.resolve(str(tmp_path / name))
        assert caught.value.where == str(tmp_path / name)


def by_id(name: str) -> Persona:
    return next(persona for persona in listed.resolve("twelve") if persona.id == name)


@pytest.mark.parametrize("style", ["variables", "statements"])
def test_the_words_of_a_persona(style: str, golden: Callable[[str, str], None]) -> None:
    golden(f"prompts/persona-{style}.txt", listed.render(by_id("incongruous-1"), style, Prompts()) + "\n")


def test_variables_style_has_a_line_with_name_explanation_and_category_for_each() -> None:
    persona = by_id("max-4")
    lines = listed.render(persona, "variables", Prompts()).splitlines()
    for variable in grid.variables():
        wanted = (variable.name, variable.explanation, persona.variables[variable.name])
        assert sum(all(word in line for word in wanted) for line in lines) == 1


@given(indices)
def test_statements_style_has_the_sentences_of_the_profile_and_no_other(index: int) -> None:
    persona = grid.persona_at(index)
    lines = listed.render(persona, "statements", Prompts()).splitlines()
    for variable in grid.variables():
        said = [sentence for sentence in variable.statements if sentence in lines]
        assert said == [variable.statements[variable.labels.index(persona.variables[variable.name])]]


@pytest.mark.parametrize("style", ["variables", "statements"])
def test_the_words_say_neither_the_id_nor_the_category(style: str) -> None:
    for persona in listed.resolve("twelve"):
        words = listed.render(persona, style, Prompts())
        assert persona.id not in words
        assert persona.category not in words.replace("moderate (neutral)", "").replace("moderate tolerance", "")


@pytest.mark.parametrize("style", ["variables", "statements"])
def test_the_baseline_is_not_described(style: str) -> None:
    assert listed.render(BASELINE, style, Prompts()) == ""
