"""Findings as the terminal and the page show them: counted, by rule, and each pair of neighbours once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dilemmas.schema import Finding, Neighbour, Severity

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The gravest first."""


def counts(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many findings there are of each severity, zeros included."""
    found = [finding.severity for finding in findings]
    return {severity: found.count(severity) for severity in SEVERITIES}


def unanswered(findings: Iterable[Finding]) -> list[Finding]:
    """Findings that are to be mended or answered still."""
    return [finding for finding in findings if finding.severity != "note" and not finding.answer]


def by_rule(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by the name of their rule, in the order in which the rules come up."""
    rules: dict[str, list[Finding]] = {}
    for finding in findings:
        rules.setdefault(finding.rule, []).append(finding)
    return rules


def pairs(neighbours: Sequence[Neighbour], most: int) -> list[Neighbour]:
    """The nearest pairs: two dilemmas that are each other's nearest make one pair."""
    nearest: dict[frozenset[str], Neighbour] = {}
    for one in sorted(neighbours, key=lambda one: -one.similarity):
        nearest.setdefault(frozenset((one.id, one.other)), one)
    return list(nearest.values())[:most]
