"""A journal of attempts: durable, append-only, whole after any end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dilemmas.errors import InputError
from dilemmas.journal import Entry, Journal, entries


def entry(subject: str = "a@1", attempt: int = 1, **fields: object) -> Entry:
    return Entry(subject=subject, attempt=attempt, at="2026-11-21T00:00:00Z", request={"messages": []}, **fields)


def test_what_was_added_is_there_when_it_is_opened_again(tmp_path):
    path = tmp_path / "new" / "journal.jsonl"
    added = [entry(error="cut off", reply={"text": "é\u2028\n"}), entry(attempt=2, result={"n": 1}), entry("b@1")]
    with Journal.opened(path) as journal:
        for one in added:
            journal.add(one)
    assert list(entries(path)) == added
    with Journal.opened(path) as journal:
        assert journal.results == {"a@1": {"n": 1}}
        assert journal.attempts == {"a@1": 2, "b@1": 1}


def test_a_reply_nested_too_deeply_is_kept_as_text(tmp_path):
    nested: dict[str, object] = {"end": "here it is"}
    for _ in range(300):
        nested = {"in": nested}
    with Journal.opened(tmp_path / "j") as journal:
        journal.add(entry(reply=nested, result={"n": 1}))
    (found,) = entries(tmp_path / "j")
    assert found.result == {"n": 1}
    assert "here it is" in found.reply["as text"]


def test_the_last_result_of_a_subject_stands(tmp_path):
    with Journal.opened(tmp_path / "j") as journal:
        for n in (1, 2):
            journal.add(entry(attempt=n, result={"n": n}))
        journal.add(entry(attempt=3, error="none this time"))
        assert journal.results == {"a@1": {"n": 2}}


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_line_that_was_cut_off_is_taken_away_and_the_rest_stays(tmp_path, kept):
    path = tmp_path / "j"
    with Journal.opened(path) as journal:
        journal.add(entry(result={"n": 1}))
        whole = path.read_bytes()
        journal.add(entry("b@1", result={"n": 2}))
    line = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + line[:kept])
    assert len(list(entries(path))) == 1
    with Journal.opened(path) as journal:
        assert journal.results == {"a@1": {"n": 1}}
        journal.add(entry("b@1", result={"n": 2}))
    assert path.read_bytes() == whole + line


def test_a_second_process_is_told_that_the_first_is_at_work(tmp_path):
    path = tmp_path / "j"
    script = (
        "import sys; from pathlib import Path; from dilemmas.journal import Journal\n"
        "with Journal.opened(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "in\n"
        with pytest.raises(InputError, match="another dilemmas process") as caught, Journal.opened(path):
            pass
        assert str(path) in caught.value.where
        os.kill(child.pid, signal.SIGKILL)
        child.wait(20)
        with Journal.opened(path) as journal:
            assert journal.results == {}
    finally:
        child.kill()
        child.stdin.close()
        child.stdout.close()
        child.wait(20)


def test_a_file_that_is_no_journal_is_named_with_its_line_and_left_alone(tmp_path):
    path = tmp_path / "j"
    with Journal.opened(path) as journal:
        journal.add(entry())
    spoilt = path.read_bytes() + b'{"id": "no journal"}\n'
    path.write_bytes(spoilt)
    with pytest.raises(InputError) as caught, Journal.opened(path):
        pass
    assert caught.value.where == f"{path}, line 2"
    assert path.read_bytes() == spoilt


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_and_no_half_line_is_left(tmp_path):
    path = tmp_path / "j"
    with Journal.opened(path) as journal:
        journal.add(entry())
        before = path.read_bytes()
        with open("/dev/full", "wb") as full:  # noqa: PTH123
            kept = os.dup(journal._stream.fileno())
            os.dup2(full.fileno(), journal._stream.fileno())
            with pytest.raises(InputError, match="write"):
                journal.add(entry("b@1"))
            os.dup2(kept, journal._stream.fileno())
            os.close(kept)
        assert journal.attempts == {"a@1": 1}
    assert path.read_bytes() == before
