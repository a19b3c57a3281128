"""Print and draw what a search has found: the best, the front, the history, an architecture.

gaitway nas show runs/supernet/searches/evolution
gaitway nas show runs/supernet/searches/evolution --rows 50
gaitway nas show runs/supernet/searches/evolution --architecture 3
gaitway nas show runs/supernet/searches/evolution --architecture 0,5,5,4

It can be called while the search goes on. The pictures (front.svg, history.svg, architecture.svg) and the report for a
browser come into the search's folder.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from gaitway.models.sposgait import Architecture
    from gaitway.nas.results import SearchResults
    from gaitway.report.search_contents import DrawnLayer

ROWS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("search", metavar="SEARCH", help="the folder of a search")
    parser.add_argument(
        "--rows", type=int, default=ROWS, metavar="N", help=f"of the table of the best (default {ROWS})"
    )
    parser.add_argument(
        "--architecture",
        default="best",
        metavar="A",
        help="the one to draw: best (default), a row of the table, or block numbers such as 0,5,5,4",
    )


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from pathlib import Path

    from rich.console import Console

    from gaitway.nas.results import SearchResults, chosen

    folder, console = Path(args.search), Console()
    if args.rows < 1:
        raise ValueError(f"--rows {args.rows}: expected a number from 1 on")
    results = SearchResults.load(folder)
    path = chosen(results, args.architecture)
    print_results(console, results, rows=args.rows)
    print_history(console, results)
    report = write_pictures(folder, results, path)
    console.print(f"pictures   {folder}/front.svg, history.svg, architecture.svg", soft_wrap=True, highlight=False)
    console.print(f"report     {report}", soft_wrap=True, highlight=False)
    return 0


def print_results(console: Console, results: SearchResults, *, rows: int = ROWS) -> None:
    """Print the table of the best, and those on the front that are not in it."""
    from rich import box
    from rich.table import Table

    from gaitway.report.search_page import axis_name, figure

    best = results.best
    front = {found.path for found in results.front}
    table = Table(
        title=f"search {results.name}: {len(results.evaluations):,} architectures by {', '.join(results.objectives)}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
    )
    short = {"multiply-adds": "MACs", "parameters": "params"}
    headings = []
    for name in best.figures:
        words, _, unit = axis_name(name).rpartition(" ")
        headings.append(f"{short.get(words, words)}\n{unit}")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("architecture", no_wrap=True)
    for heading in (*headings, "gen.", "front"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row, found in enumerate(results.ranked, 1):
        if row > rows and found.path not in front:
            continue
        figures = (figure(name, found.figures[name]) for name in best.figures)
        mark = "●" if found.path in front else ""
        table.add_row(str(row), " ".join(map(str, found.path)), *figures, str(found.generation), mark)
    console.print(table)


def print_history(console: Console, results: SearchResults) -> None:
    """Print the first objective by generation."""
    from rich import box
    from rich.table import Table

    from gaitway.report.search_page import axis_name, figure

    name = results.objectives[0]
    table = Table(title=f"{axis_name(name)} by generation", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("generation", "best so far", "best", "median"):
        table.add_column(heading, justify="right")
    for row in results.summaries:
        figures = (figure(name, value) for value in (row.best_so_far, row.best, row.median))
        table.add_row(str(row.generation), *figures)
    console.print(table)


def write_pictures(folder: Path, results: SearchResults, path: Architecture | None = None) -> Path:
    """Write the pictures and the report of a search.

    Args:
        folder: Of the search.
        results: What it has found.
        path: The architecture to draw; None: the best.

    Returns:
        The report.
    """
    import statistics

    from gaitway.report.search_contents import Candidate, SearchContents
    from gaitway.report.search_page import write_search_report

    front = {found.path for found in results.front}
    seconds = [found.seconds for found in results.evaluations if found.seconds]
    contents = SearchContents(
        name=results.name,
        objectives=results.objectives,
        candidates=[
            Candidate(
                architecture=found.path,
                generation=found.generation,
                figures=found.figures,
                on_front=found.path in front,
            )
            for found in results.ranked
        ],
        history=[(row.generation, row.best_so_far, row.best, row.median) for row in results.summaries],
        drawn=drawn_layers(results, results.best.path if path is None else path),
        seconds=statistics.median(seconds) if seconds else None,
        num_frames=results.terms["search space"]["clip"],
        circumstances=results.terms,
    )
    return write_search_report(contents, folder)


def drawn_layers(results: SearchResults, path: Architecture) -> list[DrawnLayer]:
    """The layers of an architecture of a search.

    Raises:
        ValueError: when it is none of the search's space.
    """
    from gaitway.models.sposgait import KERNELS, check_architecture, searched_layers
    from gaitway.report.search_contents import DrawnLayer

    space = results.terms["search space"]
    layers = searched_layers(space["variant"], space["channels"])
    checked = check_architecture(path, [layer.num_choices for layer in layers])
    return [
        DrawnLayer(
            stage=layer.stage,
            in_channels=layer.in_channels,
            out_channels=layer.out_channels,
            block=kind,
            kernels=KERNELS[kind],
            rectified=layer.rectified,
            free=layer.num_choices > 1,
        )
        for layer, kind in zip(layers, checked, strict=True)
    ]
