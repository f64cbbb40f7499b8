"""lm-evaluation-harness asks the prompts of a study for real, and its log has the same alignment as our own run.

`make test` installs it in an environment of its own.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from fake_server import FakeServer
from harnesses import FEW_DRAWS, ROOT, by_words, own_run, same, sent, study_of

from dilemmas import analysis
from dilemmas.harness.lm_eval import NOT_TOLD
from dilemmas.harness.writing import write

LM_EVAL = ROOT / ".venv-lm-eval" / "bin" / "lm_eval"
pytestmark = pytest.mark.skipif(not LM_EVAL.is_file(), reason=f"{LM_EVAL} is missing: run `make .venv-lm-eval/.done`")


def run(folder: Path, server: FakeServer, tasks: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run tasks as a user does, from another folder and without this package."""
    return subprocess.run(
        [LM_EVAL, "run", "--include_path", folder, "--tasks", tasks, "--log_samples", "--output_path", "out",
         "--model", "local-chat-completions", "--model_args",
         f"model=fake,base_url={server.address}/chat/completions,num_concurrent=4", *options],
        cwd=folder.parent,
        env={"PATH": os.environ["PATH"], "HOME": str(folder.parent), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )  # fmt: skip


def test_lm_eval_asks_what_we_ask_and_comes_to_the_same(tmp_path: Path) -> None:
    with FakeServer(script=by_words) as server:
        ours = own_run(server, tmp_path)
    write(study_of(), "lm-eval", "reasoned", tmp_path / "task")
    with FakeServer(script=by_words) as other:
        done = run(tmp_path / "task", other, "dilemmas,dilemmas_schema", "--apply_chat_template")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sent(other) == sorted(2 * sent(server))
    for body in other.questions:
        matching = next(one for one in server.questions if one["messages"] == body["messages"])
        assert {body[name] == matching[name] for name in ("temperature", "top_p", "top_k", "max_tokens")} == {True}
        assert body["stop"] == []
    assert [("response_format" in body) for body in other.questions].count(True) == len(server.questions)
    logs = sorted((tmp_path / "out" / "fake").glob("samples_*.jsonl"))
    assert len(logs) == 2
    for log in logs:
        theirs = analysis.analyse_responses(log, settings=FEW_DRAWS)
        same(ours, theirs)
        assert set(theirs.answers["model"]) == {"fake"}
        assert NOT_TOLD in theirs.notes


def test_prompts_without_their_chat_template_are_not_asked(tmp_path: Path) -> None:
    write(study_of(limit=1), "lm-eval", "reasoned", tmp_path / "task")
    with FakeServer() as server:
        done = run(tmp_path / "task", server, "dilemmas")
    assert done.returncode != 0
    assert "add --apply_chat_template" in done.stdout + done.stderr
    assert not server.questions
