"""From a study to a folder that another harness runs without this package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from dilemmas import __version__
from dilemmas.errors import InputError
from dilemmas.harness import inspect, lm_eval
from dilemmas.harness.samples import TOP_LOGPROBS, asking, samples, schema
from dilemmas.models.completions import sampling_fields
from dilemmas.release.layout import CANARY
from dilemmas.release.placing import staged
from dilemmas.resources import folder
from dilemmas.schema import ProtocolName
from dilemmas.study import Study, design_of

Harness = Literal["inspect", "lm-eval"]
FILES: dict[Harness, Callable[[ProtocolName], dict[str, str]]] = {"inspect": inspect.files, "lm-eval": lm_eval.files}
"""What each harness needs beside what all have."""
SAMPLES, STUDY, TASK = "samples.jsonl", "study.json", "task.py"
"""What all have: the prompts, what is asked and how, and the task; that is in `templates/harness/HARNESS/`."""


def write(study: Study, harness: Harness, protocol: ProtocolName, out: Path) -> int:
    """Write a study's prompts and the task that asks them; the folder appears whole or not at all.

    Args:
        study: what is asked.
        harness: who is to ask it.
        protocol: how.
        out: the folder, which must not be there yet.

    Returns:
        Number of prompts.

    Raises:
        InputError: the folder is there or cannot be written, or the harness cannot ask in this way.
    """
    own = (folder("templates") / "harness" / harness / TASK).read_text(encoding="utf-8")
    told = json.dumps(_study(study, protocol), indent=2, ensure_ascii=False)
    made = {**FILES[harness](protocol), TASK: f"# {CANARY}\n{own}", STUDY: f"{told}\n"}
    if out.exists():
        raise InputError("is there already", where=str(out), fix="Name another folder with --out.")
    with staged(out, "folder") as there:
        for name, text in made.items():
            (there / name).write_text(text, encoding="utf-8", newline="\n")
        with (there / SAMPLES).open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(f"{one.model_dump_json()}\n" for one in samples(study, protocol))
    return study.size


def _study(study: Study, protocol: ProtocolName) -> dict[str, Any]:
    """What is asked and how; Inspect's task reads the sampling here."""
    return {
        "canary": CANARY,
        "dilemmas": __version__,
        "dataset": {"name": study.dataset.name, "sha256": study.dataset.sha256, "asked": len(study.dilemmas)},
        "personas": [one.id for one in study.personas],
        "prompts": study.size,
        "design": design_of(study).model_dump(exclude={"scale"}),
        "protocol": protocol,
        "sampling": sampling_fields(asking(protocol).sampling),
        "top_logprobs": TOP_LOGPROBS if protocol == "logprob" else None,
        "reply_schema": None if protocol == "logprob" else schema(),
    }
