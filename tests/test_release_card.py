"""What a release says of itself: only what its contents bear out, and the same in every place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_release_build import DAY, SHIPPED, reviewed, sorting, verdict

from dilemmas import checks, dataset
from dilemmas.release import card, citation, croissant, evidence, figures, measures, statements
from dilemmas.release.build import FORMS
from dilemmas.release.contents import LICENSE_ID, TITLE, UNREVIEWED, Contents
from dilemmas.release.evidence import Evidence, Naming
from dilemmas.release.layout import CANARY, CONFIGS, DILEMMAS
from dilemmas.release.versions import Version
from dilemmas.schema import PLACES, Dilemma, Finding, Findings, Judgement

ROWS = {"dilemmas": 6, "actions": 36, "personas": 12}
Make = Callable[..., Contents]


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    folder = tmp_path_factory.mktemp("checked")
    dataset.write(folder / "some.jsonl", tuple(reviewed()))
    return checks.check(folder / "some.jsonl", folder)[0]


@pytest.fixture
def make(findings: Findings) -> Make:
    """Contents of six reviewed dilemmas, with what a test says otherwise."""

    def contents(dilemmas: list[Dilemma] | None = None, **fields: Any) -> Contents:
        told = {"version": Version(0, 1, 0), "date": DAY, "dilemmas": tuple(dilemmas or reviewed()),
                "left_out": {}, "evidence": Evidence(), "findings": findings, "dataset": "some.jsonl",
                "dataset_sha256": "0" * 64}  # fmt: skip
        return Contents(**(told | fields))

    return contents


def placed(dilemma: Dilemma, reviewer: str, *, kind: str = "person", shift: int = 0, **fields: Any) -> Judgement:
    """A sorting that puts each action some places on, from the first to the last."""
    placements = [
        {"polarity": own[0], "intensity": own[1], "judged_polarity": seen[0], "judged_intensity": seen[1]}
        for at, own in enumerate(PLACES)
        for seen in [PLACES[min(at + shift, 5)]]
    ]
    told = {"dilemma": dilemma.id, "revision": dilemma.revision, "kind": kind, "reviewer": reviewer,
            "decision": "accept" if kind == "person" else None, "placements": placements}  # fmt: skip
    return Judgement.model_validate(told | fields)


def named(dilemma: Dilemma, **fields: Any) -> Naming:
    told = {"dilemma": dilemma.id, "revision": dilemma.revision, "reader": "reader-1", "topic": dilemma.topic,
            "value": dilemma.value, "candidates": ["Honest", "Loyal", "Wealth", "Devout", dilemma.value]}  # fmt: skip
    return Naming.model_validate(told | fields)


def front(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text.split("---\n")[1]))


def test_the_front_matter_is_read_as_it_was_meant(make: Make) -> None:
    found = front(card.readme(make(), ROWS))
    assert found["license"] == "cc-by-4.0"
    assert found["language"] == ["en"]  # as text: YAML 1.1 takes some codes of languages for truth values
    assert found["size_categories"] == ["n<1K"]
    assert [one["config_name"] for one in found["configs"]] == ["dilemmas", "actions", "personas"]
    assert [one.get("default", False) for one in found["configs"]] == [True, False, False]
    assert found["configs"][0]["data_files"] == [{"split": "test", "path": CONFIGS["dilemmas"]}]


@pytest.mark.parametrize(("n", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (10_000, "10K<n<100K")])
def test_the_size_is_told_in_the_words_of_the_hub(make: Make, n: int, size: str) -> None:
    one = reviewed(1)[0]
    many = [one.model_copy(update={"id": f"number-{at}"}) for at in range(n)]
    assert card.front_matter(make(many), ROWS)["size_categories"] == [size]


def test_every_place_says_that_dilemmas_are_not_reviewed(make: Make) -> None:
    contents = make([*reviewed(4), *SHIPPED[4:6]], include_unreviewed=True)
    caveat = f"2 of 6 dilemmas are {UNREVIEWED}."
    for text in (
        card.readme(contents, ROWS),
        card.changelog(contents),
        citation.zenodo(contents),
        citation.bibtex(contents),
        yaml.safe_load(citation.cff(contents))["abstract"],
        json.loads(croissant.text(contents, {DILEMMAS: b""}, FORMS))["description"],
    ):
        assert caveat in text
    assert UNREVIEWED.replace(" ", "-") in card.front_matter(contents, ROWS)["tags"]
    assert caveat in statements.limits(contents)


def test_no_place_says_so_where_all_are_reviewed(make: Make) -> None:
    contents = make()
    assert contents.caveat == ""
    assert UNREVIEWED not in card.readme(contents, ROWS) + citation.cff(contents) + citation.zenodo(contents)
    assert UNREVIEWED.replace(" ", "-") not in card.front_matter(contents, ROWS)["tags"]


def test_undecided_dilemmas_are_told_apart(make: Make) -> None:
    contents = make([*reviewed(4), *reviewed(6, "undecided")[4:]])
    assert "2 of 6" in contents.caveat
    assert "not settled" in contents.caveat


def test_what_nobody_did_is_said_and_not_counted_as_nothing(make: Make) -> None:
    text = card.readme(make(), ROWS)
    assert "no agreement to report" in text
    assert "No machine's sorting" in text
    assert "was not measured" in text
    assert "neither people's nor machines' judgements are in this release" in text
    assert "nan" not in text.casefold().split()


def test_agreement_of_people_stands_in_the_card(make: Make) -> None:
    some = reviewed()
    people = tuple(
        verdict(one, f"reviewer-0{at}", decision="revise" if (number, at) == (0, 2) else "accept")
        for number, one in enumerate(some)
        for at in (1, 2)
    )
    contents = make(evidence=Evidence(people=people))
    rows = measures.agreement({one.id: one for one in some}, people)
    decision = next(row for row in rows if row["criterion"] == "decision")
    assert decision["raw"] == pytest.approx(5 / 6)  # five of six pairs agree
    text = card.readme(contents, {**ROWS, "judgements": 12})
    assert "| open | decision | 6 | 0.83 [" in text
    assert [one["config_name"] for one in front(text)["configs"]][-1] == "judgements"
    assert "2 people gave 12 judgements on 6 of 6 dilemmas" in text


def test_of_several_judged_revisions_the_newest_counts() -> None:
    (one,) = reviewed(1)
    old = verdict(one, "reviewer-01", revision=1, decision="revise")
    new = [verdict(one, name, revision=2) for name in ("reviewer-01", "reviewer-02")]
    earlier = verdict(one, "reviewer-02", revision=2, decision="reject", created="2026-11-19T00:00:00Z")
    judged = measures.newest([new[1], old, earlier, new[0]])[one.id]
    found = measures.said(judged)
    assert found is not None
    assert (found.revision, found.reviewers, found.decision_agreement) == (2, 2, 1)


def test_sorting_is_told_for_first_and_released_texts() -> None:
    one, two = (each.model_copy(update={"revision": 2}) for each in reviewed(2))
    readings = [
        placed(one, "judge", kind="machine", revision=1, shift=5),  # all six in the last place
        placed(one, "judge", kind="machine"),
        placed(two, "judge", kind="machine"),
    ]
    first, released = measures.passes([one, two], readings, "machine")
    assert (first["dilemmas"], first["revised"]) == (2, 1)
    assert first["side"] == pytest.approx((3 / 6 + 1) / 2)
    assert first["place"] == pytest.approx((1 + 6) / 12)
    assert first["tau"] == pytest.approx(1)  # of the other one: where all are put in one place there is none
    assert (released["side"], released["place"], released["tau"]) == pytest.approx((1, 1, 1))
    assert len(measures.passes([one, two], readings[1:], "machine")) == 1  # nothing was revised after a reading
    assert measures.passes([one, two], [], "machine") == []


def test_people_and_machines_are_not_mixed(make: Make) -> None:
    some = reviewed()
    people = tuple(placed(one, name) for one in some for name in ("reviewer-01", "reviewer-02"))
    machines = tuple(placed(one, "judge-1", kind="machine", shift=1) for one in some)
    text = card.readme(make(evidence=Evidence(people=people, machines=machines)), ROWS)
    by_people, by_machines = text.split("### Machines")
    assert "| released revision | 6 | 12 | 12 | 100.0 % | 100.0 % | 1.000 |" in by_people
    assert "| released revision | 6 | 6 | 6 | 83.3 % | 16.6 % |" in by_machines  # one of six crosses; the last stays
    assert "| blind | place | 36 |" in by_people


def test_naming_rates_stand_in_the_card(make: Make) -> None:
    one, two, three = reviewed(3)
    namings = (
        named(one, topic="Religion" if one.topic != "Religion" else "Politics"),
        named(two),
        named(three, topic=None, value=None),
        named(one, **{"pass": 2}),
        named(two, revision=1, **{"pass": 2, "value": "Honest"}),
    )
    rows = {row["which"]: row for row in measures.naming_rates([one, two, three], namings)}
    assert (rows["pass 1"]["readings"], rows["pass 1"]["unread"]) == (2, 1)
    assert (rows["pass 1"]["topic"], rows["pass 1"]["value"]) == (0.5, 1)
    assert (rows["pass 2"]["topic"], rows["pass 2"]["value"]) == (1, 0.5)
    assert rows["pass 1"]["candidates"] == (5, 5)
    contents = make(evidence=Evidence(namings=namings))
    assert contents.derived[one.id].naming == measures.Named(readings=2, topic=0.5, value=1)
    assert contents.derived[three.id].naming is None
    assert "| pass 1 | 2 | 2 | 1 | 50.0 % | 100.0 % | 5 |" in card.readme(contents, ROWS)


def test_answered_warnings_are_told_from_open_ones(make: Make, findings: Findings) -> None:
    warning = Finding(id=SHIPPED[0].id, revision=1, rule="length", severity="warning", what="long", where="", fix="cut")
    answered = warning.model_copy(update={"answer": "It is meant to be."})
    open_ = card.readme(make(findings=findings.model_copy(update={"findings": (warning, answered)})), ROWS)
    assert "1 of the errors and warnings is neither mended nor answered" in open_
    assert "| length | warning | 2 | 1 |" in open_
    settled = card.readme(make(findings=findings.model_copy(update={"findings": (answered,)})), ROWS)
    assert "All warnings are answered" in settled


def test_text_from_data_is_no_markup(make: Make) -> None:
    (one,) = reviewed(1)
    hostile = "<script>x</script> | [a](b)\n# {{ 7 * 7 }} {% raw %}"
    source = one.provenance.model_copy(update={"author": hostile})
    text = card.readme(make([one.model_copy(update={"provenance": source})]), ROWS)
    row = next(line for line in text.splitlines() if line.startswith("| 1 | model:"))
    assert r"\<script\>" in row
    assert r"\[a\](b) \# {{ 7 \* 7 }}" in row
    assert "<script>" not in text


def test_a_citation_has_no_identifier_that_does_not_exist(make: Make) -> None:
    found = yaml.safe_load(citation.cff(make()))
    assert (found["title"], found["license"], found["version"]) == (TITLE, LICENSE_ID, "0.1.0")
    assert found["date-released"] == DAY  # text, not a date
    assert not {"doi", "url", "repository", "repository-code", "identifiers"} & set(found)
    assert not {"doi", "prereserve_doi"} & set(json.loads(citation.zenodo(make())))


def test_croissant_has_a_field_for_each_column(make: Make) -> None:
    found = json.loads(croissant.text(make(), {DILEMMAS: b"PAR1"}, FORMS))
    assert found["canary"] == CANARY
    assert found["conformsTo"] == croissant.VERSIONS
    (table,) = found["recordSet"]
    assert [one["source"]["extract"]["column"] for one in table["field"]] == list(FORMS[DILEMMAS].model_fields)
    assert all(one["description"] for one in table["field"])
    assert found["distribution"][0]["contentUrl"] == DILEMMAS
    assert {key for key in found if key.startswith("rai:")} >= {
        "rai:dataCollection", "rai:dataLimitations", "rai:dataUseCases", "rai:dataBiases",
        "rai:personalSensitiveInformation", "rai:dataReleaseMaintenancePlan", "rai:dataAnnotationProtocol",
    }  # fmt: skip


def test_figures_are_the_same_every_time_and_tell_no_date(make: Make) -> None:
    contents = make([*reviewed(4), *SHIPPED[4:6]])
    drawn = figures.every(contents)
    assert set(drawn) == {f"figures/{name}.svg" for name in ("coverage", "review", "circle", "lengths", "similarity")}
    assert figures.every(contents) == drawn
    for svg in drawn.values():
        assert svg.startswith("<svg ")
        assert "<metadata>" not in svg
        assert svg.rstrip().endswith(f"<!-- {CANARY} -->")
    assert f"{SHIPPED[0].value} (1)" in drawn["figures/circle.svg"]
    assert "unreviewed" in drawn["figures/review.svg"]


def test_a_single_dilemma_can_be_told_of(make: Make, tmp_path: Path) -> None:
    one = reviewed(1)
    dataset.write(tmp_path / "one.jsonl", tuple(one))
    contents = make(
        one, findings=checks.check(tmp_path / "one.jsonl", tmp_path)[0], evidence=Evidence(machines=(sorting(one[0]),))
    )
    assert "1, with 6 actions" in card.readme(contents, {"dilemmas": 1, "actions": 6, "personas": 12})
    assert figures.every(contents)


def test_rates_are_cut_off_and_never_rounded_up() -> None:
    assert measures.cut(0.99831, 2) == 0.99
    assert [measures.cut(number / 1000, 3) for number in range(1001)] == [number / 1000 for number in range(1001)]


def test_readings_of_single_actions_are_told_apart_from_those_of_six(tmp_path: Path) -> None:
    for path in dataset.shipped_path().parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    found = evidence.read(tmp_path / dataset.SHIPPED, SHIPPED)
    first, later, released = measures.single_rates(SHIPPED, found.singles)
    assert [(row["dilemmas"], row["actions"]) for row in (first, later, released)] == [
        (616, 633),
        (41, 253),
        (616, 839),
    ]
    assert all(0.9 < row["side"] <= 1 and row["place"] < row["side"] for row in (first, later, released))
    assert all(len(one.placements) == 6 for one in found.machines)
