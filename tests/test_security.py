"""What must never happen: a key that gets out, data that is run, a file outside the run's folder."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import json
import os
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from fake_server import PATIENCE, Answer, FakeServer, Seen, completion

from dilemmas import analysis, config, evaluate, runs
from dilemmas import study as planning
from dilemmas.config import ModelConfig
from dilemmas.errors import DilemmasError, InputError, StoreError
from dilemmas.models import open_model
from dilemmas.store import FILE, Store

Command = Callable[..., "subprocess.CompletedProcess[str]"]
KEY = "sk-Sentinel+42/7c%9=Zq\"w'\\e&9~Sentinel"
"""Has a character of each kind that some encoding changes."""


def escaped(text: str) -> str:
    """JSON as the most careful encoders write it."""
    return "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in text)


FORMS = {
    "plain": KEY,
    "url": quote(KEY, safe=""),
    "form": quote_plus(KEY),
    "html": html.escape(KEY),
    "json": json.dumps(KEY)[1:-1],
    "escaped json": escaped(KEY),
    "base64": base64.b64encode(KEY.encode()).decode().rstrip("="),
    "base64url": base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
    "repr": repr(KEY)[1:-1],
    "a part": "Sentinel",
}


def leaks(folder: Path, *texts: str) -> list[tuple[str, str]]:
    """Where the key stands: every byte of every file in a folder, and some texts."""
    places = {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    places |= {f"text {number}": text.encode() for number, text in enumerate(texts)}
    assert places
    return [(place, form) for place, data in places.items() for form, key in FORMS.items() if key.encode() in data]


ECHO = " ".join(f"[{form}]" for name, form in FORMS.items() if name != "a part")
"""What a careless server might send back."""


def test_the_search_finds_a_key_in_each_of_its_forms(tmp_path: Path) -> None:
    for name, form in FORMS.items():
        (tmp_path / name.replace(" ", "-")).write_text(f"before{form}after")
    assert {form for _, form in leaks(tmp_path)} == set(FORMS)
    assert ("text 0", "plain") in leaks(tmp_path, KEY)


@pytest.fixture
def ask(command: Command, tmp_path: Path) -> Command:
    """`dilemmas evaluate` with a key, on a server, about one dilemma; one attempt, short patience."""
    (tmp_path / "run.toml").write_text("[model]\nattempts = 1\ntimeout = 0.5\n", encoding="utf-8")

    def run(server: FakeServer, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SERVER_KEY": KEY, "OPENAI_LOG": "debug", **options.pop("env", {})}
        return command(*evaluating(server), *arguments, env=environment, **options)

    return run


def evaluating(server: FakeServer) -> list[str]:
    study = ["--config", "run.toml", "--run", "run", "--limit", "1", "--persona-set", "none"]
    return ["evaluate", "--model", "fake", "--base-url", server.address, "--api-key-env", "SERVER_KEY", *study]


def spills(status: int) -> Answer:
    """An error that tells the key in its body and its headers."""
    body = f'{{"error": {{"message": {json.dumps(ECHO)}, "key": "{escaped(KEY)}"}}}}'
    return Answer(
        status, body, {"x-request-id": KEY, "www-authenticate": f"Bearer {KEY}", "location": f"/{quote(KEY)}"}
    )


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (spills(400), 3),
        (spills(401), 2),
        (spills(500), 3),
        (Answer(200, f"<pre>Authorization: Bearer {ECHO}</pre>", kind=f"text/html+{KEY.replace(';', '')}"), 3),
        (Answer(delay=PATIENCE), 3),
        (Answer(drop=True), 3),
    ],
    ids=["400", "401", "500", "html", "timeout", "drop"],
)
def test_a_key_is_nowhere_after_an_error(ask: Command, tmp_path: Path, answer: Answer, code: int) -> None:
    with FakeServer(key=KEY, script=lambda seen: answer if seen.is_question else None) as server:
        done = ask(server, "--no-report")
        assert len(server.questions) > 0
    assert done.returncode == code, done.stderr
    assert (tmp_path / "runs/run" / FILE).exists()
    assert leaks(tmp_path, done.stdout, done.stderr) == []


@pytest.mark.parametrize(
    "answer",
    [
        *(spills(status) for status in (307, 403, 404, 422, 429, 503)),
        Answer(500, f"<pre>Authorization: Bearer {ECHO}</pre>", kind="text/html"),
        Answer(400, {"detail": [{"input": {"authorization": KEY}}]}),
        Answer(400, {"error": {"authorization": KEY}}),
        Answer(200, {"error": ECHO}),
        Answer(200, {"choices": [], "headers": {"authorization": KEY}}),
        Answer(200, [KEY]),
    ],
)
def test_a_key_is_in_no_message_of_any_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: Answer) -> None:
    monkeypatch.setenv("SERVER_KEY", KEY)
    with FakeServer(key=KEY, script=lambda seen: answer if seen.is_question else None) as server:
        model = {"name": "fake", "base_url": server.address, "api_key_env": "SERVER_KEY", "attempts": 1}
        study = {"name": "run", "limit": 1, "persona_set": "none", "model": model}
        outcome = asyncio.run(evaluate.evaluate(planning.prepare(config.load(None, study)), tmp_path))
    assert outcome.failed_attempts > 0
    assert outcome.stopped or outcome.last_failure
    assert leaks(tmp_path, str(outcome.stopped), repr(outcome)) == []


def test_a_key_is_nowhere_after_a_success_even_if_the_server_tells_it(ask: Command, tmp_path: Path) -> None:
    def tells(seen: Seen) -> Answer | None:
        if seen.method == "GET":
            return Answer(body={"data": [{"id": "fake", "owned_by": ECHO, "max_model_len": KEY}]})
        if not seen.is_question:
            return None
        text = json.dumps({"reasoning": f"I was sent {ECHO}", "answer": "B"})
        told = completion(text, reasoning=ECHO, refusal=None).body | {"system_fingerprint": ECHO}
        return Answer(body=json.dumps(told).replace("I was sent", f"I was sent {escaped(KEY)}"))

    with FakeServer(key=KEY, script=tells) as server:
        done = ask(server)
        assert all(seen.headers["authorization"] == f"Bearer {KEY}" for seen in server.seen)
    assert done.returncode == 0, done.stderr
    assert "6 asked (0 refused, 0 unreadable)" in done.stdout
    assert (tmp_path / "runs/run/report.html").exists()
    assert leaks(tmp_path, done.stdout, done.stderr) == []
    with closing(sqlite3.connect(tmp_path / "runs/run" / FILE)) as db:
        assert all("I was sent" in reply and "[key]" in reply for (reply,) in db.execute("SELECT reply FROM replies"))


def test_a_key_is_nowhere_when_the_model_is_unknown_or_the_list_is_refused(ask: Command, tmp_path: Path) -> None:
    listing = Answer(body={"data": [{"id": ECHO}, {"id": KEY}]})
    for answer in (listing, spills(401), spills(500)):
        with FakeServer(script=lambda seen, answer=answer: answer) as server:  # type: ignore[misc]
            done = ask(server)
        assert done.returncode == 2
        assert leaks(tmp_path, done.stdout, done.stderr) == []


def test_a_key_is_nowhere_after_kill_9(ask: Command, tmp_path: Path) -> None:
    with FakeServer(key=KEY, script=lambda seen: stuck(seen, server)) as server, (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "dilemmas", *evaluating(server), "--concurrency", "1", "--limit", "3"],
            cwd=tmp_path,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "SERVER_KEY": KEY},
        )
        try:
            deadline = time.monotonic() + 60
            while len(server.questions) < 8 and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            assert process.poll() is None
        finally:
            process.kill()
            process.wait(timeout=20)
    wal = (tmp_path / "runs/run" / FILE).with_name(f"{FILE}-wal")
    assert wal.stat().st_size > 0
    assert leaks(tmp_path) == []


def stuck(seen: Seen, server: FakeServer) -> Answer | None:
    """Some answers and errors that tell the key, then nothing any more."""
    if not seen.is_question:
        return None
    count = len(server.questions)
    if count > 7:
        return Answer(delay=PATIENCE)
    return spills(500) if count in (2, 4) else completion(json.dumps({"reasoning": ECHO, "answer": "B"}))


def test_a_key_is_nowhere_in_a_traceback(tmp_path: Path) -> None:
    """A fault of our own, deep in the call that holds the key, shown as Python shows it."""
    (tmp_path / "run.toml").write_text("", encoding="utf-8")
    spoilt = (
        "import dilemmas.models.served as module, dilemmas.cli\n"
        "def fault(*arguments): raise RuntimeError('a fault of our own')\n"
        "module.reply_of = fault\n"
        "dilemmas.cli.main()\n"
    )
    with FakeServer(key=KEY) as server:
        done = subprocess.run(
            [sys.executable, "-c", spoilt, *evaluating(server)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "SERVER_KEY": KEY},
        )
    assert done.returncode == 1
    assert "a fault of our own" in done.stderr
    assert leaks(tmp_path, done.stdout, done.stderr) == []


# Where a key may come from and go to


@pytest.mark.parametrize(
    "arguments",
    [
        ["--api-key", KEY],
        [f"--api-key={KEY}"],
        ["--key", KEY],
        ["--api-key-env", KEY],
        ["--api-key-env", "sk_Sentinel42"],
        ["--base-url", f"https://user:{quote(KEY, safe='')}@127.0.0.1:9/v1"],
        ["--base-url", f"https://127.0.0.1:9/v1?key={quote(KEY, safe='')}"],
    ],
)
def test_no_key_is_taken_from_the_command_line(command: Command, tmp_path: Path, arguments: list[str]) -> None:
    done = command("evaluate", "--model", "fake", "--base-url", "https://127.0.0.1:9/v1", *arguments)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "stderr").write_text(done.stderr)
    assert leaks(tmp_path, done.stdout) == []


@pytest.mark.parametrize("setting", ["api_key", "key", "headers", "default_headers", "password"])
def test_no_key_is_taken_from_a_run_file(tmp_path: Path, setting: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f"[model]\nname = 'x'\n{setting} = 'Sentinel'\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        config.load(path, {})
    assert "no such setting" in caught.value.what
    assert "line 3" in caught.value.where
    assert "Sentinel" not in str(caught.value)


def reach(address: str, **settings: Any) -> None:
    async def run() -> None:
        async with open_model(ModelConfig(name="fake", base_url=address, timeout=20, **settings)):
            pass

    asyncio.run(run())


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """Stands for all other machines: requests to them end here, and nothing leaves this one."""
    with FakeServer() as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("SERVER_KEY", KEY)
        yield server


@pytest.mark.parametrize(
    "host",
    [
        "gpu.example",
        "192.0.2.1",
        "localhost.example",
        "127.0.0.1.example",
        "my-localhost",
        "0.0.0.0",
        "[::2]",
        "127.0.0.1.",
        "2130706433",
    ],
)
def test_a_key_does_not_travel_unencrypted_to_another_machine(proxy: FakeServer, host: str) -> None:
    with pytest.raises(InputError, match="unencrypted") as caught:
        reach(f"http://{host}:8000/v1", api_key_env="SERVER_KEY")
    assert "https" in caught.value.fix
    assert "allow_plain_http_key" in caught.value.fix
    assert proxy.seen == []


def test_a_key_may_travel_unencrypted_where_the_run_file_allows_it(proxy: FakeServer) -> None:
    reach("http://gpu.example:8000/v1", api_key_env="SERVER_KEY", allow_plain_http_key=True)
    reach("http://gpu.example:8000/v1")
    with_key, without = proxy.seen
    assert with_key.path == "http://gpu.example:8000/v1/models"
    assert with_key.headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in without.headers


def test_a_key_may_travel_unencrypted_within_this_machine_past_any_proxy(proxy: FakeServer) -> None:
    with FakeServer(key=KEY) as server:
        for host in ("127.0.0.1", "localhost"):
            reach(f"http://{host}:{server.port}/v1", api_key_env="SERVER_KEY")
        assert len(server.seen) == 2
    assert proxy.seen == []


def test_an_address_comes_only_from_the_user(
    proxy: FakeServer, record: dict[str, Any], write_lines: Callable[..., Path], tmp_path: Path
) -> None:
    there = f"http://127.0.0.1:{proxy.port}/v1"
    personas = tmp_path / "mine.toml"
    personas.write_text(f'base_url = "{there}"\n[[persona]]\ngrid = 1\n', encoding="utf-8")
    provenance = {**record["provenance"], "base_url": there}
    for settings, words in (
        ({"dataset": write_lines({**record, "base_url": there})}, ["line 1", "base_url"]),
        ({"dataset": write_lines({**record, "provenance": provenance})}, ["line 1", "provenance", "base_url"]),
        ({"persona_set": personas}, ["mine.toml", "base_url"]),
    ):
        chosen = config.load(None, {name: str(path) for name, path in settings.items()})
        with pytest.raises(InputError) as caught:
            planning.prepare(chosen)
        assert [word for word in words if word not in str(caught.value)] == []
    assert proxy.seen == []


# Data is data


MARKUP = (
    "{{7*7}} {{ cycler.__init__.__globals__ }} {% for x in range(9) %}x{% endfor %} {# note #} ${x} $x {0.__class__} "
    "%s %(x)s <script>alert(1)</script><img src=x onerror=alert(1)> &amp; \"double\" 'single' `tick` \\n \\u0041 "
    "[bold]loud[/bold] [/] [link=http://x]y[/link] </style></svg> $\\frac{1}{2}$ \u2028 caf\u00e9 \U0001f600 \u202e"
)


class Page(HTMLParser):
    """Elements and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(page: Page) -> None:
    own = [dict(attributes) for tag, attributes in page.elements if tag == "script"]
    assert [sorted(one) for one in own] in ([], [["id", "type"], []])  # the data, and the one script its policy names
    for tag, attributes in page.elements:
        assert tag not in ("img", "iframe", "object", "embed", "form", "base", "link")
        assert tag != "a" or (dict(attributes)["href"] or "").startswith("#")
        for name, value in attributes:
            assert not name.startswith("on")
            assert "javascript:" not in (value or "")


def test_markup_in_every_field_of_a_dilemma_goes_through_unharmed(
    command: Command, write_lines: Callable[..., Path], record: dict[str, Any], tmp_path: Path
) -> None:
    record["scenario"] = f"You read {MARKUP}"
    for number, action in enumerate(record["actions"]):
        action["text"], action["rationale"] = f"I take way {number}: {MARKUP}", f"Since {MARKUP}"
    record["provenance"] |= {"author": MARKUP, "method": MARKUP}
    second = {**record, "id": "another-one", "scenario": MARKUP}
    write_lines(record, second, name="<b>{{7*7}}[bold].jsonl")
    (tmp_path / "<i>{{7*7}}.toml").write_text('name = "<i>"\n[[persona]]\ngrid = 1\nid = "mine"\n', encoding="utf-8")
    model = f"{MARKUP} model"
    tells = Answer(body={"data": [{"id": model, "owned_by": MARKUP}]})

    def answer(seen: Seen) -> Answer | None:
        if seen.method == "GET":
            return tells
        if "way 0" in seen.prompt and "You read" in seen.prompt:
            return completion(None, refusal=MARKUP)
        return None

    with FakeServer(models=(model,), script=answer) as server:
        settings = ["--dataset", "<b>{{7*7}}[bold].jsonl", "--persona-set", "<i>{{7*7}}.toml", "--run", "run"]
        done = command("evaluate", "--model", model, "--base-url", server.address, *settings)
        prompts = [body["messages"][-1]["content"] for body in server.questions]
    assert done.returncode == 0, done.stderr
    assert len(prompts) == 24
    for prompt in prompts:
        assert MARKUP in prompt.split("\nA. ")[0]
        if "I take way" in prompt:
            assert all(f". I take way {number}: {MARKUP}\n" in prompt for number in range(6))
    assert "49" not in "".join(prompts).replace(MARKUP, "")
    assert not any("Since {{" in prompt for prompt in prompts), "rationales stay hidden"

    assert "[bold]loud[/bold]" in done.stdout
    page = Page(tmp_path / "runs/run/report.html")
    assert_harmless(page)
    assert page.text.count(MARKUP) >= 3, "model, server and scenario"
    assert "<b>{{7*7}}[bold].jsonl" in page.text
    assert "<i>{{7*7}}.toml" in page.text
    with Store.reading(tmp_path / "runs/run" / FILE) as store:
        kept = [json.loads(text) for text in store.records("items").values()]
    assert kept == [record, second]


def test_markup_cannot_name_a_persona(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for name in ("<script>", "{{7*7}}", "[bold]", "../x", "a b", "baseline"):
        path.write_text(f"[[persona]]\ngrid = 1\nid = {json.dumps(name)}\n", encoding="utf-8")
        with pytest.raises(InputError, match=r"id|pattern") as caught:
            planning.prepare(config.load(None, {"persona_set": str(path)}))
        assert "mine.toml" in caught.value.where


def test_what_others_wrote_cannot_steer_the_terminal(
    command: Command, write_lines: Callable[..., Path], record: dict[str, Any]
) -> None:
    path = write_lines({**record, "\x1b]0;owned\x07\x1b[2J\u202e": 1})
    done = command("evaluate", "--model", "scripted", "--dataset", str(path))
    assert done.returncode == 2
    assert "no such field" in done.stderr
    assert done.stderr.replace("\n", "").isprintable()


# Files stay in their place


@pytest.mark.parametrize(
    "name", ["../x", "../../x", "/tmp/x", "a/b", "a\\b", "..", ".x", "-x", "con", "NUL.txt", "a b"]
)
def test_a_run_cannot_be_given_a_place_by_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        config.load(None, {"name": name})
    with pytest.raises(InputError) as caught:
        runs.find(name, tmp_path)
    assert "run" in str(caught.value)


def test_a_dataset_cannot_give_the_run_a_place_by_its_name(
    tmp_path: Path, record: dict[str, Any], write_lines: Callable[..., Path]
) -> None:
    for name in ("..jsonl", "con.jsonl", "a b.jsonl", "-x.jsonl"):
        with pytest.raises(InputError, match=r"name|letters") as caught:
            planning.prepare(config.load(None, {"dataset": str(write_lines(record, name=name))}))
        assert "--run" in caught.value.fix


def test_a_bad_name_on_the_command_line_leaves_no_trace(command: Command, tmp_path: Path) -> None:
    place = tmp_path / "deep" / "er"
    place.mkdir(parents=True)
    for name in ("../../x", str(tmp_path / "x"), "CON"):
        done = command("evaluate", "--model", "scripted", "--limit", "1", "--run", name, cwd=place)
        assert done.returncode == 2
        assert "name" in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "er"]


@pytest.mark.parametrize("link", ["run", f"run/{FILE}"])
def test_a_linked_run_is_not_written_to(scripted_run: Callable[..., Any], tmp_path: Path, link: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    target = elsewhere if link == "run" else elsewhere / FILE
    elsewhere.mkdir()
    (tmp_path / "runs" / link).parent.mkdir(parents=True)
    (tmp_path / "runs" / link).symlink_to(target)
    with pytest.raises(InputError, match="link") as caught:
        scripted_run()
    assert "--runs-dir" in caught.value.fix
    assert list(elsewhere.iterdir()) == []


def test_the_folder_of_all_runs_may_be_a_link(scripted_run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    scripted_run(limit=1)
    assert (tmp_path / "disk/run" / FILE).exists()


def test_a_linked_file_in_a_run_is_replaced_and_its_target_left_alone(
    scripted_run: Callable[..., Any], tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder = tmp_path / "runs/run"
    folder.mkdir(parents=True)
    for name in ("manifest.json", "analysis.json"):
        (folder / name).symlink_to(precious)
    scripted_run(limit=1)
    analysis.save(analysis.analyse(folder), folder)
    assert precious.read_text() == "mine"
    assert json.loads((folder / "manifest.json").read_text())["name"] == "run"


# A run from somebody else


PLANTED = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON cells BEGIN DELETE FROM replies; END",
    "trigger on replies": "CREATE TRIGGER t AFTER INSERT ON replies BEGIN DELETE FROM responses; END",
    "view": "CREATE VIEW extra AS SELECT * FROM replies",
    "view in place of a table": "ALTER TABLE texts RENAME TO old; CREATE VIEW texts AS SELECT * FROM old",
    "virtual table": "CREATE VIRTUAL TABLE extra USING fts5(words)",
}


@pytest.mark.parametrize("planted", PLANTED)
def test_nothing_in_a_run_from_somebody_else_is_executed(
    scripted_run: Callable[..., Any], command: Command, tmp_path: Path, planted: str
) -> None:
    _, folder = scripted_run(limit=1)
    path = folder / FILE
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"{PLANTED[planted]};")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = content(path)
    with pytest.raises(StoreError, match=r"view|trigger|virtual") as caught:
        analysis.analyse(folder)
    assert caught.value.where == str(path)
    with pytest.raises(StoreError, match=r"view|trigger|virtual"):
        scripted_run(limit=2)
    assert content(path) == before


def content(path: Path) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return hashlib.sha256("\n".join(db.iterdump()).encode()).hexdigest()


def test_reading_a_run_changes_no_byte_of_it_and_trusts_no_function_in_it(scripted_run: Callable[..., Any]) -> None:
    _, folder = scripted_run(limit=1)
    before = (folder / FILE).read_bytes()
    analysis.analyse(folder)
    with Store.reading(folder / FILE) as store:
        assert store._db.execute("PRAGMA trusted_schema").fetchone() == (0,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            store._db.execute("DELETE FROM replies")
        with pytest.raises(sqlite3.OperationalError, match="not authorized"):
            store._db.execute("SELECT load_extension('/tmp/x')")
    assert (folder / FILE).read_bytes() == before


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE meta SET value = '{}'",
        "UPDATE meta SET value = 'no JSON'",
        """UPDATE meta SET value = json_set(value, '$.base_url', 'http://127.0.0.1:9/v1')""",
        'UPDATE items SET record = \'{"id": "<b>"}\'',
        "UPDATE personas SET record = '[]'",
        'UPDATE responses SET response = \'{"status": "happy"}\'',
        "DROP TABLE responses",
    ],
)
def test_a_run_that_was_tampered_with_is_refused_clearly(scripted_run: Callable[..., Any], spoil: str) -> None:
    _, folder = scripted_run(limit=1)
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.execute(spoil)
        db.commit()
    with pytest.raises(DilemmasError) as caught:
        analysis.analyse(folder)
    assert FILE in caught.value.where
    assert caught.value.fix


def test_a_file_that_is_no_run_is_refused_by_every_command(
    command: Command, scripted_run: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "runs/run" / FILE
    path.parent.mkdir(parents=True)
    path.write_text("not a database\n" * 99)
    done = command("analyse", "run")
    assert done.returncode == 2, done.stderr
    assert FILE in done.stderr
    listed = command("list", "runs")
    assert listed.returncode == 0
    assert "run" in listed.stdout
    assert "Traceback" not in done.stderr + listed.stderr
    with pytest.raises(StoreError, match="not a database"):
        scripted_run()
    assert path.read_text() == "not a database\n" * 99


# The rules a linter keeps


def test_the_linters_security_rules_are_on() -> None:
    settings = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    lint = settings["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    assert {rule for rule in lint["ignore"] if rule.startswith("S") and rule[1:].isdigit()} <= {"S101", "S603"}
    assert not any(place.startswith(("dilemmas", "*")) for place in lint["per-file-ignores"])
