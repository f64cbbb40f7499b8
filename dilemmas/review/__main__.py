"""`python -m dilemmas.review` writes annotations/*.xml, the labeling configs, for people to read."""

from __future__ import annotations

from pathlib import Path

from dilemmas.review.form import FormName, labeling_config

FILES: dict[FormName, str] = {"open": "labeling.xml", "blind": "labeling-blind.xml"}
"""File of each form in annotations/."""

if __name__ == "__main__":
    for form, name in FILES.items():
        Path("annotations", name).write_text(labeling_config(form), encoding="utf-8")
