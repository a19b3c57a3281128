"""Turn a data set as distributed into a store, which everything else reads.

gaitway prepare casia-b DatasetB-silhouettes.zip stores/casia-b
gaitway prepare grew GREW stores/grew
gaitway prepare opengait CASIA-B-pkl stores/casia-b --dataset casia-b
gaitway prepare oumvlp-pose OUMVLP-Pose stores/oumvlp-both --silhouettes OUMVLP --with stores/oumvlp

`gaitway prepare KIND --help` says what RAW is. An interrupted run goes on where it was when the same command is run
again.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gaitway.cli.pose_kinds import MARKED, POSE_KINDS, add_pose_options

if TYPE_CHECKING:
    from gaitway.data.datasets.preparing import Progress
    from gaitway.data.datasets.tree import DataInUse
    from gaitway.data.store import Store

MOST_LISTED = 20  # damaged files on the terminal; all are in left_out.csv
FEW_FRAMES = 5  # sequences below are kept, as published, and counted

ARCHIVES = """An archive (tar, tar.gz, zip) counts as a folder of its name and is read without unpacking it to disk,
also an archive of archives; RAW may be such a file, a folder of them, or the unpacked tree. 7z and locked archives must
be unpacked first."""

CASIA_B = """Align the silhouettes of CASIA-B, a PNG per frame, as OpenGait does: crop the rows of the person,
scale to a common height, put the middle of the mass into the middle column. RAW is the folder of
`001/bg-01/000/*.png`, a folder of archives (001.tar.gz, …; also zip), or one archive of such archives as it was
downloaded. Other data sets in this layout can be prepared too: name them with --dataset.

gaitway prepare casia-b DatasetB-silhouettes.zip stores/casia-b
gaitway prepare casia-b GaitDatasetB-silh stores/casia-b-128 --size 128 --compact"""

CASIA_E = """Scale the cropped silhouettes of CASIA-E, a JPEG per frame; sequences of 5 frames or fewer are left out.
RAW is the folder of the zip files train001-500, val501-614 and test615-1014, or of the tree
`forTrain/001/H/scene1/bg/000/1/*.jpg`.

gaitway prepare casia-e CASIA-E stores/casia-e"""

CCPG = """Align the silhouettes of CCPG, the PNG beside each picture, by CCPG's own rule (scaled by area). RAW is the
folder of `000/U0_D0_BG/01_0/*.png`.

gaitway prepare ccpg CCPG stores/ccpg"""

GAIT3D = """Align the silhouettes of Gait3D as those of CASIA-B. RAW is the folder 2D_Silhouettes, or that above it,
with `0000/camid0_videoid2/seq0/*.png`. GaitBase and later models take 64×64 pixels, some others 128×128.

gaitway prepare gait3d Gait3D/2D_Silhouettes stores/gait3d
gaitway prepare gait3d Gait3D/2D_Silhouettes stores/gait3d-128 --size 128"""

GREW = """Take over the silhouettes of GREW, which are aligned at 64×64 pixels already, and rearrange them: train/00001
becomes 00001train-00, a subject's gallery videos become 01 and 02 by name, probes probe-03. RAW is the folder of
`train/`, `test/gallery/` and `test/probe/`, as folders or archives, or a tree that OpenGait's script has rearranged.

gaitway prepare grew GREW stores/grew
gaitway prepare grew GREW stores/grew-large --distractors"""

HID = """Take over the silhouettes of the HID competitions, which are aligned at 128×128 pixels already. RAW is the
folder of `<subject>/<sequence>/*.png` and `probe/<sequence>/*.png`. Say which year by --dataset: hid2022, or hid2023
for 2023 and later.

gaitway prepare hid HID2022 stores/hid2022
gaitway prepare hid HID2023 stores/hid2023 --dataset hid2023"""

OUMVLP = """Align the silhouettes of OUMVLP as those of CASIA-B, and rearrange them by subject, sequence and view. RAW
is the folder of `Silhouette_000-00/00001/*.png` and its 27 neighbours, or of `00001/00/000/*.png`. Unpack the locked 7z
files first: `7z x 'Silhouette_*.7z' -p<password>`.

gaitway prepare oumvlp OUMVLP stores/oumvlp"""

SUSTECH1K = """Take the aligned silhouettes of SUSTech1K, scaled. RAW is the folder of `0000/00-nm/000/06*.pkl`; the
other 15 pickles of a sequence are not read, and no pickle is executed.

gaitway prepare sustech1k SUSTech1K-Released-pkl stores/sustech1k"""

OPENGAIT = """Read a data set that was processed for OpenGait: a tree `<id>/<type>/<view>/*.pkl` of pickled silhouettes
(frames, height, width) or poses (frames, joints, 3). Pickles are read without executing them: only arrays of numbers
are accepted. Where a folder holds several files, --data-in-use says which to take, as in OpenGait's configuration.

gaitway prepare opengait CASIA-B-pkl stores/casia-b --dataset casia-b --compact
gaitway prepare opengait CCPG-pkl stores/ccpg --dataset ccpg --data-in-use true false false false"""

KINDS = {  # command -> name of the data set, in a line, in a paragraph, sizes
    "casia-b": ("casia-b", "CASIA-B (PNG per frame)", CASIA_B, (64, 128)),
    "casia-e": ("casia-e", "CASIA-E (JPEG per frame)", CASIA_E, (64, 128)),
    "ccpg": ("ccpg", "CCPG (PNG beside each picture)", CCPG, (64, 128)),
    "gait3d": ("gait3d", "Gait3D (PNG per frame)", GAIT3D, (64, 128)),
    "grew": ("grew", "GREW (PNG per frame, to be rearranged)", GREW, ()),
    "hid": ("hid2022", "HID 2022 and later (PNG per frame)", HID, ()),
    "oumvlp": ("oumvlp", "OUMVLP (PNG per frame, to be rearranged)", OUMVLP, (64, 128)),
    "sustech1k": ("sustech1k", "SUSTech1K (aligned silhouettes in pickles)", SUSTECH1K, (64, 128)),
}


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
            "--skip-bad",
            action="store_true",
            help="leave out damaged files and list them, instead of stopping at the first",
        )
        return command

    def add_compact(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--compact",
            action="store_true",
            help="store silhouettes as one bit per pixel: an eighth of the size; grey becomes black or white",
        )

    def add_dataset_and_processes(command: argparse.ArgumentParser, dataset: str) -> None:
        command.add_argument("--dataset", default=dataset, help=f"name of the data set (default: {dataset})")
        command.add_argument(
            "--processes", type=_positive, metavar="N", help="number of worker processes (default: one per core)"
        )

    for kind, (dataset, summary, description, sizes) in KINDS.items():
        command = add(kind, f"{summary}, as distributed", f"{description}\n\n{ARCHIVES}")
        add_compact(command)
        add_dataset_and_processes(command, dataset)
        if sizes:
            command.add_argument(
                "--size",
                type=int,
                choices=sizes,
                default=sizes[0],
                help=f"height and width of a silhouette (default: {sizes[0]})",
            )
        if kind == "grew":
            command.add_argument(
                "--distractors", action="store_true", help="also take the distractors, as sequences of subject 99999"
            )

    for kind, (dataset, summary, description, skeletons) in POSE_KINDS.items():
        command = add(kind, f"{summary}, as distributed", f"{description}\n\n{MARKED}\n\n{ARCHIVES}")
        add_dataset_and_processes(command, dataset)
        add_pose_options(command, kind, skeletons)

    opengait = add("opengait", "a data set processed for OpenGait (pickles)", OPENGAIT)
    add_compact(opengait)
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

    pieces = "sequences" if args.kind == "opengait" else "sequences or archives"
    try:
        with progress_bar(f"Preparing {args.dataset}", pieces) as show:
            store = _prepare(args, show)
    except KeyboardInterrupt:
        print("Stopped. What is done is kept: run the same command again to go on from here.", file=sys.stderr)
        return 130
    _summarise(store)
    return 0


def _prepare(args: argparse.Namespace, show: Progress) -> Store:
    """Call what prepares this kind of raw data."""
    if args.kind == "opengait":
        from gaitway.data.datasets.tree import prepare_tree

        return prepare_tree(
            args.raw,
            args.out,
            dataset=args.dataset,
            data_in_use=_data_in_use(args.data_in_use),
            compact=args.compact,
            skip_bad=args.skip_bad,
            progress=show,
        )
    if args.kind in POSE_KINDS:
        from gaitway.data.datasets.pose_sets import POSES
        from gaitway.data.datasets.poses import prepare_poses

        return prepare_poses(
            POSES[args.kind.removesuffix("-pose")],
            args.raw,
            args.out,
            dataset=args.dataset,
            joints=getattr(args, "joints", None),
            silhouettes=getattr(args, "silhouettes", None),
            join=args.join,
            num_processes=args.processes,
            skip_bad=args.skip_bad,
            progress=show,
        )
    from gaitway.data.datasets.distributed import DISTRIBUTED
    from gaitway.data.datasets.grew import grew
    from gaitway.data.datasets.silhouettes import prepare_silhouettes

    return prepare_silhouettes(
        grew(distractors=args.distractors) if args.kind == "grew" else DISTRIBUTED[args.kind],
        args.raw,
        args.out,
        dataset=args.dataset,
        size=getattr(args, "size", None),
        compact=args.compact,
        num_processes=args.processes,
        skip_bad=args.skip_bad,
        progress=show,
    )


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
        counts = store.index.num_frames[name]
        short = int(((counts > 0) & (counts < FEW_FRAMES)).sum())
        if short:
            console.print(f"{short:,} sequences have fewer than {FEW_FRAMES} frames of {name}; they are kept")
    table = Table("left out or marked", "because", "number", box=None, padding=(0, 2, 0, 0))
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
