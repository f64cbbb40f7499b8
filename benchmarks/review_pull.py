"""What `dilemmas review pull` costs beside the calls it cannot do without: `python benchmarks/review_pull.py`.

A Label Studio of its own runs on loopback. It holds a project where two people have judged every dilemma
and a machine has sorted its actions, all imported at once. Pulls into new folders and the bare calls take
turns. The bare calls are those of the pull, made by the SDK alone: `projects.list` with the title (its
first page), `projects.exports.download_sync`, whose answer is received and not even parsed, `users.list`
and `predictions.list`. Told are the medians, and the pull over the bare calls. Exits 1 where the ratio is
above 1.5, or where an annotation is missing.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from checks import Writer
from label_studio_sdk import LabelStudio
from review import MOST_OVER_FLOOR, bare_sdk, label_studio, seconds

from dilemmas.review import answers, form, tasks
from dilemmas.review.pull import pull
from dilemmas.review.server import Server
from dilemmas.schema import PLACES, Dilemma, Judgement, Placement

TITLE = "Pulled"


def judged(dilemma: Dilemma, users: list[int], rng: random.Random) -> dict[str, Any]:
    """A task with an annotation by each user and a machine's prediction."""
    raw = tasks.task(dilemma, "open")
    sent = tasks.sent(raw)

    def annotation(user: int) -> dict[str, Any]:
        chosen = {name: rng.choice(codes) for name, codes in form.offered("open").items()}
        comment = {"value": {"text": ["The third action seems to do less than it says."]}, "type": "textarea"}
        result = [*answers.result(chosen), {"from_name": form.COMMENT, "to_name": "scenario", **comment}]
        return {"result": result, "completed_by": user, "ground_truth": False, "lead_time": rng.uniform(30, 600)}

    placements = [
        Placement(polarity=side, intensity=strength, judged_polarity=side, judged_intensity=strength)
        for side, strength in PLACES
    ]
    reading = Judgement(
        dilemma=dilemma.id,
        revision=dilemma.revision,
        reviewer="a-judge",
        kind="machine",
        placements=tuple(placements),
    )
    return {
        **raw,
        "annotations": [annotation(user) for user in users],
        "predictions": [tasks.prediction(reading, sent)],
    }


def bare_pull(sdk: LabelStudio, project: int) -> None:
    """The calls that nobody can do without."""
    sdk.projects.list(title=TITLE)
    b"".join(sdk.projects.exports.download_sync(project, download_all_tasks=True))
    sdk.users.list()
    sdk.predictions.list(project=project)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dilemmas", type=int, default=616)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--venv", type=Path, default=Path(".venv-label-studio"), help="where Label Studio is installed")
    given = parser.parse_args()
    ours: list[float] = []
    floor: list[float] = []
    found = set()
    with label_studio(given.venv) as connection, tempfile.TemporaryDirectory() as folder:
        server, sdk = Server(connection), bare_sdk(connection)
        sdk.users.create(email="b@example.com", username="b")
        rng = random.Random(0)
        users = list(server.users())
        project = server.create_project(TITLE, form.labeling_config("open"), annotators=2, instructions="")
        server.import_tasks(project, [judged(one, users, rng) for one in Writer(seed=0).write(given.dilemmas)])

        def whole(repeat: int) -> None:
            key = Path(folder, "key.jsonl")
            found.add(len(pull(server, TITLE, Path(folder, str(repeat)), names=key).counted))

        for repeat in range(given.repeats + 1):
            runs = [
                (ours, lambda repeat=repeat: whole(repeat)),
                (floor, lambda: bare_pull(sdk, project.id)),
            ]
            for times, work in runs[:: (-1) ** repeat]:
                times.append(seconds(work))
    # The first repeat warms up both sides.
    one, other = (statistics.median(times[1:]) for times in (ours, floor))
    print(f"{given.dilemmas} dilemmas judged by {len(users)}, median of {given.repeats} repeats, seconds")
    print(f"pull           {one:6.2f}   {' '.join(f'{t:.2f}' for t in ours[1:])}")
    print(f"bare calls     {other:6.2f}   {' '.join(f'{t:.2f}' for t in floor[1:])}")
    print(f"ratio          {one / other:6.2f}   (limit {MOST_OVER_FLOOR:g})")
    return int(one / other > MOST_OVER_FLOOR or found != {given.dilemmas * len(users)})


if __name__ == "__main__":
    sys.exit(main())
