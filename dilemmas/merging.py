"""Several runs of one design as one: the shards of a study, or what several machines asked.

Runs that are joined asked the same dilemmas under the same settings, and each model in the same way; then a
trial's id is the same in all of them, and what was answered twice is kept once.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from dilemmas.config import check_run_name
from dilemmas.errors import InputError, StoreError, os_error
from dilemmas.manifest import finish, folder_of_its_own
from dilemmas.resources import now, versions
from dilemmas.schema import Run
from dilemmas.store import FILE, Store
from dilemmas.study import differences

_SHOWN = 20
"""Most shards in a message."""
_SHARD = re.compile(r"(?P<whole>.+)-(?P<part>\d{1,15})of(?P<parts>\d{1,15})")


@dataclass
class Merged:
    """What came of joining some runs."""

    run: str
    folder: str
    runs: int = 0
    """Runs that were joined to it."""
    trials: int = 0
    """Trials that were new to it."""
    replies: int = 0
    """Replies to trials that had none before."""
    twice: int = 0
    """Trials that two runs had other replies to; the earlier one stays."""
    open: int = 0
    """Trials of the whole that have no answer yet."""
    notices: tuple[str, ...] = ()
    """What the user should know, such as shards that are not there."""


def merge(folders: Sequence[Path], name: str, runs: Path) -> Merged:
    """Join runs to one, which is made where there is none of its name; they stay as they are.

    The whole appears in one piece or not at all, and joining the same runs again changes nothing.

    Args:
        folders: the runs'.
        name: name of the whole.
        runs: folder of the runs; that of the whole is made in it.

    Raises:
        InputError: they are of different designs, or cannot be told apart from the whole.
        StoreError: one of them is damaged, or the place cannot be written.
    """
    try:
        whole = folder_of_its_own(runs, check_run_name(name))
    except ValueError as error:
        raise InputError(str(error), where=f'run name "{name}"', fix="Give another name with --into.") from None
    if any(one.resolve() == whole.resolve() for one in folders):
        raise InputError(
            f'"{name}" cannot be joined to itself', where="--into", fix="Leave it out of the runs, or name another one."
        )
    manifests = [_manifest(one) for one in folders]
    done = Merged(name, str(whole), len(folders))
    with _in_one_piece(whole) as place, Store.writing(place / FILE) as store:
        with store.together():
            for folder, manifest in zip(folders, manifests, strict=True):
                old = store.run()
                if old is not None:
                    _check_design(old, manifest)
                with Store.reading(folder / FILE) as other:
                    joined = store.join(other)
                    store.note_joined({manifest.name, *other.joined()})
                store.update_run(partial(_with, new=manifest, name=name))
                done.trials += joined.trials
                done.replies += joined.replies
                done.twice += joined.twice
        done.notices = _lacking((*store.joined(), name))
        finish(store, place)
        done.open = store.counts()["open"]
    return done


def _manifest(folder: Path) -> Run:
    """What a run says of itself.

    Raises:
        StoreError: it says nothing.
    """
    with Store.reading(folder / FILE, checked=False) as store:
        found = store.run()
    if found is None:
        raise StoreError("nothing was ever asked in this run", where=str(folder), fix="Leave it out.")
    return found


def _check_design(there: Run, here: Run) -> None:
    """Refuse runs whose trials cannot stand side by side.

    Raises:
        InputError: names what differs.
    """
    differs = differences(there.design, here.design, but={"scale"})
    if there.dataset.sha256 != here.dataset.sha256:
        differs.insert(0, f"dataset ({there.dataset.name} / {here.dataset.name}: other contents)")
    known = {asking.name: asking for asking in there.models}
    for asking in here.models:
        if asking.name in known:
            found = differences(known[asking.name], asking, but={"capabilities", "caveat"})
            differs += [f"{asking.name}: {one}" for one in found]
    if differs:
        raise InputError(
            f'the run "{here.name}" was asked under other settings than "{there.name}" '
            f"({there.name} / {here.name}): {'; '.join(differs)}",
            fix="Join only runs of one design; `dilemmas analyse --compare` sets others side by side.",
        )


def _with(old: Run | None, new: Run, name: str) -> Run:
    """The manifest of the whole with a run in it."""
    if old is None:
        return new.model_copy(update={"name": name, "updated": now(), "versions": versions()})
    known = {asking.name: asking for asking in (*new.models, *old.models)}
    models = tuple(known[one] for one in sorted(known))
    return old.model_copy(
        update={
            "created": min(old.created, new.created),
            "updated": now(),
            "caveat": " ".join(dict.fromkeys(one.caveat for one in models if one.caveat)),
            "persona_sets": tuple(dict.fromkeys((*old.persona_sets, *new.persona_sets))),
            "models": models,
            "versions": versions(),
        }
    )


def _lacking(names: Iterable[str]) -> tuple[str, ...]:
    """Which shards of a study are not among some runs, by their names.

    An analysis of half the shards is one of half the study.

    >>> _lacking(["a-1of3", "a-3of3", "b-1of2", "b-2of2", "c"])
    ('of the 3 shards of a, these are not among the runs: 2',)
    """
    found: dict[tuple[str, int], set[int]] = {}
    for name in names:
        shard = _SHARD.fullmatch(name)
        if shard and 1 <= int(shard["part"]) <= int(shard["parts"]):
            found.setdefault((shard["whole"], int(shard["parts"])), set()).add(int(shard["part"]))
    notices = list[str]()
    for (whole, parts), there in found.items():
        lacking = list(islice((str(part) for part in range(1, parts + 1) if part not in there), _SHOWN + 1))
        if lacking:
            named = ", ".join([*lacking[:_SHOWN], *(["..."] if lacking[_SHOWN:] else [])])
            notices.append(f"of the {parts} shards of {whole}, these are not among the runs: {named}")
    return tuple(notices)


@contextmanager
def _in_one_piece(whole: Path) -> Iterator[Path]:
    """Where to write a run that is to appear as a whole: its own folder, where it is there already."""
    if (whole / FILE).exists():
        yield whole
        return
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".merging-", dir=whole.parent) as place:
            yield Path(place) / whole.name
            (Path(place) / whole.name).rename(whole)
    except OSError as error:
        raise os_error(error, "make the run's folder", whole) from None
