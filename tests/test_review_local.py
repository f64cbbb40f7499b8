"""`dilemmas review serve`: a Label Studio of one's own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from label_studio_server import ADMIN, CACHE, PASSWORD, VENV, Team, free_port
from pydantic import SecretStr

from dilemmas.errors import InputError, ReviewError
from dilemmas.review import connection, hosting, installing, local
from dilemmas.review.server import Server

Command = Callable[..., "subprocess.CompletedProcess[str]"]
PATIENCE = 180.0
"""Longest wait for a server to come up or to go, seconds."""


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("LABEL_STUDIO_", "XDG_"))}
    return {**kept, "HOME": str(home), **more}


@contextmanager
def serving(home: Path, *options: str, **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`review serve` in a process of its own, and what it prints until it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dilemmas", "review", "serve", *options],
        env=environment(home, **more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    watch = threading.Timer(PATIENCE, process.kill)
    watch.start()
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        yield process, said
    finally:
        watch.cancel()
        process.kill()
        process.communicate()


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


def is_free(port: int) -> bool:
    try:
        local.check_port(port)
    except ReviewError:
        return False
    return True


@pytest.fixture
def folder(label_studio: Team, tmp_path: Path) -> Path:
    """A folder for `serve` with the database that the tests' server began with, and its account."""
    assert label_studio.url  # which makes the copy
    served = tmp_path / "served"
    shutil.copytree(CACHE, served / hosting.DATA)
    text = f'email = "{ADMIN.email}"\npassword = "{PASSWORD}"\ntoken = "{ADMIN.token}"\n'
    connection.write_private(served / hosting.ACCOUNT, text)
    return served


def options(folder: Path, port: int) -> list[str]:
    return ["--folder", str(folder), "--port", str(port), "--venv", str(VENV)]


def test_serve_says_what_people_need_and_ends_with_ctrl_c(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(tmp_path, *options(folder, port)) as (process, said):
        for piece in (
            url,
            f"{url}/user/signup/?token=",
            f"ssh -N -L {port}:127.0.0.1:{port}",
            "review push",
            str(folder),
        ):
            assert piece in said
        assert "--server" not in said
        kept = connection.read(tmp_path / ".config" / "dilemmas" / "label-studio.toml")
        server = Server(kept)
        assert (kept.url, server.email) == (url, ADMIN.email)
        config = '<View><Text name="text" value="$text"/></View>'
        project = server.create_project("Served", config, annotators=1, instructions="")
        server.import_tasks(project, [{"data": {"text": "yes"}}])
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in out + err
        secrets = tomllib.loads((folder / hosting.ACCOUNT).read_text())
        shown = said + out + err + (folder / hosting.DATA / "server.log").read_text(errors="replace")
        assert [name for name in ("password", "token") if secrets[name] in shown] == []
    assert is_free(port)


def test_the_server_goes_when_the_command_is_killed_and_comes_back_with_its_data(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, *options(folder, port)) as (process, _):
        with_key = connection.read(folder / hosting.CONNECTION)
        Server(with_key).create_project("Kept", "<View/>", annotators=1, instructions="")
        second = free_port()
        with serving(tmp_path, *options(folder, second)) as (other, _):
            assert other.wait(60) == 2
            assert other.stderr is not None
            assert str(folder) in other.stderr.read()
        process.kill()
        until(lambda: is_free(port))
    elsewhere = {"LABEL_STUDIO_URL": "https://labels.example.org", "LABEL_STUDIO_API_KEY": "0" * 40}
    with serving(tmp_path, *options(folder, port), **elsewhere) as (process, said):
        assert f"--server {folder / hosting.CONNECTION}" in said
        kept = connection.read(folder / hosting.CONNECTION)
        assert [one.title for one in Server(kept).projects()] == ["Kept"]
        process.terminate()
        assert process.wait(60) == 0


def test_a_connection_that_somebody_chose_stays(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (connection.URL, connection.KEY):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    theirs = SecretStr("f" * 40)
    connection.write(connection.default_file(), "https://labels.example.org", theirs)
    with hosting.hosted(folder, free_port(), VENV, lambda text: None) as running:
        assert not running.default
        assert connection.read(connection.default_file()).key == theirs
        connection.default_file().unlink()
        assert Server(connection.find(running.connection)).email == ADMIN.email


def test_a_server_that_ends_by_itself_is_told_with_its_log(folder: Path, tmp_path: Path) -> None:
    with serving(tmp_path, *options(folder, free_port())) as (process, _):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "server.log" in err


def test_a_label_studio_that_runs_already_is_told(label_studio: Team, command: Command, tmp_path: Path) -> None:
    done = command("review", "serve", *options(tmp_path / "new", label_studio.local.port), env=environment(tmp_path))
    assert done.returncode == 2
    assert "already running" in done.stderr
    assert "--port" in done.stderr


def test_a_port_that_somebody_has_is_told(command: Command, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("review", "serve", *options(tmp_path / "new", port), env=environment(tmp_path))
    assert done.returncode == 2
    assert f"http://127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


def test_a_virtual_environment_without_label_studio_is_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    named = ("review", "serve", "--folder", "new", "--venv", "empty", "--port", str(free_port()))
    done = command(*named, env=environment(tmp_path))
    assert done.returncode == 2
    assert "--venv" in done.stderr


def test_a_server_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "label-studio"
    program.parent.mkdir()
    program.write_text("import sys\nsys.exit('no database')\n")
    program.with_name("python").symlink_to(sys.executable)
    server = local.LocalServer(program, tmp_path / "data", free_port(), email="", password="", token="")
    with pytest.raises(ReviewError, match="exit code 1") as caught:
        server.start()
    assert caught.value.where == str(server.log)
    assert "no database" in server.log.read_text()


def test_a_database_without_its_account_is_left_alone(folder: Path) -> None:
    (folder / hosting.ACCOUNT).unlink()
    with pytest.raises(InputError, match="account"), hosting.hosted(folder, free_port(), VENV, lambda text: None):
        pass
    assert not (folder / hosting.ACCOUNT).exists()


def test_a_new_account_is_for_its_owner_only_and_stays(tmp_path: Path) -> None:
    made = hosting.account(tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", made.token.get_secret_value())
    assert (tmp_path / hosting.ACCOUNT).stat().st_mode & 0o777 == 0o600
    assert hosting.account(tmp_path) == made
    assert hosting.account(tmp_path / "another").token != made.token


def wheel(folder: Path) -> None:
    """A package of the right name and version that has the program and no more."""
    name = f"label_studio-{local.VERSION}"
    files = {
        "label_studio.py": "def main(): print('started')\n",
        f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: label-studio\nVersion: {local.VERSION}\n",
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{name}.dist-info/entry_points.txt": "[console_scripts]\nlabel-studio = label_studio:main\n",
        f"{name}.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def test_an_installation_that_failed_says_why_without_addresses_and_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = tmp_path / "venv"
    monkeypatch.setenv("PIP_INDEX_URL", "http://somebody:hunter2@localhost:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ReviewError, match="No matching distribution found for label-studio") as caught:
        installing.install(venv)
    assert [word for word in ("localhost", "hunter2", "somebody") if word in str(caught.value)] == []
    assert not installing.installed(venv)
    wheel(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (venv / "left-over").touch()
    installing.install(venv)
    assert installing.installed(venv)
    assert not (venv / "left-over").exists()
    assert subprocess.run([local.command(venv)], capture_output=True, check=True, timeout=60).stdout == b"started\n"


def test_a_folder_of_other_things_is_no_place_for_a_virtual_environment(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ReviewError, match="in the way"):
        installing.install(tmp_path)
    assert (tmp_path / "thesis.tex").exists()
