"""The two plates that face each other across a disc, found together by a model of what thick slices make of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize, special

from spongiosa.anatomy.frame import FloatArray, Plane, unit_vector
from spongiosa.localise.local_box import blur_mm
from spongiosa.localise.plates import detail_share
from spongiosa.localise.surfaces import BodySurface, endplate_planes
from spongiosa.localise.walls import ANGLES
from spongiosa.volume import Volume

#: Thinner slices show either plate by itself (tried on a real scan of 3 mm, which it does not improve), mm.
LEAST_SLICE_MM = 4.0
#: Share of the section and depth into the bodies over which model and image are compared, mm; number of voxels that
#: say enough, and that are too few.
SECTION_SHARE, DEPTH_MM, MOST_VOXELS, FEWEST_VOXELS = 0.80, 9.0, 1600, 150
#: Share of the section up to which the fitted plate is used; beyond, it is carried on level.
USED_SHARE = 0.9
#: Half width of the box about a disc, mm.
REACH_MM = 30.0
#: Blur by the kernel (SD), mm, and apparent thickness of the shell with the trabeculae that are driven together under
#: it, mm; how far the shell rises above the marrow, HU, with its SD.
KERNEL_SD_MM, SHELL_MM = 1.0, 1.4
SHELL_RISE_HU, SHELL_RISE_SD_HU = 350.0, 250.0
#: Quadrics are written in this unit, mm.
UNIT_MM = 20.0
#: Typical residual of the model, HU, and the number of independent voxels that the texture of the bone leaves.
RESIDUAL_HU, INDEPENDENT = 50.0, 150.0
#: Plates are dished towards the middle of their body by this much at `UNIT_MM`, mm; SDs about the start of the offset,
#: of the slopes and of the curvatures.  The slopes start from tilts that agree along the column (SD 2 degrees), for
#: within one slice the data hardly know them.
DISH_MM = 2.0
START_SD_MM = np.array([3.0, 0.7, 0.7, 1.5, 1.5, 1.5])
#: Mean over the compared section of u^2 + v^2 in units of `UNIT_MM`: the half axes there are about 18 and 13 mm.
MEAN_SQUARE = 0.3
#: The thinnest disc, mm, and what a disc thinner by a millimetre costs.
THINNEST_MM, THIN_COST = 2.5, 2.0
HU_CLIP = (-100.0, 900.0)


@dataclass(frozen=True)
class FacingPlates:
    """Quadrics of the lower plate of the vertebra above and of the upper plate of the one below, in the disc's frame.

    `centre_mm` is an LPS point, `axes` has the rows left, posterior, superior; both surfaces give the height in mm from
    (left, posterior) by six coefficients of 1, u, v, u^2, uv, v^2 with u, v in units of `UNIT_MM`.
    """

    centre_mm: FloatArray
    axes: FloatArray
    above: FloatArray
    below: FloatArray


def with_facing_plates(scan: Volume, upper: BodySurface, lower: BodySurface) -> tuple[BodySurface, BodySurface]:
    """Both surfaces with the plates at the disc between them replaced by those that explain the thick slices."""
    found = fit_facing_plates(scan, upper, lower)
    if found is None:
        return upper, lower
    detail = detail_share(float(blur_mm(scan.geometry, found.axes[2:])[0]))
    return (
        replace(
            upper, bottom_mm=_heights_over(upper, found, found.above, detail * _beyond_quadric(upper, upper.bottom_mm))
        ),
        replace(lower, top_mm=_heights_over(lower, found, found.below, detail * _beyond_quadric(lower, lower.top_mm))),
    )


def with_plate_turned(surface: BodySurface, is_superior: bool, normal: FloatArray) -> BodySurface:
    """The surface with one plate turned about its middle, so that its plane has the unit normal `normal` (LPS)."""
    superior, inferior, _ = endplate_planes(surface)
    plane = superior if is_superior else inferior
    old, new = surface.axes @ plane.normal, surface.axes @ normal
    middle = surface.axes @ (plane.point_mm - surface.centre_mm)
    change = old[:2] / old[2] - new[:2] / new[2]
    left, back = np.meshgrid(surface.ticks_mm, surface.ticks_mm, indexing="ij")
    rise = change[0] * (left + surface.axis_mm[0] - middle[0]) + change[1] * (back + surface.axis_mm[1] - middle[1])
    if is_superior:
        return replace(surface, top_mm=surface.top_mm + rise)
    return replace(surface, bottom_mm=surface.bottom_mm + rise)


def fit_facing_plates(scan: Volume, upper: BodySurface, lower: BodySurface) -> FacingPlates | None:
    """The plates that explain the voxels about a disc best; None where too few of them are in view.

    Slices of 5 mm make one bright band of a thin disc and its two plates, and a step or a peak in it lies on neither.
    Here the HU are modelled: marrow, a thin shell, the disc, a thin shell and marrow along the slice's normal, averaged
    over the slice and blurred by the kernel.  The five HU are linear and solved at every step (variable projection,
    Golub and Pereyra, SIAM J Numer Anal 1973); two quadrics are fitted by Levenberg-Marquardt with a weak prior about
    the plates found before, and voxels far from the model count less (Cauchy's weights).
    """
    planes = endplate_planes(upper)[1], endplate_planes(lower)[0]
    superior = unit_vector(planes[0].normal + planes[1].normal)
    centre = (planes[0].point_mm + planes[1].point_mm) / 2
    left = unit_vector(upper.axes[0] - (upper.axes[0] @ superior) * superior)
    axes = np.stack([left, np.cross(superior, left), superior])
    starts = [_slopes(plane, centre, axes) for plane in planes]
    points, hu = _voxels_about(scan, centre)
    local = (points - centre) @ axes.T
    base = _terms(local[:, 0], local[:, 1])[:, :3]
    keep = (local[:, 2] < base @ starts[0] + DEPTH_MM) & (local[:, 2] > base @ starts[1] - DEPTH_MM)
    keep &= _is_within(upper, points, SECTION_SHARE) & _is_within(lower, points, SECTION_SHARE)
    keep &= ((points - upper.centre_mm) @ upper.axes[2] < 0) & ((points - lower.centre_mm) @ lower.axes[2] > 0)
    chosen = np.flatnonzero(keep)
    if len(chosen) < FEWEST_VOXELS:
        return None
    chosen = chosen[:: -(-len(chosen) // MOST_VOXELS)]
    steps = scan.geometry.steps_mm
    slice_step = axes @ steps[:, int(np.argmax(np.linalg.norm(steps, axis=0)))]
    start = np.concatenate([_dished(starts[0], -DISH_MM), _dished(starts[1], DISH_MM)])
    solution = _Model(local[chosen], np.clip(hu[chosen], *HU_CLIP), slice_step, start).solved()
    return FacingPlates(centre, axes, solution[:6], solution[6:])


class _Model:
    """Marrow, shell, disc, shell and marrow as thick slices show them."""

    def __init__(self, local_mm: FloatArray, hu: FloatArray, slice_step_mm: FloatArray, start: FloatArray) -> None:
        u, v, self.height = local_mm.T
        self.hu, self.slice_step, self.start = hu, slice_step_mm, start
        self.terms = _terms(u, v)
        none, one = np.zeros_like(u), np.ones_like(u)
        u, v = u / UNIT_MM, v / UNIT_MM
        self.by_u = np.stack([none, one, none, 2 * u, v, none], axis=-1) / UNIT_MM
        self.by_v = np.stack([none, none, one, none, u, 2 * v], axis=-1) / UNIT_MM
        self.weight = np.ones_like(hu)
        self.per_voxel = np.sqrt(INDEPENDENT / len(hu)) / RESIDUAL_HU

    def solved(self) -> FloatArray:
        """The twelve coefficients of the two quadrics."""
        solution = self.start
        for _ in range(3):
            solution = optimize.least_squares(self._residuals, solution, method="lm", max_nfev=120).x
            left_over = self._left_over(solution)
            spread = max(1.4826 * float(np.median(np.abs(left_over))), 15.0)
            self.weight = 1.0 / np.sqrt(1.0 + (left_over / (2.5 * spread)) ** 2)
        return np.asarray(solution)

    def _residuals(self, surfaces: FloatArray) -> FloatArray:
        thin = max(THINNEST_MM - float(surfaces[0] - surfaces[6]), 0.0)
        from_start = (surfaces - self.start) / np.tile(START_SD_MM, 2)
        misfit = self._left_over(surfaces) * self.weight * self.per_voxel
        return np.concatenate([misfit, from_start, [THIN_COST * thin]])

    def _left_over(self, surfaces: FloatArray) -> FloatArray:
        """HU that the model does not explain with the best five HU: disc, and either side's marrow and shell."""
        design = self._design(surfaces)
        prior = np.zeros((2, design.shape[1]))
        prior[0, 2] = prior[1, 4] = 1.0 / (SHELL_RISE_SD_HU * self.per_voxel)
        rows = np.concatenate([design * self.weight[:, None], prior])
        wanted = np.concatenate([self.hu * self.weight, SHELL_RISE_HU * prior.max(axis=1)])
        left_over: FloatArray = self.hu - design @ np.linalg.lstsq(rows, wanted, rcond=None)[0]
        return left_over

    def _design(self, surfaces: FloatArray) -> FloatArray:
        columns = [np.ones_like(self.height)]
        for plate, sign in ((surfaces[:6], 1.0), (surfaces[6:], -1.0)):
            depth = sign * (self.height - self.terms @ plate)
            left, back, up = self.slice_step
            width = np.maximum(np.abs(up - left * (self.by_u @ plate) - back * (self.by_v @ plate)), 0.3)
            outer = _smeared_step(depth, width)
            columns += [outer, outer - _smeared_step(depth - SHELL_MM, width)]
        return np.stack(columns, axis=-1)


def _smeared_step(depth_mm: FloatArray, width_mm: FloatArray) -> FloatArray:
    """A step from 0 to 1 at depth 0, averaged over a slice and blurred by the kernel."""

    def ramp(x: FloatArray) -> FloatArray:
        z = x / KERNEL_SD_MM
        risen: FloatArray = x * special.ndtr(z) + KERNEL_SD_MM * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
        return risen

    return (ramp(depth_mm + width_mm / 2) - ramp(depth_mm - width_mm / 2)) / width_mm


def _voxels_about(scan: Volume, centre_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """LPS points, shape (n, 3), and HU of the voxels of the scan in a box about a point."""
    geometry = scan.geometry
    steps = np.linalg.norm(geometry.steps_mm, axis=0)[::-1]
    at = geometry.indices_zyx(centre_mm)
    lower = np.clip(np.floor(at - REACH_MM / steps).astype(int), 0, scan.voxels.shape)
    upper = np.clip(np.ceil(at + REACH_MM / steps).astype(int) + 1, lower, scan.voxels.shape)
    part = scan.cropped(lower, upper)
    indices = np.moveaxis(np.indices(part.voxels.shape), 0, -1).reshape(-1, 3)
    return part.geometry.points_mm(indices), part.voxels.reshape(-1).astype(np.float64)


def _terms(left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
    u, v = left_mm / UNIT_MM, back_mm / UNIT_MM
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)


def _slopes(plane: Plane, centre_mm: FloatArray, axes: FloatArray) -> FloatArray:
    """Height of a plane over the origin of a frame and its slopes per `UNIT_MM`."""
    normal, point = axes @ plane.normal, axes @ (plane.point_mm - centre_mm)
    a, b = -normal[0] / normal[2], -normal[1] / normal[2]
    return np.array([point[2] - a * point[0] - b * point[1], a * UNIT_MM, b * UNIT_MM])


def _dished(plane: FloatArray, dish_mm: float) -> FloatArray:
    """A plane as a quadric, dished about its mean height."""
    return np.array([plane[0] - MEAN_SQUARE * dish_mm, plane[1], plane[2], dish_mm, 0.0, dish_mm])


def _share_of_section(surface: BodySurface, left_mm: FloatArray, back_mm: FloatArray) -> FloatArray:
    """Distance from the axis of a surface as a share of its mean wall in that direction."""
    angle = np.mod(np.arctan2(back_mm, left_mm), 2 * np.pi) / (2 * np.pi) * ANGLES
    ring = surface.radius_mm.mean(axis=1)
    share: FloatArray = np.hypot(left_mm, back_mm) / np.interp(angle, np.arange(ANGLES + 1), np.append(ring, ring[0]))
    return share


def _is_within(surface: BodySurface, points_mm: FloatArray, share: float) -> NDArray[np.bool_]:
    local = (points_mm - surface.centre_mm) @ surface.axes.T
    within: NDArray[np.bool_] = (
        _share_of_section(surface, local[:, 0] - surface.axis_mm[0], local[:, 1] - surface.axis_mm[1]) < share
    )
    return within


def _beyond_quadric(surface: BodySurface, heights_mm: FloatArray) -> FloatArray:
    """What a plate over the grid of a surface has beyond its quadric, mm; 0 near the wall."""
    left, back = np.meshgrid(surface.ticks_mm, surface.ticks_mm, indexing="ij")
    inside = _share_of_section(surface, left, back) < USED_SHARE
    terms = _terms(left, back)
    quadric = terms @ np.linalg.lstsq(terms[inside], heights_mm[inside], rcond=None)[0]
    return np.where(inside, heights_mm - quadric, 0.0)


def _heights_over(
    surface: BodySurface, plates: FacingPlates, plate: FloatArray, beyond_quadric_mm: FloatArray
) -> FloatArray:
    """A fitted plate, with what it has beyond a quadric, over the grid of a surface, in the surface's own frame."""
    ticks = np.arange(-26.0, 26.1, 2.0)
    u, v = (grid.ravel() for grid in np.meshgrid(ticks, ticks, indexing="ij"))
    points = np.stack([u, v, _terms(u, v) @ plate], axis=-1) @ plates.axes + plates.centre_mm
    local = (points[_is_within(surface, points, USED_SHARE)] - surface.centre_mm) @ surface.axes.T
    own_terms = _terms(local[:, 0] - surface.axis_mm[0], local[:, 1] - surface.axis_mm[1])
    own = np.linalg.lstsq(own_terms, local[:, 2], rcond=None)[0]
    left, back = np.meshgrid(surface.ticks_mm, surface.ticks_mm, indexing="ij")
    heights: FloatArray = _terms(left, back) @ own + beyond_quadric_mm
    outside = _share_of_section(surface, left, back) >= USED_SHARE
    nearest = ndimage.distance_transform_edt(outside, return_distances=False, return_indices=True)
    carried_on: FloatArray = heights[tuple(nearest)]
    return carried_on
