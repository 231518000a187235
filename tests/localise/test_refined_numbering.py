"""Chains whose plates are moved by what bodies and discs look like."""

from types import SimpleNamespace

import numpy as np
import pytest

from spongiosa.localise import refined_numbering as module
from spongiosa.localise.numbering import Numbering, Segment

LEVELS = ("L1", "L2", "L3", "L4", "L5")
PLACES_MM = ((10.0, 36.0), (46.0, 72.0), (82.0, 108.0), (118.0, 144.0), (154.0, 180.0))


def chain(places_mm: tuple[tuple[float | None, float | None], ...], levels: tuple[str, ...] = LEVELS) -> Numbering:
    segments = tuple(Segment(level, *places, 0.0, 0.0) for level, places in zip(levels, places_mm, strict=True))
    return Numbering(segments, 8.0, 1.0, {0: 8.0})


def refined(monkeypatch: pytest.MonkeyPatch, first: Numbering, second: Numbering) -> Numbering:
    """What is made of two chains, in a column of bright bodies and dark discs."""
    middle_hu = np.full(200, 80.0)
    for start, stop in PLACES_MM:
        middle_hu[int(start) : int(stop)] = 160.0
    chains = iter((first, second))
    monkeypatch.setattr(module, "number_column", lambda *_: next(chains))
    found = module.refined_numbering(SimpleNamespace(middle_hu=middle_hu))
    assert found is not None
    return found


def moved(place: int, superior_mm: float | None, inferior_mm: float | None) -> Numbering:
    return chain((*PLACES_MM[:place], (superior_mm, inferior_mm), *PLACES_MM[place + 1 :]))


def test_a_plate_moves_out_of_the_disc_that_its_body_had_taken(monkeypatch):
    assert refined(monkeypatch, chain(PLACES_MM), moved(2, 82.0, 96.0)).segments[2].inferior_mm == 96.0


@pytest.mark.parametrize(
    ("superior_mm", "inferior_mm"),
    [(80.0, 116.0), (84.0, 106.0), (None, 108.0)],
    ids=["a body never grows", "lines tell small moves better", "no plate is lost"],
)
def test_other_moves_are_not_taken(monkeypatch, superior_mm, inferior_mm):
    first = chain(PLACES_MM)
    assert refined(monkeypatch, first, moved(2, superior_mm, inferior_mm)).segments == first.segments


def test_a_vertebra_found_above_the_first_chain_is_taken_with_the_plate_below_it(monkeypatch):
    found = refined(monkeypatch, chain(((38.0, 72.0), *PLACES_MM[2:]), LEVELS[1:]), chain(PLACES_MM))
    assert [(s.level, s.superior_mm) for s in found.segments[:2]] == [("L1", 10.0), ("L2", 46.0)]
    assert len(found.segments) == len(LEVELS)


def test_other_levels_are_never_taken(monkeypatch):
    other = chain(PLACES_MM, ("T12", "L1", "L2", "L3", "L4"))
    assert [s.level for s in refined(monkeypatch, chain(PLACES_MM), other).segments] == list(LEVELS)
