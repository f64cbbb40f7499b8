"""Replies to stand word for word in the page: all of a small run, a sample of a large one.

What is drawn is a repeat of a dilemma, and of it both questions in all conditions of all models: conditions
can then be compared, and their prompts, which are mostly the same, take their room once. Every dilemma has
one repeat drawn before any has a second, and every value one dilemma before any has a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dilemmas.schema import Dilemma, Reply, canonical_json, sha256
from dilemmas.store import FILE, Store

BUDGET = 8_000_000
"""Characters of dilemmas, prompts and replies in a page."""
FOR_DILEMMAS = 0.3
"""Share of it that scenarios and actions take at most."""
LONGEST_REPLY = 2_000
"""Characters after which a reply is cut."""
SMALLEST = 100
"""Characters that a reply takes at least, with all that stands beside it."""
CUT = " […]"
"""Ends a reply that was cut."""


class Said(NamedTuple):
    """One reply."""

    model: str
    persona: str
    item: str
    side: str
    repeat: int
    messages: tuple[int, ...]
    """Numbers of the messages sent, in `Sample.texts`."""
    text: str
    reasoning: str
    """Thinking that the server kept apart."""
    refusal: str
    """The server's words of refusal."""
    reason: str
    """Why it was not read as an answer; empty for one."""


@dataclass
class Sample:
    """Some replies of a run, word for word."""

    total: int = 0
    """Replies that the run has."""
    dilemmas_total: int = 0
    """Dilemmas that have a reply."""
    seed: int = 0
    """Of the draw."""
    dilemmas: dict[str, Dilemma] = field(default_factory=dict)
    """Scenarios and actions by id, as far as the budget goes."""
    texts: dict[str, int] = field(default_factory=dict)
    """Messages sent, numbered."""
    replies: list[Said] = field(default_factory=list)
    cut: int = 0
    """Replies too long to stand whole."""

    @property
    def dilemmas_drawn(self) -> int:
        """Dilemmas that have a reply here."""
        return len({one.item for one in self.replies})


def sample(answers: pd.DataFrame, folder: Path, *, seed: int = 0, budget: int = BUDGET) -> Sample:
    """Draw replies of a run; the same seed draws the same ones.

    Args:
        answers: as from `scores.answers`, with `trial`.
        folder: of the run.
        seed: of the draw.
        budget: most characters of all texts together.

    Raises:
        StoreError: there is no run in the folder.
    """
    replied = answers[answers["status"] != "open"]
    found = Sample(total=len(replied), dilemmas_total=replied["item"].nunique(), seed=seed)
    turns, blocks = _in_turn(replied, seed), replied[_NEEDED].groupby(["item", "repeat"])
    with Store.reading(folder / FILE) as store:
        left = budget - _add_dilemmas(found, store.records("items"), turns, int(budget * FOR_DILEMMAS))
        for turn in turns:
            block = blocks.get_group(turn)
            replies = store.replies_to(block["trial"])
            asked = [[message.content for message in store.messages(trial)] for trial in block["trial"]]
            new = {text for texts in asked for text in texts} - set(found.texts)
            said = [_words(replies[trial]) for trial in block["trial"]]
            left -= sum(map(len, new)) + sum(SMALLEST + sum(map(len, words)) for words in said)
            if left < 0:
                break
            for row, texts, words in zip(block.itertuples(), asked, said, strict=True):
                found.replies.append(_said(row, [found.texts.setdefault(t, len(found.texts)) for t in texts], words))
                found.cut += any(text.endswith(CUT) for text in words)
    return found


_NEEDED = ["model", "persona", "item", "side", "repeat", "trial", "status", "reason"]


def _in_turn(replied: pd.DataFrame, seed: int) -> list[tuple[str, int]]:
    """Each dilemma and repeat, in the order in which they are drawn."""

    def lot(*key: object) -> str:
        return sha256(canonical_json([seed, *key]))

    keys = replied[["value", "item", "repeat"]].drop_duplicates()
    keys["of_item"] = [lot(item) for item in keys["item"]]
    keys["of_repeat"] = [lot(item, int(repeat)) for item, repeat in zip(keys["item"], keys["repeat"], strict=True)]
    keys["turn_of_repeat"] = keys.groupby("item")["of_repeat"].rank("dense")
    keys["turn_of_item"] = keys.groupby("value")["of_item"].rank("dense")
    drawn = keys.sort_values(["turn_of_repeat", "turn_of_item", "of_repeat"])
    return list(zip(drawn["item"], drawn["repeat"], strict=True))


def _add_dilemmas(found: Sample, records: Mapping[str, str], turns: Sequence[tuple[str, int]], most: int) -> int:
    """Add dilemmas in their turn; gives the characters they take."""
    used = 0
    for item in dict.fromkeys(item for item, _ in turns):
        dilemma = Dilemma.model_validate_json(records[item])
        size = len(dilemma.scenario) + sum(len(action.text) for action in dilemma.actions)
        if used + size > most:
            break
        found.dilemmas[item] = dilemma
        used += size
    return used


def _words(reply: Reply) -> tuple[str, str, str]:
    text, reasoning, refusal = (
        one if len(one) <= LONGEST_REPLY else one[:LONGEST_REPLY] + CUT
        for one in (reply.text, reply.reasoning, reply.refusal)
    )
    return text, reasoning, refusal


def _said(row: Any, messages: Sequence[int], words: tuple[str, str, str]) -> Said:
    reason = str(row.reason) if row.status != "answered" else ""
    return Said(row.model, row.persona, row.item, row.side, int(row.repeat), tuple(messages), *words, reason)
