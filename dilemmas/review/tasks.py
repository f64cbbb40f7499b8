"""From a dilemma to a Label Studio task, and from an annotation of it back to a judgement. Pure functions.

A task carries the whole dilemma in its `meta`, so that whoever pulls needs no file of those who
pushed. Annotators do not see `meta`, and it is packed, so that nobody reads the labels by accident.
"""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator
from pydantic_core import PydanticSerializationError

from dilemmas import dataset, taxonomy
from dilemmas.errors import InputError
from dilemmas.orders import shuffled
from dilemmas.review import answers
from dilemmas.review import form as forms
from dilemmas.review.form import FormName
from dilemmas.schema import (
    PLACES,
    Dilemma,
    Edit,
    Intensity,
    Judgement,
    Polarity,
    Record,
)

Raw = dict[str, Any]
"""JSON as Label Studio gives and takes it."""

KEY, TEXT = "dilemma_id", "text_sha256"
"""Fields of a task's data by which it is found again: the dilemma's id and the checksum of its text."""
PACKED, VERSION = "dilemmas", "dilemmas_version"
"""Fields of a task's meta: what it was made of, packed, and the version of how."""
PACKING = 1
"""Version of the packing and of what is packed."""
LARGEST = 2**20
"""Most bytes that are packed and unpacked; the longest texts that a dilemma may have come to a fifth of it."""


class Sent(NamedTuple):
    """What a task that is ours was made of."""

    dilemma: Dilemma
    form: FormName
    order: tuple[int, ...]
    """For each card from the first, the number (0 to 5) of its action's place in `schema.PLACES`."""

    @property
    def key(self) -> tuple[str, str]:
        """Id of the dilemma and checksum of its text."""
        return self.dilemma.id, text_sha256(self.dilemma)

    @property
    def cards(self) -> list[tuple[int, tuple[Polarity, Intensity]]]:
        """Number of each card and place of its action, from the first."""
        return [(slot, PLACES[place]) for slot, place in zip(forms.SLOTS, self.order, strict=True)]


def _each_place_once(order: tuple[int, ...]) -> tuple[int, ...]:
    if sorted(order) != list(range(len(PLACES))):
        raise ValueError("must have each place once")
    return order


class _Packed(Record):
    """What a task carries in its meta."""

    dilemma: Dilemma
    """The dilemma, labels included."""
    form: FormName
    """The form it was made for."""
    order: Annotated[tuple[int, ...], AfterValidator(_each_place_once)]
    """As in `Sent`."""
    data: dict[str, str]
    """The task's data as it was made, by which a change on the server is noticed."""


def text_sha256(dilemma: Dilemma) -> str:
    """Checksum of what reviewers judge; see `Dilemma.text_sha256`."""
    return dilemma.text_sha256


def task(dilemma: Dilemma, form: FormName, *, seed: int = 0) -> Raw:
    """A task for the import: `data` (all strings) and `meta`.

    Args:
        dilemma: what is to be judged.
        form: the project's form.
        seed: of the order of the actions in the blind form, which is drawn per dilemma.

    Raises:
        InputError: the dilemma holds something that no task can carry.
    """
    order = tuple(range(len(PLACES)))
    if form == "blind":
        order = tuple(int(place) for place in shuffled("012345", seed, "review", dilemma.id, text_sha256(dilemma)))
    data = _data(Sent(dilemma, form, order))
    try:
        packed = _Packed(dilemma=dilemma, form=form, order=order, data=data).model_dump_json().encode()
    except PydanticSerializationError:  # schema.Text refuses as much, but not every field is one
        raise InputError(
            "holds half a character (a lone surrogate), which no file can keep",
            where=f"dilemma {dilemma.id}",
            fix="Mend its provenance.",
        ) from None
    if len(packed) > LARGEST:
        raise InputError(
            f"is too large for a task: {len(packed):,} bytes, and {LARGEST:,} may be sent",
            where=f"dilemma {dilemma.id}",
            fix="Shorten its provenance.",
        )
    return {"data": data, "meta": {PACKED: base64.b64encode(zlib.compress(packed)).decode(), VERSION: PACKING}}


def sent(raw: Raw) -> Sent:
    """What a task was made of; `raw` has its `data` and `meta`.

    Raises:
        InputError: it is not one of ours, its `data` was changed on the server, or it was made by another version.
    """
    where = f"task {raw.get('id')}"
    data, meta = raw.get("data"), raw.get("meta")
    if not isinstance(meta, dict) or not isinstance(data, dict) or PACKED not in meta:
        raise InputError("was not made by `dilemmas review push`", where=where, fix="Push to a project of its own.")
    if meta.get(VERSION) != PACKING:
        raise InputError(
            "was made by another version of dilemmas",
            where=where,
            fix="Pull with the version that pushed it, or push to a new project.",
        )
    try:
        packed = _Packed.model_validate_json(_unpacked(meta[PACKED]))
    except (TypeError, ValueError, zlib.error):  # a ValidationError and a binascii.Error are ValueErrors
        raise InputError(
            "what it was made of was changed on the server", where=where, fix="Delete the task and push again."
        ) from None
    if changed := sorted(name for name, text in packed.data.items() if data.get(name) != text):
        raise InputError(
            f"was changed on the server: {', '.join(changed)}",
            where=f"{where} (dilemma {packed.dilemma.id})",
            fix="Delete the task and push again.",
        )
    return Sent(packed.dilemma, packed.form, packed.order)


class Read(NamedTuple):
    """An annotation or a prediction, read."""

    judgement: Judgement
    problems: tuple[str, ...]
    """What does not fit the form and is left out of the judgement, and what was required and is not there."""


def judgement(raw: Raw, of: Sent, reviewer: str, *, editor: str | None = None, draft: bool = False) -> Read:
    """One annotation or draft as a judgement of a person.

    Args:
        raw: an item of a task's `annotations` or `drafts` in an export.
        of: what the task was made of.
        reviewer: pseudonym of its author.
        editor: pseudonym of who changed it last, where that is not the author.
        draft: whether it is a draft.
    """
    found = answers.read(raw.get("result"), of.form)
    state = "draft" if draft else "skipped" if raw.get("was_cancelled") else "submitted"
    problems = list(found.problems)
    if state == "submitted" and (missing := answers.missing(found.chosen, of.form)):
        problems.append(f"lacks an answer to {', '.join(missing)}")
    edits, unfit = _edits(found, of)
    seconds = raw.get("lead_time")
    if seconds is not None and not (isinstance(seconds, int | float) and 0 <= seconds < math.inf):
        problems.append(f"took {answers.quoted(seconds)} seconds")
        seconds = None
    fields = {
        **_judged(found, of),
        "reviewer": reviewer,
        "kind": "person",
        "edits": edits,
        "comment": "\n".join(found.texts.get(forms.COMMENT, ())),
        "state": state,
        "ground_truth": bool(raw.get("ground_truth")),
        "editor": editor,
        "seconds": seconds,
        "created": raw.get("created_at"),
        "updated": raw.get("updated_at"),
        "annotation": None if draft else raw.get("id"),
    }
    return Read(Judgement(**fields), (*problems, *unfit))


def prediction(judgement: Judgement, of: Sent) -> Raw:
    """A machine's judgement as a prediction: `model_version` and `result`, in the words of the task's form.

    `model_version` is the model's name and the number of the reading, counted from 1: `a-model #2`.

    Raises:
        InputError: it is not about that revision, or holds no placements.
    """
    dilemma, where = of.dilemma, f"judgement of {judgement.dilemma} by {judgement.reviewer}"
    same_text = judgement.text_sha256 in (None, text_sha256(dilemma))
    if not same_text or (judgement.dilemma, judgement.revision) != (dilemma.id, dilemma.revision):
        raise InputError(
            f"is not about {dilemma.id} as it stands in revision {dilemma.revision}", where=where, fix="Judge it again."
        )
    if not judgement.placements:
        raise InputError("holds no placements", where=where, fix="Leave it out: the judge could not be understood.")
    placed = {(one.polarity, one.intensity): one for one in judgement.placements}
    chosen: dict[str, str] = {}
    for slot, place in of.cards:
        if (one := placed.get(place)) is None:
            continue
        if of.form == "open":
            chosen[forms.label(slot)] = one.verdict
        else:
            chosen |= {forms.side(slot): one.judged_polarity, forms.strength(slot): one.judged_intensity}
    return {"model_version": f"{judgement.reviewer} #{judgement.repeat + 1}", "result": answers.result(chosen)}


def machine_judgement(raw: Raw, of: Sent) -> Read:
    """A prediction as a machine's judgement: verdicts in the open form, placements in the blind one.

    Args:
        raw: a prediction: `result`, and `model_version` as `prediction` writes it or as others do.
        of: what the task was made of.
    """
    found = answers.read(raw.get("result"), of.form)
    name = str(raw.get("model_version") or "unnamed model")
    reading = re.fullmatch(r"(.+) #([1-9][0-9]{0,5})", name, re.DOTALL)
    reviewer, repeat = (reading[1], int(reading[2]) - 1) if reading else (name, 0)
    return Read(
        Judgement(**_judged(found, of), reviewer=reviewer, kind="machine", repeat=repeat),
        found.problems,
    )


def revised(dilemma: Dilemma, edits: Sequence[Edit]) -> Dilemma:
    """The dilemma with a reviewer's texts in place of its own; revision, provenance and status stay.

    Blanks and line breaks around a new text are left out.

    Raises:
        InputError: what comes out is no valid dilemma; names the field.
    """
    texts = {(edit.polarity, edit.intensity): edit.text.strip() for edit in edits}
    record = dilemma.model_dump(mode="json", exclude_none=True)
    record["scenario"] = texts.get((None, None), dilemma.scenario)
    for action in record["actions"]:
        action["text"] = texts.get((action["polarity"], action["intensity"]), action["text"])
    return dataset.parse(json.dumps(record), f"revision of {dilemma.id}")


def _data(of: Sent) -> dict[str, str]:
    """What a task shows, and what it is found by."""
    dilemma = of.dilemma
    texts = {
        "scenario": dilemma.scenario,
        "value": dilemma.value,
        "definition": taxonomy.value(dilemma.value).definition,
        "competing_value": dilemma.competing_value,
        "competing_definition": taxonomy.value(dilemma.competing_value).definition,
        "topic": dilemma.topic,
        "topic_scope": taxonomy.topics()[dilemma.topic].scope,
    }
    for slot, place in of.cards:
        texts[f"action_{slot}"] = dilemma.action(*place).text
        texts[f"label_{slot}"] = forms.label_words(dilemma.value, *place)
    identifier, checksum = of.key
    return {KEY: identifier, TEXT: checksum} | {name: texts[name] for name in forms.data_keys(of.form)}


def _unpacked(text: str) -> bytes:
    """What was packed; a ValueError or a zlib.error where it is torn or too large to be ours."""
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(base64.b64decode(text, validate=True), LARGEST + 1)
    if not unpacking.eof:
        raise ValueError("torn, or larger than anything that is packed")
    return data


def _judged(found: answers.Answers, of: Sent) -> Raw:
    """The fields of a judgement that both people's and machines' have."""
    chosen = found.chosen
    fields: Raw = {"verdicts": [], "placements": []}
    for slot, (polarity, intensity) in of.cards:
        label = {"polarity": polarity, "intensity": intensity}
        if verdict := chosen.get(forms.label(slot)):
            fields["verdicts"].append(label | {"verdict": verdict})
        side, strength = chosen.get(forms.side(slot)), chosen.get(forms.strength(slot))
        if side == "cannot_tell":
            fields["verdicts"].append(label | {"verdict": side})
        elif strength:  # one without a side was left out
            fields["placements"].append(label | {"judged_polarity": side, "judged_intensity": strength})
    return {
        "dilemma": of.dilemma.id,
        "revision": of.dilemma.revision,
        "text_sha256": text_sha256(of.dilemma),
        "decision": chosen.get(forms.DECISION),
        **{name: chosen[name] == "yes" for name in forms.QUALITY if name in chosen},
        **fields,
    }


def _edits(found: answers.Answers, of: Sent) -> tuple[list[Edit], list[str]]:
    """New texts that differ from the dilemma's own, and what is wrong with others."""
    own: dict[str, Edit] = {forms.EDIT_SCENARIO: Edit(text=of.dilemma.scenario)}
    for slot, (polarity, intensity) in of.cards:
        text = of.dilemma.action(polarity, intensity).text
        own[forms.edit(slot)] = Edit(polarity=polarity, intensity=intensity, text=text)
    edits, problems = [], []
    for name, edit in own.items():
        texts = [text for text in found.texts.get(name, ()) if text.strip() != edit.text.strip()]
        if len(texts) > 1:
            problems.append(f"has {len(texts)} new texts in {name}")
        elif texts and found.chosen.get(forms.DECISION) != "revise":
            problems.append(f"has a new text in {name} and does not ask for a revision")
        elif texts:
            edits.append(edit.model_copy(update={"text": texts[0]}))
    return edits, problems
