"""The report: one file, whole, safe against what stands in it, with the numbers of the analysis."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import itertools
import json
import math
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from frames import random_frame
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from dilemmas import analysis, asking, config, diagnostics, evaluate, pages, report, simulation
from dilemmas import study as planning
from dilemmas.analysis import Analysis
from dilemmas.dataset import shipped_path
from dilemmas.errors import RejectedError
from dilemmas.models import Request
from dilemmas.models.scripted import ScriptedModel
from dilemmas.reporting import page as page_module
from dilemmas.reporting import sampling
from dilemmas.reporting.conditions import conditions
from dilemmas.reporting.shades import FILLS, INKS
from dilemmas.schema import Capabilities, ModelIdentity, ProtocolName, Reply
from dilemmas.store import FILE, Store

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
OF_REPORT = {"header", "nav", "section", "a", "figure", "figcaption", "caption", "i", "noscript", "script"}
"""What the report has beside them; its only script and its data are checked apart."""


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
        self.scripts: list[str] = []
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
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)
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
    """A run, its analysis and its report."""

    folder: Path
    found: Analysis
    page: Page
    path: Path
    """Of the page; the report's other files stand in `run` beside it."""


def done(folder: Path) -> Done:
    return written(folder, analysis.analyse(folder, settings=FEW))


def written(folder: Path, found: Analysis) -> Done:
    place = folder.parent / "written"
    path = report.write(found, place / "gap.html", place / "run")
    return Done(folder, found, Page(path.read_text(encoding="utf-8")), path)


def words(found: Analysis) -> Page:
    """The page without its figures, which take longest to make, and its tables for papers."""
    return Page(page_module.render(found, [], [], None))


def render(folder: Path) -> tuple[Analysis, Page]:
    found = analysis.analyse(folder, settings=FEW)
    return found, Page(report.render(found))


FEW = analysis.Settings(draws=200)


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
            raise RejectedError("the key is no longer known", where="http://127.0.0.1:1/v1", status=401)
        return await super().ask(request)


class Nasty(ScriptedModel):
    """Says the worst about itself."""

    identity = ModelIdentity(name=NASTY, revision=NASTY)
    caveat = NASTY

    async def ask(self, request: Request) -> Reply:
        reply = await super().ask(request)
        return reply.model_copy(update={"text": f"{reply.text} {NASTY}", "reasoning": NASTY})

    async def probe(self, protocol: ProtocolName, **_: Any) -> Capabilities:
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
    data, script = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith(
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"
    )
    assert page.html.index("Content-Security-Policy") < page.html.index("<style>")
    assert not set("<>&\u2028\u2029") & set(data)
    for tag, attributes in page.elements:
        assert tag in ELEMENTS | OF_REPORT
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "xlink:href", "src", "action", "data"):
                assert value.startswith("#")
            assert all(inner.startswith("#") for inner in re.findall(r"url\((.*?)\)", value))
    assert "url(" not in page.style
    assert "@import" not in page.style


def data_of(page: Page) -> dict[str, Any]:
    """What the page's script is given."""
    found: dict[str, Any] = json.loads(page.scripts[0])
    return found


def value_of(cell: str) -> float:
    """The number in a cell; NaN for a dash."""
    return math.nan if cell == "–" else float(cell.replace("−", "-").replace("%", ""))


def assert_shows(cell: str, number: float | None, digits: int) -> None:
    expected = math.nan if number is None else number
    assert value_of(cell) == pytest.approx(expected, abs=0.5000001 * 10**-digits, nan_ok=True)


def test_it_is_one_file_that_loads_nothing(three: Done) -> None:
    assert_self_contained(three.page)
    assert three.page.html.startswith("<!doctype html>")


def test_its_script_sets_text_and_nothing_else(three: Done) -> None:
    script = three.page.scripts[1]
    for risky in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
        "fetch(",
        "import(",
    ):
        assert risky not in script


def test_the_same_run_gives_the_same_bytes(three: Done) -> None:
    assert three.page.html == report.render(analysis.analyse(three.folder, settings=FEW))
    identifiers = re.findall(r' id="([^"]+)"', three.page.html)
    assert len(identifiers) == len(set(identifiers))


def test_somebody_who_sees_only_the_page_learns_what_was_done(three: Done) -> None:
    found, page = three.found, three.page
    assert found.run is not None
    assert found.caveat in page.text
    for word in ("answered", "refused", "unreadable", "open"):
        assert re.search(rf"(?<!\d){found.counts[word]}{word}", page.text), word
    assert f"{found.counts['planned']}questions planned" in page.text
    assert "4 dilemmas" in page.text
    assert "4 conditions: the baseline and 3 personas" in page.text
    assert "3 times" in page.text
    assert f"{found.run.dataset.unreviewed} of the {found.run.dataset.dilemmas} dilemmas" in page.text
    for name, version in found.run.versions.items():
        assert name in page.text
        assert version in page.text
    for fact in (found.run.dataset.sha256, found.run.design.templates_sha256, str(found.run.design.seed), "200 draws"):
        assert fact in page.text
    for word in ("jackknife", "Holm", "Williams", "F1", "kappa", "Hotelling", "temperature 0.2", "top_p 0.95"):
        assert word in page.text
    for persona in found.personas_asked:
        assert persona.id in page.text
    assert all(label in page.text for persona in found.personas_asked for label in persona.variables.values())
    for rule in diagnostics.RULES:
        assert rule.looks_for in page.text


def test_models_that_were_asked_alike_share_a_sentence(three: Done) -> None:
    run = three.found.run
    assert run is not None
    alike = tuple(run.models[0].model_copy(update={"name": name}) for name in ("m-10", "m-2"))
    page = words(dataclasses.replace(three.found, run=run.model_copy(update={"models": alike})))
    assert "m-2 and m-10 were asked by the protocol reasoned" in page.text


def test_further_fields_and_noise_are_told_where_there_are_any(three: Done) -> None:
    run = three.found.run
    assert run is not None
    model = run.models[0]
    thinking = model.model_copy(
        update={
            "sampling": model.sampling.model_copy(update={"extra": {"reasoning_effort": "low<b>"}}),
            "capabilities": model.capabilities.model_copy(
                update={"noise_replies": 8, "noise_texts": 3, "noise_nats": 0.0541}
            ),
        }
    )
    page = words(dataclasses.replace(three.found, run=run.model_copy(update={"models": (thinking,)})))
    assert "reasoning_effort = low<b>" in page.text
    assert "3 of 8 replies differed, log-probabilities by up to 0.054 nats" in page.text


def test_one_dilemma_is_shown_word_for_word(three: Done) -> None:
    stated, acted = three.found.examples["stated"], three.found.examples["acted"]
    assert [message.role for message in stated] == ["system", "user"]
    for message in (*stated, *acted):
        assert " ".join(message.content.split()) in three.page.text


def test_numbers_are_those_of_the_analysis(twelve: Done) -> None:
    found, page = twelve.found, twelve.page
    titles = dict(zip(*(conditions(found.personas)[name] for name in ("name", "title")), strict=True))
    distance, rate = page.rows("AD", "gap²"), page.rows("AR", "macro F1")
    for row in found.categories.to_dict("records"):
        n, ad, _, floor, squared, gap, sd_v, sd_a, *_ = distance[titles[row["category"]]]
        assert int(n) == row["n"]
        for cell, name in ((ad, "AD"), (floor, "floor"), (gap, "gap"), (sd_v, "sd_v"), (sd_a, "sd_a")):
            assert_shows(cell, row[name], 2)
        assert_shows(squared, row["sq_gap"], 3)
        n, ar, _, chance, agree, aligned, *rest = rate[titles[row["category"]]]
        assert int(n) == row["n_ar"]
        assert_shows(ar, row["AR"], 2)
        assert_shows(chance, row["f1_chance"], 2)
        assert_shows(agree, 100 * row["p_agree"], 0)
        assert_shows(aligned, 100 * row["p_aligned"], 0)
        measures = ("f1_always_aligned", "f1_always_agree", "f1_disagree", "f1_macro", "accuracy", "kappa", "mcc")
        for cell, name in zip(rest, measures, strict=False):
            assert_shows(cell, row[name], 2)
    for row in found.levels.to_dict("records"):
        assert_interval((distance if row["metric"] == "AD" else rate)[titles[row["name"]]][2], row, 2)
    for row in found.effects.to_dict("records"):
        table = [one for one in page.tables if {"delta", "detectable"} <= set(one[0])][row["metric"] == "AR"]
        cells = dict(zip(table[0], next(line for line in table if line[0] == titles[row["name"]]), strict=True))
        assert int(cells["n"]) == row["n"]
        for head, name in SHOWN:
            assert_shows(cells[head], row[name], 3)
        assert_shows(cells["p adjusted"], row["p_holm"] if row["level"] == "category" else row["q"], 3)
        assert_interval(cells["95 % interval"], row, 3)
        assert_interval(cells["joint interval"], {"low": row["joint_low"], "high": row["joint_high"]}, 3)


SHOWN = (
    ("baseline", "baseline"),
    ("persona", "other"),
    ("delta", "delta"),
    ("detectable", "mde"),
    ("p", "p"),
    ("lowest possible", "worst_low"),
    ("highest possible", "worst_high"),
)
"""Heads of columns of the changes, and the columns of `effects` that they show."""


def assert_interval(cell: str, row: dict[str, Any], digits: int) -> None:
    if math.isnan(row["low"]):
        assert cell == "–"
        return
    low, high = cell.strip("[]").split(", ")
    assert_shows(low, row["low"], digits)
    assert_shows(high, row["high"], digits)


def test_a_note_stands_beside_an_interval_too(three: Done) -> None:
    noted = three.found.effects.assign(note="to be read with care", low=0.0, high=1.0)
    page = words(dataclasses.replace(three.found, effects=noted))
    shown = [one for one in page.tables if {"delta", "detectable"} <= set(one[0])]
    assert all(row[-1] == "to be read with care" and "[" in row[5] for table in shown for row in table[1:])
    assert len(shown) == 2


def test_behind_each_number_are_all_scores_and_choices(twelve: Done) -> None:
    data, rows = data_of(twelve.page), twelve.found.dilemmas
    assert len(data["conditions"]) == 13
    for condition in data["conditions"]:
        persona = data["personas"][condition["persona"]]["name"]
        own = rows[rows["persona"] == persona].set_index("item")
        for at, item in enumerate(data["items"]):
            for side in ("v", "a"):
                shown = math.nan if condition[side][at] is None else condition[side][at]
                assert shown == pytest.approx(own.loc[item["id"], side], abs=0.0005, nan_ok=True)
    answers = twelve.found.answers
    one = answers[(answers["persona"] == "max-1") & (answers["side"] == "acted") & (answers["status"] == "answered")]
    row = one.iloc[-1]
    condition = next(c for c in data["conditions"] if data["personas"][c["persona"]]["name"] == "max-1")
    place = 2 * (data["repeats"] * [item["id"] for item in data["items"]].index(row["item"]) + row["repeat"])
    point, letter = condition["acted"][place : place + 2]
    assert letter == row["letter"]
    assert "-".join(reversed(data["points"]["acted"][int(point) - 1].split())) == row["code"]


def test_a_small_run_has_every_prompt_and_reply_word_for_word(three: Done) -> None:
    data = data_of(three.page)
    names = three.found.answers.set_index(["persona", "item", "side", "repeat"])["trial"]
    with Store.reading(three.folder / FILE) as store:
        replies = {one.trial: one.reply.text for one in store.replies()}
        assert len(data["replies"]) == len(replies) == three.found.counts["planned"]
        for _, persona, item, side, repeat, messages, text, *_ in data["replies"]:
            place = data["personas"][persona]["name"], data["items"][item]["id"], ("stated", "acted")[side], repeat
            assert text == replies[names[place]]
            assert [data["texts"][at] for at in messages] == [one.content for one in store.messages(names[place])]
    assert f"Prompts and raw replies are all here, {len(replies)} of them" in three.page.text


def test_replies_of_a_large_run_are_drawn_by_dilemma_within_a_budget(twelve: Done) -> None:
    answers = twelve.found.answers
    drawn, again, other = (sampling.sample(answers, twelve.folder, seed=seed, budget=60_000) for seed in (7, 7, 8))
    assert drawn == again != other
    assert 0 < len(drawn.replies) < drawn.total == len(answers)
    assert sum(map(len, drawn.texts)) + sum(len(one.text) for one in drawn.replies) < 60_000
    blocks = Counter((one.item, one.repeat) for one in drawn.replies)
    assert set(blocks.values()) == {13 * 2}, "both questions in every condition"
    assert len({item for item, _ in blocks}) == min(len(blocks), 6), "no second repeat before each has one"
    page = Page(page_module.render(twelve.found, [], [], drawn))
    assert f"a sample: {len(drawn.replies)} of {drawn.total}" in page.text
    assert f"about {drawn.dilemmas_drawn} of 6 dilemmas (seed 7)" in page.text


def test_a_long_reply_is_cut_and_that_is_said(three: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "LONGEST_REPLY", 10)
    drawn = sampling.sample(three.found.answers, three.folder)
    assert drawn.cut == len([one for one in drawn.replies if one.text.endswith("[…]")]) > 0
    assert max(len(one.text) for one in drawn.replies) == 10 + len(sampling.CUT)


def test_without_personas_there_is_nothing_to_compare(scripted_run: Callable[..., Any]) -> None:
    _, folder = scripted_run(persona_set="none")
    _, page = render(folder)
    assert "No persona was asked beside the baseline" in page.text
    assert "1 condition: the baseline." in page.text
    assert list(page.rows("AD", "gap²")) == ["baseline"]
    assert not any("delta" in table[0] for table in page.tables)


def test_each_model_of_a_run_has_its_section(tmp_path: Path) -> None:
    asked(ScriptedModel, tmp_path)
    found, page = render(asked(Oddly, tmp_path, **{"model.protocol": "logprob"}))
    assert_self_contained(page)
    assert sum("gap²" in table[0] for table in page.tables) == 2
    assert list(page.rows("verdict", "AD as itself")) == ["scripted", "zz-other"]
    assert data_of(page)["models"] == ["scripted", "zz-other"]
    assert "renormalised probabilities" in page.text
    assert len(page.rows("compared", "condition")) == len(set(found.comparisons["model"]))
    assert "scripted to zz-other" in page.rows("compared", "condition")
    assert f"The {found.effects['p_holm'].notna().sum()} comparisons of category" in page.text


def test_open_trials_are_counted_and_said(tmp_path: Path) -> None:
    found = analysis.analyse(asked(Gone, tmp_path), settings=FEW)
    page = words(found)
    assert found.counts["open"] == found.counts["planned"] - 40
    assert f"{found.counts['open']}open (not answered yet)" in page.text
    assert "trials are still open" in page.text


def test_a_run_without_one_readable_reply_still_has_a_page(tmp_path: Path) -> None:
    found, page = render(asked(Silent, tmp_path))
    assert found.counts["answered"] == 0
    assert_self_contained(page)
    assert "no dilemma has an answer on both sides, so there is no score" in page.text
    assert "names more than one option: A, B: 96" in page.text
    assert page.rows("AD", "gap²")["baseline"][1] == "–"
    assert "nan" not in page.text.lower().split()


def test_answers_from_elsewhere_have_a_page_without_raw_replies(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    study = simulation.draw(simulation.grid(3, 2), simulation.Settings(personas=2, repeats=2))
    simulation.table(study).to_csv(path, index=False)
    page = Page(report.render(analysis.analyse_responses(path, settings=FEW)))
    assert_self_contained(page)
    assert "without prompts and raw replies, so there are none to show" in page.text
    assert "theirs.csv" in page.text
    assert data_of(page)["replies"] == []
    assert len(data_of(page)["items"]) == 6


def test_every_figure_and_table_is_a_file_too(three: Done) -> None:
    place = three.path.parent
    assert sorted(one.name for one in place.iterdir()) == ["gap.html", "run"]
    shown = re.findall(r"<code>figures/([\w.-]+)\.svg</code>", three.page.html)
    files = {one.name for one in (place / "run" / "figures").iterdir()}
    assert len(shown) >= 9
    assert {f"{name}.{kind}" for name in shown for kind in ("svg", "csv")} <= files
    tables = {one.name for one in (place / "run" / "tables").iterdir()}
    assert {"results.md", "results.tex", "effects.md", "effects.tex"} <= tables


HEADINGS = ("h1", "h2", "h3", "h4")


def test_the_page_can_be_read_without_seeing_it(three: Done) -> None:
    elements = three.page.elements
    levels = [HEADINGS.index(tag) for tag, _ in elements if tag in HEADINGS]
    assert levels[0] == 0
    assert levels.count(0) == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))
    tags = [tag for tag, _ in elements]
    assert tags.count("caption") == tags.count("table")
    assert all("scope" in attributes for tag, attributes in elements if tag == "th")
    assert all(a.get("role") == "img" and a.get("aria-label") for tag, a in elements if tag == "svg")
    identifiers = {attributes["id"] for _, attributes in elements if "id" in attributes}
    assert {a["href"][1:] for tag, a in elements if tag == "a"} <= identifiers


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_words_stand_out_from_their_ground(three: Done) -> None:
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", three.page.style))
    pairs = [(colours[name], "#ffffff") for name in ("ink", "muted", "warn", "accent")]
    pairs += [(colours[name], colours[f"{name}-soft"]) for name in ("warn", "fine", "care", "unfit")]
    pairs += [(colours["muted"], colours["soft"]), *zip(INKS, FILLS, strict=True)]
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert [pair for pair in pairs if contrast(*pair) < 4.5] == []


def test_the_page_of_a_simulated_study_has_this_shape(golden: Callable[[str, str], None]) -> None:
    settings = simulation.Settings(personas=2, categories=2, effect=0.1, missing=0.05)
    answers = simulation.draw(simulation.grid(5, 3), settings, seed=3).answers("a model")
    found = analysis.of_answers(answers, name="simulated", scale="even", settings=FEW)
    page = Page(report.render(found))
    lines = []
    for tag, words in page.runs:
        if tag in HEADINGS or tag in ("caption", "summary"):
            lines.append(f"{tag} {' '.join(words.split())}")
    for table in page.tables:
        lines.append(f"table {' | '.join(cell.strip() for cell in table[0])}")
        lines += [f"  {row[0].strip()} ({len(row)} cells)" for row in table[1:]]
    lines += [f"figure {a['id']}" for tag, a in page.elements if tag == "figure"]
    data = data_of(page)
    lines += [f"data {name}: {len(part) if isinstance(part, list | dict) else part}" for name, part in data.items()]
    golden("report.txt", "".join(line.rstrip() + "\n" for line in lines if line.split(maxsplit=1)[1:]))


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A run in which every text that a stranger could set is an attack."""
    records = []
    shipped = shipped_path().read_text(encoding="utf-8").splitlines()[0]
    for value in ("Honest", "Wealth", "Daring"):
        one = json.loads(shipped)
        one.update(id=f"of-{value.lower()}", value=value, competing_value="Loyal", scenario=f"{value}: {NASTY}")
        one["provenance"].update(author=NASTY, method=NASTY)
        for number, action in enumerate(one["actions"]):
            action.update(text=f"{number} {NASTY}", rationale=NASTY)
        records.append(one)
    place = tmp_path_factory.mktemp("nasty")
    dataset, personas = (place / f"{NASTY_FILE}.{kind}" for kind in ("jsonl", "toml"))
    dataset.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    personas.write_text('name = "mine"\n[[persona]]\ngrid = 4711\nid = "grandmother"\n[[persona]]\ngrid = 4712\n')
    folder = asked(Nasty, place, dataset=str(dataset), persona_set=str(personas))
    found = analysis.analyse(folder, settings=FEW)
    # No run can hold such ids, values and notes; the page must not depend on that.
    renamed = {"grandmother": NASTY_ID, "Honest": NASTY_VALUE}
    tables = {
        name: table.replace(renamed)
        for name in ("answers", "dilemmas", "personas", "categories", "variation", "levels", "effects", "comparisons")
        if len(table := getattr(found, name)) or name
    }
    diagnosis = dataclasses.replace(
        found.diagnosis,
        tables={name: table.replace(renamed) for name, table in found.diagnosis.tables.items()},
        verdicts=tuple(
            dataclasses.replace(one, persona=renamed.get(one.persona, one.persona), reasons=(NASTY,))
            for one in found.diagnosis.verdicts
        ),
    )
    for name in ("levels", "effects", "comparisons"):
        tables[name] = tables[name].assign(note=NASTY)
    return written(folder, dataclasses.replace(found, **tables, diagnosis=diagnosis, notes=(NASTY,)))


NASTY_VALUE = "</script><b>Honest"


def test_hostile_text_comes_out_as_text(nasty: Done) -> None:
    page = nasty.page
    assert_self_contained(page)
    assert not [tag for tag, _ in page.elements if tag == "img"]
    shown = "".join(page.pieces)
    for place, least in {"model, revision, server, caveat, reasons, notes": 20, "scenario": 2}.items():
        assert shown.count(NASTY) >= least, place
    assert f"{NASTY_FILE}.jsonl" in shown
    assert f"{NASTY_FILE}.toml" in shown
    assert shown.count(NASTY_ID) >= 6
    assert shown.count(NASTY_VALUE) >= 2
    assert "49" not in "".join(re.findall(r"\{\{.*?\}\}", shown))
    running = [
        text for tag, text in page.runs if tag in ("p", "li", "span", "strong", "td", "th", "caption", "summary")
    ]
    assert not [text for text in running if "\u202e" in text], "it would turn the words behind it around"
    data = data_of(page)
    assert data["models"] == [NASTY]
    assert NASTY in data["items"][0]["scenario"]
    assert any(NASTY in reply[6] for reply in data["replies"])


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


DRIVER = shutil.which("chromedriver")


@pytest.fixture
def opened() -> Iterator[Callable[[Path, int], webdriver.Chrome]]:
    """Opens a file in a window of some width."""
    drivers = []

    def open_(path: Path, width: int) -> webdriver.Chrome:
        options = webdriver.ChromeOptions()
        options.binary_location = BROWSER or ""
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        for flag in (*FLAGS[:-1], f"--window-size={width},900"):
            options.add_argument(flag)
        drivers.append(webdriver.Chrome(options, Service(DRIVER)))
        drivers[-1].get(path.as_uri())
        return drivers[-1]

    yield open_
    for driver in drivers:
        driver.quit()


def requests_of(driver: webdriver.Chrome) -> list[str]:
    """What the page asked for since it was opened."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]


@in_a_browser
@pytest.mark.skipif(DRIVER is None, reason="chromedriver is not installed")
def test_a_cell_leads_to_its_dilemmas_and_nothing_else_happens(
    nasty: Done, opened: Callable[[Path, int], webdriver.Chrome]
) -> None:
    driver = opened(nasty.path, 1400)

    def every(css: str) -> list[Any]:
        return driver.find_elements(By.CSS_SELECTOR, css)

    cell = every(".map:not([hidden]) tbody td")[-1]
    title = driver.title
    driver.execute_script("arguments[0].click()", cell)
    (button,) = every("#drill tbody button")
    button.click()
    for summary in every(".one details summary"):
        summary.click()
    detail = every(".one")[0].get_property("textContent")
    assert str(detail).count(NASTY) >= 10, "scenario, actions, model, prompts and replies"
    for head in every("table.sort thead button"):
        driver.execute_script("arguments[0].click()", head)
    assert driver.title == title == "run: value-action gap"
    assert requests_of(driver) == [nasty.path.as_uri()]
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert every("img") == []
    assert len(every("script")) == 2


@in_a_browser
@pytest.mark.skipif(DRIVER is None, reason="chromedriver is not installed")
def test_the_keyboard_reaches_everything(three: Done, opened: Callable[[Path, int], webdriver.Chrome]) -> None:
    driver = opened(three.path, 500)
    wide = driver.find_elements(By.CSS_SELECTOR, ".wide")
    assert len(wide) > 5
    assert all(one.get_attribute("tabindex") == "0" and one.get_attribute("aria-label") for one in wide)

    driver.execute_script("document.querySelector('.map:not([hidden]) td[tabindex]').focus()")
    before = driver.switch_to.active_element
    before.send_keys(Keys.ARROW_RIGHT)
    cell = driver.switch_to.active_element
    assert cell != before
    label = cell.get_attribute("aria-label")
    assert f"AD {cell.text}" in str(label)
    cell.send_keys(Keys.ENTER)
    assert driver.switch_to.active_element.get_attribute("id") == "dilemmas"
    (button,) = driver.find_elements(By.CSS_SELECTOR, "#drill tbody button")
    button.send_keys(Keys.ENTER)
    assert driver.switch_to.active_element.text == button.text

    head = driver.find_element(By.CSS_SELECTOR, "table.sort thead th:nth-child(3)")
    for order in ("descending", "ascending", None):
        head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
        assert head.get_attribute("aria-sort") == order


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


@pytest.mark.parametrize(
    ("personas", "told"),
    [
        (("baseline",), "in 1 condition: the baseline."),
        (("one", "two"), "in 2 conditions: 2 personas."),
        (("baseline", "one"), "in 2 conditions: the baseline and 1 persona."),
    ],
)
def test_the_first_sentences_are_about_the_conditions_that_were_asked(personas: tuple[str, ...], told: str) -> None:
    frame = random_frame(np.random.default_rng(0), personas, values=3)
    text = words(analysis.of_answers(frame, name="x", scale="even", settings=FEW)).text
    assert told in text
    assert ("as itself (the baseline)" in text) == ("baseline" in personas)
    assert "was put 3 times" in text


def test_that_something_was_not_asked_stands_in_the_first_sentences() -> None:
    frame = random_frame(np.random.default_rng(0), ("baseline",), values=3).drop(index=0)
    part = analysis.of_answers(frame, name="x", scale="even", settings=FEW)
    assert "Not every condition has all dilemmas and all of 3 repeats." in words(part).text
