"""The dilemmas for lm-evaluation-harness: the prompts of `dilemmas evaluate`, word for word and in the same orders.

    lm_eval run --include_path . --tasks dilemmas --apply_chat_template --log_samples --output_path out \
        --model local-chat-completions --model_args model=Qwen/Qwen3-8B,base_url=http://gpu:8000/v1/chat/completions
    dilemmas analyse --responses out/Qwen__Qwen3-8B/samples_dilemmas_THE-TIME.jsonl

samples.jsonl has the prompts, dilemmas.yaml the sampling. Nothing else is needed beside lm-eval. Whether a reply names
an option is all that is scored here: what the answers say is worked out over all of them together.
"""

# SPDX-License-Identifier: Apache-2.0

import json
from pathlib import Path

from datasets import Dataset
from lm_eval.api.task import ConfigurableTask

HERE = Path(__file__).resolve().parent


def load(**_):
    """The prompts, as the one split of a dataset."""
    with (HERE / "samples.jsonl").open(encoding="utf-8") as lines:
        return {"test": Dataset.from_list([json.loads(line) for line in lines])}


def answered(doc, results):
    """Whether a reply plainly names one of the letters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(doc["metadata"]["order"])]
    try:
        letter = json.loads(results[0])["answer"]
    except (ValueError, LookupError, TypeError):
        letter = None
    return {"answered": float(letter in [*letters])}


class Dilemmas(ConfigurableTask):
    """Conversations that are sent as they are: a system message of their own and no examples before them."""

    def __init__(self, config):
        super().__init__(config={name: value for name, value in config.items() if name != "class"})

    def fewshot_context(
        self, doc, num_fewshot, system_instruction=None, apply_chat_template=False, chat_template=None, **_
    ):
        """The messages of a prompt, through the model's chat template."""
        if not apply_chat_template:
            raise ValueError("the prompts of this task are conversations: add --apply_chat_template")
        if num_fewshot or system_instruction:
            raise ValueError("the prompts of this task are complete: leave out --num_fewshot and --system_instruction")
        return chat_template(doc["input"])
