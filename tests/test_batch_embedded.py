"""A batch file answered by the real embedded server: the same trials and the same answers as online."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from test_embedded import embedded_only

from dilemmas import config, evaluate, study
from dilemmas.batches import reading, writing
from dilemmas.models import open_model
from dilemmas.models.served import ServedModel
from dilemmas.store import FILE, Store

SETTINGS = {"name": "run", "persona_set": "none", "limit": 1, "repeats": 1, "model.extra_body": {"cache_prompt": False}}
"""With one request at a time, as is usual here, and without the cache the same prompt has the same reply."""
TRIALS = 2


def asked() -> study.Study:
    return study.prepare(config.load(None, SETTINGS))


async def answered(requests: list[str]) -> list[dict[str, Any]]:
    """What a service makes of a batch file, by asking the server of the embedded model."""
    found = []
    async with open_model(asked().config.model) as model:
        assert isinstance(model, ServedModel)
        for raw in requests:
            line = json.loads(raw)
            body = await model.complete(line["body"])
            response = {"status_code": 200, "request_id": "r", "body": body}
            found.append({"id": "b", "custom_id": line["custom_id"], "response": response, "error": None})
    return found


def responses(folder: Path) -> dict[str, str]:
    with Store.reading(folder / FILE) as store:
        return {one.trial: one.response for one in store.outcomes_of(store.answered())}


@embedded_only
def test_a_batch_has_the_ids_and_the_answers_that_are_had_online(tmp_path: Path) -> None:
    done = asyncio.run(writing.write(asked(), tmp_path / "runs", tmp_path / "out"))
    (part,) = done.parts
    results = tmp_path / "results.jsonl"
    lines = asyncio.run(answered(Path(part.path).read_text(encoding="utf-8").splitlines()))
    results.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    taken = reading.read(Path(done.folder), [results])
    assert (taken.taken, taken.open) == (TRIALS, 0)
    online = asyncio.run(evaluate.evaluate(asked(), tmp_path / "online"))
    assert responses(Path(done.folder)) == responses(Path(online.folder))
    left = asyncio.run(evaluate.evaluate(asked(), tmp_path / "runs"))
    assert (left.reused, left.asked, left.open) == (TRIALS, 0, 0)
