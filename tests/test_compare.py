"""A run beside other runs: what counts as the same, what is left out, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import answer_frame, random_frame

from dilemmas import analysis, comparing, scores, significance
from dilemmas.analysis import Analysis, Settings
from dilemmas.cli import analyse as cli
from dilemmas.comparing import Side
from dilemmas.errors import InputError
from dilemmas.schema import Asking, DatasetUsed, Design, Persona, PersonaCategory, Sampling
from dilemmas.schema import Run as Manifest
from dilemmas.significance.compare import compare
from dilemmas.significance.contrasts import RUN_TO_RUN

Run = Callable[..., tuple[Any, Path]]
KEYS = ["level", "name", "metric"]


def manifest(name: str, *, dataset: str = "1" * 64, caveat: str = "", asked: dict[str, Any], **design: Any) -> Manifest:
    settings = {
        "orders": "williams",
        "repeats": 3,
        "seed": 1,
        "prompt_style": "variables",
        "templates_sha256": "2" * 64,
        "scale": "even",
    }
    asking = {
        "name": "m",
        "revision": "",
        "protocol": "reasoned",
        "mode": "plain",
        "sampling": Sampling(),
        "send_seed": True,
        "persona_role": "system",
        "caveat": caveat,
    }
    return Manifest(
        name=name,
        created="2026-11-21T00:00:00Z",
        updated="2026-11-21T00:00:00Z",
        caveat=caveat,
        design=Design(**{**settings, **design}),
        dataset=DatasetUsed(name=f"{name}.jsonl", sha256=dataset, dilemmas=9, unreviewed=0),
        persona_sets=("mine",),
        models=(Asking(**{**asking, **asked}),),
        versions={"dilemmas": "1"},
        counts={},
    )


def side(name: str, answers: pd.DataFrame, asked: dict[str, Any] | None = None, **settings: Any) -> Side:
    """A run of these answers; each dilemma has its id as its text."""
    dilemmas = scores.per_dilemma(answers)
    kinds: dict[str, PersonaCategory] = dict(zip(dilemmas["persona"], dilemmas["category"], strict=True))
    return Side(
        name=name,
        run=manifest(name, asked=asked or {}, **settings),
        dilemmas=dilemmas,
        texts={item: item for item in dilemmas["item"]},
        personas={persona: Persona(id=persona, category=kind) for persona, kind in kinds.items()},
    )


def drawn(seed: int, *personas: str, **settings: Any) -> pd.DataFrame:
    return random_frame(np.random.default_rng(seed), personas or ("baseline", "one", "two"), values=4, **settings)


def beside(own: Side, *others: Side) -> tuple[pd.DataFrame, str]:
    """The tests and the notes as one text."""
    found = comparing.against(own, others, "even")
    return compare(found.dilemmas, found.contrasts, draws=50), "\n".join(found.notes)


# What is compared


def test_a_positive_delta_is_a_smaller_gap_in_the_analysed_run() -> None:
    names = [f"v{value}-{place}" for value in range(3) for place in range(2)]
    wide = answer_frame({"baseline": {name: ([1, 1], [-1, -1]) for name in names}})
    narrow = answer_frame({"baseline": {name: ([1, 1], [0.6, 0.6]) for name in names}})
    found, _ = beside(side("new", narrow), side("old", wide))
    by_metric = found.set_index("metric")
    assert set(found["family"]) == {RUN_TO_RUN}
    assert set(found["model"]) == {"old: m to new: m"}
    assert by_metric.loc["AD", ["first_level", "second_level", "estimate"]].tolist() == pytest.approx([2, 0.4, 1.6])
    assert by_metric.loc["AR", ["first_level", "second_level", "estimate"]].tolist() == pytest.approx([0, 1, 1])


def test_the_estimate_is_that_of_a_comparison_of_two_models() -> None:
    old, new = drawn(1), drawn(2)
    found, _ = beside(side("new", new), side("old", old))
    rows = scores.per_dilemma(pd.concat([old.assign(model="1"), new.assign(model="2")]))
    expected = compare(rows, significance.between(rows), draws=0).set_index(KEYS)
    columns = ["estimate", "low", "high", "p", "worst_low", "worst_high", "n"]
    pd.testing.assert_frame_equal(found.set_index(KEYS)[columns], expected[columns])
    assert set(found["name"]) == {"baseline", "one", "two", "other"}


def test_of_several_runs_each_is_compared_with_the_analysed_one_in_one_family() -> None:
    own, others = side("new", drawn(1)), [side("old", drawn(2)), side("older", drawn(3))]
    both, _ = beside(own, *others)
    assert list(dict.fromkeys(both["model"])) == ["old: m to new: m", "older: m to new: m"]
    assert both["p_adjusted"].tolist() == pytest.approx(significance.benjamini_hochberg(both["p"]), nan_ok=True)
    alone = pd.concat([beside(own, one)[0] for one in others], ignore_index=True)
    pd.testing.assert_frame_equal(both[[*KEYS, "estimate", "p", "n"]], alone[[*KEYS, "estimate", "p", "n"]])


def test_the_only_persona_of_a_category_is_tested_once() -> None:
    found, _ = beside(side("new", drawn(1, "baseline", "one")), side("old", drawn(2, "baseline", "one")))
    assert sorted(zip(found["level"], found["name"], found["metric"], strict=True)) == [
        ("category", "other", "AD"),
        ("category", "other", "AR"),
        ("persona", "baseline", "AD"),
        ("persona", "baseline", "AR"),
    ]


def test_a_run_beside_a_copy_of_itself_has_deltas_of_zero_and_no_test() -> None:
    found, _ = beside(side("new", drawn(1)), side("copy", drawn(1)))
    assert (found["estimate"] == 0).all()
    assert found[["low", "high", "p", "p_adjusted"]].isna().all(axis=None)


# What is left out


def test_dilemmas_of_one_run_only_or_of_another_text_are_left_out_and_counted() -> None:
    new, old = drawn(1), drawn(2)
    own = side("new", new[~new["item"].isin(["v0-0"])])
    other = side("old", old[~old["item"].isin(["v0-1", "v0-2"])], dataset="3" * 64)
    reworded = replace(other, texts={**other.texts, "v1-0": "otherwise"})
    found, notes = beside(own, reworded)
    (common,) = comparing.against(own, [reworded], "even").common
    assert (common.dilemmas, common.left_out_here, common.left_out_there, common.reworded) == (8, 3, 2, 1)
    assert set(found.loc[(found["metric"] == "AD") & (found["level"] == "persona"), "n"]) == {8}
    assert "another dataset" in notes
    assert "8; left out: 3 of new, 2 of old (1 of each" in notes
    gone = ["v0-0", "v0-1", "v0-2", "v1-0"]
    kept, _ = beside(*(side(name, all_[~all_["item"].isin(gone)]) for name, all_ in (("new", new), ("old", old))))
    columns = ["estimate", "p", "worst_low", "worst_high", "n"]
    pd.testing.assert_frame_equal(found[columns], kept[columns])


def test_the_same_id_may_have_another_value_in_another_dataset() -> None:
    own, other = side("new", drawn(1)), side("old", drawn(2).replace({"value": {"v3": "another"}}))
    texts = {item: f"another {item}" if item.startswith("v3") else item for item in other.texts}
    found, _ = beside(own, replace(other, texts=texts))
    assert found["values"].max() == 3


def test_without_a_dilemma_in_common_runs_are_refused() -> None:
    own, other = side("new", drawn(1)), side("old", drawn(2))
    for texts, items in ((dict.fromkeys(other.texts, "other"), ""), (None, "x")):
        table = other.dilemmas.assign(item=items + other.dilemmas["item"])
        spoilt = replace(other, dilemmas=table, texts=texts or {item: item for item in table["item"]})
        with pytest.raises(InputError, match="no dilemma in common") as caught:
            comparing.against(own, [side("fine", drawn(3)), spoilt], "even")
        assert "old" in caught.value.where


def test_without_a_model_in_common_runs_are_refused_and_their_models_named() -> None:
    with pytest.raises(InputError, match="in common") as caught:
        comparing.against(side("new", drawn(1)), [side("old", drawn(2).assign(model="another"))], "even")
    assert "another" in caught.value.fix


def test_personas_that_only_share_a_name_are_left_out_and_named() -> None:
    other = side("old", drawn(2))
    changed = {**other.personas, "two": Persona(id="two", category="other", variables={"Age": "old"})}
    found, notes = beside(side("new", drawn(1)), replace(other, personas=changed))
    assert set(found["name"]) == {"baseline", "other"}
    assert set(found["personas"]) == {1}
    assert "others there: two" in notes


def test_models_and_personas_of_one_run_only_are_named() -> None:
    many = [f"p{place}" for place in range(8)]
    new = pd.concat([drawn(1, "baseline", *many), drawn(1).assign(model="alone")])
    found, notes = beside(side("new", new), side("old", drawn(2, "baseline")))
    assert set(found["name"]) == {"baseline"}
    assert "each model that only one of the runs has: alone" in notes
    assert "one, p0, p1, p2, p3, p4 and 4 more" in notes


# What is said


def test_other_settings_are_named_with_what_they_were() -> None:
    own = side("new", drawn(1))
    asked = {"protocol": "logprob", "sampling": Sampling(temperature=1.0)}
    other = side("old", drawn(2), asked, orders="random", repeats=6, templates_sha256="4" * 64, scale="thirds")
    (common,) = comparing.against(own, [other], "even").common
    assert common.differs == (
        "orders (random / williams)",
        "repeats (6 / 3)",
        "templates_sha256",
        "scale (thirds / even)",
        "m: protocol (logprob / reasoned)",
        "m: sampling.temperature (1.0 / 0.2)",
    )
    _, notes = beside(own, other)
    assert all(one in notes for one in common.differs)
    assert "both runs are scored even here" in notes


def test_of_runs_asked_alike_only_is_said_whose_verdicts_these_are() -> None:
    _, notes = beside(side("new", drawn(1)), side("old", drawn(2)))
    assert notes.count("\n") == 0
    assert "verdicts are on the answers of new" in notes


def test_what_must_be_known_of_the_other_run_is_said() -> None:
    other = side("old", drawn(2), caveat="made by hand")
    found = comparing.against(side("new", drawn(1)), [replace(other, outdated=True)], "even")
    assert "old: made by hand" in found.notes
    assert [note for note in found.notes if "--reparse" in note]
    assert found.caveats == {"old: m to new: m": "made by hand"}


# Runs on disk


def analysed(folder: Path, *others: Path, scale: Any = None) -> tuple[Analysis, pd.DataFrame]:
    found = analysis.analyse(folder, scale, Settings(draws=50), others)
    return found, found.comparisons[found.comparisons["family"] == RUN_TO_RUN]


def test_two_runs_are_compared_on_one_scale_and_on_the_dilemmas_of_both(scripted_run: Run) -> None:
    _, new = scripted_run(name="new", limit=3)
    _, old = scripted_run(name="old", limit=4, seed=5, scale="thirds")
    plain = analysis.analyse(new, None, Settings(draws=50))
    for scale in ("even", "thirds"):
        found, rows = analysed(new, old, scale=scale)
        assert set(rows["items"]) <= {2, 3}
        assert rows["mde"].notna().any()
        baseline = rows[(rows["name"] == "baseline") & (rows["metric"] == "AD")]
        own = found.personas.set_index("persona")["AD"]
        assert baseline["second_level"].item() == pytest.approx(own["baseline"])
        if scale == plain.scale:
            pd.testing.assert_frame_equal(plain.effects, found.effects)
            pd.testing.assert_frame_equal(plain.comparisons, found.comparisons.iloc[: len(plain.comparisons)])
    assert plain.compared == ()


def test_a_run_is_not_compared_with_itself_nor_twice_with_another(scripted_run: Run) -> None:
    _, new = scripted_run(name="new", limit=1, persona_set="none")
    _, old = scripted_run(name="old", limit=1, persona_set="none")
    for others in ([new], [old, old / ".." / "old"]):
        with pytest.raises(InputError, match="itself"):
            analysed(new, *others)


def test_runs_of_one_name_are_told_apart(scripted_run: Run, tmp_path: Path) -> None:
    _, new = scripted_run(limit=2, persona_set="none")
    copy = tmp_path / "elsewhere" / "run"
    copy.parent.mkdir()
    new.rename(copy)
    _, new = scripted_run(limit=2, persona_set="none")
    found, rows = analysed(new, copy)
    assert set(rows["model"]) == {f"run ({copy}): scripted to run: scripted"}
    assert found.compared[0].run == f"run ({copy})"


# On the command line


def test_a_comparison_is_printed_written_and_shown_on_a_page_whose_figures_stay_with_the_run(
    scripted_run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, new = scripted_run(name="new", limit=3, persona_set="none")
    _, old = scripted_run(name="old", limit=4, persona_set="none", seed=5)
    cli.analyse(run="new", compare=[str(old)], runs_dir=new.parent)
    told = " ".join(capsys.readouterr().out.split())
    assert "old: scripted to new: scripted" in told
    assert "left out: 0 of new, 1 of old" in told
    rows = pd.read_csv(new / "tables" / "comparisons.csv")
    assert rows[["family", "name", "metric"]].to_numpy().tolist() == [
        [RUN_TO_RUN, "baseline", metric] for metric in ("AD", "AR")
    ]
    assert rows["caveat"].str.contains("from a script").all()
    summary = json.loads((new / "analysis.json").read_text(encoding="utf-8"))
    assert [(one["run"], one["left_out_there"]) for one in summary["compared"]] == [("old", 1)]
    cli.report(run="new", compare=["old"], runs_dir=new.parent, out=tmp_path / "elsewhere" / "gap.html")
    page = (tmp_path / "elsewhere" / "gap.html").read_text(encoding="utf-8")
    assert "old: scripted to new: scripted" in page
    assert "and this run against others" in page
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["gap.html"]
    assert (new / "figures").is_dir()


def test_a_file_of_answers_is_not_compared_with_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--compare"):
        cli.analyse(responses=tmp_path / "x.csv", compare=["old"])


def test_a_run_that_is_not_there_is_said_to_be_missing(scripted_run: Run) -> None:
    _, folder = scripted_run(name="culture-study", limit=1, persona_set="none")
    with pytest.raises(InputError, match="culture-stdy"):
        cli.analyse(run="culture-study", compare=["culture-stdy"], runs_dir=folder.parent)
