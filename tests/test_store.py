"""The store keeps what it acknowledged, whatever happens to the process, the file or the disk."""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dilemmas.errors import StoreError
from dilemmas.schema import DatasetUsed, Design, Message, ModelIdentity, Reply, Response, Run, Sampling, Trial
from dilemmas.store import FILE, STORE_VERSION, Planned, Store

CODES = ("one", "two")
OPTIONS = ("I go.", "I stay.")
TIMEOUT = 60


def planned(number: int, persona: str = "baseline") -> Planned:
    trial = Trial(
        model=ModelIdentity(name="m"),
        persona=persona,
        item=f"item-{number}",
        question="value",
        side="stated",
        repeat=0,
        order=CODES,
        protocol="reasoned",
        mode="free",
        sampling=Sampling(),
        seed=None,
        messages=(Message(role="system", content="Be yourself."), Message(role="user", content=f"Question {number}?")),
    )
    return Planned(trial, OPTIONS)


TRIALS = [planned(number) for number in range(8)]
IDS = [one.trial.id for one in TRIALS]


def outcome(words: str = "B") -> tuple[Reply, Response]:
    if words == "no":
        return Reply(text=words), Response(status="refused", reason="said no")
    return Reply(text=words, finish_reason="stop"), Response(status="answered", code="two", letter="B")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / FILE


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.writing(path) as opened:
        opened.add_trials(TRIALS)
        yield opened


def replies(path: Path) -> dict[str, str]:
    with Store.reading(path) as store:
        return {stored.trial: stored.reply.text for stored in store.replies()}


def test_the_file_is_as_safe_as_sqlite_can_make_it(store: Store, path: Path) -> None:
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA application_id").fetchone()[0] == int.from_bytes(b"dile", "big")
        assert db.execute("PRAGMA user_version").fetchone()[0] == STORE_VERSION
        tables = [row for row in db.execute("PRAGMA table_list") if row[0] == "main" and row[1] != "sqlite_schema"]
        assert {row[1] for row in tables} >= {"trials", "cells", "replies", "responses", "attempts", "claims"}
        assert all(row[5] == 1 for row in tables), "not STRICT"


def test_an_earlier_outcome_stays(store: Store, path: Path) -> None:
    store.put(IDS[0], *outcome("first"), 1)
    store.put(IDS[0], *outcome("no"), 1)
    assert replies(path) == {IDS[0]: "first"}
    counts = store.counts()
    assert (counts["answered"], counts["refused"], counts["open"]) == (1, 0, len(IDS) - 1)


def test_what_is_stored_comes_back(store: Store) -> None:
    store.put(IDS[3], *outcome("B"), 1)
    (stored,) = store.replies()
    assert (stored.trial, stored.protocol, stored.order, stored.options) == (IDS[3], "reasoned", CODES, OPTIONS)
    assert store.messages(IDS[3]) == TRIALS[3].trial.messages
    assert store.answered() == {IDS[3]}
    assert [cell[6] for cell in store.cells() if cell[7] is not None] == [IDS[3]]


def test_replies_have_the_place_of_their_question_whenever_they_came(store: Store) -> None:
    for trial in (IDS[5], IDS[0], IDS[3]):
        store.put(trial, *outcome(f"to {trial}"), 1)
    assert [(stored.trial, stored.number) for stored in store.replies()] == [(IDS[at], at + 1) for at in (0, 3, 5)]
    found = store.replies_to([IDS[3], IDS[0], IDS[1], "unknown"])
    assert {trial: reply.text for trial, reply in found.items()} == {one: f"to {one}" for one in (IDS[3], IDS[0])}
    assert store.replies_to([]) == {}


def test_a_reply_to_an_unknown_trial_is_refused_whole(store: Store, path: Path) -> None:
    with pytest.raises(StoreError):
        store.put("0" * 64, *outcome(), 1)
    store.put(IDS[0], *outcome(), 1)
    assert list(replies(path)) == [IDS[0]]


def test_the_same_words_as_another_persona_share_the_trial_and_keep_their_cells(store: Store) -> None:
    twin = planned(0, persona="twin")
    assert twin.trial.id == IDS[0]
    store.add_trials([twin, twin])
    store.put(IDS[0], *outcome(), 1)
    assert store.counts()["planned"] == len(IDS) + 1
    assert store.counts()["answered"] == 2
    assert [cell[1] for cell in store.cells() if cell[6] == IDS[0]] == ["baseline", "twin"]
    assert store.answered_among("m", ["baseline", "twin", "other"], ["item-0"], 1) == 2
    assert store.answered_among("m", ["twin"], ["item-1"], 1) == store.answered_among("m", ["twin"], ["item-0"], 0) == 0


def test_failed_attempts_are_counted_and_answer_nothing(store: Store) -> None:
    store.put_attempt(IDS[0], "TransientError", 503, "overloaded")
    store.put_attempt(IDS[0], "UnreachableError", None, "nobody answers")
    counts = store.counts()
    assert (counts["failed_attempts"], counts["open"]) == (2, len(IDS))


def test_an_id_never_changes_its_meaning(store: Store) -> None:
    store.add_records("items", [("a", "{1}"), ("b", "{2}")])
    store.add_records("items", [("a", "{1}")])
    with pytest.raises(StoreError, match='"b" stands for something else among the items'):
        store.add_records("items", [("c", "{3}"), ("b", "{4}")])
    assert store.records("items") == {"a": "{1}", "b": "{2}"}, "half of a refused list was kept"


def test_new_readings_replace_the_old_ones_and_nothing_else(store: Store, path: Path) -> None:
    store.put(IDS[0], *outcome("first"), 1)
    assert store.oldest_parser() == 1
    store.read_again([(IDS[0], Response(status="unreadable", reason="two letters"))], 2)
    assert (store.counts()["unreadable"], store.counts()["answered"], store.oldest_parser()) == (1, 0, 2)
    assert replies(path) == {IDS[0]: "first"}


def test_the_manifest_is_changed_without_a_gap(store: Store) -> None:
    run = Run(
        name="r",
        created="",
        updated="",
        caveat="",
        design=Design(
            orders="fixed", repeats=1, seed=0, prompt_style="variables", templates_sha256="0" * 64, scale="even"
        ),
        dataset=DatasetUsed(name="d.jsonl", sha256="0" * 64, dilemmas=1, unreviewed=1),
        persona_sets=(),
        models=(),
        versions={},
        counts={},
    )
    assert store.run() is None
    store.update_run(lambda old: run)

    def fail(old: Run | None) -> Run:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.update_run(fail)
    assert store.run() == run


class Life(RuleBasedStateMachine):
    """A store and a dict live through the same events."""

    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="store-life-"))
        self.lives = 0
        self.kept: dict[str, str] = {}
        self.claimed: set[str] = set()
        self._open(self.place / "0")

    def _open(self, folder: Path) -> None:
        self.path = folder / FILE
        self.stack = ExitStack()
        self.store = self.stack.enter_context(Store.writing(self.path))
        self.store.add_trials(TRIALS)
        self.claimed.clear()

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()
            shutil.rmtree(self.place)

    @rule(trial=st.sampled_from(IDS), words=st.sampled_from(["B", "no", "x" * 9000]))
    def put(self, trial: str, words: str) -> None:
        self.store.put(trial, *outcome(words), 1)
        self.kept.setdefault(trial, words)
        self.claimed.discard(trial)

    @rule(trial=st.sampled_from(IDS))
    def claim(self, trial: str) -> None:
        expected = "answered" if trial in self.kept else "taken" if trial in self.claimed else "mine"
        assert self.store.claim([trial])[trial] == expected
        if expected == "mine":
            self.claimed.add(trial)

    @rule(trial=st.sampled_from(IDS))
    def release(self, trial: str) -> None:
        self.store.release(trial)
        self.claimed.discard(trial)

    @rule()
    def reopen(self) -> None:
        self.stack.close()
        assert sorted(entry.name for entry in self.path.parent.iterdir()) == [FILE], "something was left behind"
        self._open(self.path.parent)

    @rule(trial=st.sampled_from(IDS), in_the_middle=st.booleans(), index_too=st.booleans())
    def crash(self, trial: str, in_the_middle: bool, index_too: bool) -> None:
        if in_the_middle:  # pages of an open transaction may already stand in the log
            self.store._db.execute("PRAGMA cache_size = 2")
            self.store._db.execute("BEGIN IMMEDIATE")
            self.store._db.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, 'now')", (trial, "torn" * 5000))
            self.store._db.execute("DELETE FROM responses WHERE trial <> ?", (trial,))
        self.lives += 1
        folder = self.place / str(self.lives)
        shutil.copytree(self.path.parent, folder, ignore=None if index_too else shutil.ignore_patterns("*-shm"))
        if in_the_middle:
            self.store._db.execute("ROLLBACK")
        self.stack.close()
        self._open(folder)

    @invariant()
    def all_that_was_acknowledged_is_there(self) -> None:
        if hasattr(self, "store"):
            assert self.store.answered() == set(self.kept)
            assert replies(self.path) == self.kept
            refused = sum(words == "no" for words in self.kept.values())
            counts = self.store.counts()
            assert (counts["refused"], counts["answered"]) == (refused, len(self.kept) - refused)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("damage", ["truncated", "garbled"])
def test_a_damaged_log_leaves_the_first_commits_and_no_other(path: Path, tmp_path: Path, damage: str) -> None:
    dice = random.Random(20261121)
    order = dice.sample(IDS, len(IDS))
    with Store.writing(path) as store:
        store.add_trials(TRIALS)
        for number, trial in enumerate(order):
            store.put(trial, *outcome("B" * dice.randrange(1, 9000) if number % 2 else "no"), 1)
        whole, log = path.read_bytes(), path.with_name(FILE + "-wal").read_bytes()
    cuts = sorted({0, 16, 31, len(log) - 1, len(log), *(dice.randrange(len(log)) for _ in range(40))})
    survived = []
    for cut in cuts:
        copy = tmp_path / f"cut-{cut}" / FILE
        copy.parent.mkdir()
        copy.write_bytes(whole)
        tail = b"" if damage == "truncated" else dice.randbytes(len(log) - cut)
        copy.with_name(FILE + "-wal").write_bytes(log[:cut] + tail)
        found = replies(copy)
        assert set(found) == set(order[: len(found)]), f"no prefix of the commits after {cut} bytes"
        with closing(sqlite3.connect(copy)) as db:
            assert db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
            pairs = "SELECT count(*), count(responses.trial) FROM replies LEFT JOIN responses USING (trial)"
            assert db.execute(pairs).fetchone() == (len(found), len(found))
        survived.append(len(found))
    assert survived == sorted(survived)
    assert survived[-1] == len(order)
    assert len(set(survived)) > 3, "the cuts were not spread over the commits"


CLAIMING = """
import sys
from pathlib import Path
from dilemmas.schema import Reply, Response
from dilemmas.store import Store
path, ids, mode = Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
with Store.writing(path) as store:
    for trial in ids:
        if store.claim([trial])[trial] == "mine":
            print(trial, flush=True)
            if mode == "work":
                store.put(trial, Reply(text="B"), Response(status="answered", code="two", letter="B"), 1)
    if mode == "hold":
        print("held", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def claimer(path: Path) -> Iterator[Callable[[str, list[str]], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(mode: str, ids: list[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", CLAIMING, str(path), ",".join(ids), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=TIMEOUT)


def test_processes_that_begin_together_make_one_store_and_share_the_work(
    path: Path, claimer: Callable[[str, list[str]], subprocess.Popen[str]]
) -> None:
    many = [planned(number) for number in range(60)]
    with Store.writing(path) as store:
        store.add_trials(many)
    ids = [one.trial.id for one in many]
    processes = [claimer("work", ids) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    taken = [process.communicate(timeout=TIMEOUT)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(trial for one in taken for trial in one) == sorted(ids), "a trial was taken twice or by nobody"
    assert set(replies(path)) == set(ids)
    assert [entry.name for entry in path.parent.glob(".asking-*")] == []


def test_a_new_store_is_made_once_however_many_begin(
    path: Path, claimer: Callable[[str, list[str]], subprocess.Popen[str]]
) -> None:
    processes = [claimer("none", []) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=TIMEOUT)
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert replies(path) == {}


def test_the_claims_of_a_killed_process_are_released_and_those_of_a_living_one_are_not(
    store: Store, path: Path, claimer: Callable[[str, list[str]], subprocess.Popen[str]]
) -> None:
    holder = claimer("hold", IDS[:2])
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write("\n")
    holder.stdin.flush()
    assert [holder.stdout.readline().strip() for _ in range(3)] == [*IDS[:2], "held"]
    store.release_dead()
    store.release(IDS[0])
    assert [store.claim([trial])[trial] for trial in IDS[:3]] == ["taken", "taken", "mine"]
    holder.kill()
    holder.wait(timeout=TIMEOUT)
    assert store.claim([IDS[0]])[IDS[0]] == "taken"
    store.release_dead()
    assert [store.claim([trial])[trial] for trial in IDS[:3]] == ["mine", "mine", "taken"]
    assert len(list(path.parent.glob(".asking-*"))) == 2
    with Store.writing(path):
        pass
    assert len(list(path.parent.glob(".asking-*"))) == 1, "the dead process's file is swept up by the next to begin"


def test_leaving_gives_claims_back(path: Path) -> None:
    with Store.writing(path) as first:
        first.add_trials(TRIALS)
        with Store.writing(path) as second:
            assert second.claim([IDS[0]])[IDS[0]] == "mine"
            assert first.claim([IDS[0]])[IDS[0]] == "taken"
        assert first.claim([IDS[0]])[IDS[0]] == "mine"


def as_other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
        db.commit()


def as_newer_version(path: Path) -> None:
    with Store.writing(path):
        pass
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {STORE_VERSION + 1}")


def with_broken_pages(path: Path) -> None:
    with Store.writing(path) as store:
        store.add_trials([planned(number) for number in range(300)])
    data = bytearray(path.read_bytes())
    data[3 * 4096 : 9 * 4096] = b"\xa5" * (6 * 4096)
    path.write_bytes(bytes(data))


def cut_short(path: Path) -> None:
    with Store.writing(path) as store:
        store.add_trials([planned(number) for number in range(300)])
    path.write_bytes(path.read_bytes()[: 7 * 4096 + 100])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_text("not a database\n" * 500), "not a database"),
        (lambda path: path.write_bytes(b""), "no store of a dilemmas run"),
        (as_other_program, "no store of a dilemmas run"),
        (as_newer_version, f"version {STORE_VERSION + 1} .* reads version {STORE_VERSION}"),
        (with_broken_pages, "damaged|malformed"),
        (cut_short, "damaged|malformed"),
    ],
    ids=["text", "empty", "other program", "newer version", "broken pages", "cut short"],
)
def test_a_file_that_cannot_be_used_is_named_and_left_alone(
    path: Path, spoil: Callable[[Path], Any], message: str
) -> None:
    path.parent.mkdir()
    spoil(path)
    before = path.read_bytes()
    for way in (Store.reading, Store.writing):
        with pytest.raises(StoreError, match=message) as caught, way(path):
            pass
        assert caught.value.where == str(path)
        assert caught.value.fix
    assert path.read_bytes() == before
    assert list(path.parent.glob(".*")) == []


def test_reading_needs_a_run_that_is_there(path: Path) -> None:
    with pytest.raises(StoreError, match="no such run"), Store.reading(path):
        pass
    assert not path.parent.exists()


@pytest.mark.parametrize("depth", ["runs folder", "run folder"])
def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path, depth: str) -> None:
    blocked = tmp_path / "runs" if depth == "runs folder" else tmp_path / "runs" / "r"
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("in the way")
    with (
        pytest.raises(StoreError, match="folder cannot be made") as caught,
        Store.writing(tmp_path / "runs" / "r" / FILE),
    ):
        pass
    assert "--runs-dir" in caught.value.fix
    assert blocked.read_text() == "in the way"


def _obeying_permissions() -> Callable[[], None] | None:
    """Something to run in a child of root so that file permissions hold for it; None for anybody else."""
    if os.geteuid() != 0:
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def drop() -> None:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP

    return drop


READING = """
import os, sys
from pathlib import Path
from dilemmas.errors import StoreError
from dilemmas.store import Store
path = Path(sys.argv[1])
try:
    path.with_name("probe").write_text("x")
    sys.exit(77)
except PermissionError:
    pass
with Store.reading(path) as store:
    print(len(store.answered()))
try:
    with Store.writing(path):
        pass
except StoreError as error:
    print(error.what, error.fix)
"""


@pytest.mark.parametrize("leftovers", [False, True], ids=["closed", "log and index beside it"])
def test_a_folder_that_may_only_be_read_can_be_read(path: Path, leftovers: bool) -> None:
    with Store.writing(path) as store:
        store.add_trials(TRIALS)
        store.put(IDS[0], *outcome(), 1)
    if leftovers:
        replies(path)
    assert path.with_name(FILE + "-wal").exists() == leftovers
    for entry in (*path.parent.iterdir(), path.parent):
        entry.chmod(0o555 if entry.is_dir() else 0o444)
    try:
        child = subprocess.run(
            [sys.executable, "-c", READING, str(path)],
            preexec_fn=_obeying_permissions(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    finally:
        path.parent.chmod(0o755)
    if child.returncode == 77:
        pytest.skip("file permissions do not hold for this user")
    assert child.returncode == 0, child.stderr
    count, complaint = child.stdout.splitlines()
    assert count == "1"
    assert "cannot be written" in complaint
    assert "--runs-dir" in complaint


EVALUATE = ("evaluate", "--model", "scripted", "--limit", "4", "--persona-set", "three", "--run", "run", "--no-report")


def check_stopped_by_a_full_disk(result: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert "cannot" in result.stderr
    assert "Make room" in result.stderr
    if (folder / "manifest.json").exists():
        json.loads((folder / "manifest.json").read_text())
    if folder.exists():
        assert [entry.name for entry in folder.iterdir() if entry.name.startswith(".")] == []


ROOM_FOR = """
import resource, signal, sys
from pathlib import Path
from dilemmas.cli import main
from dilemmas.store import Store
answers, room, put, kept = int(sys.argv[1]), int(sys.argv[2]), Store.put, []

def fill():
    size = room or Path("runs/run/run.sqlite-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

def counting(self, trial, *rest):
    put(self, trial, *rest)
    kept.append(trial)
    if len(kept) == answers:
        fill()

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
Store.put = counting
if answers == 0:
    fill()
sys.argv[1:] = sys.argv[3:]
main()
"""


@pytest.mark.parametrize(
    ("answers", "room"), [(0, 4_000), (0, 150_000), (20, 0)], ids=["to begin", "to plan", "for 20 answers"]
)
def test_a_full_disk_ends_the_run_and_loses_nothing(
    tmp_path: Path, scripted_run: Callable[..., Any], answers: int, room: int
) -> None:
    stopped = subprocess.run(
        [sys.executable, "-c", ROOM_FOR, str(answers), str(room), *EVALUATE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    folder = tmp_path / "runs" / "run"
    check_stopped_by_a_full_disk(stopped, folder)
    kept = replies(folder / FILE) if (folder / FILE).exists() else {}
    assert answers - 1 <= len(kept) < 96, "more is lost than the one that was in flight"
    outcome, _ = scripted_run()
    assert (outcome.reused, outcome.asked, outcome.open) == (len(kept), 96 - len(kept), 0)
    assert kept.items() <= replies(folder / FILE).items()


FULL_DISK = """
set -e
mount -t tmpfs -o size=700k none "$1"
set +e
shift
"$@" 2> "$OUT/first.err" > "$OUT/first.out"; echo $? > "$OUT/first.rc"
cp -a "$DISK"/. "$OUT/disk"
mount -o remount,size=64m "$DISK"
"$@" 2> "$OUT/second.err" > "$OUT/second.out"; echo $? > "$OUT/second.rc"
"""


def test_a_really_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    disk, out = tmp_path / "disk", tmp_path / "out"
    disk.mkdir()
    (out / "disk").mkdir(parents=True)
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here, so no small disk can be mounted")
    arguments = [sys.executable, "-m", "dilemmas", *EVALUATE, "--runs-dir", str(disk / "runs"), "--concurrency", "4"]
    made = subprocess.run(
        ["unshare", "--mount", "sh", "-c", FULL_DISK, "sh", str(disk), *arguments],
        env={**os.environ, "OUT": str(out), "DISK": str(disk)},
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT,
        check=False,
    )
    if not (out / "first.rc").exists():
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    first, second = (
        subprocess.CompletedProcess(
            arguments,
            int((out / f"{name}.rc").read_text()),
            (out / f"{name}.out").read_text(),
            (out / f"{name}.err").read_text(),
        )
        for name in ("first", "second")
    )
    check_stopped_by_a_full_disk(first, out / "disk" / "runs" / "run")
    kept = replies(out / "disk" / "runs" / "run" / FILE)
    assert second.returncode == 0, second.stderr
    assert f"{len(kept)} answers reused, {96 - len(kept)} asked" in second.stdout


def test_other_words_in_the_place_of_a_trial_are_refused(store: Store) -> None:
    first = planned(1)
    store.add_trials([first])
    words = {"messages": (Message(role="user", content="Otherwise?"),)}
    reworded = Trial.model_validate({**first.trial.model_dump(), **words})
    with pytest.raises(StoreError, match="otherwise"):
        store.add_trials([first._replace(trial=reworded)])


def test_a_run_that_another_machine_asks_is_refused_and_left_as_it_is(path: Path) -> None:
    with Store.writing(path) as store:
        store.add_trials(TRIALS)
    lock = path.with_name(".asking-0123456789abcdef")
    lock.write_text("00000000-11111111\n")
    before = sorted(path.parent.iterdir())
    with pytest.raises(StoreError, match="another machine is asking"), Store.writing(path):
        pass
    assert sorted(one for one in path.parent.iterdir() if one.suffix == "") == [
        one for one in before if one.suffix == ""
    ]
    lock.unlink()
    with Store.writing(path) as store:
        assert store.counts()["planned"] == len(TRIALS)


def test_a_network_drive_is_refused_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"36 25 0:41 / {tmp_path.resolve()} rw - nfs4 nas:/export rw\n")
    monkeypatch.setattr("dilemmas.disks.MOUNTS", mounts)
    with pytest.raises(StoreError, match="nfs4"), Store.writing(tmp_path / "runs" / "run" / FILE):
        pass
    assert not (tmp_path / "runs").exists()


def test_a_run_that_another_process_has_just_begun_is_not_untouched(path: Path) -> None:
    with Store.writing(path) as first:
        assert first.is_untouched()
        with Store.writing(path) as second:
            assert not second.is_untouched()
        assert first.is_untouched()
