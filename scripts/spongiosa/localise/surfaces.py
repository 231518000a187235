"""The surface of a vertebral body in its own frame: walls in polar coordinates, then the endplates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray, Plane, unit_vector
from spongiosa.localise.frames import robust_plane
from spongiosa.localise.matching import semi_global
from spongiosa.volume import Volume

ANGLES = 72
RADIAL_STEP_MM = 0.5
STEP_MM = 1.0
#: HU are clipped to this, so that neither gas nor metal outweighs the wall.
HU_CLIP = (-60.0, 900.0)
#: Half angle at the back, on either side of the midline, within which the pedicles hide the wall (degrees).
PEDICLE_ANGLES_DEG = (18.0, 62.0)
#: A wall or plate is looked for this far on either side of its expectation, mm.
WALL_REACH_MM, PLATE_REACH_MM = 6.0, 7.0
#: A fall of HU over 2 mm counts fully at the strength that the clearest edges of the same vertebra have, within these.
FULL_FALL_HU = (60.0, 400.0)
PRIOR_PER_MM2 = 0.006
#: Where the posterior wall is expected behind the rough centre (26 mm in front of the canal), and its weight.
POSTERIOR_WALL_MM, PRIOR_BACK_PER_MM2 = 16.0, 0.003
#: Of the way from the peak of a shell to its steepest fall; how far either is looked for, mm.
FACE_SHARE, FACE_REACH_MM, RIDGE_REACH_MM = 0.5, 1.5, 4.0


@dataclass(frozen=True)
class BodySurface:
    """A body in the local frame of its rough centre (left, posterior, superior mm): walls and plates.

    `radius_mm` (angles, heights) about `axis_mm` (left, posterior) at `heights_mm`; `top_mm` and `bottom_mm` on the
    grid `ticks_mm` x `ticks_mm` of (left, posterior) offsets from the axis.  Angles run from the left over the back.
    `wall_fall_hu` and `plate_fall_hu` are the mean falls of HU at the surface: how well it is seen.
    """

    centre_mm: FloatArray
    axes: FloatArray
    axis_mm: tuple[float, float]
    heights_mm: FloatArray
    radius_mm: FloatArray
    ticks_mm: FloatArray
    top_mm: FloatArray
    bottom_mm: FloatArray
    wall_fall_hu: float
    plate_fall_hu: float

    @property
    def width_mm(self) -> float:
        """Mean width of the body from left to right."""
        return float((self.radius_mm[0] + self.radius_mm[ANGLES // 2]).mean())

    @property
    def depth_mm(self) -> float:
        """Mean depth of the body from front to back."""
        return float((self.radius_mm[ANGLES // 4] + self.radius_mm[3 * ANGLES // 4]).mean())

    @property
    def section_centre_mm(self) -> FloatArray:
        """Middle of the mean section, local (left, posterior) mm."""
        ring = self.radius_mm.mean(axis=1)
        quarter = ANGLES // 4
        offset = np.array([ring[0] - ring[2 * quarter], ring[quarter] - ring[3 * quarter]]) / 2
        return np.asarray(self.axis_mm) + offset

    def inside(self, points_mm: FloatArray) -> NDArray[np.bool_]:
        """Whether LPS points, shape (n, 3), lie in the body."""
        local = (points_mm - self.centre_mm) @ self.axes.T
        left, back, up = local[:, 0] - self.axis_mm[0], local[:, 1] - self.axis_mm[1], local[:, 2]
        angle = np.mod(np.arctan2(back, left), 2 * np.pi) / (2 * np.pi) * ANGLES
        height = np.clip((up - self.heights_mm[0]) / STEP_MM, 0, len(self.heights_mm) - 1)
        wrapped = np.concatenate([self.radius_mm, self.radius_mm[:1]])
        radius = ndimage.map_coordinates(wrapped, [angle, height], order=1, mode="nearest")
        column = [(left - self.ticks_mm[0]) / STEP_MM, (back - self.ticks_mm[0]) / STEP_MM]
        top = ndimage.map_coordinates(self.top_mm, column, order=1, mode="nearest")
        bottom = ndimage.map_coordinates(self.bottom_mm, column, order=1, mode="nearest")
        within: NDArray[np.bool_] = (np.hypot(left, back) <= radius) & (up <= top) & (up >= bottom)
        return within


def endplate_planes(surface: BodySurface) -> tuple[Plane, Plane, float]:
    """Superior and inferior endplate planes (LPS, normals superior) of a surface by Tukey's biweight over the inner
    85 % of its section, and the larger robust SD of the residuals, mm.
    """
    left, back = np.meshgrid(surface.ticks_mm, surface.ticks_mm, indexing="ij")
    angle = np.mod(np.arctan2(back, left), 2 * np.pi) / (2 * np.pi) * ANGLES
    wall = np.concatenate([surface.radius_mm.mean(axis=1), surface.radius_mm[:1].mean(axis=1)])
    inner = np.hypot(left, back) < 0.85 * np.interp(angle, np.arange(ANGLES + 1), wall)
    across = np.column_stack([left[inner], back[inner]])
    planes, spreads = [], []
    offset = np.array(surface.axis_mm)
    middle = surface.section_centre_mm - offset
    for heights in (surface.top_mm, surface.bottom_mm):
        (a, b, c), spread = robust_plane(across, heights[inner])
        point = np.array([*(middle + offset), a * middle[0] + b * middle[1] + c])
        normal = unit_vector(np.array([-a, -b, 1.0])) @ surface.axes
        planes.append(Plane(surface.centre_mm + point @ surface.axes, normal))
        spreads.append(spread)
    return planes[0], planes[1], max(spreads)


def refined_frame(surface: BodySurface) -> tuple[FloatArray, FloatArray, float]:
    """Centre (LPS mm), axes and half height of the frame that the surface itself has: midway between its plates, at
    right angles to them.
    """
    top, bottom, _ = endplate_planes(surface)
    superior = unit_vector(top.normal + bottom.normal)
    sideways = unit_vector(surface.axes[0] - (surface.axes[0] @ superior) * superior)
    axes = np.stack([sideways, np.cross(superior, sideways), superior])
    span = top.point_mm - bottom.point_mm
    return (top.point_mm + bottom.point_mm) / 2, axes, float(span @ superior) / 2


def find_surface(
    scan: Volume,
    centre_mm: FloatArray,
    axes: FloatArray,
    top_mm: float,
    bottom_mm: float,
    outward_mm: tuple[float, float] = (PLATE_REACH_MM, PLATE_REACH_MM),
) -> BodySurface | None:
    """Surface of the body whose rough centre, axes (rows left, posterior, superior) and plates are given.

    The wall and the plates are where HU fall most on the way out, whatever the marrow: the shell is brighter than what
    lies outside of it at every density.  Semi-global matching (Hirschmueller, IEEE PAMI 2008) joins neighbouring
    directions.  None when the body lies outside of the scan.
    `outward_mm` is how far outside of the expected upper and lower plate the plates may lie: beyond half a disc it is
    the neighbour whose HU fall.
    """
    reach = (40.0, 34.0, (top_mm - bottom_mm) / 2 + PLATE_REACH_MM + 3.0)
    box = _LocalBox.sampled(scan, centre_mm, axes, reach, (top_mm + bottom_mm) / 2)
    if box is None:
        return None
    middle = box.mean_between(0.7 * bottom_mm + 0.3 * top_mm, 0.3 * bottom_mm + 0.7 * top_mm)
    left, back, half_width, half_depth = _best_ellipse(middle, box)
    heights = np.arange(np.floor(bottom_mm), np.ceil(top_mm) + STEP_MM, STEP_MM)
    expected = np.repeat(
        _ellipse_radii(np.array([half_width]), np.array([half_depth]))[0][:, None], len(heights), axis=1
    )
    wall_fall = 0.0
    for reach_mm in (WALL_REACH_MM, WALL_REACH_MM / 2):
        radius, wall_fall = _walls(box, (left, back), heights, expected, reach_mm)
        expected = ndimage.gaussian_filter(radius, (1.5, 3.0), mode=("wrap", "nearest"))
    radius = _refined_walls(box, (left, back), heights, radius)
    ring = np.concatenate([radius[-1:], radius, radius[:1]])
    radius = ndimage.median_filter(ring, size=(3, 5), mode="nearest")[1:-1]
    ticks = np.arange(-36.0, 36.0 + STEP_MM, STEP_MM)
    top, top_fall = _plate(box, (left, back), ticks, radius, top_mm, outward_mm[0], upwards=True)
    bottom, bottom_fall = _plate(box, (left, back), ticks, radius, bottom_mm, outward_mm[1], upwards=False)
    return BodySurface(
        centre_mm, axes, (left, back), heights, radius, ticks, top, bottom, wall_fall, min(top_fall, bottom_fall)
    )


@dataclass(frozen=True)
class _LocalBox:
    """HU on a 1 mm grid of the local frame, axes (left, posterior, superior)."""

    hu: NDArray[np.float32]
    start_mm: FloatArray

    @classmethod
    def sampled(
        cls, scan: Volume, centre_mm: FloatArray, axes: FloatArray, reach: tuple[float, float, float], middle_mm: float
    ) -> _LocalBox | None:
        ticks = [np.arange(-r, r + STEP_MM, STEP_MM) for r in reach]
        ticks[2] = ticks[2] + middle_mm
        local = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1)
        indices = scan.geometry.indices_zyx(local @ axes + centre_mm)
        lower = np.floor(indices.min(axis=(0, 1, 2))).astype(int) - 1
        upper = np.ceil(indices.max(axis=(0, 1, 2))).astype(int) + 2
        part = scan.cropped(lower, upper)
        if min(part.voxels.shape) < 2:
            return None
        shifted = np.moveaxis(indices - np.clip(lower, 0, None), -1, 0)
        hu = ndimage.map_coordinates(part.voxels.astype(np.float32), shifted, order=1, mode="nearest")
        return cls(ndimage.gaussian_filter(np.clip(hu, *HU_CLIP), 0.6), np.array([t[0] for t in ticks]))

    def at(self, left: FloatArray, back: FloatArray, up: FloatArray) -> FloatArray:
        """HU at local points (arrays of one shape)."""
        places = [left - self.start_mm[0], back - self.start_mm[1], up - self.start_mm[2]]
        values: FloatArray = ndimage.map_coordinates(self.hu, places, order=1, mode="nearest", output=np.float64)
        return values

    def mean_between(self, bottom_mm: float, top_mm: float) -> NDArray[np.float32]:
        first = int(np.clip(np.floor(bottom_mm - self.start_mm[2]), 0, self.hu.shape[2] - 2))
        last = int(np.clip(np.ceil(top_mm - self.start_mm[2]), first + 1, self.hu.shape[2]))
        mean: NDArray[np.float32] = self.hu[:, :, first:last].mean(axis=2)
        return mean


def _directions() -> FloatArray:
    angles: FloatArray = np.arange(ANGLES) * 2 * np.pi / ANGLES
    return angles


def _hidden_by_pedicles() -> NDArray[np.bool_]:
    """The angles at which the pedicles leave the body: no wall is to be seen there."""
    from_back = np.degrees(np.abs(np.mod(_directions() - np.pi / 2 + np.pi, 2 * np.pi) - np.pi))
    hidden: NDArray[np.bool_] = (from_back > PEDICLE_ANGLES_DEG[0]) & (from_back < PEDICLE_ANGLES_DEG[1])
    return hidden


def _ellipse_radii(half_widths: FloatArray, half_depths: FloatArray) -> FloatArray:
    """Radius (ellipses, angles) of super-ellipses with exponent 2.4, which fits lumbar bodies (feasibility study)."""
    angles = _directions()
    inverse = (
        np.abs(np.cos(angles) / half_widths[:, None]) ** 2.4 + np.abs(np.sin(angles) / half_depths[:, None]) ** 2.4
    )
    radius: FloatArray = inverse ** (-1 / 2.4)
    return radius


def _best_ellipse(middle: NDArray[np.float32], box: _LocalBox) -> tuple[float, float, float, float]:
    """Centre (left, posterior) and half axes of the super-ellipse along which the mid-height image falls most."""
    seen = np.flatnonzero(~_hidden_by_pedicles())
    radii = np.arange(7.0, 38.0, STEP_MM)
    widths, depths = (grid.ravel() for grid in np.meshgrid(np.arange(12.0, 35.0), np.arange(8.0, 26.0)))
    plausible = (widths / depths >= 1.05) & (widths / depths <= 1.9)
    widths, depths = widths[plausible], depths[plausible]
    places = np.clip(np.rint(_ellipse_radii(widths, depths)[:, seen] - radii[0]), 0, len(radii) - 1).astype(int)
    best = (-np.inf, 0.0, 0.0, 22.0, 16.0)
    for left in np.arange(-10.0, 10.1, 2.0):
        for back in np.arange(-10.0, 10.1, 2.0):
            fall = _radial_fall(middle, box, left, back, radii)
            scores = fall[seen, places].mean(axis=1)
            scores -= PRIOR_BACK_PER_MM2 * (back + depths - POSTERIOR_WALL_MM) ** 2
            first = int(np.argmax(scores))
            if scores[first] > best[0]:
                best = (float(scores[first]), float(left), float(back), float(widths[first]), float(depths[first]))
    return best[1:]


def _radial_fall(
    middle: NDArray[np.float32],
    box: _LocalBox,
    left: float,
    back: float,
    radii: FloatArray,
) -> FloatArray:
    """Fall of HU outwards at (angles, radii) in an image (left, posterior)."""
    angles = _directions()[:, None]

    def at(radius: FloatArray) -> FloatArray:
        x = left + radius * np.cos(angles) - box.start_mm[0]
        y = back + radius * np.sin(angles) - box.start_mm[1]
        values: FloatArray = ndimage.map_coordinates(middle, [x, y], order=1, mode="nearest", output=np.float64)
        return values

    return _relative_fall(at(radii - 1.0) - at(radii + 1.0))[0]


def _walls(
    box: _LocalBox, axis: tuple[float, float], heights: FloatArray, expected: FloatArray, reach_mm: float
) -> tuple[FloatArray, float]:
    """Radius of the wall at (angles, heights) about the axis, and the mean fall of HU there."""
    offsets = np.arange(-reach_mm, reach_mm + RADIAL_STEP_MM / 2, RADIAL_STEP_MM)
    radius = expected[:, :, None] + offsets
    angles = _directions()[:, None, None]
    up = np.broadcast_to(heights[None, :, None], radius.shape)

    def at(r: FloatArray) -> FloatArray:
        return box.at(axis[0] + r * np.cos(angles), axis[1] + r * np.sin(angles), up)

    fall, full_hu = _relative_fall(at(radius - 1.0) - at(radius + 1.0))
    fall[_hidden_by_pedicles()] *= 0.15
    # The rim near either plate curls; the waist is what the eye follows.
    cost = 1.0 - fall + PRIOR_PER_MM2 * offsets**2
    chosen = semi_global(cost, wraps=True)
    found = np.take_along_axis(radius, chosen[:, :, None], axis=2)[:, :, 0]
    seen = ~_hidden_by_pedicles()
    strength = np.take_along_axis(fall, chosen[:, :, None], axis=2)[:, :, 0][seen]
    return found, float(strength.mean() * full_hu)


def _refined_walls(box: _LocalBox, axis: tuple[float, float], heights: FloatArray, radius: FloatArray) -> FloatArray:
    """The walls moved to the outer face of the shell; where the pedicles hide it, by the median of that height."""
    offsets = np.arange(-6.0, 4.01, RADIAL_STEP_MM)
    angles = _directions()[:, None, None]
    along = radius[:, :, None] + offsets
    profile = box.at(
        axis[0] + along * np.cos(angles),
        axis[1] + along * np.sin(angles),
        np.broadcast_to(heights[:, None], along.shape),
    )
    profile = ndimage.gaussian_filter(profile, (1.0, 1.0, 0.0), mode=("wrap", "nearest", "nearest"))
    shift = outer_shift(profile, offsets)
    hidden = _hidden_by_pedicles()
    shift[hidden] = np.median(shift[~hidden], axis=0)
    return radius + shift


def _plate(
    box: _LocalBox,
    axis: tuple[float, float],
    ticks: FloatArray,
    radius: FloatArray,
    expected_mm: float,
    outward_mm: float,
    upwards: bool,
) -> tuple[FloatArray, float]:
    """Height of an endplate over the (left, posterior) grid, and the mean fall of HU over its inner part."""
    sign = 1.0 if upwards else -1.0
    offsets = np.arange(-PLATE_REACH_MM, PLATE_REACH_MM + RADIAL_STEP_MM / 2, RADIAL_STEP_MM)
    left, back = np.meshgrid(ticks, ticks, indexing="ij")
    near_plate = radius[:, -4:] if upwards else radius[:, :4]
    angle = np.mod(np.arctan2(back, left), 2 * np.pi) / (2 * np.pi) * ANGLES
    edge = ndimage.map_coordinates(
        np.concatenate([near_plate.mean(axis=1), near_plate.mean(axis=1)[:1]]), [angle.ravel()], order=1
    ).reshape(angle.shape)
    distance = np.hypot(left, back)
    inside = distance < edge - 1.0
    up = expected_mm + offsets

    def at(shift: float) -> FloatArray:
        shape = (*left.shape, len(offsets))
        return box.at(
            np.broadcast_to(axis[0] + left[..., None], shape),
            np.broadcast_to(axis[1] + back[..., None], shape),
            np.broadcast_to(up + shift, shape),
        )

    fall, full_hu = _relative_fall(at(-sign) - at(sign))
    fall[~inside] = 0.0
    cost = 1.0 - fall + 0.5 * PRIOR_PER_MM2 * offsets**2 + 2.0 * (sign * offsets > outward_mm)
    chosen = semi_global(cost, wraps=False)
    strength = np.take_along_axis(fall, chosen[..., None], axis=2)[..., 0]
    found = up[chosen]
    profile_offsets = np.arange(-6.0, 4.01, RADIAL_STEP_MM)
    shape = (*left.shape, len(profile_offsets))
    profile = box.at(
        np.broadcast_to(axis[0] + left[..., None], shape),
        np.broadcast_to(axis[1] + back[..., None], shape),
        found[..., None] + sign * profile_offsets,
    )
    profile = ndimage.gaussian_filter1d(ndimage.gaussian_filter1d(profile, 1.0, axis=0), 1.0, axis=1)
    found = found + sign * outer_shift(profile, profile_offsets)
    found = ndimage.gaussian_filter(ndimage.median_filter(found, size=5), 0.7)
    return found, float(strength[inside].mean() * full_hu)


def _relative_fall(fall_hu: FloatArray) -> tuple[FloatArray, float]:
    """A fall along the last axis as a share of the full one (0-1), and the full one in HU."""
    full_hu = float(np.clip(np.quantile(fall_hu.max(axis=-1), 0.75), *FULL_FALL_HU))
    return np.clip(fall_hu / full_hu, 0.0, 1.0), full_hu


def outer_shift(profile_hu: FloatArray, offsets_mm: FloatArray) -> FloatArray:
    """Where the outer face of the bone lies, as an offset in mm, from HU along the way out (last axis).

    A thin shell between marrow and soft tissue is blurred to a ridge: its fall is steepest well outside of the shell,
    by the width of the blur, and its peak lies on the shell.  The face is put `FACE_SHARE` of the way from the peak to
    the steepest fall; where no ridge rises above the marrow, the edge is a step and its steepest fall is the face.
    """
    slope = -np.gradient(profile_hu, offsets_mm, axis=-1)
    near = np.abs(offsets_mm) <= FACE_REACH_MM
    fall_at = np.argmax(np.where(near, slope, -np.inf), axis=-1)
    places = np.arange(len(offsets_mm))
    step = offsets_mm[1] - offsets_mm[0]
    behind = (places <= fall_at[..., None]) & (places >= fall_at[..., None] - round(RIDGE_REACH_MM / step))
    ridge = np.where(behind, profile_hu, -np.inf)
    peak_at = np.argmax(ridge, axis=-1)
    marrow = np.take_along_axis(profile_hu, np.maximum(fall_at - round(RIDGE_REACH_MM / step), 0)[..., None], axis=-1)
    height = ridge.max(axis=-1) - marrow[..., 0]
    outside = profile_hu[..., -1]
    share = np.clip(height / np.maximum(ridge.max(axis=-1) - outside, 1.0) / 0.5, 0.0, 1.0)
    full = offsets_mm[fall_at]
    shift: FloatArray = full + share * (1.0 - FACE_SHARE) * (offsets_mm[peak_at] - full)
    return shift
