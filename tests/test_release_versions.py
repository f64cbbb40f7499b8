"""Versions of a dataset: which change asks for which number."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spoil import TEXTS, spoilt

from dilemmas.errors import InputError
from dilemmas.release.versions import Difference, Version, allowed, compare, told

Record = dict[str, Any]
NOTHING = Difference(added=[], removed=[], changed=[], relabelled=[], redefined=[], touched=[])
ADDED = Difference(**{**vars(NOTHING), "added": ["a"]})
CHANGED = Difference(**{**vars(NOTHING), "changed": ["a"]})
REMOVED = Difference(**{**vars(NOTHING), "removed": ["a"]})
TOUCHED = Difference(**{**vars(NOTHING), "touched": ["a"]})


def line(**fields: Any) -> Record:
    return spoilt(**fields).model_dump(mode="json")


def swapped(record: Record, one: int, other: int) -> Record:
    """Two actions' words in each other's places."""
    found = copy.deepcopy(record)
    actions = found["actions"]
    actions[one]["text"], actions[other]["text"] = actions[other]["text"], actions[one]["text"]
    return found


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (line(), "none"),
        (line(scenario="You wait for a ferry with two friends, and only one of you can go."), "major"),
        (line(texts={3: "I name a time to Tomas and look away."}), "major"),
        (line(competing_value="Helpful"), "major"),
        (swapped(line(), 0, 1), "major"),
        (line(reasons={0: "It holds nothing back."}), "patch"),
        (line(revision=2), "patch"),
        (line(review={"status": "accepted", "reviewers": 2}), "patch"),
        (line() | {"derived": {"people": None}}, "patch"),
    ],
)
def test_text_and_labels_are_major_and_all_that_is_said_about_them_is_patch(after: Record, kind: str) -> None:
    assert compare([line()], [after]).kind == kind


def test_items_that_come_are_minor_and_items_that_go_are_major() -> None:
    two = [line(), line(id="honest-work")]
    assert compare(two[:1], two) == Difference(**{**vars(NOTHING), "added": ["honest-work"]})
    assert compare(two[:1], two).kind == "minor"
    assert compare(two, two[:1]).removed == ["honest-work"]
    assert compare(two, two[:1]).kind == "major"


def test_relabelled_is_an_action_in_another_place_or_another_competing_value_but_no_new_wording() -> None:
    before = [line(id=name) for name in ("moved", "pulled", "reworded")]
    after = [swapped(before[0], 0, 5), line(id="pulled", competing_value="Helpful"), line(id="reworded", scenario="X.")]
    found = compare(before, after)
    assert found.changed == ["moved", "pulled", "reworded"]
    assert found.relabelled == ["moved", "pulled"]


@given(st.permutations(range(6)), st.permutations(["a1", "b1", "c1"]))
def test_the_order_of_items_and_of_actions_is_no_change_of_an_item(places: list[int], ids: list[str]) -> None:
    before = [line(id=name) for name in ("a1", "b1", "c1")]
    after = [line(id=name) for name in ids]
    for one in after:
        one["actions"] = [one["actions"][place] for place in places]
    assert compare(before, after).changed == []
    assert compare(before, after).kind in ("none", "patch")


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_what_came_and_what_went_change_places_with_the_two_sides(old: set[str], new: set[str]) -> None:
    before, after = ([line(id=f"{name}1") for name in sorted(names)] for names in (old, new))
    there, back = compare(before, after), compare(after, before)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert len(there.added) - len(there.removed) == len(new) - len(old)


@pytest.mark.parametrize(
    ("previous", "difference", "least"),
    [
        ("1.4.2", CHANGED, "2.0.0"),
        ("1.4.2", REMOVED, "2.0.0"),
        ("1.4.2", ADDED, "1.5.0"),
        ("1.4.2", TOUCHED, "1.4.3"),
        ("0.4.2", CHANGED, "0.5.0"),
        ("0.4.2", REMOVED, "0.5.0"),
        ("0.4.2", ADDED, "0.4.3"),
        ("0.4.2", TOUCHED, "0.4.3"),
    ],
)
def test_the_least_version_is_allowed_and_none_before_it(previous: str, difference: Difference, least: str) -> None:
    before = Version.parse(previous)
    allowed(before, Version.parse(least), difference)
    with pytest.raises(InputError) as refused:
        allowed(before, before, difference)
    assert least in refused.value.fix


def test_a_larger_step_is_allowed_and_so_is_leaving_0_behind() -> None:
    allowed(Version(0, 4, 2), Version(1, 0, 0), TOUCHED)
    allowed(Version(0, 4, 2), Version(0, 5, 0), ADDED)
    allowed(Version(1, 4, 2), Version(3, 0, 0), ADDED)


@pytest.mark.parametrize("new", ["2.0.1", "2.1.0", "1.5.1"])
def test_numbers_behind_the_raised_one_begin_at_0(new: str) -> None:
    with pytest.raises(InputError, match="begin a new row"):
        allowed(Version(1, 4, 2), Version.parse(new), ADDED)


@pytest.mark.parametrize("new", ["1.4.1", "0.9.0", "1.3.0"])
def test_an_earlier_version_is_never_allowed(new: str) -> None:
    with pytest.raises(InputError):
        allowed(Version(1, 4, 2), Version.parse(new), TOUCHED)


def test_a_step_that_is_too_small_names_the_change_and_the_version_it_asks_for() -> None:
    with pytest.raises(InputError, match=r"major \(1 changed\).*2\.0\.0"):
        allowed(Version(1, 4, 2), Version(1, 5, 0), CHANGED)


def test_nothing_changed_is_no_release() -> None:
    with pytest.raises(InputError, match="nothing changed"):
        allowed(Version(0, 1, 0), Version(0, 2, 0), NOTHING)


@pytest.mark.parametrize("fields", [{"value": "Responsible"}, {"topic": "Work Orientation"}])
def test_an_id_that_stands_for_something_else_is_refused_whatever_the_version(fields: dict[str, str]) -> None:
    found = compare([line()], [line(**fields)])
    assert found.redefined == ["honest-leisure"]
    with pytest.raises(InputError, match="honest-leisure"):
        allowed(Version(1, 0, 0), Version(2, 0, 0), found)


@pytest.mark.parametrize("text", ["1.0", "v1.0.0", "01.0.0", "1.0.0-rc.1", "1.0.0+x", "", "1.0.0\n", "١.0.0", "1.0.x"])
def test_a_version_is_three_plain_numbers(text: str) -> None:
    with pytest.raises(InputError, match="no version"):
        Version.parse(text)


@given(*[st.tuples(*[st.integers(0, 999_999)] * 3)] * 2)
def test_versions_are_ordered_by_number_and_read_back_as_written(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    assert Version.parse(str(Version(*one))) == Version(*one)
    assert (Version(*one) < Version(*other)) == (one < other)


def test_a_difference_is_told_in_a_few_words() -> None:
    assert told(NOTHING) == "nothing changed"
    assert told(compare([line()], [line(texts={0: TEXTS[0] + " Now."}), line(id="b1")])) == "1 added, 1 changed"
