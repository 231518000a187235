"""Sub-voxel weights of shapes."""

import numpy as np
import pytest

from spongiosa.regions.coverage import Box, PlaneAxes, coverage, plane_coverage
from spongiosa.regions.shapes import EllipticCylinder, Intersection, Slab
from spongiosa.volume import Geometry


def grid(spacing_mm: tuple[float, float, float]) -> Geometry:
    columns, rows, depth = (round(64 / step) for step in spacing_mm)
    x, y, z = (-step * (size - 1) / 2 for step, size in zip(spacing_mm, (columns, rows, depth), strict=True))
    return Geometry((depth, rows, columns), spacing_mm, (x, y, z), np.eye(3))


def whole(geometry: Geometry) -> Box:
    return Box((0, 0, 0), geometry.shape)


AXIAL = PlaneAxes(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))


@pytest.mark.parametrize("spacing_mm", [(0.8, 0.8, 0.8), (0.7, 0.7, 5.0), (3.0, 3.0, 3.0), (4.0, 0.8, 0.8)])
def test_weights_of_a_cylinder_add_up_to_its_volume_on_any_grid(spacing_mm):
    """2 %: cells of half a millimetre round a curved surface by a few cubic millimetres."""
    cylinder = Intersection((EllipticCylinder(AXIAL, (0.4, -0.3), (12.0, 9.0)), Slab(AXIAL, 8.0)))
    geometry = grid(spacing_mm)
    weights = coverage(cylinder, geometry, whole(geometry))
    volume_mm3 = weights.effective_voxels * geometry.voxel_volume_mm3
    assert volume_mm3 == pytest.approx(np.pi * 12 * 9 * 16, rel=0.02)


def test_a_voxel_that_a_plane_halves_weighs_one_half():
    """Exact: the plane runs through the centres of one layer, whose upper cells alone lie inside."""
    geometry = Geometry((5, 3, 3), (1.0, 1.0, 1.0), (-1.0, -1.0, -2.0), np.eye(3))
    upper_half = Slab(PlaneAxes(np.array([0.0, 0.0, 10.0]), AXIAL.u, AXIAL.v), 10.0)
    weights = coverage(upper_half, geometry, whole(geometry))
    by_layer = np.zeros(45)
    by_layer[weights.indices] = weights.weights
    assert by_layer.reshape(5, 9).mean(axis=1).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_a_planar_region_does_not_weigh_by_the_thickness_of_the_slice():
    """An ellipse drawn on a 5 mm slice has the area of the ellipse, whatever the slice's thickness."""
    ellipse = EllipticCylinder(AXIAL, (0.0, 0.0), (12.0, 9.0))
    areas = []
    for thickness in (1.0, 5.0):
        geometry = grid((0.8, 0.8, thickness))
        box = whole(geometry).restricted(0, geometry.shape[0] // 2)
        weights = coverage(ellipse, geometry, box, flat_axis=0)
        areas.append(weights.effective_voxels * 0.8 * 0.8)
    assert areas == pytest.approx([ellipse.area_mm2] * 2, rel=0.01)  # the cells of the outline


def test_a_box_beside_the_grid_gives_no_voxels():
    geometry = grid((1.0, 1.0, 1.0))
    box = Box.around(np.array([[500.0, 0.0, 0.0], [510.0, 5.0, 5.0]]), geometry)
    assert coverage(Slab(AXIAL, 1000.0), geometry, box).indices.size == 0


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0, 40.0])
def test_an_oblique_ellipse_has_its_area_in_sections_of_voxels(tilt_deg):
    """4 %: a voxel that by chance catches more cells than its section has room for counts as whole."""
    angle = np.deg2rad(tilt_deg)
    tilted = PlaneAxes(np.zeros(3), np.array([1.0, 0, 0]), np.array([0.0, np.cos(angle), np.sin(angle)]))
    ellipse = EllipticCylinder(tilted, (0.0, 0.0), (14.0, 10.0))
    geometry = grid((0.8, 0.8, 1.0))
    weights = plane_coverage(ellipse, tilted, ellipse.outline_mm(), geometry)
    section_mm2 = 0.8 * 0.8 / np.cos(angle)
    assert weights.weights.max() <= 1.0
    assert weights.effective_voxels * section_mm2 == pytest.approx(ellipse.area_mm2, rel=0.04)
