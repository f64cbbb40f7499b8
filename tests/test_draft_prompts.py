"""What a model reads when it writes a dilemma: the rules, the cell, and what was wrong with an older text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilemmas import taxonomy
from dilemmas.cells import plan
from dilemmas.prompts import ASKING, DRAFTING, Prompts
from dilemmas.resources import folder
from dilemmas.schema import PLACES, Dilemma, Finding, Setting

BRIEF, DILEMMA = DRAFTING
PROMPTS = Prompts()
SETTING = Setting(
    place="a shared taxi in slow traffic",
    relationship="your elder sister",
    role="the one who holds the shared money",
    stakes="how two people will get on from now on",
)
FINDINGS = [
    Finding(
        id="honest-social-networks",
        revision=1,
        rule="length",
        severity="warning",
        what="9 words; a usual action has 15 to 35",
        where="line 3, actions[2].text",
        fix="Bring the text within the limits.",
    ),
    Finding(
        id="honest-social-networks",
        revision=1,
        rule="near-duplicate",
        severity="warning",
        what="the scenario is nearly that of another dilemma",
        where="line 3, scenario",
        fix="Tell another story.",
        others=("honest-work",),
    ),
]
HOSTILE = [
    "{{ 7*7 }}",
    "{% include 'draft/brief.j2' %}",
    "{# gone #}",
    "${x} %(x)s {x}",
    "<b>&amp;</b>",
    '"}], {"a": 1',
]


def asked(**variables: Any) -> str:
    """The prompt for one dilemma of Honest against Wealth."""
    known: dict[str, Any] = {
        "value": taxonomy.value("Honest"),
        "competing": taxonomy.value("Wealth"),
        "topic": taxonomy.topics()["Social Networks"],
        "setting": SETTING,
        "avoid": [],
        "previous": None,
        "findings": [],
    }
    return PROMPTS.render(DILEMMA, **known | variables)


@pytest.fixture
def old(record: dict[str, Any]) -> Dilemma:
    """An older text of the same dilemma."""
    return Dilemma.model_validate(record)


def test_the_brief_is_as_agreed(golden: Callable[[str, str], None]) -> None:
    golden("prompts/draft-brief.txt", PROMPTS.render(BRIEF) + "\n")


def test_the_prompt_for_a_new_dilemma_is_as_agreed(golden: Callable[[str, str], None]) -> None:
    avoid = ["You keep the till of a small choir and your neighbour asks", "a school gym after hours; your mother"]
    golden("prompts/draft-dilemma.txt", asked(avoid=avoid) + "\n")


def test_the_prompt_for_a_redraft_is_as_agreed(golden: Callable[[str, str], None], old: Dilemma) -> None:
    golden("prompts/draft-redraft.txt", asked(previous=old, findings=FINDINGS) + "\n")


def test_the_brief_names_the_keys_of_the_reply() -> None:
    brief = PROMPTS.render(BRIEF)
    for polarity, intensity in PLACES:
        assert f'"{polarity}_{intensity}"' in brief
    assert all(f'"{key}"' in brief for key in ("scenario", "text", "rationale"))


@pytest.mark.parametrize(
    "rule",
    [
        "second person, present tense",
        "60 to 120 words",
        "a reasonable person could go either way",
        "something at stake today",
        "not decoration",
        "not how grave the outcome is",
        "leaves real room for the other",
        "at a real cost",
        "not in harm, legality or social acceptability",
        "all are legal, none is cruel",
        "a decent person could do",
        "first person, 15 to 35 words each",
        "about the same length",
        "without moral colouring",
        "the name of either value",
        "open differently",
        "one or two sentences",
        "real people, brands, full names or personal data",
        "only one json object, in english",
    ],
)
def test_the_brief_holds_every_rule(rule: str) -> None:
    assert rule in PROMPTS.render(BRIEF).lower()


def test_the_cell_is_told_in_full() -> None:
    prompt = asked()
    for name in ("Honest", "Wealth"):
        assert f"{name}, that is, {taxonomy.value(name).definition}." in prompt
    assert f"Social Networks. {taxonomy.topics()['Social Networks'].scope}" in prompt
    assert all(text in prompt for text in SETTING.model_dump().values())


def test_what_there_is_none_of_is_not_mentioned(old: Dilemma) -> None:
    full = asked(avoid=["another story"], previous=old, findings=FINDINGS)
    headings = {"setting", "the same value", "The old text", "is wrong with it"}
    assert all(heading in full for heading in headings)
    bare = asked(setting=None)
    assert [heading for heading in headings if heading in bare] == []
    assert "None" not in bare


def test_a_finding_points_to_the_text_as_it_is_shown(old: Dilemma) -> None:
    prompt = asked(previous=old, findings=FINDINGS)
    assert f"\nactions[2].text (aligned_mild): {old.actions[2].text}\n" in prompt
    assert "\n- actions[2].text: 9 words; a usual action has 15 to 35. Bring the text within the limits.\n" in prompt
    assert "line 3" not in prompt


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_of_a_dilemma_or_a_finding_comes_out_as_it_is(hostile: str, old: Dilemma) -> None:
    actions = tuple(
        action.model_copy(update={"text": f"{place}{hostile}", "rationale": hostile})
        for place, action in enumerate(old.actions)
    )
    previous = old.model_copy(update={"scenario": hostile, "actions": actions})
    finding = FINDINGS[0].model_copy(update={"what": f"it says {hostile}", "fix": hostile})
    setting = SETTING.model_copy(update={"place": hostile})
    prompt = asked(setting=setting, avoid=[hostile], previous=previous, findings=[finding])
    # The place, what to avoid, the scenario, six actions with their rationales, and a finding twice.
    assert prompt.count(hostile) == 1 + 1 + 1 + 12 + 2


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=60))
def test_what_to_avoid_is_never_read_as_a_template(text: str) -> None:
    assert f"\n- <{text}>" in asked(avoid=[f"<{text}>"])


def test_no_prompt_takes_more_than_its_share_of_a_small_context() -> None:
    """1,100 tokens at about four characters each, so that 4,096 have room for what to avoid and for the reply."""
    brief, values, topics = PROMPTS.render(BRIEF), taxonomy.values(), taxonomy.topics()
    longest = max(
        len(
            asked(
                value=values[cell.value],
                competing=values[cell.competing_value],
                topic=topics[cell.topic],
                setting=cell.setting,
            )
        )
        for cell in plan(tuple(values), tuple(topics), 1, 0)
    )
    assert len(brief) + longest < 4 * 1100


def test_every_shipped_template_for_drafting_is_in_its_checksum() -> None:
    found = {f"draft/{path.name}" for path in (folder("templates") / "draft").glob("*.j2")}
    assert found == set(DRAFTING)


@pytest.mark.parametrize("name", DRAFTING)
def test_a_template_of_ones_own_changes_the_checksum_of_drafting_only(name: str, tmp_path: Path) -> None:
    mine = tmp_path / name
    mine.parent.mkdir()
    mine.write_text("Write.", encoding="utf-8")
    assert Prompts(tmp_path).checksum(DRAFTING) != Prompts().checksum(DRAFTING)
    assert Prompts(tmp_path).checksum() == Prompts().checksum() == Prompts().checksum(ASKING)
