"""One HTML file that explains a study to somebody who sees nothing else, and its figures and tables for a paper.

The page is self-contained: figures, data and its one script stand in it, and a content security policy forbids
everything else. All text from data is escaped: by Jinja in the page, by matplotlib in figures, and as JSON for
the script, which only ever sets text.

    reporting/page       what stands on the page
    reporting/drill      the data behind its numbers; reporting/sampling draws the raw replies
    reporting/export     figures and tables as files
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dilemmas.analysis import Analysis
from dilemmas.reporting import export, figures, page, tables
from dilemmas.reporting.entries import conditions, label_of
from dilemmas.reporting.sampling import Sample, sample
from dilemmas.resources import write_text

__all__ = ["conditions", "label_of", "render", "write"]


def write(analysis: Analysis, path: Path, folder: Path | None = None) -> Path:
    """Write the report whole or not at all, and its figures and tables as files.

    Args:
        analysis: of the study.
        path: of the page.
        folder: gets `figures/` and `tables/`; by default the page's own.

    Raises:
        InputError: a place cannot be written.
    """
    drawn, made = figures.every(analysis), _tables(analysis)
    html = page.render(analysis, drawn, made, _sample(analysis))
    export.save(drawn, made, folder or path.parent)
    write_text(path, html)
    return path


def render(analysis: Analysis) -> str:
    """The report as HTML."""
    return page.render(analysis, figures.every(analysis), _tables(analysis), _sample(analysis))


def _tables(analysis: Analysis) -> Sequence[tables.Table]:
    return tables.every(analysis.personas, analysis.categories, analysis.effects)


def _sample(analysis: Analysis) -> Sample | None:
    """Replies to show; None where the answers come from elsewhere."""
    if analysis.run is None or analysis.source is None:
        return None
    return sample(analysis.answers, analysis.source, seed=analysis.run.design.seed)
