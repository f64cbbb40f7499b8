"""All that a release says of itself, before it is put into the form of a card, of Croissant or of a citation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from dilemmas import taxonomy
from dilemmas.checks.overview import by_rule, counts, unanswered
from dilemmas.release import measures
from dilemmas.release.evidence import Evidence
from dilemmas.release.forms import Canary, Derived, JudgementRow
from dilemmas.release.measures import Said
from dilemmas.release.records import derived, judgement_rows
from dilemmas.release.versions import Difference, Version
from dilemmas.schema import Dilemma, Findings, Identifier, Record, TopicName, ValueName

TITLE = "dilemmas: moral dilemmas over 56 human values and eleven social topics"
"""Name of the dataset, in every place that tells one."""
AUTHORS = "The dilemmas authors"
LICENSE_ID, LICENSE_URL = "CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"
UNREVIEWED = "not yet reviewed by people"
"""What every place says of a release that holds such dilemmas."""
REVIEWED = ("accepted", "revised")
"""Review statuses of dilemmas that a release holds without being told to hold others."""
KEYWORDS = (
    "moral dilemmas", "human values", "Schwartz value theory", "value-action gap", "language models", "evaluation",
)  # fmt: skip


class Meaning(Record):
    """What an id stands for."""

    value: ValueName
    """The focal value."""
    topic: TopicName
    """The social topic."""


class Manifest(Record):
    """`release.json`: what was built, from what and how."""

    schema_version: Literal[1] = 1
    """Version of this form."""
    name: str
    """Name of the dataset."""
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    """Version of this release."""
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Day of the release."""
    previous: str | None
    """Version that this one was compared with; none for the first."""
    caveat: str
    """What a reader must know before using it; may be empty."""
    dataset: str
    """Name of the file it was built from."""
    dataset_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Checksum of that file."""
    counts: dict[str, int]
    """Rows of each table."""
    review: dict[str, int]
    """Dilemmas of the release by review status."""
    left_out: dict[str, tuple[Identifier, ...]]
    """Dilemmas of the file that are not in the release, by review status."""
    checks: dict[str, int]
    """Findings of `dilemmas check` about the dilemmas of the release, by severity, and `unanswered` ones: errors and
    warnings of which nobody has said why they stand."""
    options: dict[str, bool]
    """Options of the build that change what is in it."""
    retired: dict[Identifier, Meaning]
    """Ids of earlier releases that this one lacks; none of them may ever stand for something else."""
    versions: dict[str, str]
    """Versions of this package, of Python and of the libraries that wrote the files."""
    canary: Canary


@dataclass(frozen=True)
class Contents:
    """What is in a release, and how it came about."""

    version: Version
    date: str
    dilemmas: tuple[Dilemma, ...]
    """Those that are released, in the order of the file."""
    left_out: dict[str, tuple[str, ...]]
    """Ids of the others, by review status."""
    evidence: Evidence
    """What was said of the released ones."""
    findings: Findings
    """What `dilemmas check` says of them."""
    dataset: str
    """Name of the file."""
    dataset_sha256: str
    plan: tuple[dict[str, Any], ...] = ()
    """What each dilemma was planned to be, where the dataset has a plan."""
    include_unreviewed: bool = False
    with_comments: bool = False
    notes: str = ""
    """What the maintainers say of this version."""
    previous: Version | None = None
    difference: Difference | None = None
    """To the previous version; none for the first."""
    earlier_changes: str = ""
    """Entries of the previous version's changelog."""
    retired: dict[str, Meaning] = field(default_factory=dict)
    """Ids of earlier releases that this one lacks."""

    @cached_property
    def derived(self) -> dict[str, Derived]:
        """What follows from each dilemma and from what was said of it, by id."""
        judged = measures.newest(self.evidence.people)
        said: dict[str, Said | None] = {name: measures.said(found) for name, found in judged.items()}
        machine = measures.sorting(self.dilemmas, self.evidence.machines)
        named = measures.naming(self.dilemmas, self.evidence.namings)
        return {one.id: derived(one, said.get(one.id), machine.get(one.id), named.get(one.id)) for one in self.dilemmas}

    @cached_property
    def judgements(self) -> list[JudgementRow]:
        """Rows of the table of judgements."""
        return judgement_rows(self.evidence, with_comments=self.with_comments)

    @cached_property
    def by_status(self) -> dict[str, int]:
        """Dilemmas by review status, the commonest first."""
        return _counted([one.review.status for one in self.dilemmas])

    @property
    def unreviewed(self) -> int:
        """Dilemmas that people have not judged, or not settled."""
        return sum(count for status, count in self.by_status.items() if status not in REVIEWED)

    @property
    def caveat(self) -> str:
        """What every place says of dilemmas that are not reviewed; empty where all are."""
        if not self.unreviewed:
            return ""
        n = len(self.dilemmas)
        undecided = self.by_status.get("undecided", 0)
        unsettled = f" (people have judged {undecided:,} of them and not settled what to do)" if undecided else ""
        return f"{self.unreviewed:,} of {n:,} dilemmas are {UNREVIEWED}{unsettled}."

    @cached_property
    def authors(self) -> list[dict[str, Any]]:
        """Who wrote the dilemmas, how and when: kind, author, method, dilemmas, first and last day."""
        groups: dict[tuple[str, str, str], list[str]] = {}
        for one in self.dilemmas:
            source = one.provenance
            groups.setdefault((source.kind, source.author, source.method), []).append(source.created[:10])
        return [
            {"kind": kind, "author": author, "method": method, "dilemmas": len(days), "first": min(days),
             "last": max(days)}
            for (kind, author, method), days in groups.items()
        ]  # fmt: skip

    @cached_property
    def coverage(self) -> dict[str, int]:
        """How much of the grid there is: values, basic_values, topics, cells (of 616) with a dilemma, competing_values;
        most dilemmas in one cell."""
        cells = Counter((one.value, one.topic) for one in self.dilemmas)
        return {
            "values": len({value for value, _ in cells}),
            "basic_values": len({taxonomy.value(value).basic_value for value, _ in cells}),
            "topics": len({topic for _, topic in cells}),
            "cells": len(cells),
            "competing_values": len({one.competing_value for one in self.dilemmas}),
            "most": max(cells.values(), default=0),
        }

    @cached_property
    def checks(self) -> dict[str, int]:
        """Findings by severity, and those that are neither mended nor answered."""
        found = self.findings.findings
        return {**{str(name): count for name, count in counts(found).items()}, "unanswered": len(unanswered(found))}

    @cached_property
    def rules(self) -> list[dict[str, Any]]:
        """Rules with findings: rule, severity of the gravest, findings, answered."""
        return [
            {"rule": rule, "severity": found[0].severity, "findings": len(found),
             "answered": sum(bool(one.answer) for one in found)}
            for rule, found in by_rule(self.findings.findings).items()
        ]  # fmt: skip


def _counted(names: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda entry: (-entry[1], entry[0])))
