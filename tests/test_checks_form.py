"""Rules of form: each fires on a good dilemma with one part spoilt, and stays quiet on what only looks like it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spoil import ODD, SCENARIO, TEXTS, spoilt

from dilemmas import checks, dataset
from dilemmas.checks import blind_sort, content, form, leftovers, text
from dilemmas.resources import folder
from dilemmas.schema import Dilemma, Finding
from dilemmas.taxonomy import values

BAD = Path(__file__).parent / "data" / "bad.jsonl"
Found = list[tuple[str, str, str]]


def found(dilemma: Dilemma) -> Found:
    """Rule, severity and field of each finding of form."""
    return [(one.rule, one.severity, one.where) for one in form.find([dilemma])]


def test_a_good_dilemma_is_left_alone() -> None:
    assert found(spoilt()) == []


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_but_good_dilemma_is_left_alone(kind: str) -> None:
    assert [*form.find([ODD[kind]]), *content.find([ODD[kind]])] == []


def test_the_shipped_dilemmas_have_no_finding() -> None:
    assert list(form.find(dataset.read(dataset.shipped_path()).dilemmas)) == []


@pytest.mark.parametrize(
    ("scenario", "severity"),
    [
        (SCENARIO.replace("You", "They").replace("Your", "Their").replace("you", "they"), "error"),
        (SCENARIO.replace("You keep", "I keep").replace("Your", "My"), "error"),
        (SCENARIO.replace("Your oldest friend", "Our oldest friend"), "warning"),
        ("“You know me,” says Marta. " + " ".join(["The lake lies still and nobody speaks."] * 9), "error"),
    ],
)
def test_a_scenario_is_told_to_the_reader(scenario: str, severity: str) -> None:
    assert ("second-person", severity, "scenario") in found(spoilt(scenario=scenario))


@pytest.mark.parametrize(
    ("sentence", "severity"),
    [
        ("Type I diabetes runs in his family, and Part I of the exam is near.", None),
        ("He reads about Elizabeth I all day.", None),
        ("The chapel of Our Lady is lit, and they sing We Shall Overcome.", None),
        ("Tell us, the letter says.", "warning"),
        ("We know that our lake is deep.", "warning"),
        ("We know that our lake and my boat are old.", "error"),
        ("On Saturday I lent my boat.", "error"),
        ("Yesterday I lent my boat.", "error"),
    ],
)
def test_a_narrator_is_told_from_a_numeral_and_a_title(sentence: str, severity: str | None) -> None:
    assert found(spoilt(scenario=f"{SCENARIO} {sentence}")) == (
        [("second-person", severity, "scenario")] if severity else []
    )


def test_a_lone_you_after_the_first_sentence_is_no_address() -> None:
    told = SCENARIO.replace("You keep", "Marta keeps").replace("Your", "Her").replace("you", "her")
    assert found(spoilt(scenario=f"{told} It is late, as you may imagine.")) == [
        ("second-person", "warning", "scenario")
    ]
    assert found(spoilt(scenario=f"You know Marta. {told}")) == []


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("You tell Tomas at once that both have asked, and that nobody can say who gets the boat.", "error"),
        ("Tell Tomas at once that both have asked, and that nobody can say who gets the big boat.", "error"),
        ("The keeper says 'I shall tell Tomas' and then names the time that he wants for the crossing.", "error"),
        ("He tells my father that both have asked, and that nobody can say who gets the big boat.", "error"),
        ("I tell Tomas at once that both have asked, as you would, and that nobody can say more.", "warning"),
    ],
)
def test_an_action_is_what_i_do(text: str, severity: str) -> None:
    assert found(spoilt(texts={0: text})) == [("first-person", severity, "actions[0].text")]


@pytest.mark.parametrize("text", ["My answer to Tomas is no, and", "Our list is full, and", "At noon we tell Tomas"])
def test_an_action_may_begin_in_other_ways(text: str) -> None:
    assert (
        found(spoilt(texts={0: f"{text} the big boat stays with the fishers of this village till the week is over."}))
        == []
    )


@pytest.mark.parametrize(
    ("changed", "severity", "where"),
    [
        ({"scenario": " ".join(SCENARIO.split()[:50])}, "warning", "scenario"),
        ({"scenario": " ".join(SCENARIO.split()[:29])}, "error", "scenario"),
        ({"scenario": " ".join([SCENARIO] * 2)}, "warning", "scenario"),
        ({"scenario": " ".join([SCENARIO] * 3)}, "error", "scenario"),
        ({"texts": {3: "I name a time to Tomas with a shrug, and nod."}}, "warning", "actions[3].text"),
        ({"texts": {3: "I name a time to Tomas, shrugging."}}, "error", "actions[3].text"),
        ({"reasons": {3: "A shrug hints at the truth."}}, "warning", "actions[3].rationale"),
        ({"reasons": {3: "Hints shrugged."}}, "error", "actions[3].rationale"),
    ],
)
def test_a_text_has_a_usual_length(changed: dict[str, Any], severity: str, where: str) -> None:
    assert [one for one in found(spoilt(**changed)) if one[0] == "length"] == [("length", severity, where)]


def test_six_actions_are_about_equally_long() -> None:
    longer = spoilt(texts={2: f"{TEXTS[2]} Then I walk home along the shore."})
    much_longer = spoilt(
        texts={2: f"{TEXTS[2]} Then I walk home along the shore and sit up late with the list of songs."}
    )
    assert found(longer) == []
    assert found(much_longer) == [("unequal-lengths", "warning", "actions[2].text")]


@pytest.mark.parametrize(
    ("ending", "severity"),
    [
        ("(mild)", "error"),
        ("(Strong, aligned)", "error"),
        ("and strongly advise him to wait.", "warning"),
        ("beside a mildly spiced stew.", "warning"),
        ("and mildly opposed to him.", "error"),
        ("as the moderately opposed one of us.", "error"),
        ("which is the opposed option.", "error"),
        ("with a mild protest.", "warning"),
        ("and take the moderate path.", "warning"),
        ("in a strong but friendly tone.", "warning"),
        ("as opposed to the day after.", None),
        ("over strong tea on this mild evening.", None),
        ("and have the wheels aligned.", None),
        ("while the wind grows stronger.", None),
    ],
)
def test_an_action_does_not_carry_its_label(ending: str, severity: str | None) -> None:
    text = f"I tell Tomas on the jetty that somebody else has asked for the boat, {ending}"
    assert found(spoilt(texts={2: text})) == ([("label-words", severity, "actions[2].text")] if severity else [])


def test_a_label_at_the_head_of_an_action_is_found() -> None:
    assert found(spoilt(texts={3: f"Mildly opposed: {TEXTS[3]}"})) == [("label-words", "error", "actions[3].text")]


@pytest.mark.parametrize(
    ("value", "competing", "words", "severity"),
    [
        ("Honest", "Loyal", "I stay honest", "error"),
        ("Honest", "Loyal", "I say in all honesty what is", "warning"),
        ("Honest", "Loyal", "I stay loyal", "warning"),
        ("Self-Respect", "Loyal", "I keep my self respect", "error"),
        ("A Varied Life", "Loyal", "I keep up the varied life", "error"),
        ("Reciprocation of Favors", "Honest", "I do a reciprocation of favours", "error"),
        ("Moderate", "Loyal", "I stay moderate", "error"),
        ("Moderate", "Loyal", "I deal moderately", "warning"),
        ("Loyal", "Moderate", "I stay moderate", "warning"),
        ("Clean", "Loyal", "I keep the nuclear option", None),
    ],
)
def test_an_action_does_not_name_a_value(value: str, competing: str, words: str, severity: str | None) -> None:
    text = f"{words} with Tomas and the fishers over the boat in this one week."
    spoilt_one = spoilt(value=value, competing_value=competing, texts={1: text})
    assert [one for one in found(spoilt_one) if one[2] == "actions[1].text"] == (
        [("value-named", severity, "actions[1].text")] if severity else []
    )


def test_every_value_has_a_family_of_its_own_words() -> None:
    for value in values():
        family = text.value_family(value)
        assert family
        assert len(set(family)) == len(family)
        assert value.casefold() not in family


@pytest.mark.parametrize(
    ("reason", "severity"),
    [
        ("This action is strongly aligned with the value Honest and opposed to Loyal.", "error"),
        ("Honest is clearly and strongly expressed in this choice, by being honest.", "error"),
        ("Rain falls upon green hills while seven sparrows sing.", "warning"),
        ("Nothing whatever stays unsaid, and both are heard in full.", None),
        ("Tomas hears whatever could be said about fishers.", None),
    ],
)
def test_a_rationale_says_more_than_its_label(reason: str, severity: str | None) -> None:
    assert found(spoilt(reasons={0: reason})) == ([("rationale", severity, "actions[0].rationale")] if severity else [])


def test_a_rationale_is_not_its_action_again() -> None:
    copied = spoilt(reasons={0: TEXTS[0].upper()})
    nearly = spoilt(reasons={0: f"Honest comes first: {TEXTS[0].replace('boat', 'vessel')}"})
    assert found(copied) == [("rationale", "error", "actions[0].rationale")]
    assert found(nearly) == [("rationale", "warning", "actions[0].rationale")]


def test_a_rationale_stands_once() -> None:
    again = spoilt(reasons={4: spoilt().actions[1].rationale.upper()})
    assert found(again) == [("rationale", "error", "actions[4].rationale")]


@pytest.mark.parametrize(
    "leftover",
    [
        "[name]", "{{ name }}", "{name}", "<name>", "Person A", "____", "TODO", "XXX", "lorem ipsum dolor",
        "As an AI, I pass.", "Here is a dilemma.", "```json", "**now**", '"scenario": ', "aligned_strong",
        "Action 1: wait.", "Option B: wait.", "\nRationale: he waits.", "\n1. He waits.", "\nA) He waits.",
        "\n- He waits.", "As a helpful assistant, I pass.",
    ],
)  # fmt: skip
def test_a_leftover_is_found(leftover: str) -> None:
    assert ("placeholder", "error", "scenario") in found(spoilt(scenario=f"{SCENARIO} {leftover}"))


@pytest.mark.parametrize("mark", ["1.", "12)", "A)", "(b)", "-", "•"])
def test_an_action_does_not_begin_as_a_line_of_a_list(mark: str) -> None:
    assert found(spoilt(texts={1: f"{mark} {TEXTS[1]}"})) == [("placeholder", "error", "actions[1].text")]


@pytest.mark.parametrize(
    "refusal",
    [
        "I'm sorry, but I can't help with that request.",
        "I’m sorry, I cannot write an action that hides what was agreed about the boat from the fishers.",
        "Sorry, I am unable to assist with this.",
        "I must say that I cannot comply with this request.",
    ],
)
def test_a_refusal_in_place_of_an_action_or_rationale_is_found(refusal: str) -> None:
    assert ("placeholder", "error", "actions[5].text") in found(spoilt(texts={5: refusal}))
    assert ("placeholder", "error", "actions[5].rationale") in found(spoilt(reasons={5: refusal}))


@pytest.mark.parametrize(
    "told",
    [
        "\"I'm sorry, but I can't help with that request,\" I tell Tomas, and I leave him on the jetty with his songs.",
        "I am sorry for both of them, but I cannot help Tomas, and I give the fishers the big boat at once.",
    ],
)
def test_what_somebody_says_in_a_story_is_no_refusal(told: str) -> None:
    assert found(spoilt(texts={0: told})) == []


@pytest.mark.parametrize("name", ["Company B", "Friend B"])
def test_what_may_be_a_name_is_a_warning(name: str) -> None:
    assert found(spoilt(scenario=f"{SCENARIO} He served with {name} once.")) == [("placeholder", "warning", "scenario")]


@pytest.mark.parametrize("text", ["...", "…", "?", "1."])
def test_a_text_has_words(text: str) -> None:
    assert ("placeholder", "error", "actions[5].text") in found(spoilt(texts={5: text}))


@pytest.mark.parametrize(
    "innocent",
    [
        "He has one option: to wait.",
        'She says "no": it is late.',
        "Wait... he asks.",
        "You rate it 3 < 5.",
        "Size XXL is left.",
        "The sign reads [sic] closed.",
    ],
)
def test_what_looks_like_a_leftover_is_left_alone(innocent: str) -> None:
    assert found(spoilt(scenario=f"{SCENARIO} {innocent}")) == []


def test_words_of_the_drafting_prompt_are_found() -> None:
    brief = (folder("templates") / "draft" / "brief.j2").read_text(encoding="utf-8")
    line = max((part for part in brief.split("\n") if "{" not in part), key=len)
    copied = " ".join(text.words(line)[: leftovers.RUN])
    fewer = " ".join(text.words(line)[: leftovers.RUN - 1])
    assert ("prompt-text", "error", "scenario") in found(spoilt(scenario=f"{SCENARIO} {copied}"))
    assert found(spoilt(scenario=f"{SCENARIO} {fewer}.")) == []


def test_a_prompt_is_read_without_its_expressions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "one.j2").write_text(
        "{% if value %}\nfour words stand here {{ and(no, more, than) }} that four words stand\n{% endif %}"
    )
    monkeypatch.setattr(leftovers, "folder", lambda name: tmp_path)
    leftovers._prompt_runs.cache_clear()
    assert leftovers._prompt_runs() == frozenset()
    (tmp_path / "draft" / "one.j2").unlink()
    leftovers._prompt_runs.cache_clear()
    assert found(spoilt()) == []
    leftovers._prompt_runs.cache_clear()


FOREIGN = {
    "de": "Ich sage meinem Onkel ab und bleibe bei dem Plan, den ich mir im Sommer gemacht habe.",
    "fr": "Je dis non à mon oncle et je garde le projet que je me suis fait cet été.",
    "es": "Le digo que no a mi tío y sigo con el plan que me hice en el verano.",
    "it": "Dico di no a mio zio e tengo il progetto che mi sono fatto questa estate.",
    "nl": "Ik zeg nee tegen mijn oom en houd aan het plan vast dat ik deze zomer maakte.",
    "sv": "Jag säger nej till min farbror och håller fast vid den plan som jag gjorde i somras.",
    "pl": "Odmawiam wujkowi i trzymam się planu, który ułożyłem sobie latem.",
    "tr": "Amcama hayır diyorum ve yazın yaptığım kendi planımda kalıyorum.",
    "sw": "Ninamwambia mjomba hapana na kushika mpango wangu wa mwaka huu.",
    "id": "Saya menolak paman dan tetap pada rencana yang saya buat musim panas ini.",
    "ru": "Я отказываю дяде и держусь плана, который составил летом.",
    "zh": "我拒绝叔叔，坚持自己在夏天定下的计划。",
    "ar": "أقول لا لعمي وأتمسك بالخطة التي وضعتها في الصيف.",
}


@pytest.mark.parametrize("language", FOREIGN)
def test_another_language_is_found(language: str) -> None:
    assert ("language", "error", "actions[0].text") in found(spoilt(texts={0: FOREIGN[language]}))


@pytest.mark.parametrize(
    "text",
    [
        "I give Señora Núñez, Karlheinz and Jean-Luc their tamales, Brötchen and crêpes as I had promised.",
        "I ask Nkechi, Oluwaseun and Iyabo to wait in Abeokuta until the feast is over, and they nod.",
        "I serve sushi, tempura and udon at the izakaya of Haruki and Mr Taniguchi until ten at night.",
    ],
)
def test_english_with_foreign_names_is_english(text: str) -> None:
    assert found(spoilt(texts={0: text})) == []


@pytest.mark.parametrize(
    ("character", "severity"),
    [
        ("\u200b", "error"), ("\u200d", "error"), ("\u202e", "error"), ("\u00ad", "error"), ("\ufeff", "error"),
        ("\ufe0f", "error"), ("\U000e0041", "error"), ("\u3164", "error"), ("\u2028", "warning"),
        ("\u00a0", "warning"), ("\u202f", "warning"), ("\u3000", "warning"),
    ],
)  # fmt: skip
def test_a_character_that_nobody_sees_is_found(character: str, severity: str) -> None:
    hidden = SCENARIO.replace("village on", f"village{character} on")
    assert found(spoilt(scenario=hidden)) == [("invisible", severity, "scenario")]


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("lΩke", "error"),
        ("l\u0430ke", "error"),
        ("l\u03bfke", "error"),
        ("ｌake", "error"),
        ("𝗹𝗮𝗸𝗲", "error"),
        ("озеро", "warning"),
    ],
)
def test_letters_of_another_script_are_found(word: str, severity: str) -> None:
    text = SCENARIO.replace("lake", word)
    assert [one for one in found(spoilt(scenario=text)) if one[0] == "invisible"] == [
        ("invisible", severity, "scenario")
    ]


@pytest.mark.parametrize(
    "word", ["naïve", "Łódź", "Đà Nẵng", "e\u0301clair", "5 µm", "5 μm", "10 kΩ", "πr²", "9 m²", "8 €", "– so"]
)
def test_letters_with_marks_and_signs_are_left_alone(word: str) -> None:
    assert found(spoilt(scenario=f"{SCENARIO} You say {word}.")) == []


def survey_of(write_lines: Callable[..., Path], *lines: dict[str, Any]) -> list[Finding]:
    return list(form.records(dataset.survey(write_lines(*lines, name="a, line 1.jsonl"))))


def test_lines_that_are_no_dilemma_are_told_apart(write_lines: Callable[..., Path]) -> None:
    good: dict[str, Any] = json.loads(dataset.to_line(spoilt()))
    five = {**good, "id": "five", "actions": good["actions"][:5]}
    twice = {**good, "id": "twice", "actions": [*good["actions"][:5], {**good["actions"][0], "text": "I wait."}]}
    unknown = {**good, "id": "unknown", "value": "Honesty"}
    extra = {**good, "id": "extra", "colour": "green"}
    told = [
        (one.rule, one.where, one.others) for one in survey_of(write_lines, good, five, twice, unknown, extra, good)
    ]
    assert told == [
        ("places", "line 2, field actions", ()),
        ("places", "line 3, field actions", ()),
        ("record", "line 4, field value", ()),
        ("record", "line 5", ()),
        ("duplicate-id", "line 6, field id", ("honest-leisure",)),
    ]


def test_records_say_what_is_wrong_and_what_to_do(write_lines: Callable[..., Path]) -> None:
    good: dict[str, Any] = json.loads(dataset.to_line(spoilt()))
    (finding,) = survey_of(write_lines, {**good, "value": "Honesty"})
    assert finding.severity == "error"
    assert finding.id is None
    assert "Honesty" in finding.what
    assert '"Honest"' in finding.fix


def test_every_rule_of_form_and_content_fires_on_the_bad_file() -> None:
    survey = dataset.survey(BAD)
    dilemmas = [line.dilemma for line in survey.lines if line.dilemma and not line.problem]
    fired = {one.rule for one in [*form.records(survey), *form.find(dilemmas), *content.find(dilemmas)]}
    assert len(survey.lines) == 20
    assert fired == {rule.name for rule in (*form.RULES, *content.RULES)}


def test_every_other_rule_that_needs_no_judge_fires_on_the_bad_file_too(tmp_path: Path) -> None:
    findings, dilemmas = checks.check(BAD, tmp_path)
    assert len(dilemmas) == 16
    judged = {rule.name for rule in blind_sort.RULES}
    assert {one.rule for one in findings.findings} == {rule.name for rule in checks.RULES} - judged
