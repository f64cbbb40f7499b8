"""How verdicts are read: every rule, its edges, and what never matters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilemmas import dataset
from dilemmas.review.decisions import QUOTED, Reviewed, Rule, decide, review
from dilemmas.review.tasks import text_sha256
from dilemmas.schema import PLACES, DecisionRule, Dilemma, Edit, Judgement, ReviewDecision

SET = dataset.read(dataset.shipped_path()).dilemmas[:4]
ONE = SET[0]
PULLED = "2026-11-21T10:00:00Z"
WORDS: dict[str, ReviewDecision] = {"a": "accept", "r": "revise", "x": "reject"}
MORE = Edit(text=f"{ONE.scenario} It is late.")
OTHER = Edit(text=f"{ONE.scenario} It is early.")
MILD = Edit(polarity="aligned", intensity="mild", text="I ask them to wait.")


def judged(reviewer: int, word: str, dilemma: Dilemma = ONE, **fields: Any) -> Judgement:
    """A person's verdict; one that asks for a revision gives a new scenario unless told otherwise."""
    given = {"dilemma": dilemma.id, "revision": dilemma.revision, "text_sha256": text_sha256(dilemma), "kind": "person"}
    if word == "r":
        given["edits"] = (MORE,)
    return Judgement(**{**given, "reviewer": f"reviewer-{reviewer:02}", "decision": WORDS.get(word), **fields})


def verdicts(words: str) -> list[Judgement]:
    """Verdicts by reviewer-01 and so on; a dash for one who gave none."""
    return [judged(number, word) for number, word in enumerate(words, start=1) if word != "-"]


def decided(judgements: list[Judgement], rule: Rule = Rule(), before: Dilemma = ONE) -> Reviewed:  # noqa: B008 - frozen
    return review([before], judgements, rule, "Round 1", pulled=PULLED)


@pytest.mark.parametrize(
    ("rule", "words", "outcome"),
    [
        ("unanimous", "aa", "accept"),
        ("unanimous", "rrr", "revise"),
        ("unanimous", "xx", "reject"),
        ("unanimous", "a", "undecided"),
        ("unanimous", "aar", "undecided"),
        ("majority", "aa", "accept"),
        ("majority", "aar", "accept"),
        ("majority", "arr", "revise"),
        ("majority", "axx", "reject"),
        ("majority", "ar", "undecided"),
        ("majority", "arx", "undecided"),
        ("majority", "aarx", "undecided"),
        ("majority", "x", "undecided"),
        ("adjudicator", "xaa", "reject"),
        ("adjudicator", "r", "revise"),
        ("adjudicator", "-aa", "accept"),
        ("adjudicator", "-ax", "undecided"),
        ("adjudicator", "-a", "undecided"),
    ],
)
def test_a_rule_decides(rule: DecisionRule, words: str, outcome: str) -> None:
    found = decide(ONE, verdicts(words), Rule(rule, 2, "reviewer-01" if rule == "adjudicator" else None), "Round 1")
    assert found.outcome == outcome
    assert [word[0] for word in found.verdicts.values()] == [WORDS[word][0] for word in words.replace("-", "")]
    assert bool(found.edits) == (outcome == "revise")


@pytest.mark.parametrize(("least", "outcome"), [(1, "accept"), (2, "accept"), (3, "undecided")])
def test_too_few_verdicts_decide_nothing(least: int, outcome: str) -> None:
    found = decide(ONE, verdicts("aa"), Rule("majority", least), "Round 1")
    assert found.outcome == outcome
    assert ("3 wanted" in found.reason) == (least == 3)


def test_what_reviewers_say_differently_is_counted_in_the_reason() -> None:
    assert decide(ONE, verdicts("xaar"), Rule(), "Round 1").reason == "not unanimous: 2 accept, 1 revise, 1 reject"


@pytest.mark.parametrize(
    "other",
    [
        {"state": "draft"},
        {"state": "skipped"},
        {"superseded": True},
        {"ground_truth": True},
        {"kind": "machine"},
        {"decision": None},
    ],
)
def test_what_is_no_finished_verdict_of_a_person_does_not_count(other: dict[str, Any]) -> None:
    found = decide(ONE, [*verdicts("aa"), judged(3, "x", **other)], Rule(), "Round 1")
    assert (found.outcome, list(found.verdicts)) == ("accept", ["reviewer-01", "reviewer-02"])


def test_nobody_counts_twice() -> None:
    found = decide(ONE, [judged(1, "x", annotation=4), judged(1, "a", annotation=7)], Rule(), "Round 1")
    assert found.verdicts == {"reviewer-01": "accept"}


def test_one_text_in_two_revisions_has_one_verdict_of_each_reviewer_the_newest() -> None:
    older = judged(1, "x", revision=1, annotation=9, updated="2026-11-20T10:00:00.5Z")
    newer = judged(1, "a", revision=2, annotation=4, updated="2026-11-20T11:00:00.25Z")
    assert decide(ONE, [newer, older], Rule(), "Round 1").verdicts == {"reviewer-01": "accept"}
    changed = {"editor": "reviewer-02", "created": "2026-11-20T10:00:00Z", "updated": "2026-11-20T12:00:00Z"}
    changed_since = older.model_copy(update=changed)
    assert decide(ONE, [newer, changed_since], Rule(), "Round 1").verdicts == {"reviewer-01": "accept"}


def test_edits_of_different_places_are_merged_and_their_authors_named() -> None:
    found = decide(ONE, [judged(2, "r", edits=(MILD,)), judged(1, "r"), judged(3, "r", edits=())], Rule(), "Round 1")
    assert found.edits == (MORE, MILD)
    assert found.authors == ("reviewer-01", "reviewer-02")


def test_the_same_new_text_twice_is_one() -> None:
    spaced = MORE.model_copy(update={"text": f"{MORE.text}\n"})
    found = decide(ONE, [judged(1, "r"), judged(2, "r", edits=(spaced,))], Rule(), "Round 1")
    assert (found.edits, found.authors) == ((MORE,), ("reviewer-01", "reviewer-02"))


def test_two_new_texts_for_one_place_decide_nothing_and_both_are_shown_where_they_differ() -> None:
    found = decide(ONE, [judged(1, "r"), judged(2, "r", edits=(OTHER, MILD))], Rule(), "Round 1")
    assert (found.outcome, found.edits, found.authors) == ("undecided", (), ())
    assert "late" in found.reason
    assert "early" in found.reason
    assert "scenario" in found.reason
    assert len(found.reason) < 2 * QUOTED


def test_texts_that_have_nothing_in_common_are_cut() -> None:
    texts = [Edit(polarity="opposed", intensity="strong", text=letter * 900 + "\ue000") for letter in "ab"]
    found = decide(ONE, [judged(1, "r", edits=texts[:1]), judged(2, "r", edits=texts[1:])], Rule(), "Round 1")
    assert found.outcome == "undecided"
    assert "strong opposed action" in found.reason
    assert len(found.reason) < 3 * QUOTED


def test_an_adjudicators_text_is_taken_whatever_others_would_have() -> None:
    rule = Rule("adjudicator", 2, "reviewer-02")
    found = decide(ONE, [judged(1, "r"), judged(2, "r", edits=(OTHER,)), judged(3, "x")], rule, "Round 1")
    assert (found.outcome, found.edits, found.authors) == ("revise", (OTHER,), ("reviewer-02",))


def test_an_adjudicator_who_gives_no_text_is_named_where_another_gives_one() -> None:
    rule = Rule("adjudicator", 2, "reviewer-02")
    found = decide(ONE, [judged(1, "r"), judged(2, "r", edits=())], rule, "Round 1")
    assert (found.outcome, found.edits) == ("undecided", ())
    assert found.reason == "reviewer-02 decides: revise; but reviewer-02 gives no new text"


def test_texts_of_those_who_lost_are_not_taken() -> None:
    found = decide(ONE, [judged(1, "r"), judged(2, "a"), judged(3, "a")], Rule("majority"), "Round 1")
    assert (found.outcome, found.edits) == ("accept", ())


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ((), "nobody gives a new text"),
        ((Edit(text=" \n"),), "blank"),
        ((Edit(text="x" * 4001),), "4,000 are allowed"),
        ((MILD.model_copy(update={"text": ONE.action("aligned", "strong").text}),), "same text"),
        ((Edit(text="a bell \a"),), "U+0007"),
    ],
)
def test_a_revision_that_makes_no_valid_dilemma_decides_nothing(edits: tuple[Edit, ...], told: str) -> None:
    found = decide(ONE, [judged(1, "r", edits=edits), judged(2, "r", edits=edits)], Rule(), "Round 1")
    assert (found.outcome, found.edits) == ("undecided", ())
    assert "2 revise" in found.reason
    assert told in found.reason


@pytest.mark.parametrize(("words", "status"), [("aa", "accepted"), ("ar", "undecided")])
def test_a_status_and_the_number_of_verdicts_are_all_that_changes(words: str, status: str) -> None:
    (now,) = decided(verdicts(words), before=again()).dilemmas
    assert (now.review.status, now.review.reviewers) == (status, 5)
    assert now.model_copy(update={"review": ONE.review}) == ONE


def again() -> Dilemma:
    """The dilemma after a round of three verdicts."""
    return ONE.model_copy(update={"review": ONE.review.model_copy(update={"status": "undecided", "reviewers": 3})})


def test_a_rejected_one_leaves_the_set_and_is_kept_with_its_status() -> None:
    found = decided(verdicts("xx"))
    assert found.dilemmas == ()
    assert found.gone[0].review.model_dump() == {"status": "rejected", "reviewers": 2}
    assert found.gone[0].model_copy(update={"review": ONE.review}) == ONE


def test_a_revision_says_who_wrote_it_when_and_why_and_the_older_one_is_kept() -> None:
    first = judged(1, "r", comment=" too\nlong\a ", updated="2026-11-20T09:59:59.123456Z")
    second = judged(2, "r", edits=(MILD,), comment="", created="2026-11-20T12:00:00+02:00")
    found = decided([second, first])
    (now,) = found.dilemmas
    assert found.gone == (ONE,)
    assert (now.scenario, now.action("aligned", "mild").text) == (MORE.text, MILD.text)
    assert now.revision == ONE.revision + 1
    assert now.review.model_dump() == {"status": "revised", "reviewers": 2}
    assert now.provenance.model_dump(exclude_none=True) == {
        "kind": "person",
        "author": "reviewer-01, reviewer-02",
        "method": "revised in review: too long\ufffd",
        "created": "2026-11-20T10:00:00Z",
    }


@pytest.mark.parametrize("time", [None, "yesterday"])
def test_a_revision_without_a_time_has_that_of_the_pull(time: str | None) -> None:
    (now,) = decided([judged(1, "r", updated=time), judged(2, "r")]).dilemmas
    assert (now.provenance.created, now.provenance.method) == (PULLED, "revised in review")


def test_a_verdict_on_another_text_is_told_and_not_applied() -> None:
    newer = ONE.model_copy(update={"scenario": MORE.text, "revision": 2})
    found = decided(verdicts("aa"), before=newer)
    assert found.dilemmas == (newer,)
    assert [left.dilemma for left in found.left] == [ONE.id]
    assert found.decisions == ()
    assert found.open


def test_a_verdict_on_a_dilemma_that_is_not_there_is_told() -> None:
    found = review(SET[1:], verdicts("aa"), Rule(), "Round 1", pulled=PULLED)
    assert found.dilemmas == SET[1:]
    assert [(left.dilemma, "not in the file" in left.reason) for left in found.left] == [(ONE.id, True)]


@pytest.mark.parametrize("words", ["aa", "ar", "rr", "xx"])
def test_the_same_verdicts_never_count_twice(words: str) -> None:
    first = decided(verdicts(words))
    second = review(first.dilemmas, verdicts(words), Rule(), "Round 1", pulled=PULLED, earlier=first.decisions)
    assert second._replace(left=()) == Reviewed(dilemmas=first.dilemmas, gone=(), decisions=(), left=(), before=1)
    assert second.open == first.open


@pytest.mark.parametrize("words", ["aa", "aar", "rr", "xx"])
def test_another_rule_decides_nothing_anew_and_that_is_told(words: str) -> None:
    first = decided(verdicts(words))
    rule = Rule("majority")
    second = review(first.dilemmas, verdicts(words), rule, "Round 1", pulled=PULLED, earlier=first.decisions)
    assert (second.dilemmas, second.decisions, second.before) == (first.dilemmas, (), 1)
    (left,) = second.left
    assert f"another rule: {Rule()}; apply the round to the file that was pushed" in left.reason


def test_what_is_still_undecided_is_told_again_until_a_later_round_decides() -> None:
    first = decided(verdicts("ar"))
    again = review(first.dilemmas, verdicts("ar"), Rule(), "Round 1", pulled=PULLED, earlier=first.decisions)
    assert [(left.dilemma, "1 accept, 1 revise" in left.reason) for left in again.left] == [(ONE.id, True)]
    later = review(first.dilemmas, verdicts("aa"), Rule(), "Round 2", pulled=PULLED, earlier=first.decisions)
    all_of = [*first.decisions, *later.decisions]
    assert not review(later.dilemmas, verdicts("ar"), Rule(), "Round 1", pulled=PULLED, earlier=all_of).open


def test_a_decision_that_was_replaced_holds_no_more() -> None:
    replaced = [one.model_copy(update={"replaced": True}) for one in decided(verdicts("aa")).decisions]
    assert review([ONE], verdicts("aa"), Rule(), "Round 1", pulled=PULLED, earlier=replaced) == decided(verdicts("aa"))


def test_a_verdict_that_came_in_later_is_told() -> None:
    first = decided(verdicts("ar"))
    second = review(first.dilemmas, verdicts("arr"), Rule(), "Round 1", pulled=PULLED, earlier=first.decisions)
    assert (second.dilemmas, second.before) == (first.dilemmas, 0)
    assert [(left.dilemma, "other verdicts" in left.reason) for left in second.left] == [(ONE.id, True)]


def test_a_second_round_decides_by_its_own_verdicts() -> None:
    first = decided(verdicts("ar"))
    second = review(first.dilemmas, verdicts("aa"), Rule(), "Round 2", pulled=PULLED, earlier=first.decisions)
    assert second.dilemmas[0].review.model_dump() == {"status": "accepted", "reviewers": 4}


VERDICT = st.builds(
    judged,
    st.integers(1, 4),
    st.sampled_from("arx?"),
    st.sampled_from([*SET, ONE.model_copy(update={"scenario": "Another text.", "revision": 7})]),
    kind=st.sampled_from(["person", "person", "person", "machine"]),
    state=st.sampled_from(["submitted", "submitted", "skipped", "draft"]),
    edits=st.lists(st.sampled_from([MORE, OTHER, MILD, Edit(text="")]), max_size=2).map(tuple),
    updated=st.sampled_from([None, "2026-11-20T10:00:00Z"]),
)
ROUNDS = st.lists(VERDICT, max_size=24, unique_by=lambda one: (one.dilemma, one.revision, one.reviewer))
RULES = st.builds(Rule, st.sampled_from(["unanimous", "majority"]), st.integers(1, 3), st.none()) | st.builds(
    Rule, st.just("adjudicator"), st.integers(1, 3), st.just("reviewer-02")
)


@given(ROUNDS, RULES)
def test_no_dilemma_is_lost_and_none_comes_twice(judgements: list[Judgement], rule: Rule) -> None:
    found = review(SET, judgements, rule, "Round 1", pulled=PULLED)
    rejected = [one.id for one in found.gone if one.review.status == "rejected"]
    assert sorted([*rejected, *(one.id for one in found.dilemmas)]) == sorted(one.id for one in SET)
    assert sum(found.counts.values()) == len(SET)
    for before in SET:
        texts = [text_sha256(one) for one in (*found.dilemmas, *found.gone) if one.id == before.id]
        assert text_sha256(before) in texts


@given(ROUNDS, RULES, st.randoms())
def test_the_order_of_verdicts_does_not_matter(judgements: list[Judgement], rule: Rule, random: Any) -> None:
    shuffled = random.sample(judgements, len(judgements))
    assert review(SET, shuffled, rule, "R", pulled=PULLED) == review(SET, judgements, rule, "R", pulled=PULLED)


@given(ROUNDS, RULES)
def test_machines_drafts_and_skips_change_nothing(judgements: list[Judgement], rule: Rule) -> None:
    people = [one for one in judgements if one.kind == "person" and one.state == "submitted" and one.decision]
    assert review(SET, people, rule, "R", pulled=PULLED) == review(SET, judgements, rule, "R", pulled=PULLED)


@given(ROUNDS, RULES)
def test_a_dilemma_that_nobody_judged_stays_as_it_is(judgements: list[Judgement], rule: Rule) -> None:
    about = {one.dilemma for one in judgements}
    found = review(SET, judgements, rule, "Round 1", pulled=PULLED)
    assert [one for one in found.dilemmas if one.id not in about] == [one for one in SET if one.id not in about]


def test_all_seven_texts_can_be_new() -> None:
    texts = [Edit(polarity=side, intensity=strength, text=f"I do {n}.") for n, (side, strength) in enumerate(PLACES)]
    (now,) = decided([judged(1, "r", edits=(*texts, MORE)), judged(2, "r", edits=())]).dilemmas
    assert [now.scenario, *(now.action(*place).text for place in PLACES)] == [one.text for one in (MORE, *texts)]
