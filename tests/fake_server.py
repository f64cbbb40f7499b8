"""A server on loopback that speaks the part of the OpenAI interface that is used here, and fails as told.

It answers like a careful server unless a test gives it a `script`: a function that is shown each
request and gives an `Answer` in place of the usual one, or None to leave it at that.
"""

from __future__ import annotations

import json
import math
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

LETTERS = "ABCDEF"
PATIENCE = 20.0
"""Longest that a slow answer or a test may wait, seconds."""


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: Any = None

    @property
    def is_chat(self) -> bool:
        return self.path.endswith("/chat/completions")

    @property
    def prompt(self) -> str:
        """The last message."""
        return str(self.body["messages"][-1]["content"]) if self.is_chat else ""

    @property
    def is_question(self) -> bool:
        """Whether a trial is asked, and not what the server can do."""
        return "\nA. " in self.prompt


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    delay: float = 0.0
    """Wait before anything is sent, seconds."""
    drip: float = 0.0
    """Wait between one byte and the next, seconds."""
    drop: bool = False
    """Close the connection in place of an answer."""


Script = Callable[[Seen], Answer | None]


def error(status: int, message: str, **headers: str) -> Answer:
    """An error in the form most servers give it."""
    return Answer(
        status,
        {"error": {"message": message, "type": "error", "code": status}},
        {k: str(v) for k, v in headers.items()},
    )


def html(status: int = 200) -> Answer:
    """The page of some other web server."""
    return Answer(status, "<!doctype html><title>Welcome</title><h1>It works!</h1>", kind="text/html; charset=utf-8")


def completion(content: Any, *, finish: str = "stop", logprobs: Any = None, **message: Any) -> Answer:
    """A chat completion with some content."""
    return Answer(
        body={
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "fake",
            "system_fingerprint": "fake-1",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": finish,
                    "message": {"role": "assistant", "content": content, **message},
                    "logprobs": logprobs,
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107},
        }
    )


class FakeServer:
    """Listens as long as its `with` block lasts.

    Args:
        models: names it lists.
        schema: how it takes a JSON schema; `plain` refuses lengths in it.
        most_logprobs: highest `top_logprobs`, more is a 400; 0 ignores the wish without a word.
        unknown: fields it answers with 422.
        context: longest prompt in characters; None for any.
        wording: whose words it uses about a prompt that is too long.
        key: the key it wants; None for none.
        die_after: questions it answers before it is gone for good.
        port: where it listens; 0 takes a free one.
        script: see above.
    """

    def __init__(
        self,
        *,
        models: tuple[str, ...] = ("fake",),
        schema: Literal["honoured", "plain", "ignored", "refused"] = "honoured",
        most_logprobs: int = 20,
        unknown: tuple[str, ...] = (),
        context: int | None = None,
        wording: Literal["vllm", "llama.cpp"] = "vllm",
        key: str | None = None,
        die_after: int | None = None,
        port: int = 0,
        script: Script = lambda seen: None,
    ) -> None:
        self.models, self.schema, self.most_logprobs, self.unknown = models, schema, most_logprobs, unknown
        self.context, self.wording, self.key, self.die_after, self.script = context, wording, key, die_after, script
        self.seen: list[Seen] = []
        self.gone = threading.Event()
        self.lock = threading.Lock()
        self._faults: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.block_on_close = False
        self._http.handle_error = self._note_fault  # type: ignore[method-assign]
        self.port = self._http.server_port
        self.address = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.die()
        self._http.shutdown()
        self._thread.join(PATIENCE)
        self._http.server_close()
        if kind is None and self._faults:
            raise self._faults[0]

    @property
    def chats(self) -> list[dict[str, Any]]:
        """Bodies of all chat requests."""
        with self.lock:
            return [seen.body for seen in self.seen if seen.is_chat]

    @property
    def questions(self) -> list[dict[str, Any]]:
        """Bodies of the requests that asked a trial."""
        with self.lock:
            return [seen.body for seen in self.seen if seen.is_question]

    def die(self) -> None:
        """Refuse new connections from now on and cut those that are open."""
        self.gone.set()
        with self.lock:
            for connection in (self._http.socket, *self._open):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def answer(self, seen: Seen) -> Answer:
        """What to send back for a request."""
        with self.lock:
            self.seen.append(seen)
            asked = sum(one.is_question for one in self.seen)
        if self.die_after is not None and seen.is_question and asked > self.die_after:
            self.die()
            return Answer(drop=True)
        return self.script(seen) or self.usual(seen)

    def usual(self, seen: Seen) -> Answer:
        """The answer of a careful server."""
        if self.key is not None and seen.headers.get("authorization") != f"Bearer {self.key}":
            return error(401, "Unauthorized")
        if seen.method == "GET" and seen.path.endswith("/models"):
            listed = [
                {"id": name, "object": "model", "owned_by": "vllm", "max_model_len": 4096} for name in self.models
            ]
            return Answer(body={"object": "list", "data": listed})
        if not seen.is_chat:
            return error(404, "Not Found")
        return self._refusal(seen) or self._reply(seen)

    def _refusal(self, seen: Seen) -> Answer | None:
        body = seen.body
        if body["model"] not in self.models:
            return error(404, f"The model `{body['model']}` does not exist.")
        if extra := [name for name in self.unknown if name in body]:
            return Answer(422, {"detail": [{"type": "extra_forbidden", "loc": ["body", name]} for name in extra]})
        length = sum(len(message["content"]) for message in body["messages"])
        if self.context is not None and length > self.context:
            return error(400, _TOO_LONG[self.wording].format(length=length, context=self.context))
        if body.get("top_logprobs", 0) > self.most_logprobs > 0:
            return error(400, f"Requested sample logprobs is greater than max allowed: {self.most_logprobs}")
        if "response_format" in body:
            lengths = "maxLength" in json.dumps(body["response_format"])
            if self.schema == "refused" or (self.schema == "plain" and lengths):
                return error(400, "Grammar error: unimplemented keys")
        return None

    def _reply(self, seen: Seen) -> Answer:
        body = seen.body
        fate = int(sha256(json.dumps(body["messages"]).encode()).hexdigest()[:8], 16)
        if body.get("logprobs") and self.most_logprobs:
            return completion("A", finish="length", logprobs={"content": [_likely(fate, body["top_logprobs"])]})
        if "response_format" in body and self.schema in ("honoured", "plain"):
            allowed = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
            return completion(json.dumps({"reasoning": "So it is.", "answer": allowed[fate % len(allowed)]}))
        return completion(f'Here you are: {{"reasoning": "So be it.", "answer": "{LETTERS[fate % 6]}"}}')

    def _note_fault(self, request: Any, address: Any) -> None:
        import sys

        fault = sys.exc_info()[1]
        if fault is not None and not isinstance(fault, OSError):
            self._faults.append(fault)


_TOO_LONG = {
    "vllm": "This model's maximum context length is {context} tokens. However, you requested {length} tokens "
    "in the messages. Please reduce the length of the messages.",
    "llama.cpp": "request ({length} tokens) exceeds the available context size ({context} tokens), try increasing it",
}


def _likely(fate: int, wanted: int) -> dict[str, Any]:
    """The most likely tokens: the letters in an order that the prompt decides, then others."""
    tokens = [LETTERS[(fate + place) % 6] for place in range(6)] + [f"t{number}" for number in range(wanted)]
    listed = [
        {"token": token, "logprob": math.log(0.5) * (place + 1), "bytes": None}
        for place, token in enumerate(tokens[:wanted])
    ]
    return {**listed[0], "top_logprobs": listed}


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = PATIENCE

        def setup(self) -> None:
            super().setup()
            with server.lock:
                server._open.add(self.connection)

        def finish(self) -> None:
            with server.lock:
                server._open.discard(self.connection)
            super().finish()

        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        do_PATCH = do_DELETE = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _handle(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            if server.gone.is_set() or len(raw) < length:
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, headers, json.loads(raw) if raw else None)
            self._send(server.answer(seen))

        def _send(self, answer: Answer) -> None:
            if answer.delay:
                server.gone.wait(min(answer.delay, PATIENCE))
            if answer.drop or server.gone.is_set():
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, str | bytes) else json.dumps(answer.body)
            data = body.encode() if isinstance(body, str) else body
            self.send_response(answer.status)
            for name, value in {
                "content-type": answer.kind,
                "content-length": str(len(data)),
                **answer.headers,
            }.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if not answer.drip:
                self.wfile.write(data)
                return
            for byte in data:
                if server.gone.wait(answer.drip):
                    return
                self.wfile.write(bytes([byte]))

    return Handler
