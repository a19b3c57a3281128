from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from gaitway.nn.graph import adjacency, hop_distances, same_part
from gaitway.skeletons import SKELETONS, Skeleton

ALL = pytest.mark.parametrize("it", SKELETONS.values(), ids=SKELETONS.keys())
CHAIN = [(0, 1), (1, 2), (2, 3)]  # 0 - 1 - 2 - 3 and 4 alone


def by_search(it: Skeleton, start: int) -> list[float]:
    """Edges from a joint to all others, by walking outwards."""
    far = {start: 0}
    edge_of = itertools.count(1)
    reached = {start}
    while reached:
        hops = next(edge_of)
        neighbours = {b for edge in it.edges for a, b in (edge, edge[::-1]) if a in reached}
        reached = neighbours - far.keys()
        far |= dict.fromkeys(reached, hops)
    return [float(far.get(joint, torch.inf)) for joint in range(it.num_joints)]


@ALL
def test_distances_are_the_shortest(it: Skeleton) -> None:
    expected = torch.tensor([by_search(it, joint) for joint in range(it.num_joints)])
    assert torch.equal(hop_distances(it.num_joints, it.edges), expected)


def test_joints_that_nothing_connects_are_infinitely_far() -> None:
    expected = torch.tensor([[0, 1, 2, 3], [1, 0, 1, 2], [2, 1, 0, 1], [3, 2, 1, 0]])
    found = hop_distances(5, CHAIN)
    assert torch.equal(found[:4, :4], expected.float())
    assert found[4].tolist() == [torch.inf] * 4 + [0]
    assert torch.equal(found, found.T)


@ALL
@pytest.mark.parametrize("max_hop", [0, 2, 3])
def test_shares_of_all_distances_add_up_to_one(it: Skeleton, max_hop: int) -> None:
    found = adjacency(it.num_joints, it.edges, max_hop=max_hop)
    distances = hop_distances(it.num_joints, it.edges)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.sum((0, 1)), torch.ones(it.num_joints))
    for hop, shares in enumerate(found):
        assert torch.equal(shares > 0, distances == hop)
    for joint in range(it.num_joints):  # neighbours have equal shares
        neighbours = found[:, :, joint].sum(0)
        assert len(torch.unique(neighbours[neighbours > 0])) == 1


def test_shares_depend_on_the_largest_distance() -> None:
    near, far = adjacency(5, CHAIN, max_hop=1), adjacency(5, CHAIN, max_hop=2)
    assert near[:, :, 0].sum(0).tolist() == [0.5, 0.5, 0, 0, 0]
    torch.testing.assert_close(far[:, :, 0].sum(0), torch.tensor([1.0, 1.0, 1.0, 0, 0]) / 3)
    assert adjacency(5, CHAIN, max_hop=2)[:, :, 4].sum(0).tolist() == [0, 0, 0, 0, 1]


def mask_by_loops(num_joints: int, parts: list[tuple[int, ...]]) -> Tensor:
    mask = torch.zeros(num_joints, num_joints)
    for part, a, b in itertools.product(parts, range(num_joints), range(num_joints)):
        mask[a, b] += a in part and b in part
    return mask


@ALL
def test_masks_of_parts(it: Skeleton) -> None:
    for parts in it.partitions.values():
        expected = mask_by_loops(it.num_joints, list(parts.values()))
        assert torch.equal(same_part(it.num_joints, parts.values()), expected)


def test_joints_of_no_part_are_with_nobody() -> None:
    assert torch.equal(same_part(4, [(0, 2)]), mask_by_loops(4, [(0, 2)]))
    assert same_part(4, [(0, 2)]).sum() == 4
