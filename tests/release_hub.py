"""A hub on loopback that speaks the few endpoints of huggingface.co that a push uses, and keeps what it is sent."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_" + "a1B2c3" * 6
OWNER = "lab"
"""Whose repositories the token may write."""


@dataclass
class Repository:
    """A dataset repository."""

    private: bool
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.parquet filter=lfs\n"})
    tags: dict[str, str] = field(default_factory=dict)
    """Commit by tag."""
    commits: list[str] = field(default_factory=lambda: ["0" * 40])


@dataclass
class Hub:
    """What the server holds, and what it was asked."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    """Large files by SHA-256."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every request."""
    broken: dict[str, int] = field(default_factory=dict)
    """Status of every reply to requests whose path has some part."""
    url: str = ""

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers."""
        self.asked.append((method, path))
        for part, status in self.broken.items():
            if part in path:
                return status, {"error": f"no, {headers.get('authorization', '')}"}, {}
        if path.startswith("/objects/"):
            self.objects[path.rpartition("/")[2]] = body
            return 200, {}, {}
        if headers.get("authorization") != f"Bearer {TOKEN}":
            words = "Invalid credentials in Authorization header"
            return 401, {"error": words}, {"X-Error-Message": words}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": [{"message": "the card could say more"}]}, {}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        parts = path.removeprefix("/api").removeprefix("/datasets/").split("/")
        name = f"{parts[0]}/{parts[1].removesuffix('.git')}"
        if name not in self.repositories:
            return 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}
        if method != "GET" and parts[0] != OWNER:
            return 403, {"error": "You don't have the rights"}, {}
        return self._of_repository(name, parts[2:], body)

    def _create(self, told: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        name = f"{told['organization']}/{told['name']}"
        if told["organization"] != OWNER:
            return 403, {"error": "You don't have the rights to create a dataset there"}, {}
        if name in self.repositories:
            return 409, {"error": "You already created this dataset repo"}, {}
        assert told["type"] == "dataset"
        self.repositories[name] = Repository(told.get("visibility") == "private" or bool(told.get("private")))
        return 200, {"url": f"{self.url}/datasets/{name}", "name": name}, {}

    def _of_repository(self, name: str, rest: list[str], body: bytes) -> tuple[int, Any, dict[str, str]]:
        one = self.repositories[name]
        match rest:
            case [] | ["revision", "main"]:
                siblings = [{"rfilename": path} for path in one.files]
                about = {"id": name, "sha": one.commits[-1], "private": one.private, "siblings": siblings}
                return 200, {**about, "tags": [], "downloads": 0, "likes": 0}, {}
            case ["refs"]:
                tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": at} for tag, at in one.tags.items()]
                return 200, {"branches": [], "converts": [], "tags": tags}, {}
            case ["preupload", "main"]:
                return 200, {"files": [_mode(one, told["path"]) for told in json.loads(body)["files"]]}, {}
            case ["info", "lfs", "objects", "batch"]:
                return 200, {"transfer": "basic", "objects": [self._batch(o) for o in json.loads(body)["objects"]]}, {}
            case ["commit", "main"]:
                commit = hashlib.sha1(body, usedforsecurity=False).hexdigest()
                one.files |= self._committed(one, [json.loads(line) for line in body.splitlines()])
                one.commits.append(commit)
                at = f"{self.url}/datasets/{name}/commit/{commit}"
                return 200, {"success": True, "commitOid": commit, "commitUrl": at, "hookOutput": ""}, {}
            case ["tag", at]:
                tag = json.loads(body)["tag"]
                if tag in one.tags:
                    return 409, {"error": "Tag exists"}, {}
                one.tags[tag] = unquote(at)
                return 200, {}, {}
        return 404, {"error": "no such endpoint"}, {}

    def _batch(self, told: dict[str, Any]) -> dict[str, Any]:
        href = f"{self.url}/objects/{told['oid']}"
        return {**told} if told["oid"] in self.objects else {**told, "actions": {"upload": {"href": href}}}

    def _committed(self, one: Repository, lines: list[dict[str, Any]]) -> dict[str, bytes]:
        files = {}
        for line in lines:
            told = line["value"]
            if line["key"] == "file":
                files[told["path"]] = base64.b64decode(told["content"])
            elif line["key"] == "lfsFile":
                files[told["path"]] = self.objects[told["oid"]]
            elif line["key"] == "deletedFile":
                del one.files[told["path"]]
        return files


def _mode(one: Repository, path: str) -> dict[str, Any]:
    """How a file is to be sent, and the checksum of what is there by that name."""
    large, held = path.endswith(".parquet"), one.files.get(path)
    oid = None
    if held is not None:
        git = hashlib.sha1(b"blob %d\0" % len(held) + held, usedforsecurity=False).hexdigest()
        oid = hashlib.sha256(held).hexdigest() if large else git
    return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}


@contextmanager
def hub() -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    here = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self._body()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told, more = here.reply(self.command, urlsplit(self.path).path, headers, body)
            data = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    here.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
