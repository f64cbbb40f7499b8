"""What of a file goes out: which dilemmas, and which machines' judgements of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dilemmas.errors import InputError, did_you_mean
from dilemmas.records import read_records
from dilemmas.schema import Dilemma, Judgement, canonical_json, sha256


def choose(
    dilemmas: Sequence[Dilemma], *, sample: int | None = None, seed: int = 0, only_undecided: bool = False
) -> tuple[Dilemma, ...]:
    """Some of the dilemmas of a file, in its order.

    A sample is those whose ids come first when id and seed are hashed together. It is the same whatever
    the order of the file, and a file that has grown changes it only where new ids come first.

    Args:
        dilemmas: ids distinct.
        sample: how many to draw; None for all.
        seed: of the sample.
        only_undecided: draw only from those that an earlier round left undecided.

    Raises:
        InputError: none is undecided, or fewer are there than are to be drawn.
    """
    found = [one for one in dilemmas if not only_undecided or one.review.status == "undecided"]
    if not found:
        raise InputError(
            f"none of {len(dilemmas):,} dilemmas is undecided",
            where="--only-undecided",
            fix="Give the file that `dilemmas review apply` wrote, or leave the option out.",
        )
    if sample is None:
        return tuple(found)
    if sample > len(found):
        raise InputError(f"there are only {len(found):,} dilemmas to draw from", where="--sample", fix="Draw fewer.")
    first = sorted((one.id for one in found), key=lambda name: sha256(canonical_json([seed, name])))[:sample]
    drawn = set(first)
    return tuple(one for one in found if one.id in drawn)


def readings(path: Path, dilemmas: Sequence[Dilemma]) -> tuple[Judgement, ...]:
    """Machines' judgements that `dilemmas check --judge` wrote about a file of dilemmas.

    Args:
        path: the file, `judgements.jsonl`.
        dilemmas: all dilemmas of the file that was checked.

    Raises:
        InputError: a line holds no judgement, or one of a person, of another dilemma, revision or text, or
            the same reading again; names the line.
    """
    judged = {one.id: one for one in dilemmas}
    fix = "Give the judgements.jsonl that `dilemmas check --judge` wrote."
    found: dict[tuple[str, str, int], Judgement] = {}
    for number, one in read_records(path, Judgement, "file of judgements", fix=fix).items():
        what, fix = _misfit(one, judged)
        if not what and (one.dilemma, one.reviewer, one.repeat) in found:
            what, fix = "is a reading that stands on an earlier line already", "Delete one of the two."
        if what:
            raise InputError(what, where=f"{path}, line {number}", fix=fix)
        found[one.dilemma, one.reviewer, one.repeat] = one
    return tuple(found.values())


def _misfit(one: Judgement, judged: dict[str, Dilemma]) -> tuple[str, str]:
    """Why a judgement cannot go out with these dilemmas, and what to do; empty where it can."""
    if one.kind == "person":
        return (
            "is a person's judgement, which is no prediction",
            "Give the judgements.jsonl of `dilemmas check --judge`.",
        )
    if (dilemma := judged.get(one.dilemma)) is None:
        return f'is about "{one.dilemma}", which the file of dilemmas does not have', did_you_mean(one.dilemma, judged)
    again = "Check the file again with --judge."
    if one.revision != dilemma.revision:
        return f'is about revision {one.revision} of "{one.dilemma}"; the file has revision {dilemma.revision}', again
    if one.text_sha256 not in (None, dilemma.text_sha256):  # none in files of earlier versions
        return f'is about another text of revision {one.revision} of "{one.dilemma}" than the file has', again
    return "", ""
