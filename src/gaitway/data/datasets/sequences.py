"""From the files of a data set as distributed to the sequences of a store, on many cores, in order, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial

from gaitway.data.datasets.preparing import DAMAGED, Prepared, Progress, in_order, process_pool, write
from gaitway.data.datasets.sources import Layout, SequenceKey, Source, Work, files_of, load
from gaitway.data.partitions import list_partitions, load_partition
from gaitway.data.store import LeftOut
from gaitway.data.store_writer import StoreWriter

Build = Callable[[SequenceKey, Mapping[str, bytes]], Prepared]
"""From the name of a sequence and its files, name -> content, to what goes into the store; runs in other processes."""
Load = Callable[[Sequence[Source], frozenset[str]], Iterator[Work]]

MISSING = "missing from the raw data"


def write_sequences(
    writer: StoreWriter,
    sources: Sequence[Source],
    layout: Layout,
    build: Build,
    *,
    num_processes: int,
    skip_bad: bool,
    progress: Progress | None,
    load: Load = load,
    complete: Callable[[Prepared], None] | None = None,
) -> None:
    """Build the sequences of all sources that a store does not have yet, and add them to it.

    Args:
        writer: Of the store.
        sources: Where the files are, in the order of the store.
        layout: How they lie.
        build: Makes a sequence of its files.
        num_processes: How many.
        skip_bad: Leave out damaged files and list them, instead of stopping at the first.
        progress: Told how many sources of how many are done.
        load: Reads what lies in archives that are opened here.
        complete: Adds to a sequence, in this process, what its own files don't hold.
    """
    done = frozenset(writer)
    to_do = [source for source in sources if source.key is None or "-".join(source.key) not in done]
    prepare = partial(prepare_source, layout=layout, build=build)
    # how many results wait in memory at most: single sequences, or whole archives
    window = num_processes * (8 if all(source.key for source in sources) else 2)
    with closing(in_order(process_pool(num_processes), prepare, load(to_do, done), window)) as results:
        for number, sequences in enumerate(results, start=len(sources) - len(to_do) + 1):
            for sequence in sequences:
                if complete:
                    complete(sequence)
                write(sequence, writer, skip_bad=skip_bad)
            if progress:
                progress(number, len(sources))


def prepare_source(work: Work, *, layout: Layout, build: Build) -> list[Prepared]:
    """Read and build the sequences of a source; an archive that can't be read counts as one damaged sequence."""
    label = work.source.label
    if f"{label}-*-*" in work.done:
        return []
    try:
        sequences = files_of(work, layout)
    except ValueError as error:
        return [Prepared(label, "*", "*", damage=[LeftOut("sequence", DAMAGED, detail=str(error))])]
    return [build(key, files) for key, files in sequences.items() if "-".join(key) not in work.done]


def note_missing(writer: StoreWriter, dataset: str) -> None:
    """List the views and conditions of which the raw data hold nothing, where the data set is known to have them."""
    if dataset not in list_partitions():
        return
    partition = load_partition(dataset)
    present = {tuple(name.split("-", 1)[1].rsplit("-", 1)) for name in writer}
    for what, position, known in (("condition", 0, partition.types), ("view", 1, partition.views)):
        for name in sorted(set(known) - {names[position] for names in present}):
            detail = f"no sequence has the {what} {name}, which {dataset} has; is a folder or an archive lacking?"
            entry = ("*", name, "*") if what == "condition" else ("*", "*", name)
            writer.add(*entry, {}, [LeftOut(what, MISSING, detail=detail)])
