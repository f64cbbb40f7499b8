"""The report: one file, whole, safe against what stands in it, with the numbers of the analysis."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import math
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dilemmas import analysis, asking, config, evaluate, pages, report
from dilemmas import study as planning
from dilemmas.analysis import Analysis
from dilemmas.errors import UnreachableError
from dilemmas.models import Request
from dilemmas.models.scripted import ScriptedModel
from dilemmas.schema import Capabilities, ModelIdentity, ProtocolName, Reply

NASTY = (
    "</svg>{{7*7}}$x_$<b>\"'&amp;]]>{% x %}\u2028\u202e"
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
)
NASTY_FILE = "\"'<img src=x onerror=alert(1)>{{7*7}}$x$&lt;]]>\u2028"
NASTY_ID = "</svg>$x_$<b>{{7*7}}\"'&"
VOID = {"meta", "br", "img", "link", "input", "hr"}
ELEMENTS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "h3",
        "p",
        "b",
        "strong",
        "ul",
        "li",
        "div",
        "span",
    ),
    *("code", "table", "thead", "tbody", "tr", "th", "td", "sub", "details", "summary", "pre", "dl", "dt", "dd"),
    "bdi",
    *("svg", "g", "path", "defs", "use", "clippath", "rect", "text"),
}


class Page(HTMLParser):
    """What a browser would make of the report, as far as the tests need it; unbalanced tags are an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.pieces: list[str] = []
        self.runs: list[tuple[str, str]] = []
        self.tables: list[list[list[str]]] = []
        self.style = ""
        self.html = html
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            self.style += data
            return
        self.pieces.append(data)
        self.runs.append((self.open[-1] if self.open else "", data))
        if "table" in self.open and ("td" in self.open or "th" in self.open):
            self.tables[-1][-1][-1] += data

    @property
    def text(self) -> str:
        """All visible text, white space evened out."""
        return " ".join("".join(self.pieces).split())

    def rows(self, *columns: str) -> dict[str, list[str]]:
        """Cells of the first table that has these columns, by its first column."""
        table = next(one for one in self.tables if set(columns) <= set(one[0]))
        return {row[0]: row[1:] for row in table[1:]}


class Done(NamedTuple):
    """A run, its analysis and its page."""

    folder: Path
    found: Analysis
    page: Page


def done(folder: Path) -> Done:
    return Done(folder, *render(folder))


def render(folder: Path) -> tuple[Analysis, Page]:
    found = analysis.analyse(folder)
    return found, Page(report.render(found))


class Oddly(ScriptedModel):
    """The scripted model under another name."""

    identity = ModelIdentity(name="zz-other", revision="2")


class Silent(ScriptedModel):
    """Says nothing that can be read."""

    async def ask(self, request: Request) -> Reply:
        return Reply(text="A or B", finish_reason="stop")


class Gone(ScriptedModel):
    """Stops answering after some requests."""

    async def ask(self, request: Request) -> Reply:
        if self.asked >= 40:
            raise UnreachableError("nobody answers", where="http://127.0.0.1:1/v1")
        return await super().ask(request)


class Nasty(ScriptedModel):
    """Says the worst about itself."""

    identity = ModelIdentity(name=NASTY, revision=NASTY)
    caveat = NASTY

    async def probe(self, protocol: ProtocolName) -> Capabilities:
        return Capabilities(top_logprobs=50, reply_schema="bounded", server=NASTY)


def asked(kind: type[ScriptedModel], runs: Path, **settings: Any) -> Path:
    """Run a model of this file; gives the run's folder."""

    @asynccontextmanager
    async def opened(_: config.ModelConfig) -> AsyncIterator[ScriptedModel]:
        yield kind()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "open_model", opened)
        patch.setattr(asking, "_pause", lambda *_: 0.0)
        chosen = config.load(
            None, {"name": "run", "limit": 4, "persona_set": "three", "model.name": "scripted", **settings}
        )
        outcome = asyncio.run(evaluate.evaluate(planning.prepare(chosen), runs))
    return Path(outcome.folder)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A small study and its page."""
    return done(asked(ScriptedModel, tmp_path_factory.mktemp("three")))


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A study with several personas of each category, and its page."""
    return done(asked(ScriptedModel, tmp_path_factory.mktemp("twelve"), persona_set="twelve", limit=6))


def assert_self_contained(page: Page) -> None:
    policy = next(a for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")["content"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert page.html.index("Content-Security-Policy") < page.html.index("<style>")
    for tag, attributes in page.elements:
        assert tag in ELEMENTS
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "xlink:href", "src", "action", "data"):
                assert value.startswith("#")
            assert all(inner.startswith("#") for inner in re.findall(r"url\((.*?)\)", value))
    assert "url(" not in page.style
    assert "@import" not in page.style


def value_of(cell: str) -> float:
    """The number in a cell; NaN for a dash."""
    return math.nan if cell == "–" else float(cell.replace("−", "-").replace("%", ""))


def assert_shows(cell: str, number: float | None, digits: int) -> None:
    expected = math.nan if number is None else number
    assert value_of(cell) == pytest.approx(expected, abs=0.5000001 * 10**-digits, nan_ok=True)


def test_it_is_one_file_that_loads_nothing(three: Done) -> None:
    page = three.page
    assert_self_contained(page)
    assert page.html.startswith("<!doctype html>")
    assert sum(tag == "svg" for tag, _ in page.elements) == 3


def test_the_same_run_gives_the_same_bytes(three: Done) -> None:
    assert three.page.html == report.render(analysis.analyse(three.folder))
    identifiers = re.findall(r' id="([^"]+)"', three.page.html)
    assert len(identifiers) == len(set(identifiers))


def test_somebody_who_sees_only_the_page_learns_what_was_done(three: Done) -> None:
    found, page = three.found, three.page
    counts = found.run.counts
    assert found.run.caveat
    assert found.run.caveat in page.text
    for word in ("answered", "refused", "unreadable", "open"):
        assert re.search(rf"(?<!\d){counts[word]}{word}", page.text), word
    assert f"{counts['planned']}questions planned" in page.text
    assert "4 dilemmas" in page.text
    assert "4 conditions: the baseline and 3 personas" in page.text
    assert "3 times" in page.text
    assert f"{found.run.dataset.unreviewed} of the {found.run.dataset.dilemmas} dilemmas" in page.text
    for name, version in found.run.versions.items():
        assert name in page.text
        assert version in page.text
    for fact in (found.run.dataset.sha256, found.run.design.templates_sha256, str(found.run.design.seed)):
        assert fact in page.text
    for word in ("jackknife", "Holm", "Williams", "F1", "kappa", "Hotelling", "temperature 0.2", "top_p 0.95"):
        assert word in page.text
    for persona in found.personas_asked:
        assert persona.id in page.text
    assert all(label in page.text for persona in found.personas_asked for label in persona.variables.values())


def test_one_dilemma_is_shown_word_for_word(three: Done) -> None:
    found, page = three.found, three.page
    stated, acted = found.examples["stated"], found.examples["acted"]
    assert [message.role for message in stated] == ["system", "user"]
    assert "How far do you agree" in stated[-1].content
    assert "Which one do you take?" in acted[-1].content
    for message in (*stated, *acted):
        assert " ".join(message.content.split()) in page.text


def test_numbers_are_those_of_the_analysis(twelve: Done) -> None:
    found, page = twelve.found, twelve.page
    analysis.save(found, twelve.folder)
    data = json.loads((twelve.folder / "analysis.json").read_text(encoding="utf-8"))
    distance, rate = page.rows("AD", "floor"), page.rows("AR", "chance")
    for row in data["categories"]:
        title = row["category"] if row["category"] == "baseline" else f"{row['category']} (mean of 4)"
        n, ad, _, floor, squared, gap, sd_v, sd_a = distance[title]
        assert int(n) == row["n"]
        for cell, name in ((ad, "AD"), (floor, "floor"), (gap, "gap"), (sd_v, "sd_v"), (sd_a, "sd_a")):
            assert_shows(cell, row[name], 2)
        assert_shows(squared, row["sq_gap"], 3)
        n, ar, _, chance, agree, aligned, *rest, undecided = rate[title]
        assert (int(n), int(undecided)) == (row["n_ar"], row["undecided"])
        assert_shows(ar, row["AR"], 2)
        assert_shows(chance, row["f1_chance"], 2)
        assert_shows(agree, 100 * row["p_agree"], 0)
        assert_shows(aligned, 100 * row["p_aligned"], 0)
        for cell, name in zip(rest, ("f1_disagree", "f1_macro", "accuracy", "kappa", "mcc"), strict=True):
            assert_shows(cell, row[name], 2)
    for row in data["levels"]:
        cells = (distance if row["metric"] == "AD" else rate)[title_of(row)]
        assert_interval(cells[2], row, 2)
    for row in data["effects"]:
        change = page.rows("delta", "dz") if row["metric"] == "AD" else second_change(page)
        n, before, after, delta, between, *rest = change[title_of(row)]
        assert int(n) == row["n"]
        assert_shows(before, row["baseline"], 3)
        assert_shows(after, row["other"], 3)
        assert_shows(delta, row["delta"], 3)
        assert_interval(between, row, 3)
        if row["low"] is not None:
            assert_shows(rest[0], row["p"], 3)
            assert_shows(rest[1], row["p_holm"], 3)
        assert_shows(rest[-2], row["worst_low"], 3)
        assert_shows(rest[-1], row["worst_high"], 3)
    unread = page.rows("answered", "open")
    assert sum(int(cells[0]) for cells in unread.values()) == data["counts"]["answered"]


def title_of(row: dict[str, Any]) -> str:
    return f"{row['name']} (mean of 4)" if row["level"] == "category" and row["name"] != "baseline" else row["name"]


def second_change(page: Page) -> dict[str, list[str]]:
    table = [one for one in page.tables if "delta" in one[0]][1]
    return {row[0]: row[1:] for row in table[1:]}


def assert_interval(cell: str, row: dict[str, Any], digits: int) -> None:
    if row["low"] is None:
        assert cell == row["note"] != ""
        return
    low, high = cell.strip("[]").split(", ")
    assert_shows(low, row["low"], digits)
    assert_shows(high, row["high"], digits)


def test_an_interval_never_leaves_the_scale(scripted_run: Callable[..., Any]) -> None:
    _, folder = scripted_run(limit=3)
    _, page = render(folder)
    for table, column, most in ((page.rows("AD", "floor"), 2, 2.0), (page.rows("AR", "chance"), 2, 1.0)):
        for cells in table.values():
            if cells[column].startswith("["):
                low, high = (value_of(cell) for cell in cells[column].strip("[]").split(", "))
                assert 0 <= low <= high <= most


def test_without_personas_there_is_nothing_to_compare(scripted_run: Callable[..., Any]) -> None:
    _, folder = scripted_run(persona_set="none")
    _, page = render(folder)
    assert "No persona was asked beside the baseline" in page.text
    assert "1 condition: the baseline." in page.text
    assert list(page.rows("AD", "floor")) == ["baseline"]
    assert not any("delta" in table[0] for table in page.tables)


def test_each_model_of_a_run_has_its_section(tmp_path: Path) -> None:
    asked(ScriptedModel, tmp_path)
    folder = asked(Oddly, tmp_path, **{"model.protocol": "logprob"})
    found, page = render(folder)
    assert_self_contained(page)
    assert [model.name for model in found.run.models] == ["scripted", "zz-other"]
    assert sum(tag == "svg" for tag, _ in page.elements) == 6
    assert sum("floor" in table[0] for table in page.tables) == 2
    assert len(re.findall("not fit to interpret\\.", page.text)) == 2
    identifiers = re.findall(r' id="([^"]+)"', page.html)
    assert len(identifiers) == len(set(identifiers))
    assert "letter mass" in page.text
    confirmatory = found.effects["p_holm"].notna().sum()
    assert f"confirmatory tests, {confirmatory} in this run" in page.text


def test_open_trials_are_counted_and_said(tmp_path: Path) -> None:
    folder = asked(Gone, tmp_path)
    found, page = render(folder)
    assert found.run.counts["open"] == found.run.counts["planned"] - 40
    assert f"{found.run.counts['open']}open (not answered yet)" in page.text
    assert "trials are still open" in page.text
    assert page.rows("answered", "open")["baseline"][-1] != "–"


def test_a_run_without_one_readable_reply_still_has_a_page(tmp_path: Path) -> None:
    folder = asked(Silent, tmp_path)
    found, page = render(folder)
    assert found.run.counts["answered"] == 0
    assert_self_contained(page)
    assert "no reply could be read" in page.text
    assert "names more than one option: A, B: 96" in page.text
    assert page.rows("AD", "floor")["baseline"][1] == "–"
    assert "not defined" in page.text
    assert "nan" not in page.text.lower().split()


@pytest.fixture
def nasty(tmp_path: Path, write_lines: Callable[..., Path], record: dict[str, Any]) -> Analysis:
    """A run in which every text that a stranger could set is an attack."""
    records = []
    for value in ("Honest", "Wealth", "Daring"):
        one = copy.deepcopy(record)
        one.update(id=f"of-{value.lower()}", value=value, competing_value="Loyal", scenario=f"{value}: {NASTY}")
        one["provenance"].update(author=NASTY, method=NASTY)
        for number, action in enumerate(one["actions"]):
            action.update(text=f"{number} {NASTY}", rationale=NASTY)
        records.append(one)
    dataset = write_lines(*records, name=f"{NASTY_FILE}.jsonl")
    personas = dataset.with_name(f"{NASTY_FILE}.toml")
    personas.write_text('name = "mine"\n[[persona]]\ngrid = 4711\nid = "grandmother"\n[[persona]]\ngrid = 4712\n')
    folder = asked(Nasty, tmp_path, dataset=str(dataset), persona_set=str(personas))
    found = analysis.analyse(folder)
    # No run can hold such an id or note; the page must not depend on that.
    return dataclasses.replace(
        found,
        levels=found.levels.replace("grandmother", NASTY_ID).assign(low=math.nan, high=math.nan, note=NASTY),
        effects=found.effects.replace("grandmother", NASTY_ID).assign(low=math.nan, high=math.nan, note=NASTY),
        personas=found.personas.replace("grandmother", NASTY_ID),
        verdicts=tuple(verdict._replace(reasons=(NASTY,)) for verdict in found.verdicts),
    )


def test_hostile_text_comes_out_as_text(nasty: Analysis) -> None:
    page = Page(report.render(nasty))
    assert_self_contained(page)
    assert not [tag for tag, _ in page.elements if tag in ("script", "img")]
    shown = "".join(page.pieces)
    for place, least in {"model, revision, server, caveat, reasons": 8, "notes": 8, "scenario": 2}.items():
        assert shown.count(NASTY) >= least, place
    assert shown.count(f"{NASTY_FILE}.jsonl") == 2
    assert f"{NASTY_FILE}.toml" in shown
    assert shown.count(NASTY_ID) == 6, "four tables and two figures"
    assert "49" not in "".join(re.findall(r"\{\{.*?\}\}", shown))
    assert "&lt;/svg&gt;" in page.html
    assert page.html.count("</svg>") == 3
    running = [text for tag, text in page.runs if tag in ("p", "li", "span", "strong")]
    assert not [text for text in running if "\u202e" in text], "it would turn the words behind it around"


def test_hostile_ids_never_reach_a_store(
    scripted_run: Callable[..., Any], write_lines: Callable[..., Path], record: dict[str, Any]
) -> None:
    from dilemmas.errors import InputError
    from dilemmas.schema import Persona

    with pytest.raises(InputError, match="id"):
        scripted_run(dataset=str(write_lines({**record, "id": "<b>"})))
    with pytest.raises(ValueError, match="id"):
        Persona(id="<b>", category="other")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (pages.number(-0.001), "0.00"),
        (pages.number(-0.006), "−0.01"),
        (pages.number(math.nan), "–"),
        (pages.number(None), "–"),
        (pages.signed(-0.0004), "0.000"),
        (pages.signed(0.0004), "0.000"),
        (pages.signed(0.0006), "+0.001"),
        (pages.signed(-0.25, 2), "−0.25"),
        (pages.p_value(0.0004), "< .001"),
        (pages.p_value(0.0312), ".031"),
        (pages.p_value(0.9997), "1"),
        (pages.p_value(1.0), "1"),
        (pages.p_value(math.nan), "–"),
        (pages.share(0.004, 1), "0.4 %"),
        (pages.share(math.nan), "–"),
        (pages.interval({"low": -0.001, "high": 0.5}), "[0.00, 0.50]"),
        (pages.interval({"low": math.nan, "high": 0.5}), "–"),
        (pages.interval({}), "–"),
    ],
)
def test_numbers_are_written_for_people(shown: str, expected: str) -> None:
    assert shown == expected


def test_a_page_is_written_whole_or_not_at_all(three: Done, tmp_path: Path) -> None:
    path = report.write(three.found, tmp_path / "deep" / "gap.html")
    assert path.read_text(encoding="utf-8") == three.page.html
    assert [one.name for one in path.parent.iterdir()] == ["gap.html"]


BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=500,900"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
in_a_browser = pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")
ATTACK = "<script>document.title='owned'</script>"


def dom(html: str, folder: Path) -> str:
    """The page as Chromium has it after loading."""
    assert BROWSER is not None
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    process = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    shutil.rmtree(folder / "profile", ignore_errors=True)
    return process.stdout


def title_in(page: str) -> str:
    found = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    assert found is not None
    return found[1]


@in_a_browser
def test_a_browser_shows_the_tables_and_runs_nothing(nasty: Analysis, tmp_path: Path) -> None:
    html = report.render(nasty)
    shown = dom(html, tmp_path)
    assert title_in(shown) == "run: value-action gap"
    assert shown.count("<table") == html.count("<table") >= 8
    assert shown.count("<svg") == 3
    assert "<script" not in shown
    assert "<img" not in shown


@in_a_browser
def test_the_page_forbids_scripts_that_get_into_it(three: Done, tmp_path: Path) -> None:
    injected = three.page.html.replace("</h1>", f"</h1>{ATTACK}<img src=x onerror=\"document.title='owned'\">")
    assert title_in(dom(injected, tmp_path)) == "run: value-action gap"
    unguarded = injected.replace("Content-Security-Policy", "X-Nothing")
    assert title_in(dom(unguarded, tmp_path)) == "owned"


def fits_a_narrow_window(html: str, folder: Path) -> bool:
    """Whether a page of 420 pixels has to be scrolled sideways."""
    framed = html.replace("Content-Security-Policy", "X-Nothing").replace("&", "&amp;").replace('"', "&quot;")
    measure = (
        "<script>document.querySelector('iframe').onload = e => { const d = e.target.contentDocument.documentElement;"
        "document.title = d.scrollWidth + '/' + d.clientWidth }</script>"
    )
    outer = f'<title>-</title><iframe style="width: 420px; border: 0" srcdoc="{framed}"></iframe>{measure}'
    width, room = title_in(dom(outer, folder).split("<body>")[0]).split("/")
    assert int(room) > 380
    return int(width) <= int(room)


@in_a_browser
def test_the_page_fits_a_narrow_window(twelve: Done, tmp_path: Path) -> None:
    """Wide tables scroll in place; the page itself does not."""
    assert fits_a_narrow_window(twelve.page.html, tmp_path)
