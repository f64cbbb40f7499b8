"""What a release is made of: the names of its files, and the mark that is in each of them."""

from __future__ import annotations

README = "README.md"
"""The card: front matter for the Hugging Face hub, and a body for people."""
CHANGELOG = "CHANGELOG.md"
"""What changed from version to version."""
CITATION = "CITATION.cff"
"""How to cite it (Citation File Format 1.2.0)."""
ZENODO = ".zenodo.json"
"""What Zenodo is to know."""
CROISSANT = "croissant.json"
"""What machines are to know: Croissant 1.1 with the fields for responsible AI."""
LICENSE = "LICENSE"
"""Under what terms it may be used."""
SUMS = "SHA256SUMS"
"""Checksum of every other file, in the form of `sha256sum`."""
MANIFEST = "release.json"
"""What was built, from what and how."""

DILEMMAS = "data/dilemmas.parquet"
"""One row a dilemma, flat."""
ACTIONS = "data/actions.parquet"
"""One row an action."""
PERSONAS = "data/personas.parquet"
"""One row a persona of the built-in sets."""
JUDGEMENTS = "data/judgements.parquet"
"""One row a judged action or verdict; there only where anybody judged."""
NESTED = "data/dilemmas.jsonl"
"""One dilemma a line, nested."""
PLAN = "data/plan.jsonl"
"""What each dilemma was planned to be; there only where the dataset has a plan."""

DATA, SCHEMAS, FIGURES = "data", "schemas", "figures"
"""Folders."""

CONFIGS: dict[str, str] = {
    "dilemmas": DILEMMAS,
    "actions": ACTIONS,
    "personas": PERSONAS,
    "judgements": JUDGEMENTS,
}
"""Tables as `datasets.load_dataset` names them, the default first; `judgements` may be missing."""
SPLIT = "test"
"""The one split of each."""
SCHEMA_OF: dict[str, str] = {
    NESTED: "schemas/dilemma.json",
    DILEMMAS: "schemas/dilemma-row.json",
    ACTIONS: "schemas/action-row.json",
    PERSONAS: "schemas/persona-row.json",
    JUDGEMENTS: "schemas/judgement-row.json",
    PLAN: "schemas/plan-line.json",
    MANIFEST: "schemas/release.json",
}
"""The JSON Schema that each line, or each row as plain data (null where there is nothing), of a file fits."""
REQUIRED: tuple[str, ...] = (
    README, CHANGELOG, CITATION, ZENODO, CROISSANT, LICENSE, SUMS, MANIFEST, DILEMMAS, ACTIONS, PERSONAS, NESTED,
)  # fmt: skip
"""Files of every release."""
OPTIONAL: tuple[str, ...] = (JUDGEMENTS, PLAN)
"""Files of some releases; each of these and of `REQUIRED` has its schema beside it where `SCHEMA_OF` names one."""

CANARY_ID = "56235d59-49b7-4c17-bf74-3fbd99bbb014"
"""Chosen at random once and for all, so that finding it in a model's words means that it read a release."""
CANARY = f"Evaluation data of the dilemmas project: please keep it out of training corpora. Canary dilemmas:{CANARY_ID}"
"""The mark in every file of every release, and in no prompt.

It asks that the file be left out of training, and shows afterwards whether it was; it protects nothing. The custom
is that of BIG-bench (Srivastava and others 2022, doi:10.48550/arXiv.2206.04615).
"""
