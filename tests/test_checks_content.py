"""Rules of content: each flags what a person should see, and stays quiet on what only looks like it."""

from __future__ import annotations

import pytest
from spoil import SCENARIO, spoilt

from dilemmas import dataset
from dilemmas.checks import content
from dilemmas.schema import Dilemma


def found(dilemma: Dilemma) -> list[tuple[str, str]]:
    """Rule and severity of each finding of content."""
    return [(one.rule, one.severity) for one in content.find([dilemma])]


def of(sentence: str, topic: str = "Leisure Time and Sports") -> list[tuple[str, str]]:
    """What is found in a good scenario with one more sentence."""
    return found(spoilt(scenario=f"{SCENARIO} {sentence}", topic=topic))


def test_the_shipped_dilemmas_have_notes_at_most() -> None:
    found = list(content.find(dataset.read(dataset.shipped_path()).dilemmas))
    assert {(one.rule, one.severity) for one in found} <= {("real-person", "note")}, "titles, as in U Thein"


@pytest.mark.parametrize(
    ("sentence", "severity"),
    [
        ("Write to ana.b+c@example.org by six.", "error"),
        ("The account is DE89 3704 0044 0532 0130 00.", "error"),
        ("The account is GB82WEST12345698765432.", "error"),
        ("The card is 4111 1111 1111 1111.", "error"),
        ("Ring +49 30 5550 1234.", "warning"),
        ("Ring (030) 5550-1234.", "warning"),
        ("Ring 555-867-5309.", "warning"),
        ("His is (11) 91234-5678.", "warning"),
        ("His is 8 (495) 123-45-67.", "warning"),
        ("His is 1-800-555-0199.", "warning"),
        ("His is 91-98765-43210.", "warning"),
        ("Call him at 2125550187.", "warning"),
        ("Text her on 98765 43210.", "warning"),
        ("Her new number is 612 345 678.", "warning"),
        ("She rings him, 22 33 44 55, at six.", "warning"),
        ("It says tel. 5550199.", "warning"),
        ("Look at https://example.org/boats.", "warning"),
        ("Look at boats.example.com for more.", "warning"),
        ("Ask @lake_boats first.", "warning"),
        ("He lives at 14 Harbour Lane.", "warning"),
        ("He lives in Hafenstraße 7 now.", "warning"),
    ],
)
def test_personal_data_are_found_once(sentence: str, severity: str) -> None:
    assert of(sentence) == [("personal-data", severity)]


@pytest.mark.parametrize(
    "sentence",
    [
        "The account is GB82WEST12345698765433.",
        "The parcel is 4111 1111 1111 1112.",
        "It costs 1 200 000 dong, or 2,500,000 in the town.",
        "It was so from 1990-1995 and on 2026-11-21, 03/05/2027 and 01.02.2027.",
        "She calls on 2026-11-21 12 times, and the number of 1990-1995 was 30.",
        "The number of fish is 2 500 000, and he calls for 1 200 000 more.",
        "He is in room 1207 and has 14 boats at 8.50 each.",
        "He waits on Harbour Lane.",
        "He is late.No one minds.",
    ],
)
def test_other_numbers_and_addresses_are_left_alone(sentence: str) -> None:
    assert of(sentence) == []


def test_personal_data_are_found_in_every_field() -> None:
    dilemma = spoilt(texts={4: "I write to him at tom@example.org."}, reasons={4: "He has tom@example.org, after all."})
    assert [one.where for one in content.find([dilemma])] == ["actions[4].text", "actions[4].rationale"]


@pytest.mark.parametrize(
    ("sentence", "severity"),
    [
        ("Then Konrad Feldmair comes by.", "note"),
        ("Konrad Feldmair comes by.", "note"),
        ("You write to Dr Amina Yusuf-Okoye.", "note"),
        ("You write to J. Feldmair.", "note"),
        ("You write to Ludwig van der Meer.", "note"),
        ("Yesterday Konrad Feldmair stole it.", "warning"),
        ("He says that Konrad Feldmair's fraud is known.", "warning"),
        ("President Feldmair takes bribes, says the paper.", "warning"),
        ("You wait for President Konrad Feldmair.", "note"),
    ],
)
def test_full_names_are_flagged(sentence: str, severity: str) -> None:
    assert of(sentence) == [("real-person", severity)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Yesterday Konrad came by.",
        "Uncle Konrad and Mrs Feldmair come by.",
        "Anne-Marie comes by, accused of theft.",
        "You wait for President Feldmair.",
        "The President is accused of fraud in King Street.",
        "You have a Plan B and Vitamin C.",
        "You live in Kuala Lumpur near the Red Cross.",
        "The Harbour Museum shuts on Good Friday.",
        "On Monday Konrad is in New Zealand.",
        'He says: "Please Konrad, come."',
        "You and I know that NHS TV is on.",
        "Laughing Konrad comes by.",
    ],
)
def test_single_names_places_and_bodies_are_left_alone(sentence: str) -> None:
    assert of(sentence) == []


def test_the_names_of_a_dilemma_make_one_finding() -> None:
    named = "I tell Konrad Feldmair and Amara Ito that both have asked for the boat on this one Saturday."
    (finding,) = content.find(
        [spoilt(scenario=f"{SCENARIO} Konrad Feldmair waits. Dana Rossi stole it.", texts={1: named})]
    )
    assert (finding.severity, finding.where) == ("warning", "scenario")
    assert finding.what == 'names "Dana Rossi" beside "stole", and "Konrad Feldmair", "Amara Ito"'


def test_names_are_not_sought_in_another_language() -> None:
    german = "Ich sage Konrad Feldmair ab und gebe dem Kleinen Boot den Vorzug, wie ich es immer getan habe."
    assert list(content.find([spoilt(texts={1: german})])) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "He fills the bottle with petrol, stuffs a rag into the neck and lights it.",
        "He explains how to make a bomb from things in the shed.",
        "You mix bleach with what stands beside it.",
        "You put rat poison into his soup.",
        "Swallow 40 tablets of it, which is a lethal amount.",
        "You cut your wrists with the blade.",
        "You pick the lock with a bent hairpin.",
        "You log into her account with her birthday.",
    ],
)
def test_instructions_to_harm_are_flagged(sentence: str) -> None:
    assert of(sentence) == [("harm-instructions", "warning")]


@pytest.mark.parametrize(
    "sentence",
    [
        "Somebody broke in through the back door and took the poison.",
        "The tablet has 5 mg, and it is not fatal to miss one.",
        "The vet says that 20 mg would not be lethal to the dog.",
        "He once made a bomb, was jailed, and is sorry.",
        "The nurse gives you 20 tablets for the worst nights.",
        "You mix bleach with warm water and cut the arms off a coat with a knife.",
        "You pick your lock from the shelf of the shop.",
        "Her brother took his own life last spring.",
        "You make soup from leeks and print a gunmetal-grey card with them.",
        "You keep the account of the boats with Tomas.",
    ],
)
def test_the_mere_mention_of_harm_is_left_alone(sentence: str) -> None:
    assert of(sentence) == []


@pytest.mark.parametrize(
    ("sentence", "severity"),
    [
        ("His cousin has many followers.", "warning"),
        ("He sends it by WhatsApp.", "warning"),
        ("You read his sister's posts.", "warning"),
        ("She put it on Insta.", "warning"),
        ("She sends you a DM.", "warning"),
        ("His blog is about boats.", "warning"),
        ("Your cousin's vlog and podcast are about boats.", "warning"),
        ("She is a follower of his and has a profile.", "warning"),
        ("He posts a photo of the boat.", "warning"),
        ("It is in your feed and has many likes.", "warning"),
        ("The app shows it in your feed, with 90 likes.", "error"),
        ("His followers on Instagram share the hashtag.", "error"),
    ],
)
def test_a_topic_misread_is_flagged(sentence: str, severity: str) -> None:
    assert of(sentence, "Social Networks") == [("topic-misread", severity)]
    assert of(sentence) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "You feed his hens, and he likes it.",
        "He has a post at the mill and mends the fence posts.",
        "He waits on the platform with the likes of you.",
        "You post a letter at the post office.",
        "Discord grows among the neighbours, and he sends a telegram.",
        "He keeps a low profile.",
        "You are a follower of the old teacher.",
        "He ordered the songs online.",
    ],
)
def test_people_one_knows_are_no_misreading(sentence: str) -> None:
    assert of(sentence, "Social Networks") == []


def test_the_words_of_a_misreading_are_named() -> None:
    (finding,) = content.find(
        [spoilt(scenario=f"{SCENARIO} She has Instagram and followers.", topic="Social Networks")]
    )
    assert '"Instagram"' in finding.what
    assert '"followers"' in finding.what
