"""Gates that judge a localisation by something else than the numbering itself."""

from types import SimpleNamespace

import numpy as np
import pytest

from spongiosa.localise.gates import is_thorax_to_the_end


def ribs(length_mm: int, *stretches_mm: tuple[int, int]) -> SimpleNamespace:
    """Rib evidence along a column, cranial to caudal, 1 within the stretches; 20 mm at both ends are not seen."""
    rib = np.zeros(length_mm)
    for start, end in stretches_mm:
        rib[start:end] = 1.0
    rib[:20] = rib[-20:] = np.nan
    return SimpleNamespace(rib=rib)


@pytest.mark.parametrize(
    ("evidence", "is_thorax"),
    [
        (ribs(240, (30, 45), (58, 73), (86, 101), (115, 130), (145, 160), (176, 191), (205, 218)), True),
        (ribs(240, (30, 45), (58, 73), (86, 101), (115, 130)), False),
        (ribs(320, (40, 55), (70, 85)), False),
        (ribs(90, (30, 45), (58, 68)), False),
    ],
    ids=["ribs to the edge", "three vertebrae below the last rib", "lumbar scan", "slab too short to say"],
)
def test_a_chest_is_told_by_ribs_down_to_the_lower_edge(evidence, is_thorax):
    assert is_thorax_to_the_end(evidence) is is_thorax
