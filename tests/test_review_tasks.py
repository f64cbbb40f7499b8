"""Dilemmas as Label Studio tasks, and annotations as judgements: every way there and back."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any, get_args

import pytest
from conftest import GOLDEN, VALID
from hypothesis import assume, given
from hypothesis import strategies as st
from label_studio_server import ALICE, BOB, Team

from dilemmas import dataset
from dilemmas.errors import InputError
from dilemmas.review import form, tasks
from dilemmas.review.form import FormName
from dilemmas.schema import (
    PLACES,
    Action,
    Dilemma,
    Edit,
    Judgement,
    LabelVerdict,
    Placement,
    Provenance,
    Review,
    RoundProblem,
    Setting,
    TopicName,
    ValueName,
    Verdict,
)

Raw = dict[str, Any]
FORMS = pytest.mark.parametrize("name", get_args(FormName))
SAMPLES = (
    "<b>bold</b> & \"quoted\" 'text' </View><script>alert(1)</script>",
    "$scenario {{ value }} {% raw %} ${x} \\n \\u0041 %s",
    "שלום, עולם \u202eright to left\u202c مرحبا",
    "👩‍👩‍👧‍👦 é ℵ 漢字 a\u0300 \ufeff \u2028 \u2029 \xa0",
    "\tone\n\n  two  \n",
    "s3://bucket/key https://example.org/?a=1&b=2 /data/local-files/?d=x",
    "=1+1",
    "null",
)
READABLE = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Co", "Cn")) | st.sampled_from("\n\t"), min_size=1, max_size=80
)
TEXTS = (READABLE | st.sampled_from(SAMPLES)).filter(lambda text: bool(text.strip()))
"""Texts that a dilemma may hold."""


def unlike(text: str) -> str:
    return text.strip().casefold()


@st.composite
def dilemmas(draw: st.DrawFn) -> Dilemma:
    value, competing = draw(st.lists(st.sampled_from(get_args(ValueName)), min_size=2, max_size=2, unique=True))
    texts = draw(st.lists(TEXTS, min_size=6, max_size=6, unique_by=unlike))
    return Dilemma(
        id=draw(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}[a-z0-9]", fullmatch=True)),
        revision=draw(st.integers(1, 9)),
        value=value,
        topic=draw(st.sampled_from(get_args(TopicName))),
        competing_value=competing,
        setting=draw(st.none() | st.builds(Setting, place=TEXTS, relationship=TEXTS, role=TEXTS, stakes=TEXTS)),
        scenario=draw(TEXTS | TEXTS.map(lambda text: (text * 4000)[:3999] + "x")),
        actions=tuple(
            Action(polarity=polarity, intensity=intensity, text=text, rationale=draw(TEXTS))
            for (polarity, intensity), text in zip(draw(st.permutations(PLACES)), texts, strict=True)
        ),
        provenance=Provenance(
            kind="model",
            author=draw(TEXTS),
            method=draw(TEXTS),
            created="2026-11-21",
            server=draw(st.none() | st.just("\x00 \x1b[0m")),
            parameters=draw(
                st.none()
                | st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False, allow_infinity=False))
            ),
        ),
        review=Review(status="unreviewed"),
    )


def mailed(raw: Raw) -> Raw:
    """What becomes of it on the way over HTTP."""
    return dict(json.loads(json.dumps(raw)))


@pytest.fixture
def dilemma(record: Raw) -> Dilemma:
    return Dilemma.model_validate(record)


@FORMS
@given(dilemma=dilemmas(), seed=st.integers(0, 3))
def test_any_dilemma_comes_back_from_its_task(name: FormName, dilemma: Dilemma, seed: int) -> None:
    made = tasks.task(dilemma, name, seed=seed)
    assert set(made["data"]) == {tasks.KEY, tasks.TEXT, *form.data_keys(name)}
    assert all(isinstance(text, str) for text in made["data"].values())
    found = tasks.sent(mailed(made))
    assert (found.dilemma, found.form) == (dilemma, name)
    assert found.key == (made["data"][tasks.KEY], made["data"][tasks.TEXT])
    shown = [dilemma.action(*place).text for _, place in found.cards]
    assert shown == [made["data"][f"action_{slot}"] for slot in form.SLOTS]


@given(scenario=st.text(st.characters(), max_size=40) | st.text(st.characters(), min_size=1).map(lambda t: t * 4001))
def test_any_scenario_comes_back_or_is_refused_with_a_reason(scenario: str) -> None:
    try:
        read = dataset.parse(json.dumps(VALID | {"scenario": scenario}), "mine.jsonl, line 1")
    except InputError as error:
        refused = error.where
    else:
        refused = ""
    assert "scenario" in refused or tasks.sent(mailed(tasks.task(read, "open"))).dilemma.scenario == scenario


def test_what_no_file_can_keep_is_refused(record: Raw) -> None:
    record["provenance"]["server"] = "\ud800"
    with pytest.raises(InputError, match="surrogate") as caught:
        tasks.task(Dilemma.model_validate(record), "open")
    assert record["id"] in caught.value.where


def test_what_could_not_be_unpacked_is_not_packed(record: Raw) -> None:
    record["provenance"]["method"] = "x" * tasks.LARGEST
    with pytest.raises(InputError, match="too large"):
        tasks.task(Dilemma.model_validate(record), "open")


@given(dilemma=dilemmas())
def test_the_blind_form_is_shown_no_label(dilemma: Dilemma) -> None:
    shown = tasks.task(dilemma, "blind")["data"]
    texts = {f"action_{slot}": shown.pop(f"action_{slot}") for slot in form.SLOTS}
    assert sorted(texts.values()) == sorted(action.text for action in dilemma.actions)
    assert set(shown) == {tasks.KEY, tasks.TEXT, *form.ABOUT}


def test_blind_cards_come_in_every_order_and_the_seed_decides(record: Raw) -> None:
    def order(number: int, seed: int = 0) -> tuple[int, ...]:
        dilemma = Dilemma.model_validate(record | {"id": f"d-{number}"})
        return tasks.sent(tasks.task(dilemma, "blind", seed=seed)).order

    orders = [order(number) for number in range(600)]
    for card in range(6):
        assert all(70 <= sum(one[card] == place for one in orders) <= 130 for place in range(6))
    assert order(1) == orders[1] != order(1, seed=1)


def test_the_checksum_is_of_what_is_judged(record: Raw) -> None:
    def checksum(**changes: Any) -> str:
        return tasks.text_sha256(Dilemma.model_validate(record | changes))

    before, provenance = checksum(), record["provenance"] | {"author": "another"}
    assert before == checksum(provenance=provenance, revision=7, actions=record["actions"][::-1])
    swapped = [record["actions"][1] | {"text": record["actions"][0]["text"]}, *record["actions"][2:]]
    swapped.append(record["actions"][0] | {"text": record["actions"][1]["text"]})
    assert len({before, checksum(scenario="Another."), checksum(topic="Religion"), checksum(actions=swapped)}) == 4


def packed(data: bytes) -> Raw:
    return {tasks.PACKED: base64.b64encode(data).decode(), tasks.VERSION: tasks.PACKING}


def test_tasks_that_were_pushed_earlier_can_still_be_read() -> None:
    earlier = json.loads((GOLDEN / "review_task.json").read_text(encoding="utf-8"))
    found = tasks.sent(earlier)
    assert found.dilemma == Dilemma.model_validate(VALID)
    assert found.key == (earlier["data"][tasks.KEY], earlier["data"][tasks.TEXT])


def unpacked(raw: Raw) -> bytes:
    return zlib.decompress(base64.b64decode(raw["meta"][tasks.PACKED]))


STRANGE: dict[str, Callable[[Raw], Any]] = {
    "no meta": lambda raw: raw.pop("meta"),
    "meta of others": lambda raw: raw.update(meta={"source": "elsewhere"}),
    "no data": lambda raw: raw.update(data=None),
    "another version": lambda raw: raw["meta"].update({tasks.VERSION: tasks.PACKING + 1}),
    "no text": lambda raw: raw["meta"].update({tasks.PACKED: 7}),
    "not base64": lambda raw: raw["meta"].update({tasks.PACKED: "é!"}),
    "not packed": lambda raw: raw.update(meta=packed(b"anything")),
    "no record": lambda raw: raw.update(meta=packed(zlib.compress(b"{}"))),
    "torn": lambda raw: raw.update(meta=packed(zlib.compress(unpacked(raw))[:-9])),
    "a card twice": lambda raw: raw.update(meta=packed(zlib.compress(unpacked(raw).replace(b"[0,1,", b"[0,0,")))),
    "a bomb": lambda raw: raw.update(meta=packed(zlib.compress(b" " * (50 * tasks.LARGEST)))),
}


@pytest.mark.parametrize("change", STRANGE.values(), ids=STRANGE)
def test_a_task_that_is_not_ours_is_refused(change: Callable[[Raw], Any], dilemma: Dilemma) -> None:
    raw = tasks.task(dilemma, "open") | {"id": 17}
    change(raw)
    with pytest.raises(InputError) as caught:
        tasks.sent(raw)
    assert "task 17" in caught.value.where


@FORMS
def test_a_change_on_the_server_is_noticed_and_named(name: FormName, dilemma: Dilemma) -> None:
    for key in (tasks.KEY, tasks.TEXT, *form.data_keys(name)):
        raw = tasks.task(dilemma, name)
        raw["data"][key] += " "
        with pytest.raises(InputError, match=rf"\b{key}\b"):
            tasks.sent(raw)


def test_a_field_that_others_add_changes_nothing(dilemma: Dilemma) -> None:
    raw = tasks.task(dilemma, "open")
    raw["data"]["note"] = 1
    assert tasks.sent(raw).dilemma == dilemma


def text_item(control: str, *texts: str) -> Raw:
    return {"from_name": control, "to_name": "scenario", "type": "textarea", "value": {"text": list(texts)}}


def choice(control: str, *codes: str) -> Raw:
    return {"from_name": control, "to_name": "scenario", "type": "choices", "value": {"choices": list(codes)}}


@st.composite
def reviews(draw: st.DrawFn) -> tuple[tasks.Sent, list[Raw], Judgement]:
    """A task, the result of somebody who answered everything, and the judgement that this is."""
    dilemma, name = draw(dilemmas()), draw(st.sampled_from(get_args(FormName)))
    raw = tasks.task(dilemma, name)
    of = tasks.sent(raw)
    place = {action.text: (action.polarity, action.intensity) for action in dilemma.actions}
    cards = [place[raw["data"][f"action_{slot}"]] for slot in form.SLOTS]
    result, fields = [], {"verdicts": [], "placements": [], "edits": []}
    for slot, (polarity, intensity) in enumerate(cards, start=1):
        label = {"polarity": polarity, "intensity": intensity}
        if name == "open":
            verdict = draw(st.sampled_from(get_args(LabelVerdict)))
            result.append(choice(f"label_{slot}", verdict))
            fields["verdicts"].append(Verdict(**label, verdict=verdict))
            continue
        side, strength = draw(st.sampled_from(form.SIDES)), draw(st.sampled_from(form.STRENGTHS))
        result.append(choice(f"side_{slot}", side))
        if side == "cannot_tell":
            fields["verdicts"].append(Verdict(**label, verdict=side))
        else:
            result.append(choice(f"strength_{slot}", strength))
            fields["placements"].append(Placement(**label, judged_polarity=side, judged_intensity=strength))
    quality = {question: draw(st.booleans()) for question in form.QUALITY}
    result += [choice(question, "yes" if is_so else "no") for question, is_so in quality.items()]
    decision = draw(st.sampled_from(form.DECISIONS))
    result.append(choice("decision", decision))
    if decision == "revise":
        fields["edits"] = draw(edits_of(dilemma, cards))
        for edit in fields["edits"]:
            control = f"edit_{cards.index((edit.polarity, edit.intensity)) + 1}" if edit.polarity else "edit_scenario"
            result.append(text_item(control, edit.text.replace("\n", "\r\n")))
    comment = draw(st.lists(READABLE.filter(lambda text: bool(text.strip())), max_size=2))
    result += [text_item("comment", *comment)] if comment else []
    expected = Judgement(
        dilemma=dilemma.id,
        revision=dilemma.revision,
        text_sha256=tasks.text_sha256(dilemma),
        reviewer="reviewer-01",
        kind="person",
        decision=decision,
        comment="\n".join(comment),
        seconds=12.5,
        created="2026-11-21T09:00:00.123456Z",
        updated="2026-11-21T09:01:00.123456Z",
        annotation=4,
        **quality,
        **{name: tuple(found) for name, found in fields.items()},
    )
    return of, draw(st.permutations(result)), expected


@st.composite
def edits_of(draw: st.DrawFn, dilemma: Dilemma, cards: list[tuple[Any, Any]]) -> list[Edit]:
    """New texts for some of a dilemma's, in the order of the cards."""
    texts: dict[Any, str] = {(None, None): dilemma.scenario} | {place: dilemma.action(*place).text for place in cards}
    edits = []
    for (polarity, intensity), own in texts.items():
        if draw(st.booleans()):
            text = draw(TEXTS.filter(lambda text, own=own: text.strip() != own.strip()))
            edits.append(Edit(polarity=polarity, intensity=intensity, text=text))
    return edits


def annotation(result: Any, **fields: Any) -> Raw:
    return {
        "id": 4, "completed_by": 2, "result": result, "was_cancelled": False, "ground_truth": False, "lead_time": 12.5,
        "created_at": "2026-11-21T09:00:00.123456Z", "updated_at": "2026-11-21T09:01:00.123456Z", **fields,
    }  # fmt: skip


@given(review=reviews())
def test_any_answers_come_back_as_given(review: tuple[tasks.Sent, list[Raw], Judgement]) -> None:
    of, result, expected = review
    read = tasks.judgement(mailed(annotation(result)), of, "reviewer-01")
    assert read == tasks.Read(expected, ())


@given(review=reviews())
def test_edits_become_the_dilemma_that_was_asked_for(review: tuple[tasks.Sent, list[Raw], Judgement]) -> None:
    of, _, judgement = review
    texts = {(edit.polarity, edit.intensity): edit.text.strip() for edit in judgement.edits}
    actions = {place: texts.get(place, of.dilemma.action(*place).text) for place in PLACES}
    assume(len({unlike(text) for text in actions.values()}) == len(PLACES))
    new = tasks.revised(of.dilemma, judgement.edits)
    assert new.scenario == texts.get((None, None), of.dilemma.scenario)
    assert {place: new.action(*place).text for place in PLACES} == actions
    assert new.model_dump(exclude={"scenario", "actions"}) == of.dilemma.model_dump(exclude={"scenario", "actions"})


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (Edit(text=" "), "scenario"),
        (Edit(text="x" * 4001), "scenario"),
        (Edit(polarity="aligned", intensity="mild", text="x" * 1001), "actions[2].text"),
        (Edit(polarity="opposed", intensity="mild", text="a\x07bell"), "actions[3].text"),
        (Edit(polarity="opposed", intensity="mild", text="\ud800"), "actions[3].text"),
    ],
)
def test_an_edit_that_makes_no_valid_dilemma_is_refused_by_field(edit: Edit, field: str, dilemma: Dilemma) -> None:
    with pytest.raises(InputError) as caught:
        tasks.revised(dilemma, [edit])
    assert dilemma.id in caught.value.where
    assert field.removesuffix(".text") in caught.value.where


def full(name: FormName, **other: str | None) -> list[Raw]:
    """A result that answers everything, with some answers exchanged or, where None, left out."""
    codes: dict[str, str | None] = {control: codes[0] for control, codes in form.offered(name).items()} | other
    return [choice(control, code) for control, code in codes.items() if code]


def judged(of: tasks.Sent, result: Any, **options: Any) -> tasks.Read:
    return tasks.judgement(annotation(result), of, "reviewer-01", **options)


UNFIT: dict[str, tuple[FormName, Any, str]] = {
    "a control of others": ("open", choice("mood", "good"), "mood"),
    "a control of the other form": ("open", choice("side_1", "aligned"), "side_1"),
    "a choice where text is asked": ("open", choice("comment", "yes"), "comment"),
    "another type": ("open", choice("comment", "yes") | {"type": "labels"}, "labels"),
    "a number": ("open", {"from_name": "comment", "type": "textarea", "value": {"text": [1]}}, "comment"),
    "half a character": ("open", text_item("comment", "\ud800"), "comment"),
    "no item": ("open", "anything", "anything"),
    "a new text that was not asked for": ("open", text_item("edit_2", "Another."), "edit_2"),
    "two new texts": ("open", text_item("edit_scenario", "One.", "Two."), "edit_scenario"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "item", "named"), UNFIT.values(), ids=UNFIT)
def test_what_the_form_does_not_offer_is_left_out_and_told(
    name: FormName, item: Any, named: str, dilemma: Dilemma
) -> None:
    of = tasks.sent(tasks.task(dilemma, name))
    decision = "revise" if named == "edit_scenario" else "accept"
    expected = judged(of, full(name, decision=decision))
    assert expected.problems == ()
    read = judged(of, [item, *full(name, decision=decision)])
    assert read.judgement == expected.judgement
    assert len(read.problems) == 1
    assert named in read.problems[0]


WRONG: dict[str, tuple[FormName, str, list[Raw]]] = {
    "a choice that is not offered": ("open", "label_3", [choice("label_3", "perhaps")]),
    "text in place of a choice": ("open", "label_3", [text_item("label_3", "matches")]),
    "no choice": ("open", "label_3", [choice("label_3")]),
    "two choices": ("open", "harmless", [choice("harmless", "yes", "no")]),
    "the same control twice": ("open", "decision", [choice("decision", "accept"), choice("decision", "reject")]),
    "strength without side": ("blind", "side_2", []),
    "strength though nobody can tell": ("blind", "side_2", [choice("side_2", "cannot_tell")]),
}


@pytest.mark.parametrize(("name", "control", "items"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_left_out_and_told(name: FormName, control: str, items: list[Raw], dilemma: Dilemma) -> None:
    of = tasks.sent(tasks.task(dilemma, name))
    read = judged(of, full(name, **{control: None}) + items)
    assert any(control.replace("side", "strength") in problem for problem in read.problems)
    kept = "cannot_tell" if choice(control, "cannot_tell") in items else None
    rest = full(name, **{control: kept, control.replace("side", "strength"): None})
    assert read.judgement == judged(of, rest).judgement


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.sampled_from(["label_1", "comment", "choices"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["from_name", "type", "value", "choices", "text"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(result=JSON | st.lists(JSON), seconds=st.none() | st.floats() | st.booleans() | st.text(max_size=3))
def test_whatever_is_on_the_server_is_read_and_told_in_readable_words(result: Any, seconds: Any) -> None:
    of = tasks.sent(tasks.task(Dilemma.model_validate(VALID), "blind"))
    read = tasks.judgement(annotation(result, lead_time=seconds), of, "reviewer-01")
    assert read.problems
    for problem in read.problems:
        RoundProblem(kind="unknown_answer", what=problem)
    Judgement.model_validate_json(read.judgement.model_dump_json())


@FORMS
def test_what_is_required_and_missing_is_told_and_the_rest_kept(name: FormName, dilemma: Dilemma) -> None:
    of = tasks.sent(tasks.task(dilemma, name))
    read = judged(of, [choice("harmless", "no")])
    (problem,) = read.problems
    assert "decision" in problem
    assert "harmless" not in problem
    assert "strength" not in problem
    assert (read.judgement.harmless, read.judgement.decision) == (False, None)


def test_a_side_needs_a_strength(dilemma: Dilemma) -> None:
    of = tasks.sent(tasks.task(dilemma, "blind"))
    read = judged(of, full("blind", strength_4=None))
    assert "strength_4" in read.problems[0]
    assert len(read.judgement.placements) == 5


def test_who_cannot_tell_says_so_and_places_nothing(dilemma: Dilemma) -> None:
    of = tasks.sent(tasks.task(dilemma, "blind"))
    read = judged(of, full("blind", side_4="cannot_tell", strength_4=None))
    assert read.problems == ()
    polarity, intensity = PLACES[of.order[3]]
    assert read.judgement.verdicts == (Verdict(polarity=polarity, intensity=intensity, verdict="cannot_tell"),)
    assert (polarity, intensity) not in [(one.polarity, one.intensity) for one in read.judgement.placements]


def test_what_is_not_answered_in_the_blind_form_is_not_taken_for_unclear(dilemma: Dilemma) -> None:
    of = tasks.sent(tasks.task(dilemma, "blind"))
    read = judged(of, full("blind", side_4=None, strength_4=None))
    assert "side_4" in read.problems[0]
    assert (len(read.judgement.placements), read.judgement.verdicts) == (5, ())


def test_a_person_has_handed_in_nothing_without_a_decision(dilemma: Dilemma) -> None:
    of = tasks.sent(tasks.task(dilemma, "open"))
    blank, undecided, done = (judged(of, some).judgement for some in ([], full("open", decision=None), full("open")))
    assert [(one.finished, one.counts) for one in (blank, undecided, done)] == [(False, False)] * 2 + [(True, True)]
    assert blank.model_copy(update={"kind": "machine"}).counts


@pytest.mark.parametrize("decision", form.DECISIONS)
def test_texts_that_were_only_looked_at_are_no_edits(decision: str, record: Raw) -> None:
    record["scenario"] = "First line.\nSecond line.\n"
    of = tasks.sent(tasks.task(Dilemma.model_validate(record), "open"))
    looked_at = [
        text_item("edit_scenario", " First line.\r\nSecond line."),
        text_item("edit_1", of.dilemma.actions[0].text),
    ]
    read = judged(of, full("open", decision=decision) + looked_at + [text_item("edit_2", " \r\n")])
    assert (read.judgement.edits, read.problems) == ((), ())


def test_states_are_told_apart(dilemma: Dilemma) -> None:
    of = tasks.sent(tasks.task(dilemma, "open"))
    skipped = tasks.judgement(annotation([], was_cancelled=True), of, "r").judgement
    draft = tasks.judgement(annotation(full("open")[:2]), of, "r", draft=True).judgement
    truth = tasks.judgement(annotation(full("open"), ground_truth=True), of, "r", editor="s").judgement
    assert [one.state for one in (skipped, draft, truth)] == ["skipped", "draft", "submitted"]
    assert not any(one.counts for one in (skipped, draft, truth))
    assert (draft.annotation, truth.annotation, truth.editor) == (None, 4, "s")


def test_only_what_is_handed_in_must_be_complete(dilemma: Dilemma) -> None:
    of = tasks.sent(tasks.task(dilemma, "open"))
    for raw, draft in ((annotation(None, was_cancelled=True), False), (annotation([]), True)):
        assert tasks.judgement(raw, of, "r", draft=draft).problems == ()


def machine(dilemma: Dilemma, places: dict[Any, tuple[Any, Any]], **fields: Any) -> Judgement:
    placements = tuple(
        Placement(polarity=polarity, intensity=intensity, judged_polarity=side, judged_intensity=strength)
        for (polarity, intensity), (side, strength) in places.items()
    )
    return Judgement(**{
        "dilemma": dilemma.id, "revision": dilemma.revision, "reviewer": "a-model", "kind": "machine",
        "placements": placements, **fields,
    })  # fmt: skip


PLACED = st.permutations(PLACES).map(lambda order: dict(zip(PLACES, order, strict=True)))


@given(
    dilemma=dilemmas(),
    places=PLACED,
    reviewer=st.sampled_from(["a-model", "vendor/model #3", "model\n #2", "é"]),
    repeat=st.integers(0, 11),
)
def test_a_machines_placements_come_back_from_a_blind_task(
    dilemma: Dilemma, places: dict[Any, Any], reviewer: str, repeat: int
) -> None:
    of = tasks.sent(tasks.task(dilemma, "blind"))
    given_ = machine(dilemma, places, reviewer=reviewer, repeat=repeat)
    read = tasks.machine_judgement(mailed(tasks.prediction(given_, of)), of)
    assert read.problems == ()
    assert {*read.judgement.placements} == {*given_.placements}
    assert (read.judgement.reviewer, read.judgement.repeat, read.judgement.kind) == (reviewer, repeat, "machine")


@pytest.mark.parametrize(
    ("place", "judged_place", "verdict"),
    [
        (("aligned", "strong"), ("aligned", "strong"), "matches"),
        (("aligned", "strong"), ("aligned", "moderate"), "weaker"),
        (("aligned", "mild"), ("aligned", "strong"), "stronger"),
        (("opposed", "strong"), ("opposed", "mild"), "weaker"),
        (("opposed", "moderate"), ("opposed", "strong"), "stronger"),
        (("opposed", "mild"), ("aligned", "mild"), "wrong_side"),
        (("aligned", "mild"), ("opposed", "strong"), "wrong_side"),
    ],
)
def test_a_machines_placement_says_whether_the_label_holds(
    place: Any, judged_place: Any, verdict: LabelVerdict, dilemma: Dilemma
) -> None:
    of = tasks.sent(tasks.task(dilemma, "open"))
    read = tasks.machine_judgement(tasks.prediction(machine(dilemma, {place: judged_place}), of), of)
    assert read.judgement.verdicts == (Verdict(polarity=place[0], intensity=place[1], verdict=verdict),)
    assert read.problems == ()


@pytest.mark.parametrize(
    "other", [{"dilemma": "another"}, {"revision": 2}, {"text_sha256": "0" * 64}, {"placements": ()}], ids=str
)
def test_a_machines_judgement_of_something_else_is_no_prediction(other: Raw, dilemma: Dilemma) -> None:
    of = tasks.sent(tasks.task(dilemma, "open"))
    right = machine(dilemma, dict.fromkeys(PLACES, PLACES[0]), text_sha256=tasks.text_sha256(dilemma))
    assert tasks.prediction(right, of)["result"]
    with pytest.raises(InputError, match=r"holds no placements|not about"):
        tasks.prediction(right.model_copy(update=other), of)


@pytest.mark.parametrize("version", [None, "", "backend 2.1", "model #0"])
def test_a_prediction_of_others_has_a_name_and_its_first_reading(version: str | None, dilemma: Dilemma) -> None:
    of = tasks.sent(tasks.task(dilemma, "open"))
    raw = {"model_version": version, "result": [choice("label_1", "weaker"), choice("stars", "5")]}
    read = tasks.machine_judgement(raw, of)
    assert (read.judgement.reviewer, read.judgement.repeat) == (version or "unnamed model", 0)
    assert len(read.judgement.verdicts) == len(read.problems) == 1


def nasty(record: Raw) -> list[Dilemma]:
    """Dilemmas with texts that servers and pages like to change, and the longest that there are."""
    scenarios = [*SAMPLES, "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 800, "x" * 4000]
    found = []
    for number, scenario in enumerate(scenarios):
        actions = [
            dict(action, text=f"{text}{n}")
            for n, (action, text) in enumerate(zip(record["actions"], SAMPLES, strict=False))
        ]
        actions[5]["text"] = "é" * 1000
        found.append(
            Dilemma.model_validate(record | {"id": f"nasty-{number}", "scenario": scenario, "actions": actions})
        )
    return found


@FORMS
def test_tasks_come_back_from_the_server_as_they_were_sent(label_studio: Team, record: Raw, name: FormName) -> None:
    server, dilemmas = label_studio.server(), nasty(record)
    project = server.create_project(f"Nasty {name}", form.labeling_config(name), annotators=2, instructions="")
    made = [tasks.task(dilemma, name) for dilemma in dilemmas]
    server.import_tasks(project, made)
    for found in (server.tasks(project), server.export(project)):
        assert [(raw["data"], raw["meta"]) for raw in found] == [(raw["data"], raw["meta"]) for raw in made]
        assert [tasks.sent(raw).dilemma for raw in found] == dilemmas


@FORMS
def test_annotations_of_two_people_come_back_from_the_server_as_they_were_given(
    label_studio: Team, record: Raw, name: FormName
) -> None:
    from label_studio_sdk.label_interface import LabelInterface

    server, dilemma, config = label_studio.server(), nasty(record)[0], LabelInterface(form.labeling_config(name))
    project = server.create_project(f"Two people, {name}", form.labeling_config(name), annotators=2, instructions="")
    (task,) = server.import_tasks(project, [tasks.task(dilemma, name)])
    accepts = full(name, harmless="no")
    revises = [
        *full(name, decision="revise"),
        text_item("comment", *SAMPLES),
        text_item("edit_scenario", SAMPLES[1]),
        text_item("edit_6", SAMPLES[2]),
    ]
    for person, result in ((ALICE, accepts), (BOB, revises)):
        for item in result:
            item["to_name"] = config.get_control(item["from_name"]).to_name[0]
        assert config.validate_prediction({"result": result}, return_errors=True) == []
        label_studio.sdk(person).annotations.create(id=task, result=result, lead_time=12.5)
    (exported,) = server.export(project)
    of = tasks.sent(exported)
    for raw, result in zip(sorted(exported["annotations"], key=lambda raw: raw["id"]), (accepts, revises), strict=True):
        read, sent = tasks.judgement(raw, of, "r"), tasks.judgement(annotation(result), of, "r")
        assert read.problems == sent.problems == ()
        assert read.judgement.created
        assert read.judgement == sent.judgement.model_copy(
            update={"annotation": raw["id"], "created": raw["created_at"], "updated": raw["updated_at"]}
        )


@FORMS
def test_predictions_come_back_from_the_server_as_they_were_sent(
    label_studio: Team, record: Raw, name: FormName
) -> None:
    from label_studio_sdk.label_interface import LabelInterface

    server, dilemma = label_studio.server(), nasty(record)[0]
    raw = tasks.task(dilemma, name)
    of = tasks.sent(raw)
    readings = [
        machine(dilemma, dict(zip(PLACES, PLACES[turn:] + PLACES[:turn], strict=True)), repeat=turn)
        for turn in range(3)
    ]
    predictions = [tasks.prediction(reading, of) for reading in readings]
    config = LabelInterface(form.labeling_config(name))
    assert all(config.validate_prediction(one, return_errors=True) == [] for one in predictions)
    project = server.create_project(f"Predictions {name}", form.labeling_config(name), annotators=2, instructions="")
    (task,) = server.import_tasks(project, [raw | {"predictions": predictions[:2]}])
    server.add_prediction(task, predictions[2])
    found = [tasks.machine_judgement(one, of) for one in server.predictions(project)]
    assert found == [tasks.machine_judgement(one, of) for one in predictions]
    assert [one.judgement.repeat for one in found] == [0, 1, 2]
