"""What the report of a large study costs: `python benchmarks/report.py [--runs FOLDER] [--models 6]`.

A simulated run is put into a store, with prompts as they would be sent and replies of some 300
characters: 616 dilemmas x 13 conditions x 2 questions x 3 repeats, 48,048 replies a model. Then it is
analysed, and its report is written with all figures and tables. Told are seconds by the clock and of
the processor for both, and the size of the page. With `--runs` the store is kept in
that folder, and used again where it is there. Exits 1 where the report takes 60 s of the processor or
more, or where the page has 15 MB or more.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np

from dilemmas import analysis, config, dataset, manifest, report, simulation, taxonomy
from dilemmas import study as planning
from dilemmas.protocols import PARSER_VERSION
from dilemmas.questions import INSTRUMENTS
from dilemmas.resources import now
from dilemmas.schema import Asking, Capabilities, Dilemma, ModelIdentity, Reply, Response, canonical_json
from dilemmas.store import FILE, Planned, Store

MOST_SECONDS = 60.0
MOST_BYTES = 15_000_000
CODES = {one.SIDE: list(one.CODES) for one in INSTRUMENTS.values()}
TRUTHS = (
    simulation.Settings(categories=3, effect=0.06, noise=0.25),
    simulation.Settings(categories=3, effect=-0.04, noise=0.2, missing=0.02),
    simulation.Settings(categories=3, effect=0.1, noise=0.3, value_sd=0.3),
    simulation.Settings(categories=3, noise=0.3, position=0.6),
    simulation.Settings(categories=3, noise=0.35, position=0.03, missing=0.12, missing_baseline=0.02),
    simulation.Settings(categories=3, effect=0.03, noise=0.15),
)
NAMES = ("org/large-instruct", "org/small-instruct", "other-70b", "letter-follower", "often-refuses", "steady-12b")


def made_up(runs: Path, models: int) -> Path:
    """The folder of a run of some models, made if it is not there."""
    folder = runs / "large"
    if (folder / FILE).is_file():
        return folder
    folder.mkdir(parents=True)
    path = folder / "grid.jsonl"
    path.write_text("".join(dataset.to_line(one) + "\n" for one in _dilemmas()), encoding="utf-8")
    chosen = config.load(None, {"name": "large", "dataset": str(path), "persona_set": "twelve", "model.name": "any"})
    study = planning.prepare(chosen)
    with Store.writing(folder / FILE) as store:
        store.add_records("items", ((one.id, dataset.to_line(one)) for one in study.dilemmas))
        store.add_records("personas", ((one.id, canonical_json(one.model_dump())) for one in study.personas))
        for number, (name, truth) in enumerate(zip(NAMES[:models], TRUTHS, strict=False)):
            identity = ModelIdentity(name=name, revision=f"{number}" * 40)
            server = Capabilities(top_logprobs=20, reply_schema="bounded", server="a-server 1.0")
            asking = planning.asking_of(chosen.model, identity, "reasoned", server)
            store.update_run(lambda old, asking=asking: manifest.renewed(study, old, [asking]))
            _answer(store, study, asking, truth, number)
        manifest.finish(store, folder)
    return folder


def _dilemmas() -> list[Dilemma]:
    """One dilemma for each value and topic, of the shipped one's words."""
    shipped = dataset.read(dataset.shipped_path()).dilemmas
    values = list(taxonomy.values())
    found = []
    for v, value in enumerate(values):
        for t, topic in enumerate(taxonomy.topics()):
            like = shipped[(11 * v + t) % len(shipped)]
            place = {"id": f"v{v:02}-t{t:02}", "value": value, "topic": topic, "competing_value": values[v - 1]}
            found.append(like.model_copy(update={**place, "scenario": f"{like.scenario} ({value}, {topic})"}))
    return found


def _answer(store: Store, study: planning.Study, asking: Asking, truth: simulation.Settings, seed: int) -> None:
    simulated = simulation.draw(simulation.places_of(study.dilemmas), truth, seed=seed)
    where = [
        {name: at for at, name in enumerate(names)}
        for names in (("stated", "acted"), [name for name, _ in simulated.conditions], simulated.places["item"])
    ]
    follows = np.random.default_rng(seed).random(simulated.choices.shape) < truth.position
    trials = planning.plan(study, asking)
    while batch := list(islice(trials, 5000)):
        store.add_trials(batch)
        rows = []
        for planned in batch:
            trial = planned.trial
            side, persona, item = (
                names[name] for names, name in zip(where, (trial.side, trial.persona, trial.item), strict=True)
            )
            place = (side, persona, item, trial.repeat)
            rows.append(_replied(planned, int(simulated.choices[place]), follows=bool(follows[place])))
        with store.together():  # one for all: an evaluation acknowledges each reply by itself
            replies, responses = zip(*rows, strict=True)
            store._db.executemany(
                "INSERT INTO replies (trial, reply, at) VALUES (?, ?, ?)", [(*one, now()) for one in replies]
            )
            store._db.executemany("INSERT INTO responses VALUES (?, ?, ?, ?)", responses)


def _replied(planned: Planned, choice: int, *, follows: bool) -> tuple[tuple[str, str], tuple[str, int, str, str]]:
    trial = planned.trial
    if choice < 0:
        reply = Reply(text="I'm sorry, but I can't help with choosing between these.", finish_reason="stop")
        response = Response(status="refused", reason="words of declining")
    else:
        code = trial.order[0] if follows else CODES[trial.side][choice]
        letter = "ABCDEF"[trial.order.index(code)]
        words = trial.messages[-1].content[40:300].replace("\n", " ")
        reply = Reply(text=json.dumps({"reasoning": words, "answer": letter}), finish_reason="stop")
        response = Response(status="answered", code=code, letter=letter)
    record = canonical_json(response.model_dump())
    return (trial.id, canonical_json(reply.model_dump())), (trial.id, PARSER_VERSION, response.status, record)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, help="keep the run in this folder")
    parser.add_argument("--models", type=int, default=6, help="at most 6")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        at = time.perf_counter()
        folder = made_up(given.runs or Path(place), given.models)
        print(f"the run took {time.perf_counter() - at:.1f} s to make or to find", file=sys.stderr)
        at, began = time.perf_counter(), time.process_time()
        found = analysis.analyse(folder)
        analysed, analysing = time.perf_counter() - at, time.process_time() - began
        at, began = time.perf_counter(), time.process_time()
        size = report.write(found, folder / "report.html").stat().st_size
        seconds, cpu = time.perf_counter() - at, time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("| models | answers | analysis s | cpu s | report s | cpu s | page MB | peak MiB |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    print(
        f"| {given.models} | {len(found.answers):,} | {analysed:.1f} | {analysing:.1f} | {seconds:.1f} | {cpu:.1f} "
        f"| {size / 1e6:.1f} | {peak:,.0f} |"
    )
    return int(cpu >= MOST_SECONDS or size >= MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
