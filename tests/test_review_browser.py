"""An annotator at work in a real browser, and what `dilemmas review pull` brings back of it.

Screenshots go to the folder that DILEMMAS_SHOTS names, else to pytest's temporary folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from label_studio_server import BOB, Team
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from dilemmas.review import form as forms
from dilemmas.review.form import FORMS, FormName
from dilemmas.schema import PLACES, Dilemma, Edit, Judgement, Placement, Verdict

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed")
Record = dict[str, Any]
Run = Callable[..., subprocess.CompletedProcess[str]]
PATIENCE = 60.0
"""Longest wait for anything in the browser, seconds."""
SIZES = ((1280, 800), (1600, 900))
MARKUP = 'They say <b>"now"</b> & <img src=x onerror="document.title=1"> {{ value }}\n\n$scenario &lt;i&gt;'
DIALOG, SUBMIT = "[role=dialog] button", "[aria-label='Submit current annotation']"
ANSWERS = """
return Object.fromEntries([...document.querySelectorAll('.dr-page .lsf-choices')].map((choices, number) =>
  [number, choices.querySelector('.ant-radio-wrapper-checked')?.innerText ?? null]))
"""


class Annotator:
    """Somebody who has logged in."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver, self.url = driver, url
        driver.get(f"{url}/user/login/")
        driver.find_element(By.NAME, "email").send_keys(BOB.email)
        driver.find_element(By.NAME, "password").send_keys(BOB.password, Keys.ENTER)
        self.wait(lambda: "/user/login" not in driver.current_url)

    def wait(self, done: Callable[[], Any]) -> Any:
        patient = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=[StaleElementReferenceException])
        return patient.until(lambda _: done())

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def open(self, project: str) -> None:
        """The first task, once the guidelines are put aside."""
        self.driver.get(f"{project}?labeling=1")
        self.wait(lambda: self.all(".dr-page .lsf-choice") and self.all(".dr-guide"))
        ActionChains(self.driver).send_keys(Keys.ESCAPE).perform()
        self.wait(lambda: not any(one.is_displayed() for one in self.all(".dr-guide")))

    def answers(self) -> dict[str, str | None]:
        """What is chosen at present, by the number of the control on the page."""
        found: dict[str, str | None] = self.driver.execute_script(ANSWERS)
        return found

    def press(self, key: str) -> str | None:
        """Press a key; gives what is chosen by it, or None where nothing or more than one thing changes."""
        before = self.answers()
        *shift, plain = key.split("+")
        keys = ActionChains(self.driver)
        (keys.key_down(Keys.SHIFT).send_keys(plain).key_up(Keys.SHIFT) if shift else keys.send_keys(plain)).perform()
        changed = [answer for number, answer in self.answers().items() if answer != before.get(number)]
        return changed[0] if len(changed) == 1 else None

    def click(self, words: str, within: WebElement) -> None:
        """Click on the answer with these words."""
        pills = within.find_elements(By.CLASS_NAME, "ant-radio-wrapper")
        (pill,) = (one for one in pills if one.text.startswith(words))
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", pill)
        pill.click()

    def write(self, field: str, text: str) -> None:
        """Type at the end of a text field."""
        (area,) = self.all(f"textarea[name='{field}']")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", area)
        area.click()
        ActionChains(self.driver).key_down(Keys.CONTROL).send_keys(Keys.END).key_up(Keys.CONTROL).perform()
        area.send_keys(text)

    def look(self, folder: Path, name: str) -> None:
        """Keep screenshots of each size, of the top of the page and of its end, which nothing may cover."""
        for width, height in SIZES:
            self.driver.set_window_size(width, height)
            for place, top in (("top", 0), ("end", 100_000)):
                self.driver.execute_script("document.querySelector('.lsf-main-content').scrollTop = arguments[0]", top)
                self.driver.save_screenshot(str(folder / f"{name}-{width}-{place}.png"))
            comment, submit = self.all(".dr-decision textarea")[-1].rect, self.all(SUBMIT)[0].rect
            assert comment["y"] + comment["height"] < submit["y"]


@pytest.fixture(scope="module")
def annotator(label_studio: Team) -> Iterator[Annotator]:
    """Bob, in a browser."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,800"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        yield Annotator(driver, label_studio.url)
    finally:
        driver.quit()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Folder for screenshots."""
    folder = Path(os.environ.get("DILEMMAS_SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Desk(NamedTuple):
    """A project with one dilemma, and the way back from it."""

    dilemma: Dilemma
    url: str
    pull: Callable[[], Judgement]


@pytest.fixture
def desk(label_studio: Team, command: Run, write_lines: Callable[..., Path], record: Record, tmp_path: Path) -> Any:
    """Push a dilemma as a user does."""
    environment = label_studio.environment()

    def push(form: FormName, **changes: Any) -> Desk:
        title = f"Browser {uuid4().hex[:12]}"
        pushed = command(
            "review", "push", write_lines(record | changes), "--project", title, "--json",
            *(["--blind"] if form == "blind" else []), env=environment,
        )  # fmt: skip
        assert pushed.returncode == 0, pushed.stderr

        def pull() -> Judgement:
            pulled = command("review", "pull", "--project", title, "--out", tmp_path / "round", env=environment)
            assert pulled.returncode == 0, pulled.stderr
            (line,) = (tmp_path / "round" / "judgements.jsonl").read_text(encoding="utf-8").splitlines()
            return Judgement.model_validate_json(line)

        return Desk(Dilemma.model_validate(record | changes), json.loads(pushed.stdout)["url"], pull)

    return push


@pytest.mark.parametrize("form", FORMS)
def test_every_key_gives_its_answer(annotator: Annotator, desk: Callable[..., Desk], form: FormName) -> None:
    annotator.open(desk(form).url)
    for name, offer in forms.answers(form).items():
        for answer in offer:
            assert (annotator.press(answer.key) or "").startswith(answer.words), (name, answer)
        if name.startswith("side"):
            annotator.press(offer[0].key)  # strength is asked only where there is a side


def test_a_revision_comes_back_as_it_was_made(annotator: Annotator, desk: Callable[..., Desk], shots: Path) -> None:
    at = desk("open", scenario=MARKUP)
    annotator.open(at.url)
    assert annotator.all(".dr-scenario")[0].text == MARKUP
    assert not annotator.all(".dr-page img")
    offer = forms.answers("open")
    given: tuple[Any, ...] = ("matches", "weaker", "stronger", "wrong_side", "cannot_tell", "matches")
    for slot in (1, 2, 3):
        annotator.press({answer.code: answer.key for answer in offer[forms.label(slot)]}[given[slot - 1]])
    for slot, card in enumerate(annotator.all(".dr-card")[3:], start=4):
        annotator.click(forms.WORDS[given[slot - 1]], card)
    annotator.press(offer["harmless"][0].key)
    annotator.press(offer["sufficient"][1].key)
    annotator.click("Revise", annotator.all(".dr-decision")[0])
    annotator.write(forms.EDIT_SCENARIO, " It rains.")
    annotator.write(forms.edit(2), " <i>Twice</i>, 1 q a.")
    annotator.write(forms.COMMENT, "Too little\nis told.")
    annotator.look(shots, "open-revise")

    annotator.all(SUBMIT)[0].click()
    annotator.wait(lambda: any("Could this happen?" in one.text for one in annotator.all("[role=dialog]")))
    annotator.driver.save_screenshot(str(shots / "open-refused.png"))
    annotator.wait(lambda: annotator.all(DIALOG))[0].click()
    annotator.wait(lambda: not any(one.is_displayed() for one in annotator.all("[role=dialog]")))
    annotator.click("Yes", annotator.all(".dr-question")[2])
    annotator.all(SUBMIT)[0].click()
    annotator.wait(lambda: not annotator.all(".dr-page"))

    judged = at.pull()
    assert (judged.decision, judged.harmless, judged.sufficient, judged.plausible) == ("revise", True, False, True)
    assert judged.verdicts == tuple(
        Verdict(polarity=side, intensity=strength, verdict=verdict)
        for (side, strength), verdict in zip(PLACES, given, strict=True)
    )
    side, strength = PLACES[1]
    assert judged.edits == (
        Edit(text=f"{MARKUP} It rains."),
        Edit(polarity=side, intensity=strength, text=f"{at.dilemma.action(side, strength).text} <i>Twice</i>, 1 q a."),
    )
    assert (judged.comment, judged.state) == ("Too little\nis told.", "submitted")


def test_a_blind_judgement_by_keyboard_alone_comes_back_as_it_was_made(
    annotator: Annotator, desk: Callable[..., Desk], shots: Path
) -> None:
    at = desk("blind")
    annotator.open(at.url)
    offer = forms.answers("blind")
    texts = [one.text for one in annotator.all(".dr-action")]
    given: tuple[Any, ...] = (
        ("aligned", "strong"), ("opposed", "mild"), ("cannot_tell", None),
        ("aligned", "moderate"), ("opposed", "strong"), ("opposed", "moderate"),
    )  # fmt: skip
    for slot, (side, strength) in enumerate(given, start=1):
        for control, code in ((forms.side(slot), side), (forms.strength(slot), strength)):
            if code:
                annotator.press(next(one.key for one in offer[control] if one.code == code))
    for name in forms.QUALITY:
        annotator.press(offer[name][0].key)
    annotator.press(offer[forms.DECISION][0].key)
    annotator.look(shots, "blind-accept")
    ActionChains(annotator.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    annotator.wait(lambda: not annotator.all(".dr-page"))

    judged = at.pull()
    meant = {at.dilemma.action(*place).text: place for place in PLACES}
    assert (judged.decision, judged.harmless, judged.sufficient, judged.plausible) == ("accept", True, True, True)
    assert sorted(judged.placements, key=repr) == sorted(
        (
            Placement(
                polarity=meant[text][0], intensity=meant[text][1], judged_polarity=side, judged_intensity=strength
            )
            for text, (side, strength) in zip(texts, given, strict=True)
            if strength
        ),
        key=repr,
    )
    assert judged.edits == ()
    assert [one.verdict for one in judged.verdicts] == ["cannot_tell"]
