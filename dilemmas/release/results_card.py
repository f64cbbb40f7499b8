"""What a release of results says of itself to people: its card and its licence."""

from __future__ import annotations

from collections.abc import Mapping

from dilemmas.release.answers import AnswerRow, AttemptRow, PromptRow
from dilemmas.release.citation import yaml_text
from dilemmas.release.contents import LICENSE_URL, UNREVIEWED
from dilemmas.release.layout import CANARY, LICENSE, SPLIT, SUMS
from dilemmas.release.restore import Results
from dilemmas.release.results_layout import ANSWERS, ATTEMPTS, ITEMS, PERSONAS, PROMPTS, RUN, RUNS
from dilemmas.release.tables import columns
from dilemmas.schema import Record, Run

MODEL_TEXT = (
    "What models wrote (columns text, reasoning, refusal and top_tokens) is under no licence of this release. What may "
    "be done with it is for the terms of each model, and of the service that ran it, to say; some forbid training "
    "other models on it. It was not checked by anybody: it may be wrong or offensive, and may name people who exist."
)
"""Under what terms a model's text stands."""


def readme(found: Results, runs: Mapping[str, Run]) -> str:
    """The card.

    Args:
        found: what is in the release.
        runs: manifests of its runs, by name.
    """
    lines = [
        f"---\n{yaml_text(_front_matter(found))}---",
        f"<!-- {CANARY} -->\n",
        f"# Answers of language models to moral dilemmas, {found.version}\n",
        "Answers to questions about what a model values and what it would do in the same dilemma, of "
        f"{found.date}. Every table of numbers about them can be computed anew:\n",
        "```sh\npip install 'dilemmas[release]'",
        f"dilemmas analyse {RUNS}/{found.runs[0].name}   # in this folder\n```\n",
        "## Runs\n",
        "| run | models | dataset | personas | planned | answered | refused | unreadable | open |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(_run_line, runs.values()),
        "",
        *(f"- {name}: {caveat}" for name, run in runs.items() for caveat in _caveats(run)),
        "",
        "How each model was asked, of which dataset (by checksum) and with which versions stands in "
        f"`{RUNS}/NAME/{RUN}`.\n",
        "## Licence\n",
        f"Dilemmas, personas, prompts and what was read in the replies: CC BY 4.0 (`{LICENSE}`).\n",
        f"{MODEL_TEXT}\n",
        *(f"- {_plain(name)}: {_plain(text)}" for name, text in found.model_terms.items()),
        "",
        "## Files\n",
        f"`{RUNS}/NAME/` has of each run `{RUN}`, `{ITEMS}` (the dilemmas), `{PERSONAS}`, `{ANSWERS}`, and "
        f"`{ATTEMPTS}` where a request failed. `sha256sum --check {SUMS}` tells whether a file was changed.\n",
        *_table(f"{RUNS}/NAME/{ANSWERS}", AnswerRow),
        *_table(PROMPTS, PromptRow),
        *_table(f"{RUNS}/NAME/{ATTEMPTS}", AttemptRow),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def license_text(found: Results) -> str:
    """The licence, and what it does not cover."""
    terms = "".join(f"{name}: {text}\n" for name, text in found.model_terms.items())
    return (
        "Dilemmas, personas, prompts, tables and documents of this folder are licensed under the Creative Commons\n"
        f"Attribution 4.0 International Public License: {LICENSE_URL}\n\n"
        "They come without warranty.\n\n"
        f"{MODEL_TEXT}\n\n{terms}{chr(10) if terms else ''}"
        f"{CANARY}\n"
    )


def _front_matter(found: Results) -> dict[str, object]:
    """What the Hugging Face hub reads."""
    files = {f"answers-{one.name}": f"{RUNS}/{one.name}/{ANSWERS}" for one in found.runs}
    return {
        "language": ["en"],
        "license": "other",
        "license_name": "cc-by-4.0-but-for-model-text",
        "license_link": LICENSE,
        "pretty_name": "dilemmas results",
        "configs": [
            {"config_name": name, "data_files": [{"split": SPLIT, "path": path}]}
            for name, path in {**files, "prompts": PROMPTS}.items()
        ],
    }


def _caveats(run: Run) -> list[str]:
    n, told = run.dataset.unreviewed, [_plain(run.caveat)] if run.caveat else []
    return [*told, f"{n:,} of {run.dataset.dilemmas:,} dilemmas of the dataset are {UNREVIEWED}."] if n else told


def _run_line(run: Run) -> str:
    counts = [f"{run.counts[name]:,}" for name in ("planned", "answered", "refused", "unreadable", "open")]
    models = ", ".join(_plain(one.name) for one in run.models)
    cells = [run.name, models, _plain(run.dataset.name), ", ".join(run.persona_sets), *counts]
    return f"| {' | '.join(cells)} |"


def _table(title: str, form: type[Record]) -> list[str]:
    told = [f"| `{name}` | {about} |" for name, (_, about) in columns(form).items()]
    return [f"### {title}\n", "| column | what it holds |", "|---|---|", *told, ""]


def _plain(text: str) -> str:
    """Text on one line that no reader of Markdown takes for more."""
    return " ".join("".join("\\" + c if c in r"\`*_[]<>#|~$" else c for c in text).split())
