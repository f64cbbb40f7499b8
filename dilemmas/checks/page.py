"""Findings as one HTML page, for somebody who has to decide what to redraft.

Self-contained: no script, no request, and all text from data is escaped (`pages`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from dilemmas import pages
from dilemmas.checks.overview import SEVERITIES, by_rule, counts, pairs
from dilemmas.checks.rules import Rule
from dilemmas.checks.sameness import ALIKE
from dilemmas.resources import write_text
from dilemmas.schema import PLACES, BlindSort, Confound, Dilemma, Finding, Findings, Neighbour
from dilemmas.taxonomy import topics, values

IN_FULL = 100
"""Dilemmas shown with their text: about as many as somebody reads in one go. The others are listed."""
NEAREST = 20
"""Pairs of neighbours shown side by side."""
LISTED = 50
"""Longest list of anything else."""
AXIS = 1.0
"""Where the axis of the standardised differences ends, on either side: beyond a large effect (.8, Cohen 1988)."""

FEWEST_PAIRS = 5
"""Pairs shown though they are not alike: how near the nearest are is worth a look."""

_SCENARIO = re.compile(r"\bscenario\b")
_ACTION = re.compile(r"actions\[(\d)\]\.(text|rationale)")


def write(path: Path, found: Findings, dilemmas: Sequence[Dilemma], rules: Sequence[Rule]) -> Path:
    """Render the page and write it whole or not at all."""
    write_text(path, render(found, dilemmas, rules))
    return path


def render(found: Findings, dilemmas: Sequence[Dilemma], rules: Sequence[Rule]) -> str:
    """The page.

    Args:
        found: what `checks.check` gave.
        dilemmas: the valid dilemmas of the file that was checked.
        rules: those that were applied; a rule that is not among them is shown without what it looks for.
    """
    texts = {dilemma.id: dilemma for dilemma in dilemmas}
    own = _by_dilemma(found.findings, texts)
    elsewhere = [finding for finding in found.findings if finding.id not in texts]
    return pages.render(
        "check.html.j2",
        found=found,
        name=PurePosixPath(found.dataset).name,
        severities=SEVERITIES,
        counts=counts(found.findings),
        concerned={severity: _dilemmas_with(severity, own) for severity in SEVERITIES},
        rules=_rules(found.findings, texts, rules),
        lines=[finding for finding in elsewhere if finding.id is not None or finding.where.startswith("line ")],
        whole=[finding for finding in elsewhere if finding.id is None and not finding.where.startswith("line ")],
        shown=[_shown(texts[name], findings) for name, findings in own[:IN_FULL]],
        others=[(name, counts(findings)) for name, findings in own[IN_FULL:]],
        in_full={name for name, _ in own[:IN_FULL]},
        listed=LISTED,
        texts=texts,
        confounds=[_bar(effect) for effect in found.confounds],
        topics=list(topics()),
        grid=_grid(found.coverage.grid),
        basic_values=_counted(found.coverage.basic_values, ordered=False),
        competing_values=_counted(found.coverage.competing_values),
        relations=_counted(found.coverage.relations, ordered=False),
        settings={part: _counted(places) for part, places in found.coverage.settings.items()},
        pairs=_nearest(found.neighbours),
        sorts=sorted(found.sorts, key=_agreement),
    )


def _by_dilemma(findings: Sequence[Finding], texts: Mapping[str, Dilemma]) -> list[tuple[str, list[Finding]]]:
    """Findings by dilemma: those with the most errors first, then with the most warnings, then in the file's order."""
    own: dict[str, list[Finding]] = {name: [] for name in texts}
    for finding in findings:
        if finding.id in own:
            own[finding.id].append(finding)
    return sorted(
        ((name, found) for name, found in own.items() if found),
        key=lambda entry: tuple(-count for count in counts(entry[1]).values()),
    )


def _dilemmas_with(severity: str, own: Sequence[tuple[str, Sequence[Finding]]]) -> dict[str, int]:
    """How many findings of a severity are on a dilemma of the file, and on how many dilemmas."""
    each = [sum(finding.severity == severity for finding in findings) for _, findings in own]
    return {"findings": sum(each), "dilemmas": sum(count > 0 for count in each)}


def _nearest(neighbours: Sequence[Neighbour]) -> list[Neighbour]:
    """The nearest few pairs, and more of them only where they are alike."""
    nearest = pairs(neighbours, NEAREST)
    return nearest[:FEWEST_PAIRS] + [one for one in nearest[FEWEST_PAIRS:] if one.similarity >= ALIKE]


def _rules(findings: Sequence[Finding], texts: Mapping[str, Dilemma], rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """The rules that fired, with their counts and the dilemmas they fired on."""
    known = {rule.name: rule for rule in rules}
    return [
        {
            "name": name,
            "looks_for": known[name].looks_for if name in known else "",
            "counts": counts(found),
            "ids": list(dict.fromkeys(finding.id for finding in found if finding.id in texts)),
        }
        for name, found in by_rule(findings).items()
    ]


def _shown(dilemma: Dilemma, findings: Sequence[Finding]) -> dict[str, Any]:
    """A dilemma with its findings, and its actions in the order of the places; each text with the worst found of it."""
    worst: dict[tuple[str, str], str] = {}
    scenario = ""
    for finding in findings:  # the gravest come first
        if _SCENARIO.search(finding.where):
            scenario = scenario or finding.severity
        for place in _ACTION.findall(finding.where):
            worst.setdefault(place, finding.severity)
    numbered = {(action.polarity, action.intensity): number for number, action in enumerate(dilemma.actions)}
    return {
        "dilemma": dilemma,
        "findings": findings,
        "counts": counts(findings),
        "scenario": scenario,
        "actions": [
            {
                "action": dilemma.action(*place),
                "number": numbered[place],
                "text": worst.get((str(numbered[place]), "text"), ""),
                "rationale": worst.get((str(numbered[place]), "rationale"), ""),
            }
            for place in PLACES
        ],
    }


def _bar(effect: Confound) -> dict[str, Any]:
    """A difference and its interval in standard deviations, as places on an axis from 0 to 100."""
    bar: dict[str, Any] = {"effect": effect, "dot": None, "left": None, "width": None}
    if effect.dz is None or not effect.estimate:
        return bar
    deviation = effect.estimate / effect.dz
    bar["dot"] = _on_axis(effect.dz)
    if effect.low is not None and effect.high is not None:
        left, right = _on_axis(effect.low / deviation), _on_axis(effect.high / deviation)
        bar.update(left=left, width=right - left)
    return bar


def _on_axis(x: float) -> float:
    return round(50 + 50 * max(-AXIS, min(AXIS, x)) / AXIS, 2)


def _grid(cells: Mapping[str, Mapping[str, int]]) -> list[tuple[str, list[tuple[str, list[int]]]]]:
    """Dilemmas in each cell, by value, under its basic value, and by topic."""
    groups: dict[str, list[tuple[str, list[int]]]] = {}
    for name, value in values().items():
        row = cells.get(name, {})
        groups.setdefault(value.basic_value, []).append((name, [row.get(topic, 0) for topic in topics()]))
    return list(groups.items())


def _counted(found: Mapping[str, int], *, ordered: bool = True) -> list[dict[str, Any]]:
    """Names with their counts and how long each bar is in percent; the commonest first where `ordered`."""
    longest = max(found.values(), default=0)
    entries = sorted(found.items(), key=lambda entry: (-entry[1], entry[0])) if ordered else list(found.items())
    return [{"name": name, "count": count, "width": round(100 * count / longest)} for name, count in entries if longest]


def _agreement(sort: BlindSort) -> tuple[float, float, str]:
    """The lowest agreement first, and last what could not be read."""
    side = 2.0 if sort.side is None else sort.side
    return side, 2.0 if sort.tau is None else sort.tau, sort.id
