"""To a Ray cluster and back: found in a bounded time, without Ray's own noise, and nothing left behind."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from dilemmas.errors import InputError, SetupError

PATIENCE = 15.0
"""Longest wait for a cluster to answer, seconds."""
_ENDING = 1.0
"""Seconds that Ray's processes are given to end after it was shut down."""
_KNOCKING = 5.0
"""Longest wait for a connection to its head, seconds."""


def library() -> Any:
    """Ray, with its statistics on usage off.

    Raises:
        SetupError: it is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as it will be; Ray warns until it is said
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its native parts write to the terminal, past Python
    try:
        import_module("ray.data")
        return import_module("ray")
    except ImportError:
        raise SetupError(
            "--engine ray needs Ray, which is not installed", fix="pip install 'dilemmas[ray]'   (on every node)"
        ) from None


@contextmanager
def connected(address: str, cpus: int) -> Iterator[Any]:
    """Ray, connected to a cluster for the length of a `with` block.

    Args:
        address: `local`, `auto` or HOST:PORT.
        cpus: processors that a cluster of this machine is to count, however many there are.

    Raises:
        InputError: nobody answers there, or this machine is no node of that cluster.
        SetupError: Ray is not installed.
    """
    ray = library()
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    options: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False, "include_dashboard": False}
    at_sigterm = signal.getsignal(signal.SIGTERM)
    with ExitStack() as held:
        if address == "local":
            options |= {"num_cpus": cpus, "_node_ip_address": "127.0.0.1", "_temp_dir": held.enter_context(_folder())}
        else:
            _check_health(address)
            del options["include_dashboard"]
        nowhere = held.enter_context(Path(os.devnull).open("w"))
        held.enter_context(redirect_stdout(nowhere))  # Ray prints there, and we do not
        try:
            with _quiet(), _explained(address):
                ray.init(address=address, **options)
            signal.signal(signal.SIGTERM, at_sigterm)  # Ray has put its own in the place
            context = ray.data.DataContext.get_current()
            context.enable_progress_bars = False
            context.max_consecutive_actor_init_deaths = 0  # who cannot begin tells the desk why
            yield ray
        finally:
            own = _started() if address == "local" else []
            with _quiet():
                ray.shutdown()
            _end(own)
            signal.signal(signal.SIGTERM, at_sigterm)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """Ray's complaints about an address as ours."""
    try:
        yield
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = str(error).strip().splitlines()
        raise InputError(
            f"Ray cannot be used there: {said[0] if said else type(error).__name__}",
            where=f"--address {address}",
            fix="Run this command on a node of the cluster; `ray status` there says how it is.",
        ) from None


def _folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for Ray's logs and sockets, which it would leave behind and let everybody read."""
    short = Path("/tmp")  # noqa: S108 - the path of a socket has some 100 characters at most, and Ray's own has 60
    return tempfile.TemporaryDirectory(
        prefix="dilemmas-", dir=short if short.is_dir() else None, ignore_cleanup_errors=True
    )


def _started() -> list[Any]:
    """The processes of a cluster that was started here."""
    psutil = import_module("psutil")  # Ray has it with it
    children = psutil.Process().children()
    raylets = [child for child in children if "raylet" in child.name()]
    return [one for raylet in raylets for one in (raylet, *raylet.children(recursive=True))]


def _end(processes: list[Any]) -> None:
    """End those of some processes that do not end by themselves: Ray's agents look for their dead head for a minute."""
    psutil = import_module("psutil")
    _, left = psutil.wait_procs(processes, timeout=_ENDING)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _check_health(address: str) -> None:
    """Have a cluster say that it is there. Ray itself tries for minutes, and writes to the terminal meanwhile.

    Raises:
        InputError: it does not.
    """
    if address != "auto":
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), _KNOCKING):
                pass
        except (OSError, ValueError, OverflowError) as error:
            raise _nobody(address, str(error)) from None
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check"]
    command += [] if address == "auto" else ["--address", address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise _nobody(address, f"no answer in {PATIENCE:.0f} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise _nobody(address, said[-1] if said else "it is not well")


def _nobody(address: str, why: str) -> InputError:
    return InputError(
        f"no Ray cluster answers ({why})",
        where=f"--address {address}",
        fix="Start one with `ray start --head` and give its HOST:PORT, or use --address local.",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Ray's native parts write to standard error, past Python."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
