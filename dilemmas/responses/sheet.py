"""A CSV file as columns of text that know which line they came from."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

from dilemmas.errors import InputError


class Sheet(NamedTuple):
    """The cells of a file, without spaces around them."""

    path: Path
    columns: dict[str, list[str]]
    """By the name in the first line."""
    lines: list[int]
    """The line on which each row begins."""

    @classmethod
    def of(cls, text: str, path: Path) -> Self:
        """Read the text of a file; empty lines do not count.

        Raises:
            InputError: it is not CSV, has no row or a column twice, or a row is of another length.
        """
        rows: list[list[str]] = []
        lines: list[int] = []
        begins = 1
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            for row in reader:
                if row:
                    rows.append([cell.strip() for cell in row])
                    lines.append(begins)
                begins = reader.line_num + 1
        except csv.Error as error:
            raise InputError(f"is not CSV: {error}", where=f"{path}, line {begins}", fix="Mend the line.") from None
        if len(rows) < 2:
            raise InputError(
                "holds no row", where=str(path), fix="Give a line with the names of the columns, and rows below it."
            )
        header = rows[0]
        for name in header:
            if header.count(name) > 1:
                where = f"{path}, line {lines[0]}, column {name}"
                raise InputError("there are two columns of this name", where=where, fix="Leave one of them.")
        for row, line in zip(rows, lines, strict=True):
            if len(row) != len(header):
                raise InputError(
                    f"has {len(row)} cells, and the first line names {len(header)} columns",
                    where=f"{path}, line {line}",
                    fix="Separate cells by commas, and put text that holds a comma between double quotes.",
                )
        cells = zip(*rows[1:], strict=True)
        return cls(path, {name: list(column) for name, column in zip(header, cells, strict=True)}, lines[1:])

    def column(self, name: str, default: str = "") -> list[str]:
        """The cells of a column; the default in each where it is not there."""
        return self.columns.get(name) or [default] * len(self.lines)

    def rows(self, *names: str) -> Iterator[tuple[str, ...]]:
        """The cells of some columns, row by row."""
        return zip(*(self.columns[name] for name in names), strict=True)

    def error(self, row: int, column: str, what: str, fix: str) -> InputError:
        """An error about one cell."""
        return InputError(what, where=f"{self.path}, line {self.lines[row]}, column {column}", fix=fix)

    def check(self, column: str, problem: Callable[[str], str], fix: str) -> None:
        """Refuse the first cell of a column that has a problem; a column that is not there has none."""
        wrong = {text: what for text in set(self.column(column)) if (what := problem(text))}
        if column in self.columns and wrong:
            row = min(self.columns[column].index(text) for text in wrong)
            raise self.error(row, column, wrong[self.columns[column][row]], fix)
