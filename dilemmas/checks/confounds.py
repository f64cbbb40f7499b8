"""What could give an action's side or strength away besides its meaning: length, ease of reading, tone, wording.

All of it is judged over the whole set. A model that tells the sides apart by such a mark says nothing
about the values it acts on. The unit is always the dilemma: its six actions share one situation, and
three stand on each side.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from dilemmas import taxonomy
from dilemmas.checks.rules import Rule
from dilemmas.schema import PLACES, Confound, Cues, Dilemma, Finding, Severity

Floats = npt.NDArray[np.float64]
Measure = Literal["words", "readability", "sentiment"]
Factor = Literal["polarity", "intensity"]

CONTRASTS: dict[Factor, tuple[float, ...]] = {
    "polarity": (1 / 3, 1 / 3, 1 / 3, -1 / 3, -1 / 3, -1 / 3),
    "intensity": (1 / 2, 0, -1 / 2, -1 / 2, 0, 1 / 2),
}
"""Weights of the six places, in the order of `PLACES`: aligned less opposed, strong less mild."""
LEVEL = 1 - 0.05 / 6
"""Coverage of one interval: six comparisons are made together, so each may err in 5 % / 6 (Bonferroni)."""
LEAST_FOR_INTERVAL = 5
"""Dilemmas below which no interval is given: a spread known from four tells next to nothing."""
SMALL, MEDIUM = 0.2, 0.5
"""Sizes of dz that are called small and medium: Cohen (1988), Statistical Power Analysis, 2nd ed."""
LEAST: dict[Measure, float] = {"words": 1.0, "readability": 1.0, "sentiment": 0.05}
"""Mean differences below these matter to no reader, however regular they are. Where all actions have
nearly the same length, as in the shipped set, dz alone would call a fifth of a word a small effect.
One word; one school grade, the unit of the index (in one sentence 0.17 letters a word make a grade);
half of the band, -.05 to .05, that the sentiment score's authors call neutral."""

LEAST_DILEMMAS, LEAST_VALUES = 10, 5
"""Fewer dilemmas, or fewer values to leave out, give no account of wording: with ten the interval is
already .4 wide, and from fewer than five values four fifths cannot be kept for training."""
FOLDS = 5
"""Parts left out in turn. Ten found planted wording no better and took three times as long."""
LEAST_SPREAD = 3
"""A word must stand in this many dilemmas (or values): in fewer it tells about these, not about others."""
MOST_FEATURES = 30_000
"""The most frequent words and pairs that are looked at, so that time stays linear in the set's size."""
MOST_FITTED = 2_000
"""Dilemmas that one fit looks at, evenly spaced over those it may; all others are tested all the same.
A fit's time grows faster than the set; with 616 wording in one dilemma of five is already told apart."""
APART = 0.5
"""Total variation between the basic values of focal and of competing values above which wording is no error.

At more than a half, most of the dilemmas set one kind of value against another kind. What the kinds
imply then holds across values too, and looks like a mark of the side: with Benevolence and Universalism
against Power and Achievement, and no habit of drafting, accuracy was 100 %.
"""
TELLING = 10
"""Most words listed for each side."""
LEAST_WEIGHT = 0.25
"""Share of the strongest weight that a listed word has: beside one plain mark the rest is noise."""
GIVEN_AWAY: dict[Severity, float] = {"error": 0.75, "warning": 0.55}
"""Accuracies that the lower end must exceed. Wording that gives the sides away in a share p of the
dilemmas, and nothing elsewhere, makes an accuracy of .5 + p / 2 (seen so in sets with planted words):
.55 is one dilemma in ten, .75 one in two."""


def _confound_rule(name: str, mark: str, limit: str, reason: str, fix: str) -> Rule:
    return Rule(
        name=name,
        family="confounds",
        severity="warning",
        looks_for=f"{mark}, aligned less opposed or strong less mild: the mean difference within dilemmas has a "
        f"{LEVEL:.1%} interval without 0, is at least {limit} and at least {SMALL} of its standard deviation (dz). "
        f"An error where dz is at least {MEDIUM} and the whole interval lies beyond both limits. Needs "
        f"{LEAST_FOR_INTERVAL} dilemmas.",
        reason=reason,
        fix=fix,
    )


LENGTH = _confound_rule(
    name="length-confound",
    mark="Number of words",
    limit="one word",
    reason="A longer option can look like the more careful one. Where length goes with the label, a preference for "
    "length passes for a preference for a value.",
    fix="Shorten the longer kind or fill out the shorter one until both have the same number of words on average.",
)
READABILITY = _confound_rule(
    name="readability-confound",
    mark="Ease of reading (Coleman-Liau index, school grades)",
    limit="one grade",
    reason="Harder words can sound more considered. The index (Coleman and Liau 1975, doi:10.1037/h0076540) counts "
    "letters, words and sentences only: it needs no list of syllables and leans little on length, which has a rule "
    "of its own.",
    fix="Use words of the same everyday kind for both; look at long words that stand on one side only.",
)
SENTIMENT = _confound_rule(
    name="sentiment-confound",
    mark="Tone (VADER compound score, -1 to 1)",
    limit="0.05",
    reason="A choice told in brighter words can look like the nicer one, whatever it serves. VADER (Hutto and Gilbert "
    "2014, doi:10.1609/icwsm.v8i1.14550) adds up a fixed list of rated words made for short informal texts: it sees "
    'words such as "no" or "well", not situations, and neither irony nor who gains.',
    fix="Take praise and gloom out of the wording; let the act speak. In a file of few values a part of the "
    "difference may lie in the values themselves: then say so and let it stand.",
)
WORDING = Rule(
    name="wording-cues",
    family="confounds",
    severity="warning",
    looks_for="A logistic regression on words, pairs of words and opening words that was trained on other values "
    f"tells aligned from opposed actions: the lower end of its 95 % interval exceeds {GIVEN_AWAY['warning']}, chance "
    f"being .5; an error above {GIVEN_AWAY['error']}. Needs {LEAST_DILEMMAS} dilemmas and {LEAST_VALUES} values. No "
    "more than a warning where focal and competing values are of different kinds (total variation between their basic "
    f"values above {APART}).",
    reason="What a value implies recurs in its own dilemmas and is no flaw. Wording that holds across values marks the "
    "side as such, so that a model can choose by it without weighing anything. That presumes focal and competing "
    "values of all kinds: where one kind always stands against another, what the kinds imply looks the same.",
    fix="Reword the actions that hold the listed words, or let them stand on both sides equally often.",
)
RULES = (LENGTH, READABILITY, SENTIMENT, WORDING)
"""The rules of this family."""
_RULE: dict[Measure, Rule] = {"words": LENGTH, "readability": READABILITY, "sentiment": SENTIMENT}
_MORE: dict[Measure, str] = {
    "words": "words longer",
    "readability": "school grades harder to read",
    "sentiment": "points more positive in tone (of a scale from -1 to 1)",
}
_KINDS: dict[Factor, tuple[str, str]] = {"polarity": ("aligned", "opposed"), "intensity": ("strong", "mild")}


def measure(dilemmas: Sequence[Dilemma]) -> tuple[Confound, ...]:
    """How length, ease of reading and tone go with side and strength.

    Within each dilemma d_i is the mean over its three aligned actions less that over its three opposed
    ones, or the mean over its two strong actions less that over its two mild ones. Over the n dilemmas:
    the mean, its t interval with n - 1 degrees of freedom at `LEVEL`, and dz = mean / standard deviation.
    The values are taken as given, not as a sample: the result speaks of the values in the file.

    How often it errs, in 2,000 drawn sets a size (Monte Carlo error up to .8 points), all six comparisons at once.
    Without any effect 1.5 to 3.7 % of sets of 5, 10, 24 and 100 dilemmas get a warning and none of 616 does;
    an error up to .6 % at 5 and .2 % from 10 on. Differences were those of the shipped set with their signs drawn
    anew, or wide and heavy-tailed ones (t with 5 degrees of freedom; sd 3 words, 2 grades, .3). With the latter,
    3 words on one side are found in 94 % of sets of 24, and 1.5 words in 39 % of 24, 95 % of 100, all of 616.

    Args:
        dilemmas: any number, n. One with an action without a letter or digit is not counted for readability.

    Returns:
        Six effects: each measure by each factor. Words; school grades of the Coleman-Liau index; VADER's
        compound score, -1 to 1.
        No interval below `LEAST_FOR_INTERVAL` dilemmas; a spread of 0 has no dz.
    """
    scorers: dict[Measure, Callable[[str], float]] = {
        "words": lambda text: len(text.split()),
        "readability": grade,
        "sentiment": _tone(),
    }
    found = []
    for name, score in scorers.items():
        levels = np.array([[score(dilemma.action(*place).text) for place in PLACES] for dilemma in dilemmas], float)
        for factor, weights in CONTRASTS.items():
            differences = levels.reshape(-1, len(PLACES)) @ np.array(weights)
            found.append(_confound(name, factor, differences[~np.isnan(differences)]))
    return tuple(found)


_SENTENCE_END = re.compile(r"[.!?]+(?!\w)")


def grade(text: str) -> float:
    """Coleman-Liau index of a text, in school grades; NaN for one without a letter or digit.

    .0588 L - .296 S - 15.8 with L letters and digits, and S sentences, in a hundred words.
    Written out here because textstat 0.7.13 has .058 for the first coefficient.

    >>> round(grade("I keep the evening as before."), 1)
    1.8
    """
    letters, words = sum(map(str.isalnum, text)), len(text.split())
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    return (5.88 * letters - 29.6 * sentences) / words - 15.8 if letters else math.nan


def _tone() -> Callable[[str], float]:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyser = SentimentIntensityAnalyzer()  # reads its word list from the disk, so once for all texts
    return lambda text: float(analyser.polarity_scores(text)["compound"])


def _confound(name: Measure, factor: Factor, differences: Floats) -> Confound:
    n = len(differences)
    estimate, low, high = _interval(differences, LEVEL)
    spread = _spread(differences)
    return Confound(
        measure=name,
        factor=factor,
        n=n,
        estimate=estimate if n else None,
        low=low if n >= LEAST_FOR_INTERVAL else None,
        high=high if n >= LEAST_FOR_INTERVAL else None,
        dz=estimate / spread if spread > 0 else None,
    )


def _spread(numbers: Floats) -> float:
    """Standard deviation (n - 1); NaN below two numbers, and 0 where only rounding makes them differ."""
    spread = float(numbers.std(ddof=1)) if len(numbers) > 1 else math.nan
    return 0.0 if spread < 1e-9 else spread


def _interval(numbers: Floats, level: float, widen: float = 1.0) -> tuple[float, float, float]:
    """Mean and t interval, `widen` times as wide; NaN where there are too few numbers."""
    from scipy import stats

    n = len(numbers)
    mean = float(numbers.mean()) if n else math.nan
    se = widen * _spread(numbers) / math.sqrt(n) if n else math.nan
    half = float(stats.t.ppf(0.5 + level / 2, n - 1)) * se if n > 1 else math.nan
    return mean, mean - half, mean + half


class _Split(NamedTuple):
    """What is left out of training at once."""

    held_out: Literal["dilemma", "value"]
    groups: list[str]
    """What each dilemma is left out with."""
    rivals: list[str]
    """It is also left out of training while this group is tested."""
    least: int
    """Fewest groups that give an interval."""


def cues(dilemmas: Sequence[Dilemma]) -> tuple[Cues, ...]:
    """How well a bag of words tells aligned from opposed actions it was not trained on.

    Words, pairs of words and the first one, two and three words of an action, present or not; L2 logistic
    regression (scikit-learn, liblinear, C = 1; deterministic); five folds. Each dilemma has three actions
    on each side, so the three with the highest scores of its six are called aligned (an action right on the
    cut counts as half): no order of actions or share of sides can help, and chance is .5 exactly.

    Left out at once are whole dilemmas, or whole values: all dilemmas that a value is the focal value of,
    and from training those too in which it competes, where its words stand on the other side (kept in, they
    push a set without cues down to .4). Accuracy is the mean over dilemmas, or over the values' own means.
    Its 95 % t interval over these is widened by sqrt(1 + 5/4), because folds share training data: Nadeau
    and Bengio (2003), doi:10.1023/A:1024068626366. In the first 24 shipped with their actions' labels drawn
    anew (1,000 times) it held .5 in 97 to 98 %, without the widening in 88 to 89 %, and 1 in 1,000 got a warning.

    Args:
        dilemmas: any number, n; time is linear in n.

    Returns:
        With dilemmas left out, then with values left out; each only where there are `LEAST_DILEMMAS`
        dilemmas, and `LEAST_VALUES` values for the latter. Words are listed with the last of the two, and
        only where its interval lies above .5: elsewhere they are noise, or those of single values.
    """
    texts = [dilemma.action(*place).text for dilemma in dilemmas for place in PLACES]
    if len(dilemmas) < LEAST_DILEMMAS or not any(map(_features, texts)):
        return ()
    from sklearn.feature_extraction.text import CountVectorizer
    from threadpoolctl import threadpool_limits

    counter = CountVectorizer(analyzer=_features, binary=True, max_features=MOST_FEATURES, dtype=np.float64)
    present = counter.fit_transform(texts)
    names = counter.get_feature_names_out()
    ids, values = [dilemma.id for dilemma in dilemmas], [dilemma.value for dilemma in dilemmas]
    splits = (
        _Split("dilemma", ids, ids, LEAST_DILEMMAS),
        _Split("value", list(values), [dilemma.competing_value for dilemma in dilemmas], LEAST_VALUES),
    )
    with threadpool_limits(limits=1):  # on a busy machine threads wait for one another, up to twenty times as long
        found = [one for split in splits if (one := _cues(split, present, names)) is not None]
    return (*(one.model_copy(update={"aligned": (), "opposed": ()}) for one in found[:-1]), *found[-1:])


_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def _features(text: str) -> list[str]:
    """Words, pairs of words, and the first one, two and three words marked as an opening."""
    words = _WORD.findall(text.casefold())
    pairs = [f"{first} {second}" for first, second in pairwise(words)]
    openings = [f"opening: {' '.join(words[:count])}" for count in (1, 2, 3) if count <= len(words)]
    return words + pairs + openings


def _cues(split: _Split, present: Any, names: npt.NDArray[Any]) -> Cues | None:
    """What one way of leaving out gives; None where there is too little to train on or to test.

    `present` is a sparse matrix, a row for each action and a column for each of `names`.
    """
    groups, rivals = np.array(split.groups), np.array(split.rivals)
    distinct, group = np.unique(groups, return_inverse=True)
    widely = _groups_with(present, group) >= LEAST_SPREAD
    present, names = present[:, widely], names[widely]
    if len(distinct) < split.least or not len(names):
        return None
    correct = np.full(len(groups), math.nan)
    for fold in range(FOLDS):
        left_out = distinct[fold::FOLDS]
        test = np.isin(groups, left_out)
        train = ~test & ~np.isin(rivals, left_out)
        if train.any():
            scores = _fit(present[_rows(train)]).decision_function(present[_rows(test)])
            correct[test] = _right(scores.reshape(-1, len(PLACES)))
    known = ~np.isnan(correct)
    tested = np.bincount(group[known], minlength=len(distinct))
    means = np.bincount(group[known], correct[known], len(distinct))[tested > 0] / tested[tested > 0]
    if len(means) < split.least:
        return None
    accuracy, low, high = _interval(means, 0.95, math.sqrt(1 + FOLDS / (FOLDS - 1)))
    return Cues(
        features="words, pairs of words and opening words, present or not",
        held_out=split.held_out,
        n=int(known.sum()),
        accuracy=accuracy,
        low=max(low, 0.0),
        high=min(high, 1.0),
        **(_telling(present, names) if low > 0.5 else {}),
    )


def _groups_with(present: Any, group: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """In how many groups of dilemmas each feature stands."""
    from scipy import sparse

    group_of_row = np.repeat(group, len(PLACES))
    members = sparse.csr_matrix((np.ones(len(group_of_row)), (group_of_row, np.arange(len(group_of_row)))))
    return np.asarray((members @ present).getnnz(axis=0))


def _rows(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The actions' rows of some dilemmas."""
    return np.repeat(chosen, len(PLACES))


_ALIGNED = np.array([polarity == "aligned" for polarity, _ in PLACES])


def _fit(present: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    every = np.arange(present.shape[0]).reshape(-1, len(PLACES))
    rows = every[:: math.ceil(len(every) / MOST_FITTED)]
    sides = np.tile(_ALIGNED, len(rows))
    return LogisticRegression(solver="liblinear", random_state=0).fit(present[rows.ravel()], sides)


def _right(scores: Floats) -> Floats:
    """Share of each dilemma's actions on the right side; scores of shape (dilemmas, 6)."""
    ranked = np.sort(scores, axis=1)
    above = scores - ranked[:, 2:4].mean(axis=1, keepdims=True)
    right = np.where(above == 0, 0.5, (above > 0) == _ALIGNED)
    return np.asarray(right.mean(axis=1))


def _telling(present: Any, names: npt.NDArray[Any]) -> dict[str, tuple[str, ...]]:
    """What speaks most for each side, from a fit on all; of features that always stand together, the shortest."""
    weights = np.round(_fit(present).coef_[0], 6)
    least = LEAST_WEIGHT * np.abs(weights).max()
    columns = present.tocsc()
    columns.sort_indices()
    found: dict[str, tuple[str, ...]] = {}
    for side, sign in (("aligned", 1), ("opposed", -1)):
        best: dict[bytes, str] = {}
        for index in sorted(range(len(names)), key=lambda i: (-sign * weights[i], len(names[i]), names[i])):
            if sign * weights[index] <= 0 or sign * weights[index] < least or len(best) == TELLING:
                break
            where = columns.indices[columns.indptr[index] : columns.indptr[index + 1]]
            best.setdefault(where.tobytes(), str(names[index]))
        found[side] = tuple(best.values())
    return found


def find(effects: Sequence[Confound], cues: Sequence[Cues], dilemmas: Sequence[Dilemma] = ()) -> Iterator[Finding]:
    """Findings about the set: an effect that is both certain and large, and wording that gives the side away.

    Args:
        effects: what `measure` gives.
        cues: what `cues` gives.
        dilemmas: those that were measured; their values show whether wording may be due to these.
    """
    for effect in effects:
        if (severity := _severity(effect)) is not None:
            yield _RULE[effect.measure](None, _effect_in_words(effect), "all actions", severity=severity)
    for one in cues:
        passed = [severity for severity, limit in GIVEN_AWAY.items() if one.low > limit]
        if one.held_out == "value" and passed:
            apart = _apart(dilemmas)
            what, severity = _cues_in_words(one), passed[0]
            if apart > APART:
                severity = "warning"
                what += (
                    "; focal and competing values are of different kinds (total variation between their basic values "
                    f"{apart:.2f}), so this may be what the values themselves imply"
                )
            yield WORDING(None, what, "all actions", severity=severity)


def _apart(dilemmas: Sequence[Dilemma]) -> float:
    """Total variation between the basic values of focal and of competing values: 0 alike, 1 nothing in common."""
    kinds = taxonomy.values()
    more = Counter(kinds[dilemma.value].basic_value for dilemma in dilemmas)
    more.subtract(kinds[dilemma.competing_value].basic_value for dilemma in dilemmas)
    return sum(map(abs, more.values())) / (2 * len(dilemmas)) if dilemmas else 0.0


def _severity(effect: Confound) -> Severity | None:
    """How grave an effect is; None where it is uncertain or small."""
    if effect.estimate is None or effect.low is None or effect.high is None:
        return None
    size, least = abs(effect.estimate), LEAST[effect.measure]
    if effect.low <= 0 <= effect.high or size < least:
        return None
    nearest = min(abs(effect.low), abs(effect.high))
    # Without any spread the difference is the same in every dilemma, and dz has no bound.
    dz, nearest_dz = (math.inf, math.inf) if effect.dz is None else (abs(effect.dz), nearest * abs(effect.dz) / size)
    if dz >= MEDIUM and nearest_dz >= SMALL and nearest >= least:
        return "error"
    return "warning" if dz >= SMALL else None


def _effect_in_words(effect: Confound) -> str:
    assert effect.estimate is not None
    assert effect.low is not None
    assert effect.high is not None
    more, less = _KINDS[effect.factor] if effect.estimate > 0 else reversed(_KINDS[effect.factor])
    low, high = sorted((abs(effect.low), abs(effect.high)))
    places = 2 if effect.measure == "sentiment" else 1
    size = "the same in every dilemma" if effect.dz is None else f"dz {abs(effect.dz):.2f}"
    return (
        f"{more} actions are on average {abs(effect.estimate):.{places}f} {_MORE[effect.measure]} than {less} ones "
        f"[{low:.{places}f}, {high:.{places}f}], {size}, in {effect.n} dilemmas"
    )


def _cues_in_words(one: Cues) -> str:
    told = "; ".join(
        f"for {side}: " + ", ".join(f'"{word}"' for word in words)
        for side, words in (("aligned", one.aligned), ("opposed", one.opposed))
        if words
    )
    return (
        f"wording alone puts {100 * one.accuracy:.0f} % [{100 * one.low:.0f}, {100 * one.high:.0f}] of the actions on "
        f"the right side in dilemmas of values it was not trained on (50 % by chance); most telling {told}"
    )
