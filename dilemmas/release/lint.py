"""Whether the files that describe a release say what their readers know: card, citation, Zenodo, Croissant.

Each function takes what a file says and gives the problems in words; none touches the network or opens another file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from dilemmas.release import layout
from dilemmas.release.intact import is_plain
from dilemmas.resources import data_file

_FRONT = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_LONGEST_FRONT = 100_000
"""Longest front matter that is parsed, characters."""
_OPEN = re.compile(r"\{\{|\{%|(?i:\[more information needed\])|\b(?:TODO|FIXME|nan|NaN|None|Undefined)\b")
"""What is left in a card whose template was not filled."""
_CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)

TEXT_LISTS: dict[str, frozenset[str] | None] = {
    "annotations_creators": frozenset(
        {"found", "crowdsourced", "expert-generated", "machine-generated", "no-annotation", "other"}
    ),
    "language_creators": frozenset({"found", "crowdsourced", "expert-generated", "machine-generated", "other"}),
    "language": frozenset({"en"}),
    "language_details": None,
    "license": frozenset({"cc-by-4.0"}),
    "multilinguality": frozenset({"monolingual", "multilingual", "translation", "other"}),
    "size_categories": frozenset({"n<1K", "1K<n<10K", "10K<n<100K"}),
    "source_datasets": frozenset({"original", "extended"}),
    "tags": None,
    "task_categories": frozenset(
        {"text-classification", "zero-shot-classification", "question-answering", "multiple-choice", "text-generation"}
    ),
    "task_ids": frozenset({"multiple-choice-qa", "closed-domain-qa", "text-scoring"}),
}
"""Fields of a card that hold text or a list of it, and what they may hold; any text where it is None.

From `huggingface_hub.DatasetCardData` (2.4.0), `datasetcard.md` of github.com/huggingface/hub-docs and, for tasks,
`pipelines.ts` of github.com/huggingface/huggingface.js: of these, what a dataset of dilemmas can be.
"""
OTHER_FIELDS = frozenset(
    {
        "pretty_name", "configs", "dataset_info", "extra_gated_prompt", "extra_gated_fields", "license_name",
        "license_link", "license_details", "paperswithcode_id", "train-eval-index", "config_names",
    }
)  # fmt: skip
"""The other fields of a card that the hub knows (same sources)."""
SIZES = {"n<1K": 1000, "1K<n<10K": 10_000, "10K<n<100K": 100_000}
"""Number of items below which a dataset is of a size, the smallest first."""
SECTIONS = ("Motivation", "Composition", "Collection", "Uses", "Distribution", "Maintenance")
"""What a card tells after Datasheets for Datasets (Gebru and others 2021, doi:10.1145/3458723); words in headings."""


def card(text: str, files: Iterable[str], dilemmas: int) -> list[str]:
    """What is wrong with a card: its front matter as the hub reads it, and its body.

    Args:
        text: of `README.md`.
        files: of the release, by path.
        dilemmas: how many there are.
    """
    import yaml

    parts = _FRONT.fullmatch(text)
    if parts is None or len(parts[1]) > _LONGEST_FRONT:
        return ["has no front matter between two lines of ---"]
    try:
        front = yaml.safe_load(parts[1])
    except yaml.YAMLError as error:
        return [f"front matter is no YAML: {getattr(error, 'problem', None) or 'it cannot be parsed'}"]
    if not isinstance(front, dict):
        return ["front matter is no list of fields"]
    problems = [f"{name}: no field that the hub knows" for name in front if name not in {*TEXT_LISTS, *OTHER_FIELDS}]
    problems += [problem for name in TEXT_LISTS if name in front for problem in _texts(name, front[name])]
    required = ("language", "license", "pretty_name", "size_categories", "task_categories", "tags", "configs")
    problems += [f"{name}: is missing" for name in required if not front.get(name)]
    if not isinstance(front.get("pretty_name", ""), str):
        problems.append("pretty_name: is no text")
    size = next((name for name, limit in SIZES.items() if dilemmas < limit), None)
    if size not in _listed(front.get("size_categories")):
        problems.append(f"size_categories: {dilemmas:,} dilemmas are {size}")
    return [*problems, *_configs(front.get("configs"), list(files)), *_body(parts[2])]


def cff(text: str, version: str, date: str) -> list[str]:
    """What is wrong with `CITATION.cff`: against the schema of the format, and against the release."""
    import yaml

    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError:
        return ["is no YAML"]
    from jsonschema import Draft7Validator

    # The format's dates are text; YAML 1.1 makes days of what is not in quotes.
    plain = json.loads(json.dumps(told, default=str))
    errors = sorted(Draft7Validator(cff_schema()).iter_errors(plain), key=lambda error: error.json_path)
    problems = [f"{error.json_path}: {error.message[:200]}" for error in errors]
    if not isinstance(told, dict):
        return problems
    wanted = {"type": "dataset", "version": version, "date-released": date, "license": "CC-BY-4.0"}
    return problems + [f"{name}: is not {held}" for name, held in wanted.items() if told.get(name) != held]


@cache
def cff_schema() -> Any:
    """JSON Schema of the Citation File Format 1.2.0; data/NOTICE.md says where it is from."""
    return json.loads(data_file("cff-1.2.0.json").read_text(encoding="utf-8"))


def zenodo(told: Any, version: str, date: str) -> list[str]:
    """What is wrong with `.zenodo.json`, by Zenodo's list of fields for a deposit (developers.zenodo.org)."""
    if not isinstance(told, dict):
        return ["is no JSON object"]
    wanted = {
        "upload_type": "dataset", "license": "cc-by-4.0", "version": version, "publication_date": date,
        "access_right": "open",
    }  # fmt: skip
    known = {
        *wanted, "title", "description", "creators", "contributors", "keywords", "language", "notes", "doi",
        "related_identifiers", "references", "communities", "grants", "method", "locations", "dates", "subjects",
    }  # fmt: skip
    problems = [f"{name}: no field that Zenodo knows" for name in told if name not in known]
    problems += [f"{name}: is not {held}" for name, held in wanted.items() if told.get(name) != held]
    problems += [f"{name}: is missing" for name in ("title", "description", "creators") if not told.get(name)]
    people = told.get("creators") or []
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in people):
        problems.append("creators: one of them has no name")
    return problems


def croissant(told: Any, sums: Mapping[str, str], version: str) -> list[str]:
    """What must not be in `croissant.json` before a library opens what it names.

    `mlcroissant` reads whatever path stands there, above the folder too, and fetches addresses.

    Args:
        told: what the file says.
        sums: checksums of the release's files, by path.
        version: of the release.
    """
    if not isinstance(told, dict):
        return ["is no JSON object"]
    problems = [] if str(told.get("version")) == version else [f"version: is not {version}"]
    for node in _nodes(told):
        if any(isinstance(one, str) for one in _listed(node.get("@context"))) or "@import" in node:
            problems.append("@context: would be fetched")
        if "containedIn" in node or _listed(node.get("@type")) in (["cr:FileSet"], ["FileSet"]):
            problems.append("distribution: holds an archive or a set of files, and no release has one")
    distribution = told.get("distribution")
    if not isinstance(distribution, list):
        return [*problems, "distribution: is no list"]
    plain = [node for node in distribution if isinstance(node, dict)]
    if len(plain) < len(distribution) or len(list(_having("contentUrl", told))) > len(plain):
        problems.append("distribution: a file is named outside it, or it holds something else")
    for node in plain:
        url = node.get("contentUrl")
        if not isinstance(url, str) or not is_plain(url) or url not in sums:
            problems.append("contentUrl: is no plain path to a file of the release")
        elif node.get("sha256") != sums[url]:
            problems.append(f"sha256: of {url} is not the one in {layout.SUMS}")
    return list(dict.fromkeys(problems))


def _nodes(told: Any) -> Iterator[dict[str, Any]]:
    if isinstance(told, dict):
        yield told
    for inner in told.values() if isinstance(told, dict) else told if isinstance(told, list) else ():
        yield from _nodes(inner)


def _having(key: str, told: Any) -> Iterator[dict[str, Any]]:
    return (node for node in _nodes(told) if any(name.rpartition("/")[2].rpartition(":")[2] == key for name in node))


def _listed(held: Any) -> list[Any]:
    return held if isinstance(held, list) else [] if held is None else [held]


def _texts(name: str, held: Any) -> Iterator[str]:
    """YAML 1.1 makes False of `no`, 45045 of `12:30:45` and 8 of `010`: so every part must still be text."""
    known = TEXT_LISTS[name]
    for one in _listed(held):
        if not isinstance(one, str):
            yield f"{name}: {json.dumps(one, default=str)} is no text"
        elif known is not None and one not in known:
            yield f'{name}: "{one}" is none of {", ".join(sorted(known))}'


def _configs(held: Any, files: list[str]) -> Iterator[str]:
    """What is wrong with the tables that a card names: those of the layout that are there, the default one marked."""
    wanted = {name: path for name, path in layout.CONFIGS.items() if path in files}
    if not isinstance(held, list) or not all(isinstance(one, dict) for one in held):
        yield "configs: is no list of tables"
        return
    names = [one.get("config_name") for one in held]
    if names != list(wanted):
        yield f"configs: are {', '.join(map(str, names))}, not {', '.join(wanted)}"
    for one in held:
        name = one.get("config_name")
        expected = [{"split": layout.SPLIT, "path": wanted.get(name)}]
        if one.get("data_files") != expected:
            yield f"configs: {name} does not have the one split {layout.SPLIT} out of {wanted.get(name)}"
        if one.get("default", False) is not (name == next(iter(layout.CONFIGS))) and ("default" in one):
            yield f"configs: {name} is marked wrongly as the default one or as none"


def _body(text: str) -> Iterator[str]:
    text = _CODE.sub("code", text)  # a remark in it looks like a heading
    headings = re.findall(r"^#+ +(.+?)\s*$", text, re.MULTILINE)
    for section in SECTIONS:
        if not any(section.lower() in heading.lower() for heading in headings):
            yield f"body: has no section on {section.lower()}"
    lines = [line for line in text.splitlines() if line.strip()]
    for line, following in pairwise([*lines, "#"]):
        level, below = (len(one) - len(one.lstrip("#")) for one in (line, following))
        if level and below and below <= level:
            yield f'body: nothing stands under "{line.lstrip("# ")}"'
    if left := _OPEN.search(text):
        yield f"body: has an open place: {left[0]}"
