"""Asking a judge on a real server: what it is shown, how it is read, what is kept and what is asked again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_server import PATIENCE, Answer, FakeServer, Seen, completion, error

from dilemmas import dataset, judging
from dilemmas.asking import Workers
from dilemmas.config import ModelConfig
from dilemmas.errors import InputError, RejectedError, TransientError
from dilemmas.journal import Journal, entries
from dilemmas.judging import JOURNAL, JUDGEMENTS, Sorting, kept, read, sort_blind
from dilemmas.prompts import Prompts
from dilemmas.schema import Dilemma, Judgement, Placement, Reply, Sampling

DILEMMAS = dataset.read(dataset.shipped_path()).dilemmas[:4]
READINGS = len(DILEMMAS) * 3
LABELS = {action.text: action for one in DILEMMAS for action in one.actions}
SHOWN = DILEMMAS[0].actions
RIGHT = {
    letter: {"side": "for" if action.polarity == "aligned" else "against", "strength": action.intensity}
    for letter, action in zip("ABCDEF", SHOWN, strict=True)
}
"""The right answer about the actions in the order of the file."""

Judge = Callable[[dict[str, str]], dict[str, Any]]


def options(prompt: str) -> dict[str, str]:
    """The actions in a prompt, by letter."""
    return dict(re.findall(r"^([A-F])\. (.+)$", prompt, re.MULTILINE))


def perfect(shown: dict[str, str]) -> dict[str, Any]:
    """A judge that knows the labels by the texts."""
    return {
        letter: {
            "side": "for" if LABELS[text].polarity == "aligned" else "against",
            "strength": LABELS[text].intensity,
        }
        for letter, text in shown.items()
    }


def server(judge: Judge = perfect, **settings: Any) -> FakeServer:
    """A server whose model is a judge; what it is asked otherwise it answers as usual."""

    def script(seen: Seen) -> Answer | None:
        return completion(json.dumps(judge(options(seen.prompt)))) if seen.is_question else None

    return FakeServer(script=script, **settings)


def sort(at: FakeServer, folder: Path, dilemmas: tuple[Dilemma, ...] = DILEMMAS, **changed: Any) -> Sorting:
    """Have the server's model judge; settings of the model go in with the rest."""
    of_call = {name: changed.pop(name) for name in ("orders", "seed", "prompts", "progress") if name in changed}
    settings = ModelConfig(**{"name": "fake", "base_url": at.address, "timeout": 20, **changed})
    return asyncio.run(sort_blind(dilemmas, settings, folder, **{"seed": 1, "prompts": Prompts(), **of_call}))


def written(folder: Path) -> tuple[Judgement, ...]:
    """What `judgements.jsonl` holds."""
    return tuple(Judgement.model_validate_json(line) for line in (folder / JUDGEMENTS).read_bytes().splitlines())


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again without a pause."""

    async def wait(self: Workers, seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(Workers, "_wait", wait)


def test_a_perfect_judge_puts_every_action_in_its_place(tmp_path: Path) -> None:
    with server() as at:
        done = sort(at, tmp_path)
    assert (done.judge.name, done.planned, done.asked, done.reused) == ("fake", READINGS, READINGS, 0)
    assert (done.unreadable, done.open, done.stopped) == (0, 0, None)
    assert [(one.dilemma, one.repeat) for one in done.judgements] == [(one.id, n) for one in DILEMMAS for n in range(3)]
    for one in done.judgements:
        assert (one.kind, one.reviewer, one.decision) == ("machine", "fake", None)
        assert len({(place.polarity, place.intensity) for place in one.placements}) == 6
        assert all(
            (place.polarity, place.intensity) == (place.judged_polarity, place.judged_intensity)
            for place in one.placements
        )
    assert written(tmp_path) == done.judgements


def test_the_judge_reads_scenario_value_and_actions_and_no_label(
    tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    with server() as at:
        sort(at, tmp_path, DILEMMAS[:1], orders=1)
    (body,) = at.questions
    (message,) = body["messages"]
    prompt, dilemma = message["content"], DILEMMAS[0]
    assert dilemma.scenario in prompt
    assert dilemma.value in prompt
    assert set(options(prompt).values()) == {action.text for action in dilemma.actions}
    for hidden in ("aligned", "opposed", dilemma.competing_value, *(action.rationale for action in dilemma.actions)):
        assert hidden not in prompt
    for word in (*judging.SIDES, *judging.STRENGTHS):
        assert f'"{word}"' in prompt
    golden("prompts/judge-sort.txt", f"[{message['role']}]\n{prompt}\n")


def test_text_from_a_dilemma_is_never_a_template(tmp_path: Path, record: dict[str, Any]) -> None:
    record["scenario"] = "You count {{ 7*7 }} sheep {% raw %} and must tell."
    with server(lambda shown: {}) as at:
        sort(at, tmp_path, (Dilemma.model_validate(record),), orders=1)
    assert record["scenario"] in at.questions[0]["messages"][0]["content"]


@pytest.mark.parametrize("orders", [3, 6, 8])
def test_every_action_is_seen_in_different_positions(orders: int) -> None:
    for dilemma in DILEMMAS:
        shown = [judging._shuffled(dilemma, 1, repeat) for repeat in range(orders)]
        assert all(set(one) == set(dilemma.actions) for one in shown)
        for action in dilemma.actions:
            assert len({one.index(action) for one in shown[:6]}) == min(orders, 6)


def test_the_order_shown_does_not_depend_on_the_order_in_the_file() -> None:
    turned = DILEMMAS[0].model_copy(update={"actions": DILEMMAS[0].actions[::-1]})
    assert judging._shuffled(turned, 1, 0) == judging._shuffled(DILEMMAS[0], 1, 0)


def test_placements_stand_in_the_order_shown(tmp_path: Path) -> None:
    with server() as at:
        done = sort(at, tmp_path, DILEMMAS[:1], concurrency=1)
    for body, one in zip(at.questions, done.judgements, strict=True):
        labels = [LABELS[text] for text in options(body["messages"][0]["content"]).values()]
        assert [(place.polarity, place.intensity) for place in one.placements] == [
            (action.polarity, action.intensity) for action in labels
        ]


def test_a_judge_that_turns_all_round_is_kept_as_it_is(tmp_path: Path) -> None:
    def inverted(shown: dict[str, str]) -> dict[str, Any]:
        other = {"for": "against", "against": "for"}
        return {letter: {**place, "side": other[place["side"]]} for letter, place in perfect(shown).items()}

    with server(inverted) as at:
        done = sort(at, tmp_path)
    assert not any(place.judged_polarity == place.polarity for one in done.judgements for place in one.placements)


@pytest.mark.parametrize(
    ("schema", "sent"), [("honoured", True), ("plain", True), ("ignored", False), ("refused", False)]
)
def test_the_form_is_imposed_where_the_server_honours_a_schema(tmp_path: Path, schema: Any, sent: bool) -> None:
    with server(schema=schema) as at:
        done = sort(at, tmp_path, DILEMMAS[:1])
    assert ["response_format" in body for body in at.questions] == [sent] * 3
    assert done.unreadable == 0
    assert all(body["max_tokens"] == Sampling().max_tokens for body in at.questions)


def test_what_a_server_refuses_is_left_out(tmp_path: Path) -> None:
    with server(unknown=("top_k", "seed")) as at:
        done = sort(at, tmp_path, DILEMMAS[:1])
    assert done.asked == 3
    assert not any({"top_k", "seed"} & set(body) for body in at.questions)


def text_of(answer: object) -> str:
    return json.dumps(answer)


@pytest.mark.parametrize(
    "text",
    [
        text_of(RIGHT),
        f"```json\n{json.dumps(RIGHT, indent=1)}\n```",
        f"Here is how I see it:\n{text_of(RIGHT)}\nI hope that helps.",
        f"<think>A is {{for}}, or not?</think>{text_of(RIGHT)}",
        text_of(RIGHT).replace('"for"', '" For"').replace('"mild"', '"MILD"'),
        text_of({"thoughts": "Hard to say.", **RIGHT}),
        f"{text_of(RIGHT)} To repeat: {text_of(RIGHT)}",
    ],
    ids=["bare", "fenced", "in prose", "after thinking", "in capitals", "with thoughts", "given twice"],
)
def test_wrapping_does_not_matter(text: str) -> None:
    placements = read(Reply(text=text, finish_reason="stop"), SHOWN)
    assert not isinstance(placements, str)
    assert all(
        (place.polarity, place.intensity) == (place.judged_polarity, place.judged_intensity) for place in placements
    )


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({"text": ""}, "empty"),
        ({"text": "<think>For, for, against.</think> "}, "empty"),
        ({"text": "A, B and C are for it, D, E and F against."}, "no JSON"),
        ({"text": text_of([RIGHT["A"]] * 6)}, "no JSON"),
        ({"text": text_of({"G": RIGHT["A"]})}, "no JSON"),
        ({"text": text_of({**RIGHT, "C": None})}, "for C "),
        ({"text": text_of({letter: RIGHT[letter] for letter in "ABDE"})}, "C, F"),
        ({"text": text_of({**RIGHT, "B": {"side": "neutral", "strength": "mild"}})}, "for B "),
        ({"text": text_of({**RIGHT, "B": {"side": "for"}})}, "for B "),
        ({"text": text_of({**RIGHT, "B": {"side": "for", "strength": ["mild", "strong"]}})}, "for B "),
        ({"text": text_of({**RIGHT, "B": "for, mild"})}, "for B "),
        ({"text": text_of(RIGHT)[:-1] + ', "A": {"side": "against", "strength": "mild"}}'}, "for A "),
        ({"text": text_of(RIGHT) + text_of({**RIGHT, "A": RIGHT["F"]})}, "more than one"),
        ({"text": text_of(RIGHT)[:-30]}, "no JSON"),
        ({"text": text_of(RIGHT), "finish_reason": "length"}, "cut off"),
        ({"text": f"<think>{text_of(RIGHT)}"}, "cut off"),
        ({"text": "", "refusal": "I will not."}, "refused"),
        ({"text": "", "finish_reason": "content_filter"}, "refused"),
        ({"text": "{" * 5000}, "no JSON"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_what_is_not_plainly_there_is_not_guessed(reply: dict[str, str], reason: str) -> None:
    found = read(Reply.model_validate({"finish_reason": "stop", **reply}), SHOWN)
    assert isinstance(found, str)
    assert reason in found


@pytest.mark.parametrize("nonsense", ["", "I cannot judge people.", '{"X": 1}', "\ud800\x1b[31m"], ids=repr)
def test_a_reply_that_cannot_be_read_is_data_and_not_asked_again(tmp_path: Path, nonsense: str) -> None:
    with FakeServer(script=lambda seen: completion(nonsense) if seen.is_question else None) as at:
        done = sort(at, tmp_path)
        again = sort(at, tmp_path)
    assert (done.asked, done.unreadable, done.open) == (READINGS, READINGS, 0)
    assert all(one.placements == () and one.comment for one in done.judgements)
    assert (again.asked, again.reused, again.unreadable) == (0, READINGS, READINGS)
    assert again.judgements == done.judgements == written(tmp_path)
    assert all(entry.error and entry.result and entry.reply for entry in entries(tmp_path / JOURNAL))


def test_the_same_call_again_asks_nothing(tmp_path: Path) -> None:
    with server() as at:
        done = sort(at, tmp_path)
        again = sort(at, tmp_path, concurrency=1)
    assert len(at.questions) == READINGS
    assert (again.asked, again.reused, again.open) == (0, READINGS, 0)
    assert again.judgements == done.judgements


def test_more_readings_or_dilemmas_ask_only_those(tmp_path: Path) -> None:
    with server() as at:
        sort(at, tmp_path, DILEMMAS[:2], orders=2)
        more = sort(at, tmp_path, DILEMMAS[:3], orders=3)
    assert (more.reused, more.asked) == (4, 5)
    assert written(tmp_path) == more.judgements


REVISED = (DILEMMAS[0].model_copy(update={"revision": 2}), *DILEMMAS[1:])


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"dilemmas": REVISED}, 3),
        ({"seed": 2}, READINGS),
        ({"sampling": Sampling(temperature=0.7)}, READINGS),
        ({"send_seed": False}, READINGS),
        ({"timeout": 10.0, "attempts": 2}, 0),
    ],
    ids=["revision", "seed", "sampling", "without seeds", "patience"],
)
def test_what_can_change_the_answer_asks_anew(tmp_path: Path, change: dict[str, Any], asked: int) -> None:
    with server() as at:
        sort(at, tmp_path)
        assert sort(at, tmp_path, **change).asked == asked


def test_readings_say_which_text_they_are_of_even_where_the_journal_has_them_from_before(tmp_path: Path) -> None:
    topic = DILEMMAS[0].model_copy(update={"topic": "Religion"})  # a judge is not shown it
    with server() as at:
        done = sort(at, tmp_path, DILEMMAS[:1], orders=1)
        again = sort(at, tmp_path, (topic,), orders=1)
    assert (again.asked, again.reused) == (0, 1)
    assert [one.text_sha256 for one in done.judgements] == [DILEMMAS[0].text_sha256]
    assert [one.text_sha256 for one in written(tmp_path)] == [topic.text_sha256]
    assert kept((topic,), tmp_path / "judgements.jsonl") == again.judgements
    assert kept(DILEMMAS[:1], tmp_path / "judgements.jsonl") == ()
    older = again.judgements[0].model_copy(update={"text_sha256": None})
    (tmp_path / JUDGEMENTS).write_text(older.model_dump_json())
    assert kept(DILEMMAS[:1], tmp_path / "judgements.jsonl") == (older,)


def test_what_an_earlier_judging_left_is_read_for_the_revisions_it_was_about(tmp_path: Path) -> None:
    assert kept(DILEMMAS, tmp_path / "judgements.jsonl") == ()
    with server() as at:
        done = sort(at, tmp_path)
    assert kept(DILEMMAS, tmp_path / "judgements.jsonl") == done.judgements
    assert kept(REVISED, tmp_path / "judgements.jsonl") == done.judgements[3:]
    person = done.judgements[-1].model_copy(update={"kind": "person"})
    with (tmp_path / JUDGEMENTS).open("a") as file:
        file.write(f"{person.model_dump_json()}\n{{}}\n")
    with pytest.raises(InputError, match="no judgement") as caught:
        kept(DILEMMAS, tmp_path / "judgements.jsonl")
    assert caught.value.where == f"{tmp_path / JUDGEMENTS}, line {READINGS + 2}"
    (tmp_path / JUDGEMENTS).write_text(person.model_dump_json())
    assert kept(DILEMMAS, tmp_path / "judgements.jsonl") == ()


def test_labels_that_are_exchanged_ask_anew(tmp_path: Path) -> None:
    first, *rest = DILEMMAS[0].actions
    other = rest.pop()
    swapped = (
        first.model_copy(update={"text": other.text}),
        *rest,
        other.model_copy(update={"text": first.text}),
    )
    with server(lambda shown: {}) as at:
        sort(at, tmp_path, DILEMMAS[:1])
        assert sort(at, tmp_path, (DILEMMAS[0].model_copy(update={"actions": swapped}),)).asked == 3


def test_other_templates_ask_anew(tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    (templates / "judge").mkdir(parents=True)
    (templates / "judge" / "sort.j2").write_text(
        "{{ scenario }}\n{% for option in options %}\n{{ option.letter }}. {{ option.text }}\n{% endfor %}\n"
    )
    with server() as at:
        sort(at, tmp_path)
        assert sort(at, tmp_path, prompts=Prompts(templates)).asked == READINGS


def test_a_server_that_is_lost_keeps_what_was_read_and_is_asked_for_the_rest(tmp_path: Path) -> None:
    with server(die_after=5) as at:
        lost = sort(at, tmp_path, concurrency=2, attempts=1)
    assert isinstance(lost.stopped, TransientError)
    assert (lost.asked, lost.open) == (5, READINGS - 5)
    assert lost.failed_attempts > 0
    assert written(tmp_path) == lost.judgements
    with server() as at:
        rest = sort(at, tmp_path)
    assert (rest.reused, rest.asked, rest.open, rest.stopped) == (5, READINGS - 5, 0, None)
    assert len(at.questions) == READINGS - 5


@pytest.mark.usefixtures("at_once")
def test_a_passing_failure_is_tried_again(tmp_path: Path) -> None:
    failing = iter([True, True])

    def script(seen: Seen) -> Answer | None:
        if not seen.is_question:
            return None
        return error(503, "busy") if next(failing, False) else completion(text_of(perfect(options(seen.prompt))))

    with FakeServer(script=script) as at:
        done = sort(at, tmp_path, concurrency=1)
    assert (done.asked, done.failed_attempts, done.open, done.stopped) == (READINGS, 2, 0, None)
    assert "busy" in done.last_failure
    attempts = Counter(entry.attempt for entry in entries(tmp_path / JOURNAL))
    assert attempts == {1: READINGS, 2: 1, 3: 1}


def refusing(status: int, dilemmas: tuple[Dilemma, ...]) -> Callable[[Seen], Answer | None]:
    """A judge that refuses to be asked about some dilemmas."""

    def script(seen: Seen) -> Answer | None:
        if not seen.is_question:
            return None
        refused = any(one.scenario in seen.prompt for one in dilemmas)
        return error(status, "No.") if refused else completion(text_of(perfect(options(seen.prompt))))

    return script


def test_a_dilemma_that_is_refused_stays_open_and_the_others_are_read(tmp_path: Path) -> None:
    with FakeServer(script=refusing(400, (DILEMMAS[0], DILEMMAS[2]))) as at:
        done = sort(at, tmp_path, concurrency=1)
    assert (done.asked, done.open, done.stopped) == (6, 6, None)
    assert {one.dilemma for one in done.judgements} == {DILEMMAS[1].id, DILEMMAS[3].id}
    assert "No." in done.last_failure


@pytest.mark.parametrize(("status", "most"), [(401, 1), (403, 1), (404, 1), (400, 7)])
def test_a_judge_that_refuses_everything_is_left_alone(tmp_path: Path, status: int, most: int) -> None:
    with FakeServer(script=refusing(status, DILEMMAS)) as at:
        done = sort(at, tmp_path, concurrency=1)
    assert isinstance(done.stopped, RejectedError)
    assert done.stopped.status == status
    assert len(at.questions) == most
    assert (done.asked, done.open, written(tmp_path)) == (0, READINGS, ())


def test_a_wrong_key_leaves_nothing_behind(tmp_path: Path) -> None:
    with FakeServer(key="a-long-and-secret-key") as at, pytest.raises(RejectedError):
        sort(at, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_script_cannot_judge(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reads nothing"):
        asyncio.run(sort_blind(DILEMMAS, ModelConfig(name="scripted"), tmp_path, seed=1, prompts=Prompts()))


def test_a_folder_that_another_process_judges_in_is_left_alone(tmp_path: Path) -> None:
    with server() as at, Journal.opened(tmp_path / JOURNAL), pytest.raises(InputError, match="another"):
        sort(at, tmp_path)


def test_progress_is_told_and_counts_add_up(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with server() as at:
        sort(at, tmp_path, DILEMMAS[:1], progress=lambda now: told.append((now.asked, now.open)))
    assert told == [(0, 3), (1, 2), (2, 1), (3, 0)]


def test_nothing_to_judge_is_no_failure(tmp_path: Path) -> None:
    with server() as at:
        done = sort(at, tmp_path, ())
    assert (done.planned, done.judgements, written(tmp_path)) == (0, (), ())


def test_a_judgement_survives_its_line(tmp_path: Path) -> None:
    for one in (
        Judgement(dilemma="ab", revision=3, reviewer="é\u2028", kind="machine", repeat=2, comment='cut "off"\n'),
        Judgement(
            dilemma="ab",
            revision=1,
            reviewer="m",
            kind="machine",
            placements=(
                Placement(polarity="aligned", intensity="mild", judged_polarity="opposed", judged_intensity="strong"),
            ),
        ),
    ):
        (tmp_path / JUDGEMENTS).write_text(one.model_dump_json() + "\n", encoding="utf-8")
        line = (tmp_path / JUDGEMENTS).read_bytes().splitlines()[0]
        assert Judgement.model_validate_json(line) == one


CHILD = """
import asyncio, sys
from pathlib import Path
from dilemmas import dataset
from dilemmas.config import ModelConfig
from dilemmas.judging import sort_blind
from dilemmas.prompts import Prompts
settings = ModelConfig(name="fake", base_url=sys.argv[1], timeout=20, concurrency=2)
dilemmas = dataset.read(dataset.shipped_path()).dilemmas[:4]
asyncio.run(sort_blind(dilemmas, settings, Path(sys.argv[2]), seed=1, prompts=Prompts()))
"""


def test_a_killed_judging_goes_on_where_it_was(tmp_path: Path) -> None:
    child: list[subprocess.Popen[bytes]] = []
    asked: Counter[str] = Counter()

    def script(seen: Seen) -> Answer | None:
        if not seen.is_question:
            return None
        asked[seen.prompt] += 1
        if asked.total() == 7:
            os.kill(child[0].pid, signal.SIGKILL)
        return completion(text_of(perfect(options(seen.prompt))))

    with FakeServer(script=script) as at:
        child.append(subprocess.Popen([sys.executable, "-c", CHILD, at.address, str(tmp_path)]))
        try:
            assert child[0].wait(3 * PATIENCE) == -signal.SIGKILL
        finally:
            child[0].kill()
        kept = len({entry.subject for entry in entries(tmp_path / JOURNAL)})
        done = sort(at, tmp_path, concurrency=2)
    assert 5 <= kept <= 7
    assert (done.reused, done.asked, done.open) == (kept, READINGS - kept, 0)
    assert len(asked) == READINGS
    assert sum(asked.values()) <= READINGS + 2  # what was in flight
    assert written(tmp_path) == done.judgements


def test_no_key_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGES_KEY", key := "a-long-and-secret-key")
    with server(lambda shown: {"A": key}) as at:
        sort(at, tmp_path, DILEMMAS[:1], api_key_env="JUDGES_KEY")
    assert any(seen.headers.get("authorization") == f"Bearer {key}" for seen in at.seen)
    assert not any(key.encode() in path.read_bytes() for path in tmp_path.iterdir())
