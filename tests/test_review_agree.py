"""Agreement in a pulled round: the right labels reach the right statistics, and machines stay apart."""

from __future__ import annotations

import itertools
import json
import math
import random
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dilemmas import dataset
from dilemmas.agreement import Criterion, measures
from dilemmas.errors import InputError
from dilemmas.review import rounds, tables, tasks
from dilemmas.review.labels import PLACE_NAMES, labels, majority
from dilemmas.review.machines import MAJORITY
from dilemmas.schema import PLACES, Dilemma, Judgement, Placement, Round, RoundProblem, Verdict
from dilemmas.taxonomy import topics, values

GOLDEN = json.loads((Path(__file__).parent / "golden" / "agreement.json").read_text(encoding="utf-8"))
FEW = 100
"""Draws, where intervals are not what is tested."""
PEOPLE_TABLES = ("agreement", "prevalence", "pairs", "disagreements", "annotators", "intended")
RIGHT, BACKWARDS = (0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0)
Run = Callable[..., subprocess.CompletedProcess[str]]


def dilemmas(count: int) -> tuple[Dilemma, ...]:
    """Dilemmas about as many values as there are, 56 at most, with the texts of the shipped ones."""
    texts = dataset.read(dataset.shipped_path()).dilemmas
    cells = itertools.cycle(zip(itertools.cycle(values()), itertools.cycle(topics())))
    made = []
    for number, (value, topic) in enumerate(itertools.islice(cells, count)):
        competing = "Honest" if value != "Honest" else "Loyal"
        change = {"id": f"number-{number}", "value": value, "topic": topic, "competing_value": competing}
        made.append(texts[number % len(texts)].model_copy(update=change))
    return tuple(made)


def said(dilemma: Dilemma, reviewer: str, **given: Any) -> Judgement:
    """A judgement of a person, but for what is given."""
    made = {"dilemma": dilemma.id, "revision": dilemma.revision, "reviewer": reviewer, "kind": "person"}
    return Judgement.model_validate(made | given)


def verdicts(*words: str) -> tuple[Verdict, ...]:
    """What is said of the six labels, from strong aligned to strong opposed."""
    return tuple(
        Verdict(polarity=side, intensity=much, verdict=word)  # type: ignore[arg-type]
        for (side, much), word in zip(PLACES, words, strict=True)
    )


def placed(*at: int | None) -> tuple[Placement, ...]:
    """Where the six actions are put: numbers of places from 0; None for one that is left out."""
    return tuple(
        Placement(polarity=side, intensity=much, judged_polarity=PLACES[to][0], judged_intensity=PLACES[to][1])
        for (side, much), to in zip(PLACES, at, strict=True)
        if to is not None
    )


def untold(*at: int) -> tuple[Verdict, ...]:
    """What is said of actions that nobody could place; numbers of places from 0."""
    return tuple(Verdict(polarity=PLACES[n][0], intensity=PLACES[n][1], verdict="cannot_tell") for n in at)


def read_by(dilemma: Dilemma, machine: str, *readings: Sequence[int | None]) -> list[Judgement]:
    """A machine's readings."""
    return [
        said(dilemma, machine, kind="machine", repeat=repeat, placements=placed(*at))
        for repeat, at in enumerate(readings)
    ]


def pulled(
    folder: Path, form: Any, of: Iterable[Dilemma], people: Sequence[Judgement], machines: Sequence[Judgement] = (),
    **manifest: Any,
) -> Path:  # fmt: skip
    """A folder as `pull` writes it."""
    told = {
        "project": "Round 1", "form": form, "annotators": 2, "pulled": "2026-11-21T10:00:00Z", "export": "raw/1.json",
        "sha256": "0" * 64, "pseudonyms": True, "counts": {},
    }  # fmt: skip
    made = Round.model_validate(told | manifest)
    rounds.write(folder, rounds.Pulled(made, {one.id: one for one in of}, tuple(people), tuple(machines)), "[]")
    return folder


def open_round(folder: Path, machines: Sequence[Judgement] = (), count: int = 20) -> Path:
    """Three people on some dilemmas, two to each, who differ here and there."""
    found = dilemmas(count)
    people = []
    for number, dilemma in enumerate(found):
        for who in ("ann", "bob", "cyd")[:: 2 if number % 3 == 0 else 1][-2:]:
            odd = (7 * number + ord(who[0])) % 5 == 0
            words = ["matches"] * 6
            if odd:
                words[number % 6] = ("weaker", "stronger", "wrong_side", "cannot_tell")[number % 4]
            answers = {
                "decision": "revise" if odd else "accept",
                "harmless": True,
                "sufficient": not odd,
                "plausible": None if number == 3 else True,
                "verdicts": verdicts(*words),
                "comment": "=1+1" if odd else "",
                "seconds": 60.0 + number,
            }
            people.append(said(dilemma, who, **answers))
    return pulled(folder, "open", found, people, machines)


def row_of(found: tables.Agreement, criterion: str, level: str = "overall", group: str = "") -> dict[str, Any]:
    table = found.agreement
    rows = table[(table["criterion"] == criterion) & (table["level"] == level) & (table["group"] == group)]
    assert len(rows) == 1
    return {str(key): cell for key, cell in rows.iloc[0].items()}


def share_of(found: tables.Agreement, criterion: str, category: str, level: str = "overall", group: str = "") -> float:
    table = found.prevalence[(found.prevalence["level"] == level) & (found.prevalence["group"] == group)]
    return float(table.set_index(["criterion", "category"]).loc[(criterion, category), "share"])  # type: ignore[arg-type]


# Numbers


@pytest.mark.parametrize("case", GOLDEN["two_by_two"], ids=lambda case: str(case["table"]))
def test_the_golden_numbers_come_out_of_a_pulled_folder(case: dict[str, Any], tmp_path: Path) -> None:
    answers = [(i == 0, j == 0) for i in (0, 1) for j in (0, 1) for _ in range(case["table"][i][j])]
    found = dilemmas(len(answers))
    people = [
        said(dilemma, who, decision="accept", harmless=answer)
        for dilemma, both in zip(found, answers, strict=True)
        for who, answer in zip("ab", both, strict=True)
    ]
    agreed = tables.agree(pulled(tmp_path / "round", "open", found, people), draws=FEW)
    row = row_of(agreed, "harmless")
    for name in ("raw", "kappa", "ac1"):
        assert row[name] == pytest.approx(case[name], abs=5e-4)
    assert row["n_pairs"] == len(answers)
    pair = agreed.pairs.set_index("criterion").loc["harmless"]
    assert (pair["first"], pair["second"], pair["n"]) == ("a", "b", len(answers))
    assert pair["kappa"] == pytest.approx(case["kappa"], abs=5e-4)


def test_the_numbers_of_a_group_are_those_of_its_labels(tmp_path: Path) -> None:
    folder = open_round(tmp_path / "round")
    found = tables.agree(folder, draws=FEW, seed=5)
    judged = rounds.read(folder)
    decisions = pd.DataFrame(
        [(one.dilemma, judged.dilemmas[one.dilemma].value, one.reviewer, one.decision) for one in judged.people],
        columns=["unit", "cluster", "annotator", "label"],
    )
    criterion = Criterion("decision", ("accept", "revise", "reject"))
    topic = judged.dilemmas["number-0"].topic
    basic_value = values()[judged.dilemmas["number-0"].value].basic_value
    of = decisions["unit"].map(judged.dilemmas)
    for level, group, part in (
        ("overall", "", decisions),
        ("topic", topic, decisions[of.map(lambda one: one.topic == topic)]),
        ("basic_value", basic_value, decisions[of.map(lambda one: values()[one.value].basic_value == basic_value)]),
    ):
        expected = measures(part, criterion, draws=FEW, seed=5)
        row = row_of(found, "decision", level, group)
        assert len(part) > 2
        for name in ("n_units", "n_pairs", "clusters", "note"):
            assert row[name] == expected[name]
        for name, end in itertools.product(("raw", "alpha", "ac1", "kappa"), ("", "_low", "_high")):
            assert row[name + end] == pytest.approx(expected[name + end], nan_ok=True), name
    assert set(found.agreement["level"]) == {"overall", "place", "basic_value", "topic"}


def test_two_people_on_three_dilemmas_by_hand(tmp_path: Path) -> None:
    one, two, three = dilemmas(3)
    same = verdicts(*["matches"] * 6)
    other = verdicts("weaker", "wrong_side", "cannot_tell", "stronger", "matches", "matches")
    people = [
        said(one, "a", decision="accept", verdicts=same), said(one, "b", decision="accept", verdicts=other),
        said(two, "a", decision="accept", verdicts=same), said(two, "b", decision="reject", verdicts=same),
        said(three, "a", decision="revise", verdicts=same),
    ]  # fmt: skip
    found = tables.agree(pulled(tmp_path / "round", "open", (one, two, three), people), draws=FEW)
    counts = {name: (row_of(found, name)["n_units"], row_of(found, name)["n_pairs"]) for name in ("decision", "label")}
    assert counts == {"decision": (3, 2), "label": (18, 12)}
    assert row_of(found, "decision")["raw"] == 0.5
    assert row_of(found, "label")["raw"] == pytest.approx(8 / 12)
    assert row_of(found, "side")["raw"] == pytest.approx(10 / 11), "one cannot tell, so eleven are judged by both"
    assert row_of(found, "strength")["raw"] == pytest.approx(8 / 10), "and of these one has no strength"
    assert row_of(found, "label", "place", "strong aligned")["raw"] == 0.5
    assert share_of(found, "label", "wrong_side", "place", "moderate aligned") == pytest.approx(0.5 / 3)
    assert row_of(found, "harmless")["n_units"] == 0
    assert math.isnan(share_of(found, "harmless", "yes"))


OPEN = [
    ("matches", {"side": "holds", "strength": "matches"}),
    ("weaker", {"side": "holds", "strength": "weaker"}),
    ("stronger", {"side": "holds", "strength": "stronger"}),
    ("wrong_side", {"side": "wrong"}),
    ("cannot_tell", {}),
]


@pytest.mark.parametrize(("word", "follows"), OPEN)
def test_side_and_strength_follow_from_what_is_said_of_a_label(word: str, follows: dict[str, str]) -> None:
    (dilemma,) = dilemmas(1)
    one = said(dilemma, "a", decision="accept", verdicts=verdicts(word, *["matches"] * 5))
    frame = labels([one], {dilemma.id: dilemma}, "open")
    here = frame[frame["place"] == "strong aligned"]
    assert dict(zip(here["criterion"], here["label"], strict=True)) == {"label": word, **follows}


BLIND = [
    (0, "matches", "aligned", "strong"),
    (1, "weaker", "aligned", "moderate"),
    (2, "weaker", "aligned", "mild"),
    (5, "wrong_side", "opposed", "strong"),
    (None, "cannot_tell", "cannot_tell", None),
]


@pytest.mark.parametrize(("to", "label", "side", "strength"), BLIND)
def test_whether_a_label_holds_follows_from_where_a_person_puts_the_action(
    to: int | None, label: str, side: str, strength: str | None
) -> None:
    (dilemma,) = dilemmas(1)
    unclear = untold(0) if to is None else ()
    one = said(dilemma, "a", decision="accept", placements=placed(to, *RIGHT[1:]), verdicts=unclear)
    frame = labels([one], {dilemma.id: dilemma}, "blind")
    here = frame[frame["place"] == "strong aligned"]
    expected = {"label": label, "side": side}
    if strength and to is not None:
        expected |= {"strength": strength, "place": PLACE_NAMES[to]}
    assert dict(zip(here["criterion"], here["label"], strict=True)) == expected


def test_an_action_that_was_not_answered_is_missing_and_not_unclear() -> None:
    (dilemma,) = dilemmas(1)
    one = said(dilemma, "a", decision="accept", placements=placed(None, None, *RIGHT[2:]), verdicts=untold(1))
    frame = labels([one], {dilemma.id: dilemma}, "blind")
    assert set(frame["place"]) == {"", *PLACE_NAMES[1:]}
    assert dict(frame[frame["place"] == PLACE_NAMES[1]][["criterion", "label"]].to_numpy()) == {
        "label": "cannot_tell", "side": "cannot_tell",
    }  # fmt: skip


def test_a_milder_label_can_be_exceeded() -> None:
    (dilemma,) = dilemmas(1)
    one = said(dilemma, "a", decision="accept", placements=placed(0, 0, 0, 3, 5, 5))
    frame = labels([one], {dilemma.id: dilemma}, "blind")
    verdict = frame[frame["criterion"] == "label"].set_index("place")["label"]
    assert [verdict[name] for name in PLACE_NAMES] == [
        "matches", "stronger", "stronger", "matches", "stronger", "matches",
    ]  # fmt: skip


def test_people_who_put_actions_where_they_were_meant_agree_with_the_labels(tmp_path: Path) -> None:
    found = dilemmas(4)
    people = [said(one, "right", decision="accept", placements=placed(*RIGHT)) for one in found]
    people += [said(one, "wrong", decision="accept", placements=placed(*BACKWARDS)) for one in found[:3]]
    some = {"placements": placed(0, 1, 2, None, None, None), "verdicts": untold(3, 4, 5)}
    people += [said(found[3], "wrong", decision="accept", **some)]
    agreed = tables.agree(pulled(tmp_path / "round", "blind", found, people), draws=FEW)
    intended = agreed.intended.set_index("annotator")
    assert intended["side"].to_dict() == {"right": 1.0, "wrong": 0.25}
    assert intended["tau"].to_dict() == pytest.approx({"right": 1.0, "wrong": (-1 * 3 + 1) / 4})
    assert intended["placed"].to_dict() == {"right": 24, "wrong": 21}
    assert row_of(agreed, "side")["raw"] == pytest.approx(3 / 24)
    assert share_of(agreed, "side", "cannot_tell") == pytest.approx(3 * 0.5 / 24)
    assert agreed.tables()["intended"].equals(agreed.intended)


def test_in_the_open_form_nobody_is_said_to_have_sorted_blind(tmp_path: Path) -> None:
    assert tables.agree(open_round(tmp_path / "round"), draws=FEW).intended.empty


# What counts


def test_only_finished_and_latest_judgements_on_the_newest_text_count(tmp_path: Path) -> None:
    one, two = dilemmas(2)
    people = [
        said(one, "a", decision="accept", seconds=10), said(two, "a", decision="accept", seconds=30),
        said(one, "b", decision="accept"), said(one, "b", decision="reject", superseded=True),
        said(two, "b", decision="reject", state="draft"), said(two, "c", state="skipped"),
        said(one, "c", decision="reject", ground_truth=True), said(two, "d", decision="reject", revision=99),
        said(two, "c", harmless=False), said(two, "unknown-7", decision="reject", anonymous=True),
    ]  # fmt: skip
    found = tables.agree(pulled(tmp_path / "round", "open", (one, two), people), draws=FEW)
    assert row_of(found, "decision")["raw"] == 1.0
    assert share_of(found, "decision", "reject") == 0.0
    who = found.annotators.set_index("annotator")
    assert who["judged"].to_dict() == {"a": 2, "b": 1, "c": 0, "d": 0, "unknown-7": 0}
    left_out = who[list(tables.NOT_COUNTED)]
    assert left_out.loc["a"].sum() == 0
    assert (left_out.loc["b", "superseded"], left_out.loc["b", "drafts"]) == (1, 1)
    assert (left_out.loc["c", "skipped"], left_out.loc["c", "ground_truth"]) == (1, 1)
    assert (left_out.loc["d", "other_revision"], left_out.loc["unknown-7", "anonymous"]) == (1, 1)
    assert left_out.loc["c", "no_decision"] == 1
    assert row_of(found, "harmless")["n_units"] == 0
    assert who.loc["a", "median_seconds"] == 20
    assert math.isnan(who.loc["b", "median_seconds"])
    assert tables.not_counted(found) == dict.fromkeys(tables.NOT_COUNTED, 1)
    assert "1 skipped" in " ".join(tables.cautions(found))


def test_who_is_left_out_is_in_no_table_and_named(tmp_path: Path) -> None:
    folder = open_round(tmp_path / "round")
    before = rounds.read(folder)
    people = [one for one in before.people if one.reviewer != "bob"]
    other = pulled(tmp_path / "other", "open", before.dilemmas.values(), people)
    one, two = tables.agree(folder, without=["bob"], draws=FEW), tables.agree(other, draws=FEW)
    for name, table in one.tables().items():
        pd.testing.assert_frame_equal(table, two.tables()[name])
    assert "Left out of all tables, as asked for: bob." in tables.cautions(one)
    assert tables.summary(one)["without"] == ["bob"]
    assert tables.summary(two)["without"] == []


def test_only_who_is_in_the_round_can_be_left_out_and_not_everybody(tmp_path: Path) -> None:
    folder = open_round(tmp_path / "round")
    with pytest.raises(InputError, match='nothing by "bop"') as caught:
        tables.agree(folder, without=["ann", "bop"], draws=FEW)
    assert (caught.value.where, "bob" in caught.value.fix) == ("--without", True)
    with pytest.raises(InputError, match="nobody else has judged"):
        tables.agree(folder, without=["ann", "bob", "cyd"], draws=FEW)


def test_values_that_one_person_alone_judged_do_not_hide_that_few_were_judged_twice(tmp_path: Path) -> None:
    found = dilemmas(20)
    people = [said(one, "a", decision="accept") for one in found]
    people += [said(one, "b", decision="accept") for one in found[:4]]
    agreed = tables.agree(pulled(tmp_path / "round", "open", found, people), draws=FEW)
    assert row_of(agreed, "decision")["clusters"] == 4
    assert "The dilemmas judged by two people or more are about 4 values only." in " ".join(tables.cautions(agreed))


def test_a_question_with_few_values_is_noted_where_others_have_enough(tmp_path: Path) -> None:
    found = dilemmas(20)
    people = [
        said(one, who, decision="accept", harmless=n != 1 or who == "a" if n < 4 else None)
        for n, one in enumerate(found)
        for who in "ab"
    ]
    agreed = tables.agree(pulled(tmp_path / "round", "open", found, people), draws=FEW)
    assert not [words for words in tables.cautions(agreed) if "values only" in words]
    assert "harmless: intervals from 4 clusters only are too narrow" in tables.notes(agreed.overall)


def test_with_one_category_alpha_is_missing_and_the_note_says_why(tmp_path: Path) -> None:
    found = dilemmas(20)
    people = [said(one, who, decision="accept") for one in found for who in "ab"]
    agreed = tables.agree(pulled(tmp_path / "round", "open", found, people), draws=FEW)
    row = row_of(agreed, "decision")
    assert (row["raw"], row["ac1"]) == (1.0, 1.0)
    assert math.isnan(row["alpha"])
    assert "decision: alpha, kappa: undefined, since only one category" in "\n".join(tables.notes(agreed.overall))


def test_one_reviewer_has_shares_and_no_agreement(tmp_path: Path) -> None:
    found = dilemmas(4)
    people = [said(one, "a", decision="accept" if number else "reject") for number, one in enumerate(found)]
    agreed = tables.agree(pulled(tmp_path / "round", "open", found, people), draws=FEW)
    assert share_of(agreed, "decision", "reject") == 0.25
    assert math.isnan(row_of(agreed, "decision")["raw"])
    assert (len(agreed.pairs), len(agreed.disagreements)) == (0, 0)
    assert any("judged by two people" in words for words in tables.cautions(agreed))
    assert tables.differing(agreed) == {"units": 0, "dilemmas": 0}


@pytest.mark.parametrize("people", [[], ["skipped"], ["draft", "skipped"]])
def test_a_round_without_a_finished_judgement_is_refused(people: list[str], tmp_path: Path) -> None:
    (dilemma,) = dilemmas(1)
    folder = pulled(
        tmp_path / "round", "open", [dilemma], [said(dilemma, f"person {state}", state=state) for state in people]
    )
    with pytest.raises(InputError) as caught:
        tables.agree(folder)
    assert caught.value.where == str(folder)
    assert "status" in caught.value.fix


def test_few_values_and_problems_are_pointed_out(tmp_path: Path) -> None:
    (one,) = dilemmas(1)
    problem = RoundProblem(kind="unknown_task", what="task 7 is not ours")
    folder = pulled(tmp_path / "round", "open", [one], [said(one, "a", decision="accept")], problems=[problem])
    told = " ".join(tables.cautions(tables.agree(folder, draws=FEW)))
    assert "1 value only" in told
    assert "1 problem;" in told


# Machines


def test_a_machine_says_what_more_than_half_of_its_readings_say(tmp_path: Path) -> None:
    (one,) = dilemmas(1)
    people = [said(one, "a", decision="accept", placements=placed(*RIGHT))]
    readings = read_by(one, "m", RIGHT, (1, 1, 2, 3, 4, 0), (2, 1, 2, 3, None, 0))
    found = tables.agree(pulled(tmp_path / "round", "blind", [one], people, readings), draws=FEW)
    against = found.machine[found.machine["against"] == "a"].set_index("criterion")
    assert against["n_units"].to_dict() == {"side": 6, "strength": 5, "place": 5, "label": 6}
    assert against["raw"].to_dict() == pytest.approx({"side": 5 / 6, "strength": 1.0, "place": 4 / 5, "label": 4 / 6})


def test_the_majority_is_what_more_than_half_of_two_or_more_say() -> None:
    found = dilemmas(4)
    said_of = ("aab", "ab", "aa", "b")
    words = {"a": "accept", "b": "reject"}
    people = [
        said(one, f"person {number}", decision=words[letter])
        for one, letters in zip(found, said_of, strict=True)
        for number, letter in enumerate(letters)
    ]
    clear = majority(labels(people, {one.id: one for one in found}, "open"))
    assert clear.set_index("dilemma")["label"].to_dict() == {"number-0": "accept", "number-2": "accept"}


def test_a_machine_is_compared_with_each_person_and_with_the_majority(tmp_path: Path) -> None:
    found = dilemmas(3)
    people = [
        said(found[0], "a", decision="accept", placements=placed(*RIGHT)),
        said(found[1], "a", decision="accept", placements=placed(*RIGHT)),
        said(found[1], "b", decision="accept", placements=placed(*BACKWARDS[:3], *RIGHT[3:])),
    ]
    machines = [*read_by(found[0], "m", RIGHT), *read_by(found[1], "m", RIGHT), *read_by(found[2], "m", BACKWARDS)]
    agreed = tables.agree(pulled(tmp_path / "round", "blind", found, people, machines), draws=FEW)
    sides = agreed.machine[agreed.machine["criterion"] == "side"].set_index("against")
    assert sides["n_units"].to_dict() == {"a": 12, "b": 6, MAJORITY: 3}
    assert sides["raw"].to_dict() == {"a": 1.0, "b": 0.5, MAJORITY: 1.0}
    intended = agreed.machine_intended.iloc[0]
    assert (intended["annotator"], intended["n_units"]) == ("m", 3)
    assert intended["side"] == pytest.approx(2 / 3)
    assert "m" not in set(agreed.intended["annotator"])


def test_in_the_open_form_a_machine_comes_back_with_verdicts(tmp_path: Path) -> None:
    (one,) = dilemmas(1)
    task = tasks.sent(tasks.task(one, "open"))
    readings = [
        tasks.machine_judgement(tasks.prediction(reading, task), task).judgement
        for reading in read_by(one, "m", (1, 1, 2, 3, 4, 0), (1, 1, 2, 3, 4, 5))
    ]
    people = [said(one, "a", decision="accept", verdicts=verdicts("weaker", *["matches"] * 5))]
    found = tables.agree(pulled(tmp_path / "round", "open", [one], people, readings), draws=FEW)
    against = found.machine[found.machine["against"] == "a"].set_index("criterion")
    assert against["raw"].to_dict() == {"label": 1.0, "side": 1.0, "strength": 1.0}
    assert against["n_units"].to_dict() == {"label": 5, "side": 5, "strength": 6}, "the readings differ on one"
    intended = found.machine_intended.iloc[0]
    assert (intended["readings"], intended["placed"]) == (2, 12)
    assert intended["side"] == pytest.approx(11 / 12)
    assert math.isnan(intended["tau"])


def test_readings_of_another_revision_are_left_out(tmp_path: Path) -> None:
    (one,) = dilemmas(1)
    older = [reading.model_copy(update={"revision": 99}) for reading in read_by(one, "m", RIGHT)]
    folder = pulled(tmp_path / "round", "open", [one], [said(one, "a", decision="accept")], older)
    found = tables.agree(folder, draws=FEW)
    assert found.machine_intended.empty
    assert found.machine.empty


places = st.tuples(*[st.none() | st.integers(0, 5)] * 6)


@pytest.fixture
def people_alone(tmp_path: Path) -> tables.Agreement:
    """Agreement in a round without machines."""
    return tables.agree(open_round(tmp_path, count=8), draws=FEW)


@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["m", "ann", "(majority)"]), places), max_size=8))
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_machine_changes_a_table_of_people(
    people_alone: tables.Agreement, tmp_path: Path, readings: list[tuple[int, str, tuple[int | None, ...]]]
) -> None:
    found = dilemmas(8)
    machines = [reading for number, name, at in readings for reading in read_by(found[number], name, at)]
    beside = tables.agree(open_round(tmp_path, machines, count=8), draws=FEW)
    for name in PEOPLE_TABLES:
        pd.testing.assert_frame_equal(people_alone.tables()[name], beside.tables()[name])


# What must not matter


def test_the_order_of_judgements_and_dilemmas_does_not_matter(tmp_path: Path) -> None:
    machines = [reading for one in dilemmas(5) for reading in read_by(one, "m", RIGHT, BACKWARDS)]
    folder = open_round(tmp_path / "round", machines, count=8)
    before = rounds.read(folder)
    shuffled = [
        random.Random(1).sample(some, len(some))
        for some in (tuple(before.dilemmas.values()), before.people, before.machines)
    ]
    other = pulled(tmp_path / "other", "open", *shuffled)
    one, two = (tables.agree(some, draws=FEW) for some in (folder, other))
    for name, table in one.tables().items():
        pd.testing.assert_frame_equal(table, two.tables()[name])


def test_the_same_round_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    folder = open_round(tmp_path / "round")
    written = [
        tables.save(tables.agree(folder, draws=FEW, seed=seed), tmp_path / f"{number}")
        for number, seed in enumerate((1, 1, 2))
    ]
    first, again, other = ({path.name: path.read_bytes() for path in place.iterdir()} for place in written)
    assert first == again
    assert {name for name in first if first[name] != other[name]} >= {"agreement.csv", "prevalence.csv", "pairs.csv"}
    assert first["disagreements.csv"] == other["disagreements.csv"]


# Files


def test_disagreements_list_who_said_what_of_which_text(tmp_path: Path) -> None:
    one, two = dilemmas(2)
    same = ["matches"] * 6
    people = [
        said(one, "a", decision="accept", verdicts=verdicts(*same)),
        said(one, "b", decision="revise", verdicts=verdicts("weaker", *same[1:]), comment="Not strong."),
        said(two, "a", decision="accept", verdicts=verdicts(*same)),
        said(two, "b", decision="accept", verdicts=verdicts(*same)),
    ]
    found = tables.agree(pulled(tmp_path / "round", "open", (one, two), people), draws=FEW)
    listed = found.disagreements[["criterion", "dilemma", "place", "annotator", "label", "comment"]]
    assert listed.to_numpy().tolist() == [
        ["decision", one.id, "", "a", "accept", ""],
        ["decision", one.id, "", "b", "revise", "Not strong."],
        ["label", one.id, "strong aligned", "a", "matches", ""],
        ["label", one.id, "strong aligned", "b", "weaker", "Not strong."],
    ]
    assert found.disagreements["text"].iloc[2] == one.action("aligned", "strong").text
    assert one.scenario.startswith(found.disagreements["text"].iloc[0].rstrip("…"))
    assert tables.differing(found) == {"units": 2, "dilemmas": 1}


def test_tables_come_back_from_their_files_and_comments_are_no_formulas(tmp_path: Path) -> None:
    found = tables.agree(open_round(tmp_path / "round", read_by(dilemmas(1)[0], "m", RIGHT)), draws=FEW)
    place = tables.save(found, tmp_path / "out")
    for name, table in found.tables().items():
        back = pd.read_csv(
            place / f"{name}.csv", keep_default_na=False, na_values={c: [""] for c in table.select_dtypes("number")}
        )
        assert list(back.columns) == list(table.columns)
        if name == "disagreements":
            assert set(back["comment"]) == {"", "'=1+1"}
            back["comment"] = back["comment"].str.removeprefix("'")
        pd.testing.assert_frame_equal(back, table.reset_index(drop=True), check_dtype=False, rtol=1e-9)
    assert set(found.disagreements["comment"]) == {"", "=1+1"}


# The command


def test_the_command_prints_a_narrow_table_and_writes_tables_and_page(command: Run, tmp_path: Path) -> None:
    folder = open_round(tmp_path / "round")
    done = command("review", "agree", str(folder), "--draws", "200", "--out", "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    lines = done.stdout.splitlines()
    row = row_of(tables.agree(folder, draws=200), "label")
    shown = next(line for line in lines if line.startswith("label "))
    assert shown.split()[1:3] == [f"{row['n_pairs']}", f"{row['raw']:.2f}"]
    for words in ("disagreements: ", "Reviewers saw our labels", "out/agreement.html"):
        assert words in done.stdout
    assert (tmp_path / "out" / "agreement.html").is_file()
    assert {path.stem for path in (tmp_path / "out" / "tables").iterdir()} == {
        *PEOPLE_TABLES, "machine", "machine_intended",
    }  # fmt: skip
    assert not (folder / "tables").exists()


def test_the_command_gives_json_without_nan(command: Run, tmp_path: Path) -> None:
    done = command("review", "agree", str(open_round(tmp_path / "round")), "--draws", "100", "--json")
    told = json.loads(done.stdout, parse_constant=lambda word: pytest.fail(word))
    assert [row["criterion"] for row in told["agreement"]] == [
        "decision", "harmless", "sufficient", "plausible", "label", "side", "strength",
    ]  # fmt: skip
    assert told["agreement"][1]["alpha"] is None
    assert (told["draws"], told["form"], told["machine"]) == (100, "open", [])
    assert (tmp_path / "round" / "agreement.html").is_file()


def test_the_command_says_that_one_reviewer_is_no_agreement(command: Run, tmp_path: Path) -> None:
    (one,) = dilemmas(1)
    folder = pulled(tmp_path / "round", "open", [one], [said(one, "a", decision="accept")])
    done = command("review", "agree", str(folder))
    assert done.returncode == 0
    assert "judged by two people" in done.stdout
    assert "kappa" not in done.stdout


def test_the_command_refuses_what_is_no_round(command: Run) -> None:
    done = command("review", "agree", "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing/round.json" in done.stderr
