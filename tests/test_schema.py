"""The records and the JSON Schemas written from them."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import dilemmas.evaluate  # noqa: F401  so that the records of all modules are known
from dilemmas import schema
from dilemmas.resources import folder
from dilemmas.schema import BASELINE, PLACES, PUBLISHED, Dilemma, Persona, PersonaSet, canonical_json

Spoil = Callable[[dict[str, Any]], Any]
SENTINEL = "sentinel-9f3a"


def all_records(base: type[schema.Record] = schema.Record) -> list[type[schema.Record]]:
    below = sorted(base.__subclasses__(), key=lambda record: record.__name__)
    return [one for record in below for one in (record, *all_records(record))]


RECORDS = pytest.mark.parametrize("record_type", all_records(), ids=lambda one: one.__name__)
FORMS = pytest.mark.parametrize("name", PUBLISHED)


@FORMS
def test_the_file_is_what_the_record_says(name: str) -> None:
    text = (folder("schemas") / f"{name}.json").read_text(encoding="utf-8")
    assert text == schema.schema_text(PUBLISHED[name]), "run `make schemas`"


def test_there_is_no_other_file_of_schemas() -> None:
    assert {path.name for path in folder("schemas").iterdir()} == {f"{name}.json" for name in PUBLISHED}


@FORMS
def test_the_file_is_valid_json_schema_2020_12(name: str) -> None:
    form = json.loads((folder("schemas") / f"{name}.json").read_text(encoding="utf-8"))
    assert form["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(form)


@FORMS
def test_every_field_in_the_file_is_described_and_no_unknown_key_is_let_in(name: str) -> None:
    form = json.loads((folder("schemas") / f"{name}.json").read_text(encoding="utf-8"))
    for part in (form, *form.get("$defs", {}).values()):
        assert part["description"]
        assert part["additionalProperties"] is False
        for field in part["properties"].values():
            assert field["description"].strip()
            assert "\n" not in field["description"]


@RECORDS
def test_every_field_of_every_record_is_explained(record_type: type[schema.Record]) -> None:
    assert record_type.__doc__
    assert [name for name, field in record_type.model_fields.items() if not (field.description or "").strip()] == []


@RECORDS
def test_records_are_frozen(record_type: type[schema.Record]) -> None:
    field = next(iter(record_type.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(record_type.model_construct(), field, "anything")


@RECORDS
def test_unknown_keys_are_refused(record_type: type[schema.Record]) -> None:
    with pytest.raises(ValidationError) as caught:
        record_type.model_validate({"no such field": 1})
    assert ("no such field",) in [error["loc"] for error in caught.value.errors()]


@RECORDS
def test_an_error_does_not_repeat_what_was_given(record_type: type[schema.Record]) -> None:
    for given in (SENTINEL, [SENTINEL], {"inner": SENTINEL}):
        fields: dict[str, Any] = dict.fromkeys(record_type.model_fields, given)
        with pytest.raises(ValidationError) as caught:
            record_type.model_validate({**fields, "extra": SENTINEL})
        assert SENTINEL not in str(caught.value)


def test_numbers_are_finite() -> None:
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValidationError, match="finite"):
            schema.TokenProbability(token="A", logprob=number)


def replace(name: str, value: Any) -> Spoil:
    return lambda data: data.update({name: value})


def replace_in(table: str, name: str, value: Any) -> Spoil:
    return lambda data: data[table].update({name: value})


def replace_action(place: int, **fields: Any) -> Spoil:
    return lambda data: data["actions"][place].update(fields)


GOOD: dict[str, Spoil] = {
    "as it is": lambda data: None,
    "actions in another order": lambda data: data["actions"].reverse(),
    "no revision": lambda data: data.pop("revision"),
    "seed and checksum": lambda data: data["provenance"].update(seed=0, template_sha256="0" * 64),
    "seed and checksum of none": lambda data: data["provenance"].update(seed=None, template_sha256=None),
    "a time": replace_in("provenance", "created", "2026-11-21T03:04:05Z"),
    "the longest scenario": replace("scenario", "x" * 4000),
    "another script": replace("scenario", "شما باید امشب پاسخ بدهید. 你今晚必须回答。"),
    "the shortest id": replace("id", "ab"),
    "the longest id": replace("id", "a" * 64),
}
BAD: dict[str, Spoil] = {
    "unknown value": replace("value", "Honesty"),
    "unknown competing value": replace("competing_value", "honest"),
    "unknown topic": replace("topic", "Sport"),
    "no scenario": lambda data: data.pop("scenario"),
    "no review": lambda data: data.pop("review"),
    "unknown key": replace("comment", "x"),
    "unknown key in an action": replace_action(2, note="x"),
    "unknown key in the provenance": replace_in("provenance", "url", "x"),
    "five actions": lambda data: data["actions"].pop(),
    "seven actions": lambda data: data["actions"].append(data["actions"][0]),
    "two strong aligned": replace_action(1, intensity="strong"),
    "one side only": lambda data: [action.update(polarity="aligned") for action in data["actions"]],
    "unknown polarity": replace_action(0, polarity="for"),
    "unknown intensity": replace_action(0, intensity="extreme"),
    "an action without text": lambda data: data["actions"][3].pop("text"),
    "an action that is a text": lambda data: data["actions"].__setitem__(0, "I tell her."),
    "actions by name": replace("actions", {}),
    "scenario too long": replace("scenario", "x" * 4001),
    "action too long": replace_action(0, text="x" * 1001),
    "scenario of none": replace("scenario", None),
    "capitals in the id": replace("id", "Honest"),
    "id too short": replace("id", "a"),
    "id too long": replace("id", "a" * 65),
    "id that ends in a hyphen": replace("id", "honest-"),
    "revision 0": replace("revision", 0),
    "half a revision": replace("revision", 1.5),
    "another form": replace("schema_version", 2),
    "no day": replace_in("provenance", "created", "yesterday"),
    "no checksum": replace_in("provenance", "template_sha256", "abc"),
    "seed below 0": replace_in("provenance", "seed", -1),
    "unknown kind of author": replace_in("provenance", "kind", "robot"),
    "unknown review": replace_in("review", "status", "fine"),
    "reviewers below 0": replace_in("review", "reviewers", -1),
}
ONLY_THE_RECORD: dict[str, Spoil] = {
    "blank": replace("scenario", " \n "),
    "control character": replace("scenario", "bell \a"),
    "same text twice": lambda data: data["actions"][1].update(text=data["actions"][0]["text"]),
    "a value against itself": lambda data: data.update(competing_value=data["value"]),
}


def verdicts(data: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the JSON Schema and the record accept a dilemma."""
    by_schema = Draft202012Validator(schema.json_schema(Dilemma)).is_valid(data)
    try:
        Dilemma.model_validate(data)
    except ValidationError:
        return by_schema, False
    return by_schema, True


@pytest.mark.parametrize("name", GOOD)
def test_schema_and_record_accept_the_same(name: str, record: dict[str, Any]) -> None:
    GOOD[name](record)
    assert verdicts(record) == (True, True)


@pytest.mark.parametrize("name", BAD)
def test_schema_and_record_refuse_the_same(name: str, record: dict[str, Any]) -> None:
    BAD[name](record)
    assert verdicts(record) == (False, False)


@pytest.mark.parametrize("name", ONLY_THE_RECORD)
def test_these_rules_only_the_record_knows(name: str, record: dict[str, Any]) -> None:
    ONLY_THE_RECORD[name](record)
    assert verdicts(record) == (True, False)


@pytest.mark.parametrize("whole", [[], {}, None, "text", 3])
def test_no_dilemma_at_all_is_refused_by_both(whole: Any) -> None:
    assert verdicts(whole) == (False, False)


def test_an_action_is_found_by_its_place(record: dict[str, Any]) -> None:
    record["actions"].reverse()
    dilemma = Dilemma.model_validate(record)
    for polarity, intensity in PLACES:
        action = dilemma.action(polarity, intensity)
        assert (action.polarity, action.intensity) == (polarity, intensity)


def test_a_set_has_distinct_personas_and_not_the_baseline() -> None:
    one = Persona(id="someone", category="other")
    with pytest.raises(ValidationError, match="someone"):
        PersonaSet(name="twice", personas=(one, one))
    with pytest.raises(ValidationError, match="baseline"):
        PersonaSet(name="mine", personas=(BASELINE,))
    with pytest.raises(ValidationError):
        PersonaSet(name="nobody", personas=())


def test_the_baseline_has_no_place_on_the_axes() -> None:
    assert BASELINE.is_baseline
    assert (BASELINE.T, BASELINE.S, BASELINE.incongruity, BASELINE.variables) == (None, None, None, {})


def test_canonical_json_is_one_text_for_one_meaning() -> None:
    assert canonical_json({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


def test_the_command_writes_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "schemas").mkdir()
    monkeypatch.chdir(tmp_path)
    runpy.run_path(schema.__file__, run_name="__main__")
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "schemas").iterdir()}
    assert written == {f"{name}.json": schema.schema_text(record) for name, record in PUBLISHED.items()}
