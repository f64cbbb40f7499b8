"""The 56 values, the eleven topics and the circle."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from typing import get_args

import pytest

from dilemmas import taxonomy
from dilemmas.errors import InputError
from dilemmas.schema import BasicValueName, HigherOrderName, TopicName, ValueName

COUNTS = {
    "Power": 5,
    "Achievement": 6,
    "Hedonism": 2,
    "Stimulation": 3,
    "Self-direction": 5,
    "Universalism": 9,
    "Benevolence": 9,
    "Tradition": 6,
    "Conformity": 4,
    "Security": 7,
}
"""Items of the Schwartz Value Survey (1992) by basic value."""

HIGHER_ORDER = {
    "Self-direction": ("openness",),
    "Stimulation": ("openness",),
    "Hedonism": ("openness", "self_enhancement"),
    "Achievement": ("self_enhancement",),
    "Power": ("self_enhancement",),
    "Security": ("conservation",),
    "Conformity": ("conservation",),
    "Tradition": ("conservation",),
    "Benevolence": ("self_transcendence",),
    "Universalism": ("self_transcendence",),
}
ANGLES = {
    "Self-direction": 0,
    "Stimulation": 40,
    "Hedonism": 80,
    "Achievement": 120,
    "Power": 160,
    "Security": 200,
    "Conformity": 240,
    "Tradition": 240,
    "Benevolence": 280,
    "Universalism": 320,
}


def test_names_in_the_records_are_those_of_the_data() -> None:
    assert tuple(taxonomy.values()) == get_args(ValueName)
    assert tuple(taxonomy.topics()) == get_args(TopicName)
    assert {value.basic_value for value in taxonomy.values().values()} == set(get_args(BasicValueName))
    assert {one for value in taxonomy.values().values() for one in value.higher_order} == set(get_args(HigherOrderName))


def test_there_are_56_values_and_eleven_topics() -> None:
    assert len(taxonomy.values()) == 56
    assert len(taxonomy.topics()) == 11
    assert Counter(value.basic_value for value in taxonomy.values().values()) == COUNTS


def test_values_come_in_the_order_of_the_basic_values() -> None:
    order = [value.basic_value for value in taxonomy.values().values()]
    assert order == sorted(order, key=get_args(BasicValueName).index)


def test_it_is_the_list_of_1992() -> None:
    assert "Detachment" in taxonomy.values()
    assert not {"Privacy", "Self-Indulgent", "Observing Social Norms"} & set(taxonomy.values())


def test_each_value_stands_where_its_basic_value_stands() -> None:
    for value in taxonomy.values().values():
        assert value.higher_order == HIGHER_ORDER[value.basic_value]
        assert value.angle == ANGLES[value.basic_value]


@pytest.mark.parametrize(
    ("one", "other", "degrees", "relation"),
    [
        ("Equality", "Wealth", 160, "opposing"),
        ("Honest", "Loyal", 0, "adjacent"),
        ("Freedom", "Daring", 40, "adjacent"),
        ("Freedom", "Pleasure", 80, "weak"),
        ("Freedom", "Successful", 120, "opposing"),
        ("Freedom", "Obedient", 120, "opposing"),
        ("Daring", "Equality", 80, "weak"),
        ("Obedient", "Devout", 0, "adjacent"),
        ("Freedom", "Equality", 40, "adjacent"),
        ("Social Power", "Equality", 160, "opposing"),
    ],
)
def test_the_circle_says_how_two_values_stand(one: str, other: str, degrees: float, relation: str) -> None:
    assert taxonomy.distance(one, other) == degrees
    assert taxonomy.relation(one, other) == relation


def test_distance_is_symmetric_and_at_most_half_the_circle() -> None:
    for one, other in product(taxonomy.values(), repeat=2):
        assert taxonomy.distance(one, other) == taxonomy.distance(other, one)
        assert 0 <= taxonomy.distance(one, other) <= 180
    assert all(taxonomy.distance(one, one) == 0 for one in taxonomy.values())


def test_opposed_higher_orders_never_lie_side_by_side() -> None:
    opposed = [("openness", "conservation"), ("self_enhancement", "self_transcendence")]
    for one, other in product(taxonomy.values().values(), repeat=2):
        if (one.higher_order[0], other.higher_order[0]) in opposed and "Hedonism" not in (
            one.basic_value,
            other.basic_value,
        ):
            assert taxonomy.relation(one.name, other.name) != "adjacent"


def words(text: str) -> set[str]:
    little = {"a", "an", "and", "as", "for", "from", "in", "it", "of", "on", "one", "or", "that", "the", "to", "with"}
    return set(re.findall(r"[a-z]+", text.lower())) - little


def test_definitions_are_short_phrases_that_explain_the_name() -> None:
    for value in taxonomy.values().values():
        assert 5 <= len(value.definition.split()) <= 22, value.name
        assert value.definition[0].islower(), value.name
        assert not re.search(r"[.;:]", value.definition), value.name
        assert value.name.lower() not in value.definition.lower(), value.name


def test_definitions_tell_the_values_apart() -> None:
    values = list(taxonomy.values().values())
    for place, one in enumerate(values):
        for other in values[:place]:
            mine, theirs = words(one.definition), words(other.definition)
            assert len(mine & theirs) / len(mine | theirs) < 0.3, (one.name, other.name)


def test_scopes_are_short_and_distinct() -> None:
    scopes = [topic.scope for topic in taxonomy.topics().values()]
    assert len(set(scopes)) == 11
    assert all(40 <= len(scope) <= 300 and scope.endswith(".") for scope in scopes)


def test_social_networks_are_people_and_not_apps() -> None:
    meant, _, excluded = taxonomy.topics()["Social Networks"].scope.partition("Not ")
    assert {"people", "friends", "neighbours"} <= words(meant)
    assert not {"apps", "online", "platforms"} & words(meant)
    assert "apps" in words(excluded)


@pytest.mark.parametrize(("name", "meant"), [("Honesty", "Honest"), ("wealth", "Wealth"), ("Equalty", "Equality")])
def test_a_misspelt_value_gets_the_nearest_name(name: str, meant: str) -> None:
    with pytest.raises(InputError) as caught:
        taxonomy.value(name)
    assert name in caught.value.what
    assert meant in caught.value.fix
