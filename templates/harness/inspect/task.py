"""The dilemmas as an Inspect task: the prompts of `dilemmas evaluate`, word for word and in the same orders.

    inspect eval task.py --model openai-api/vllm/Qwen/Qwen3-8B --log-format json
    dilemmas analyse --responses logs/THE-LOG.json

study.json says what is asked and how, samples.jsonl has the prompts. Nothing else is needed beside inspect-ai. Whether
a reply names an option is all that is scored here: what the answers say is worked out over all of them together.
"""

# SPDX-License-Identifier: Apache-2.0

import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.model import GenerateConfig, ResponseSchema
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

HERE = Path(__file__).resolve().parent


@task
def dilemmas(schema: bool = True) -> Task:
    """Both questions about each dilemma.

    Args:
        schema: have the server keep replies to the form that the prompt asks for, as JSON Schema.
    """
    study = json.loads((HERE / "study.json").read_text(encoding="utf-8"))
    form = study["reply_schema"] if schema else None
    return Task(
        dataset=json_dataset(str(HERE / "samples.jsonl"), name=study["dataset"]["name"]),
        solver=ask(),
        scorer=answered(),
        config=GenerateConfig(
            **study["sampling"],
            logprobs=True if study["top_logprobs"] else None,
            top_logprobs=study["top_logprobs"],
            response_schema=form and ResponseSchema(name="reply", strict=True, json_schema=form),
        ),
    )


@solver
def ask() -> Solver:
    """Send the messages of a sample, with its own sampling seed."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        seed = state.metadata["seed"]
        return await generate(state) if seed is None else await generate(state, seed=seed)

    return solve


@scorer(metrics=[mean()])
def answered() -> Scorer:
    """Whether a reply plainly names one of the letters."""

    async def score(state: TaskState, target: Target) -> Score:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(state.metadata["order"])]
        letter = state.output.completion.strip()
        if letter.startswith("{"):
            try:
                letter = json.loads(letter).get("answer")
            except ValueError:
                letter = None
        return Score(value=float(letter in [*letters]), answer=str(letter))

    return score
