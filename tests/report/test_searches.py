from __future__ import annotations

import numpy as np
import pytest
import torch

from gaitway.evaluation import EmbeddingSet, Protocol, load_protocol, pairwise_distance
from gaitway.report import example_searches, search


def test_search_finds_the_nearest_of_one_view(embeddings: EmbeddingSet, protocol: Protocol) -> None:
    probe = embeddings.names.index("003-cl-01-090")
    found = search(embeddings, protocol, probe, probe_set="CL", gallery_view="054", num_nearest=20)
    gallery = [i for i, name in enumerate(embeddings.names) if name[4:] in {f"nm-0{k}-054" for k in (1, 2, 3, 4)}]
    vectors = embeddings.embeddings
    distances = {i: float(pairwise_distance(vectors[[probe]], vectors[[i]])) for i in gallery}
    order = sorted(gallery, key=lambda i: distances[i])
    assert [match.position for match in found.nearest] == order
    assert [match.distance for match in found.nearest] == pytest.approx([distances[i] for i in order], rel=1e-5)
    assert [match.right for match in found.nearest] == [embeddings.subjects[i] == "003" for i in order]
    assert found.rank == 1 + [embeddings.subjects[i] for i in order].index("003")
    assert found.num_gallery == 20


def test_excluded_pairs_are_not_compared(embeddings: EmbeddingSet) -> None:
    protocol = load_protocol("casia-b/cross-view")  # leaves out the subject's own sequences of the probe's view
    probe = embeddings.names.index("002-bg-01-054")
    found = search(embeddings, protocol, probe, probe_set="BG", num_nearest=100)
    names = {embeddings.names[match.position] for match in found.nearest}
    assert len(names) == 5 * 3 * 3 - 3
    assert "002-nm-02-000" in names
    assert "001-nm-02-054" in names
    assert "002-nm-02-054" not in names


def test_ties_count_against_the_probe(embeddings: EmbeddingSet, protocol: Protocol) -> None:
    same = EmbeddingSet(
        torch.zeros_like(embeddings.embeddings), embeddings.subjects, embeddings.conditions, embeddings.views
    )
    found = search(same, protocol, same.names.index("001-nm-05-000"), probe_set="NM", gallery_view="090")
    assert not found.right
    assert found.rank == 17  # of 20, of which 4 are right


def test_nothing_to_compare_with_is_an_error(embeddings: EmbeddingSet, protocol: Protocol) -> None:
    with pytest.raises(ValueError, match=r"001-nm-05-000: protocol casia-b leaves no gallery"):
        search(embeddings, protocol, embeddings.names.index("001-nm-05-000"), probe_set="NM", gallery_view="000")


def test_examples_show_right_and_wrong_of_every_set(embeddings: EmbeddingSet, protocol: Protocol) -> None:
    examples = example_searches(embeddings, protocol)
    assert [found.probe_set for found in examples] == ["NM", "NM", "BG", "BG", "CL", "CL"]
    assert examples == example_searches(embeddings, protocol)
    for name in ("BG", "CL"):  # this test set has errors in both
        assert {found.right for found in examples if found.probe_set == name} == {True, False}
    for found in examples:
        assert found.gallery_view != embeddings.views[found.probe]
        assert {embeddings.views[match.position] for match in found.nearest} == {found.gallery_view}
        assert embeddings.conditions[found.probe].startswith(found.probe_set.lower())


def test_examples_of_a_perfect_model_are_all_right(embeddings: EmbeddingSet, protocol: Protocol) -> None:
    numbers = torch.from_numpy(np.array(embeddings.subjects, dtype=np.float32))
    perfect = EmbeddingSet(numbers[:, None, None], embeddings.subjects, embeddings.conditions, embeddings.views)
    examples = example_searches(perfect, protocol)
    assert len(examples) == 6
    assert all(found.right for found in examples)
    assert len({found.probe for found in examples}) == 6
