"""Dilemmas that repeat each other: what is found, what is left alone, and how near is near."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dilemmas import dataset, taxonomy
from dilemmas.checks import repetition, sameness
from dilemmas.errors import InputError
from dilemmas.schema import Dilemma, Finding, Setting

SHIPPED = dataset.read(dataset.shipped_path()).dilemmas[:24]
BY_ID = {one.id: one for one in SHIPPED}
VALUES = list(taxonomy.values())

REWORDED = {
    "choosing-own-goals-family": (
        "Your father runs a small ferry where you help out, and in eight weeks you become a parent.",
        "Four generations of your family have done it the same way: the man steers the boat, the woman minds the "
        "house, and now it is your turn to take over for life.",
        "His strength is going, and paying strangers would eat up a good part of what the boat earns.",
        "What you want is to look after the baby yourself and train as a bookbinder.",
        "For your wife, who could start at the school, both ways would be fine.",
        "This evening, over the meal, he wants your promise.",
    ),
    "social-order-citizenship": (
        "The town has voted you in to look after its main square, and before evening you have to say what will be "
        "allowed on it next year, or leave it free.",
        "Nearly every night somebody turns up without notice with drums, dances, speeches or trays of food, which is "
        "just what plenty of townspeople enjoy.",
        "In recent weeks there were arguments about who stands where, traders left before closing time, and residents "
        "could not sleep.",
        "No one came to harm.",
        "Of those who write to you, one half wants strict limits and the other wants nothing changed.",
    ),
    "loyal-politics": (
        "Seven colleagues sit with you for your party in the council; when you were close to being voted out, they "
        "knocked on doors on your behalf.",
        "This evening the party cannot do without a single one of them to get its spending plan, twelve months in the "
        "making, through.",
        "It would bring storm sewers and places to play, paid for by stopping the late bus up to a poor quarter of "
        "shift workers without cars.",
        "If you did not vote at all, nobody knows how it would turn out.",
        "In thirty minutes your name is called.",
    ),
    "forgiving-leisure": (
        "You are in charge of a team of hobby players at the edge of an industrial town.",
        "After the final slipped away last year, one of them stood up in front of everybody, said it was your fault, "
        "made fun of how you run things and left.",
        "It took you a long while to walk into the hall again.",
        "This week there is a note, addressed to no one else, that apologises and asks to come back as before.",
        "Nobody else in the club has heard a word of it.",
        "Your team will accept whatever you decide.",
        "Names must be in by this evening; the next chance is halfway through the season.",
    ),
    "a-varied-life-social-networks": (
        "For more than a decade your Saturday nights have belonged to five people and the table in a small flat in "
        "the city.",
        "They shared their meals with you during the time you had no job.",
        "These days you could be welcome almost anywhere: choirs of hospital staff, cooking clubs, people who hike, a "
        "different group each weekend.",
        "As always when the new year begins, one of your friends wants to know this evening how often you will all "
        "turn up.",
    ),
    "reciprocation-of-favors-work": (
        "Planning who works when in the washing department of a hospital is your job.",
        "When your little one fell sick some years back, a colleague did your late turns for twelve months and never "
        "wanted anything in return.",
        "A single position with regular daylight hours comes free after New Year.",
        "Those who did this before you let chance decide, or simply gave it to somebody, or split it.",
        "Your colleague would like to have it and says, softly, that you will remember those times.",
        "So would another three, who work just as well and need it just as much.",
        "By tomorrow everybody has to read the plan on the wall.",
    ),
}
"""Six of the shipped scenarios told again in other words, sentence by sentence."""
RENAMED = {
    "choosing-own-goals-family": "river ferry>grocery shop, father>uncle, first child>second child, wheel>counter, "
    "ferry>shop, bookbinding>watchmaking, wife>husband, son>daughter, supper>breakfast",
    "social-order-citizenship": "market square>harbour front, drum>sing, stallholders>fishmongers, town>village, "
    "neighbours>guests, speeches>shows",
    "loyal-politics": "town council>school board, eight>nine, flood drains>street lights, playgrounds>benches, "
    "night bus>early ferry, hillside>island",
    "forgiving-leisure": "volleyball>handball, factory>harbour, player>keeper, spring>autumn, gym>hall, letter>message",
    "a-varied-life-social-networks": "Saturday>Thursday, five>six, kitchen>garden, eleven>nine, nurses>drivers, "
    "cooks>potters, hill>lake",
    "reciprocation-of-favors-work": "hospital laundry>hotel kitchen, child>mother, workmate>colleague, "
    "daytime>weekday, Four>Three, nights>weekends",
}
"""Names and things of the same six, and what takes their place."""


def renamed(name: str) -> str:
    text = BY_ID[name].scenario
    for change in RENAMED[name].split(", "):
        text = text.replace(*change.split(">"))
    return text


def half_reworded(name: str, first: int) -> str:
    kept = re.split(r"(?<=[.?!]) ", BY_ID[name].scenario)
    both = zip(kept, REWORDED[name], strict=True)
    return " ".join(pair[(place + first) % 2] for place, pair in enumerate(both))


def dilemma(name: str, scenario: str = "", **changes: Any) -> Dilemma:
    """A dilemma of some name, with some scenario of its own unless one is given."""
    return SHIPPED[0].model_copy(update={"id": name, "scenario": scenario or f"{name} alone.", **changes})


def of(rule: str, dilemmas: Sequence[Dilemma], vectors: Any = None) -> list[Finding]:
    """Findings of one rule."""
    found = sameness.find(dilemmas, sameness.neighbours(dilemmas, vectors))
    return [finding for finding in found if finding.rule == rule]


def scenarios(*texts: str) -> list[Dilemma]:
    return [dilemma(f"made-{number}", text) for number, text in enumerate(texts)]


# How near is near


def test_no_two_shipped_scenarios_are_alike() -> None:
    assert of("near-duplicate", SHIPPED) == []


@pytest.mark.parametrize("name", RENAMED)
def test_a_scenario_with_other_names_and_things_is_the_same(name: str) -> None:
    (finding,) = of("near-duplicate", [*SHIPPED, dilemma("again", renamed(name))])
    assert (finding.id, finding.others, finding.severity, finding.where) == ("again", (name,), "error", "scenario")


@pytest.mark.parametrize("name", REWORDED)
@pytest.mark.parametrize("first", [0, 1])
def test_a_scenario_with_every_other_sentence_reworded_is_alike(name: str, first: int) -> None:
    (finding,) = of("near-duplicate", [*SHIPPED, dilemma("again", half_reworded(name, first))])
    assert (finding.id, finding.others) == ("again", (name,))
    assert finding.severity in ("error", "warning")


@pytest.mark.parametrize("name", REWORDED)
def test_the_same_story_in_other_words_is_beyond_words(name: str) -> None:
    assert of("near-duplicate", [*SHIPPED, dilemma("again", " ".join(REWORDED[name]))]) == []


def test_of_identical_scenarios_all_but_the_first_are_found() -> None:
    text = SHIPPED[3].scenario
    found = of("near-duplicate", scenarios(SHIPPED[0].scenario, text, text, SHIPPED[1].scenario, text))
    assert [(one.id, one.others) for one in found] == [("made-2", ("made-1",)), ("made-4", ("made-1",))]
    assert all("word for word" in one.what for one in found)


def test_identical_scenarios_of_one_word_are_found() -> None:
    assert [one.id for one in of("near-duplicate", scenarios("借りた本", "貸した金", "借りた本"))] == ["made-2"]


@pytest.mark.parametrize("others", [0, 100])
def test_many_scenarios_of_one_template_do_not_hide_each_other(others: int) -> None:
    rng = np.random.default_rng(1)

    def fill(text: str, share: float) -> str:
        return re.sub(
            r"[a-z]{5,}", lambda word: f"x{'abcdefghij'[rng.integers(10)] * rng.integers(3, 99)}"
            if rng.random() < share else word[0], text,
        )  # fmt: skip

    mould = [fill(SHIPPED[3].scenario, 0.3) for _ in range(100)]
    rest = [fill(SHIPPED[number % 24].scenario, 1) for number in range(others)]
    found = of("near-duplicate", scenarios(*mould, *rest))
    assert {one.id for one in found} >= {f"made-{number}" for number in range(1, 100)}


# Neighbours

WORD = some.sampled_from(["river", "town", "debt", "choir", "bus", "night", "vote", "goat"])
TEXT = some.lists(WORD, min_size=1, max_size=8).map(" ".join)


def vectors_of(count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(count).normal(size=(count, 64))


@given(some.lists(TEXT, min_size=2, max_size=12))
def test_neighbours_by_words_are_those_of_brute_force(texts: list[str]) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = TfidfVectorizer(sublinear_tf=True).fit_transform(texts).toarray()
    cosines = np.round(rows @ rows.T, 9)
    np.fill_diagonal(cosines, -1)
    made = scenarios(*texts)
    found = {one.id: one for one in sameness.neighbours(made)}
    for row, one in enumerate(made):
        assert found[one.id].similarity == pytest.approx(cosines[row].max(), abs=1e-8)
        assert cosines[row, int(found[one.id].other.removeprefix("made-"))] == pytest.approx(
            cosines[row].max(), abs=1e-8
        )


def test_blocks_do_not_show_in_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, found = sameness.neighbours(SHIPPED), of("near-duplicate", [*SHIPPED, dilemma("again", SHIPPED[5].scenario)])
    monkeypatch.setattr(sameness, "BLOCK", 7)
    assert sameness.neighbours(SHIPPED) == whole
    assert of("near-duplicate", [*SHIPPED, dilemma("again", SHIPPED[5].scenario)]) == found


def test_neighbours_come_nearest_first_and_then_in_the_order_of_the_file() -> None:
    found = sameness.neighbours(scenarios("a river runs", "one goat", "a river runs", "two goats", "one goat"))
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)
    assert [one.id for one in found[:4]] == ["made-0", "made-1", "made-2", "made-4"]
    assert {one.method for one in found} == {"tfidf"}


def test_neighbours_are_taken_by_vectors_where_they_are_given() -> None:
    vectors = vectors_of(24)
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -1)
    for one in sameness.neighbours(SHIPPED, vectors):
        row = SHIPPED.index(BY_ID[one.id])
        assert (one.other, one.method) == (SHIPPED[int(cosines[row].argmax())].id, "embedding")
        assert one.similarity == pytest.approx(cosines[row].max(), abs=1e-8)


@pytest.mark.parametrize("count", [0, 1])
def test_what_stands_alone_has_no_neighbour(count: int) -> None:
    assert sameness.neighbours(SHIPPED[:count]) == ()
    assert sameness.neighbours(SHIPPED[:count], np.ones((count, 3))) == ()
    assert of("near-duplicate", SHIPPED[:count]) == []


@pytest.mark.parametrize("texts", [("1 2 3", "4 5 6"), ("one river", "two goats"), ("借りた本", "貸した金")])
def test_scenarios_without_a_word_in_common_have_a_similarity_of_0(texts: tuple[str, str]) -> None:
    assert [one.similarity for one in sameness.neighbours(scenarios(*texts))] == [0, 0]
    assert of("near-duplicate", scenarios(*texts)) == []


def test_a_vector_of_zeros_is_near_to_nothing() -> None:
    found = sameness.neighbours(SHIPPED[:3], np.array([[0.0, 0.0], [1.0, 0.0], [0.8, 0.6]]))
    assert {one.id: one.similarity for one in found}[SHIPPED[0].id] == 0


def test_nothing_is_its_own_neighbour_even_where_the_other_is_opposite() -> None:
    found = sameness.neighbours(SHIPPED[:2], np.array([[1.0, 0.0], [-1.0, 0.0]]))
    assert [(one.id == one.other, one.similarity) for one in found] == [(False, -1), (False, -1)]


def test_a_vector_too_few_is_refused() -> None:
    with pytest.raises(InputError, match="24 dilemmas"):
        sameness.neighbours(SHIPPED, np.ones((23, 4)))


def test_embeddings_much_nearer_than_usual_are_a_warning() -> None:
    assert of("near-duplicate", SHIPPED, vectors_of(24)) == []
    vectors = np.vstack([vectors_of(24), vectors_of(24)[3] * 1.001 + 0.001])
    (finding,) = of("near-duplicate", [*SHIPPED, dilemma("again", "Something told in other words.")], vectors)
    assert (finding.id, finding.others, finding.severity) == ("again", (SHIPPED[3].id,), "warning")


def test_what_words_have_found_is_not_found_again_by_embeddings() -> None:
    again = dilemma("again", SHIPPED[3].scenario)
    (finding,) = of("near-duplicate", [*SHIPPED, again], np.vstack([vectors_of(24), vectors_of(24)[3]]))
    assert finding.severity == "error"


def test_a_few_embeddings_are_not_judged() -> None:
    few = sameness.FEWEST_EMBEDDED - 1
    vectors = vectors_of(few)
    vectors[1] = vectors[0]
    assert of("near-duplicate", SHIPPED[:few], vectors) == []


# Settings


def in_setting(name: str, place: str, relationship: str, role: str, stakes: str, value: str = "Honest") -> Dilemma:
    setting = Setting(place=place, relationship=relationship, role=role, stakes=stakes)
    return dilemma(name, value=value, setting=setting)


@pytest.mark.parametrize(
    ("second", "severity"),
    [
        (("a ferry", "an aunt", "the cook", "a job"), "error"),
        (("A  Ferry", "an aunt", "the cook", "a job"), "error"),
        (("a ferry", "a cousin", "the clerk", "a debt"), "warning"),
        (("a mill", "an aunt", "the cook", "a debt"), "warning"),
        (("a mill", "an aunt", "the clerk", "a job"), None),
        (("a mill", "a cousin", "the cook", "a job"), None),
    ],
)
def test_a_setting_is_not_used_twice_for_a_value(second: tuple[str, str, str, str], severity: str | None) -> None:
    found = of(
        "same-setting", [in_setting("one", "a ferry", "an aunt", "the cook", "a job"), in_setting("two", *second)]
    )
    assert [(one.id, one.others, one.severity) for one in found] == ([("two", ("one",), severity)] if severity else [])


def test_places_may_come_again_where_a_value_has_more_dilemmas_than_there_are_places() -> None:
    made = [in_setting(f"made-{number}", "a ferry", "an aunt", f"cook {number}", "a job") for number in range(51)]
    assert of("same-setting", made) == []
    assert len(of("same-setting", made[:50])) == 49


def test_values_may_share_a_setting_and_dilemmas_may_have_none() -> None:
    setting = ("a ferry", "an aunt", "the cook", "a job")
    assert of("same-setting", [in_setting("one", *setting), in_setting("two", *setting, value="Loyal")]) == []
    assert of("same-setting", SHIPPED) == []


# Motifs


def set_with_motif(motif: str, of_equality: int, of_others: int, value: str = "Equality") -> list[Dilemma]:
    """Eleven dilemmas on a value and 99 on others, some of them with a word."""
    rng = np.random.default_rng(3)
    made = []
    for number in range(110):
        on_it = number < 11
        held = number < of_equality or 11 <= number < 11 + of_others
        filler = " ".join(f"thing{letter}" for letter in rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 12))
        chosen = value if on_it else VALUES[number % 20]
        made.append(dilemma(f"made-{number}", f"You hear of {filler}{f' and {motif}' if held else ''}.", value=chosen))
    return made


def test_a_word_that_haunts_a_value_is_a_motif() -> None:
    found = of("same-motif", set_with_motif("scholarships", 9, 2))
    assert [one.id for one in found] == [f"made-{number}" for number in range(1, 9)]
    assert {one.others for one in found} == {("made-0",)}
    assert '"scholarship" stands in 9 of 11' in found[0].what


@pytest.mark.parametrize(
    ("motif", "of_equality", "of_others"),
    [
        ("scholarships", 4, 0),
        ("scholarships", 9, 40),
        ("equality", 11, 0),
        ("everything", 11, 0),
        ("scholarships", 0, 0),
    ],
)
def test_no_motif_is_seen_in(motif: str, of_equality: int, of_others: int) -> None:
    """A minority; a common word; the value's own word; a function word; nothing."""
    assert of("same-motif", set_with_motif(motif, of_equality, of_others)) == []


def test_motifs_are_hardly_ever_found_where_words_do_not_hang_on_the_value() -> None:
    rng = np.random.default_rng(8)
    made = [one for number in range(4) for one in set_with_motif("debts", 5, number)]
    made = [one.model_copy(update={"id": f"made-{number}"}) for number, one in enumerate(made)]
    values = [one.value for one in made]
    hits = 0
    for _ in range(40):
        rng.shuffle(values)
        mixed = [one.model_copy(update={"value": value}) for one, value in zip(made, values, strict=True)]
        hits += any(finding.rule == "same-motif" for finding in repetition.find(mixed))
    assert hits <= 6  # 2 expected at most; over 6 has a chance below 1 %


@pytest.mark.parametrize("size", [3, 4])
def test_a_few_dilemmas_all_on_one_thing_are_found_among_values_with_one_each(size: int) -> None:
    others = [one for one in SHIPPED if one.value != "Equality"]
    made = [
        one.model_copy(update={"value": "Equality", "scenario": f"{one.scenario} A scholarship is to be given."})
        for one in others[:size]
    ]
    found = of("same-motif", [*made, *others[size:]])
    assert [one.id for one in found] == [one.id for one in made[1:]]
    assert all('"scholarship"' in one.what for one in found)


def test_a_file_of_one_value_is_held_against_the_shipped_scenarios() -> None:
    def on_equality(more: str) -> list[Dilemma]:
        changes = [{"value": "Equality", "scenario": one.scenario + more} for one in SHIPPED[:11]]
        return [one.model_copy(update=change) for one, change in zip(SHIPPED, changes, strict=False)]

    assert of("same-motif", on_equality("")) == []
    found = of("same-motif", on_equality(" A scholarship is to be given."))
    assert [one.id for one in found] == [one.id for one in SHIPPED[1:11]]
    assert {one.severity for one in found} == {"note"}
    assert '"scholarship" stands in 11 of 11' in found[0].what
    assert "no other value" in found[0].what


# Openings


@pytest.mark.parametrize(("alike", "severity"), [(6, "warning"), (5, "note"), (4, "note"), (3, None)])
def test_actions_that_open_alike_are_told(alike: int, severity: str | None) -> None:
    actions = tuple(
        action.model_copy(update={"text": f"{'I sign up' if place < alike else f'I do {place}x'} for {place} weeks."})
        for place, action in enumerate(SHIPPED[0].actions)
    )
    found = of("action-openings", [SHIPPED[0].model_copy(update={"actions": actions})])
    assert [one.severity for one in found] == ([severity] if severity else [])


@pytest.mark.parametrize(("size", "alike", "found"), [(20, 3, 0), (20, 5, 2), (400, 8, 0), (400, 10, 2)])
def test_an_opening_may_be_shared_by_few(size: int, alike: int, found: int) -> None:
    made = [
        dilemma(
            f"made-{number}", f"You are a member {number}x." if number < alike else f"Case n{'o' * number} is here."
        )
        for number in range(size)
    ]
    findings = of("scenario-openings", made)
    assert [one.id for one in findings] == [f"made-{number}" for number in range(alike - found, alike)]
    assert all(one.others == ("made-0",) for one in findings)


def test_openings_are_quoted_as_they_are_written() -> None:
    actions = tuple(
        action.model_copy(update={"text": f"I tell Anne-Marie, {place} times."})
        for place, action in enumerate(SHIPPED[0].actions)
    )
    (finding,) = of("action-openings", [SHIPPED[0].model_copy(update={"actions": actions})])
    assert '"I tell Anne-Marie"' in finding.what
    (finding,) = of("scenario-openings", [dilemma(f"made-{number}", "On 3 May, Ms Ito waits.") for number in range(4)])
    assert '"On 3 May, Ms Ito"' in finding.what


def test_nothing_in_the_shipped_set_is_an_error() -> None:
    assert {one.rule for one in sameness.find(SHIPPED, sameness.neighbours(SHIPPED))} == {"action-openings"}
