"""Ranking a gallery for each probe, and the figures that follow from it. Nothing here loops over probes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Ranking:
    """Where the matches of each of n probes stand in its gallery, sorted by distance.

    Args:
        first: `(n,)` int64, the position of the first match, from 1; gallery size + 1 without a match.
        average_precision: `(n,)` float64, mean over the matches of (matches up to here) / (position); NaN without one.
        inverse_negative_penalty: `(n,)` float64, number of matches / position of the last; NaN without a match.
        num_matches: `(n,)` int64.
    """

    first: Tensor
    average_precision: Tensor
    inverse_negative_penalty: Tensor
    num_matches: Tensor


def rank(distances: Tensor, matches: Tensor, valid: Tensor | None = None) -> Ranking:
    """Rank each probe's gallery.

    Of sequences at the same distance, the one that comes later in the gallery stands first: a fixed rule, where the
    published code leaves it to the sorting algorithm, that favours neither matches nor others.

    Args:
        distances: `(n, g)`, finite.
        matches: `(n, g)` bool, whether probe and gallery sequence show the same subject.
        valid: `(n, g)` bool, pairs to compare; None: all.
    """
    num_probes, num_gallery = distances.shape
    if valid is not None:
        distances, matches = distances.masked_fill(~valid, torch.inf), matches & valid
    order = distances.flip(1).argsort(dim=1, stable=True)
    probe, place = matches.flip(1).gather(1, order).nonzero(as_tuple=True)  # of each match, probe after probe
    num_matches = torch.bincount(probe, minlength=num_probes)
    after_last = num_matches.cumsum(0)
    before_first = after_last - num_matches

    position = place + 1
    matches_up_to_here = torch.arange(1, len(probe) + 1, device=probe.device) - before_first[probe]
    precision = matches_up_to_here.double() / position
    first, last = (torch.full_like(num_matches, num_gallery + 1) for _ in range(2))
    found = num_matches > 0
    first[found], last[found] = position[before_first[found]], position[after_last[found] - 1]
    undefined = precision.new_zeros(num_probes).masked_fill(~found, torch.nan)
    return Ranking(
        first=first,
        average_precision=undefined.index_add(0, probe, precision) / num_matches,
        inverse_negative_penalty=undefined + num_matches / last.double(),
        num_matches=num_matches,
    )


class DistanceCounts:
    """How many matching and how many other pairs there are at each distance, for the equal-error rate.

    Pairs are counted in 2¹⁹ classes of equal relative width (2⁻¹¹, the leading bits of the float32 distance), so that
    memory does not grow with the number of pairs. Negative distances, which rounding can give, count as 0.
    """

    _DROPPED_BITS = 12
    _NUM_CLASSES = 1 << (31 - _DROPPED_BITS)

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.counts = torch.zeros(2, self._NUM_CLASSES, dtype=torch.int64, device=device)  # (other or matching, class)

    def add(self, distances: Tensor, matches: Tensor) -> None:
        """Count pairs: their distances `(m,)`, and whether they match, `(m,)` bool."""
        classes = distances.float().clamp(min=0).abs().view(torch.int32) >> self._DROPPED_BITS
        classes = classes + matches.int() * self._NUM_CLASSES
        self.counts += torch.bincount(classes, minlength=2 * self._NUM_CLASSES).view(2, -1)

    def equal_error_rate(self) -> float | None:
        """The equal-error rate as a share; see `equal_error_rate`. None without matching or without other pairs."""
        totals = self.counts.sum(1, keepdim=True)
        if not totals.all():
            return None
        occupied = self.counts.any(0).nonzero().squeeze(1)
        accepted = self.counts[:, occupied].cumsum(1) / totals.double()
        start = accepted.new_zeros(1)
        false_accepts = torch.cat((start, accepted[0]))
        false_rejects = 1 - torch.cat((start, accepted[1]))
        difference = false_accepts - false_rejects  # from -1 to 1, never falls
        after = int(torch.searchsorted(difference, 0.0))
        before = after - 1
        share = -difference[before] / (difference[after] - difference[before])
        return float(torch.lerp(false_accepts[before], false_accepts[after], share))


def equal_error_rate(distances: Tensor, matches: Tensor) -> float | None:
    """The equal-error rate of verification, as a share of 1.

    A pair is accepted as the same person when its distance is at most a threshold. The false-accept rate is the share
    of the pairs of different people that are accepted, the false-reject rate the share of the pairs of one person that
    are not. With the threshold at each distance that occurs (to a relative precision of 2⁻¹¹), and at 0 accepts, the
    two rates are points of a curve; the equal-error rate is where they are equal on the straight line between the two
    points around. One threshold holds for all pairs.

    Args:
        distances: `(m,)`, of pairs.
        matches: `(m,)` bool, whether the pair shows the same person.

    Returns:
        The rate, or None when there are no matching or no other pairs.
    """
    counts = DistanceCounts(distances.device)
    counts.add(distances, matches)
    return counts.equal_error_rate()
