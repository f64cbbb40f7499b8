"""lm-evaluation-harness (https://github.com/EleutherAI/lm-evaluation-harness): its tasks, and its file of samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dilemmas.errors import InputError
from dilemmas.harness.samples import Log, Logged, Sample, asking, schema
from dilemmas.models.completions import response_format, sampling_fields, short
from dilemmas.release.layout import CANARY
from dilemmas.schema import ProtocolName, Reply

_TASK = f"""# {CANARY}
task: dilemmas
class: !function task.Dilemmas
custom_dataset: !function task.load
test_split: test
output_type: generate_until
doc_to_text: id
doc_to_target: ""
process_results: !function task.answered
metric_list: [{{metric: answered, aggregation: mean, higher_is_better: true}}]
"""
_WITH_SCHEMA = f"""# {CANARY}
include: dilemmas.yaml
task: dilemmas_schema
"""
NOT_TOLD = "lm-evaluation-harness does not log how a reply ended: one that was cut off is read like a whole one"


def files(protocol: ProtocolName) -> dict[str, str]:
    """Two tasks: one for all models, and one for servers that take a JSON schema.

    Raises:
        InputError: the protocol is `logprob`.
    """
    if protocol == "logprob":
        raise InputError(
            "lm-evaluation-harness gets no log-probabilities of a chat model's reply",
            where="--to lm-eval --protocol logprob",
            fix="Use --protocol reasoned, or --to inspect.",
        )
    fields = sampling_fields(asking(protocol).sampling)
    sampling = {"until": [], "do_sample": True, "max_gen_toks": fields.pop("max_tokens"), **fields}
    under_schema = sampling | {"response_format": response_format(schema())}
    return {  # JSON is YAML as well
        "dilemmas.yaml": f"{_TASK}generation_kwargs: {json.dumps(sampling)}\n",
        "dilemmas_schema.yaml": f"{_WITH_SCHEMA}generation_kwargs: {json.dumps(under_schema)}\n",
    }


def log(entries: Sequence[dict[str, Any]], path: Path) -> Log:
    """What stands in a file `samples_TASK_TIME.jsonl`.

    Args:
        entries: its lines.
        path: the file; the model's name stands in `results_TIME.json` beside it.

    Raises:
        KeyError, TypeError, ValueError, IndexError: it is of another form.
        InputError: a prompt was sent several times.
    """
    logged = [_logged(one) for one in entries]
    name = _model(path)
    unnamed = () if name else (f"there is no results_*.json of the same run beside {path.name} that names the model",)
    return Log(name or "model", logged, (NOT_TOLD, *unnamed))


def _logged(entry: dict[str, Any]) -> Logged:
    sample = Sample.model_validate(entry["doc"])
    (replies,) = entry["resps"]
    if len(replies) != 1:
        raise InputError(
            "has several replies to a prompt (repeats)", fix="Repeats are written by `dilemmas export --repeats`."
        )
    sent = entry["arguments"]["gen_args_0"]["arg_0"]
    if isinstance(sent, list):  # of a chat server: JSON of the messages
        sent = [(one["role"], one["content"]) for one in json.loads(sent[0])]
    return Logged(sample, sent, Reply(text=replies[0] or ""))


def _model(path: Path) -> str:
    """The model's name; empty where it is not to be found."""
    beside = path.with_name(f"results_{path.stem.rpartition('_')[2]}.json")
    try:
        told = json.loads(beside.read_text(encoding="utf-8"))["model_name"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""
    return short(told) if isinstance(told, str) else ""
