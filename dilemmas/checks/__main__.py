"""`python -m dilemmas.checks` writes docs/checks.md from the rules."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from dilemmas.checks import RULES
from dilemmas.checks.rules import Rule

INTRODUCTION = """\
# What `dilemmas check` looks for

Written by `make schemas` from the rules in `dilemmas/checks/`; change it there.

```sh
dilemmas check                          # the shipped dilemmas
dilemmas check dataset/drafts.jsonl     # a file of your own
dilemmas check dataset/drafts.jsonl --judge MODEL --base-url http://gpu:8000/v1
dilemmas generate --repair checks/drafts/findings.json
```

The command reads a file of dilemmas (JSON Lines), applies every rule below and says what it found. It asks no
model unless it is told to, and it changes nothing in the file. It goes on past lines that are no valid record;
only a file that cannot be read at all, or mixes versions of the schema, ends it at once.

## Severities

- An **error** must be mended: the dilemma would spoil what is measured with it, or cannot be used.
- A **warning** is to be mended, unless somebody can say why it stands. For `NAME.jsonl` that is said in
  `NAME.answers.jsonl` beside it, a line for each finding ([schema](../schemas/answer.json)): its `rule`, the
  dilemma's `id` and `revision` (neither for a finding about the whole set) and the `answer`. Answered findings are
  shown with their answers, and nothing is written anew for them.
- A **note** is for information: worth a look, and often right as it is.

Below, each rule has its usual severity; where a finding may be graver or milder, the rule says when.

`dilemmas generate --repair` has the dilemmas with errors and warnings written anew, each with its findings in the
prompt. It leaves alone what people have judged. A rule flags; whether a dilemma is good, people decide.

## Files

They are in `checks/` and the file's name, or in the folder given with `--out`.

| file | what it holds |
|---|---|
| `findings.json` | every finding, and the measures behind them ([schema](../schemas/findings.json)) |
| `check.html` | the same for people: what to redraft, with its text; one file, no script |
| `judging.jsonl` | with `--judge`: each request and reply; the same command again asks only what is missing |
| `judgements.jsonl` | with `--judge`: what was read from the replies ([schema](../schemas/judgement.json)) |

## Exit codes

| code | meaning |
|---|---|
| 0 | no errors; there may be warnings and notes |
| 1 | errors were found |
| 2 | wrong input: the file, the folder or the model cannot be used |
| 3 | the judge left readings open, or most of them unreadable; what was found is written all the same |
| 130 | interrupted |

## Models

`--judge` has a model sort each dilemma's actions without sight of their labels, in several orders; the rules of
the family *blind sorting* are about what it says. Without `--judge` they go by what an earlier one said of the
same revisions, where its judgements lie in the folder, or else beside the file as `NAME.judgements.jsonl`. `--embed`
compares scenarios by a model's embeddings in place of TF-IDF, which sees only the words they share.
"""
FAMILIES = {
    "form": ("Form", "One dilemma at a time: whether it is whole and written as it should be."),
    "content": ("Content", "One dilemma at a time: what a person should look at before it is used."),
    "confounds": ("Wording and labels", "The set: whether an action's wording gives its label away."),
    "sameness": ("Sameness", "The set: whether dilemmas repeat each other."),
    "coverage": ("Coverage", "The set: what it holds too much or too little of."),
    "blind-sort": ("Blind sorting", "What a judge that sees no labels makes of the actions; only with `--judge`."),
}
"""Title of each family, and what it is about, in the order of the rules."""


def text(rules: Iterable[Rule] = RULES) -> str:
    """The text of docs/checks.md."""
    families = [(*FAMILIES[name], list(members)) for name, members in groupby(rules, key=lambda rule: rule.family)]
    parts = [INTRODUCTION, "## Rules\n"]
    for title, _, members in families:
        names = ", ".join(f"[`{rule.name}`](#{rule.name})" for rule in members)
        parts.append(f"- {title}: {names}")
    for title, about, members in families:
        parts += [f"\n## {title}\n\n{about}", *(_section(rule) for rule in members)]
    return "\n".join(parts) + "\n"


def _section(rule: Rule) -> str:
    words = (
        f"\n### `{rule.name}`\n\n"
        f"**{rule.severity.capitalize()}.** {rule.looks_for}\n\n"
        f"- Why: {rule.reason}\n"
        f"- Mend: {rule.fix}"
    )
    return words.replace("<", "\\<")  # a placeholder such as <name> would pass for a tag and vanish


if __name__ == "__main__":
    Path("docs", "checks.md").write_text(text(), encoding="utf-8")
