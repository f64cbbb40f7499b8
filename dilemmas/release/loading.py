"""Opening a release with the libraries that others use, in a process of its own that reaches no network.

`python -m dilemmas.release.loading FOLDER` prints, as JSON, the problems of each library. A process of its own,
because these libraries read their settings when they are imported, and some take whatever address they are given.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dilemmas.errors import InputError
from dilemmas.release import layout

PATIENCE = 300.0
"""Longest that all libraries together may take, seconds; a release of 24 dilemmas takes some four."""
_PACKAGES = Path(__file__).resolve().parents[2]
"""Where this package is."""
_LONGEST = 300
"""Longest complaint of a library that is told, characters."""


def load(folder: Path) -> dict[str, list[str]]:
    """What each library says against a release: `mlcroissant`, `datasets`, `pandas`.

    Raises:
        InputError: the libraries did not come to an end.
    """
    with tempfile.TemporaryDirectory(prefix="dilemmas-verify-") as scratch:
        environment = {
            # No proxy, no key and no address of this shell.
            **{name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ},
            # The child stands in an empty folder, so that no file of the user's is taken for a library.
            "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(_PACKAGES)])),
            "HOME": scratch,
            "HF_HOME": scratch,
            "CROISSANT_CACHE": scratch,
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTHONUTF8": "1",
            "TMPDIR": scratch,
        }
        try:
            done = subprocess.run(
                [sys.executable, "-m", "dilemmas.release.loading", str(folder.resolve())],
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
                env=environment,
                cwd=scratch,
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"was not loaded within {PATIENCE:.0f} s", where=str(folder)) from None
    if done.returncode != 0:
        words = (done.stderr.strip().splitlines() or ["no word"])[-1][:_LONGEST]
        raise InputError(f"loading it ended with {done.returncode}: {words}", where=str(folder))
    return dict(json.loads(done.stdout.splitlines()[-1]))


def croissant(folder: Path, counts: Mapping[str, int]) -> Iterator[str]:
    """Validates the file and loads every record of every record set; validation alone misses a missing column."""
    import mlcroissant as mlc

    found = mlc.Dataset(jsonld=str(folder / layout.CROISSANT))
    yield from sorted(found.metadata.ctx.issues.errors)
    sets = {one.uuid for one in found.metadata.record_sets}
    if sets != set(counts):
        yield f"record sets are {', '.join(sorted(sets))}, not {', '.join(sorted(counts))}"
    for name in sets & set(counts):
        count = sum(bool(record) for record in found.records(record_set=name))
        if count != counts[name]:
            yield f"{name}: {count:,} records, not {counts[name]:,}"


def hugging_face(folder: Path, counts: Mapping[str, int]) -> Iterator[str]:
    """Loads every table by its name, and the default one without a name."""
    import datasets

    datasets.disable_progress_bars()
    for name, count in {"": counts[next(iter(layout.CONFIGS))], **counts}.items():
        table = datasets.load_dataset(str(folder), *([name] if name else []), split=layout.SPLIT)
        if table.num_rows != count:
            yield f"{name or 'default'}: {table.num_rows:,} rows, not {count:,}"
    splits = datasets.get_dataset_split_names(str(folder))
    if splits != [layout.SPLIT]:
        yield f"splits are {', '.join(splits)}, not {layout.SPLIT}"


def pandas(folder: Path, counts: Mapping[str, int]) -> Iterator[str]:
    """Reads every table, and the nested lines."""
    import pandas as pd

    for name, count in counts.items():
        if len(pd.read_parquet(folder / layout.CONFIGS[name])) != count:
            yield f"{name}: not {count:,} rows"
    lines = pd.read_json(folder / layout.NESTED, lines=True)
    if len(lines) != counts[next(iter(layout.CONFIGS))]:
        yield f"{layout.NESTED}: {len(lines):,} lines"


LIBRARIES: dict[str, Callable[[Path, Mapping[str, int]], Iterator[str]]] = {
    "mlcroissant": croissant,
    "datasets": hugging_face,
    "pandas": pandas,
}
"""What is tried, by the library's name."""


def _words(error: BaseException) -> str:
    """What an error says, and what it comes from: libraries hide the reason behind words of their own."""
    root = error
    while (inner := root.__cause__ or root.__context__) is not None:
        root = inner
    told = dict.fromkeys(" ".join(f"{type(one).__name__}: {one}".split())[:_LONGEST] for one in (error, root))
    return "; from ".join(told)


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook (PEP 578) that ends any attempt to look up an address or to connect to one.

    Raises:
        PermissionError: that was one.
    """
    if event in ("socket.getaddrinfo", "socket.connect", "socket.gethostbyname"):
        raise PermissionError("a library reached for the network")


def _main(folder: Path) -> None:
    from pyarrow.parquet import read_metadata

    sys.addaudithook(refuse_network)
    answer = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    there = {name: path for name, path in layout.CONFIGS.items() if (folder / path).exists()}
    counts = {name: read_metadata(folder / path).num_rows for name, path in there.items()}
    found: dict[str, list[str]] = {}
    for name, attempt in LIBRARIES.items():
        problems = found.setdefault(name, [])
        try:
            problems.extend(attempt(folder, counts))
        except Exception as error:  # noqa: BLE001  # whatever a library raises is what others would meet
            problems.append(_words(error))
    os.write(answer, json.dumps(found).encode() + b"\n")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
