"""What is published: built from a copy of the checkout, installed and used away from it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = ("templates", "schemas", "dataset", "annotations")
"""Folders of the checkout that stand inside the package in a wheel."""
STAYS = ("history", "plan", "judgements", "single", "naming")
"""What stands beside the dilemmas and is no part of the package."""


class Built(NamedTuple):
    """What a build gave."""

    sdist: Path
    wheel: Path
    from_sdist: Path
    """The wheel made of the sdist alone."""


def run(*arguments: str | Path, cwd: Path) -> str:
    """Standard output of a process that must succeed and knows nothing of the checkout."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(one) for one in arguments], cwd=cwd, env=clean, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def build(source: Path, kind: str) -> Path:
    """Build in a folder with the backend that pyproject.toml names."""
    out = source / "dist"
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", out, cwd=source)
    (made,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("build")
    leave = shutil.ignore_patterns(".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "runs", "dist")
    source = shutil.copytree(ROOT, folder / "checkout", ignore=leave)
    sdist = build(source, "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return Built(sdist, build(source, "wheel"), build(unpacked, "wheel"))


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a new environment that has the wheel, and the libraries of this one."""
    folder = tmp_path_factory.mktemp("venv") / "env"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    install = ("install", "--quiet", "--no-deps", "--no-index", built.wheel)
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, *install, cwd=folder)
    # A path in a .pth file comes after the environment's own packages, and .pth files found there
    # (such as that of an editable install) are not followed.
    where = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    libraries = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    Path(where, "libraries.pth").write_text("".join(f"{library}\n" for library in libraries), encoding="utf-8")
    return python.parent


def files(folder: Path) -> dict[str, bytes]:
    """Contents by path of all files that belong to the project."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def in_wheel(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_all_of_the_package_and_nothing_else(built: Built) -> None:
    expected = {f"dilemmas/{name}": data for name, data in files(ROOT / "dilemmas").items()}
    for shipped in SHIPPED:
        expected |= {f"dilemmas/{shipped}/{name}": data for name, data in files(ROOT / shipped).items()}
    for name in STAYS:
        del expected[f"dilemmas/dataset/dilemmas.{name}.jsonl"]
    facts = ("taxonomy", "personas", "settings", "check_words")
    assert {f"dilemmas/data/{name}.json" for name in facts} < set(expected)
    assert {"dilemmas/dataset/dilemmas.jsonl", "dilemmas/templates/report/report.html.j2"} < set(expected)
    found = in_wheel(built.wheel)
    about = {name for name in found if ".dist-info/" in name}
    assert {name: found[name] for name in set(found) - about} == expected
    assert {name.split("/", 1)[1] for name in about} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def test_the_sdist_makes_the_same_wheel(built: Built) -> None:
    assert in_wheel(built.from_sdist) == in_wheel(built.wheel)


def test_the_sdist_has_the_tests_and_no_litter(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "tests/conftest.py", "experiments/demo/run.toml"} < names
    tops = {name.split("/")[0] for name in names}
    assert not tops & {"runs", "dist", ".venv", ".git"}
    assert not any(name.endswith((".gguf", ".pyc", ".sqlite")) for name in names)


def test_the_installed_wheel_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    where = (
        "import json, dilemmas; from dilemmas.resources import folder;"
        f"print(json.dumps([dilemmas.__file__, *(str(folder(name)) for name in {SHIPPED})]))"
    )
    for place in json.loads(run(installed / "python", "-c", where, cwd=tmp_path)):
        assert Path(place).is_relative_to(installed.parent)
        assert not Path(place).is_relative_to(ROOT)

    assert len(json.loads(run(installed / "dilemmas", "list", "values", "--json", cwd=tmp_path))) == 56
    assert "Honest" in run(installed / "dilemmas", "list", "values", cwd=tmp_path)
    arguments = ("--model", "scripted", "--persona-set", "three", "--limit", "2", "--run", "first")
    said = run(installed / "dilemmas", "evaluate", *arguments, cwd=tmp_path)
    assert "48 asked" in said
    assert "0 left open" in said
    assert {path.name for path in (tmp_path / "runs" / "first").iterdir()} >= {
        "run.sqlite",
        "manifest.json",
        "analysis.json",
        "tables",
        "report.html",
    }
    manifest = json.loads((tmp_path / "runs" / "first" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["versions"]["dilemmas"] in next((installed.parent / "lib").rglob("dilemmas-*.dist-info")).name


def test_the_core_needs_nothing_that_only_some_commands_need(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        needs = [line.split(": ", 1)[1] for line in archive.read(name).decode().splitlines() if "Requires-Dist" in line]
    core = {re.split(r"[^A-Za-z0-9-]", need)[0].lower() for need in needs if "extra ==" not in need}
    assert core == {
        "aiohttp", "instructor", "jinja2", "jsonschema", "krippendorff", "matplotlib", "numpy", "openai", "orjson",
        "pandas", "py3langid", "pydantic", "rich", "scikit-learn", "scipy", "statsmodels", "threadpoolctl", "typer",
        "uvloop", "vadersentiment",
    }  # fmt: skip
