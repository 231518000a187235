"""Semi-global matching on costs whose answer is known."""

from __future__ import annotations

import numpy as np

from spongiosa.localise.matching import semi_global


def costs_of(truth: np.ndarray, levels: int) -> np.ndarray:
    return 1.0 - (np.arange(levels) == truth[..., None]).astype(float)


def test_a_smooth_surface_is_found_as_it_is():
    truth = np.add.outer(np.arange(20) // 4, np.arange(15) // 5)
    assert np.array_equal(semi_global(costs_of(truth, 10), wraps=False), truth)


def test_places_without_evidence_follow_their_neighbours():
    """A hole of 3 x 3 without any fall, as behind a pedicle: its best index is that around it."""
    costs = costs_of(np.full((20, 20), 4), 10)
    costs[8:11, 8:11] = 1.0
    assert (semi_global(costs, wraps=False) == 4).all()


def test_a_closed_ring_lets_its_ends_agree():
    """The first direction shows nothing; on a ring it lies between two neighbours at index 6."""
    costs = costs_of(np.full((12, 5), 6), 10)
    costs[0] = 1.0
    assert (semi_global(costs, wraps=True)[0] == 6).all()
