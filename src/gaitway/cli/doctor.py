"""Compare a store with what is known of its data set, and say what each difference means for results.

Subjects, sequences, views, known gaps, frame size, crop, values, short sequences, empty frames, joints of poses, jumps
from person to person, duplicates, checksums.
The exit status is 0 when nothing serious was found, else 1.

gaitway doctor stores/casia-b
gaitway doctor stores/casia-b --json doctor.json
"""

from __future__ import annotations

import argparse

STYLES = {"fine": ("✓", "green"), "note": ("·", "cyan"), "warning": ("!", "yellow"), "serious": ("✗", "bold red")}
MOST_LISTED = 4  # examples in a row of the table; the JSON has all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("store", metavar="STORE", help="the store's folder, or `walkers` for the shipped one")
    parser.add_argument("--json", metavar="FILE", help="also write all findings, with every example, to this file")


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from pathlib import Path

    from rich import box
    from rich.console import Console
    from rich.table import Table

    from gaitway.cli.progress import progress_bar
    from gaitway.data import open_store
    from gaitway.data.doctor import Severity, examine

    if args.json and not Path(args.json).absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder for {args.json}; make it first")
    store = open_store(args.store)
    with progress_bar("Examining", "frames") as show:
        diagnosis = examine(store, show)
    if args.json:
        Path(args.json).write_text(diagnosis.to_json(), encoding="utf-8")

    console = Console()
    console.print(f"{diagnosis.store}, compared with: {diagnosis.known_as}", highlight=False, soft_wrap=True)
    problems = Table("", "check", "found", "expected", box=box.SIMPLE_HEAD, padding=(0, 1, 1, 0))
    problems.add_column("what it means", ratio=1)
    fine = Table("", "check", "found", "expected", box=None)
    for finding in sorted(diagnosis.findings, key=lambda finding: -list(Severity).index(finding.severity)):
        sign, style = STYLES[finding.severity]
        row = [f"[{style}]{sign}[/]", finding.check, finding.found, finding.expected]
        if finding.severity is Severity.FINE:
            fine.add_row(*row)
            continue
        examples = ", ".join(finding.examples[:MOST_LISTED])
        if len(finding.examples) > MOST_LISTED:
            examples += f" and {len(finding.examples) - MOST_LISTED} more"
        problems.add_row(*row, f"{finding.means} [dim]({examples})[/dim]" if examples else finding.means)
    for table in (problems, fine):
        if table.row_count:
            console.print(table)
    counts = ", ".join(f"{diagnosis.count(severity)} {severity}" for severity in reversed(Severity))
    verdict = "This store is sound." if diagnosis.is_sound else "Results from this store can't be trusted as they are."
    console.print(f"{counts}. {verdict}", highlight=False)
    return 0 if diagnosis.is_sound else 1
