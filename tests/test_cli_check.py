"""`dilemmas check` as a user meets it: what it finds, what it leaves on disk, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import Answer, FakeServer, Seen, completion, error
from jsonschema import Draft202012Validator

from dilemmas import asking, cli, dataset, resources
from dilemmas.checks.__main__ import FAMILIES
from dilemmas.checks.__main__ import text as documentation
from dilemmas.cli.findings import print_findings
from dilemmas.schema import Findings

Command = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parent.parent
BAD = Path(__file__).parent / "data" / "bad.jsonl"


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """`dilemmas check` in an empty folder, and in this process: scikit-learn is imported once."""
    at_sigterm = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["dilemmas", "check", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(arguments, ended.value.code, *capfd.readouterr())

    yield run
    signal.signal(signal.SIGTERM, at_sigterm)


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Two of the shipped dilemmas."""
    path = tmp_path / "few.jsonl"
    dataset.write(path, dataset.read(dataset.shipped_path()).dilemmas[:2])
    return path


def findings_in(folder: Path) -> Findings:
    return Findings.model_validate_json((folder / "findings.json").read_text(encoding="utf-8"))


LABELS = {
    action.text: action for dilemma in dataset.read(dataset.shipped_path()).dilemmas for action in dilemma.actions
}


def judged(seen: Seen) -> Answer | None:
    """The reply of a judge that knows every label."""
    if not seen.is_question:
        return None
    places = {}
    for letter, text in re.findall(r"^([A-F])\. (.*)$", seen.prompt, re.MULTILINE):
        side = "for" if LABELS[text].polarity == "aligned" else "against"
        places[letter] = {"side": side, "strength": LABELS[text].intensity}
    return completion(json.dumps(places))


def test_the_shipped_dilemmas_have_no_errors(check: Command, tmp_path: Path) -> None:
    done = check()
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    folder = tmp_path / "checks" / "dilemmas"
    assert sorted(path.name for path in folder.iterdir()) == ["check.html", "findings.json"]
    found = findings_in(folder)
    assert (folder / found.dataset).resolve() == dataset.shipped_path().resolve()
    assert found.dilemmas == len(dataset.read(dataset.shipped_path()).dilemmas)
    assert found.sha256 == dataset.read(dataset.shipped_path()).sha256
    schema = json.loads((resources.folder("schemas") / "findings.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(json.loads((folder / "findings.json").read_text(encoding="utf-8")))
    assert "616 dilemmas in dilemmas.jsonl: 0 errors, 0 warnings" in done.stdout
    assert str(Path("checks", "dilemmas", "check.html")) in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_bad_file_ends_with_one_and_every_finding_is_in_the_files(check: Command, tmp_path: Path) -> None:
    done = check(BAD, "--out", "here")
    assert done.returncode == 1, done.stderr
    found = findings_in(tmp_path / "here")
    page = (tmp_path / "here" / "check.html").read_text(encoding="utf-8")
    for rule in {finding.rule for finding in found.findings}:
        assert f": {rule}  " in done.stdout
        assert f'id="rule-{rule}"' in page
    assert re.search(
        r"next      mend lines [\d, -]+ first, .* dilemmas generate --repair here/findings.json", done.stdout
    )
    assert not [line for line in done.stdout.splitlines() if line != line.rstrip()]
    severities = [finding.severity for finding in found.findings]
    assert severities == sorted(severities, key=("error", "warning", "note").index)
    for severity in set(severities):
        places = [one.where for one in found.findings if one.severity == severity]
        lines = [int(line[1]) if (line := re.match(r"line (\d+)", place)) else 0 for place in places]
        assert lines == sorted(lines), "what is about the set comes first"


def test_json_is_all_there_is_on_standard_output(check: Command, tmp_path: Path) -> None:
    done = check("--json")
    assert done.stderr == ""
    assert done.stdout == (tmp_path / "checks" / "dilemmas" / "findings.json").read_text(encoding="utf-8")
    Findings.model_validate_json(done.stdout)


def fails(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, word


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no.jsonl",), ("no.jsonl", "no such dataset")),
        ((".",), ("cannot read",)),
        (("--base-url", "http://127.0.0.1:9/v1"), ("--base-url", "--judge")),
        (("--embed-url", "http://127.0.0.1:9/v1"), ("--embed-url", "--embed")),
        (("--embed", "m", "--embed-url", "http://127.0.0.1:9/v1", "--api-key-env", "KEY"), ("--embed-key-env",)),
        (("--embed", "m", "--base-url", "http://127.0.0.1:9/v1", "--embed-key-env", "KEY"), ("--embed-url",)),
        (("--judge", "a-model"), ("a-model", "--base-url")),
        (("--judge", "scripted"), ("scripted",)),
        (("--embed", "a-model"), ("a-model", "--base-url")),
        (("--judge", "m", "--base-url", "127.0.0.1:9"), ("--base-url", "http://")),
        (("--embed", "m", "--embed-url", "127.0.0.1:9"), ("error: --embed-url", "http://")),
        (("--judge", "m"), ("error: --judge", "--base-url http")),
        (("--embed", "m"), ("error: --embed", "--base-url http")),
        (("--judge", "embedded", "--base-url", "http://127.0.0.1:9/v1"), ("error: --base-url", "--judge")),
        (("--orders", "3"), ("--orders", "--judge")),
        (("--seed", "0"), ("--seed", "--judge")),
        (("--max-tokens", "9"), ("--max-tokens", "--judge")),
        (("--concurrency", "2"), ("--concurrency", "--embed")),
        (("--judge", "m", "--base-url", "http://127.0.0.1:9/v1", "--orders", "0"), ("--orders",)),
        (("--judge", "m", "--base-url", "http://127.0.0.1:9/v1", "--concurrency", "0"), ("concurrency",)),
    ],
)
def test_wrong_input_is_named_and_leaves_no_trace(
    check: Command, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    fails(check(*arguments), *words)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_mixes_versions_names_the_lines(
    check: Command, write_lines: Callable[..., Path], record: dict[str, Any]
) -> None:
    path = write_lines(record, {**record, "id": "other", "schema_version": 2})
    fails(check(path), "version 1 on line 1", "version 2 on line 2")


def test_a_folder_that_cannot_be_written_is_an_error(check: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    fails(check("--out", "taken"), "taken")
    assert (tmp_path / "taken").read_text() == "a file, no folder"


def test_an_older_page_stays_where_the_new_one_cannot_be_written(check: Command, tmp_path: Path, few: Path) -> None:
    (tmp_path / "out" / "findings.json").mkdir(parents=True)
    (tmp_path / "out" / "check.html").write_text("the old page")
    fails(check(few, "--out", "out"), "findings.json")
    assert (tmp_path / "out" / "check.html").read_text() == "the old page"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["check.html", "findings.json"]


def test_a_judge_that_agrees_is_in_terminal_files_and_page(check: Command, tmp_path: Path, few: Path) -> None:
    with FakeServer(script=judged) as server:
        done = check(few, "--judge", "fake", "--base-url", server.address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sorted blind by fake: 100 % of the actions" in " ".join(done.stdout.split())
    assert len(server.questions) == 6
    folder = tmp_path / "checks" / "few"
    found = findings_in(folder)
    assert found.judge == "fake"
    assert [(sort.asked, sort.read, sort.side, round(sort.tau or 0, 6)) for sort in found.sorts] == [(3, 3, 1, 1)] * 2
    assert sorted(path.name for path in folder.iterdir()) == [
        *("check.html", "findings.json", "judgements.jsonl", "judging.jsonl")
    ]
    assert "sorted blind by <bdi>fake</bdi>" in (folder / "check.html").read_text(encoding="utf-8")


def test_a_judge_that_stops_half_way_leaves_findings_and_the_same_command_goes_on(
    check: Command, tmp_path: Path, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_pause", lambda *_: 0.0)
    with FakeServer(script=judged, die_after=2) as server:
        calm = ("--concurrency", "1", "--patience", "0")
        arguments = (few, "--judge", "fake", "--base-url", server.address, *calm, "--json")
        done = check(*arguments)
    assert done.returncode == 3, done.stderr
    assert "4 of 6 readings by the judge are still open" in done.stderr
    assert "same command again" in done.stderr
    assert sum(sort.read for sort in Findings.model_validate_json(done.stdout).sorts) == 2
    assert findings_in(tmp_path / "checks" / "few") == Findings.model_validate_json(done.stdout)
    with FakeServer(script=judged, port=server.port) as again:
        done = check(*arguments)
    assert done.returncode == 0, done.stderr
    assert len(again.questions) == 4

    assert done.stderr == ""


def test_what_to_do_about_a_lost_judge_is_said_once(check: Command, few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_pause", lambda *_: 0.0)
    with FakeServer(script=judged, die_after=2) as server:
        calm = ("--concurrency", "1", "--patience", "0")
        done = check(few, "--judge", "fake", "--base-url", server.address, *calm)
    assert done.stderr.count("same command again") == 1


def test_an_earlier_judges_readings_count_where_none_is_asked(check: Command, tmp_path: Path, few: Path) -> None:
    with FakeServer(script=judged) as server:
        check(few, "--judge", "fake", "--base-url", server.address, "--out", "out")
    before = findings_in(tmp_path / "out")
    assert check(few, "--out", "out").returncode == 0
    after = findings_in(tmp_path / "out")
    assert (after.judge, after.sorts, after.findings) == ("fake", before.sorts, before.findings)
    first, second = dataset.read(few).dilemmas
    dataset.write(few, [first, second.model_copy(update={"revision": 2})])
    check(few, "--out", "out")
    assert [sort.id for sort in findings_in(tmp_path / "out").sorts] == [first.id]
    (tmp_path / "out" / "judgements.jsonl").write_text("no judgement\n")
    fails(check(few, "--out", "out"), "judgements.jsonl, line 1", "--judge")


def test_findings_of_another_file_are_not_overwritten(check: Command, tmp_path: Path, few: Path) -> None:
    other = tmp_path / "other" / "few.jsonl"
    other.parent.mkdir()
    other.write_bytes(few.read_bytes())
    check(few)
    before = findings_in(tmp_path / "checks" / "few")
    fails(check(other), "checks/few", "holds findings of ../../few.jsonl", "--out")
    assert findings_in(tmp_path / "checks" / "few") == before
    assert check(other, "--out", "elsewhere").returncode == 0
    assert check(few).returncode == 0


def test_a_path_with_a_space_can_be_copied_from_the_next_step(
    check: Command, write_lines: Callable[..., Path], record: dict[str, Any]
) -> None:
    record["actions"][0]["text"] = "TODO"
    done = check(write_lines(record), "--out", "a folder")
    assert "next      dilemmas generate --repair 'a folder/findings.json'" in done.stdout


@pytest.mark.parametrize(
    ("numbers", "words"), [([4], "4"), ([1, 2], "1-2"), ([3, 17, 18, 19], "3, 17-19"), ([1, 3, 5, 6], "1, 3, 5-6")]
)
def test_line_numbers_are_told_in_runs(numbers: list[int], words: str) -> None:
    assert dataset.spans(numbers) == f"line{'s' if len(numbers) > 1 else ''} {words}"


def test_a_judge_that_says_nothing_readable_is_told_by_the_exit_code(check: Command, few: Path) -> None:
    with FakeServer(script=lambda seen: completion("Hm.") if seen.is_question else None) as server:
        done = check(few, "--judge", "fake", "--base-url", server.address)
    assert done.returncode == 3, done.stdout
    assert "sorted blind by fake: no reading could be used" in done.stdout
    assert "6 of 6 readings" in done.stderr
    assert "--max-tokens" in done.stderr


@pytest.mark.parametrize(("given", "sent"), [((), 3000), (("--max-tokens", "9000"), 9000)])
def test_a_judge_has_room_to_think(check: Command, few: Path, given: tuple[str, ...], sent: int) -> None:
    with FakeServer(script=judged) as server:
        check(few, "--judge", "fake", "--base-url", server.address, *given)
    assert {body["max_tokens"] for body in server.questions} == {sent}


def test_a_key_that_is_refused_is_wrong_input(check: Command, few: Path, tmp_path: Path) -> None:
    with FakeServer(key="right-key-12345") as server:
        fails(check(few, "--judge", "fake", "--base-url", server.address), "401", "--api-key-env")
    assert not (tmp_path / "checks").exists()


def embedded(seen: Seen) -> Answer | None:
    """Embeddings in which all texts lie the same way, but for the last."""
    if not seen.path.endswith("/embeddings"):
        return None
    texts = seen.body["input"]
    vectors = [[1.0, 0.0 if index < len(texts) - 1 else 1.0] for index in range(len(texts))]
    return Answer(body={"data": [{"index": index, "embedding": one} for index, one in enumerate(vectors)]})


def test_scenarios_can_be_compared_by_embeddings(check: Command, few: Path) -> None:
    with FakeServer(script=embedded) as server:
        done = check(few, "--embed", "fake", "--embed-url", server.address, "--json")
    neighbours = Findings.model_validate_json(done.stdout).neighbours
    assert {(one.method, round(one.similarity, 3)) for one in neighbours} == {("embedding", 0.707)}


def test_each_server_is_sent_its_own_key_only(check: Command, few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "key-of-the-judge")
    monkeypatch.setenv("EMBED_KEY", "key-of-the-other")
    with FakeServer(script=judged, key="key-of-the-judge") as server, FakeServer(script=embedded) as other:
        asked = ("--judge", "fake", "--base-url", server.address, "--embed", "fake", "--embed-url", other.address)
        assert check(few, *asked, "--api-key-env", "JUDGE_KEY", "--out", "one").returncode == 0
        assert not [seen for seen in other.seen if "authorization" in seen.headers]
        keys = ("--api-key-env", "JUDGE_KEY", "--embed-key-env", "EMBED_KEY")
        assert check(few, *asked, *keys, "--out", "two").returncode == 0
    assert other.seen[-1].headers["authorization"] == "Bearer key-of-the-other"
    assert {seen.headers["authorization"] for seen in server.seen} == {"Bearer key-of-the-judge"}


def test_without_embeddings_there_are_no_findings(check: Command, few: Path, tmp_path: Path) -> None:
    with FakeServer(script=lambda seen: error(404, "no such path") if "embed" in seen.path else None) as server:
        fails(check(few, "--embed", "fake", "--embed-url", server.address), "404")
    assert not (tmp_path / "checks").exists()


def test_words_from_outside_do_not_reach_the_terminal_as_codes(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b[31m[bold red]\x07\u202e[/]"
    finding = {"rule": "length", "severity": "error", "what": "is [bold]long[/bold]", "where": nasty, "fix": "cut it"}
    coverage = {"grid": {}, "basic_values": {nasty: 1}, "competing_values": {}, "relations": {}, "settings": {}}
    found = Findings.model_validate(
        {"dataset": nasty, "sha256": "", "dilemmas": 1, "created": "", "versions": {}, "judge": nasty}
        | {"findings": [finding], "coverage": coverage}
        | {"sorts": [{"id": "some", "revision": 1, "asked": 1, "read": 0}]}
    )
    print_findings(found, nasty)
    shown = capsys.readouterr().out
    assert shown.count("[31m[bold red]") == 4
    assert "is [bold]long[/bold]" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_only_so_many_findings_of_a_rule_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    finding = {"rule": "length", "severity": "note", "what": "is long", "where": "", "fix": "Cut it."}
    coverage = {"grid": {}, "basic_values": {}, "competing_values": {}, "relations": {}, "settings": {}}
    found = Findings.model_validate(
        {"dataset": "x", "sha256": "", "dilemmas": 1200, "created": "", "versions": {}}
        | {"findings": [finding] * 1200, "coverage": coverage}
    )
    print_findings(found, "mine.jsonl")
    shown = capsys.readouterr().out
    assert shown.count("is long") == 10
    assert "and 1,190 more in findings.json" in shown
    assert shown.count("Cut it.") == 1


def test_measures_have_their_units_and_intervals_their_level(capsys: pytest.CaptureFixture[str]) -> None:
    effect = {"measure": "readability", "factor": "intensity", "n": 616, "estimate": -1.25, "low": -11.5, "high": -1.0}
    cues = {"features": "words", "held_out": "value", "n": 24, "accuracy": 0.53, "low": 0.4, "high": 0.67}
    coverage = {"grid": {}, "basic_values": {}, "competing_values": {}, "relations": {}, "settings": {}}
    found = Findings.model_validate(
        {"dataset": "x", "sha256": "", "dilemmas": 24, "created": "", "versions": {}, "findings": []}
        | {"confounds": [{**effect, "dz": -0.25}], "cues": [cues], "coverage": coverage}
    )
    print_findings(found, "mine.jsonl")
    shown = capsys.readouterr().out
    assert re.search(r"^ readability, grades +strong less mild +616 +−1.25 +\[−11.50, −1.00\] +−0.25$", shown, re.M)
    assert "joint 95 %" in shown
    assert re.search(r"53 % +\[40, 67\] %", shown)


def test_the_documentation_is_what_the_rules_say() -> None:
    path = ROOT / "docs" / "checks.md"
    assert path.read_text(encoding="utf-8") == documentation(), "run `make schemas`"


def test_every_rule_is_documented_once_under_its_family() -> None:
    from dilemmas.checks import RULES

    text = documentation()
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert text.count(f"### `{rule.name}`\n") == 1
        part = text.split(f"## {FAMILIES[rule.family][0]}\n")[1].split("\n## ")[0]
        assert rule.reason in part
