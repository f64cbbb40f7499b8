"""How a release is cited and archived: `CITATION.cff`, `.zenodo.json` and BibTeX.

There is no DOI of the release in them: it has none when it is built.
"""

from __future__ import annotations

import html
import json
from typing import Any

from dilemmas.release.contents import AUTHORS, KEYWORDS, LICENSE_ID, TITLE, Contents
from dilemmas.release.layout import CANARY
from dilemmas.release.statements import SUMMARY

MESSAGE = "If you use this dataset, please cite it with its version, and the work it stands on."
SCHWARTZ = "10.1016/S0065-2601(08)60281-6"
"""DOI of Schwartz (1992), whose values the dataset takes."""


def cff(contents: Contents) -> str:
    """`CITATION.cff`, in the Citation File Format 1.2.0 (doi:10.5281/zenodo.5171937)."""
    told: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": MESSAGE,
        "title": TITLE,
        "type": "dataset",
        "authors": [{"name": AUTHORS}],
        "version": str(contents.version),
        "date-released": contents.date,
        "license": LICENSE_ID,
        "abstract": f"{SUMMARY} {contents.caveat}".strip(),
        "keywords": list(KEYWORDS),
        "references": [
            {
                "type": "article",
                "title": "Universals in the Content and Structure of Values: Theoretical Advances and Empirical Tests "
                "in 20 Countries",
                "authors": [{"family-names": "Schwartz", "given-names": "Shalom H."}],
                "journal": "Advances in Experimental Social Psychology",
                "volume": "25",
                "start": "1",
                "end": "65",
                "year": 1992,
                "doi": SCHWARTZ,
            }
        ],
    }
    return f"# {CANARY}\n{yaml_text(told)}"


def yaml_text(told: dict[str, Any]) -> str:
    """Plain data as YAML; text that YAML 1.1 would take for a date, a number or a truth value is put in quotes."""
    import yaml

    return str(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False))


def zenodo(contents: Contents) -> str:
    """`.zenodo.json`, which Zenodo reads when a release is archived. The mark stands in its notes."""
    told = {
        "title": TITLE,
        "upload_type": "dataset",
        "description": "".join(f"<p>{html.escape(part)}</p>" for part in (SUMMARY, contents.caveat) if part),
        "creators": [{"name": AUTHORS}],
        "version": str(contents.version),
        "publication_date": contents.date,
        "access_right": "open",
        "license": LICENSE_ID.lower(),
        "language": "eng",
        "keywords": list(KEYWORDS),
        "related_identifiers": [{"identifier": SCHWARTZ, "relation": "references", "scheme": "doi"}],
        "notes": CANARY,
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def bibtex(contents: Contents) -> str:
    """An entry for a list of references."""
    note = f",\n  note = {{{contents.caveat}}}" if contents.caveat else ""
    return (
        f"@misc{{dilemmas-{contents.version},\n  title = {{{TITLE}}},\n  author = {{{{{AUTHORS}}}}},\n"
        f"  version = {{{contents.version}}},\n  year = {{{contents.date[:4]}}}{note}\n}}"
    )
