"""All the nouns: what a record is made of, with the unit and the range of each field.

Records are frozen and refuse unknown keys. `schemas/*.json` (JSON Schema 2020-12) is written from
this file by `python -m dilemmas.schema`, and a test holds the two equal. Which words mean what:
an *item* is the thing asked about (here a dilemma; later a survey item), a *condition* is a persona
or the baseline, a *side* is what a question measures (`stated`, `acted`).
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from functools import cached_property
from typing import Annotated, Any, Literal, Self, get_args

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION: Literal[1] = 1
"""Version of the records' form. A change that old records do not fit raises it."""

BasicValueName = Literal[
    "Power", "Achievement", "Hedonism", "Stimulation", "Self-direction", "Universalism", "Benevolence",
    "Tradition", "Conformity", "Security",
]  # fmt: skip
"""The ten basic values of Schwartz (1992), in the order in which the 56 are listed."""

HigherOrderName = Literal["openness", "conservation", "self_enhancement", "self_transcendence"]
"""The four higher-order types of Schwartz (1992). Hedonism belongs to two of them."""

ValueName = Literal[
    "Social Power", "Authority", "Wealth", "Preserving my Public Image", "Social Recognition",
    "Successful", "Capable", "Ambitious", "Influential", "Intelligent", "Self-Respect",
    "Pleasure", "Enjoying Life",
    "Daring", "A Varied Life", "An Exciting Life",
    "Creativity", "Curious", "Freedom", "Choosing Own Goals", "Independent",
    "Protecting the Environment", "A World of Beauty", "Broad-Minded", "Social Justice", "Wisdom",
    "Equality", "A World at Peace", "Inner Harmony", "Unity With Nature",
    "Helpful", "Honest", "Forgiving", "Loyal", "Responsible", "True Friendship", "A Spiritual Life",
    "Mature Love", "Meaning in Life",
    "Devout", "Accepting my Portion in Life", "Humble", "Moderate", "Respect for Tradition", "Detachment",
    "Politeness", "Honoring of Parents and Elders", "Obedient", "Self-Discipline",
    "Clean", "National Security", "Social Order", "Family Security", "Reciprocation of Favors", "Healthy",
    "Sense of Belonging",
]  # fmt: skip
"""The 56 values of the Schwartz Value Survey (1992), by basic value."""

TopicName = Literal[
    "Politics", "Social Networks", "Social Inequality", "Family & Changing Gender Roles", "Work Orientation",
    "Religion", "Environment", "National Identity", "Citizenship", "Leisure Time and Sports",
    "Health and Health Care",
]  # fmt: skip
"""The eleven social topics: modules of the International Social Survey Programme."""

Polarity = Literal["aligned", "opposed"]
Intensity = Literal["strong", "moderate", "mild"]
PersonaCategory = Literal["baseline", "moderate", "max", "incongruous", "other"]
Axis = Literal["TS", "SE"]
Side = Literal["stated", "acted", "survey"]
Status = Literal["answered", "refused", "unreadable"]
ReviewStatus = Literal["unreviewed", "undecided", "accepted", "revised", "rejected"]
ReviewDecision = Literal["accept", "revise", "reject"]
LabelVerdict = Literal["matches", "weaker", "stronger", "wrong_side", "cannot_tell"]
ProblemKind = Literal[
    "missing_task", "missing_annotation", "unknown_task", "changed_task", "other_text", "unknown_answer",
    "edited_by_other", "no_author", "unreadable",
]  # fmt: skip
DecisionRule = Literal["unanimous", "majority", "adjudicator"]
DecisionOutcome = Literal["accept", "revise", "reject", "undecided"]
ProtocolName = Literal["reasoned", "logprob"]
Severity = Literal["error", "warning", "note"]

PLACES: tuple[tuple[Polarity, Intensity], ...] = (
    ("aligned", "strong"),
    ("aligned", "moderate"),
    ("aligned", "mild"),
    ("opposed", "mild"),
    ("opposed", "moderate"),
    ("opposed", "strong"),
)
"""The six places of a dilemma's actions, from strongly aligned to strongly opposed."""


def readable(text: str) -> str:
    """Refuse text that is blank or holds characters no reader can see."""
    if not text.strip():
        raise ValueError("must not be blank")
    if text.isprintable():  # the usual case, and forty times as fast
        return text
    for index, character in enumerate(text):
        category = unicodedata.category(character)
        if category in ("Cc", "Cs", "Co", "Cn") and character not in "\n\t":
            raise ValueError(f"has an unprintable character U+{ord(character):04X} at position {index}")
    return text


Text = Annotated[str, AfterValidator(readable)]
"""Text that a person can read: not blank, no control characters but newline and tab."""

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}[a-z0-9]$")]
"""Lower-case letters, digits and hyphens, 2 to 64 of them."""


class Record(BaseModel):
    """Base of all records: frozen, no unknown keys, and no input echoed in an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        validate_default=True,
    )


class Value(Record):
    """One of the 56 Schwartz values and its place on the circle."""

    name: ValueName
    """Name in the Schwartz Value Survey."""
    basic_value: BasicValueName
    """The basic value it belongs to."""
    higher_order: tuple[HigherOrderName, ...] = Field(min_length=1, max_length=2)
    """The higher-order type of its basic value; two for Hedonism."""
    angle: float = Field(ge=0, lt=360)
    """Place of its basic value on the circle, degrees from Self-direction (0)."""
    definition: Text
    """What a person who holds it cares about: a phrase, in this project's words."""


class Topic(Record):
    """One of the eleven social topics."""

    name: TopicName
    """Name of the topic."""
    issp_module: str
    """The survey module it is taken from."""
    scope: Text
    """What belongs to it, and what does not, in this project's words."""


class Action(Record):
    """One thing a person could do in a dilemma."""

    polarity: Polarity
    """`aligned`: serves the focal value. `opposed`: serves the competing one."""
    intensity: Intensity
    """How fully the side is taken: `strong`, `moderate` or `mild`. Not how grave the outcome is."""
    text: Text = Field(max_length=1000)
    """What I do, in the first person; up to 1,000 characters."""
    rationale: Text = Field(max_length=1000)
    """Why it has this polarity and intensity; never shown to a model that is asked."""


class Provenance(Record):
    """Who wrote a dilemma, and how it can be traced."""

    kind: Literal["model", "person"]
    """Whether a model or a person wrote it."""
    author: Text
    """Name of the model, or the person's name or pseudonym."""
    method: Text
    """How it was written, in a phrase."""
    created: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}Z)?$")
    """Date, or UTC time, of writing (ISO 8601)."""
    template_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Checksum of the prompt template that was used; none for text written without one."""
    seed: int | None = Field(default=None, ge=0)
    """Sampling seed, where there was one."""
    model_revision: str | None = None
    """Checksum of the model's weights (`sha256:...`), where it is known."""
    server: str | None = None
    """What the server said of itself: software, version, context length. Never its address."""
    parameters: dict[str, str | int | float] | None = None
    """How the model was sampled, and how the form of its reply was imposed (`mode`)."""
    attempt: int | None = Field(default=None, ge=1)
    """Which attempt gave this text, from 1; those before it broke the form."""


class Setting(Record):
    """Where a dilemma takes place and between whom, drawn before it is written so that no two are alike."""

    place: Text = Field(max_length=200)
    """Where it happens."""
    relationship: Text = Field(max_length=200)
    """Who the other person is to the reader."""
    role: Text = Field(max_length=200)
    """What the reader is or does there."""
    stakes: Text = Field(max_length=200)
    """How much is at stake, and of what kind."""


class Review(Record):
    """What people made of a dilemma so far."""

    status: ReviewStatus
    """`unreviewed` until people have judged it; `undecided` where they have and it is not settled."""
    reviewers: int = Field(default=0, ge=0)
    """How many verdicts of people there are, over all rounds."""


def _places_schema(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema too that each of the six places is taken once."""
    actions = schema["properties"]["actions"]
    actions["allOf"] = [
        {
            "contains": {
                "properties": {"polarity": {"const": polarity}, "intensity": {"const": intensity}},
                "required": ["polarity", "intensity"],
            },
            "minContains": 1,
            "maxContains": 1,
        }
        for polarity, intensity in PLACES
    ]


class Dilemma(Record):
    """A scenario where a focal value meets a competing one, with six graded actions."""

    model_config = ConfigDict(json_schema_extra=_places_schema)

    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this form."""
    id: Identifier
    """Name of the dilemma; never changes, whatever is revised."""
    revision: int = Field(default=1, ge=1)
    """Number of the revision, from 1."""
    value: ValueName
    """The focal value."""
    topic: TopicName
    """The social topic."""
    competing_value: ValueName
    """The value that pulls the other way."""
    setting: Setting | None = None
    """The setting it was planned for; none where nobody planned one."""
    scenario: Text = Field(max_length=4000)
    """The situation, in the second person; up to 4,000 characters."""
    actions: tuple[Action, ...] = Field(min_length=6, max_length=6)
    """The six actions, one for each polarity and intensity, in any order."""
    provenance: Provenance
    """Who wrote it."""
    review: Review
    """Whether people have checked it."""

    @model_validator(mode="after")
    def _one_action_for_each_place(self) -> Self:
        taken = [(action.polarity, action.intensity) for action in self.actions]
        for polarity, intensity in PLACES:
            if (count := taken.count((polarity, intensity))) != 1:
                found = "none" if count == 0 else str(count)
                raise ValueError(f"actions: needs one {intensity} {polarity} action, found {found}")
        if len({action.text.strip().casefold() for action in self.actions}) < len(PLACES):
            raise ValueError("actions: two of them have the same text")
        if self.value == self.competing_value:
            raise ValueError("competing_value: must differ from value")
        return self

    def action(self, polarity: Polarity, intensity: Intensity) -> Action:
        """The action in one of the six places."""
        return next(a for a in self.actions if (a.polarity, a.intensity) == (polarity, intensity))

    @property
    def text_sha256(self) -> str:
        """Checksum of what is judged: value, topic, competing value, scenario, the six texts and their labels.

        The order of the actions in the file, provenance, rationales and review status are no part of it.
        """
        judged = {
            "value": self.value,
            "topic": self.topic,
            "competing_value": self.competing_value,
            "scenario": self.scenario,
            "actions": sorted((one.polarity, one.intensity, one.text) for one in self.actions),
        }
        return sha256(canonical_json(judged))


class Persona(Record):
    """A cultural profile, or the baseline (no variables): the model as itself."""

    id: Identifier
    """Name of the persona within its set."""
    category: PersonaCategory
    """Kind of profile, by the rule of docs/methods.md."""
    variables: dict[str, str] = Field(default_factory=dict)
    """Label of the category held on each of the ten variables; empty for the baseline."""
    T: float | None = Field(default=None, ge=-1, le=1)
    """Place on the traditional (-1) to secular-rational (+1) axis; none for the baseline."""
    S: float | None = Field(default=None, ge=-1, le=1)
    """Place on the survival (-1) to self-expression (+1) axis; none for the baseline."""
    incongruity: float | None = Field(default=None, ge=0, le=1)
    """The larger of the conflicts within the two axes, 0 (none) to 1; none for the baseline."""

    @property
    def is_baseline(self) -> bool:
        """Whether this is the model as itself."""
        return self.category == "baseline"


BASELINE = Persona(id="baseline", category="baseline")
"""The model as itself."""


class PersonaSet(Record):
    """A named list of personas; the baseline is asked beside every set and is not in it."""

    name: Text
    """Name of the set."""
    personas: tuple[Persona, ...] = Field(min_length=1)
    """Its members, ids distinct."""

    @model_validator(mode="after")
    def _ids_are_distinct(self) -> Self:
        ids = [persona.id for persona in self.personas]
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(f'two personas have the id "{name}"')
        if BASELINE.id in ids:
            raise ValueError('"baseline" is the name of the model as itself and cannot name a persona')
        return self


class Option(Record):
    """One answer a question offers."""

    code: Identifier
    """Name of the option, the same in every order of presentation."""
    text: Text
    """The words shown."""
    score: float | None = Field(ge=-1, le=1)
    """What choosing it counts for on the question's side, from -1 to 1; none if it is not scored."""


class Question(Record):
    """One thing asked about an item."""

    name: Identifier
    """Name of the instrument, such as `value` or `action`."""
    item: Identifier
    """Id of what it is about."""
    side: Side
    """What it measures: `stated` value, `acted` value, or a `survey` answer."""
    context: str
    """The situation shown before the question; may be empty."""
    stem: Text
    """The question itself."""
    options: tuple[Option, ...] = Field(min_length=2, max_length=26)
    """The answers offered, in their canonical order."""


class Message(Record):
    """One message of a conversation, exactly as it is sent."""

    role: Literal["system", "user"]
    """Who speaks."""
    content: str
    """The words."""


class Sampling(Record):
    """How the model is sampled. All of it can change an answer, so all of it is in a trial's id."""

    temperature: float = Field(default=0.2, ge=0, le=2)
    """Softmax temperature; 0 takes the most likely token."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus: smallest set of tokens whose probabilities reach this sum."""
    top_k: int = Field(default=64, ge=0)
    """Only the k most likely tokens; 0 for no bound. Left out where a server refuses it."""
    max_tokens: int = Field(default=512, ge=1)
    """Longest reply, in tokens."""
    extra: dict[str, Any] = Field(default={}, exclude_if=lambda extra: not extra)
    """Further fields of a request that only some servers know, such as `reasoning_effort`."""


class ModelIdentity(Record):
    """Which model answers. Where it is served is not part of it."""

    name: Text
    """Name as the server lists it, or of the weights file."""
    revision: str = ""
    """Checksum of the weights where they are known (`sha256:...`), else empty."""


class Trial(Record):
    """One question put once to one model as one persona.

    `id` is a hash of all that can change the answer and of nothing else: not of the server's
    address, the concurrency, the time or the run's name.
    """

    model: ModelIdentity
    """The model asked."""
    persona: Identifier
    """Id of the persona."""
    item: Identifier
    """Id of the item."""
    question: Identifier
    """Name of the question."""
    side: Side
    """What the question measures."""
    repeat: int = Field(ge=0)
    """Number of the repeat, from 0."""
    order: tuple[str, ...]
    """Option codes in the order shown, under the letters A, B, C, ..."""
    protocol: ProtocolName
    """How it is asked and read."""
    mode: str
    """How the form of the reply is imposed, such as `json_schema`, `free` or `top50`."""
    sampling: Sampling
    """How the model is sampled."""
    seed: int | None
    """Sampling seed sent along; none where none is sent."""
    messages: tuple[Message, ...]
    """The conversation, word for word."""

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical JSON of what can change the answer, 64 hexadecimal digits."""
        answer_depends_on = {
            "model": vars(self.model),
            "repeat": self.repeat,
            "order": self.order,
            "protocol": self.protocol,
            "mode": self.mode,
            "sampling": vars(self.sampling),
            "seed": self.seed,
            "messages": [vars(message) for message in self.messages],
        }
        return hashlib.sha256(_canonical_bytes(answer_depends_on)).hexdigest()


class TokenProbability(Record):
    """One of the most likely tokens at the place of the answer."""

    token: str
    """The token's text."""
    logprob: float
    """Natural logarithm of its probability, at most 0."""


class Reply(Record):
    """What a server sent back, before anybody reads it. Kept for good."""

    text: str
    """The reply's words; empty where there were none."""
    reasoning: str = ""
    """Thinking that the server keeps apart from the reply."""
    refusal: str = ""
    """The server's own word that it refused, where it gives one."""
    finish_reason: str = ""
    """Why it ended: `stop`, `length`, `content_filter`, ..."""
    top_tokens: tuple[TokenProbability, ...] | None = None
    """Most likely first tokens, where asked for."""
    prompt_tokens: int | None = Field(default=None, ge=0)
    """Tokens read."""
    completion_tokens: int | None = Field(default=None, ge=0)
    """Tokens written."""
    latency: float = Field(default=0.0, ge=0)
    """Time from request to reply, seconds."""
    fingerprint: str = ""
    """The server's mark of its own version, where it gives one."""


class Response(Record):
    """A trial's outcome. A refusal or an unreadable reply is data: kept, counted, never guessed."""

    status: Status
    """Whether an option can be read from the reply."""
    code: str | None = None
    """The option chosen (the most likely one where probabilities are known); none if unread."""
    letter: str | None = None
    """The letter under which that option was shown; none if unread."""
    probabilities: dict[str, float] | None = None
    """Probability of each option given that one of them is chosen, by code; sums to 1."""
    mass: float | None = Field(default=None, ge=0, le=1.000001)
    """Probability of the option letters together, before they are renormalised."""
    missing: tuple[str, ...] = ()
    """Letters the server did not return; their probability is counted as 0."""
    reason: str = ""
    """Why a reply is refused or unreadable; empty for an answer."""


class Placement(Record):
    """Where a reviewer who saw no labels put one action of a dilemma."""

    polarity: Polarity
    """The side it was written for."""
    intensity: Intensity
    """The strength it was written for."""
    judged_polarity: Polarity
    """The side the reviewer sees it on."""
    judged_intensity: Intensity
    """The strength the reviewer sees in it."""

    @property
    def verdict(self) -> LabelVerdict:
        """What it says of the label: an action on the right side may be weaker or stronger than labelled."""
        if self.judged_polarity != self.polarity:
            return "wrong_side"
        rising = get_args(Intensity)[::-1]
        more = rising.index(self.judged_intensity) - rising.index(self.intensity)
        return "matches" if more == 0 else "stronger" if more > 0 else "weaker"


class Verdict(Record):
    """What a reviewer who saw the labels says of one action's label."""

    polarity: Polarity
    """The side it is labelled with."""
    intensity: Intensity
    """The strength it is labelled with."""
    verdict: LabelVerdict
    """`matches`; the action is `weaker` or `stronger` than its label; on the `wrong_side`; or one `cannot_tell`."""


class Edit(Record):
    """The text a reviewer would have instead."""

    polarity: Polarity | None = None
    """Side of the action; none for the scenario."""
    intensity: Intensity | None = None
    """Strength of the action; none for the scenario."""
    text: str
    """The new text, as it was typed."""


class Judgement(Record):
    """One reviewer's verdict on one revision of one dilemma.

    One without decision, placements and verdicts could not be read; its comment says why.
    """

    dilemma: Identifier
    """Id of the dilemma."""
    revision: int = Field(ge=1)
    """Revision that was judged."""
    text_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Checksum of what was judged, text and labels; none where it was not noted."""
    reviewer: Text
    """The reviewer's pseudonym, or the model's name."""
    kind: Literal["person", "machine"]
    """People's and machines' judgements are never mixed."""
    decision: ReviewDecision | None = None
    """The verdict; none where only the actions were sorted."""
    repeat: int = Field(default=0, ge=0)
    """Number of the reading, from 0; each shows the actions in another order."""
    placements: tuple[Placement, ...] = Field(default=(), max_length=6)
    """Where actions were put without sight of their labels; in a person's, what is left out was not answered, or
    could not be told."""
    verdicts: tuple[Verdict, ...] = Field(default=(), max_length=6)
    """What is said of the six labels by a reviewer who saw them. Of one who saw none: `cannot_tell` for the actions
    of which he said so."""
    harmless: bool | None = None
    """Whether the dilemma can be shown to anybody; none where that was not asked."""
    sufficient: bool | None = None
    """Whether the scenario tells enough to choose; none where that was not asked."""
    plausible: bool | None = None
    """Whether it could happen; none where that was not asked."""
    edits: tuple[Edit, ...] = Field(default=(), max_length=7)
    """Texts that a reviewer who asks for a revision would have instead; unchanged ones are left out."""
    comment: str = ""
    """Free text."""
    state: Literal["submitted", "skipped", "draft"] = "submitted"
    """Whether the reviewer handed it in, passed it over, or left it half done."""
    superseded: bool = False
    """Whether the same reviewer has given a newer one on the same revision."""
    ground_truth: bool = False
    """Whether it is marked on the server as the right answer, which is no independent verdict."""
    anonymous: bool = False
    """Whether nobody knows any more who wrote it, so that it may be anybody's second one."""
    editor: str | None = None
    """Who changed it last, where that is not the reviewer."""
    seconds: float | None = Field(default=None, ge=0)
    """Time the reviewer took; none where it is not known."""
    created: str | None = None
    """UTC time (ISO 8601) of the first saving."""
    updated: str | None = None
    """UTC time (ISO 8601) of the last change."""
    annotation: int | None = None
    """Number of the annotation on the server; none for a draft."""

    @property
    def finished(self) -> bool:
        """Whether it was handed in as somebody's verdict; a person's is none without a decision."""
        decided = self.kind == "machine" or self.decision is not None
        return decided and self.state == "submitted" and not self.ground_truth

    @property
    def counts(self) -> bool:
        """Whether it is a known reviewer's own, finished and latest word."""
        return self.finished and not (self.superseded or self.anonymous)


class RoundProblem(Record):
    """Something on the server that is not as it should be; what can be kept is kept all the same."""

    kind: ProblemKind
    """What sort of problem it is; docs/review.md explains each."""
    what: Text
    """What is wrong, and with which task or annotation."""
    dilemma: Identifier | None = None
    """The dilemma it is about, where that is known."""
    annotation: int | None = None
    """Number of the annotation on the server, where it is about one."""


class Round(Record):
    """What one `dilemmas review pull` brought back: the manifest of its folder."""

    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this form."""
    project: Text
    """Title of the project."""
    form: Literal["open", "blind"]
    """Whether reviewers saw the labels."""
    annotators: int = Field(ge=1)
    """Verdicts wanted for each dilemma."""
    pulled: str
    """UTC time (ISO 8601)."""
    export: str
    """File of the raw export, as a path from the folder of this one. The raw predictions lie beside it."""
    sha256: str
    """Checksum of that file."""
    files: dict[str, str] = Field(default_factory=dict)
    """Checksums of the files that were written with this one, by name."""
    pseudonyms: bool
    """Whether reviewers' names are pseudonyms."""
    counts: dict[str, int]
    """Of the tasks, judgements, those that count, on an older text, drafts, skipped, superseded, ground truth,
    anonymous; and of the predictions."""
    problems: tuple[RoundProblem, ...] = ()
    """What is not as it should be."""


class Decision(Record):
    """What the verdicts on one dilemma came to: each change that `dilemmas review apply` makes can be traced by it."""

    dilemma: Identifier
    """Id of the dilemma."""
    revision: int = Field(ge=1)
    """Revision that was judged."""
    text_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Checksum of what was judged, text and labels."""
    project: Text
    """Title of the round's project."""
    rule: DecisionRule
    """`unanimous`: all say the same. `majority`: more than half do. `adjudicator`: one reviewer's word decides."""
    min_reviewers: int = Field(ge=1)
    """Verdicts without which nothing is decided; an adjudicator's is enough by itself."""
    adjudicator: Text | None = None
    """Whose word decides; none with the other rules."""
    verdicts: dict[Text, ReviewDecision]
    """The verdicts that counted, by reviewer."""
    outcome: DecisionOutcome
    """What is to be done with the dilemma."""
    reason: Text
    """Why, in words."""
    edits: tuple[Edit, ...] = Field(default=(), max_length=7)
    """The new texts of a dilemma that is revised."""
    authors: tuple[Text, ...] = ()
    """Whose texts they are."""
    comment: str = ""
    """What the authors say of them."""
    decided: str | None = None
    """UTC time (ISO 8601) of the newest verdict; none where it was not noted."""
    replaced: bool = False
    """Whether the reviewed file was written over since, so that this is history and no longer in the file."""


class Finding(Record):
    """One thing that `dilemmas check` found wrong, or worth a look."""

    id: Identifier | None = None
    """The dilemma it is about; none for the whole set, or for a line that is no dilemma."""
    revision: int | None = Field(default=None, ge=1)
    """The revision that was checked; none where `id` is none."""
    rule: Identifier
    """Name of the rule; docs/checks.md has its reason."""
    severity: Severity
    """`error`: must be mended. `warning`: mend it or say why it stands. `note`: for information."""
    what: Text
    """What is wrong."""
    where: str
    """Line and field."""
    fix: Text
    """How to mend it."""
    others: tuple[Identifier, ...] = ()
    """Other dilemmas that have to do with it, such as the one it resembles."""
    answer: str = ""
    """Why it stands, where somebody has said so; see `Answer`."""


class Answer(Record):
    """Why a warning or a note of `dilemmas check` stands: a line of `NAME.answers.jsonl` beside `NAME.jsonl`."""

    rule: Identifier
    """Name of the rule."""
    id: Identifier | None = None
    """The dilemma; none for a finding about the whole set."""
    revision: int | None = Field(default=None, ge=1)
    """The dilemma's revision that was answered for; another revision has to be answered for anew."""
    answer: Text
    """Why it stands."""


class Confound(Record):
    """How one property of the actions' texts goes with one property of their labels.

    Over dilemmas: within each, the mean of one kind of action less that of the other.
    """

    measure: Literal["words", "readability", "sentiment"]
    """Property of the text."""
    factor: Literal["polarity", "intensity"]
    """`polarity`: aligned less opposed. `intensity`: strong less mild."""
    n: int = Field(ge=0)
    """Dilemmas."""
    estimate: float | None
    """Mean difference, in the measure's own unit; none without dilemmas."""
    low: float | None
    """Lower end of its interval."""
    high: float | None
    """Upper end of its interval."""
    dz: float | None
    """Mean difference over its standard deviation between dilemmas; none where that is 0."""


class Cues(Record):
    """How well a bag of words tells aligned from opposed actions that it was not trained on."""

    features: str
    """What it looks at."""
    held_out: Literal["dilemma", "value"]
    """What is left out of training at once. With values left out, no word of the value itself can help."""
    n: int = Field(ge=0)
    """Dilemmas."""
    accuracy: float = Field(ge=0, le=1)
    """Share of actions put on the right side; .5 by chance."""
    low: float
    """Lower end of its 95 % interval."""
    high: float
    """Upper end of its 95 % interval."""
    aligned: tuple[str, ...] = ()
    """What speaks most for an aligned action."""
    opposed: tuple[str, ...] = ()
    """What speaks most for an opposed action."""


class Neighbour(Record):
    """A dilemma and the one whose scenario is most like it."""

    id: Identifier
    """The dilemma."""
    other: Identifier
    """Its nearest neighbour."""
    similarity: float = Field(ge=-1, le=1.000001)
    """Cosine of the two scenarios."""
    method: Literal["tfidf", "embedding"]
    """What the cosine is taken of."""


class Coverage(Record):
    """What a set of dilemmas covers."""

    grid: dict[str, dict[str, int]]
    """Dilemmas by value and topic; all 56 x 11 cells."""
    basic_values: dict[str, int]
    """Dilemmas by basic value."""
    competing_values: dict[str, int]
    """Dilemmas by competing value."""
    relations: dict[str, int]
    """Dilemmas by how focal and competing value lie on the circle: opposing, weak, adjacent."""
    settings: dict[str, dict[str, int]]
    """Dilemmas by place, relationship, role and stakes, where they were planned."""


class BlindSort(Record):
    """How well a model that sees no labels puts a dilemma's six actions where they were meant."""

    id: Identifier
    """The dilemma."""
    revision: int = Field(ge=1)
    """The revision that was sorted."""
    asked: int = Field(ge=0)
    """Orders in which the actions were shown."""
    read: int = Field(ge=0)
    """Replies that could be read."""
    side: float | None = Field(default=None, ge=0, le=1)
    """Share of actions put on the right side; none without a reply."""
    tau: float | None = Field(default=None, ge=-1, le=1)
    """Kendall's tau-b between the intended and the judged places; none where all are judged alike."""


class Findings(Record):
    """What `dilemmas check` made of a file: the findings, and the measures behind them."""

    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this form."""
    dataset: str
    """The file that was checked, as a path from the folder of this one."""
    sha256: str
    """Checksum of that file."""
    dilemmas: int = Field(ge=0)
    """How many dilemmas it holds."""
    records: dict[str, str] = Field(default_factory=dict)
    """Checksum of each dilemma as it was checked, by id, so that nobody's later edit is written over."""
    created: str
    """UTC time (ISO 8601)."""
    versions: dict[str, str]
    """Versions of this package and of the libraries the measures depend on."""
    judge: str | None = None
    """The model that sorted the actions; none where none was asked."""
    findings: tuple[Finding, ...]
    """Errors first; within a severity what is about the whole set, then in the order of the file."""
    confounds: tuple[Confound, ...] = ()
    """Length, readability and sentiment against side and strength."""
    cues: tuple[Cues, ...] = ()
    """Wording that gives the side away."""
    neighbours: tuple[Neighbour, ...] = ()
    """Each dilemma's nearest neighbour, the nearest pairs first."""
    coverage: Coverage
    """Counts."""
    sorts: tuple[BlindSort, ...] = ()
    """Agreement of a blind judge with the labels."""


class Capabilities(Record):
    """What a server was found to do by real requests; most ignore what they cannot do."""

    top_logprobs: int = Field(default=0, ge=0)
    """How many log-probabilities it returns for a token; 0 for none."""
    reply_schema: Literal["bounded", "plain", "none"] = "none"
    """`bounded`: JSON schema with lengths; `plain`: without them; `none`: not honoured."""
    top_k: bool = True
    """Whether a request may carry `top_k`."""
    seed: bool = True
    """Whether a request may carry `seed`."""
    server: str = ""
    """What the server says of itself: software, version, context length."""
    noise_replies: int = Field(default=0, ge=0)
    """Replies to two short questions, put again and again in the way in which the run asks; 0 where not measured."""
    noise_nats: float | None = Field(default=None, ge=0)
    """Largest difference of an option letter's log-probability between replies to the same; none where not measured."""
    noise_texts: int | None = Field(default=None, ge=0)
    """How many of them differ in words from the first reply to the same; none where not measured."""


class Asking(Record):
    """How one model of a run is asked: what its server's abilities made of the settings."""

    name: Text
    """Name of the model."""
    revision: str
    """Checksum of its weights (`sha256:...`); empty where they are not known."""
    protocol: ProtocolName
    """How it is asked and read."""
    mode: str
    """How the form of a reply is imposed."""
    sampling: Sampling
    """The sampling that is really used."""
    send_seed: bool
    """Whether each request carries a sampling seed."""
    persona_role: Literal["system", "user"]
    """Message that carries the persona."""
    capabilities: Capabilities = Capabilities()
    """What its server was found to do."""
    caveat: str = ""
    """What a reader of its results must know; may be empty."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model it is."""
        return ModelIdentity(name=self.name, revision=self.revision)


class Design(Record):
    """Settings that all trials of a run share."""

    orders: Literal["williams", "random", "fixed"]
    """Kind of option orders."""
    repeats: int = Field(ge=1)
    """Times each question is asked."""
    seed: int = Field(ge=0)
    """Seed of option orders and of sampling."""
    prompt_style: Literal["variables", "statements"]
    """How a persona is put into words."""
    templates_sha256: str
    """Checksum of the templates that decide what a model reads."""
    scale: Literal["even", "thirds"]
    """Scores of the six options; the only one of these that can be changed afterwards."""


class DatasetUsed(Record):
    """The dataset a run asks about."""

    name: str
    """File name, without its folder."""
    sha256: str
    """Checksum of the file."""
    dilemmas: int = Field(ge=0)
    """How many dilemmas it holds."""
    unreviewed: int = Field(ge=0)
    """How many of them no person has checked, or people have not settled."""


class Run(Record):
    """The manifest of a run's folder: all that is needed to read its numbers, and no secret."""

    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of this form."""
    name: str
    """Name of the run."""
    created: str
    """UTC time of its first trial (ISO 8601)."""
    updated: str
    """UTC time of its last change (ISO 8601)."""
    caveat: str
    """What a reader must know before reading the numbers; may be empty."""
    design: Design
    """Settings that all trials share."""
    dataset: DatasetUsed
    """What is asked about."""
    persona_sets: tuple[str, ...]
    """Names of the persona sets asked so far."""
    models: tuple[Asking, ...]
    """The models asked so far, by name."""
    versions: dict[str, str]
    """Versions of this package, of Python and of the libraries the numbers depend on."""
    counts: dict[str, int]
    """Trials planned, answered, refused, unreadable, open; failed attempts."""

    @property
    def caveats(self) -> dict[str, str]:
        """Each model's caveat, by the model's name."""
        return {asking.name: asking.caveat for asking in self.models}


PUBLISHED: dict[str, type[Record]] = {
    "dilemma": Dilemma,
    "persona": Persona,
    "persona-set": PersonaSet,
    "question": Question,
    "trial": Trial,
    "reply": Reply,
    "response": Response,
    "judgement": Judgement,
    "round": Round,
    "decision": Decision,
    "findings": Findings,
    "answer": Answer,
    "run": Run,
    "value": Value,
    "topic": Topic,
}
"""File name (without `.json`) in `schemas/` and the record it describes."""


def canonical_json(data: Any) -> str:
    """The one JSON text of some data: sorted keys, no spaces, no NaN, Unicode as it is."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _canonical_bytes(data: Any) -> bytes:
    """UTF-8 of `canonical_json`, ten times as fast, of data without NaN and without long integers."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


def sha256(text: str | bytes) -> str:
    """SHA-256 of a text's UTF-8 or of bytes, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def sampling_seed(*key: Any) -> int:
    """A seed of 31 bits that some data decides: most servers take no longer one."""
    return int(sha256(_canonical_bytes(key))[:8], 16) & 0x7FFFFFFF


def json_schema(record: type[Record]) -> dict[str, Any]:
    """JSON Schema 2020-12 of a record; docstrings become descriptions on one line."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **record.model_json_schema()}
    return dict(_one_line(schema))


def _one_line(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: re.sub(r"\s+", " ", value) if key == "description" and isinstance(value, str) else _one_line(value)
            for key, value in node.items()
        }
    return [_one_line(part) for part in node] if isinstance(node, list) else node


def schema_text(record: type[Record]) -> str:
    """The text of a file in `schemas/`."""
    return json.dumps(json_schema(record), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    for _name, _record in PUBLISHED.items():
        Path("schemas", f"{_name}.json").write_text(schema_text(_record), encoding="utf-8")
