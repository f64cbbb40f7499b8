"""Whether the dilemmas of a set repeat each other; what is less than a whole scenario is in `repetition`.

Where two dilemmas are alike, the finding is on the later one in the file and names the earlier, so
that only one of them is drafted anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse
from sklearn.feature_extraction.text import TfidfVectorizer

from dilemmas.asking import Failure, Workers
from dilemmas.checks import repetition
from dilemmas.checks.rules import Rule
from dilemmas.checks.text import words
from dilemmas.errors import InputError, RejectedError
from dilemmas.schema import Dilemma, Finding, Neighbour, Severity

ALIKE, SAME = 0.25, 0.5
"""Cosines of two scenarios' word pairs from which they are alike (warning) and the same (error).

Measured on the first 24 shipped scenarios and on paraphrases of six of them (tests/test_checks_sameness.py).
The nearest two of the 24 have .09. With names and things changed the cosine is .77 to .84; with
every other sentence reworded, .28 to .65; with every sentence reworded, .02 to .08: the same story
in other words is beyond what words can tell. The cosine of a pair depends on these two texts alone
(no inverse document frequency): weighted by rarity, 200 scenarios from one template hid each other
(.14 where half of the longer words differed; .44 as it is).
"""
OUTLYING = 3.5
"""Modified z-score from which two embeddings are suspiciously near, as Iglewicz and Hoaglin propose
(How to Detect and Handle Outliers, 1993).

How near is near differs from one embedding model to the next, so each nearest neighbour is judged
against all others of the set, on the scale of the logarithm of 1 less the cosine. Measured with the
embedded model's averaged states: the nearest two of the first 24 shipped scenarios have a score of 2.2,
their paraphrases 7 to 17, and five of six stories told again in wholly other words 3.6 to 5.1. Of
vectors drawn at random, one in 250 (sets of 24) to one in 1,500 (sets of 2,000) is beyond it.
"""
FEWEST_EMBEDDED = 10
"""Fewest dilemmas whose embeddings are judged: a median deviation of fewer is itself an accident."""
ATTEMPTS = 4
"""Times a request for embeddings is tried."""
NOBODY = -2.0
"""Stands for a cosine where there is no other row: below all that there are."""
BLOCK = 512
"""Rows of the table of similarities that are held at once; 512 by 10,000 take 40 MB."""

NEAR_DUPLICATE = Rule(
    name="near-duplicate",
    family="sameness",
    severity="error",
    looks_for=f"A scenario that shares its pairs of neighbouring words with an earlier one: a cosine of {SAME:g} is an "
    f"error, {ALIKE:g} a warning. With embeddings also a warning where the two are nearer than the nearest "
    f"neighbours of the set usually are (modified z-score over {OUTLYING:g}).",
    reason="Two versions of one scenario are one observation counted twice, and make intervals look narrower than they "
    "are. Embeddings find stories that are told again in other words, but how near is too near depends on the model, "
    "so they make no errors.",
    fix="Write this scenario anew, with another place, other people and something else at stake.",
)
RULES: tuple[Rule, ...] = (NEAR_DUPLICATE, *repetition.RULES)
"""The rules of sameness, in the order of the documentation."""


def neighbours(dilemmas: Sequence[Dilemma], vectors: NDArray[np.float64] | None = None) -> tuple[Neighbour, ...]:
    """Each dilemma's nearest neighbour by its scenario, the nearest pairs first, then in the order of the set.

    The comparison is exact: every scenario is held against every other, in blocks. That is quadratic
    in their number, but 10,000 take seconds. Of several that are equally near, the first is named.

    Args:
        dilemmas: the set, ids distinct.
        vectors: an embedding of each scenario, n x d; without it the words are compared, by TF-IDF with
            the logarithm of a word's frequency.

    Raises:
        InputError: there is not one vector for each dilemma.
    """
    if vectors is not None and (vectors.ndim != 2 or len(vectors) != len(dilemmas)):
        raise InputError(
            f"{len(dilemmas):,} dilemmas have vectors of shape {vectors.shape}",
            where="vectors",
            fix="Give one row for each dilemma, in the order of the file.",
        )
    if len(dilemmas) < 2:
        return ()
    if vectors is None:
        matrix = _weighted([words(one.scenario) for one in dilemmas], by_rarity=True)
    else:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        matrix = vectors / np.where(lengths > 0, lengths, 1)
    nearest, cosines = _nearest(matrix)
    return tuple(
        Neighbour(
            id=dilemmas[row].id,
            other=dilemmas[nearest[row]].id,
            similarity=float(cosines[row]),
            method="tfidf" if vectors is None else "embedding",
        )
        for row in np.argsort(-cosines, kind="stable")
    )


async def embedded(dilemmas: Sequence[Dilemma], model: object, batch: int = 64) -> NDArray[np.float64]:
    """Embeddings of the scenarios, n x d, in their order.

    Args:
        dilemmas: the set.
        model: as `models.open_model` gives it; one that is served has `embed`.
        batch: how many texts go into one request.

    Raises:
        InputError: the model makes no embeddings.
        ModelError: the server could not be asked, or sends something else than embeddings.
    """
    embed: Callable[[list[str]], Awaitable[list[list[float]]]] | None = getattr(model, "embed", None)
    if embed is None:
        raise InputError(
            "makes no embeddings", where="--embed", fix="Name a model at a server that serves /embeddings."
        )
    workers = Workers(1, ATTEMPTS)
    rows: list[list[float]] = []
    for start in range(0, len(dilemmas), batch):
        texts = [one.scenario for one in dilemmas[start : start + batch]]
        failures: list[Failure] = []
        found = await workers.insist(str(start), partial(embed, texts), failures.append)
        if found is None:
            raise failures[-1]
        rows += found
    lengths = {len(row) for row in rows} or {0}
    if len(lengths) > 1 or (rows and 0 in lengths):
        raise RejectedError(
            f"sends embeddings of length {', '.join(map(str, sorted(lengths)))}",
            where="--embed",
            fix="Name a model whose embeddings all have one length.",
        )
    return np.array(rows, dtype=np.float64).reshape(len(rows), *lengths)


def find(dilemmas: Sequence[Dilemma], neighbours: Sequence[Neighbour]) -> Iterator[Finding]:
    """Findings about dilemmas that repeat others.

    Args:
        dilemmas: the set, ids distinct, in the order of the file.
        neighbours: what `neighbours` gives for it.
    """
    yield from _near_duplicates(dilemmas, neighbours)
    yield from repetition.find(dilemmas)


def _weighted(texts: Sequence[Sequence[str]], *, by_rarity: bool) -> csr_matrix:
    """One row of length 1 for each text: the logarithm of each word's count, times its rarity where wanted."""
    if not any(texts):
        return csr_matrix((len(texts), 1))
    matrix = TfidfVectorizer(analyzer=_as_they_are, sublinear_tf=True, use_idf=by_rarity).fit_transform(texts)
    shared = np.bincount(matrix.indices, minlength=matrix.shape[1]) > 1
    return matrix[:, shared]  # what stands in one text only adds to no product of two


def _as_they_are(found: Sequence[str]) -> Sequence[str]:
    return found


def _nearest(matrix: Any, *, earlier: bool = False) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each row of length 1 the nearest other one, or the nearest before it, and their cosine.

    Args:
        matrix: n x d, sparse or dense.
        earlier: look only among the rows before; the first has none, and the cosine `NOBODY`.
    """
    size = matrix.shape[0]
    nearest, cosines = np.zeros(size, dtype=np.intp), np.full(size, NOBODY)
    columns = matrix.T.tocsc() if issparse(matrix) else matrix.T
    for start in range(0, size, BLOCK):
        end = min(start + BLOCK, size)
        last = end if earlier else size
        product = matrix[start:end] @ columns[:, :last]
        block = np.round(product.toarray() if issparse(product) else product, 9)  # equal texts are equally near
        rows, others = np.arange(start, end)[:, None], np.arange(last)
        block[others >= rows if earlier else others == rows] = NOBODY
        nearest[start:end] = block.argmax(axis=1)
        cosines[start:end] = block.max(axis=1)
    return nearest, cosines


def _near_duplicates(dilemmas: Sequence[Dilemma], neighbours: Sequence[Neighbour]) -> Iterator[Finding]:
    """By word pairs, and by embeddings where the neighbours are taken by those."""
    if len(dilemmas) < 2:
        return
    found: set[str] = set()
    texts = [words(one.scenario) for one in dilemmas]
    pairs = [[f"{first} {second}" for first, second in pairwise([*text, "."])] for text in texts]
    nearest, cosines = _nearest(_weighted(pairs, by_rarity=False), earlier=True)
    for dilemma, row, cosine in zip(dilemmas, nearest.tolist(), cosines.tolist(), strict=True):
        if cosine < ALIKE:
            continue
        earlier = dilemmas[row]
        what = f"is nearly the scenario of {earlier.id}: the cosine of their word pairs is {cosine:.2f}"
        if dilemma.scenario == earlier.scenario:
            what = f"has the scenario of {earlier.id}, word for word"
        found.add(dilemma.id)
        severity: Severity = "error" if cosine >= SAME else "warning"
        yield NEAR_DUPLICATE(dilemma, what, "scenario", severity=severity, others=[earlier.id])
    place = {one.id: number for number, one in enumerate(dilemmas)}
    for one in _outlying(neighbours):
        first, second = sorted((one.id, one.other), key=place.__getitem__)
        if second not in found:
            found.add(second)
            yield NEAR_DUPLICATE(
                dilemmas[place[second]],
                f"may be the story of {first} in other words: their embeddings have a cosine of {one.similarity:.3f}, "
                "more than nearest neighbours in this set usually have",
                "scenario",
                severity="warning",
                others=[first],
            )


def _outlying(neighbours: Sequence[Neighbour]) -> list[Neighbour]:
    """Pairs whose embeddings are nearer than the set's neighbours usually are."""
    embedded = [one for one in neighbours if one.method == "embedding"]
    if len(embedded) < FEWEST_EMBEDDED:
        return []
    apart = np.log([max(1 - one.similarity, 1e-9) for one in embedded])
    below = np.median(apart) - apart
    deviation = np.median(np.abs(below))
    return [one for one, far in zip(embedded, below, strict=True) if 0.6745 * far > OUTLYING * deviation]
