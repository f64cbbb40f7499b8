"""A dataset as a release: a folder that others can load, check, cite and tell from every other version.

layout      the names of a release's files, and the mark in each of them
evidence    what people and machines said of a dataset, read from beside it
measures    what that comes to, for each dilemma and over all
forms       what a release's lines and rows look like; records: how they are made
contents    all that a release says, before it is put into a form
gather      a dataset and what stands beside it -> contents, compared with the release before
statements  what is said in words in several places
tables      rows -> Parquet
figures, card, croissant, citation   contents -> files of one kind
build       a dataset -> the files of a release; placing: files -> a folder, whole or not at all
versions    what changed between two releases, and which number that allows
intact      a folder that is as it was built

Parquet, Croissant and YAML come with the extra `release`; what needs them imports them when it runs.
"""

from __future__ import annotations

import importlib.util

from dilemmas.errors import InputError

_PACKAGE = {"yaml": "PyYAML"}


def need(*modules: str) -> None:
    """Refuse to go on without some modules of the extra `release`.

    Raises:
        InputError: one is not installed; says how to get it.
    """
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise InputError(
                f"a release needs {_PACKAGE.get(name, name)}, which is not installed",
                fix="pip install 'dilemmas[release]' (in a checkout: pip install --editable '.[release]')",
            )
