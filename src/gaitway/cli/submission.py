"""Files for test servers: which protocol writes one, writing it, and checking one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from gaitway.data import Store
    from gaitway.evaluation import EmbeddingSet, Protocol


def only_file(protocols: Sequence[Protocol], store: Store, *, named: bool) -> Protocol:
    """The protocol whose submission is meant; the first of the data set where none is named.

    Raises:
        ValueError: when no protocol writes one, or several that are named do.
    """
    if not protocols:
        raise ValueError(
            f"no protocol here writes a submission (the store holds {store.manifest.dataset}); of the shipped ones "
            "grew, grew/distractors and hid do"
        )
    if named and len(protocols) > 1:
        raise ValueError(f"{', '.join(p.name for p in protocols)} would write the same file; name one of them")
    return protocols[0]


def write_file(path: Path, embeddings: EmbeddingSet, protocol: Protocol, distance: str, device: torch.device) -> int:
    """Write a submission, check it, and return the number of its probes."""
    from gaitway.evaluation import expected_submission, make_submission, write_submission

    expected, _, _ = expected_submission(protocol, embeddings.subjects, embeddings.conditions, embeddings.views)
    text = make_submission(embeddings, protocol, distance=distance, device=device)
    write_submission(text, path, expected)
    return len(expected.probes)


def check_file(path: Path, store: Store, named: Sequence[str] | None, partition_name: str | None) -> int:
    """Check a submission that is there against a store, by the named protocol or the first of the data set.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the test server would refuse it; says all that is wrong.
    """
    from gaitway.data.partitions import load_partition
    from gaitway.evaluation import check_submission, expected_submission, list_protocols
    from gaitway.training.evaluating import load_protocols, sequences_to_embed

    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file; `gaitway evaluate … --submission FILE` writes a submission")
    dataset = store.manifest.dataset
    partition = load_partition(partition_name or dataset)
    loaded = load_protocols(named or list_protocols(dataset), partition)
    protocol = only_file([p for p in loaded if p.submission], store, named=bool(named))
    rows = sequences_to_embed(store, partition, tuple(store.manifest.modalities), [protocol]).rows
    index = store.index
    names = index.subjects[rows].tolist(), index.conditions[rows].tolist(), index.views[rows].tolist()
    expected, _, _ = expected_submission(protocol, *names)
    num_probes = check_submission(path.read_text(encoding="utf-8"), expected)
    print(f"{path} is a submission for protocol {protocol.name}: {num_probes:,} probes, all in order.")
    return 0
