"""Prompts for other harnesses are ours word for word, and their logs are read as our own replies are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import plan_of
from harnesses import FEW_DRAWS, same, study_of

from dilemmas import analysis, responses
from dilemmas.errors import InputError
from dilemmas.harness import samples as sampling
from dilemmas.harness import writing
from dilemmas.harness.writing import Harness, write
from dilemmas.models.completions import sampling_fields
from dilemmas.release.layout import CANARY
from dilemmas.schema import ProtocolName, Reply, Sampling
from dilemmas.store import FILE, Store

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Line = dict[str, Any]
HARNESSES: tuple[Harness, ...] = ("inspect", "lm-eval")
ENDS = {"length": "max_tokens", "": "unknown"}


def lines(folder: Path) -> list[Line]:
    return [json.loads(line) for line in (folder / writing.SAMPLES).read_text(encoding="utf-8").split("\n") if line]


def inspect_log(path: Path, asked: list[Line], replies: list[Reply | None]) -> Path:
    """A log as Inspect 0.3.285 writes it, of the fields that matter."""
    found = []
    for line, reply in zip(asked, replies, strict=True):
        entry: Line = {"id": line["id"], "epoch": 1, "input": line["input"], "metadata": line["metadata"]}
        if reply is None:
            entry |= {"messages": [], "output": {"choices": []}, "error": {"message": "no route to host"}}
        else:
            content: Any = reply.text
            if reply.refusal or reply.reasoning:
                said = {"type": "text", "text": reply.refusal or reply.text, "refusal": bool(reply.refusal) or None}
                content = [{"type": "reasoning", "reasoning": reply.reasoning}, said]
            choice: Line = {
                "message": {"role": "assistant", "content": content},
                "stop_reason": ENDS.get(reply.finish_reason, reply.finish_reason),
            }
            if reply.top_tokens:
                top = [one.model_dump() for one in reply.top_tokens]
                choice["logprobs"] = {"content": [{**top[0], "top_logprobs": [*top, {"token": "", "logprob": None}]}]}
            entry["messages"] = [*line["input"], choice["message"]]
            entry["output"] = {"choices": [choice], "usage": {"input_tokens": 3, "output_tokens": 4}}
        found.append(entry)
    log = {"version": 2, "eval": {"model": "lab/m", "config": {"epochs": 1}}, "samples": found}
    path.write_text(json.dumps(log, indent=1), encoding="utf-8")
    return path


def lm_eval_log(path: Path, asked: list[Line], replies: list[Reply]) -> Path:
    """A file of samples as lm-eval 0.4.13 writes it, of the fields that matter."""
    entries = [
        {
            "doc_id": number,
            "doc": line,
            "arguments": {"gen_args_0": {"arg_0": [json.dumps(line["input"])], "arg_1": {"until": []}}},
            "resps": [[reply.text]],
        }
        for number, (line, reply) in enumerate(zip(asked, replies, strict=True))
    ]
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in entries), encoding="utf-8")
    path.with_name("results_T.json").write_text('{"model_name": "lab/m"}', encoding="utf-8")
    return path


@pytest.fixture
def asked(tmp_path: Path) -> list[Line]:
    """The prompts of one dilemma, once, as four personas."""
    write(study_of(limit=1), "inspect", "reasoned", tmp_path / "one")
    return lines(tmp_path / "one")


def read(path: Path, **options: Any) -> pd.DataFrame:
    return responses.read(path, **options).frame


@pytest.mark.parametrize("harness", HARNESSES)
@pytest.mark.parametrize("settings", [{}, {"prompt_style": "statements", "orders": "random", "repeats": 2, "seed": 5}])
def test_the_prompts_are_those_of_our_plan(tmp_path: Path, harness: Harness, settings: Line) -> None:
    given = {"limit": 3, "persona_set": "three", **settings}
    write(study_of(**{"repeats": 3, **given}), harness, "reasoned", tmp_path / "task")
    plan = plan_of(**given)
    found = lines(tmp_path / "task")
    assert len(found) == len(plan) == found[0]["metadata"]["prompts"]
    assert len({one["id"] for one in found}) == len(found)
    for one, planned in zip(found, plan, strict=True):
        trial, about = planned.trial, one["metadata"]
        assert one["input"] == [message.model_dump() for message in trial.messages]
        assert (about["order"], about["options"]) == ([*trial.order], [*planned.options])
        names = ("persona", "item", "question", "repeat", "seed")
        assert [about[name] for name in names] == [getattr(trial, name) for name in names]


@pytest.mark.parametrize("harness", HARNESSES)
def test_a_folder_stands_by_itself_and_is_marked_but_in_no_prompt(tmp_path: Path, harness: Harness) -> None:
    write(study_of(limit=1), harness, "reasoned", tmp_path / "task")
    texts = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "task").iterdir()}
    own = set() if harness == "inspect" else {"dilemmas.yaml", "dilemmas_schema.yaml"}
    assert texts.keys() == {writing.SAMPLES, writing.STUDY, writing.TASK} | own
    assert all(CANARY in text for text in texts.values())
    assert not re.search(r"^\s*(from|import) dilemmas", texts[writing.TASK], re.MULTILINE)
    compile(texts[writing.TASK], writing.TASK, "exec")
    found = lines(tmp_path / "task")
    assert not any("canary" in json.dumps(one["input"]).lower() for one in found)
    assert {one["canary"] for one in found} == {CANARY}


def test_the_sampling_is_that_of_a_run(tmp_path: Path) -> None:
    for harness in HARNESSES:
        write(study_of(limit=1), harness, "reasoned", tmp_path / harness)
    wanted = sampling_fields(Sampling())
    study = json.loads((tmp_path / "inspect" / writing.STUDY).read_text(encoding="utf-8"))
    assert (study["sampling"], study["top_logprobs"]) == (wanted, None)
    assert study["reply_schema"] == sampling.schema()
    yaml = (tmp_path / "lm-eval" / "dilemmas.yaml").read_text(encoding="utf-8")
    sent = json.loads(yaml.split("generation_kwargs: ")[1])
    assert sent == {"until": [], "do_sample": True, "max_gen_toks": wanted.pop("max_tokens"), **wanted}


def test_the_same_study_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(study_of(limit=2), "lm-eval", "reasoned", tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="there already"):
        write(study_of(limit=1), "inspect", "reasoned", tmp_path / "there")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "samples", full)
    with pytest.raises(InputError, match="No space left"):
        write(study_of(limit=1), "inspect", "reasoned", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize(
    ("harness", "protocol"), [("inspect", "reasoned"), ("inspect", "logprob"), ("lm-eval", "reasoned")]
)
def test_a_log_of_a_runs_replies_comes_to_what_the_run_comes_to(
    tmp_path: Path, scripted_run: Callable[..., tuple[Any, Path]], harness: Harness, protocol: ProtocolName
) -> None:
    settings = {"limit": 4, "repeats": 3}
    _, folder = scripted_run(**settings, **{"model.protocol": protocol})
    ours = analysis.analyse(folder, settings=FEW_DRAWS)
    with Store.reading(folder / FILE) as store:
        reply = {one.trial: one.reply for one in store.replies()}
        keys = [(*cell[1:4], cell[5]) for cell in store.cells()]
        of = {key: reply[cell[6]] for key, cell in zip(keys, store.cells(), strict=True)}
    write(study_of(**settings), harness, protocol, tmp_path / "task")
    asked = lines(tmp_path / "task")
    abouts = [one["metadata"] for one in asked]
    replies = [of[one["persona"], one["item"], one["question"], one["repeat"]] for one in abouts]
    if harness == "inspect":
        log = inspect_log(tmp_path / "log.json", asked, [*replies])
    else:
        log = lm_eval_log(tmp_path / "samples_dilemmas_T.jsonl", asked, replies)
    theirs = analysis.analyse_responses(log, settings=FEW_DRAWS)
    same(ours, theirs)
    assert set(theirs.answers["model"]) == {"lab/m"}
    shared = ["persona", "item", "question", "repeat", "status", "code", "letter", "score", "vote", "mass", "order"]
    left, right = (
        one.answers[shared].sort_values(shared[:4], ignore_index=True).fillna({"code": "", "letter": ""})
        for one in (ours, theirs)
    )
    pd.testing.assert_frame_equal(left, right, check_dtype=False)


def test_what_came_back_keeps_its_status(tmp_path: Path, asked: list[Line]) -> None:
    replies = [
        Reply(text='{"reasoning": "x", "answer": "B"}', reasoning="hm", finish_reason="stop"),
        Reply(text="", refusal="I will not.", finish_reason="stop"),
        Reply(text='{"reasoning": "x', finish_reason="length"),
        Reply(text="", finish_reason="content_filter"),
        Reply(text="", finish_reason="stop"),
        None,
        Reply(text="<think>A?</think>C", finish_reason=""),
        Reply(text="A or B", finish_reason="stop"),
    ]
    keys = [(one["metadata"]["persona"], one["metadata"]["question"]) for one in asked]
    found = read(inspect_log(tmp_path / "log.json", asked, replies))
    found = found.set_index(["persona", "question"]).loc[keys].reset_index()
    assert [*found["status"]] == [
        "answered", "refused", "unreadable", "refused", "unreadable", "open", "answered", "unreadable",
    ]  # fmt: skip
    assert found["letter"][0] == "B"
    assert found["code"][0] == asked[0]["metadata"]["order"][1]
    assert found["reason"][1:3].tolist() == ["I will not.", "cut off: the reply reached its longest length"]
    assert found["reason"][5] == "no route to host"
    assert found["score"].notna().tolist() == [status == "answered" for status in found["status"]]


def test_the_scale_can_be_chosen_and_the_grades_cannot(tmp_path: Path, asked: list[Line]) -> None:
    mild = [
        Reply(text=f'{{"answer": "{"ABCDEF"[one["metadata"]["order"].index(code)]}"}}')
        for one in asked
        for code in ["agree" if one["metadata"]["question"] == "value" else "aligned-moderate"]
    ]
    path = lm_eval_log(tmp_path / "samples_dilemmas_T.jsonl", asked, mild)
    assert set(read(path)["score"]) == {0.6}
    assert set(read(path, scale="thirds")["score"]) == {2 / 3}
    with pytest.raises(InputError, match="six grades"):
        read(path, points=4)


def test_notes_tell_what_a_log_does_not_have(tmp_path: Path, asked: list[Line]) -> None:
    path = lm_eval_log(tmp_path / "samples_dilemmas_T.jsonl", asked[:3], [Reply(text="A")] * 3)
    (tmp_path / "results_T.json").unlink()
    found = responses.read(path)
    assert "the log has 3 of the study's 8 prompts" in found.notes
    assert any("names the model" in note for note in found.notes)
    assert set(found.frame["model"]) == {"model"}


def test_a_prompt_that_a_chat_template_put_into_a_text_is_known_again(tmp_path: Path, asked: list[Line]) -> None:
    path = lm_eval_log(tmp_path / "samples_dilemmas_T.jsonl", asked, [Reply(text="A")] * 8)
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for one in entries:
        said = "".join(f"<|{m['role']}|>{m['content']}<|end|>" for m in one["doc"]["input"])
        one["arguments"]["gen_args_0"]["arg_0"] = said
    path.write_text("".join(json.dumps(one) + "\n" for one in entries), encoding="utf-8")
    assert [*read(path)["letter"]] == ["A"] * 8
    entries[0]["arguments"]["gen_args_0"]["arg_0"] = "Question: which?"
    path.write_text("".join(json.dumps(one) + "\n" for one in entries), encoding="utf-8")
    with pytest.raises(InputError, match="other words"):
        read(path)


def spoilt(change: Callable[[Line], Any]) -> Callable[[Path, list[Line]], Path]:
    def write_it(folder: Path, asked: list[Line]) -> Path:
        path = inspect_log(folder / "log.json", asked, [Reply(text="A")] * len(asked))
        log = json.loads(path.read_text(encoding="utf-8"))
        change(log)
        path.write_text(json.dumps(log), encoding="utf-8")
        return path

    return write_it


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda log: log["samples"].append(log["samples"][0]), "twice"),
        (lambda log: log["samples"][1]["messages"].insert(0, {"role": "system", "content": "Be nice."}), "other words"),
        (
            lambda log: log["samples"][1]["messages"].insert(1, {"role": "assistant", "content": "A, always."}),
            "other words",
        ),
        (lambda log: log["samples"][1]["messages"][0].update(role="tool"), "other words"),
        (lambda log: log["eval"]["config"].update(epochs=2), "--epochs"),
        (lambda log: log["samples"][1]["metadata"].update(topic="Religion"), "its dilemma is told otherwise"),
        (lambda log: log["samples"][1]["metadata"].update(prompts=9), "its study is told otherwise"),
        (lambda log: log["samples"][1]["metadata"].update(order=["a", "b"]), "options that its question does not have"),
        (lambda log: log["samples"][1]["metadata"].update(persona="somebody"), "the baseline"),
        (lambda log: log["samples"][1].pop("metadata"), "no log of these dilemmas"),
        (lambda log: log.pop("samples"), "no log of these dilemmas"),
        (lambda log: log["samples"].clear(), "holds no reply"),
    ],
)
def test_a_log_that_is_not_of_one_study_is_refused(
    tmp_path: Path, asked: list[Line], change: Callable[[Line], Any], words: str
) -> None:
    with pytest.raises(InputError) as told:
        read(spoilt(change)(tmp_path, asked))
    assert words in str(told.value)
    assert str(tmp_path / "log.json") in told.value.where


@pytest.mark.parametrize("text", ["{", '{"results": {}}\n', '{"doc": {}}\n', '{"doc": 1}\nnothing\n', "{" * 10_000])
def test_what_is_no_log_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as told:
        read(path)
    assert "export --to" in told.value.fix


def test_an_archive_is_refused_unopened(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    path.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(InputError, match="archive") as told:
        read(path)
    assert "inspect log dump log.eval > log.json" in told.value.fix


def test_export_and_analyse_from_the_command_line(here: Command, tmp_path: Path, asked: list[Line]) -> None:
    source = str(Path(__file__).parent.parent / "dataset" / "dilemmas.jsonl")
    done = here("export", source, "--to", "inspect", "--limit", "1", "--repeats", "1", "--persona-set", "three",
                "--out", "task")  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "8 prompts in task")
    assert lines(tmp_path / "task") == asked
    path = inspect_log(tmp_path / "log.json", asked, [Reply(text="A")] * 8)
    done = here("analyse", "--responses", str(path), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["counts"]["answered"], found["scale"]) == (8, "even")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--format"),
        (("--format", "csv", "--to", "inspect"), "two exports"),
        (("--format", "csv", "--limit", "3"), "--limit"),
        (("--to", "inspect", "--prompts", "--out", "x"), "--prompts"),
        (("--to", "inspect"), "--out"),
        (("--to", "lm-eval", "--protocol", "logprob", "--out", "x"), "log-probabilities"),
        (("--to", "helm", "--out", "x"), "helm"),
    ],
)
def test_options_that_do_not_go_together_are_named(here: Command, options: tuple[str, ...], words: str) -> None:
    source = str(Path(__file__).parent.parent / "dataset" / "dilemmas.jsonl")
    done = here("export", source, *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert not Path("x").exists()
