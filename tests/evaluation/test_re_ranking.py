from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
import torch

from gaitway.evaluation import ReRankedDistance, ReRanking, evaluate, load_protocol
from gaitway.evaluation import re_ranking as re_ranking_module
from gaitway.evaluation.distance import pairwise_distance
from tests.evaluation.test_evaluator import VIEWS, casia_like, gallery_conditions, rows_of

Floats = npt.NDArray[np.float64]


def naive_re_ranking(distances: Floats, num_probes: int, settings: ReRanking) -> Floats:
    """The definition, item by item, with dense encodings."""
    n = len(distances)
    near = distances / distances.max(1, keepdims=True)
    order = np.argsort(near, axis=1, kind="stable")

    def reciprocal(item: int, k: int) -> set[int]:
        return {c for c in order[item, : k + 1].tolist() if item in order[c, : k + 1]}

    weights = np.zeros((n, n))
    for i in range(n):
        kept = reciprocal(i, settings.k1)
        members = set(kept)
        for c in kept:
            theirs = reciprocal(c, round(settings.k1 / 2))
            if len(theirs & kept) > 2 / 3 * len(theirs):
                members |= theirs
        chosen = sorted(members)
        weights[i, chosen] = np.exp(-near[i, chosen])
        weights[i] /= weights[i].sum()
    if settings.k2 > 1:
        weights = np.stack([weights[order[i, : settings.k2]].mean(0) for i in range(n)])
    shared = np.array([[np.minimum(weights[i], weights[j]).sum() for j in range(n)] for i in range(n)])
    final = (1 - settings.lambda_) * (1 - shared / (2 - shared)) + settings.lambda_ * near
    result: Floats = final[:num_probes, num_probes:]
    return result


def clustered(n: int = 40) -> torch.Tensor:
    """Distances `(n, n)` among a few loose clusters."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(8, 4))[rng.integers(8, size=n)] * 2 + rng.normal(size=(n, 4))
    return torch.from_numpy(np.linalg.norm(points[:, None] - points, axis=-1))


def re_ranked(distances: torch.Tensor, num_probes: int, settings: ReRanking) -> torch.Tensor:
    search = ReRankedDistance(
        lambda block: distances[block], num_probes=num_probes, num_sequences=len(distances), settings=settings
    )
    return search(slice(0, num_probes))


@pytest.mark.parametrize("settings", [ReRanking(), ReRanking(20, 6), ReRanking(6, 1), ReRanking(3, 9, 0.0)])
def test_it_equals_the_definition(settings: ReRanking) -> None:
    distances = clustered()
    found = re_ranked(distances, 15, settings)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, naive_re_ranking(distances.numpy(), 15, settings), atol=2e-6)


def test_lambda_1_leaves_the_order_as_it_was() -> None:
    distances = clustered()
    found = re_ranked(distances, 15, ReRanking(lambda_=1))
    torch.testing.assert_close(found, (distances[:15, 15:] / distances[:15].amax(1, keepdim=True)).float())


def test_blocks_do_not_change_the_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    distances = clustered()
    expected = re_ranked(distances, 15, ReRanking())
    monkeypatch.setattr(re_ranking_module, "ROWS_PER_BLOCK", 7)
    monkeypatch.setattr(re_ranking_module, "PAIRS_PER_BLOCK", 3)
    torch.testing.assert_close(re_ranked(distances, 15, ReRanking()), expected, atol=1e-6, rtol=0)


def test_a_part_of_the_probes() -> None:
    distances = clustered()
    search = ReRankedDistance(lambda block: distances[block], num_probes=15, num_sequences=40, settings=ReRanking())
    torch.testing.assert_close(search(slice(4, 9)), search(slice(0, 15))[4:9])


@pytest.mark.parametrize("distances", [torch.zeros(12, 12), torch.ones(12, 12), clustered(4)])
def test_nothing_to_tell_apart_and_fewer_sequences_than_neighbours(distances: torch.Tensor) -> None:
    assert re_ranked(distances, 2, ReRanking()).isfinite().all()


@pytest.mark.parametrize("values", ["6,6,0.3", [6, 6, 0.3], (6.0, 6.0, 0.3)])
def test_settings_from_text_and_numbers(values: str | list[float]) -> None:
    assert ReRanking.parse(values) == ReRanking()


@pytest.mark.parametrize("values", ["6,6", "six", [6.5, 6, 0.3], "6,6,2", "0,6,0.3", 6])
def test_settings_that_are_none(values: str) -> None:
    with pytest.raises(ValueError, match=r"re-ranking .*6,6,0.3|needs k1 and k2 from 1 on"):
        ReRanking.parse(values)


def test_a_protocol_re_ranks_every_search_for_itself() -> None:
    """Probes of one set and view with the gallery of one view: rank-1 from the definition."""
    settings = ReRanking(3, 2, 0.3)
    embeddings = casia_like()
    protocol = dataclasses.replace(load_protocol("casia-b"), rerank=settings)
    result = evaluate(embeddings, protocol)
    assert result.rerank == "k1=3, k2=2, lambda=0.3"
    subjects = np.array(embeddings.subjects)
    for name, selection in protocol.probes.items():
        cells = []
        for probe_view in VIEWS:
            for gallery_view in VIEWS:
                probes = rows_of(embeddings, selection.conditions, probe_view)
                gallery = rows_of(embeddings, gallery_conditions(protocol), gallery_view)
                both = embeddings.embeddings[[*probes, *gallery]]
                distances = naive_re_ranking(pairwise_distance(both, both).double().numpy(), len(probes), settings)
                right = subjects[gallery][distances.argmin(1)] == subjects[probes]
                cells.append(100 * right.mean())
        matrix = result.sets[name].figures["rank-1"].matrix()
        np.testing.assert_allclose(matrix.ravel(), np.round(cells, 2), atol=1e-6)
    assert result.figures() != evaluate(embeddings, load_protocol("casia-b")).figures()


def test_re_ranking_goes_in_blocks_of_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    from gaitway.evaluation import evaluator as evaluator_module

    protocol = dataclasses.replace(load_protocol("casia-b/cross-view"), rerank=ReRanking())
    done: list[int] = []
    expected = evaluate(casia_like(), protocol, progress=done.append)
    monkeypatch.setattr(evaluator_module, "PROBES_PER_BLOCK", 3)
    assert evaluate(casia_like(), protocol).figures() == pytest.approx(expected.figures())
    assert sum(done) == 3 * 8 * 3
