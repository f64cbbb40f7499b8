"""`dilemmas analyse` and `dilemmas report`: numbers and page of a run, or of answers from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dilemmas.cli.options import Json, RunsDir

if TYPE_CHECKING:
    from dilemmas.analysis import Analysis
    from dilemmas.config import ScaleName

ANALYSE_EXAMPLES = """
[bold]Examples[/bold]

dilemmas analyse dilemmas

dilemmas analyse dilemmas --scale thirds --json

dilemmas analyse runs/dilemmas --reparse

dilemmas analyse after --compare before --compare runs/long-before

dilemmas analyse results/0.1.0/runs/dilemmas

dilemmas analyse --responses published.csv --points 4

dilemmas analyse --responses logs/inspect.json
"""
REPORT_EXAMPLES = """
[bold]Examples[/bold]

dilemmas report dilemmas

dilemmas report dilemmas --out gap.html

dilemmas report --responses published.csv
"""
RunArgument = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Name of a run, its folder, or released results.")
]
ResponsesOption = Annotated[
    Path | None,
    typer.Option(
        "--responses",
        metavar="FILE",
        help="Answers from anywhere in place of a run: CSV (methods.md), or another harness's log (harnesses.md).",
    ),
]
ScaleOption = Annotated[
    str | None, typer.Option("--scale", help="Scores of the options: even or thirds. \\[as asked, else even]")
]
CategoryOption = Annotated[
    str, typer.Option("--category", help="Score of a category: mean of its personas, or pooled over their dilemmas.")
]
CompareOption = Annotated[
    list[str] | None,
    typer.Option("--compare", metavar="RUN", help="Another run to compare this one with; can be given again."),
]
PointsOption = Annotated[int, typer.Option("--points", help="Grades of answers in words in a CSV file: 6 or 4.")]


def analyse(
    run: RunArgument = None,
    responses: ResponsesOption = None,
    scale: ScaleOption = None,
    category: CategoryOption = "mean",
    points: PointsOption = 6,
    compare: CompareOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the tables. \\[the run's; NAME-analysis beside FILE, or a release]")
    ] = None,
    reparse: Annotated[
        bool, typer.Option("--reparse", help="Read the stored replies again with this version; asks nothing.")
    ] = False,
    runs_dir: RunsDir = Path("runs"),
    json_: Json = False,
) -> None:
    """Score a run, or answers from anywhere, and test the deltas; writes analysis.json and tables/*.csv."""
    with _analysed(run, responses, runs_dir, scale, category, points, compare, reparse=reparse) as (found, folder):
        _show(found, _free(out) if out else folder, with_report=False, as_json=json_)


def report(
    run: RunArgument = None,
    responses: ResponsesOption = None,
    out: Annotated[Path | None, typer.Option(help="Where to write it. \\[report.html in the run's folder]")] = None,
    scale: ScaleOption = None,
    category: CategoryOption = "mean",
    points: PointsOption = 6,
    compare: CompareOption = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Write the report of a run, or of answers from anywhere: one HTML file that can be read offline."""
    from dilemmas import report as stage

    with _analysed(run, responses, runs_dir, scale, category, points, compare) as (found, folder):
        if out:
            _outside(out)
        print(stage.write(found, out or folder / "report.html", folder))


def analyse_run(folder: Path, scale: ScaleName | None, *, with_report: bool, as_json: bool) -> None:
    """Analyse a run's folder, save the tables, print the result."""
    from dilemmas import analysis

    _show(analysis.analyse(folder, scale), folder, with_report=with_report, as_json=as_json)


@contextmanager
def _analysed(
    run: str | None, file: Path | None, runs_dir: Path, scale: str | None, category: str, points: int,
    compare: Sequence[str] | None, *, reparse: bool = False,
) -> Iterator[tuple[Analysis, Path]]:  # fmt: skip
    """The analysis of a run or of a file, and the folder for what is written."""
    import sys
    from contextlib import ExitStack

    from dilemmas import analysis
    from dilemmas.errors import InputError
    from dilemmas.evaluate import read_again
    from dilemmas.runs import opened

    chosen, settings = _scale(scale), analysis.Settings(category=_category(category))
    if (run is None) == (file is None):
        what = "give a run or a file of answers" if run is None else "a run and a file of answers are two studies"
        raise InputError(what, where="RUN, --responses", fix="`dilemmas list runs` shows the runs.")
    if file is not None:
        if reparse:
            raise InputError("a file of answers has no replies to read again", where="--reparse", fix="Leave it out.")
        if compare:
            raise InputError(
                "only runs can be compared: a file of answers does not tell whether its dilemmas are the same",
                where="--compare",
                fix="Put both into one file, each under its own model; models are compared.",
            )
        folder = _free(file.with_name(f"{file.stem}-analysis"))
        yield analysis.analyse_responses(file, chosen, settings, points=_points(points)), folder
        return
    assert run is not None
    with ExitStack() as stack:
        own, *others = (stack.enter_context(opened(one, runs_dir)) for one in (run, *(compare or ())))
        if reparse:
            print(f"{read_again(own.folder):,} replies are read differently now", file=sys.stderr)
        yield analysis.analyse(own.folder, chosen, settings, [other.folder for other in others]), own.out


def _show(found: Analysis, folder: Path, *, with_report: bool, as_json: bool) -> None:
    """Save the tables and print the result."""
    import json
    import sys

    from dilemmas import analysis
    from dilemmas.cli.comparisons import print_comparisons
    from dilemmas.cli.tables import print_tables

    tables = analysis.save(found, folder)
    if found.outdated:
        print("some replies were read by an older version; `dilemmas analyse RUN --reparse`", file=sys.stderr)
    page = None
    if with_report:
        from dilemmas import report as stage

        page = stage.write(found, folder / "report.html")
    if as_json:
        print(json.dumps(analysis.summary(found), indent=2, ensure_ascii=False, default=str))
        return
    print_tables(found)
    print_comparisons(found)
    print(f"\ntables  {tables}/")
    if page:
        print(f"report  {page}")


def _free(folder: Path) -> Path:
    """A folder that is no run's and no release's: what is said of other answers would stand beside theirs."""
    from dilemmas.errors import InputError
    from dilemmas.store import FILE

    if (folder / FILE).exists():
        raise InputError("is the folder of a run", where=str(folder), fix="Give another one with --out.")
    _outside(folder)
    return folder


def _outside(path: Path) -> None:
    """Refuse a place in released results, which stay as they were built."""
    from dilemmas.errors import InputError
    from dilemmas.release.results_layout import is_in_release

    if is_in_release(path):
        raise InputError("is in released results", where=str(path), fix="Give another one with --out.")


def _scale(name: str | None) -> ScaleName | None:
    if name is None:
        return None
    if name == "even":
        return "even"
    if name == "thirds":
        return "thirds"
    raise _unknown("scale", name, "even, thirds")


def _category(name: str) -> Literal["mean", "pooled"]:
    if name == "mean":
        return "mean"
    if name == "pooled":
        return "pooled"
    raise _unknown("category", name, "mean, pooled")


def _points(number: int) -> Literal[4, 6]:
    if number == 4:
        return 4
    if number == 6:
        return 6
    raise _unknown("points", str(number), "4, 6")


def _unknown(option: str, given: str, known: str) -> Exception:
    from dilemmas.errors import InputError

    return InputError(f'there is no {option} "{given}"', where=f"--{option}", fix=f"Known: {known}.")
