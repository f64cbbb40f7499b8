"""Servers that answer in the shapes that the real ones document, each with the place where its shape stands.

None of them runs a model. A field that fixes the reply (a seed, `top_k` 1, `min_p` 1) fixes it here where the real
server knows the field; all others bring a new text each time.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fake_server import Answer, FakeServer, Seen

MODEL = "org/model-8B"
TOKENS = 600
"""Tokens that every prompt is said to have."""


def openai_error(status: int, message: str) -> Any:
    """`{"error": {...}}`: OpenAI, vLLM, Ollama, llama.cpp; https://platform.openai.com/docs/guides/error-codes."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": status}}


def flat_error(status: int, message: str) -> Any:
    """SGLang: ErrorResponse in python/sglang/srt/entrypoints/openai/protocol.py."""
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": status}


def detail_error(status: int, message: str) -> Any:
    """transformers serve: FastAPI's HTTPException, src/transformers/cli/serving/chat_completion.py."""
    return {"detail": message}


def word_error(status: int, message: str) -> Any:
    """TGI: ErrorResponse in router/src/lib.rs."""
    return {"error": message, "error_type": "validation"}


@dataclass
class Canned:
    """How one server answers."""

    entry: dict[str, Any]
    """What it lists of its model, beside the id."""
    version: tuple[str, Any] = ("", None)
    """Where it tells its version, and what stands there."""
    others: tuple[str, ...] = ()
    """Other models that it lists."""
    error: Callable[[int, str], Any] = openai_error
    elsewhere: tuple[int, Any] = (404, {"detail": "Not Found"})
    """What it answers at places that it does not have."""
    logprobs: int = 0
    """Most that it gives; 0 ignores the wish."""
    beyond: int = 400
    """Status for more; 0 gives what it has."""
    schema: str = "bounded"
    """`bounded`, `plain` (lengths are refused), `ignored` or `refused`."""
    knows: tuple[str, ...] = ("seed", "top_k", "min_p")
    """Fields that fix its replies."""
    refuses: tuple[str, ...] = ()
    """Fields it refuses."""
    refusal: int = 400
    """Status with which it does."""
    thinking: str = ""
    """Field of a message that holds its thinking, or `<think>`."""
    quiet: tuple[str, ...] = ()
    """Fields that keep it from thinking."""
    cached: Callable[[int], dict[str, Any]] = lambda tokens: {}
    """What a reply holds about cached tokens; `usage` is merged."""
    wrong: int = 404
    """Status where the model is not its own; 0 answers all the same."""
    long: int = 400
    """Status where a prompt is too long; 0 cuts it."""
    key: str = ""
    turn: Any = field(default_factory=itertools.count)

    def server(self) -> FakeServer:
        """It, on loopback, as long as a `with` block lasts."""
        return FakeServer(script=self.answer)

    def answer(self, seen: Seen) -> Answer:
        """What it sends back."""
        if self.key and seen.headers.get("authorization") != f"Bearer {self.key}":
            return self._refuse(401, "You didn't provide an API key.")
        if seen.path == "/v1/models":
            data = [{"id": name, "object": "model", "created": 1, **self.entry} for name in (MODEL, *self.others)]
            return Answer(body={"object": "list", "data": data})
        if not seen.is_chat:
            there, told = self.version
            return Answer(body=told) if seen.path == there else Answer(*self.elsewhere)
        return self._refused(seen.body) or self._reply(seen.body)

    def _refuse(self, status: int, message: str) -> Answer:
        return Answer(status, self.error(status, message))

    def _refused(self, body: dict[str, Any]) -> Answer | None:
        if self.wrong and body["model"] != MODEL:
            return self._refuse(self.wrong, f"The model `{body['model']}` does not exist.")
        if wrong := [name for name in self.refuses if name in body]:
            return self._refuse(self.refusal, f"Unrecognized request argument supplied: {wrong[0]}")
        if body.get("top_logprobs", 0) > self.logprobs > 0 and self.beyond:
            return self._refuse(self.beyond, f"top_logprobs must be at most {self.logprobs}")
        limits = "maxLength" in json.dumps(body)
        if "response_format" in body and (self.schema == "refused" or (self.schema == "plain" and limits)):
            return self._refuse(self.refusal, "Invalid schema for response_format: not permitted")
        if self.long and len(body["messages"][-1]["content"]) > 8000:
            return self._refuse(self.long, "This model's maximum context length is 4096 tokens.")
        return None

    def _reply(self, body: dict[str, Any]) -> Answer:
        message: dict[str, Any] = {"role": "assistant", "content": self._text(body), "tool_calls": []}
        thinks = self.thinking and not any(name in body for name in self.quiet)
        if thinks and body["max_tokens"] > 1 and "response_format" not in body:
            thought = "Which one? I think about it."
            if self.thinking == "<think>":
                message["content"] = f"<think>{thought}</think>{message['content']}"
            else:
                message[self.thinking] = thought
        logprobs = None
        if body.get("logprobs") and self.logprobs:
            listed = _likely(min(body["top_logprobs"], self.logprobs))
            logprobs = {"content": [{**listed[0], "top_logprobs": listed}]}
            message["content"] = "A"
        turn = next(self.turn)
        more = self.cached(0 if turn % 2 else TOKENS - 100)
        usage = {"prompt_tokens": TOKENS, "completion_tokens": 7, "total_tokens": TOKENS + 7, **more.pop("usage", {})}
        choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": logprobs}
        return Answer(
            body={"id": "1", "object": "chat.completion", "model": MODEL, "choices": [choice], "usage": usage, **more}
        )

    def _text(self, body: dict[str, Any]) -> str:
        if "response_format" in body and self.schema in ("bounded", "plain"):
            allowed = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
            return json.dumps({"reasoning": "So it is.", "answer": allowed[0]})
        if "\nA. " in body["messages"][-1]["content"]:
            return '{"reasoning": "So be it.", "answer": "B"}'
        if body.get("temperature", 1) == 0 or any(name in body for name in self.knows):
            return "Blue."
        return f"Word {next(self.turn)}."


def _likely(wanted: int) -> list[dict[str, Any]]:
    """The most likely tokens: the six letters and then others, a half each of what is left."""
    tokens = [*"ABCDEF", *(f"t{number}" for number in range(wanted))][:wanted]
    return [{"token": token, "logprob": math.log(0.5) * place, "bytes": None} for place, token in enumerate(tokens, 1)]


def _details(tokens: int) -> dict[str, Any]:
    return {"usage": {"prompt_tokens_details": {"cached_tokens": tokens}}}


OPENAI_ONLY = ("top_k", "min_p", "chat_template_kwargs", "dilemmas_probe")
"""Fields that OpenAI's own interface does not have."""

SERVERS: dict[str, Callable[[], Canned]] = {
    # vllm/entrypoints/openai/engine/protocol.py (ModelCard, UsageInfo), models/serving.py (404), 0.32 was also run:
    # `reasoning`, 21 log-probabilities are a 400. https://docs.vllm.ai/en/latest/serving/openai_compatible_server/
    "vllm": lambda: Canned(
        {"owned_by": "vllm", "root": MODEL, "parent": None, "max_model_len": 4096},
        ("/version", {"version": "0.33.0"}),
        logprobs=20,
        thinking="reasoning",
        quiet=("chat_template_kwargs",),
        cached=_details,
    ),
    # python/sglang/srt/entrypoints/openai/protocol.py (ModelCard), http_server.py (/server_info);
    # https://docs.sglang.io/docs/advanced_features/separate_reasoning
    "sglang": lambda: Canned(
        {"owned_by": "sglang", "root": MODEL, "max_model_len": 4096},
        ("/server_info", {"version": "0.5.23", "model_path": MODEL}),
        error=flat_error,
        logprobs=1000,
        thinking="reasoning_content",
        quiet=("chat_template_kwargs", "reasoning_effort"),
        cached=lambda tokens: {"usage": {"prompt_tokens_details": None}},
        wrong=0,
    ),
    # tools/server/README.md (GET /props, /v1/models); its Python build xllamacpp was run
    "llama.cpp": lambda: Canned(
        {"owned_by": "llamacpp", "meta": {"n_ctx": 4096, "n_ctx_train": 8192}},
        ("/props", {"build_info": "b6700-abc", "total_slots": 4}),
        elsewhere=(404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}),
        logprobs=1000,
        cached=lambda tokens: {"timings": {"cache_n": tokens, "prompt_n": TOKENS - tokens}},
        wrong=0,
    ),
    # openai/openai.go (ToListCompletion, ChatCompletion), https://docs.ollama.com/api/openai-compatibility;
    # log-probabilities were dropped there without a word: https://github.com/ollama/ollama/issues/16117
    "ollama": lambda: Canned(
        {"owned_by": "library"},
        ("/api/version", {"version": "0.12.11"}),
        elsewhere=(404, "404 page not found"),
        knows=("seed",),
        thinking="reasoning",
        quiet=("reasoning_effort",),
        long=0,
    ),
    # src/transformers/cli/serving/server.py (no version, models of the cache), chat_completion.py (422)
    "transformers": lambda: Canned(
        {"owned_by": "org"},
        others=("org/another",),
        error=detail_error,
        schema="ignored",
        knows=("seed",),
        refuses=("top_k", "min_p", "dilemmas_probe"),
        refusal=422,
        thinking="<think>",
        quiet=("chat_template_kwargs",),
        wrong=400,
    ),
    # https://lmstudio.ai/docs/developer/openai-compat; places it does not have answer 200 with an error in it
    "lm studio": lambda: Canned(
        {"owned_by": "organization_owner"},
        elsewhere=(200, {"error": "Unexpected endpoint or method. (GET /version)"}),
        knows=("seed", "top_k"),
        thinking="reasoning_content",
        wrong=0,
    ),
    # router/src/lib.rs (Info, ErrorResponse), https://huggingface.co/docs/text-generation-inference/messages_api
    "tgi": lambda: Canned(
        {"owned_by": MODEL},
        ("/info", {"model_id": MODEL, "version": "3.3.4", "max_total_tokens": 4096}),
        error=word_error,
        logprobs=5,
        beyond=422,
        schema="refused",
        knows=("seed",),
        refusal=422,
        long=422,
        wrong=0,
    ),
    # https://platform.openai.com/docs/api-reference/chat
    "openai": lambda: Canned(
        {"owned_by": "system"},
        elsewhere=(404, openai_error(404, "Invalid URL (GET /version)")),
        logprobs=20,
        schema="plain",
        knows=("seed",),
        refuses=OPENAI_ONLY,
        cached=_details,
        key="sk-canned-12345",
    ),
}
"""Each server by its name."""
