"""The rules of `dilemmas check`: what each looks for, why, and how it is mended.

A rule is declared beside the code that applies it, with `rule(...)`; docs/checks.md is written from
these declarations, and a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dilemmas.schema import Dilemma, Finding, Severity


@dataclass(frozen=True)
class Rule:
    """One rule.

    Calling it makes a finding: `SECOND_PERSON(dilemma, "speaks of you nowhere", "scenario")`.
    """

    name: str
    """Lower-case words with hyphens; the name stands in findings and documentation."""
    family: str
    """`form`, `confounds`, `sameness`, `coverage`, `blind-sort` or `content`."""
    severity: Severity
    """How grave a finding usually is; a single one may say otherwise."""
    looks_for: str
    """What makes it fire, with the limits it uses: one or two sentences."""
    reason: str
    """Why that matters, with its source where there is one: one or two sentences."""
    fix: str
    """What to do about it, in the imperative."""

    def __call__(
        self,
        dilemma: Dilemma | None,
        what: str,
        where: str = "",
        *,
        severity: Severity | None = None,
        fix: str = "",
        others: Sequence[str] = (),
    ) -> Finding:
        """A finding of this rule.

        Args:
            dilemma: what it is about; None for the whole set.
            what: what is wrong, in words that need no other context.
            where: the field, such as `scenario` or `actions[2].text`; the line is put in front later.
            severity: where it differs from the rule's own.
            fix: where it differs from the rule's own.
            others: ids of other dilemmas that have to do with it.
        """
        return Finding(
            id=dilemma.id if dilemma else None,
            revision=dilemma.revision if dilemma else None,
            rule=self.name,
            severity=severity or self.severity,
            what=what,
            where=where,
            fix=fix or self.fix,
            others=tuple(others),
        )
