"""What annotators are asked: the labeling configs, the keys, the guidelines."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from label_studio_sdk.label_interface import LabelInterface

from dilemmas.review import form as forms
from dilemmas.review.__main__ import FILES
from dilemmas.review.form import FORM_VERSION, FORMS, FormName

EACH = pytest.mark.parametrize("form", FORMS)
NAVIGATION = {"u", "enter", "escape", "backspace", "delete"}
"""Plain keys that Label Studio 1.23.2 uses for itself on a page without images (its keymap.json)."""


def config(form: FormName) -> ElementTree.Element:
    return ElementTree.fromstring(forms.labeling_config(form))


@EACH
def test_label_studio_accepts_the_config(form: FormName) -> None:
    LabelInterface(forms.labeling_config(form)).validate()


@EACH
def test_the_file_to_read_is_the_config(form: FormName) -> None:
    path = Path(__file__).parent.parent / "annotations" / FILES[form]
    assert path.read_text(encoding="utf-8") == forms.labeling_config(form), "make schemas writes it"


@EACH
def test_every_control_offers_the_declared_answers_and_insists_on_one(form: FormName) -> None:
    controls = {one.get("name"): tuple(choice.get("alias") for choice in one) for one in config(form).iter("Choices")}
    assert controls == forms.offered(form)
    for choices in config(form).iter("Choices"):
        assert choices.get("required") == "true"
        assert choices.get("requiredMessage")


@EACH
def test_every_text_field_is_there(form: FormName) -> None:
    fields = {area.get("name"): area.get("value") for area in config(form).iter("TextArea")}
    assert set(fields) == set(forms.TEXT_FIELDS)
    assert fields == {
        forms.COMMENT: "",
        forms.EDIT_SCENARIO: "$scenario",
        **{forms.edit(slot): f"$action_{slot}" for slot in forms.SLOTS},
    }


@EACH
def test_the_config_shows_all_data_and_reads_no_html_in_it(form: FormName) -> None:
    assert {text.get("value") for text in config(form).iter("Text")} == {f"${key}" for key in forms.data_keys(form)}
    assert {element.tag for element in config(form).iter()} <= {
        "View", "Style", "Header", "Text", "Choices", "Choice", "TextArea",
    }  # fmt: skip


def test_those_who_judge_blind_are_shown_neither_labels_nor_the_competing_value() -> None:
    assert not {key for key in forms.data_keys("blind") if key.startswith(("label", "competing"))}


@EACH
def test_no_two_answers_have_the_same_key_and_none_takes_one_of_label_studio(form: FormName) -> None:
    keys = [answer.key for offer in forms.answers(form).values() for answer in offer]
    assert len(keys) == len(set(keys))
    assert not set(keys) & NAVIGATION
    assert sorted(keys) == sorted(choice.get("hotkey", "") for choice in config(form).iter("Choice"))


def test_strength_is_asked_where_a_side_is_given() -> None:
    for slot in forms.SLOTS:
        (view,) = (one for one in config("blind").iter("View") if one.get("whenTagName") == forms.side(slot))
        assert view.get("whenChoiceValue") == f"{forms.WORDS['aligned']},{forms.WORDS['opposed']}"
        assert [choices.get("name") for choices in view.iter("Choices")] == [forms.strength(slot)]


@EACH
def test_a_config_is_known_again_and_one_of_another_version_is_not_taken_for_it(form: FormName) -> None:
    text = forms.labeling_config(form)
    assert forms.form_of(text.strip()) == form
    assert forms.form_of(text.replace(f"review-{FORM_VERSION}-", f"review-{FORM_VERSION + 1}-")) is None


@EACH
def test_the_style_passes_a_sanitiser_unchanged(form: FormName) -> None:
    (style,) = config(form).iter("Style")
    assert style.text
    assert not set("<>&") & set(style.text)


def test_the_guidelines_explain_every_question_and_answer_of_the_form() -> None:
    guidelines = forms.instructions()
    questions = [
        header.get("value", "")
        for view in config("open").iter("View")
        if view.get("className") == "dr-question"
        for header in view.iter("Header")
    ]
    assert len(questions) == len(forms.QUALITY)
    for words in (*questions, *(forms.WORDS[code] for code in (*forms.VERDICTS, *forms.DECISIONS))):
        assert words in guidelines


def test_the_guidelines_are_one_line_of_html() -> None:
    guidelines = forms.instructions()
    assert "\n" not in guidelines
    assert guidelines.count("<table>") == 4
    assert not re.search(r"[*|`#]{2,}", guidelines)
