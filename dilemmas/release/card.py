"""The documents of a release for people: its card, changelog and licence, filled from what it contains.

The card follows Datasheets for Datasets (Gebru and others 2021, doi:10.1145/3458723) and Data Statements (Bender and
Friedman 2018, doi:10.1162/tacl_a_00041). Its front matter has fields that the Hugging Face hub knows, and no others.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dilemmas.checks.text import words
from dilemmas.pages import interval, known, number, share
from dilemmas.release import measures, statements
from dilemmas.release.citation import bibtex, yaml_text
from dilemmas.release.contents import AUTHORS, KEYWORDS, LICENSE_ID, TITLE, UNREVIEWED, Contents
from dilemmas.release.layout import CANARY, CONFIGS, SPLIT
from dilemmas.resources import folder

ENTRIES = "<!-- entries, the newest first -->"
"""Line of a changelog below which its entries are."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
_ABOUT = {
    "dilemmas": "a dilemma: labels, scenario, six actions with rationales, provenance, review, agreement",
    "actions": "an action: its place, score, text, its dilemma's review, and how many readers put it there",
    "personas": "a built-in persona: its place on two cultural axes and ten variables",
    "judgements": "an answer of one reader, a person under a pseudonym or a machine",
}
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~$])")


def readme(contents: Contents, rows: Mapping[str, int]) -> str:
    """The card.

    Args:
        contents: what is in the release.
        rows: of each configuration, how many there are; one without rows is not listed.
    """
    people, machines = contents.evidence.people, contents.evidence.machines
    return _render(
        "README.md.j2",
        front=yaml_text(front_matter(contents, rows)),
        contents=contents,
        title=TITLE,
        authors=AUTHORS,
        summary=statements.SUMMARY,
        coverage=contents.coverage,
        configs=[{"name": name, "rows": rows[name], "about": _ABOUT[name]} for name in CONFIGS if rows.get(name)],
        relations=contents.findings.coverage.relations,
        personas=rows["personas"],
        personal=statements.personal(contents),
        annotation=statements.annotation(contents),
        collection=statements.collection(contents),
        agreement=measures.agreement({one.id: one for one in contents.dilemmas}, people),
        people_sorts=measures.passes(contents.dilemmas, [one for one in people if one.placements], "person"),
        machine_sorts=measures.passes(contents.dilemmas, machines, "machine"),
        singles=measures.single_rates(contents.dilemmas, contents.evidence.singles),
        naming=measures.naming_rates(contents.dilemmas, contents.evidence.namings),
        checks=contents.checks,
        rules=contents.rules,
        cues=[one.model_dump() for one in contents.findings.cues],
        confounds=[one.model_dump() for one in contents.findings.confounds],
        uses=statements.USES,
        out_of_scope=statements.OUT_OF_SCOPE,
        limits=statements.limits(contents),
        revised=sum(one.revision > 1 for one in contents.dilemmas),
        scenario_words=_spread([one.scenario for one in contents.dilemmas]),
        action_words=_spread([action.text for one in contents.dilemmas for action in one.actions]),
        social_impact=statements.SOCIAL_IMPACT,
        maintenance=statements.MAINTENANCE,
        bibtex=bibtex(contents),
    )


def front_matter(contents: Contents, rows: Mapping[str, int]) -> dict[str, Any]:
    """What the hub reads; fields as in https://huggingface.co/docs/hub/datasets-cards."""
    kinds = {one["kind"] for one in contents.authors}
    n = len(contents.dilemmas)
    return {
        "language": ["en"],
        "license": LICENSE_ID.lower(),
        "pretty_name": "dilemmas",
        "size_categories": [next((name for below, name in SIZES if n < below), "100K<n<1M")],
        "task_categories": ["multiple-choice"],
        "annotations_creators": [
            *(["machine-generated"] if "model" in kinds or contents.evidence.machines else []),
            *(["other"] if "person" in kinds or contents.evidence.people else []),
        ],
        "language_creators": [
            *(["machine-generated"] if "model" in kinds else []),
            *(["other"] if "person" in kinds else []),
        ],
        "multilinguality": ["monolingual"],
        "source_datasets": ["original"],
        "tags": [
            *(word.lower().replace(" ", "-") for word in KEYWORDS),
            *([UNREVIEWED.replace(" ", "-")] if contents.unreviewed else []),
        ],
        "configs": [
            {
                "config_name": name,
                **({"default": True} if name == next(iter(CONFIGS)) else {}),
                "data_files": [{"split": SPLIT, "path": path}],
            }
            for name, path in CONFIGS.items()
            if rows.get(name)
        ],
    }


def changelog(contents: Contents) -> str:
    """The changelog: this version's entry above those of the earlier ones."""
    found = contents.difference
    changes: dict[str, Sequence[str]] = (
        {
            "Added": found.added,
            "Gone": found.removed,
            "Text or label changed": found.changed,
            "Of these with another label": found.relabelled,
            "Only what stands beside it changed": found.touched,
        }
        if found
        else {}
    )
    return _render(
        "CHANGELOG.md.j2",
        contents=contents,
        versioning=statements.MAINTENANCE,
        entry_begins=ENTRIES,
        changes=changes,
        earlier=contents.earlier_changes,
    )


def earlier_entries(text: str) -> str:
    """The entries of a changelog, without what stands above them."""
    return text.partition(ENTRIES)[2].strip()


def license_text(contents: Contents) -> str:
    """The licence, and to what it applies."""
    return _render("LICENSE.j2", contents=contents, title=TITLE, authors=AUTHORS)


def md(text: str) -> str:
    r"""Text from data as it can stand in Markdown, where it must not be read as markup.

    >>> md("a *b* <c>")
    'a \\*b\\* \\<c\\>'
    """
    plain = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return _SPECIAL.sub(r"\\\1", plain)


def estimate(row: Mapping[str, Any], name: str) -> str:
    """A number with its interval; a dash where it is not defined."""
    ends = {"low": row[f"{name}_low"], "high": row[f"{name}_high"]}
    return f"{number(row[name])} {interval(ends)}" if known(row[name]) else number(None)


def _spread(texts: Sequence[str]) -> dict[str, int]:
    counts = [len(words(text)) for text in texts]
    return {"median": round(statistics.median(counts)), "low": min(counts), "high": max(counts)}


def _rate(x: float | None, digits: int = 0) -> str:
    """A share in percent, cut off and never rounded up."""
    return share(measures.cut(x, digits + 2), digits)


def _sorts(rows: Sequence[Mapping[str, Any]]) -> str:
    return _render("sorts.md.j2", rows=rows).strip()


def _render(template: str, **variables: Any) -> str:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folder("templates") / "card"),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        canary=CANARY, count="{:,}".format, number=number, share=_rate, interval=interval, estimate=estimate,
        sorts=_sorts, cut=measures.cut,
    )  # fmt: skip
    environment.filters["md"] = md
    text = environment.get_template(template).render(**variables)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)).rstrip() + "\n"
