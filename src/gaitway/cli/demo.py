"""See gait recognition work, in a few minutes and with nothing but this package.

gaitway demo
gaitway demo --out runs/first steps=400

Trains a small model on the walkers, synthetic people that ship with Gaitway, by the same code as `gaitway train`; tests
it on people whom it has never seen; identifies one of them; and writes a report to look at in a browser. An existing
folder is left as it is: the next free name is taken (runs/demo-2, …).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from gaitway.data import Store
    from gaitway.evaluation import EmbeddingSet

RECIPE, DATA, PROTOCOL = "walkers/demo", "walkers", "walkers"
PROBE, GALLERY_VIEW = ("bg-01", "090"), "054"
"""Condition and view in which a held-out person is identified, and the view that the gallery shows everyone in."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("--out", default="runs/demo", metavar="DIR", help="folder for everything (default runs/demo)")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="changes to the recipe walkers/demo, such as steps=400"
    )


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    import tempfile
    import time
    from pathlib import Path

    from rich.console import Console

    from gaitway.cli import main
    from gaitway.data import open_store
    from gaitway.evaluation import EmbeddingSet
    from gaitway.training.recipe import load_recipe

    began = time.monotonic()
    console = Console()
    load_recipe(RECIPE, args.overrides)  # a misspelt override is an error before anything is shown
    folder = next_free(Path(args.out))
    if str(folder) != args.out:
        console.print(f"{args.out} exists already and stays as it is; this demo goes to {folder}.", soft_wrap=True)

    store = open_store(DATA)
    _heading(console, "1. The walkers")
    _show_walkers(console, store)

    with tempfile.TemporaryDirectory() as scratch:
        embeddings = f"{scratch}/embeddings.safetensors"
        train = ["train", RECIPE, *args.overrides, "--data", DATA, "--run", str(folder)]
        evaluate = ["evaluate", str(folder), "--data", DATA, "--protocol", PROTOCOL, "--baseline", "gei"]
        for title, words, more in (
            ("2. Training", train, []),
            ("3. Testing on people it has never seen", evaluate, ["--save-embeddings", embeddings]),
        ):
            _heading(console, title)
            console.print(f"$ gaitway {' '.join(words)}", style="dim", soft_wrap=True, highlight=False)
            status = main([*words, *more])
            if status:
                return status
        _heading(console, "4. Who is this?")
        _identify(console, store, EmbeddingSet.load(embeddings))

    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    _heading(console, f"Done in {minutes} min {seconds:02} s")
    _conclude(console, store, folder)
    return 0


def next_free(folder: Path) -> Path:
    """The folder, or where it exists the first of `folder-2`, `folder-3`, … that does not."""
    number = 1
    found = folder
    while found.exists():
        number += 1
        found = folder.with_name(f"{folder.name}-{number}")
    return found


def _heading(console: Console, title: str) -> None:
    console.print()
    console.rule(f"[bold]{title}", align="left", style="dim")


def _show_walkers(console: Console, store: Store) -> None:
    """Say what is in the data set and draw one person in each kind of clothes."""
    from gaitway.data.partitions import load_partition

    manifest, partition = store.manifest, load_partition(DATA)
    console.print(
        f"{manifest.num_subjects} synthetic people, {manifest.num_sequences:,} walks: normal (nm), with a bag (bg), in "
        f"a coat (cl), each seen from 11 sides. {len(partition.train)} people train the model; the other "
        f"{len(partition.test)} are kept for the test. The first of them, from the side:",
        highlight=False,
    )
    for condition in ("nm-01", "bg-01", "cl-01"):
        _draw(
            console, store, f"{partition.test[0]}-{condition}-090", f"{partition.test[0]} {condition}", rows=10, num=5
        )


def _identify(console: Console, store: Store, embeddings: EmbeddingSet) -> None:
    """Search for one held-out person among all of them, and draw what was found."""
    from gaitway.evaluation import load_protocol
    from gaitway.report import search

    protocol = load_protocol(PROTOCOL)
    condition, view = PROBE
    subject = sorted(set(embeddings.subjects))[0]
    name = f"{subject}-{condition}-{view}"
    probe = embeddings.names.index(name)
    found = search(embeddings, protocol, probe, probe_set="BG", gallery_view=GALLERY_VIEW, num_nearest=3)
    console.print(
        f"Someone walks past with a bag. The gallery knows {len(set(embeddings.subjects))} people by "
        f"{found.num_gallery} walks without a bag and from another side (view {GALLERY_VIEW}).",
        highlight=False,
    )
    _draw(console, store, name, f"the probe, view {view} (it is {subject})")
    for place, match in enumerate(found.nearest, start=1):
        mark = "[bold green]✓ right[/]" if match.right else "[bold red]✗ wrong[/]"
        title = f"{place}. {mark}: {embeddings.subjects[match.position]}, distance {match.distance:.2f}"
        _draw(console, store, embeddings.names[match.position], title)
    if not found.right:
        console.print(f"The first walk of the right person is number {found.rank} of {found.num_gallery}.")


def _draw(console: Console, store: Store, name: str, title: str, *, rows: int = 8, num: int = 6) -> None:
    """Draw moments of a walk side by side."""
    from gaitway.report.strips import moments
    from gaitway.report.terminal import block_picture, side_by_side

    row = [info.name for info in store.index].index(name)
    console.print(f"\n{title}", highlight=False)
    pictures = [block_picture(frame, rows) for frame in moments(store.frames("silhouettes", row), num)]
    for line in side_by_side(pictures):
        console.print(line, style="cyan", highlight=False, no_wrap=True, crop=True)


def _conclude(console: Console, store: Store, folder: Path) -> None:
    """Say where everything is and what to try next."""
    import numpy as np

    from gaitway.report import FILE_NAME
    from gaitway.report.contact_sheet import contact_sheet, write_png

    sheet = folder / "walkers.png"
    some = sorted(np.random.default_rng(0).permutation(len(store.index))[:12].tolist())
    write_png(contact_sheet(store, some), sheet)
    console.print(f"Some walkers:                  {sheet}", soft_wrap=True, highlight=False)
    console.print(f"The report, for your browser:  [bold]{folder / FILE_NAME}[/]", soft_wrap=True, highlight=False)
    console.print("\nWhat to try next:")
    for command, what in (
        ("gaitway train walkers/gaitset --data walkers", "the published GaitSet, in half an hour"),
        (f"gaitway train --resume {folder} --data walkers steps=400", "train this one longer"),
        ("gaitway data show walkers --sheet people.png --view 090", "look at more of the people"),
        ("gaitway data walkers more --identities 100 --seed 7", "make other people"),
        ("gaitway prepare casia-b RAW OUT", "real people, when you have CASIA-B"),
        ("gaitway recipes ls", "all recipes"),
    ):
        console.print(f"  # {what}", style="dim", soft_wrap=True, highlight=False)
        console.print(f"  {command}", soft_wrap=True, highlight=False)
