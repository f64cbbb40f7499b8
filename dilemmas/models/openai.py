"""Any OpenAI-compatible server, through the `openai` package.

The client's own retries are off: what may be asked again is decided by the type of the error. A
key is read from the environment variable the user named, sent to the user's own address and to no
other (redirects are not followed), and struck out of every text that comes back.
"""

from __future__ import annotations

import asyncio
import base64
import html
import json
import logging
import math
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any

import httpx2
import openai

from dilemmas import __version__
from dilemmas.config import ModelConfig, is_loopback
from dilemmas.errors import InputError, ModelError, RejectedError, TransientError, UnreachableError, did_you_mean
from dilemmas.models import Request, defaults
from dilemmas.schema import Capabilities, ModelIdentity, ProtocolName, Reply, TokenProbability

# OPENAI_LOG would have the client print what servers say in their headers.
logging.getLogger("openai").setLevel(logging.WARNING)

_PROBE_WORD = "qzx-7"
"""An answer nobody gives unless a schema leaves no other."""
_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_LATER = frozenset({429, 503})
"""How a server says that it is busy, or still loading."""
_SHORTEST_SECRET = 8
"""A shorter key is one of these placeholders, or is refused: striking it out would spoil replies."""
_PLACEHOLDERS = frozenset({"empty", "none", "dummy", "test", "token", "ollama", "x", "-"})


@asynccontextmanager
async def served_model(config: ModelConfig) -> AsyncIterator[ServedModel]:
    """A model at an address, as a context manager.

    Raises:
        InputError: the key's variable is empty, or the key would go out unencrypted.
        ModelError: nobody answers there, or the server does not have the model.
    """
    assert config.base_url is not None
    key = _key(config)
    async with connected(config.base_url, key, config) as client:
        yield await ServedModel(client, config.base_url, config.name, key).found()


@asynccontextmanager
async def connected(base_url: str, key: str, config: ModelConfig) -> AsyncIterator[openai.AsyncOpenAI]:
    """An openai client bound to one address; nothing is taken from the environment but a proxy.

    Raises:
        InputError: no request can be sent to such an address.
    """

    async def ours_only(request: httpx2.Request) -> None:
        # The client adds headers that tell of this machine, and those in OPENAI_CUSTOM_HEADERS.
        headers = {"host": request.url.netloc.decode(), "accept": "application/json"}
        headers["user-agent"] = f"dilemmas/{__version__}"
        if request.method == "POST":
            headers |= {"content-type": "application/json", "content-length": str(len(request.content))}
        if key:
            headers["authorization"] = f"Bearer {key}"
        request.headers = httpx2.Headers(headers)

    try:
        httpx2.URL(base_url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise InputError(f"is no address: {error}", where="--base-url", fix="Check the host's name.") from None
    http = openai.DefaultAsyncHttpxClient(
        follow_redirects=False, trust_env=not is_loopback(base_url), event_hooks={"request": [ours_only]}
    )
    # Empty strings, because None makes the client look into OPENAI_ADMIN_KEY and its like.
    async with openai.AsyncOpenAI(
        base_url=base_url,
        api_key=key or "none",
        admin_api_key="",
        organization="",
        project="",
        webhook_secret="",
        max_retries=0,
        timeout=httpx2.Timeout(config.timeout, connect=min(10.0, config.timeout)),
        http_client=http,
    ) as client:
        yield client


def _key(config: ModelConfig) -> str:
    if config.api_key_env is None:
        return ""
    key = os.environ.get(config.api_key_env, "").strip()
    if not key:
        raise InputError(
            f"the environment variable {config.api_key_env} is not set",
            where="--api-key-env",
            fix=f"export {config.api_key_env}=... in this shell, then run the same command again.",
        )
    if not key.isascii() or any(c.isspace() or not c.isprintable() for c in key):
        raise InputError(
            f"the key in {config.api_key_env} holds a space, a line break or a letter that no key has",
            where="--api-key-env",
            fix=f"Set {config.api_key_env} to the key alone.",
        )
    if len(key) < _SHORTEST_SECRET and key.lower() not in _PLACEHOLDERS:
        raise InputError(
            f"the key in {config.api_key_env} has fewer than {_SHORTEST_SECRET} characters, too few to be kept secret",
            where="--api-key-env",
            fix="Use a longer key, or EMPTY where the server wants any.",
        )
    assert config.base_url is not None
    if config.base_url.startswith("http://") and not is_loopback(config.base_url) and not config.allow_plain_http_key:
        raise InputError(
            "a key would travel unencrypted to another machine",
            where="--base-url",
            fix="Use https, or, if the network is yours, --allow-plain-http-key (in a run file, under [model]: "
            "allow_plain_http_key = true).",
        )
    return key


class ServedModel:
    """A model behind an OpenAI-compatible interface."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        address: str,
        name: str,
        key: str = "",
        *,
        revision: str = "",
        caveat: str = "",
    ) -> None:
        self.identity = ModelIdentity(name=name, revision=revision)
        self.caveat = caveat
        self.default_protocol, self.default_concurrency = defaults(name)
        self._client, self._address, self._name, self._key = client, address, name, key
        self._secret = _in_any_disguise(key)
        self._server = ""
        self.context: int | None = None
        """Tokens of context, prompt and reply together, where the server tells."""

    async def found(self) -> ServedModel:
        """Itself, once the server has said that it has the model.

        Raises:
            RejectedError: it lists other models only, or wants another key.
            ModelError: it cannot be asked at all.
        """
        try:
            listing = await self._insist("GET", "/models")
        except RejectedError as error:
            if error.status not in (404, 405, 501):
                raise
            return self  # no list: the first question will tell
        listed = listing.get("data")
        entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        names = [str(entry.get("id")) for entry in entries]
        if names and self._name not in names:
            raise RejectedError(
                f'the server has no model "{self._name}"; it has: {", ".join(names[:20])}',
                where=self._address,
                fix=did_you_mean(self._name, names) or "Name one of these with --model.",
                status=404,
            )
        for entry in entries:
            if entry.get("id") == self._name:
                meta = entry.get("meta")
                length = entry.get("max_model_len") or (meta.get("n_ctx") if isinstance(meta, dict) else None)
                owner = str(entry.get("owned_by") or "")
                self.context = length if isinstance(length, int) and length > 0 else None
                self._server = ", ".join(part for part in (owner, f"context {length}" if length else "") if part)
        return self

    async def probe(self, protocol: ProtocolName) -> Capabilities:
        """What the server can do of what a protocol needs, by up to six short requests."""
        if protocol == "logprob":
            return Capabilities(top_logprobs=await self._probe_logprobs(), server=self._server)
        question = {"messages": [{"role": "user", "content": "Name a colour."}], "temperature": 0, "max_tokens": 48}
        top_k = seed = await self._accepts({**question, "top_k": 64, "seed": 1}) is not None
        if not top_k:
            top_k = await self._accepts({**question, "top_k": 64}) is not None
            seed = await self._accepts({**question, "seed": 1}) is not None
        if not top_k and not seed:
            await self._probe_chat(question)  # raises where the question itself is refused
        for kind, limits in (("bounded", {"maxLength": 40}), ("plain", {})):
            wanted = response_format(_probe_schema(**limits))
            body = await self._accepts({**question, "max_tokens": 512, "response_format": wanted})
            if body is not None and _honoured(_content, body):
                return Capabilities(reply_schema=kind, top_k=top_k, seed=seed, server=self._server)
        return Capabilities(reply_schema="none", top_k=top_k, seed=seed, server=self._server)

    async def calls_tools(self) -> bool:
        """Whether the server gives the arguments of a tool that must be called the form they are to have."""
        tool = {"name": "reply", "description": "Answer the question.", "parameters": _probe_schema()}
        body = await self._accepts(
            {
                "messages": [{"role": "user", "content": "Name a colour."}],
                "temperature": 0,
                "max_tokens": 512,
                "tools": [{"type": "function", "function": tool}],
                "tool_choice": {"type": "function", "function": {"name": "reply"}},
            }
        )
        return body is not None and _honoured(_tool_arguments, body)

    async def ask(self, request: Request) -> Reply:
        """One reply to one request; raises as the interface says."""
        sampling = request.sampling
        body: dict[str, Any] = {
            "messages": [message.model_dump() for message in request.messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
        if sampling.top_k:
            body["top_k"] = sampling.top_k
        if request.seed is not None:
            body["seed"] = request.seed
        if request.top_logprobs:
            body.update(logprobs=True, top_logprobs=request.top_logprobs)
        if request.reply_schema:
            body["response_format"] = response_format(request.reply_schema)
        started = time.perf_counter()
        answer = await self._call("POST", "/chat/completions", {"model": self._name, **body})
        return _reply(answer, time.perf_counter() - started, self._address)

    async def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """A chat completion as the server sends it, for those who need more of it than `ask` gives.

        Args:
            body: the request's fields, without the model.

        Returns:
            The server's JSON object; it has a choice with a message.

        Raises:
            TransientError, RejectedError: as for `ask`.
        """
        answer = await self._call("POST", "/chat/completions", {**body, "model": self._name})
        choices = answer.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        if not (isinstance(first, dict) and isinstance(first.get("message"), dict)):
            error = _no_choices(answer, self._address)
            error.raw = json.dumps(answer, ensure_ascii=False)
            raise error
        return answer

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """An embedding of each text, in their order.

        Raises:
            TransientError, RejectedError: as for `ask`; or the server sends something else.
        """
        answer = await self._call("POST", "/embeddings", {"model": self._name, "input": list(texts)})
        try:
            found = {int(entry["index"]): [float(x) for x in entry["embedding"]] for entry in answer["data"]}
            vectors = [found[index] for index in range(len(texts))]
        except (LookupError, TypeError, ValueError):
            vectors = []
        if len({len(vector) for vector in vectors}) != 1 or not all(map(math.isfinite, chain(*vectors))):
            raise RejectedError(
                f"sent no embeddings of {len(texts)} texts: {_short(json.dumps(answer))}",
                where=self._address,
                fix="Name a model that makes embeddings, at a server that serves /embeddings.",
            )
        return vectors

    async def _probe_logprobs(self) -> int:
        question = {"messages": [{"role": "user", "content": "Say A or B."}], "temperature": 0, "max_tokens": 1}
        for wanted in (50, 20, 5):
            try:
                answer = await self._probe_chat({**question, "logprobs": True, "top_logprobs": wanted})
            except RejectedError as error:
                if error.status not in (400, 422):
                    raise
                continue
            tokens = _reply(answer, 0.0, self._address).top_tokens
            return min(len(tokens), wanted) if tokens else 0
        await self._probe_chat(question)  # raises where the question itself is refused
        return 0

    async def _accepts(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """A probe's reply; None where the server refuses, or breaks on, what the body asks for."""
        try:
            return await self._probe_chat(body)
        except (RejectedError, TransientError) as error:
            if error.status in (400, 422, 500):
                return None
            raise

    async def _probe_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self._insist("POST", "/chat/completions", {"model": self._name, **body})

    async def _insist(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request, put again a few times to a server that says it is busy or still loading."""
        for pause in (1.0, 2.0, 4.0):
            try:
                return await self._call(method, path, body)
            except TransientError as error:
                if error.status not in _LATER:
                    raise
                await asyncio.sleep(min(pause if error.retry_after is None else error.retry_after, 60.0))
        return await self._call(method, path, body)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request; its JSON object. Every way it can fail becomes one of our errors."""
        timeout = self._client.timeout
        assert isinstance(timeout, httpx2.Timeout)
        try:
            # The client's own limit is for each read: a server that drips would never meet it.
            async with asyncio.timeout((timeout.connect or 0) + (timeout.read or 0)):
                if method == "GET":
                    response = await self._client.get(path, cast_to=httpx2.Response)
                else:
                    response = await self._client.post(path, body=body, cast_to=httpx2.Response)
        except (openai.APITimeoutError, TimeoutError) as error:
            if isinstance(error, openai.APITimeoutError) and isinstance(error.__cause__, httpx2.ConnectTimeout):
                raise self._lost(error) from None
            raise TransientError("no reply in time", where=self._address, fix="Raise timeout under [model].") from None
        except openai.APIConnectionError as error:
            raise self._lost(error) from None
        except openai.APIStatusError as error:
            raise self._with_raw(self._refused(error.response), error.response) from None
        if response.status_code >= 300:
            raise self._with_raw(self._refused(response), response)
        try:
            answer = self._clean(json.loads(response.text))
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            kind = _short(self._scrub(response.headers.get("content-type", "no content type").split(";")[0]))
            answerless = RejectedError(
                f"answers with {kind} that is no JSON object: {_short(self._scrub(response.text))}",
                where=self._address,
                fix="Check the address; that of an OpenAI-compatible server usually ends in /v1.",
                status=response.status_code,
            )
            raise self._with_raw(answerless, response)
        return answer

    def _with_raw(self, error: ModelError, response: httpx2.Response) -> ModelError:
        """An error with what the server sent."""
        error.raw = self._clean(response.text)
        return error

    def _lost(self, error: openai.APIConnectionError) -> TransientError:
        cause = error.__cause__
        reason = _short(self._scrub(str(cause or error))) or type(cause or error).__name__
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.UnsupportedProtocol):
            return UnreachableError(
                f"nobody answers ({reason})",
                where=self._address,
                fix="Start the server, or mend --base-url; then run the same command again.",
            )
        return TransientError(f"the connection was lost ({reason})", where=self._address)

    def _refused(self, response: httpx2.Response) -> RejectedError | TransientError:
        status, where = response.status_code, self._address
        try:
            message = _short(_message(self._clean(json.loads(response.text))))
        except (ValueError, RecursionError):
            message = _short(self._scrub(response.text))
        if status in _RETRYABLE or (status >= 500 and status != 501):
            return TransientError(
                f"HTTP {status}: {message}", where=where, status=status, retry_after=_retry_after(response)
            )
        if status in (401, 403):
            sent = "was refused" if self._key else "was not sent"
            return RejectedError(
                f"HTTP {status}: a key is wanted and {sent}: {message}",
                where=where,
                fix="Put the key into an environment variable and name that variable with --api-key-env.",
                status=status,
            )
        if 300 <= status < 400:
            return RejectedError(
                f"HTTP {status}: redirects elsewhere, which is not followed",
                where=where,
                fix="Give the final address with --base-url.",
                status=status,
            )
        fix = "Check the address (it usually ends in /v1) and the model's name." if status == 404 else ""
        lowered = message.lower()
        if "context" in lowered and any(word in lowered for word in ("length", "size", "exceed", "window", "maximum")):
            message = f"the prompt is longer than the model's context: {message}"
            fix = "Serve the model with a longer context, or shorten the scenario, the persona or max_tokens."
        return RejectedError(f"HTTP {status}: {message}", where=where, fix=fix, status=status)

    def _scrub(self, text: str) -> str:
        return self._secret.sub("[key]", text) if self._secret else text

    def _clean(self, data: Any) -> Any:
        """Decoded JSON without the key, and without the halves of characters that no file can hold."""
        if isinstance(data, str):
            return self._scrub(data.encode("utf-8", "replace").decode("utf-8"))
        if isinstance(data, list):
            return [self._clean(part) for part in data]
        return {self._clean(name): self._clean(part) for name, part in data.items()} if isinstance(data, dict) else data


def _in_any_disguise(key: str) -> re.Pattern[str] | None:
    """What finds the key in the forms in which a server may send it back: URL, JSON, HTML, base64."""
    if len(key) < _SHORTEST_SECRET:
        return None

    def one(c: str) -> str:
        code = f"(?i:{ord(c):02x})"
        marked = rf"\\*{re.escape(c)}|%(?:25)*{code}|\\+u00{code}|{re.escape(html.escape(c))}|&#{ord(c)};"
        return c if c.isalnum() else f"(?:{marked})"

    encoded = (encode(key.encode()).decode().rstrip("=") for encode in (base64.b64encode, base64.urlsafe_b64encode))
    return re.compile("|".join(["".join(map(one, key)), *map(re.escape, encoded)]))


def response_format(schema: dict[str, Any]) -> dict[str, Any]:
    """The field of a request that asks for a reply of some form."""
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": schema}}


def _probe_schema(**limits: int) -> dict[str, Any]:
    """A form that leaves one answer only."""
    properties = {
        "reasoning": {"type": "string", **limits},
        "answer": {"type": "string", "enum": [_PROBE_WORD]},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _content(message: dict[str, Any]) -> str:
    return str(message["content"])


def _tool_arguments(message: dict[str, Any]) -> str:
    return str(message["tool_calls"][0]["function"]["arguments"])


def _honoured(where: Callable[[dict[str, Any]], str], body: dict[str, Any]) -> bool:
    """Whether a probe's reply holds the answer that only the schema could bring about."""
    try:
        return bool(json.loads(where(body["choices"][0]["message"]))["answer"] == _PROBE_WORD)
    except (LookupError, TypeError, ValueError):
        return False


def _reply(body: dict[str, Any], latency: float, address: str) -> Reply:
    """A server's chat completion as a Reply."""
    try:
        choice = body["choices"][0]
        message = choice["message"]
        usage = body.get("usage") or {}
        tokens = (choice.get("logprobs") or {}).get("content") or []
        top = tuple(
            TokenProbability(token=entry["token"], logprob=min(0.0, float(entry["logprob"])))
            for entry in (tokens[0].get("top_logprobs") or [] if tokens else [])
            if entry["logprob"] is not None and math.isfinite(entry["logprob"])  # a token that cannot come
        )
        return Reply(
            text=message.get("content") or "",
            reasoning=message.get("reasoning") or message.get("reasoning_content") or "",
            refusal=message.get("refusal") or "",
            finish_reason=choice.get("finish_reason") or "",
            top_tokens=top or None,
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            latency=latency,
            fingerprint=body.get("system_fingerprint") or "",
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        raise _no_choices(body, address) from None


def _no_choices(body: dict[str, Any], address: str) -> TransientError:
    """What a reply is that holds no answer."""
    if error := body.get("error"):
        return TransientError(f"an error in place of a reply: {_short(json.dumps(error))}", where=address)
    return TransientError(f"a reply without choices: {_short(json.dumps(body))}", where=address)


def _message(body: Any) -> str:
    """The server's own words about an error."""
    error = body.get("error", body) if isinstance(body, dict) else body
    return str(error.get("message", error) if isinstance(error, dict) else error)


def _retry_after(response: httpx2.Response) -> float | None:
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return None


def _short(text: str) -> str:
    flat = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return flat if len(flat) <= 300 else flat[:297] + "..."
