"""Turn a data set as distributed into a store, which everything else reads.

gaitway prepare casia-b DatasetB-silhouettes.zip stores/casia-b
gaitway prepare opengait CASIA-B-pkl stores/casia-b --dataset casia-b

An interrupted run goes on where it was when the same command is run again.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gaitway.data.datasets.tree import DataInUse
    from gaitway.data.store import Store

MOST_LISTED = 20  # damaged files on the terminal; all are in left_out.csv
FEW_FRAMES = 5  # sequences below are kept, as published, and counted

CASIA_B = """Align the silhouettes of CASIA-B, a PNG per frame, as OpenGait does: crop the rows of the person,
scale to a common height, put the middle of the mass into the middle column. RAW is the folder of
`001/bg-01/000/*.png`, a folder of archives (001.tar.gz, …; also zip), or one archive of such archives as it was
downloaded; archives are read without unpacking them to disk. Other data sets in this layout can be prepared too:
name them with --dataset.

gaitway prepare casia-b DatasetB-silhouettes.zip stores/casia-b
gaitway prepare casia-b GaitDatasetB-silh stores/casia-b-128 --size 128 --compact"""

OPENGAIT = """Read a data set that was processed for OpenGait: a tree `<id>/<type>/<view>/*.pkl` of pickled silhouettes
(frames, height, width) or poses (frames, joints, 3). Pickles are read without executing them: only arrays of numbers
are accepted. Where a folder holds several files, --data-in-use says which to take, as in OpenGait's configuration.

gaitway prepare opengait CASIA-B-pkl stores/casia-b --dataset casia-b --compact
gaitway prepare opengait CCPG-pkl stores/ccpg --dataset ccpg --data-in-use true false false false"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND", title="kinds of raw data")

    def add(kind: str, summary: str, description: str) -> argparse.ArgumentParser:
        command = kinds.add_parser(
            kind,
            help=summary,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_argument("raw", metavar="RAW", help="the data as distributed")
        command.add_argument("out", metavar="OUT", help="folder of the store; must not exist")
        command.add_argument(
            "--compact",
            action="store_true",
            help="store silhouettes as one bit per pixel: an eighth of the size; grey becomes black or white",
        )
        command.add_argument(
            "--skip-bad",
            action="store_true",
            help="leave out damaged files and list them, instead of stopping at the first",
        )
        return command

    casia_b = add("casia-b", "CASIA-B as distributed (PNG per frame)", CASIA_B)
    casia_b.add_argument("--dataset", default="casia-b", help="name of the data set (default: casia-b)")
    casia_b.add_argument(
        "--size", type=int, choices=(64, 128), default=64, help="height and width of a silhouette (default: 64)"
    )
    casia_b.add_argument(
        "--processes", type=_positive, metavar="N", help="number of worker processes (default: one per core)"
    )

    opengait = add("opengait", "a data set processed for OpenGait (pickles)", OPENGAIT)
    opengait.add_argument(
        "--dataset", required=True, help="name of the data set, such as casia-b, oumvlp, grew, gait3d"
    )
    opengait.add_argument(
        "--data-in-use",
        nargs="+",
        metavar="USE",
        help="which files of a sequence's folder, sorted by name: true or false for each, or positions from 0",
    )


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    import sys

    from gaitway.cli.progress import progress_bar

    is_casia_b = args.kind == "casia-b"
    try:
        with progress_bar(f"Preparing {args.dataset}", "sequences or archives" if is_casia_b else "sequences") as show:
            if is_casia_b:
                from gaitway.data.datasets.casia_b import prepare_casia_b

                store = prepare_casia_b(
                    args.raw,
                    args.out,
                    dataset=args.dataset,
                    size=args.size,
                    compact=args.compact,
                    num_processes=args.processes,
                    skip_bad=args.skip_bad,
                    progress=show,
                )
            else:
                from gaitway.data.datasets.tree import prepare_tree

                store = prepare_tree(
                    args.raw,
                    args.out,
                    dataset=args.dataset,
                    data_in_use=_data_in_use(args.data_in_use),
                    compact=args.compact,
                    skip_bad=args.skip_bad,
                    progress=show,
                )
    except KeyboardInterrupt:
        print("Stopped. What is done is kept: run the same command again to go on from here.", file=sys.stderr)
        return 130
    _summarise(store)
    return 0


def _summarise(store: Store) -> None:
    """Say what is in the store, and what was left out and why."""
    from rich.console import Console
    from rich.table import Table

    console, manifest = Console(highlight=False, soft_wrap=True), store.manifest
    for name, fmt in manifest.modalities.items():
        size = store.frames_file(name).stat().st_size / 1e6
        console.print(
            f"{store.path}: {manifest.num_sequences:,} sequences of {manifest.num_subjects:,} subjects, "
            f"{manifest.num_frames[name]:,} frames of {name} {'×'.join(map(str, fmt.shape))} ({size:,.1f} MB)"
        )
        short = int((store.index.num_frames[name] < FEW_FRAMES).sum())
        if short:
            console.print(f"{short:,} sequences have fewer than {FEW_FRAMES} frames of {name}; they are kept")
    table = Table("left out", "because", "number", box=None, padding=(0, 2, 0, 0))
    for reason, number in manifest.left_out.items():
        table.add_row(*reason.split(": ", maxsplit=1), f"{number:,}")
    console.print(table if manifest.left_out else "Nothing was left out.")
    details = [f"{name}: {missing.detail}" for name, missing in store.left_out if missing.detail]
    for line in details[:MOST_LISTED]:
        console.print(line, style="yellow", markup=False)
    if len(details) > MOST_LISTED:
        console.print(f"… and {len(details) - MOST_LISTED:,} more, see {store.path / 'left_out.csv'}", style="yellow")
    console.print(f"Next: gaitway doctor {store.path}")


def _data_in_use(words: list[str] | None) -> DataInUse | None:
    """`true false` becomes a mask, `2 0` positions."""
    if words is None:
        return None
    if all(word.lower() in ("true", "false") for word in words):
        return [word.lower() == "true" for word in words]
    if all(word.isdecimal() for word in words):
        return [int(word) for word in words]
    raise ValueError(
        f"--data-in-use {' '.join(words)} is neither a mask nor positions; "
        "give true or false for each file, or numbers from 0"
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)
