"""Batch files: the same trials as online, whole or not at all, and results that are taken in once."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from fake_server import FakeServer, completion
from hypothesis import given
from hypothesis import strategies as st

from dilemmas import config, evaluate, study
from dilemmas.batches import files, reading, writing
from dilemmas.batches.results import result
from dilemmas.errors import InputError
from dilemmas.store import FILE, Store

Here = Callable[..., "subprocess.CompletedProcess[str]"]
Line = dict[str, Any]
SMALL = {"name": "run", "model.name": "fake", "persona_set": "three", "limit": 2, "repeats": 1}
TRIALS = 4 * 2 * 2


def study_of(**settings: Any) -> study.Study:
    return study.prepare(config.load(None, {**SMALL, **settings}))


def written(
    place: Path, declared: writing.Service | None = "vllm", *, out: str = "out", dry: bool = False, **settings: Any
) -> writing.Written:
    return asyncio.run(writing.write(study_of(**settings), place / "runs", place / out, declared=declared, dry=dry))


def requests(done: writing.Written) -> list[Line]:
    return [json.loads(raw) for part in done.parts for raw in Path(part.path).read_text().splitlines()]


def reply(text: str = '{"reasoning": "So it is.", "answer": "B"}', **more: Any) -> Line:
    body: Line = completion(text).body
    return {**body, "created": 1_790_000_000, **more}


def success(trial: str, body: Line | None = None) -> Line:
    """A line as OpenAI's Batch API writes it."""
    response = {"status_code": 200, "request_id": "req_1", "body": body or reply()}
    return {"id": f"batch_req_{trial[:8]}", "custom_id": trial, "response": response, "error": None}


def results(place: Path, lines: list[Line], *, name: str = "results.jsonl", end: str = "\n") -> Path:
    path = place / name
    path.write_text("\n".join(json.dumps(one) for one in lines) + end, encoding="utf-8")
    return path


def contents(folder: Path) -> list[tuple[Any, ...]]:
    with Store.reading(folder / FILE) as store:
        cells = [(*cell[:6], cell.trial, cell.reply, cell.response) for cell in store.cells_in_full()]
        return [*cells, *store.attempts_at(cell[6] for cell in cells)]


# What is written


@pytest.mark.parametrize("settings", [{}, {"model.strict": True}, {"model.extra_body": {"cache_prompt": True}}])
@pytest.mark.parametrize("protocol", ["reasoned", "logprob"])
def test_bodies_and_ids_are_those_that_the_online_runner_sends(
    tmp_path: Path, protocol: str, settings: dict[str, Any]
) -> None:
    with FakeServer() as server:
        asked = {**settings, "model.base_url": server.address, "model.protocol": protocol}
        done = written(tmp_path, None, **asked)
        online = asyncio.run(evaluate.evaluate(study_of(**asked), tmp_path / "online"))
        sent = server.questions
    lines = requests(done)
    ordered = [
        sorted(json.dumps(body, sort_keys=True) for body in bodies) for bodies in (sent, [one["body"] for one in lines])
    ]
    assert ordered[0] == ordered[1]
    with Store.reading(Path(online.folder) / FILE) as store:
        assert {one["custom_id"] for one in lines} == store.answered()
    assert {(one["method"], one["url"]) for one in lines} == {("POST", "/v1/chat/completions")}


def test_what_is_declared_for_a_service_is_what_its_server_would_be_found_to_do(tmp_path: Path) -> None:
    with FakeServer() as server:
        probed = written(tmp_path / "a", None, **{"model.base_url": server.address})
    assert requests(probed) == requests(written(tmp_path / "b", "vllm"))


def test_openai_is_sent_no_field_that_it_refuses(tmp_path: Path) -> None:
    for line in requests(written(tmp_path, "openai")):
        assert "top_k" not in line["body"]
        assert "maxLength" not in json.dumps(line["body"]["response_format"])


def test_a_model_that_the_run_has_asked_is_not_probed_again(tmp_path: Path) -> None:
    with FakeServer() as server:
        asyncio.run(evaluate.evaluate(study_of(**{"model.base_url": server.address}), tmp_path / "runs"))
    done = written(tmp_path, None, repeats=1, limit=3, **{"model.base_url": server.address})
    assert (done.answered, done.requests) == (TRIALS, TRIALS // 2)


@pytest.mark.parametrize("dry", [True, False])
def test_a_service_is_not_written_what_was_made_for_another(tmp_path: Path, dry: bool) -> None:
    written(tmp_path, "vllm")
    with pytest.raises(InputError, match="top_k") as caught:
        written(tmp_path, "openai", out="other", dry=dry)
    assert caught.value.where == "--for"
    assert not (tmp_path / "other").exists()


def test_who_writes_a_second_batch_is_told_of_the_first(tmp_path: Path) -> None:
    first, again = written(tmp_path), written(tmp_path, out="again")
    assert (first.since, bool(again.since), again.requests) == ("", True, TRIALS)
    assert written(tmp_path, out="third", dry=True).since == again.since


def test_without_a_word_of_what_the_server_can_do_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--for"):
        written(tmp_path, None)
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_dry_run_counts_what_would_be_written(tmp_path: Path) -> None:
    dry = written(tmp_path, dry=True)
    assert not list(tmp_path.iterdir())
    done = written(tmp_path)
    assert (dry.requests, dry.parts) == (done.requests, done.parts)
    assert done.parts[0].bytes == Path(done.parts[0].path).stat().st_size


def test_parts_are_no_larger_than_services_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = requests(written(tmp_path / "whole"))
    monkeypatch.setattr(files, "MOST_REQUESTS", 5)
    by_number = written(tmp_path / "number")
    assert [part.requests for part in by_number.parts] == [5, 5, 5, 1]
    monkeypatch.setattr(files, "MOST_BYTES", 9000)
    by_size = written(tmp_path / "size")
    assert max(Path(part.path).stat().st_size for part in by_size.parts) <= 9000
    assert requests(by_number) == requests(by_size) == whole


def test_each_file_asks_one_model(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        'name = "run"\nlimit = 1\nrepeats = 1\npersona_set = "none"\n[[models]]\nname = "a"\n[[models]]\nname = "b"\n'
    )
    asked = study.prepare(config.load(path, {}))
    done = asyncio.run(writing.write(asked, tmp_path / "runs", tmp_path / "out", declared="vllm"))
    assert [(part.model, part.requests) for part in done.parts] == [("a", 2), ("b", 2)]
    assert {line["body"]["model"] for line in requests(done)} == {"a", "b"}


def test_trials_of_the_very_same_words_are_requested_once(tmp_path: Path) -> None:
    path = tmp_path / "twins.toml"
    path.write_text('name = "twins"\n[[persona]]\ngrid = 7\nid = "one"\n[[persona]]\ngrid = 7\nid = "two"\n')
    ids = [line["custom_id"] for line in requests(written(tmp_path, persona_set=str(path), orders="fixed"))]
    assert len(ids) == len(set(ids)) == 2 * 2 * 2


def test_no_file_is_written_over_and_none_is_left_half_written(tmp_path: Path) -> None:
    written(tmp_path)
    before = (tmp_path / "out" / "run-0001.jsonl").read_bytes()
    with pytest.raises(InputError, match="already"):
        written(tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run-0001.jsonl"]
    assert (tmp_path / "out" / "run-0001.jsonl").read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("repeats", [1, 3])
def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repeats: int) -> None:
    def no_room(handle: int, mode: str) -> IO[Any]:
        os.close(handle)
        return Path("/dev/full").open(mode)

    monkeypatch.setattr("dilemmas.batches.files.os.fdopen", no_room)
    with pytest.raises(InputError, match="space"):
        written(tmp_path, repeats=repeats)
    assert not list((tmp_path / "out").iterdir())


def test_a_plan_that_stands_in_a_batch_file_is_not_given_up_for_other_settings(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(InputError, match="other settings"):
        written(tmp_path, out="again", seed=5)


# What is read


@pytest.fixture
def batch(tmp_path: Path) -> tuple[Path, list[str]]:
    """A run's folder and the ids of its requests."""
    done = written(tmp_path)
    return Path(done.folder), [line["custom_id"] for line in requests(done)]


def test_results_become_answers_and_the_same_file_again_changes_nothing(
    tmp_path: Path, batch: tuple[Path, list[str]]
) -> None:
    folder, ids = batch
    path = results(tmp_path, [success(name) for name in reversed(ids)])
    found = reading.read(folder, [path])
    assert (found.lines, found.taken, found.known, found.open) == (TRIALS, TRIALS, 0, 0)
    before = contents(folder)
    assert {json.loads(cell[8])["letter"] for cell in before} == {"B"}
    again = reading.read(folder, [path])
    assert (again.taken, again.known, contents(folder)) == (0, TRIALS, before)


def test_after_an_interruption_the_same_files_bring_in_the_rest(
    tmp_path: Path, batch: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ids = batch
    path, take, chunks = results(tmp_path, [success(name) for name in ids]), reading._take, iter(range(2))

    def interrupted(*arguments: Any) -> None:
        if next(chunks, None) is None:
            raise KeyboardInterrupt
        take(*arguments)

    monkeypatch.setattr(reading, "MOST_LINES", 5)
    monkeypatch.setattr(reading, "_take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reading.read(folder, [path])
    monkeypatch.setattr(reading, "_take", take)
    found = reading.read(folder, [path])
    assert (found.known, found.taken, found.open) == (10, TRIALS - 10, 0)


def test_replies_keep_the_time_at_which_they_were_made(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, ids = batch
    reading.read(folder, [results(tmp_path, [success(ids[0])])])
    with Store.reading(folder / FILE) as store:
        assert [one.at for one in store.outcomes_of(ids)] == ["2026-09-21T14:13:20Z"]


def test_how_long_a_reply_took_is_not_told_and_not_taken_for_nothing(
    tmp_path: Path, batch: tuple[Path, list[str]]
) -> None:
    folder, ids = batch
    reading.read(folder, [results(tmp_path, [success(name) for name in ids])])
    with Store.reading(folder / FILE) as store:
        assert store.seconds_per_reply("fake", "reasoned") is None


@pytest.mark.parametrize("made", [None, "soon", True, -5, 10**30, 99_999_999_999])
def test_a_time_that_is_none_is_the_present(made: Any) -> None:
    entry = result(1, json.dumps(success("a", reply(created=made))).encode(), "f")
    assert entry.at.startswith("20")


VLLM = {"id": "vllm-1", "response": {"status_code": 400, "request_id": "vllm-batch-1", "body": None}}
FAILURES: dict[str, tuple[Line, str, int | None, str]] = {
    "openai: refused": (
        {"id": "b1", "response": {"status_code": 400, "request_id": "r", "body": {"error": {"message": "too long"}}}},
        "rejected", 400, "too long",
    ),
    "openai: busy": (
        {"id": "b1", "response": {"status_code": 429, "request_id": "r", "body": {"error": {"message": "slow down"}}}},
        "TransientError", 429, "slow down",
    ),
    "openai: expired": (
        {"id": "b1", "response": None, "error": {"code": "batch_expired", "message": "expired before it was run"}},
        "TransientError", None, "expired before",
    ),
    "vllm: words": ({**VLLM, "error": "Model does not support endpoint"}, "rejected", 400, "does not support"),
    "vllm: an object": (
        {**VLLM, "error": {"error": {"message": "Grammar error", "type": "BadRequestError", "code": 400}}},
        "rejected", 400, "Grammar error",
    ),
    "a status that is none": ({"id": "b1", "response": {"status_code": 10**30}}, "TransientError", None, "no reply"),
    "nothing at all": ({"id": "b1"}, "TransientError", None, "no reply"),
    "a reply without choices": (
        {"id": "b1", "response": {"status_code": 200, "body": {"choices": []}}, "error": None},
        "TransientError", 200, "without choices",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_request_is_an_attempt_and_its_trial_stays_open(
    tmp_path: Path, batch: tuple[Path, list[str]], name: str
) -> None:
    folder, ids = batch
    entry, kind, status, words = FAILURES[name]
    path = results(tmp_path, [{"custom_id": ids[0], **entry}])
    for _ in range(2):
        found = reading.read(folder, [path])
        assert (found.failed, found.taken, found.open) == (1, 0, TRIALS)
        assert words in found.last_failure
        with Store.reading(folder / FILE) as store:
            (attempt,) = store.attempts_at(ids)
        assert (attempt.trial, attempt.kind, attempt.status) == (ids[0], kind, status)
        assert words in attempt.message
    assert reading.read(folder, [results(tmp_path, [success(ids[0])])]).taken == 1


def test_refusals_and_unreadable_replies_are_answers(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, ids = batch
    bodies = [reply("I'm sorry, but I can't choose."), reply("Perhaps."), reply()]
    found = reading.read(folder, [results(tmp_path, [success(*one) for one in zip(ids, bodies, strict=False)])])
    assert (found.taken, found.refused, found.unreadable) == (3, 1, 1)


def test_what_a_reply_holds_besides_does_no_harm(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, ids = batch
    deep: Any = []
    for _ in range(400):
        deep = [deep]
    bodies = [reply(more=deep), reply(more=10**30), reply(more="\ud800 \x1b[31m"), reply("\ud800\x00 B")]
    found = reading.read(folder, [results(tmp_path, [success(*one) for one in zip(ids, bodies, strict=False)])])
    assert found.taken == len(bodies)


def bad(place: Path, ids: list[str], kind: str) -> Path:
    good = [success(name) for name in ids]
    if kind == "another run's":
        return results(place, [*good, success("0" * 64), success("1" * 64)])
    if kind == "repeated":
        return results(place, [*good, success(ids[0], reply('{"answer": "C"}'))])
    if kind == "cut off":
        path = results(place, good)
        path.write_bytes(path.read_bytes()[:-100])
        return path
    if kind == "no JSON":
        path = results(place, good)
        path.write_text(path.read_text() + "<html>\n")
        return path
    if kind == "another model's":
        return results(place, [*good[:-1], success(ids[-1], reply(model="fake-mini"))])
    if kind == "requests":
        return place / "out" / "run-0001.jsonl"
    if kind == "no custom_id":
        return results(place, [*good, {"id": "x"}])
    if kind == "a list":
        return results(place, [*good, []])  # type: ignore[list-item]
    return place / "nowhere.jsonl"


BAD = {
    "another run's": "2 of its results", "repeated": f"line {TRIALS + 1}", "cut off": "cut off", "no JSON": "not JSON",
    "another model's": "fake-mini", "requests": "request", "no custom_id": "custom_id", "a list": "custom_id",
    "missing": "no such",
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_of_a_file_with_a_fault_nothing_is_taken_in(tmp_path: Path, batch: tuple[Path, list[str]], kind: str) -> None:
    folder, ids = batch
    before = contents(folder)
    with pytest.raises(InputError, match=BAD[kind]) as caught:
        reading.read(folder, [results(tmp_path, [success(ids[0])], name="good.jsonl"), bad(tmp_path, ids, kind)])
    assert contents(folder) == before
    assert caught.value.fix
    if kind not in ("missing", "requests"):
        number = TRIALS + (kind not in ("cut off", "another model's"))
        assert caught.value.where.startswith(f"{tmp_path / 'results.jsonl'}, line {number}")


def test_results_of_another_run_name_it(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, _ = batch
    other = [line["custom_id"] for line in requests(written(tmp_path, out="b", name="second", seed=5))]
    with pytest.raises(InputError, match='"run"') as caught:
        reading.read(folder, [results(tmp_path, [success(name) for name in other])])
    assert "--run second" in caught.value.fix


def test_an_id_that_only_begins_like_another_runs_is_nobodys(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, ids = batch
    written(tmp_path, out="b", name="second")
    with pytest.raises(InputError, match="never made") as caught:
        reading.read(folder, [results(tmp_path, [success(ids[0] + "\0")])])
    assert "second" not in caught.value.fix


def test_a_run_that_asked_nothing_takes_nothing_in(tmp_path: Path) -> None:
    with Store.writing(tmp_path / "empty" / FILE):
        pass
    with pytest.raises(InputError, match="nothing was ever asked"):
        reading.read(tmp_path / "empty", [results(tmp_path, [], end="")])


def test_probabilities_that_cannot_be_are_no_answer_and_stop_nothing(tmp_path: Path) -> None:
    done = written(tmp_path, **{"model.protocol": "logprob"})
    entries = []
    for number, line in enumerate(requests(done)):
        tokens = [{"token": letter, "logprob": -2.0 if number else 0.0} for letter in "ABCDEF"]
        body = reply("A")
        body["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": 0.0, "top_logprobs": tokens}]}
        entries.append(success(line["custom_id"], body))
    found = reading.read(Path(done.folder), [results(tmp_path, entries)])
    assert (found.taken, found.unreadable, found.open) == (TRIALS, 1, 0)


def test_whole_lines_of_a_cut_off_file_are_taken_in_on_demand(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, ids = batch
    found = reading.read(folder, [bad(tmp_path, ids, "cut off")], partial=True)
    assert (found.taken, found.cut, found.open) == (TRIALS - 1, 1, 1)


def test_what_is_no_file_of_results_is_none_by_halves_either(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, ids = batch
    with pytest.raises(InputError, match="request"):
        reading.read(folder, [bad(tmp_path, ids, "requests")], partial=True)


def test_a_last_line_without_its_end_is_whole(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, ids = batch
    assert reading.read(folder, [results(tmp_path, [success(one) for one in ids], end="")]).open == 0


def test_the_same_answer_twice_in_a_file_is_one(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, ids = batch
    found = reading.read(folder, [results(tmp_path, [success(ids[0]), success(ids[0])])])
    assert (found.taken, found.known) == (1, 1)


def test_of_two_files_the_first_ones_answer_is_taken(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, ids = batch
    first = results(tmp_path, [success(ids[0])], name="first.jsonl")
    second = results(tmp_path, [success(ids[0], reply('{"answer": "C"}'))], name="second.jsonl")
    assert (found := reading.read(folder, [first, second])).taken == found.known == 1
    with Store.reading(folder / FILE) as store:
        assert [json.loads(one.response)["letter"] for one in store.outcomes_of(ids)] == ["B"]


@pytest.mark.parametrize("told", ["fake", "fake-2026-08-06", "fake-0613"])
def test_a_dated_name_of_the_model_is_its_name(tmp_path: Path, batch: tuple[Path, list[str]], told: str) -> None:
    folder, ids = batch
    assert reading.read(folder, [results(tmp_path, [success(ids[0], reply(model=told))])]).taken == 1


def test_a_model_may_be_served_as_another_name(tmp_path: Path, batch: tuple[Path, list[str]]) -> None:
    folder, ids = batch
    path = results(tmp_path, [success(ids[0], reply(model="/weights/fake"))])
    assert reading.read(folder, [path], served_as="/weights/fake").taken == 1


def test_a_line_that_is_too_long_is_refused(
    tmp_path: Path, batch: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ids = batch
    monkeypatch.setattr(files, "LONGEST_LINE", 2000)
    path = results(tmp_path, [success(ids[0]), success(ids[1], reply("x" * 3000))])
    with pytest.raises(InputError, match="longer"):
        reading.read(folder, [path])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(response=JSON, body=JSON, choices=JSON, error=JSON, status=JSON)
def test_whatever_stands_in_a_line_is_a_result_or_an_error_of_ours(
    response: Any, body: Any, choices: Any, error: Any, status: Any
) -> None:
    told = {"status_code": status, "body": {"choices": choices} if body is None else body}
    for held in (response, told):
        raw = json.dumps({"custom_id": "a", "response": held, "error": error}).encode()
        try:
            found = result(1, raw, "f")
        except InputError:
            continue
        assert (found.body is None) == bool(found.failure)
        assert found.at
        assert found.kind


# The whole way


def test_the_commands_make_the_round_trip_and_the_run_can_be_analysed(tmp_path: Path, here: Here) -> None:
    options = ("--model", "fake", "--persona-set", "three", "--limit", "4", "--repeats", "1", "--run", "run")
    told = here("batch", "write", *options, "--for", "vllm", "--out", "out", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["requests"] == 32
    lines = [json.loads(raw) for raw in (tmp_path / "out" / "run-0001.jsonl").read_text().splitlines()]
    half = results(tmp_path, [success(line["custom_id"]) for line in lines[:16]], name="half.jsonl")
    whole = results(tmp_path, [success(line["custom_id"]) for line in lines])
    read = here("batch", "read", str(half), "--run", "run")
    assert (read.returncode, "16 trials" in read.stdout) == (3, True)
    assert here("batch", "read", str(whole), "--run", "run").returncode == 0
    analysed = here("analyse", "run", "--json")
    assert analysed.returncode == 0, analysed.stderr
    manifest = json.loads((tmp_path / "runs" / "run" / "manifest.json").read_text())
    assert manifest["counts"]["answered"] == 32
    assert manifest["models"][0]["capabilities"]["server"] == "vLLM, as declared with --for, not probed"


def test_what_a_batch_answered_is_not_asked_online(tmp_path: Path) -> None:
    with FakeServer() as server:
        asked = {"model.base_url": server.address}
        done = written(tmp_path, None, **asked)
        reading.read(Path(done.folder), [results(tmp_path, [success(one["custom_id"]) for one in requests(done)[:6]])])
        outcome = asyncio.run(evaluate.evaluate(study_of(**asked), tmp_path / "runs"))
    assert (outcome.reused, outcome.asked, outcome.open) == (6, TRIALS - 6, 0)
