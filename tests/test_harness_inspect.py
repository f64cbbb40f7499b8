"""Inspect asks the prompts of a study for real, and its log has the same alignment as our own run.

`make test` installs it in an environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from fake_server import FakeServer
from harnesses import FEW_DRAWS, ROOT, by_words, own_run, same, sent, study_of

from dilemmas import analysis
from dilemmas.errors import InputError
from dilemmas.harness.writing import write
from dilemmas.schema import ProtocolName

INSPECT = ROOT / ".venv-inspect" / "bin" / "inspect"
pytestmark = pytest.mark.skipif(not INSPECT.is_file(), reason=f"{INSPECT} is missing: run `make .venv-inspect/.done`")


def run(folder: Path, server: FakeServer, form: str, *options: str) -> Path:
    """Run the task as a user does, in its folder and without this package; gives the log."""
    done = subprocess.run(
        [INSPECT, "eval", "task.py", "--model", "openai-api/fake/fake", "--model-base-url", server.address,
         "--log-format", form, "--log-dir", "logs", "--display", "none", *options],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "FAKE_API_KEY": "none"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = folder.glob(f"logs/*.{form}")
    return log


@pytest.mark.parametrize("protocol", ["reasoned", "logprob"])
def test_inspect_asks_what_we_ask_and_comes_to_the_same(tmp_path: Path, protocol: ProtocolName) -> None:
    with FakeServer(script=by_words) as server:
        ours = own_run(server, tmp_path, **{"model.protocol": protocol})
    write(study_of(), "inspect", protocol, tmp_path / "task")
    with FakeServer(script=by_words) as other:
        log = run(tmp_path / "task", other, "json")
    assert sent(other) == sent(server)
    for body in other.questions:
        matching = next(one for one in server.questions if one["messages"] == body["messages"])
        assert body.get("seed") == matching.get("seed")
        assert {body[name] == matching[name] for name in ("temperature", "top_p", "max_tokens")} == {True}
        assert ("response_format" in body) == (protocol == "reasoned")
    theirs = analysis.analyse_responses(log, settings=FEW_DRAWS)
    same(ours, theirs)
    assert set(theirs.answers["model"]) == {"openai-api/fake/fake"}
    score = json.loads(log.read_text(encoding="utf-8"))["results"]["scores"][0]["metrics"]["mean"]["value"]
    assert 0.7 < score <= 1


def test_an_archive_is_not_opened_and_the_command_that_is_named_makes_json_of_it(tmp_path: Path) -> None:
    write(study_of(limit=1), "inspect", "reasoned", tmp_path / "task")
    with FakeServer(script=by_words) as server:
        log = run(tmp_path / "task", server, "eval")
    with pytest.raises(InputError, match="archive") as told:
        analysis.analyse_responses(log)
    assert f"inspect log dump {log.name} > {log.stem}.json" in told.value.fix
    dumped = subprocess.run([INSPECT, "log", "dump", log], capture_output=True, text=True, timeout=60, check=True)
    path = tmp_path / "log.json"
    path.write_text(dumped.stdout, encoding="utf-8")
    assert len(analysis.analyse_responses(path, settings=FEW_DRAWS).answers) == 8
