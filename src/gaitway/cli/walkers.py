"""Render synthetic walkers: into a store, or into files as a data set is distributed.

gaitway data walkers stores/walkers-500 --identities 500 --seed 7
gaitway data walkers raw/walkers --identities 10 --seed 7 --raw casia-b
gaitway data walkers raw/grew --identities 12 --raw grew
gaitway data walkers raw/grew-pose --identities 12 --raw grew-pose

A set of 48 walkers ships with Gaitway and needs no rendering: give the word `walkers` wherever a store is asked for.
"""

from __future__ import annotations

import argparse

RAW = (
    *("casia-b", "casia-e", "ccpg", "gait3d", "grew", "hid", "oumvlp", "sustech1k"),
    *("casia-b-pose", "casia-b-pose-csv", "ccpg-pose", "gait3d-pose", "grew-pose", "oumvlp-pose", "sustech1k-pose"),
)
NEXT = {"casia-b-pose-csv": "casia-b-pose", "oumvlp-pose": "oumvlp-pose --first-person"}
"""How `gaitway prepare` is called for a layout, where it's not by the layout's name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("out", metavar="OUT", help="folder to write; must not exist")
    parser.add_argument(
        "--identities",
        type=int,
        required=True,
        metavar="N",
        help="number of walkers; 110 sequences each, or as many as LAYOUT has",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="which population; the same seed gives the same walkers (default: 0)"
    )
    parser.add_argument("--frames", type=int, default=24, help="frames per sequence, 25 per second (default: 24)")
    parser.add_argument("--processes", type=int, metavar="N", help="number of worker processes (default: one per core)")
    parser.add_argument(
        "--raw",
        choices=RAW,
        metavar="LAYOUT",
        help="write files as this data set is distributed, with subjects of its partition; silhouettes and poses of "
        f"the same seed fit together: {', '.join(RAW)}",
    )


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    import sys
    from functools import partial

    from gaitway.cli.progress import progress_bar
    from gaitway.data.walkers import write_raw_tree, write_store

    write = partial(write_raw_tree, layout=args.raw) if args.raw else write_store
    try:
        with progress_bar("Rendering walkers", "identities" if args.raw else "sequences") as show:
            write(
                args.out,
                num_identities=args.identities,
                seed=args.seed,
                num_frames=args.frames,
                num_processes=args.processes,
                progress=show,
            )
    except ModuleNotFoundError as error:
        print(f"gaitway data walkers: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        hint = "nothing is kept" if args.raw else "what is done is kept: run the same command again to go on from here"
        print(f"Stopped; {hint}.", file=sys.stderr)
        return 130
    following = f"prepare {NEXT.get(args.raw, args.raw)} {args.out} STORE" if args.raw else f"data show {args.out}"
    print(f"{args.out}: {args.identities} walkers. Next: gaitway {following}")
    return 0
