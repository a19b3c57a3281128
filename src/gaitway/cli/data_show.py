"""Print what is in a store: subjects, conditions, views, lengths, how it was made, what was left out.

With --sheet also draw a contact sheet: per sequence a strip of moments, silhouettes with skeletons over them as far as
the store has them, and the mean silhouette. `gaitway data play` shows a sequence moving.

gaitway data show walkers
gaitway data show stores/casia-b --sheet sheet.png --subject 001 075 --view 090 --rows 8
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from gaitway.data.store import Store

MOST_NAMES = 14  # names of subjects, conditions or views in a line
FIRST_NAMES = 3  # of sequences in a note


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("store", metavar="STORE", help="the store's folder, or `walkers` for the shipped one")
    parser.add_argument("--sheet", metavar="OUT.png", help="write a contact sheet of sequences to this file")
    parser.add_argument("--subject", nargs="+", metavar="NAME", help="only sequences of these subjects")
    parser.add_argument("--condition", nargs="+", metavar="NAME", help="only sequences in these conditions")
    parser.add_argument("--view", nargs="+", metavar="NAME", help="only sequences from these views")
    parser.add_argument(
        "--rows",
        type=int,
        default=12,
        metavar="N",
        help="most sequences on the sheet, spread evenly over those chosen (default: 12)",
    )


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from rich.console import Console

    from gaitway.data import open_store

    if args.rows < 1:
        raise ValueError(f"--rows {args.rows}: expected a number of sequences from 1 on")
    store, console = open_store(args.store), Console()
    rows = _chosen(store, args)
    _print(store, rows, console)
    if args.sheet:
        import numpy as np

        from gaitway.report.contact_sheet import contact_sheet, write_png

        spread = np.linspace(0, len(rows) - 1, min(args.rows, len(rows))).round().astype(int)
        write_png(contact_sheet(store, [rows[position] for position in spread]), args.sheet)
        console.print(f"Wrote {args.sheet}.", highlight=False)
    return 0


def _chosen(store: Store, args: argparse.Namespace) -> list[int]:
    """Rows of the sequences that were asked for."""
    wanted = {"subject": args.subject, "condition": args.condition, "view": args.view}
    names = {"subject": store.index.subjects, "condition": store.index.conditions, "view": store.index.views}
    for what, chosen in wanted.items():
        have = set(names[what].tolist())
        unknown = [name for name in chosen or () if name not in have]
        if unknown:
            raise ValueError(f"{store.path} has no {what} {', '.join(unknown)}; it has {_some(sorted(have))}")
    rows = [
        row
        for row in range(len(store.index))
        if all(chosen is None or names[what][row] in chosen for what, chosen in wanted.items())
    ]
    if not rows:
        raise ValueError(f"no sequence of {store.path} fits --subject, --condition and --view together; ask for less")
    return rows


def _print(store: Store, rows: list[int], console: Console) -> None:
    import numpy as np
    from rich.table import Table

    manifest, index = store.manifest, store.index
    console.print(f"[bold]{manifest.dataset}[/bold] in {store.path}: {len(index):,} sequences", highlight=False)

    about = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, fmt in manifest.modalities.items():
        size = store.frames_file(name).stat().st_size / 1e6
        kind = "one bit per pixel" if fmt.compact else fmt.dtype
        shape = "×".join(map(str, fmt.shape))
        skeleton = f", {_skeleton(store)}" if name == "poses" else ""
        about.add_row(name, f"{manifest.num_frames[name]:,} frames of {shape}, {kind}, {size:,.1f} MB{skeleton}")
    about.add_row("made", ", ".join(f"{key}: {value}" for key, value in manifest.made.items()))
    left_out = "; ".join(f"{count:,} {reason}" for reason, count in manifest.left_out.items())
    about.add_row("left out", left_out or "nothing")
    if len(rows) < len(index):
        about.add_row("chosen", f"{len(rows):,} sequences, all below is about these")
    for what, names in (("subjects", index.subjects), ("conditions", index.conditions), ("views", index.views)):
        chosen = sorted(set(names[rows].tolist()))
        about.add_row(what, f"{len(chosen):,}: {_some(chosen)}")
    console.print(about, highlight=False)

    table = Table("frames per sequence", "sequences", "shortest", "median", "longest", box=None, padding=(0, 2, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, counts in index.num_frames.items():
        with_frames = counts[rows][counts[rows] > 0]
        if len(with_frames):
            figures = (with_frames.min(), np.median(with_frames), with_frames.max())
            table.add_row(name, f"{len(with_frames):,}", *(f"{figure:g}" for figure in figures))
    console.print(table, highlight=False)
    for note in _notes(store, rows):
        console.print(note, highlight=False, soft_wrap=True)


def _skeleton(store: Store) -> str:
    """Which skeleton the poses are."""
    from gaitway.report.moments import skeleton_in

    skeleton = skeleton_in(store)
    return "of no known skeleton, not drawn" if skeleton is None else f"skeleton {skeleton.name}"


def _notes(store: Store, rows: list[int]) -> list[str]:
    """Which of the sequences lack a modality, or have unequal numbers of frames of two."""
    import numpy as np

    chosen = np.array(rows)
    counts = {name: numbers[chosen] for name, numbers in store.index.num_frames.items()}
    affected = {f"without {name}": numbers == 0 for name, numbers in counts.items()}
    together = np.stack(list(counts.values()))
    unequal = (together != together[0]).any(0) & (together > 0).all(0)
    affected[f"with unequal numbers of {' and '.join(counts)}, of which it isn't known which belong together"] = unequal
    notes = []
    for what, which in affected.items():
        if which.any():
            names = [store.index[row].name for row in chosen[which][:FIRST_NAMES].tolist()]
            more = ", …" if which.sum() > FIRST_NAMES else ""
            notes.append(f"{which.sum():,} sequences {what} ({', '.join(names)}{more})")
    return notes


def _some(names: list[str]) -> str:
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMES - 3])}, … {', '.join(names[-2:])}"
