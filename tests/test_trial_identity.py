"""A trial's id changes with all that can change the answer, and with nothing else.

Every setting says which of the two it is (`changes_answer`), and stands in `CHANGES` with another
value than its default: a new setting makes these tests fail until it is declared and tried.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from conftest import plan_of

from dilemmas.config import ModelConfig, RunConfig
from dilemmas.dataset import shipped_path
from dilemmas.resources import folder
from dilemmas.schema import Capabilities, Message, ModelIdentity, Record, Sampling, Trial

Cell = tuple[str, str, str, int]
BASE: dict[str, Any] = {"dataset": "base.jsonl", "limit": 2, "persona_set": "three", "repeats": 2}

CHANGES: dict[str, Any] = {
    "name": "another-run",
    "dataset": "other.jsonl",
    "limit": 1,
    "shard": "1/2",
    "persona_set": "other.toml",
    "prompt_style": "statements",
    "templates": "templates",
    "repeats": 5,
    "orders": "random",
    "seed": 7,
    "scale": "thirds",
    "model.name": "another-model",
    "model.base_url": ("http://gpu:8000/v1", "http://gpu:8001/v1"),
    "model.api_key_env": "ANOTHER_KEY",
    "model.allow_plain_http_key": True,
    "model.protocol": "logprob",
    "model.send_seed": False,
    "model.persona_role": "user",
    "model.reasoning_effort": "low",
    "model.chat_template_kwargs": {"enable_thinking": False},
    "model.thinking_budget": 100,
    "model.extra_body": {"min_p": 0.1},
    "model.noise": True,
    "model.strict": True,
    "model.concurrency": 17,
    "model.patience": 0.0,
    "model.timeout": 1.5,
    "model.attempts": 2,
    "model.sampling.temperature": 0.7,
    "model.sampling.top_p": 0.5,
    "model.sampling.top_k": 3,
    "model.sampling.max_tokens": 99,
}
TABLES: list[tuple[str, type[Record]]] = [("", RunConfig), ("model.", ModelConfig), ("model.sampling.", Sampling)]
SETTINGS = {
    prefix + name: field
    for prefix, table in TABLES
    for name, field in table.model_fields.items()
    if prefix + name not in ("models", "model.sampling", "model.sampling.extra")
}


def changes_answer(setting: str) -> bool:
    extra = SETTINGS[setting].json_schema_extra
    if setting.startswith("model.sampling."):
        extra = ModelConfig.model_fields["sampling"].json_schema_extra
    assert isinstance(extra, dict), f"{setting} must be made with config.setting(..., changes_answer=...)"
    declared = extra["changes_answer"]
    assert isinstance(declared, bool)
    return declared


def write(name: str, lines: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")


@pytest.fixture
def ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[Cell, str]]:
    """Ids of a small study by persona, item, question and repeat; beside files that `CHANGES` names."""
    monkeypatch.chdir(tmp_path)
    lines = [json.loads(line) for line in shipped_path().read_text(encoding="utf-8").splitlines()[:4]]
    write("base.jsonl", lines)
    write("other.jsonl", [{**one, "scenario": f"{one['scenario']} It is late."} for one in lines])
    Path("other.toml").write_text('[[persona]]\nid = "moderate-1"\ngrid = 4711\n', encoding="utf-8")
    Path("templates", "ask").mkdir(parents=True)
    Path("templates", "ask", "action.j2").write_text("And now?", encoding="utf-8")

    def find(found: Capabilities | None = None, **settings: Any) -> dict[Cell, str]:
        trials = [planned.trial for planned in plan_of(found, **{**BASE, **settings})]
        return {(one.persona, one.item, one.question, one.repeat): one.id for one in trials}

    return find


def test_every_setting_is_tried_with_another_value() -> None:
    assert set(CHANGES) == set(SETTINGS)
    for setting, other in CHANGES.items():
        assert other != BASE.get(setting, SETTINGS[setting].get_default(call_default_factory=True))


@pytest.mark.parametrize("setting", CHANGES)
def test_ids_change_with_a_setting_that_can_change_an_answer_and_with_no_other(
    setting: str, ids: Callable[..., dict[Cell, str]]
) -> None:
    before, after = ids(), ids(**{setting: CHANGES[setting]})
    shared = before.keys() & after.keys()
    assert shared
    changed = {cell for cell in shared if before[cell] != after[cell]}
    if changes_answer(setting):
        assert changed, f"{setting} is declared to change answers, and no id changes with it"
    else:
        assert not changed, f"{setting} is declared to change no answer, and ids change with it"


@pytest.mark.parametrize(
    "setting",
    ["seed", "model.name", "model.protocol", "model.send_seed", "dataset"]
    + [f"model.{name}" for name in ("reasoning_effort", "chat_template_kwargs", "extra_body", "strict")]
    + [setting for setting in SETTINGS if setting.startswith("model.sampling.")],
)
def test_these_settings_change_every_id(setting: str, ids: Callable[..., dict[Cell, str]]) -> None:
    before, after = ids(), ids(**{setting: CHANGES[setting]})
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


def test_an_id_belongs_to_one_cell_and_comes_again(ids: Callable[..., dict[Cell, str]]) -> None:
    first = ids()
    assert len(first) == 4 * 2 * 2 * 2
    assert len(set(first.values())) == len(first)
    assert ids() == first


def test_a_larger_study_has_the_trials_of_the_smaller_one(ids: Callable[..., dict[Cell, str]]) -> None:
    small = ids()
    for larger in ({"limit": 4}, {"repeats": 5}, {"persona_set": "twelve"}):
        assert small.items() <= ids(**larger).items()


def test_only_what_a_persona_is_counts_and_not_what_it_is_called(ids: Callable[..., dict[Cell, str]]) -> None:
    for name in ("one-name", "another-name"):
        text = f'[[persona]]\nid = "{name}"\ngrid = 4711\n'
        Path(f"{name}.toml").write_text(text, encoding="utf-8")

    def called(name: str) -> list[str]:
        found = ids(persona_set=f"{name}.toml")
        return [one for (persona, *_), one in found.items() if persona == name]

    assert called("one-name") == called("another-name")
    assert len(called("one-name")) == 8


def test_the_same_name_for_another_persona_does_not_share_its_ids(ids: Callable[..., dict[Cell, str]]) -> None:
    before, after = ids(), ids(persona_set="other.toml")
    shared = {persona for persona, *_ in before.keys() & after.keys()}
    assert shared == {"baseline", "moderate-1"}
    assert {persona for (persona, *_), _ in before.items() & after.items()} == {"baseline"}


def test_a_copy_of_the_shipped_templates_changes_nothing(ids: Callable[..., dict[Cell, str]]) -> None:
    copytree(folder("templates"), "copied")
    assert ids(templates="copied") == ids()


def test_where_the_files_lie_does_not_matter(ids: Callable[..., dict[Cell, str]]) -> None:
    Path("elsewhere").mkdir()
    Path("elsewhere", "renamed.jsonl").write_bytes(Path("base.jsonl").read_bytes())
    assert ids(dataset="elsewhere/renamed.jsonl") == ids()


def test_provenance_and_review_of_a_dilemma_do_not_matter(ids: Callable[..., dict[Cell, str]]) -> None:
    lines = [json.loads(line) for line in Path("base.jsonl").read_text(encoding="utf-8").splitlines()]
    for one in lines:
        one["revision"] = 2
        one["review"] = {"status": "accepted", "reviewers": 3}
        one["provenance"]["author"] = "Somebody else"
        for action in one["actions"]:
            action["rationale"] = "For another reason."
    write("reviewed.jsonl", lines)
    assert ids(dataset="reviewed.jsonl") == ids()


@pytest.mark.parametrize(
    ("found", "same"),
    [
        (Capabilities(top_logprobs=20, reply_schema="bounded", server="another, of another version"), True),
        (Capabilities(top_logprobs=50, reply_schema="bounded"), True),
        (Capabilities(top_logprobs=20, reply_schema="plain"), False),
        (Capabilities(top_logprobs=20, reply_schema="none"), False),
        (Capabilities(top_logprobs=20, reply_schema="bounded", top_k=False), False),
        (Capabilities(top_logprobs=20, reply_schema="bounded", seed=False), False),
    ],
)
def test_what_a_server_can_do_counts_where_it_changes_the_request(
    found: Capabilities, same: bool, ids: Callable[..., dict[Cell, str]]
) -> None:
    assert (ids(found) == ids()) is same


def test_how_many_probabilities_are_read_counts_where_they_are_read(ids: Callable[..., dict[Cell, str]]) -> None:
    settings: dict[str, Any] = {"model.protocol": "logprob"}
    able = [Capabilities(top_logprobs=many) for many in (20, 50)]
    assert not set(ids(able[0], **settings).values()) & set(ids(able[1], **settings).values())


@pytest.mark.parametrize("setting", [name for name in CHANGES if name.startswith("model.sampling.")])
def test_sampling_does_not_count_where_nothing_is_sampled(setting: str, ids: Callable[..., dict[Cell, str]]) -> None:
    settings: dict[str, Any] = {"model.protocol": "logprob"}
    assert ids(**settings) == ids(**settings, **{setting: CHANGES[setting]})


FIELDS: dict[str, Any] = {
    "model": ModelIdentity(name="a-model", revision="sha256:1"),
    "persona": "baseline",
    "item": "ferry",
    "question": "value",
    "side": "stated",
    "repeat": 0,
    "order": ("one", "two"),
    "protocol": "reasoned",
    "mode": "free",
    "sampling": Sampling(),
    "seed": 3,
    "messages": (Message(role="user", content="Well?"),),
}
OTHERS: dict[str, tuple[Any, bool]] = {
    "model": (ModelIdentity(name="a-model", revision="sha256:2"), True),
    "persona": ("max-1", False),
    "item": ("bath", False),
    "question": ("action", False),
    "side": ("acted", False),
    "repeat": (1, True),
    "order": (("two", "one"), True),
    "protocol": ("logprob", True),
    "mode": ("json_schema", True),
    "sampling": (Sampling(temperature=0), True),
    "seed": (None, True),
    "messages": ((Message(role="system", content="Well?"),), True),
}
"""Another value for each field of a trial, and whether it changes the id."""


def test_every_field_of_a_trial_is_in_its_id_or_left_out_on_purpose() -> None:
    assert set(OTHERS) == set(FIELDS) == set(Trial.model_fields)
    for name, (other, changes) in OTHERS.items():
        assert (Trial(**{**FIELDS, name: other}).id != Trial(**FIELDS).id) is changes, name


def test_an_id_is_the_same_on_every_machine() -> None:
    assert Trial(**FIELDS).id == "e1bd858dcb4bcd68a32bdab130294db64bea95f7214d72069067614c6bc97cb5"
