"""Asking: what is planned, what is asked again and what is not, and when to stop."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dilemmas import analysis, asking, cli, config, dataset, evaluate
from dilemmas import study as planning
from dilemmas.errors import (
    DilemmasError,
    InputError,
    RejectedError,
    SetupError,
    StoreError,
    TransientError,
    UnreachableError,
)
from dilemmas.flow.pool import Pool
from dilemmas.models import Request
from dilemmas.models.scripted import ScriptedModel
from dilemmas.personas.listed import built_in
from dilemmas.protocols import PARSER_VERSION
from dilemmas.resources import folder as shipped
from dilemmas.schema import BASELINE, Capabilities, ModelIdentity, Reply
from dilemmas.store import FILE, Store

Ask = Callable[..., tuple[evaluate.Outcome, Path]]
PER_CONDITION = 4 * 2 * 3
"""Dilemmas, questions and repeats of `scripted_run`."""


class Wayward(ScriptedModel):
    """The scripted model at a server, but what `fault` gives for the number of a request (from 1) is raised instead."""

    def __init__(self, fault: Callable[[int], Exception | None] = lambda number: None, name: str = "scripted") -> None:
        super().__init__()
        self.identity = ModelIdentity(name=name, revision="1")
        self.requests = 0
        self._fault = fault

    def serve(self, concurrency: int) -> None:
        self.capacity = concurrency
        self._pool = Pool([None], concurrency=concurrency, names=["http://server"], patience=0)

    async def ask(self, request: Request) -> Reply:
        async with self._pool.slot(request.about):
            self.requests += 1
            error = self._fault(self.requests)
            if error is not None:
                raise error
            return await super().ask(request)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Wayward], Wayward]:
    """Have every run ask this model."""

    def put(model: Wayward) -> Wayward:
        @asynccontextmanager
        async def opened(chosen: config.ModelConfig) -> AsyncIterator[ScriptedModel]:
            model.serve(chosen.concurrency if isinstance(chosen.concurrency, int) else 1)
            yield model

        monkeypatch.setattr(evaluate, "open_model", opened)
        return model

    return put


def passing(what: str = "busy", status: int | None = 503) -> TransientError:
    return TransientError(what, where="http://server", status=status, retry_after=0)


def gone() -> UnreachableError:
    return UnreachableError("nobody answers", where="http://server", retry_after=0)


def counted(outcome: evaluate.Outcome) -> tuple[int, int, int]:
    return outcome.reused, outcome.asked, outcome.open


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / FILE)) as db:
        return db.execute(query).fetchall()


def answers(folder: Path) -> dict[str, str]:
    return dict(rows(folder, "SELECT trial, reply FROM replies"))


def planned_trials(**settings: Any) -> list[evaluate.Planned]:
    chosen = config.load(None, {"model.name": "scripted", **settings})
    study = planning.prepare(chosen)
    found = asyncio.run(ScriptedModel().probe("reasoned"))
    asking = planning.asking_of(chosen.model, ScriptedModel.identity, "reasoned", found)
    trials = list(planning.plan(study, asking))
    assert len(trials) == study.size
    return trials


def test_the_plan_crosses_everything_and_keeps_alike_prompts_together() -> None:
    trials = [one.trial for one in planned_trials(persona_set="twelve", limit=24)]
    assert len(trials) == 13 * 24 * 2 * 3
    personas = [BASELINE.id, *(persona.id for persona in built_in()["twelve"])]
    items = [dilemma.id for dilemma in dataset.read(dataset.shipped_path()).dilemmas[:24]]
    expected = [
        (persona, item, question, repeat)
        for persona in personas
        for item in items
        for question in ("value", "action")
        for repeat in range(3)
    ]
    assert [(t.persona, t.item, t.question, t.repeat) for t in trials] == expected
    assert len({t.id for t in trials}) == len(trials)
    assert [message.role for message in trials[0].messages] == ["user"], "the baseline is the model as itself"
    assert [message.role for message in trials[-1].messages] == ["system", "user"]


def test_options_are_shown_in_the_order_of_their_codes() -> None:
    for one in planned_trials(persona_set="none", limit=2):
        prompt = one.trial.messages[-1].content
        assert len(one.options) == len(one.trial.order) == 6
        places = [prompt.index(f"{letter}. {text}") for letter, text in zip("ABCDEF", one.options, strict=True)]
        assert places == sorted(places)


def test_the_same_command_again_asks_nothing(scripted_run: Ask) -> None:
    first, folder = scripted_run()
    assert counted(first) == (0, 4 * PER_CONDITION, 0)
    before = answers(folder)
    second, _ = scripted_run()
    assert counted(second) == (4 * PER_CONDITION, 0, 0)
    assert answers(folder) == before


def test_progress_is_told_from_the_first_trial_to_the_last(tmp_path: Path) -> None:
    chosen = config.load(None, {"limit": 1, "persona_set": "none", "model.name": "scripted"})
    seen: list[tuple[int, int, int]] = []
    asyncio.run(evaluate.evaluate(planning.prepare(chosen), tmp_path, lambda outcome: seen.append(counted(outcome))))
    assert (seen[0], seen[-1]) == ((0, 0, 6), (0, 6, 0))
    assert seen == sorted(seen)


def test_a_run_grows_by_personas_dilemmas_and_models(scripted_run: Ask, use: Callable[[Wayward], Wayward]) -> None:
    use(Wayward())
    assert counted(scripted_run(persona_set="none")[0]) == (0, PER_CONDITION, 0)
    assert counted(scripted_run(persona_set="three")[0]) == (PER_CONDITION, 3 * PER_CONDITION, 0)
    assert counted(scripted_run(persona_set="max")[0]) == (2 * PER_CONDITION, 3 * PER_CONDITION, 0)
    assert counted(scripted_run(persona_set="none", limit=6)[0]) == (PER_CONDITION, PER_CONDITION // 2, 0)
    use(Wayward(name="another"))
    outcome, folder = scripted_run(persona_set="none")
    assert counted(outcome) == (0, PER_CONDITION, 0)
    with Store.reading(folder / FILE) as store:
        run = store.run()
        assert (
            store.counts()["planned"]
            == store.counts()["answered"] + store.counts()["refused"] + store.counts()["unreadable"]
        )
    assert run is not None
    assert run.persona_sets == ("none", "three", "max")
    assert [model.name for model in run.models] == ["another", "scripted"]
    assert sorted(analysis.analyse(folder).answers["model"].unique()) == ["another", "scripted"]


def test_a_setting_that_changes_no_answer_may_change(scripted_run: Ask) -> None:
    scripted_run()
    outcome, _ = scripted_run(scale="thirds", **{"model.concurrency": 3, "model.attempts": 1})
    assert counted(outcome) == (4 * PER_CONDITION, 0, 0)


@pytest.mark.parametrize(
    ("settings", "differs"),
    [
        ({"seed": 7}, r"seed \(20261121 / 7\)"),
        ({"orders": "fixed"}, r"orders \(williams / fixed\)"),
        ({"repeats": 2}, r"repeats \(3 / 2\)"),
        ({"prompt_style": "statements"}, r"prompt_style \(variables / statements\)"),
        ({"model.protocol": "logprob"}, r"protocol \(reasoned / logprob\)"),
        ({"model.sampling": {"temperature": 1.0}}, "sampling"),
        ({"model.persona_role": "user"}, r"persona_role \(system / user\)"),
        ({"model.send_seed": False}, r"send_seed \(True / False\)"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_other_settings_in_the_same_run_are_refused(scripted_run: Ask, settings: dict[str, Any], differs: str) -> None:
    _, folder = scripted_run(persona_set="none", limit=1)
    before = (folder / "manifest.json").read_bytes(), rows(folder, "SELECT * FROM trials")
    with pytest.raises(InputError, match=differs) as caught:
        scripted_run(persona_set="none", limit=1, **settings)
    assert '"run" exists with other settings' in caught.value.what
    assert "--run" in caught.value.fix
    assert before == ((folder / "manifest.json").read_bytes(), rows(folder, "SELECT * FROM trials"))


def test_another_dataset_or_other_templates_in_the_same_run_are_refused(
    scripted_run: Ask, write_lines: Callable[..., Path], record: dict[str, Any], tmp_path: Path
) -> None:
    scripted_run(persona_set="none", limit=1)
    with pytest.raises(InputError, match=r"dataset \(dilemmas\.jsonl \w{8} / mine\.jsonl \w{8}\)"):
        scripted_run(persona_set="none", limit=1, dataset=str(write_lines(record)))
    mine = tmp_path / "templates"
    shutil.copytree(shipped("templates"), mine)
    with (mine / "ask" / "question.j2").open("a") as stream:
        stream.write("Take your time.\n")
    with pytest.raises(InputError, match="templates_sha256"):
        scripted_run(persona_set="none", limit=1, templates=str(mine))


def test_a_refused_run_is_refused_before_the_model_is_opened(
    scripted_run: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted_run(persona_set="none", limit=1)
    monkeypatch.setattr(evaluate, "open_model", lambda chosen: pytest.fail("the model was opened"))
    with pytest.raises(InputError, match="seed"):
        scripted_run(persona_set="none", limit=1, seed=7)


def test_a_persona_id_never_changes_its_meaning(scripted_run: Ask, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[[persona]]\nid = "me"\ngrid = 1\n')
    scripted_run(persona_set=str(mine), limit=1)
    mine.write_text('[[persona]]\nid = "me"\ngrid = 2\n')
    with pytest.raises(StoreError, match='"me" stands for something else among the personas'):
        scripted_run(persona_set=str(mine), limit=1)


def test_the_same_words_are_asked_once_however_many_workers_there_are(
    scripted_run: Ask, use: Callable[[Wayward], Wayward], tmp_path: Path
) -> None:
    twins = tmp_path / "twins.toml"
    twins.write_text("".join(f'[[persona]]\nid = "{name}"\ngrid = 4711\n' for name in ("one", "two", "three")))
    model = use(Wayward())
    outcome, folder = scripted_run(persona_set=str(twins), limit=1, **{"model.concurrency": 24})
    assert model.asked == 12, "the baseline's six and the triplets' six"
    assert counted(outcome) == (12, 12, 0)
    with Store.reading(folder / FILE) as store:
        assert store.counts()["planned"] == 24
        assert store.counts()["open"] == 0


def test_a_passing_failure_is_tried_again_and_noted(scripted_run: Ask, use: Callable[[Wayward], Wayward]) -> None:
    faults = {3: passing("overloaded"), 4: passing("no reply in time", None), 9: gone()}
    model = use(Wayward(faults.get))
    outcome, folder = scripted_run(persona_set="none", limit=2)
    assert counted(outcome) == (0, 12, 0)
    assert outcome.stopped is None
    assert (outcome.failed_attempts, model.asked) == (3, 12)
    noted = rows(folder, "SELECT kind, status, message FROM attempts ORDER BY number")
    assert noted == [
        ("TransientError", 503, "overloaded"),
        ("TransientError", None, "no reply in time"),
        ("UnreachableError", None, "nobody answers"),
    ]
    assert len(set(rows(folder, "SELECT trial FROM attempts"))) == 2
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["counts"]["failed_attempts"] == 3


def test_a_trial_whose_attempts_are_used_up_stays_open_and_is_asked_next_time(
    scripted_run: Ask, use: Callable[[Wayward], Wayward], tmp_path: Path
) -> None:
    claims = []

    def fault(number: int) -> Exception | None:
        claims.extend(rows(tmp_path / "runs" / "run", "SELECT count(*) FROM claims"))
        return passing() if number in (4, 5, 6) else None

    model = use(Wayward(fault))
    outcome, folder = scripted_run(persona_set="none", limit=2, **{"model.attempts": 3})
    assert counted(outcome) == (0, 11, 1)
    assert outcome.stopped is None
    assert model.requests == 14
    assert claims == [(n,) for n in (12, 11, 10, 9, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1)], "claimed until each was asked"
    with Store.reading(folder / FILE) as store:
        assert (store.counts()["open"], store.counts()["planned"]) == (1, 12)
    use(Wayward())
    assert counted(scripted_run(persona_set="none", limit=2)[0]) == (11, 1, 0)


def test_scattered_failures_do_not_stop_a_run(scripted_run: Ask, use: Callable[[Wayward], Wayward]) -> None:
    use(Wayward(lambda number: passing() if number % 3 else None))
    outcome, _ = scripted_run()
    assert outcome.stopped is None
    assert counted(outcome) == (0, 4 * PER_CONDITION, 0)
    assert outcome.failed_attempts == 2 * outcome.asked


@pytest.mark.parametrize("workers", [1, 8])
def test_a_server_that_is_gone_is_not_asked_the_whole_queue(
    scripted_run: Ask, use: Callable[[Wayward], Wayward], workers: int
) -> None:
    model = use(Wayward(lambda number: gone() if number > 20 else None))
    outcome, folder = scripted_run(**{"model.concurrency": workers})
    assert isinstance(outcome.stopped, TransientError)
    assert "gave up after" in outcome.stopped.what
    assert "nobody answers" in outcome.stopped.what
    assert outcome.stopped.where == "http://server"
    assert "same command again" in outcome.stopped.fix
    assert outcome.asked == 20
    assert model.requests <= 20 + 5 + 2 * workers
    assert rows(folder, "SELECT count(*) FROM claims") == [(0,)]
    use(Wayward())
    assert counted(scripted_run()[0]) == (20, 4 * PER_CONDITION - 20, 0)


@pytest.mark.parametrize("workers", [1, 8])
def test_a_server_that_only_fails_is_not_asked_the_whole_queue(
    scripted_run: Ask, use: Callable[[Wayward], Wayward], workers: int
) -> None:
    model = use(Wayward(lambda number: passing()))
    outcome, _ = scripted_run(limit=24, persona_set="twelve", **{"model.concurrency": workers})
    assert outcome.stopped is not None
    assert "busy" in outcome.stopped.what
    assert outcome.asked == 0
    assert model.requests < outcome.planned / 4


def test_a_rejected_trial_is_set_aside_and_the_run_goes_on(
    scripted_run: Ask, use: Callable[[Wayward], Wayward]
) -> None:
    fault = RejectedError("too long", where="http://server", fix="Shorten it.", status=400)
    model = use(Wayward(lambda number: fault if number == 8 else None))
    outcome, folder = scripted_run()
    assert outcome.stopped is None
    assert (outcome.asked, outcome.set_aside, outcome.open) == (model.requests - 1, 1, 1), "it was repeated"
    assert rows(folder, "SELECT kind, status, message FROM attempts") == [("rejected", 400, "too long")]
    use(Wayward())
    assert counted(scripted_run()[0]) == (4 * PER_CONDITION - 1, 1, 0)


def test_requests_that_are_all_rejected_stop_the_run_and_one_is_named(
    scripted_run: Ask, use: Callable[[Wayward], Wayward]
) -> None:
    def fault(number: int) -> RejectedError:
        return RejectedError("too long", where="http://server", fix="Shorten it.", status=400)

    model = use(Wayward(fault))
    outcome, _ = scripted_run(**{"model.concurrency": 4})
    assert isinstance(outcome.stopped, RejectedError)
    assert model.requests < 20
    items = [dilemma.id for dilemma in dataset.read(dataset.shipped_path()).dilemmas[:24]]
    assert outcome.stopped.fix.startswith("Shorten it.")
    assert any(item in outcome.stopped.fix for item in items)
    assert "baseline" in outcome.stopped.fix


def test_a_fault_of_our_own_is_not_hidden_and_loses_nothing(
    scripted_run: Ask, use: Callable[[Wayward], Wayward], tmp_path: Path
) -> None:
    use(Wayward(lambda number: ZeroDivisionError("a bug") if number == 8 else None))
    with pytest.raises(ZeroDivisionError):
        scripted_run()
    folder = tmp_path / "runs" / "run"
    assert len(answers(folder)) == 7
    assert rows(folder, "SELECT count(*) FROM claims") == [(0,)]
    assert json.loads((folder / "manifest.json").read_text())["counts"]["open"] == 4 * PER_CONDITION - 7
    use(Wayward())
    assert counted(scripted_run()[0]) == (7, 4 * PER_CONDITION - 7, 0)


def test_a_server_that_cannot_do_what_the_protocol_needs_leaves_no_run(
    scripted_run: Ask, use: Callable[[Wayward], Wayward], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = use(Wayward())

    async def probe(protocol: str, *, noise: bool = False) -> Capabilities:
        return Capabilities()

    monkeypatch.setattr(model, "probe", probe)
    with pytest.raises(SetupError, match="log-probabilities"):
        scripted_run(**{"model.protocol": "logprob"})
    assert not (tmp_path / "runs").exists()


def test_waits_grow_are_bounded_and_follow_the_server() -> None:
    assert asking._pause(1, 3.0) == 3.0
    assert asking._pause(1, 86_400.0) == asking.LONGEST_WAIT
    for attempt in range(1, 20):
        longest = 0.5 * 2 ** (attempt - 1) * 1.3
        assert 0 < asking._pause(attempt, None) <= min(longest, asking.LONGEST_WAIT)


@pytest.fixture
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """The command line in this process, where the model can be another; gives the exit code."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["dilemmas", "evaluate", "--limit", "2", "--persona-set", "none", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0)

    yield run
    signal.signal(signal.SIGTERM, before)


def test_open_trials_give_exit_code_3_and_say_what_to_do(
    in_process: Callable[..., int],
    use: Callable[[Wayward], Wayward],
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(Wayward(lambda number: passing() if number in (4, 5, 6, 7) else None))
    assert in_process("--no-report") == 3
    said = capsys.readouterr()
    assert "0 answers reused, 11 asked" in said.out
    assert "1 left open" in said.out
    assert "same command again" in said.out + said.err
    use(Wayward())
    assert in_process("--no-report") == 0
    assert "11 answers reused, 1 asked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fault", "words"),
    [(gone(), "nobody answers"), (RejectedError("no such thing", status=404), "no such thing")],
    ids=["gone", "rejected"],
)
def test_a_stopped_run_gives_exit_code_2_and_keeps_what_it_has(
    in_process: Callable[..., int],
    use: Callable[[Wayward], Wayward],
    capsys: pytest.CaptureFixture[str],
    fault: DilemmasError,
    words: str,
) -> None:
    use(Wayward(lambda number: fault if number > 5 else None))
    assert in_process("--no-report") == 2
    said = capsys.readouterr()
    assert "5 asked" in said.out
    assert words in said.err
    assert "Traceback" not in said.err
    use(Wayward())
    assert in_process("--no-report") == 0
    assert "5 answers reused, 7 asked" in capsys.readouterr().out


def test_reading_again_asks_nothing_and_mends_old_readings(scripted_run: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = scripted_run()
    before = rows(folder, "SELECT * FROM responses ORDER BY trial")
    kept = rows(folder, "SELECT * FROM replies ORDER BY trial")
    with closing(sqlite3.connect(folder / FILE)) as db:  # as an older reader might have left them
        unread = '{"status":"unreadable","reason":"two letters"}'
        db.execute(
            "UPDATE responses SET parser = 0, status = 'unreadable', response = ? WHERE rowid % 4 = 0", (unread,)
        )
        changed = db.execute("SELECT changes()").fetchone()[0]
        db.commit()
    with Store.reading(folder / FILE) as store:
        assert store.oldest_parser() == 0
    monkeypatch.setattr(evaluate, "open_model", lambda chosen: pytest.fail("a model was opened"))
    found = evaluate.read_again(folder)
    assert 0 < found <= changed
    assert rows(folder, "SELECT * FROM responses ORDER BY trial") == before
    assert rows(folder, "SELECT * FROM replies ORDER BY trial") == kept
    assert evaluate.read_again(folder) == 0


def test_a_new_reader_changes_readings_and_not_replies(scripted_run: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = scripted_run()
    kept = rows(folder, "SELECT * FROM replies ORDER BY trial")
    reader = evaluate.PROTOCOLS["reasoned"]
    old = reader.read

    def stricter(reply: Reply, order: tuple[str, ...], texts: tuple[str, ...]) -> Any:
        response = old(reply, order, texts)
        return type(response)(status="unreadable", reason="A is not read") if response.letter == "A" else response

    monkeypatch.setattr(reader, "read", stricter)
    monkeypatch.setattr(evaluate, "PARSER_VERSION", PARSER_VERSION + 1)
    letters_a = rows(folder, "SELECT count(*) FROM responses WHERE json_extract(response, '$.letter') = 'A'")
    assert [(evaluate.read_again(folder),)] == letters_a
    with Store.reading(folder / FILE) as store:
        assert store.oldest_parser() == PARSER_VERSION + 1
    assert rows(folder, "SELECT * FROM replies ORDER BY trial") == kept


def test_the_command_reads_again(scripted_run: Ask, command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    _, folder = scripted_run()
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.execute("UPDATE responses SET parser = 0, status = 'refused', response = '{\"status\":\"refused\"}'")
        db.commit()
    result = command("analyse", "run", "--reparse", "--json")
    assert result.returncode == 0, result.stderr
    assert "read differently now" in result.stderr
    counts = json.loads(result.stdout)["counts"]
    assert counts["answered"] > 0.9 * counts["planned"]


def written(folder: Path) -> dict[str, bytes]:
    analysis.save(analysis.analyse(folder), folder)
    files = [*sorted((folder / "tables").glob("*.csv")), folder / "analysis.json"]
    return {path.name: path.read_bytes() for path in files}


def test_the_same_study_gives_the_same_bytes_also_when_interrupted(tmp_path: Path) -> None:
    def study(**settings: Any) -> planning.Study:
        return planning.prepare(config.load(None, {"name": "run", "limit": 24, "model.name": "scripted", **settings}))

    async def interrupted(runs: Path) -> None:
        task = asyncio.current_task()
        assert task is not None

        def stop_in_the_middle(outcome: evaluate.Outcome) -> None:
            if outcome.asked >= 777:
                task.cancel()

        await evaluate.evaluate(study(), runs, stop_in_the_middle)

    first = asyncio.run(evaluate.evaluate(study(), tmp_path / "first"))
    assert counted(first) == (0, 24 * 13 * 2 * 3, 0)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted(tmp_path / "second"))
    second = asyncio.run(evaluate.evaluate(study(**{"model.concurrency": 5}), tmp_path / "second"))
    assert second.open == 0
    assert 777 <= second.reused < first.planned
    wanted = written(tmp_path / "first" / "run")
    assert {"answers.csv", "effects.csv", "levels.csv", "analysis.json"} <= wanted.keys()
    assert written(tmp_path / "second" / "run") == wanted
    manifest = json.loads((tmp_path / "first" / "run" / "manifest.json").read_text())
    assert manifest["counts"]["planned"] == 24 * 13 * 2 * 3


def test_the_manifest_says_what_was_asked_of_whom(scripted_run: Ask) -> None:
    _, folder = scripted_run(persona_set="three")
    text = (folder / "manifest.json").read_text()
    manifest = json.loads(text)
    Draft202012Validator(json.loads((shipped("schemas") / "run.json").read_text())).validate(manifest)
    with Store.reading(folder / FILE) as store:
        run = store.run()
        assert run is not None
        assert json.loads(run.model_dump_json()) == manifest
        assert store.counts() == manifest["counts"]
    shown = dataset.read(dataset.shipped_path())
    assert manifest["dataset"]["sha256"] == shown.sha256
    assert manifest["dataset"]["unreviewed"] == len(shown.dilemmas)
    assert manifest["persona_sets"] == ["three"]
    assert manifest["design"]["orders"] == "williams"
    assert manifest["design"]["repeats"] == 3
    assert manifest["design"]["seed"] == 20261121
    assert len(manifest["design"]["templates_sha256"]) == 64
    (model,) = manifest["models"]
    assert (model["name"], model["protocol"], model["mode"]) == ("scripted", "reasoned", "json_schema")
    assert model["sampling"] == {"temperature": 0.2, "top_p": 0.95, "top_k": 64, "max_tokens": 512}
    assert "script" in manifest["caveat"]
    assert {"dilemmas", "python", "sqlite", "numpy"} <= manifest["versions"].keys()
    assert str(folder.parent) not in text, "a path of this machine"


@pytest.mark.parametrize("blocked", ["runs", "runs/run", "runs/run/manifest.json"])
def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]], blocked: str
) -> None:
    place = tmp_path / blocked
    place.parent.mkdir(parents=True, exist_ok=True)
    if blocked.endswith("json"):
        place.mkdir()
    else:
        place.write_text("in the way")
    result = command(
        "evaluate", "--model", "scripted", "--limit", "1", "--persona-set", "none", "--run", "run", "--no-report"
    )
    assert result.returncode == 2
    assert blocked in result.stderr
    assert "Traceback" not in result.stderr
    assert "place" in result.stderr
    assert place.is_dir() or place.read_text() == "in the way"
    assert list(tmp_path.rglob(".*")) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--model", "scripted", "--limit", "1", "--persona-set", "none"),
        ("analyse", "run"),
        ("report", "run"),
        ("list", "runs"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_impossible_path_is_an_error_and_not_a_crash(
    command: Callable[..., subprocess.CompletedProcess[str]], arguments: tuple[str, ...]
) -> None:
    result = command(*arguments, "--runs-dir", "x" * 300)
    assert "Traceback" not in result.stderr
    assert result.returncode == 2
    assert "xxx" in result.stderr


def test_settings_that_never_brought_an_answer_bind_nobody(scripted_run: Ask, tmp_path: Path) -> None:
    (tmp_path / "mine" / "ask").mkdir(parents=True)
    template = tmp_path / "mine" / "ask" / "action.j2"
    template.write_text("{{ nope }}", encoding="utf-8")
    with pytest.raises(InputError, match="nope"):
        scripted_run(templates=str(tmp_path / "mine"))
    with pytest.raises(InputError, match="no trial yet"):
        analysis.analyse(tmp_path / "runs" / "run")
    template.write_text("And now?", encoding="utf-8")
    outcome, _ = scripted_run(templates=str(tmp_path / "mine"), persona_set="none")
    assert (outcome.asked, outcome.open) == (PER_CONDITION, 0)
    with pytest.raises(InputError, match="templates"):
        scripted_run(persona_set="none")


def test_failed_attempts_outlive_the_same_command_again(scripted_run: Ask, use: Callable[[Wayward], Wayward]) -> None:
    use(Wayward(lambda number: UnreachableError("nobody answers")))
    outcome, folder = scripted_run(persona_set="none", limit=1)
    assert outcome.asked == 0
    use(Wayward())
    again, _ = scripted_run(persona_set="none", limit=1)
    assert again.open == 0
    with Store.reading(folder / FILE) as store:
        assert store.counts()["failed_attempts"] == outcome.failed_attempts > 0


def test_a_run_keeps_its_scale_until_another_is_named(scripted_run: Ask) -> None:
    def scale() -> str:
        return analysis.analyse(folder).scale

    _, folder = scripted_run(persona_set="none", scale="thirds")
    assert scale() == "thirds"
    scripted_run(persona_set="none")
    assert scale() == "thirds"
    scripted_run(persona_set="none", scale="even")
    assert scale() == "even"


def test_a_plan_counts_its_own_answers_and_refuses_another_dataset(scripted_run: Ask, tmp_path: Path) -> None:
    scripted_run(persona_set="three")
    runs = tmp_path / "runs"

    def plan(**settings: Any) -> dict[str, Any]:
        given = {"name": "run", "limit": 4, "persona_set": "none", "model.name": "scripted", **settings}
        chosen = config.load(None, given)
        return planning.plan_summary(planning.prepare(chosen), chosen.model, runs)

    assert plan()["answered"] == PER_CONDITION
    assert plan(limit=2)["answered"] == PER_CONDITION // 2
    assert plan(persona_set="max")["answered"] == 2 * PER_CONDITION
    with pytest.raises(InputError, match="seed"):
        plan(seed=1)


def test_answers_of_another_run_are_taken_over_where_the_trial_is_the_same(
    tmp_path: Path, use: Callable[[Wayward], Wayward]
) -> None:
    def ask(run: str, reuse: tuple[str, ...] = (), **settings: Any) -> tuple[evaluate.Outcome, Path]:
        chosen = config.load(None, {"name": run, "limit": 4, "model.name": "scripted", **settings})
        others = [tmp_path / other for other in reuse]
        outcome = asyncio.run(evaluate.evaluate(planning.prepare(chosen), tmp_path, reuse=others))
        return outcome, tmp_path / run

    use(Wayward())
    _, first = ask("first", persona_set="max")
    model = use(Wayward())
    outcome, second = ask("second", ("first",), persona_set="three", limit=5)
    taken = 2 * PER_CONDITION
    assert counted(outcome) == (taken, 5 * 4 * 2 * 3 - taken, 0)
    assert model.asked == outcome.asked
    shared = answers(first).items() & answers(second).items()
    assert len(shared) == taken
    assert rows(second, "SELECT count(*) FROM claims") == [(0,)]
    model = use(Wayward())
    assert counted(ask("third", ("second",), persona_set="max", seed=7)[0]) == (0, 5 * PER_CONDITION, 0), (
        "other prompts"
    )
    with pytest.raises(InputError, match="reuse itself"):
        ask("second", ("second",), persona_set="three", limit=5)
    with pytest.raises(StoreError, match="no such run"):
        ask("fourth", ("nowhere",))


def test_a_stop_ends_the_plan_too_and_leaves_nothing_claimed(
    scripted_run: Ask, use: Callable[[Wayward], Wayward]
) -> None:
    def fault(number: int) -> RejectedError | None:
        return RejectedError("no such key", status=401) if number > 3 else None

    model = use(Wayward(fault))
    outcome, folder = scripted_run(limit=24, persona_set="twelve")
    assert isinstance(outcome.stopped, RejectedError)
    assert model.requests == 4
    assert rows(folder, "SELECT count(*) FROM claims") == [(0,)]
    assert rows(folder, "SELECT count(*) FROM trials")[0][0] < outcome.planned / 4
    assert outcome.open == outcome.planned - 3
    found = analysis.analyse(folder)
    assert (found.answers["status"] == "open").sum() == outcome.open, "what was never planned is open, not absent"


def test_twins_share_their_attempts(scripted_run: Ask, use: Callable[[Wayward], Wayward], tmp_path: Path) -> None:
    twins = tmp_path / "twins.toml"
    twins.write_text("".join(f'[[persona]]\nid = "{name}"\ngrid = 4711\n' for name in ("one", "two", "three")))
    model = use(Wayward(lambda number: passing() if number > 6 else None))
    outcome, _ = scripted_run(persona_set=str(twins), limit=1, **{"model.attempts": 2})
    assert counted(outcome) == (0, 6, 18)
    assert outcome.set_aside == 18
    assert model.requests == 6 + 6 * 2


def test_a_run_that_was_answered_before_is_not_stopped_by_refused_items(
    scripted_run: Ask, use: Callable[[Wayward], Wayward]
) -> None:
    use(Wayward())
    scripted_run(persona_set="none", limit=1)
    use(Wayward(lambda number: RejectedError("filtered", status=400) if number <= 24 else None))
    outcome, _ = scripted_run(persona_set="none", limit=12)
    assert outcome.stopped is None
    assert (outcome.asked, outcome.set_aside) == (11 * 6 - 24, 24)


def test_a_damaged_run_is_not_reused(tmp_path: Path, use: Callable[[Wayward], Wayward]) -> None:
    def ask(run: str, *reuse: Path) -> evaluate.Outcome:
        chosen = config.load(None, {"name": run, "limit": 1, "persona_set": "none", "model.name": "scripted"})
        return asyncio.run(evaluate.evaluate(planning.prepare(chosen), tmp_path, reuse=reuse))

    use(Wayward())
    ask("damaged")
    with closing(sqlite3.connect(tmp_path / "damaged" / FILE)) as db:
        db.execute("UPDATE replies SET reply = '{'")
        db.commit()
    stopped = ask("new", tmp_path / "damaged").stopped
    assert isinstance(stopped, StoreError)
    assert "no run of this version" in stopped.what
    assert str(tmp_path / "damaged") in stopped.where
    assert answers(tmp_path / "new") == {}
