"""What annotators are asked: the names of the controls, the answers they offer, and the labeling config.

There are two forms. The open one shows each action's label and asks whether it holds. The blind one
hides the labels, shows the actions in random order and asks for side and strength.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple, get_args
from xml.etree import ElementTree

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dilemmas.resources import decode_utf8, folder, read_bytes
from dilemmas.schema import Intensity, LabelVerdict, Polarity, ReviewDecision

FORM_VERSION = 1
"""Version of the controls and their answers; it is part of the config, so that no older form is taken for this one."""
FormName = Literal["open", "blind"]
FORMS: tuple[FormName, ...] = get_args(FormName)

SLOTS = (1, 2, 3, 4, 5, 6)
"""Numbers of the action cards. In the open form card n shows the action of `PLACES[n - 1]`."""
QUALITY = ("harmless", "sufficient", "plausible")
"""Quality questions, each answered yes or no; also the names of their controls."""
YES_NO = ("yes", "no")
DECISION, COMMENT, EDIT_SCENARIO = "decision", "comment", "edit_scenario"
"""Names of controls."""
DECISIONS: tuple[ReviewDecision, ...] = get_args(ReviewDecision)
VERDICTS: tuple[LabelVerdict, ...] = get_args(LabelVerdict)
SIDES: tuple[Polarity | Literal["cannot_tell"], ...] = (*get_args(Polarity), "cannot_tell")
STRENGTHS: tuple[Intensity, ...] = get_args(Intensity)

ABOUT = ("scenario", "value", "definition", "topic", "topic_scope")
"""Fields of a task's data that both forms show, beside the actions."""
WORDS = {
    "yes": "Yes", "no": "No", "accept": "Accept", "revise": "Revise", "reject": "Reject",
    "matches": "Fits", "weaker": "Weaker", "stronger": "Stronger", "wrong_side": "Wrong side",
    "cannot_tell": "Can't tell", "aligned": "For the value", "opposed": "Against it",
    "strong": "Strongly", "moderate": "Moderately", "mild": "Mildly",
}  # fmt: skip
"""What an annotator reads for each code."""
KEYS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
"""The rows of a keyboard. Key n of a row belongs to card n; those further right belong to the other questions."""


class Answer(NamedTuple):
    """One answer that a control offers."""

    code: str
    """What is stored."""
    words: str
    """What the annotator reads."""
    key: str
    """The key that gives it."""


def label(slot: int) -> str:
    """Name of the control that says whether a card's label holds (open form)."""
    return f"label_{slot}"


def side(slot: int) -> str:
    """Name of the control for the side of a card's action (blind form)."""
    return f"side_{slot}"


def strength(slot: int) -> str:
    """Name of the control for the strength of a card's action (blind form); not asked where the side is unclear."""
    return f"strength_{slot}"


def edit(slot: int) -> str:
    """Name of the field for a card's new text, shown where the decision is to revise."""
    return f"edit_{slot}"


TEXT_FIELDS = (COMMENT, EDIT_SCENARIO, *(edit(slot) for slot in SLOTS))
"""Names of the controls for text; the same in both forms."""


def answers(form: FormName) -> dict[str, tuple[Answer, ...]]:
    """The controls of a form where one answer is chosen, by name, in the order in which they are asked."""
    digits, upper, home, lower = KEYS
    asked: dict[str, tuple[Answer, ...]] = {}
    for slot in SLOTS:
        column = slot - 1
        keys = [row[column] for row in (digits, upper, home, lower)]
        if form == "open":
            asked[label(slot)] = _offer(VERDICTS, [*keys, f"shift+{slot}"])
        else:
            asked[side(slot)] = _offer(SIDES, keys[:3])
            asked[strength(slot)] = _offer(STRENGTHS, [f"shift+{key}" for key in keys[:3]])
    for name, yes, no in zip(QUALITY, digits[7:], upper[7:], strict=True):
        asked[name] = _offer(YES_NO, [yes, no])
    asked[DECISION] = _offer(DECISIONS, home[6:])
    return asked


@cache
def offered(form: FormName) -> dict[str, tuple[str, ...]]:
    """Codes of the answers of each control where one is chosen, by the control's name."""
    return {name: tuple(answer.code for answer in choice) for name, choice in answers(form).items()}


def data_keys(form: FormName) -> tuple[str, ...]:
    """Fields of a task's data that a form shows, all of them text.

    Those who see no labels are not told the competing value either, as a machine that sorts blind is not.
    """
    cards = tuple(f"action_{slot}" for slot in SLOTS)
    if form == "blind":
        return (*ABOUT, *cards)
    return (*ABOUT, "competing_value", "competing_definition", *cards, *(label(slot) for slot in SLOTS))


def label_words(value: str, polarity: Polarity, intensity: Intensity) -> str:
    """A label as an annotator reads it: the data's `label_1` to `label_6`.

    >>> label_words("Honest", "opposed", "mild")
    'Mildly against Honest'
    """
    return f"{WORDS[intensity]} {'for' if polarity == 'aligned' else 'against'} {value}"


def marker(form: FormName) -> str:
    """Class of the config's outermost element, by which a project is known to be ours."""
    return f"dilemmas-review-{FORM_VERSION}-{form}"


def form_of(label_config: str) -> FormName | None:
    """Which form a project has; None where it is not one of ours, or one of another version."""
    for form in FORMS:
        if f'"{marker(form)}"' in label_config:
            return form
    return None


def labeling_config(form: FormName) -> str:
    """The XML of a form; it holds nothing from any dataset."""
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder("templates") / "review"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("labeling.xml.j2").render(
        form=form, marker=marker(form), answers=answers(form), slots=SLOTS, words=WORDS
    )
    config = ElementTree.fromstring(text)  # noqa: S314  (our own text)
    ElementTree.indent(config)
    return ElementTree.tostring(config, encoding="unicode") + "\n"


def instructions() -> str:
    """The annotators' guidelines as HTML, for the project's instructions."""
    from markdown_it import MarkdownIt

    path = folder("annotations") / "guidelines.md"
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    # Label Studio shows line breaks in the HTML as they are, so there are none.
    renderer.add_render_rule("softbreak", lambda *_: " ")
    html = str(renderer.render(decode_utf8(read_bytes(path, "file of guidelines"), path)))
    return f'<div class="dr-guide">{html.replace(chr(10), "")}</div>'


def _offer(codes: tuple[str, ...], keys: Sequence[str]) -> tuple[Answer, ...]:
    return tuple(Answer(code, WORDS[code], key) for code, key in zip(codes, keys, strict=True))
