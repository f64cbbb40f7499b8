"""A Label Studio of one's own: in a virtual environment of its own, on loopback, and quiet.

Measured facts behind the settings (label-studio 1.23.2): by default it binds to all addresses, takes
the next port if one is busy, and sends analytics, version checks and crash reports; a page of it has
the server fetch from GitHub, which only a dead proxy stops.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from dilemmas.errors import ReviewError, os_error

VERSION = "1.23.2"
"""The label-studio that was tried."""
START = 240.0
"""Longest wait for the server to answer, seconds: the first start migrates a database (30 to 100 s)."""
_CHILD = Path(__file__).with_name("label_studio_child.py")


def command(venv: Path) -> Path:
    """Label Studio's program in a virtual environment."""
    return venv / "bin" / "label-studio"


def address(port: int) -> str:
    """Where a server on this machine is reached."""
    return f"http://127.0.0.1:{port}"


def check_port(port: int) -> None:
    """Refuse a port that is taken: Label Studio would go to the next free one without a word.

    Raises:
        ReviewError: it is taken, or not for us.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = error.strerror
        else:
            return
    fix = "Choose another port with --port."
    if _is_up(address(port)):
        raise ReviewError("a Label Studio is already running here", where=address(port), fix=f"Use that one. {fix}")
    raise ReviewError(f"the port cannot be had: {reason}", where=address(port), fix=fix)


class LocalServer:
    """A running server."""

    def __init__(self, program: Path, data: Path, port: int, *, email: str, password: str, token: str) -> None:
        """What to run and where; `token` and `password` are set when the database is new."""
        self.program, self.data, self.port = program, data.resolve(), port
        self.url = address(port)
        self._account = {
            "LABEL_STUDIO_USERNAME": email, "LABEL_STUDIO_PASSWORD": password, "LABEL_STUDIO_USER_TOKEN": token,
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """All that the server sees: a stray HOST, PORT or DEBUG of the shell would be taken for a setting."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.data / "home"),
            "LANG": "C.UTF-8",
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.data),
            "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
            "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
            "LABEL_STUDIO_SENTRY_DSN": "",
            "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
            **self._account,
        }

    @property
    def log(self) -> Path:
        """What the server says; it grows with every start."""
        return self.data / "server.log"

    def start(self) -> None:
        """Start it and wait until it answers. It ends when this process does, however that ends.

        Raises:
            ReviewError: the port is taken, it ends at once, or it does not answer in time.
            InputError: its folder cannot be written.
        """
        check_port(self.port)
        try:
            self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.data / "home").mkdir(exist_ok=True)
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [self.program.with_name("python"), _CHILD, self.program, "start", "--no-browser",
                     "--internal-host", "127.0.0.1", "--port", str(self.port), "--log-level", "ERROR"],
                    env=self.environment(), stdin=subprocess.PIPE, stdout=log, stderr=log,
                    start_new_session=True,  # Ctrl-C goes to us, and we stop it
                )  # fmt: skip
        except OSError as error:
            raise os_error(error, "start Label Studio", error.filename or self.data) from None
        try:
            self._wait_until_up(self._process)
        except BaseException:
            self.stop()
            raise

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START
        while not self.answers():
            if process.poll() is not None:
                what = f"Label Studio does not start (exit code {process.returncode})"
            elif time.monotonic() > until:
                what = f"Label Studio does not answer in {START:.0f} s"
            else:
                time.sleep(0.2)
                continue
            raise ReviewError(what, where=str(self.log), fix="The end of that file says why.")

    def answers(self) -> bool:
        """Whether it is up."""
        return _is_up(self.url)

    def add_user(self, email: str, password: str, token: str) -> None:
        """Make another account while the server runs."""
        account = {
            "LABEL_STUDIO_USERNAME": email, "LABEL_STUDIO_PASSWORD": password, "LABEL_STUDIO_USER_TOKEN": token,
        }  # fmt: skip
        subprocess.run(
            [self.program, "init"], env={**self.environment(), **account}, check=True, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=120,
        )  # fmt: skip

    def wait(self) -> int:
        """Wait until it ends, and give its exit code."""
        assert self._process is not None
        return self._process.wait()

    def stop(self) -> None:
        """End it."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()  # which is the sign to end
        try:
            process.wait(20)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _is_up(url: str) -> bool:
    """Whether a Label Studio answers there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health", timeout=5) as reply:
            return bool(json.load(reply)["status"] == "UP")
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException):
        return False
