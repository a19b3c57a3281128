"""Render synthetic walkers: into a store, or into a tree of PNG files in CASIA-B's raw layout.

gaitway data walkers stores/walkers-500 --identities 500 --seed 7
gaitway data walkers raw/walkers --identities 10 --seed 7 --raw casia-b

A set of 48 walkers ships with Gaitway and needs no rendering: give the word `walkers` wherever a store is asked for.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("out", metavar="OUT", help="folder to write; must not exist")
    parser.add_argument(
        "--identities", type=int, required=True, metavar="N", help="number of walkers, 110 sequences each"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="which population; the same seed gives the same walkers (default: 0)"
    )
    parser.add_argument("--frames", type=int, default=24, help="frames per sequence, 25 per second (default: 24)")
    parser.add_argument("--processes", type=int, metavar="N", help="number of worker processes (default: one per core)")
    parser.add_argument("--raw", choices=["casia-b"], help="write PNG files of 320x240 in this data set's layout")


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    import sys

    from gaitway.cli.progress import progress_bar
    from gaitway.data.walkers import write_raw_tree, write_store

    write = write_raw_tree if args.raw else write_store
    try:
        with progress_bar("Rendering walkers", "sequences") as show:
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
    kind = "prepare casia-b" if args.raw else "data show"
    print(
        f"{args.out}: {args.identities} walkers, {args.identities * 110:,} sequences. Next: gaitway {kind} {args.out}"
    )
    return 0
