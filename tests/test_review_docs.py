"""docs/review.md says what is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import get_args

import pytest
from typer.main import get_group

from dilemmas.cli.review import app
from dilemmas.schema import DecisionOutcome, DecisionRule, RoundProblem

TEXT = (Path(__file__).parent.parent / "docs" / "review.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^dilemmas review (.+)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("words", COMMANDS)
def test_each_command_is_one_with_these_options(words: str) -> None:
    name, *arguments = shlex.split(words)
    get_group(app).commands[name].make_context(name, arguments)


@pytest.mark.parametrize("kinds", [RoundProblem.model_fields["kind"].annotation, DecisionRule, DecisionOutcome])
def test_each_kind_of_problem_rule_and_outcome_is_explained(kinds: object) -> None:
    rows = re.findall(r"^\| `?(\w+)", TEXT, re.MULTILINE)
    assert set(get_args(kinds)) <= set(rows)
