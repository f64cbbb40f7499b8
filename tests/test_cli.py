"""The command line as a user meets it: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dilemmas import config
from dilemmas.taxonomy import topics, values

Command = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parent.parent
REVIEW = ("serve", "push", "status", "pull", "agree", "apply")
COMMANDS = (
    "",
    "generate",
    "check",
    "review",
    *(f"review {name}" for name in REVIEW),
    "evaluate",
    "status",
    "batch",
    "batch write",
    "batch read",
    "merge",
    "probe",
    "analyse",
    "report",
    "export",
    "release",
    *(f"release {name}" for name in ("build", "verify", "diff", "push", "results")),
    "power",
    "simulate",
    "list",
)
HEAVY = (
    "pandas",
    "openai",
    "instructor",
    "statsmodels",
    "scipy",
    "sklearn",
    "matplotlib",
    "jsonschema",
    "numpy",
    "label_studio_sdk",
    "aiohttp",
    "pyarrow",
    "ray",
    "mlcroissant",
    "datasets",
    "huggingface_hub",
    "yaml",
)
QUICK = ("evaluate", "--model", "scripted", "--persona-set", "three", "--limit", "2", "--run", "quick")
PLAIN = {
    **{name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ},
    "COLUMNS": "100",
    "TERMINAL_WIDTH": "100",
    "NO_COLOR": "1",
    "PYTHONUTF8": "1",
}
"""An environment in which help looks the same everywhere."""


def help_of(command: Command, name: str) -> str:
    done = command(*name.split(), "--help", env=PLAIN)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def fails(done: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> None:
    """An error that names what is wrong, on standard error, without a traceback."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert re.search(r"^error: |^╭─ Error ─", done.stderr, re.MULTILINE)
    for word in words:
        assert word in done.stderr, word


@pytest.fixture(scope="module")
def done_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that is done."""
    folder = tmp_path_factory.mktemp("cli")
    arguments = [sys.executable, "-m", "dilemmas", *QUICK]
    subprocess.run(arguments, cwd=folder, capture_output=True, timeout=120, check=True)
    return folder / "runs" / "quick"


@pytest.fixture
def quick(here: Command, done_run: Path, tmp_path: Path) -> Command:
    """`dilemmas` in a folder where the run `quick` is done."""
    shutil.copytree(done_run, tmp_path / "runs" / "quick")
    return here


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "--model", "m", "--persona-set", "none", "--limit", "1"],
        ["generate", "--model", "m", "--values", "Honest", "--limit", "1"],
        ["check", "--judge", "m"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_key_goes_over_plain_http_only_where_that_is_allowed(command: Command, arguments: list[str]) -> None:
    environment = {**os.environ, "A_KEY": "sk-0123456789", "HTTP_PROXY": "http://127.0.0.1:9"}
    given = [*arguments, "--base-url", "http://gpu.example/v1", "--api-key-env", "A_KEY"]
    refused = command(*given, env=environment)
    assert refused.returncode == 2
    assert "--allow-plain-http-key" in refused.stderr
    allowed = command(*given, "--allow-plain-http-key", env=environment)
    assert allowed.returncode == 2
    assert "nobody answers" in allowed.stderr


@pytest.mark.parametrize("name", COMMANDS[1:])
def test_help_has_examples(command: Command, name: str) -> None:
    text = help_of(command, name)
    assert "Examples" in text
    assert f"dilemmas {name} " in text.split("Examples")[1]


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("", "1 errors found in a dataset, 2 wrong input, 3 finished with something still open, 130 interrupted"),
        ("evaluate", "0 done, 2 wrong input, 3 finished with some trials still open, 130 interrupted"),
        ("generate", "0 done, 2 wrong input, 3 finished with some dilemmas still open, 130 interrupted"),
        ("check", "0 no errors, 1 errors were found, 2 wrong input, 3 the judge left readings open, 130 interrupted"),
    ],
)
def test_help_names_the_exit_codes(command: Command, name: str, codes: str) -> None:
    assert codes in " ".join(help_of(command, name).split())


def test_the_reference_is_what_help_says(command: Command, request: pytest.FixtureRequest) -> None:
    parts = ["# Command line", "What `--help` says; written by `pytest tests/test_cli.py --renew`."]
    for name in COMMANDS:
        whole = f"dilemmas {name}".strip()
        parts += [f"## {whole}", f"```\n{help_of(command, name)}\n```"]
    text = "\n\n".join(parts) + "\n"
    path = ROOT / "docs" / "cli.md"
    if request.config.getoption("--renew"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, "run `pytest tests/test_cli.py --renew`"


def test_help_imports_no_stage() -> None:
    code = f"import sys, dilemmas.cli; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_printed(here: Command) -> None:
    from dilemmas import __version__

    assert here("--version").stdout.strip() == __version__


@pytest.mark.parametrize(
    ("kind", "count", "first"),
    [
        ("values", 56, {"value": next(iter(values())), "angle": 180.0}),
        ("topics", 11, {"topic": next(iter(topics()))}),
        ("personas", 12, {"persona": "moderate-1", "category": "moderate", "sets": "twelve, three, moderate"}),
        ("models", 4, {"model": "embedded"}),
        ("runs", 1, {"run": "quick", "models": "scripted", "personas": "three", "trials": 48, "open": 0}),
    ],
)
def test_list_as_table_and_as_json(quick: Command, kind: str, count: int, first: dict[str, object]) -> None:
    rows = json.loads(quick("list", kind, "--json").stdout)
    assert len(rows) == count
    shown = quick("list", kind)
    assert (shown.returncode, shown.stderr) == (0, "")
    for row in rows:
        assert str(next(iter(row.values()))) in shown.stdout
    if "angle" not in first:
        assert first.items() <= rows[0].items()
    else:
        assert rows[0]["value"] == first["value"]
        assert all(0 <= row["angle"] < 360 and row["definition"] for row in rows)


def test_list_says_where_there_are_no_runs(here: Command) -> None:
    done = here("list", "runs")
    assert (done.returncode, done.stderr) == (0, "")
    assert "No runs" in done.stdout
    assert json.loads(here("list", "runs", "--json").stdout) == []


def test_a_dry_run_shows_the_plan_and_leaves_no_trace(here: Command, tmp_path: Path) -> None:
    done = here("evaluate", "--model", "scripted", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "48,048 = 13 conditions x 616 dilemmas x 2 questions x 3 repeats" in done.stdout
    for word in ("tokens", "time", "answered   0"):
        assert word in done.stdout
    assert "you are a particular person" in done.stdout
    assert "How far do you agree" in done.stdout
    assert "Which one do you take?" in done.stdout
    assert all(f"\n{letter}. " in done.stdout for letter in "ABCDEF")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_asks_no_server(here: Command, tmp_path: Path) -> None:
    done = here("evaluate", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["trials"], plan["protocol"], plan["seconds"]) == (48048, "reasoned", None)
    assert plan["prompt_tokens"] > 48048 * 100
    assert list(plan["examples"]) == ["value", "action"]
    for messages in plan["examples"].values():
        assert [message["role"] for message in messages] == ["system", "user"]
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_knows_what_is_answered_already(quick: Command) -> None:
    plan = json.loads(quick(*QUICK, "--dry-run", "--json").stdout)
    assert (plan["trials"], plan["answered"]) == (48, 48)


def test_json_is_all_there_is_on_standard_output(quick: Command) -> None:
    done = quick(*QUICK, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["counts"]["planned"] == 48
    assert found["caveat"]
    assert "48 answers reused, 0 asked" in done.stderr
    again = quick("analyse", "quick", "--json")
    assert json.loads(again.stdout) == found


def test_evaluate_says_what_came_of_it_and_where_it_is(quick: Command, tmp_path: Path) -> None:
    done = quick(*QUICK)
    assert done.returncode == 0, done.stderr
    for word in ("48 answers reused", "baseline", "incongruous", "floor", "chance", "not fit to interpret", "Note:"):
        assert word in done.stdout, word
    page = next(line for line in done.stdout.splitlines() if line.startswith("report "))
    assert (tmp_path / page.split()[1]).is_file()
    assert (tmp_path / "runs" / "quick" / "tables" / "effects.csv").is_file()


def test_analyse_takes_a_name_a_folder_and_another_scale(quick: Command, tmp_path: Path) -> None:
    even = json.loads(quick("analyse", "quick", "--json").stdout)
    folder = json.loads(quick("analyse", str(tmp_path / "runs" / "quick"), "--json").stdout)
    thirds = json.loads(quick("analyse", "quick", "--scale", "thirds", "--json").stdout)
    assert even == folder
    assert (even["scale"], thirds["scale"]) == ("even", "thirds")
    assert [one["AD"] for one in even["categories"]] != [one["AD"] for one in thirds["categories"]]
    assert [one["AR"] for one in even["categories"]] == [one["AR"] for one in thirds["categories"]]


def test_analyse_can_read_the_replies_again(quick: Command) -> None:
    before = json.loads(quick("analyse", "quick", "--json").stdout)
    done = quick("analyse", "quick", "--reparse", "--json")
    assert "0 replies are read differently" in done.stderr
    assert json.loads(done.stdout) == before


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_an_export_goes_into_the_runs_folder_or_where_it_is_told(quick: Command, tmp_path: Path, form: str) -> None:
    done = quick("export", "quick", "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == f"48 rows in runs/quick/export.{form}"
    assert (tmp_path / "runs" / "quick" / f"export.{form}").stat().st_size
    fails(quick("export", "quick", "--format", form), "is there already", "--force")
    assert quick("export", "quick", "--format", form, "--prompts", "--out", "deep/mine").returncode == 0
    assert (tmp_path / "deep" / "mine").is_file()


def test_report_goes_where_it_is_told(quick: Command, tmp_path: Path) -> None:
    done = quick("report", "quick", "--out", "deep/gap.html")
    assert done.stdout.strip() == "deep/gap.html"
    text = (tmp_path / "deep" / "gap.html").read_text(encoding="utf-8")
    assert text == (tmp_path / "runs" / "quick" / "report.html").read_text(encoding="utf-8")


def test_an_unknown_run_suggests_the_nearest(quick: Command) -> None:
    for name, *rest in (["analyse"], ["report"], ["status"], ["export", "--format", "csv"]):
        fails(quick(name, "quikc", *rest), "quikc", 'Did you mean "quick"?')
    fails(quick("analyse", "../quick"), "../quick")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("evaluate", "--model", "scripted", "--orders", "sideways"), ("orders", "williams")),
        (("evaluate", "--model", "scripted", "--scale", "odd"), ("scale", "thirds")),
        (("evaluate", "--model", "scripted", "--protocol", "guess"), ("protocol", "logprob")),
        (("evaluate", "--model", "scripted", "--prompt-style", "verse"), ("prompt_style", "statements")),
        (("evaluate", "--model", "scripted", "--repeats", "0"), ("repeats", "1")),
        (("evaluate", "--model", "scripted", "--repeats", "often"), ("--repeats", "integer")),
        (("evaluate", "--model", "scripted", "--limit", "-1"), ("limit", "1")),
        (("evaluate", "--model", "scripted", "--run", "../up"), ("name", "letters")),
        (("evaluate", "--model", "scripted", "--persona-set", "twelf"), ("twelf", "twelve")),
        (("evaluate", "--model", "scripted", "--dataset", "no.jsonl"), ("no.jsonl", "dataset")),
        (("evaluate", "--model", "scripted", "--templates", "none"), ("none", "templates")),
        (("evaluate", "--model", "gpt"), ("gpt", "--base-url")),
        (("evaluate", "--model", "m", "--base-url", "gpu:8000"), ("base_url", "http://")),
        (("evaluate", "--model", "m", "--base-url", "http://h/v1", "--api-key-env", "sk-123"), ("api_key_env",)),
        (("evaluate", "--config", "no.toml"), ("no.toml", "run file")),
        (("evaluate", "--personas", "twelve"), ("--personas", "--persona-set")),
        (("analyse", "quick", "--scale", "odd"), ("odd", "--scale", "thirds")),
        (("list", "valeus"), ("valeus", "values")),
        (("export", "quick", "--format", "xlsx"), ("xlsx", "parquet")),
        (("export", "quick"), ("--format",)),
        (("status", "quick", "--watch", "--json"), ("--watch", "--json")),
        (("evaluate", "--model", "scripted", "--reuse", "quikc"), ("quikc", "quick")),
        (("evaluate", "--model", "scripted", "--strict", "--concurrency", "auto"), ("strict",)),
    ],
)
def test_a_wrong_value_is_named(quick: Command, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    fails(quick(*arguments), *words)


def test_a_key_given_for_its_name_is_not_repeated(here: Command) -> None:
    done = here("evaluate", "--model", "m", "--base-url", "http://h/v1", "--api-key-env", "sk-123-secret")
    fails(done, "environment variable")
    assert "secret" not in done.stderr


def test_the_command_line_goes_before_the_run_file(here: Command, tmp_path: Path) -> None:
    path = tmp_path / "study" / "run.toml"
    path.parent.mkdir()
    path.write_text('name = "mine"\npersona_set = "three"\nrepeats = 2\nlimit = 5\n[model]\nname = "scripted"\n')
    plain = json.loads(here("evaluate", "--config", str(path), "--dry-run", "--json").stdout)
    assert (plain["run"], plain["trials"]) == ("mine", 4 * 5 * 2 * 2)
    over = ("--repeats", "1", "--persona-set", "none", "--run", "other", "--dry-run", "--json")
    changed = json.loads(here("evaluate", "--config", str(path), *over).stdout)
    assert (changed["run"], changed["trials"], changed["model"]) == ("other", 5 * 2, "scripted")


def test_a_misspelt_setting_is_named_with_its_line(here: Command, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('name = "mine"\nrepeat = 2\n[model]\nname = "scripted"\n')
    fails(here("evaluate", "--config", "run.toml"), "run.toml, line 2", "repeat", 'Did you mean "repeats"?')
    path.write_text('[model]\nname = "scripted"\nbase_ulr = "http://x"\n')
    fails(here("evaluate", "--config", "run.toml"), "run.toml, line 3", "base_ulr", 'Did you mean "base_url"?')


@pytest.mark.parametrize("name", ["demo", "value-action-gap"])
def test_the_shipped_run_files_load(name: str, here: Command, tmp_path: Path) -> None:
    path = ROOT / "experiments" / name / "run.toml"
    assert config.load(path, {}).name == name
    done = here("evaluate", "--config", str(path), "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trials"] == {"demo": 144, "value-action-gap": 48048}[name]


def test_a_run_with_gaps_ends_with_three_and_says_how_to_go_on(here: Command, tmp_path: Path) -> None:
    """The scripted model, failing now and then: what a shaky server looks like from outside."""
    code = """
import sys
from dilemmas import cli, evaluate
from dilemmas.errors import TransientError
from dilemmas.models.scripted import ScriptedModel

class Shaky(ScriptedModel):
    async def ask(self, request):
        self.asked += 1
        if self.asked % 5 == 0:
            raise TransientError("took too long", where="http://127.0.0.1:1/v1")
        return await ScriptedModel.ask(self, request)

evaluate.open_model = Shaky.opened
sys.argv = ["dilemmas", *sys.argv[1:]]
cli.main()
"""
    (tmp_path / "run.toml").write_text("[model]\nattempts = 1\n")
    done = subprocess.run(
        [sys.executable, "-c", code, *QUICK, "--config", "run.toml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "took too long" in done.stdout
    assert "run the same command again" in done.stdout
    again = here(*QUICK)
    assert again.returncode == 0, again.stderr
    assert "0 left open" in again.stdout
    assert ", 0 asked" not in again.stdout


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(here: Command, tmp_path: Path) -> None:
    arguments = ("evaluate", "--model", "scripted", "--limit", "12", "--run", "stopped", "--no-report")
    process = subprocess.Popen(
        [sys.executable, "-m", "dilemmas", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        assert "of 936" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "goes on from there" in said
    assert "Traceback" not in said
    done = here(*arguments)
    assert done.returncode == 0, done.stderr
    assert "0 left open" in done.stdout


def test_output_may_be_cut_short(quick: Command, tmp_path: Path) -> None:
    """`| head` closes the pipe; that is no error worth a traceback."""
    done = subprocess.run(
        f"{sys.executable} -m dilemmas list values --json | head -n 1",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[\n"
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dilemmas", "list", "values"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
