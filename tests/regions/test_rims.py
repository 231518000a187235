"""Rims of a body whose shape is known: found where the wall meets the endplate, however thick the slices are."""

import numpy as np
import pytest

from spongiosa.anatomy.frame import Plane, VertebralFrame
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.endplate_surface import EndplateSurface, rim_drop_mm
from spongiosa.regions.rims import rim_points_mm
from spongiosa.synthetic.vertebra_shape import BodyShape
from spongiosa.volume import Geometry

LINES_MM = np.arange(-8.0, 8.1, 2.0)
#: A rim is sought in the outer 9 mm, where a millimetre towards the wall counts as much as 0.4 mm of height.
SEARCH = (9.0, 0.4)

#: A wedge: 22 mm in front, 28 behind, waisted by a tenth, its plates dished.
WEDGE = BodyShape(24.0, 17.0, 0.02, 11.0, 14.0, -11.0, -14.0, 1.9, 2.7)


def true_rims_mm(shape: BodyShape, towards: float) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the rims on `LINES_MM`, from a scan of the exact surface in steps of 0.1 mm."""
    posterior = np.arange(0.0, 1.1 * shape.half_depth_mm, 0.1) * towards
    height = np.arange(-20.0, 20.0, 0.05)
    across, behind, up = np.meshgrid(LINES_MM, posterior, height, indexing="ij")
    inside = shape.distances(*(each.astype(np.float32) for each in (across, behind, up)))[0] < 0
    is_body = inside.any(axis=-1)
    top = np.where(is_body, height[-1 - inside[..., ::-1].argmax(axis=-1)], -np.inf)
    bottom = np.where(is_body, height[inside.argmax(axis=-1)], np.inf)
    edge = 0.4 * np.abs(posterior)
    upper, lower = (np.argmax(each, axis=1) for each in (top + edge, edge - bottom))
    rows = np.arange(len(LINES_MM))
    return top[rows, upper], bottom[rows, lower]


def body_of(shape: BodyShape, slice_mm: float, shift_mm: float) -> VertebralBody:
    """The label map of a shape on 0.8 mm pixels."""
    grid = Geometry((int(60 / slice_mm), 76, 90), (0.8, 0.8, slice_mm), (-36.0, -30.0, -30.0 + shift_mm), np.eye(3))
    return body_of_grid(shape, grid)


def body_of_grid(shape: BodyShape, grid: Geometry) -> VertebralBody:
    """The label map of a shape on a grid, its frame that of the shape."""
    points = grid.points_mm(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1))
    mask = shape.distances(*np.moveaxis(points.astype(np.float32), -1, 0))[0] < 0
    planes = [Plane(np.array([0.0, 0.0, height]), np.array([0.0, 0.0, 1.0])) for height in (12.5, -12.5)]
    return VertebralBody(mask, (0, 0, 0), grid, VertebralFrame(np.zeros(3), *np.eye(3), *planes))


@pytest.mark.parametrize(("slice_mm", "shift_mm"), [(1.0, 0.3), (3.0, 0.0), (3.0, 1.4), (5.0, 2.2)])
@pytest.mark.parametrize("towards", [-1.0, 1.0])
def test_rims_lie_where_the_wall_of_the_label_map_meets_the_endplate_of_the_image(slice_mm, shift_mm, towards):
    """0.35 mm per rim, half of what heights may err: the label map leaves 0.3 mm of the wall open, the plate rises by
    up to 0.5 mm per mm there, and the exact edge is rounded a little otherwise.  The endplates are the exact ones."""

    def exact(index):
        return lambda left, posterior: WEDGE.endplate_heights(left.astype(np.float32), posterior.astype(np.float32))[
            index
        ].astype(np.float64)

    found = rim_points_mm(body_of(WEDGE, slice_mm, shift_mm), (exact(0), exact(1)), LINES_MM, towards, SEARCH)
    for rim, true in zip(found, true_rims_mm(WEDGE, towards), strict=True):
        assert float(np.median(rim - true)) == pytest.approx(0.0, abs=0.35)


def test_a_rounded_edge_leaves_the_plate_smoothly_and_ends_on_the_wall():
    """At 2.5 mm inside the plate is whole, at the wall it has dropped by as much; 1e-9: arithmetic."""
    drop = rim_drop_mm(np.array([10.0, 2.5, 1.25, 0.625, 0.0]))
    assert drop[:2] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert drop[3] == pytest.approx(0.625, abs=1e-9)  # on the diagonal the edge lies a quarter of the rounding deep
    assert drop[4] == pytest.approx(2.5, abs=1e-9)
    assert (np.diff(drop) >= 0).all()


def test_beyond_its_dish_an_endplate_is_plane():
    """1e-9: arithmetic; twice the half axes to the left and half as far again rise by the same."""
    flat = EndplateSurface.flat((0.0, 0.0), (20.0, 15.0))
    coefficients = flat.coefficients_mm.copy()
    coefficients[[0, 1, 3, 6]] = [14.0, 1.0, -2.0, 0.7]
    surface = flat.with_terms(coefficients)
    reach = np.array([20.0, 30.0, 40.0])
    assert surface.height_mm(reach, np.zeros(3)) == pytest.approx([15.0, 15.5, 16.0], abs=1e-9)
    assert surface.height_mm(np.zeros(1), np.zeros(1)) == pytest.approx([12.0], abs=1e-9)
    wider = flat.with_terms(coefficients, size=1.5)  # at the edge of the smaller dish it still sinks
    assert wider.half_size_mm == pytest.approx((30.0, 22.5), abs=1e-9)
    assert wider.height_mm(reach[:1], np.zeros(1))[0] < 14.0 + 20.0 / 30.0 - 0.5
