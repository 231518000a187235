"""The open end of a vertebra at the edge of a scan."""

import numpy as np
import pytest

from spongiosa.localise.cut_ends import BEYOND_EDGE_MM, open_ended
from spongiosa.localise.surfaces import BodySurface
from spongiosa.localise.walls import ANGLES, Ellipse
from spongiosa.volume import Geometry, Volume

#: Places of the inferior and the superior plate of the vertebra in the scan, mm.
INFERIOR_MM, SUPERIOR_MM = 20.0, 46.0


def scan(height_mm: int, slice_mm: float = 1.0, shell_hu: float = 300.0) -> Volume:
    """A cylinder of marrow (100 HU) with plates of 2 mm between discs (60 HU), cut off at `height_mm`."""
    z = np.arange(0.5, height_mm, slice_mm)
    along = np.where((z > INFERIOR_MM) & (z < SUPERIOR_MM), 100.0, 60.0)
    along[(np.abs(z - INFERIOR_MM - 1.0) < 1.0) | (np.abs(z - SUPERIOR_MM + 1.0) < 1.0)] = shell_hu
    voxels = np.broadcast_to(along[:, None, None], (len(z), 61, 61)).astype(np.int16)
    return Volume(voxels, Geometry(voxels.shape, (1.0, 1.0, slice_mm), (-30.0, -30.0, float(z[0])), np.eye(3)))


def surface(top_mm: float, bottom_mm: float) -> BodySurface:
    """A found body of 16 mm radius with these plates (places in the scan), its centre between the true ones."""
    centre = np.array([0.0, 0.0, (INFERIOR_MM + SUPERIOR_MM) / 2])
    heights = np.arange(-13.0, 13.5, 1.0)
    ticks = np.arange(-20.0, 20.5, 1.0)
    plate = np.ones((len(ticks), len(ticks)))
    return BodySurface(
        centre,
        np.eye(3),
        (0.0, 0.0),
        heights,
        np.full((ANGLES, len(heights)), 16.0),
        ticks,
        plate * (top_mm - centre[2]),
        plate * (bottom_mm - centre[2]),
        100.0,
        100.0,
        Ellipse(0.0, 0.0, 16.0, 16.0),
    )


def test_a_plate_in_view_is_kept():
    found = surface(SUPERIOR_MM, INFERIOR_MM)
    assert open_ended(scan(52), found, is_superior=True) is found
    assert open_ended(scan(52), found, is_superior=False) is found


@pytest.mark.parametrize(
    ("height_mm", "top_mm"), [(48, SUPERIOR_MM), (40, 38.0), (52, 36.0)], ids=["nothing beyond it", "cut", "no edge"]
)
def test_a_vertebra_whose_plate_is_not_seen_goes_on_to_the_edge(height_mm, top_mm):
    found = surface(top_mm, INFERIOR_MM)
    opened = open_ended(scan(height_mm), found, is_superior=True)
    assert (opened.top_mm == found.heights_mm[-1] + BEYOND_EDGE_MM).all()
    assert (opened.bottom_mm == found.bottom_mm).all()


def test_a_vertebra_is_opened_downwards_too():
    found = surface(SUPERIOR_MM, 30.0)
    opened = open_ended(scan(52), found, is_superior=False)
    assert (opened.bottom_mm == found.heights_mm[0] - BEYOND_EDGE_MM).all()
