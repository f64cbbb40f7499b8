"""Drafting with the embedded model: what it writes is worth nothing, and has the right form."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from draft_server import attempts, written
from test_embedded import TIMEOUT, embedded_only, is_gone, servers_of

from dilemmas.models.embedded import CONTEXT


def start(out: Path, *arguments: str) -> subprocess.Popen[str]:
    given = ["--values", "Honest,Equality", "--topics", "Work Orientation", "--out", str(out), *arguments]
    return subprocess.Popen(
        [sys.executable, "-m", "dilemmas", "generate", *given],
        cwd=out.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@embedded_only
def test_two_drafts_with_a_kill_between_them(tmp_path: Path) -> None:
    out = tmp_path / "drafts.jsonl"
    journal = tmp_path / "drafts.attempts.jsonl"
    process = start(out)
    deadline = time.monotonic() + TIMEOUT
    while not (journal.exists() and any(entry.result for entry in attempts(out))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (server,) = servers_of(process.pid)
    process.kill()
    process.communicate(timeout=TIMEOUT)
    assert is_gone(server)
    (first,) = {entry.subject for entry in attempts(out) if entry.result}

    process = start(out, "--resume", "--json")
    said, complaints = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, complaints
    found = json.loads(said)
    assert (found["asked"], found["reused"], found["mode"]) == (1, 1, "json_schema")
    assert "135 million" in found["caveat"]
    assert found["checks"]["error"] > 0, "it writes poorly, and the command says so"
    assert sum(entry.subject == first and entry.result is not None for entry in attempts(out)) == 1
    assert [dilemma.id for dilemma in written(out)] in (
        ["equality-work", "honest-work"], ["honest-work", "equality-work"]
    )  # fmt: skip
    for entry in attempts(out):
        assert (entry.prompt_tokens or 0) + entry.request["max_tokens"] <= CONTEXT
    for dilemma in written(out):
        assert (dilemma.provenance.model_revision or "").startswith("sha256:")
        assert (dilemma.provenance.parameters or {})["mode"] == "json_schema"
