"""Draw a sequence of a store in motion: its skeleton over its silhouette.

gaitway data play walkers 031-nm-01-090 walk.gif
gaitway data play stores/gait3d 0003-camid0_videoid2-seq0 walk.mp4 --fps 25
gaitway data play walkers 031-nm-01-090 walk.png

The walker's left is drawn in blue with dots, the right in orange with rings, what crosses the body in black; the less
sure a joint is, the paler, and a missing one is not drawn. Poses are scaled to the body. A store of silhouettes or of
poses alone is drawn as far as it goes. A .gif repeats itself, a .mp4 doesn't; a .png shows moments of about one gait
cycle side by side.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gaitway.data import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("store", metavar="STORE", help="the store's folder, or `walkers` for the shipped one")
    parser.add_argument(
        "sequence", metavar="SEQUENCE", help="subject-condition-view, as `gaitway data show` and the reports name it"
    )
    parser.add_argument("out", metavar="OUT", help="the picture to write: a name that ends in .gif, .mp4 or .png")
    parser.add_argument(
        "--fps",
        type=int,
        default=10,
        metavar="N",
        help="frames a second, 1 to 50 (default: 10, slower than life, so that legs can be told apart)",
    )


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from rich.console import Console

    from gaitway.cli.progress import progress_bar
    from gaitway.data import open_store
    from gaitway.report.animation import check_name, write_sequence
    from gaitway.report.moments import drawable, in_words, lengths

    if not 1 <= args.fps <= 50:
        raise ValueError(f"--fps {args.fps}: expected a number of frames a second from 1 to 50")
    store, console = open_store(args.store), Console()
    check_name(args.out)
    row = find_sequence(store, args.sequence)
    with progress_bar("drawing", "frames", visible=not args.out.lower().endswith(".png")) as show:
        write_sequence(store, row, args.out, frames_per_second=args.fps, progress=show)
    counts = lengths(store, row, drawable(store))
    console.print(f"Wrote {args.out}: {in_words(counts)} of {args.sequence}.", highlight=False, soft_wrap=True)
    if len(set(counts.values())) > 1:
        console.print(
            "Note: it isn't known which silhouette and which pose belong together; they're shown in their order.",
            soft_wrap=True,
        )
    return 0


def find_sequence(store: Store, name: str) -> int:
    """The row of the sequence called `name`.

    Raises:
        ValueError: when there is none; names the nearest one.
    """
    from difflib import get_close_matches

    index = store.index
    subjects = sorted(set(index.subjects.tolist()))
    near = [subject for subject in subjects if name.startswith(f"{subject}-")]
    near = near or get_close_matches(name.partition("-")[0], subjects, n=1, cutoff=0)
    rows = {index[int(row)].name: int(row) for row in index.rows_of(set(near))}
    if name not in rows:
        nearest = get_close_matches(name, rows, n=1, cutoff=0)
        raise ValueError(
            f"{store.path} has no sequence {name!r}; did you mean {nearest[0]!r}? Names are subject-condition-view"
        )
    return rows[name]
