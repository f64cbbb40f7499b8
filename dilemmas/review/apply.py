"""A round's verdicts applied to a file of dilemmas: the reviewed file, its history, and what was decided and why.

`reviewed.jsonl`, `reviewed.history.jsonl` and `reviewed.decisions.jsonl` stand side by side. The same
command gives the same bytes again; the round and the file that was reviewed are never changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from dilemmas import dataset
from dilemmas.dataset import history_of, history_text, to_line
from dilemmas.errors import InputError, did_you_mean
from dilemmas.records import read_records
from dilemmas.resources import decode_utf8, read_bytes, write_texts
from dilemmas.review import rounds
from dilemmas.review.decisions import Reviewed, Rule, review
from dilemmas.schema import Decision, Dilemma, Judgement


def decisions_of(path: Path) -> Path:
    """Where the decisions are that made a file what it is."""
    return dataset.beside(path, "decisions")


def files(out: Path) -> dict[str, Path]:
    """A reviewed file and what stands beside it."""
    found = {"reviewed": out, "history": history_of(out), "decisions": decisions_of(out)}
    return {name: path for name, path in found.items() if path.exists()}


def next_title(project: str) -> str:
    """What to call the project of the round after a round.

    >>> next_title("Round 1"), next_title("Pilot")
    ('Round 2', 'Pilot 2')
    """
    name = project.rstrip("0123456789")
    return f"{name}{int(project[len(name) :]) + 1}" if name != project else f"{name} 2"


def apply(
    folder: Path, file: Path, out: Path, rule: Rule, *, force: bool = False, names_in_dataset: bool = False
) -> Reviewed:
    """Apply a round to a file of dilemmas.

    Args:
        folder: what `dilemmas review pull` wrote.
        file: the dilemmas that were pushed, or what came of an earlier round.
        out: the file to write, with what stands beside it; all of that is written, or nothing. To its history
            is only added, and decisions that are written over stay, marked as replaced.
        rule: how verdicts are read.
        force: whether another file that is there may be written over, and other decisions replaced.
        names_in_dataset: whether people may be named in what is written as a round without pseudonyms names them.

    Raises:
        InputError: a file cannot be read or written, the round is about other dilemmas, has no verdicts, or names
            people by their addresses, the adjudicator is none of the reviewers, what was decided on `file` before
            is not known, or `out` is `file`, within `folder`, or holds something else.
    """
    _check_place(folder, file, out)
    pulled = rounds.read(folder)
    manifest = pulled.manifest
    if not manifest.pseudonyms and not names_in_dataset:
        raise InputError(
            "has people's e-mail addresses, which would stand in the dataset and its decisions",
            where=str(folder),
            fix="Pull with pseudonyms into a new folder, or add --names-in-dataset.",
        )
    votes = [one for one in pulled.people if one.counts and one.decision]
    if not votes:
        raise InputError("nobody has handed in a verdict", where=str(folder), fix="Pull again once people have judged.")
    _check_adjudicator(rule, {one.reviewer for one in votes})
    dilemmas = dataset.read(file).dilemmas
    earlier = _decisions(decisions_of(file))
    _check_earlier(file, dilemmas, votes)
    known = {one.id for one in dilemmas} | {one.dilemma for one in earlier}
    if known.isdisjoint(one.dilemma for one in votes):
        raise InputError("has none of the dilemmas that were judged", where=str(file), fix="Name the file they are in.")
    reviewed = review(dilemmas, votes, rule, manifest.project, pulled=manifest.pulled, earlier=earlier)
    texts = {
        decisions_of(out): _decisions_text([*earlier, *reviewed.decisions], _decisions(decisions_of(out))),
        out: _text(file, dilemmas, reviewed.dilemmas),
    }
    if not force:
        _check_same(texts)
    lost = _lost(out, [*dilemmas, *reviewed.dilemmas, *reviewed.gone])
    history = history_text([history_of(out), history_of(file)], [*lost, *reviewed.gone])
    write_texts(({history_of(out): history} if history else {}) | texts)
    return reviewed


def _check_place(folder: Path, file: Path, out: Path) -> None:
    if out.is_dir() or not out.name:
        raise InputError("is a folder", where=str(out), fix="Name a file, such as dataset/reviewed.jsonl.")
    if {out.resolve(), decisions_of(out).resolve()} & {file.resolve(), decisions_of(file).resolve()}:
        raise InputError(
            "is the file that was reviewed, or shares what stands beside it; all of that stays as it is",
            where=str(out),
            fix="Name another --out: then the same command can be run again when more verdicts have come in.",
        )
    if folder.resolve() in out.resolve().parents:
        raise InputError(
            "is within the round's folder, where nothing is changed", where=str(out), fix="Name an --out elsewhere."
        )


def _check_adjudicator(rule: Rule, reviewers: Collection[str]) -> None:
    if rule.name != "adjudicator":
        if rule.adjudicator is not None:
            raise InputError(
                f"is of no use with the rule {rule.name}", where="--adjudicator", fix="Add --rule adjudicator."
            )
    elif rule.adjudicator not in reviewers:
        raise InputError(
            f"{rule.adjudicator} has handed in no verdict" if rule.adjudicator else "whose word decides?",
            where="--adjudicator",
            fix=did_you_mean(rule.adjudicator or "", sorted(reviewers)) or "Name one of the reviewers.",
        )


def _check_earlier(file: Path, dilemmas: Sequence[Dilemma], votes: Sequence[Judgement]) -> None:
    """Refuse a reviewed file without its decisions, as when it was renamed: verdicts would count twice."""
    if decisions_of(file).exists():
        return
    judged = {(one.dilemma, one.text_sha256) for one in votes}
    before = [one.id for one in dilemmas if one.review.reviewers and (one.id, one.text_sha256) in judged]
    if before:
        raise InputError(
            f"{len(before):,} of the dilemmas that were judged have verdicts already, such as {before[0]}, and there "
            "is no file that says which, so that some might count twice",
            where=str(decisions_of(file)),
            fix="Name the file that was pushed; or put the file of decisions there, an empty one if there is none.",
        )


def _check_same(texts: Mapping[Path, str]) -> None:
    for path, text in texts.items():
        if path.exists() and read_bytes(path, "file") != text.encode():
            raise InputError(
                "is there already and holds something else",
                where=str(path),
                fix="Name another --out, or add --force to write over it.",
            )


def _decisions(path: Path) -> tuple[Decision, ...]:
    """What was decided before; nothing where there is no such file."""
    fix = "Apply the earlier rounds again, each to the file that was pushed for it, with another --out."
    return tuple(read_records(path, Decision, "file of decisions", fix=fix).values()) if path.exists() else ()


def _decisions_text(now: Iterable[Decision], there: Iterable[Decision]) -> str:
    """Decisions, one a line: those that are there and hold no more, marked as such, then those of now; each once."""
    lines = dict.fromkeys(map(_line, now))
    replaced = [_line(one.model_copy(update={"replaced": True})) for one in there if _line(one) not in lines]
    return "".join(f"{line}\n" for line in dict.fromkeys([*(one for one in replaced if one not in lines), *lines]))


def _line(decision: Decision) -> str:
    return decision.model_dump_json(exclude_none=True)


def _lost(out: Path, kept: Sequence[Dilemma]) -> list[Dilemma]:
    """Texts in a file that is written over which are nowhere else."""
    try:
        held = [line.dilemma for line in dataset.survey(out).lines if line.dilemma] if out.exists() else []
    except InputError:  # it is no file of dilemmas, or has none
        held = []
    known = {(one.id, one.revision, one.text_sha256) for one in kept}
    return [one for one in held if (one.id, one.revision, one.text_sha256) not in known]


def _text(file: Path, before: Sequence[Dilemma], after: Sequence[Dilemma]) -> str:
    """The reviewed file: lines of dilemmas that have not changed are those that were read, byte for byte."""
    lines = [line for line in decode_utf8(read_bytes(file, "dataset"), file).split("\n") if line.strip()]
    as_read = {dilemma.id: (dilemma, line) for dilemma, line in zip(before, lines, strict=True)}

    def line_of(dilemma: Dilemma) -> str:
        was, line = as_read[dilemma.id]
        return line if dilemma == was else to_line(dilemma)

    return "".join(f"{line_of(dilemma)}\n" for dilemma in after)
