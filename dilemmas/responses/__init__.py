"""Answers from anywhere: read, checked, and brought into the form of `scores.answers`.

They come as the log of another harness (see `harness`), or as a CSV file. Its first line names the columns; every
other line holds an answer (long) or a pair of them (wide):

    model, persona, value, topic, item   names; an item is one dilemma, and has one value and one topic
    category                             kind of the persona, as in `schema.PersonaCategory` (optional)
    repeat                               number of the repeat, a whole number (optional: 0)

    v, a                                 wide: the stated and the acted answer, a score in [-1, 1] or words

    side                                 long: `stated` or `acted`, and the answer in one or both of
    score                                  a score in [-1, 1], and
    code                                   words
    status, reason, vote, letter, mass, order, request, said, question, basic_value, caveat,
    demonstration                        long (optional): as a run's `tables/answers.csv` has them; a model whose
                                         demonstration is `yes` only shows how the tool works

A score beside words must be theirs, and a vote the sign of its score, except where `mass` says that the score is an
expectation.

An empty answer is a missing one. What words score stands in docs/methods.md.

    sheet      the file as columns of text that know their lines
    checks     columns, names and conditions that cannot be
    words      what words score
    reading    the frame
"""

from dilemmas.responses.reading import MISSING, Responses, read
from dilemmas.responses.words import Points

__all__ = ["MISSING", "Points", "Responses", "read"]
