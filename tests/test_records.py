"""Records as JSON Lines: what is wrong is told with file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from dilemmas.errors import InputError
from dilemmas.records import read_records
from dilemmas.schema import Message

GOOD = '{"role": "user", "content": "Which one?\u2028"}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "messages.jsonl"


def test_each_record_comes_with_its_line(path: Path) -> None:
    path.write_text(f"{GOOD}\n\n{GOOD}", encoding="utf-8")
    one = Message(role="user", content="Which one?\u2028")
    assert read_records(path, Message, "file of messages", fix="Mend it.") == {1: one, 3: one}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (GOOD[:-5], ""),
        ('"text"', ""),
        ('{"role": "user"}', ", field content"),
        (GOOD.replace("user", "nobody"), ", field role"),
        (GOOD.replace("}", ', "more": 1}'), ", field more"),
    ],
)
def test_what_is_no_record_is_refused_with_line_and_field(path: Path, line: str, field: str) -> None:
    path.write_text(f"{GOOD}\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_records(path, Message, "file of messages", fix="Mend it.")
    assert (error.value.where, error.value.fix) == (f"{path}, line 2{field}", "Mend it.")
    assert "nobody" not in str(error.value)


def test_a_file_that_is_not_there_is_called_by_its_name(path: Path) -> None:
    with pytest.raises(InputError, match="file of messages"):
        read_records(path, Message, "file of messages", fix="Mend it.")
