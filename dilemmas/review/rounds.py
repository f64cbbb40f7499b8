"""A pulled folder: its files, how they are written, and how they are read again.

round.json         the manifest (`schema.Round`), with checksums of the other files
judgements.jsonl   every judgement of a person, those that do not count included
machine.jsonl      machines' judgements, from predictions; people's and machines' are never in one file
dilemmas.jsonl     the dilemmas as they were judged
raw/               two files an export, with tasks and with predictions; never overwritten
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from dilemmas import dataset
from dilemmas.errors import InputError
from dilemmas.records import parse, parse_records
from dilemmas.resources import decode_utf8, read_bytes, write_texts
from dilemmas.review.tasks import text_sha256
from dilemmas.schema import Dilemma, Judgement, Round, sha256

MANIFEST, PEOPLE, MACHINES, DILEMMAS, RAW = (
    "round.json", "judgements.jsonl", "machine.jsonl", "dilemmas.jsonl", "raw",
)  # fmt: skip
FILES = (MANIFEST, PEOPLE, MACHINES, DILEMMAS)
"""All but the raw exports."""
AGAIN = "Pull again into a new folder."
"""What to do where a file is not as it was written."""


class Pulled(NamedTuple):
    """What is in the folder."""

    manifest: Round
    dilemmas: dict[str, Dilemma]
    """As they were judged, by id. Where several revisions were judged, the newest one."""
    people: tuple[Judgement, ...]
    """Every judgement of a person."""
    machines: tuple[Judgement, ...]
    """Every judgement of a machine."""

    @property
    def counted(self) -> tuple[Judgement, ...]:
        """People's judgements that count."""
        return counted(self.dilemmas, self.people)


def counted(dilemmas: Mapping[str, Dilemma], people: Iterable[Judgement]) -> tuple[Judgement, ...]:
    """People's judgements that count: finished, each reviewer's latest, and on the text that is in `dilemmas`."""
    judged = {(one.id, one.revision): (None, text_sha256(one)) for one in dilemmas.values()}
    return tuple(one for one in people if one.counts and one.text_sha256 in judged.get((one.dilemma, one.revision), ()))


def predictions_of(export: str) -> str:
    """Where the raw predictions of an export are.

    >>> predictions_of("raw/2026-11-21T12-00-00Z.json")
    'raw/2026-11-21T12-00-00Z-predictions.json'
    """
    return f"{export.removesuffix('.json')}-predictions.json"


def write(folder: Path, pulled: Pulled, export: str, predictions: str = "[]\n") -> Pulled:
    """Write a folder, or bring it up to date: all files or none, the manifest last.

    Args:
        folder: made if it is not there.
        pulled: what goes into the files.
        export: the raw export, for the file that the manifest names; not written if that is there.
        predictions: the raw predictions, for the file beside it; likewise.

    Returns:
        What `read` gives: `pulled` with the checksums of its files in the manifest.

    Raises:
        InputError: the folder cannot be written, or the disk is full; older files stay as they were.
    """
    texts = {
        PEOPLE: "".join(one.model_dump_json() + "\n" for one in pulled.people),
        MACHINES: "".join(one.model_dump_json() + "\n" for one in pulled.machines),
        DILEMMAS: "".join(dataset.to_line(one) + "\n" for one in pulled.dilemmas.values()),
    }
    manifest = pulled.manifest.model_copy(update={"files": {name: sha256(text) for name, text in texts.items()}})
    raw = {manifest.export: export, predictions_of(manifest.export): predictions}
    texts = {name: text for name, text in raw.items() if not (folder / name).exists()} | texts
    texts[MANIFEST] = manifest.model_dump_json(indent=2) + "\n"
    write_texts({folder / name: text for name, text in texts.items()})
    return pulled._replace(manifest=manifest)


def read(folder: Path) -> Pulled:
    """A pulled folder.

    Raises:
        InputError: it is none, or a file in it is torn, of another pull or of another version; names the file,
            and the field where that is it.
    """
    path = folder / MANIFEST
    manifest = parse(decode_utf8(read_bytes(path, "pulled round"), path), Round, str(path), fix=AGAIN)
    people = _judgements(folder / PEOPLE, "person", manifest)
    machines = _judgements(folder / MACHINES, "machine", manifest)
    path = folder / DILEMMAS
    found = dataset.read(path).dilemmas if _as_written(path, manifest).strip() else ()
    return Pulled(manifest, {one.id: one for one in found}, people, machines)


def _judgements(path: Path, kind: str, manifest: Round) -> tuple[Judgement, ...]:
    found = tuple(parse_records(_as_written(path, manifest), path, Judgement, fix=AGAIN).values())
    if other := next((one for one in found if one.kind != kind), None):
        raise InputError(
            f"holds the judgement of a {other.kind}, on {other.dilemma}: people's and machines' are kept apart",
            where=str(path),
            fix=AGAIN,
        )
    return found


def _as_written(path: Path, manifest: Round) -> bytes:
    """A file of the folder, if it is the one that was written with the manifest."""
    data = read_bytes(path, "file of the round")
    if sha256(data) != manifest.files.get(path.name):
        raise InputError(
            f"is not the file that was written with {MANIFEST}: it was changed, or a pull was cut off",
            where=str(path),
            fix=AGAIN,
        )
    return data
