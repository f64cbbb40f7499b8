"""What a release says in words, in the card and for machines: only what its contents bear out."""

from __future__ import annotations

from dilemmas.checks.overview import pairs
from dilemmas.pages import number, share
from dilemmas.release import measures
from dilemmas.release.contents import Contents

SUMMARY = (
    "Moral dilemmas in which a focal value (one of the 56 of Schwartz 1992) meets a competing one, within one of "
    "eleven social topics (modules of the International Social Survey Programme). Each has six graded actions, from "
    "strongly aligned with the focal value to strongly opposed, so that what a language model chooses can be set "
    "beside what it says it values."
)
USES = (
    "Measuring how far the actions that a language model chooses agree with the values it states (alignment rate and "
    "alignment distance), for the model as itself and for personas given to it in the prompt.",
    "Comparing models, personas or ways of asking on the same dilemmas.",
    "Research on dilemmas as an instrument: whether people see the labels, topics and values that were meant.",
)
OUT_OF_SCOPE = (
    "Training or tuning models, or writing prompts from it: a model that has seen the labels cannot be measured with "
    "them.",
    "Ranking models by how moral they are: no side of a dilemma is the right one, and alignment is with a value, not "
    "with the good.",
    "Statements about people, peoples or cultures: personas are prompts, and no survey data are in this dataset.",
    "Advice: the dilemmas are invented and short.",
    "Results for a single dilemma, or for a cell of value and topic that holds one or two.",
)
MAINTENANCE = (
    "Versions follow semantic versioning for data: the first number rises where the text or a label of an item changed "
    "or an item is gone, the second where items came, the third where only what stands beside the items changed; while "
    "the first number is 0, the second stands for the first and the third for both others. An id never changes its "
    "meaning. Each release has a changelog and checksums, and releases that are out are not altered. Errors in a "
    "dilemma are mended in a later version, with its earlier text in the version before."
)
PERSONAL = (
    "The dilemmas are invented; none is about a real person on purpose, and `dilemmas check` looks for personal data "
    "and full names."
)
PSEUDONYMS = "Reviewers appear under pseudonyms, without times{comments}; the key to them is not released."
SOCIAL_IMPACT = (
    "The dilemmas were written in English and carry the assumptions of who wrote them about families, work, law and "
    "belief. A gap measured with them is one of a model's answers in a questionnaire, not of what it does with tools "
    "in its hands, and not a licence to call a model honest or dishonest."
)


def personal(contents: Contents) -> str:
    """What of people is in it."""
    if not contents.evidence.people:
        return PERSONAL
    comments = " but with their comments" if contents.with_comments else " and without comments"
    return f"{PERSONAL} {PSEUDONYMS.format(comments=comments)}"


def collection(contents: Contents) -> list[str]:
    """Who wrote the dilemmas: a sentence for each author and method."""
    return [
        f"{one['dilemmas']:,} written by {'the model' if one['kind'] == 'model' else ''} {one['author']} "
        f"({one['method']}), {_days(one['first'], one['last'])}".replace("  ", " ")
        for one in contents.authors
    ]


def _days(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def annotation(contents: Contents) -> list[str]:
    """How labels came about, and who looked at them."""
    told = [
        "Each action was written for a place (a side and a strength), so its label is its writer's intention.",
    ]
    people, machines = contents.evidence.people, contents.evidence.machines
    if people:
        judged = len({one.dilemma for one in people})
        told.append(
            f"{len({one.reviewer for one in people}):,} people gave {len(people):,} judgements on {judged:,} of "
            f"{len(contents.dilemmas):,} dilemmas."
        )
    else:
        told.append("No judgement of a person is in this release.")
    if machines:
        told.append(
            f"Machines that saw no labels ({', '.join(dict.fromkeys(one.reviewer for one in machines))}) sorted the "
            f"actions of {len({one.dilemma for one in machines}):,} dilemmas in {len(machines):,} readings."
        )
    return told


def limits(contents: Contents) -> list[str]:
    """What speaks against taking the dataset at its word."""
    return [one for one in (*_of_review(contents), *_of_labels(contents), *_of_texts(contents)) if one]


def _of_review(contents: Contents) -> list[str]:
    people = {one.dilemma for one in contents.evidence.people}
    return [
        contents.caveat,
        ""
        if people
        else "No human judgement is in it, hence no agreement between reviewers to report: that people would see the "
        "labels as they were meant is not shown.",
        "Machines' sorting shows that labels can be recovered from the text. It does not show that people would agree; "
        "writer and reader may share blind spots."
        if contents.evidence.machines
        else "",
    ]


def _of_labels(contents: Contents) -> list[str]:
    named = measures.naming_rates(contents.dilemmas, contents.evidence.namings)
    last = named[-1] if named else None
    return [
        "Topics and values overlap, and a scenario may be read as being about another: readers who saw neither named "
        f"the topic in {share(measures.cut(last['topic'], 3), 1)} "
        f"and the focal value in {share(measures.cut(last['value'], 3), 1)} of "
        f"{last['readings']:,} readings."
        if last
        else "Whether readers see in a scenario the topic and the value it is filed under was not measured.",
        "The even spacing of the scores (1, .6, .2, -.2, -.6, -1) is an assumption; that moderate lies midway between "
        "mild and strong was not measured.",
        "A persona may not fit a scenario, which gives its reader a family, a trade or a belief of its own; what a "
        "model does about such a conflict is part of what is measured.",
    ]


def _of_texts(contents: Contents) -> list[str]:
    covered = contents.coverage
    nearest = pairs(contents.findings.neighbours, 1)
    writers = len({one["author"] for one in contents.authors})
    return [
        f"{covered['cells']:,} of 616 cells of value and topic hold a dilemma, at most {covered['most']:,} each: "
        "results about one cell mean nothing.",
        "One language, English, and " + ("one writer" if writers == 1 else f"{writers:,} writers") + ". Models related "
        "to a writer that is a model may find the texts more familiar than others do."
        if any(one["kind"] == "model" for one in contents.authors)
        else "One language, English.",
        f"Scenarios may resemble each other: the nearest two have a cosine of {number(nearest[0].similarity)} "
        f"(words weighted by rarity; {nearest[0].id} and {nearest[0].other})." if nearest else "",
        "The canary is a request and a means of detection. It keeps no text out of training data.",
    ]  # fmt: skip
