"""Tables as files: text that a spreadsheet would run."""

from __future__ import annotations

import pandas as pd
import pytest

from dilemmas.tidy import spreadsheet_safe


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_get_an_apostrophe_wherever_they_stand_and_nothing_else_changes(start: str) -> None:
    table = pd.DataFrame({"text": [f"{start}1", "fine", None, f"{start}1"], "number": [-1.0, 2, 3, 4]})
    before = table.copy()
    safe = spreadsheet_safe(table)
    assert safe["text"].tolist()[:2] == [f"'{start}1", "fine"]
    assert safe["text"].isna().tolist() == [False, False, True, False]
    assert safe["text"].iloc[3] == f"'{start}1"
    pd.testing.assert_series_equal(safe["number"], before["number"])
    pd.testing.assert_frame_equal(table, before)


def test_columns_of_mixed_cells_keep_what_is_no_text() -> None:
    cells = [True, 1, "-1", -1, 0.5]
    safe = spreadsheet_safe(pd.DataFrame({"cell": pd.Series(cells, dtype=object)}))
    assert safe["cell"].tolist() == [True, 1, "'-1", -1, 0.5]
