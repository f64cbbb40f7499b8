"""The forms of a release's lines and rows. Each is a record, so that its JSON Schema is written from it.

Rows are flat: where a dilemma has nothing, a row has null.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, create_model

from dilemmas.personas import variables
from dilemmas.release.layout import CANARY
from dilemmas.release.measures import Named, Said, Sorted
from dilemmas.schema import Dilemma, Identifier, Record

Canary = Annotated[
    str, Field(description="The mark that every file of a release has.", json_schema_extra={"const": CANARY})
]
"""A field that holds `layout.CANARY`."""


class Derived(Record):
    """What follows from a dilemma, and from what was said of it."""

    content_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Checksum of value, topic, competing value, scenario, and the six texts with their labels."""
    basic_value: str
    """Basic value of the focal value."""
    higher_order: tuple[str, ...] = Field(min_length=1)
    """Higher-order types of that; two for Hedonism."""
    relation: Literal["adjacent", "weak", "opposing"]
    """How focal and competing value lie on the circle of values."""
    people: Said | None = None
    """What people said of it; none where nobody did."""
    machine: Sorted | None = None
    """Where machines that saw no labels put the actions; none where none did."""
    naming: Named | None = None
    """What readers who saw no labels named as topic and value; none where nobody did."""


class ReleasedDilemma(Dilemma):
    """A line of `data/dilemmas.jsonl`: a dilemma with what is derived of it, and the mark of the release."""

    derived: Derived
    """What follows from it, and from what was said of it."""
    canary: Canary


class _Row(Record):
    """What the rows about dilemmas begin with."""

    id: Identifier
    """Id of the dilemma."""
    revision: int = Field(ge=1)
    """Its revision."""


class DilemmaRow(_Row):
    """A row of `data/dilemmas.parquet`: one dilemma."""

    content_sha256: str
    """Checksum of value, topic, competing value, scenario, and the six texts with their labels."""
    value: str
    """The focal value, one of 56."""
    basic_value: str
    """Its basic value, one of ten."""
    higher_order: str
    """Its higher-order type; two with a comma between them for Hedonism."""
    topic: str
    """The social topic, one of eleven."""
    competing_value: str
    """The value that pulls the other way."""
    relation: str
    """How the two lie on the circle of values: `opposing`, `weak` or `adjacent`."""
    setting_place: str | None
    """Where it was planned to take place."""
    setting_relationship: str | None
    """Who the other person was planned to be."""
    setting_role: str | None
    """What the reader was planned to be or do there."""
    setting_stakes: str | None
    """What was planned to be at stake."""
    scenario: str
    """The situation, in the second person."""
    aligned_strong: str
    """The action that fully serves the focal value."""
    aligned_moderate: str
    """The action that serves it for the most part."""
    aligned_mild: str
    """The action that leans towards it."""
    opposed_mild: str
    """The action that leans towards the competing value."""
    opposed_moderate: str
    """The action that serves the competing value for the most part."""
    opposed_strong: str
    """The action that fully serves the competing value."""
    aligned_strong_rationale: str
    """Why it has this place; not for the model that is asked. So the next five."""
    aligned_moderate_rationale: str
    """See above."""
    aligned_mild_rationale: str
    """See above."""
    opposed_mild_rationale: str
    """See above."""
    opposed_moderate_rationale: str
    """See above."""
    opposed_strong_rationale: str
    """See above."""
    provenance_kind: str
    """Whether a `model` or a `person` wrote it."""
    provenance_author: str
    """Which model, or the person's name or pseudonym."""
    provenance_method: str
    """How it was written."""
    provenance_created: str
    """When (ISO 8601)."""
    provenance_template_sha256: str | None
    """Checksum of the prompt's template."""
    provenance_seed: int | None
    """Sampling seed."""
    provenance_model_revision: str | None
    """Checksum of the model's weights."""
    provenance_server: str | None
    """What the server said of itself."""
    provenance_parameters: str | None
    """How the model was sampled: JSON."""
    provenance_attempt: int | None
    """Which attempt gave this text."""
    review_status: str
    """`accepted` or `revised` by people; `unreviewed` or `undecided` only where a release says that it has such."""
    reviewers: int
    """Verdicts of people, over all rounds and revisions."""
    people_revision: int | None
    """The newest revision that people judged; the other columns on people are about it."""
    people_reviewers: int | None
    """People whose judgement of it is in this release."""
    people_decision_agreement: float | None
    """Share of pairs of reviewers with the same decision; null with a single one."""
    people_label_agreement: float | None
    """The same of what they say of an action's label, averaged over actions."""
    people_labels_hold: float | None
    """Share of their verdicts that say the label holds."""
    machine_readings: int | None
    """Readings by machines that saw no labels, of this revision."""
    machine_read: int | None
    """Those whose reply could be read."""
    machine_side: float | None
    """Share of actions put on the side they are labelled with."""
    machine_tau: float | None
    """Kendall's tau-b of intended and judged places, averaged over readings."""
    naming_readings: int | None
    """Readers who named topic and value without seeing them, of this revision."""
    naming_topic: float | None
    """Share of them that name its topic."""
    naming_value: float | None
    """Share of them that name its focal value out of the candidates offered."""
    canary: Canary


class ActionRow(_Row):
    """A row of `data/actions.parquet`: one action of a dilemma."""

    polarity: str
    """`aligned` with the focal value or `opposed` to it."""
    intensity: str
    """`strong`, `moderate` or `mild`: how fully the side is taken."""
    score: float
    """What choosing it counts for, from 1 (strongly aligned) to -1, in even steps."""
    text: str
    """What I do."""
    rationale: str
    """Why it has this place; not for the model that is asked."""
    review_status: str
    """What people made of its dilemma, as in `data/dilemmas.parquet`."""
    people: int
    """People's verdicts on its label, of the newest revision they judged."""
    people_hold: int
    """Those that say the label holds."""
    people_side: int
    """Those that put it on the side it is labelled with, whatever they say of the strength."""
    machines: int
    """Placements of it by machines that saw no labels, of this revision."""
    machines_hold: int
    """Those into its very place."""
    machines_side: int
    """Those on the side it is labelled with."""
    canary: Canary


class JudgementRow(Record):
    """A row of `data/judgements.parquet`: one answer of one reader about one dilemma or one of its actions."""

    id: Identifier
    """Id of the dilemma."""
    revision: int = Field(ge=1)
    """Revision that was judged; its text may be an earlier one than the release has."""
    kind: Literal["person", "machine"]
    """People's and machines' judgements are never mixed."""
    reviewer: str
    """The person's pseudonym, or the model's name."""
    reading: int = Field(ge=0)
    """Number of the reading by the same reader, from 0."""
    criterion: Literal["decision", "harmless", "sufficient", "plausible", "place", "label", "comment"]
    """What was asked. `place`: where an action belongs, its label unseen; `label`: whether its label holds."""
    polarity: str | None
    """Side of the action it is about; null for the whole dilemma."""
    intensity: str | None
    """Strength of the action it is about; null for the whole dilemma."""
    answer: str
    """The answer; a place is put as `strong aligned`."""
    canary: Canary


def column(name: str) -> str:
    """A variable's name as the name of a column.

    >>> column("child rearing value")
    'child_rearing_value'
    """
    return name.replace(" ", "_")


PersonaRow: type[Record] = create_model(  # type: ignore[call-overload]  # names of fields are data here
    "PersonaRow",
    __base__=Record,
    __doc__="A row of `data/personas.parquet`: one built-in persona.",
    id=(Identifier, Field(description="Name of the persona.")),
    sets=(str, Field(description="Built-in sets that it is in, with a comma and a space between them.")),
    category=(str, Field(description="`moderate`, `max` or `incongruous`.")),
    T=(float, Field(description="Place from traditional (-1) to secular-rational (+1).")),
    S=(float, Field(description="Place from survival (-1) to self-expression (+1).")),
    incongruity=(float, Field(description="The larger of the conflicts within the two axes, 0 to 1.")),
    **{column(one.name): (str, Field(description=f"{one.explanation} One of: {'; '.join(one.labels)}."))
       for one in variables()},
    canary=(Canary, ...),
)  # fmt: skip
