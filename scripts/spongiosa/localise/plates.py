"""The endplates of a vertebral body: height over a grid across it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray
from spongiosa.localise.local_box import LocalBox, fall_half_mm, outer_shift, relative_fall
from spongiosa.localise.matching import semi_global
from spongiosa.localise.walls import ANGLES, Walls

HEIGHT_STEP_MM = 0.5
#: A plate is looked for this far on either side of its expectation, and of the best plane, mm.
PLATE_REACH_MM = 7.0
PRIOR_PER_MM2 = 0.003
#: Tilts of the best plane to the frame, degrees; a tilt of this many degrees costs as much as a tenth of the fall.
SAGITTAL_TILTS_DEG, CORONAL_TILTS_DEG = np.arange(-20.0, 20.1, 4.0), np.arange(-12.0, 12.1, 4.0)
TILT_SD_DEG = 14.0
#: Distance of the points at which planes are compared, mm.
COARSE_MM = 3
#: What a surface says beyond a quadric counts fully up to the first width of the voxels along the body, and nothing
#: from the second on, mm: it is then the stairs of the slices.
FINE_MM, COARSE_SLICES_MM = 2.5, 4.5
_TUKEY_CUTOFF = 4.685
_SIDE_WEIGHT = 2.0


def find_plate(
    box: LocalBox, walls: Walls, ticks: FloatArray, expected_mm: float, outward_mm: float, upwards: bool
) -> tuple[FloatArray, float]:
    """Height of an endplate over the (left, posterior) grid, and the mean fall of HU over its inner part.

    First the plane along which HU fall most on the way out, then the surface about it by semi-global matching, moved to
    the outer face of the bone.  With thick slices the surface is a quadric: what it says beyond are stairs.
    `outward_mm` is how far outside of its expectation the plate may lie.
    """
    sign = 1.0 if upwards else -1.0
    inside = _inside(walls, ticks, upwards)
    plane = _best_plane(box, walls.axis_mm, ticks, inside, expected_mm, outward_mm, sign)
    offsets = np.arange(-PLATE_REACH_MM, PLATE_REACH_MM + HEIGHT_STEP_MM / 2, HEIGHT_STEP_MM)
    up = plane[..., None] + offsets
    fall, full_hu = relative_fall(_fall_at(box, walls.axis_mm, ticks, up, sign))
    fall[~inside] = 0.0
    cost = 1.0 - fall + PRIOR_PER_MM2 * offsets**2 + 2.0 * (sign * (up - expected_mm) > outward_mm)
    chosen = semi_global(cost, wraps=False)[..., None]
    strength = np.take_along_axis(fall, chosen, axis=2)[..., 0]
    found = np.take_along_axis(up, chosen, axis=2)[..., 0]
    found = found + sign * _shift_to_face(box, walls.axis_mm, ticks, found, sign)
    smooth = _steadied(found, ticks, inside, strength, box.along_mm)
    return smooth, float(strength[inside].mean() * full_hu)


def detail_share(along_mm: float) -> float:
    """How much of what a plate says beyond a quadric is bone and no stairs, 0-1, by the voxels' width along it."""
    return float(np.clip((COARSE_SLICES_MM - along_mm) / (COARSE_SLICES_MM - FINE_MM), 0.0, 1.0))


def _inside(walls: Walls, ticks: FloatArray, upwards: bool) -> NDArray[np.bool_]:
    """The places of the grid within the walls near the plate, a millimetre off them."""
    left, back = np.meshgrid(ticks, ticks, indexing="ij")
    near_plate = walls.radius_mm[:, -4:] if upwards else walls.radius_mm[:, :4]
    angle = np.mod(np.arctan2(back, left), 2 * np.pi) / (2 * np.pi) * ANGLES
    ring = near_plate.mean(axis=1)
    edge = np.interp(angle, np.arange(ANGLES + 1), np.append(ring, ring[0]))
    within: NDArray[np.bool_] = np.hypot(left, back) < edge - 1.0
    return within


def _fall_at(box: LocalBox, axis: tuple[float, float], ticks: FloatArray, up: FloatArray, sign: float) -> FloatArray:
    """Fall of HU outwards at heights `up`, shape (ticks, ticks, n)."""
    left, back = np.meshgrid(axis[0] + ticks, axis[1] + ticks, indexing="ij")
    left, back = np.broadcast_to(left[..., None], up.shape), np.broadcast_to(back[..., None], up.shape)
    half = sign * fall_half_mm(box.along_mm)
    return box.at(left, back, up - half) - box.at(left, back, up + half)


def _best_plane(
    box: LocalBox,
    axis: tuple[float, float],
    ticks: FloatArray,
    inside: NDArray[np.bool_],
    expected_mm: float,
    outward_mm: float,
    sign: float,
) -> FloatArray:
    """Height over the grid of the plane along which HU fall most."""
    few = ticks[::COARSE_MM]
    used = inside[::COARSE_MM, ::COARSE_MM]
    reach = 2.0 * PLATE_REACH_MM
    offsets = np.arange(-reach, reach + HEIGHT_STEP_MM / 2, HEIGHT_STEP_MM)
    up = np.broadcast_to(expected_mm + offsets, (len(few), len(few), len(offsets)))
    fall = relative_fall(_fall_at(box, axis, few, up, sign))[0][used]
    left, back = (grid[used] for grid in np.meshgrid(few, few, indexing="ij"))
    tilts = np.stack(np.meshgrid(SAGITTAL_TILTS_DEG, CORONAL_TILTS_DEG, indexing="ij"), axis=-1).reshape(-1, 2)
    heights = offsets[np.abs(offsets) <= PLATE_REACH_MM]
    heights = heights[sign * heights <= outward_mm]
    slopes = np.tan(np.radians(tilts))
    rise = slopes[:, :1] * back + slopes[:, 1:] * left
    places = np.rint((heights[None, :, None] + rise[:, None] + reach) / HEIGHT_STEP_MM).astype(int)
    seen = fall[np.arange(len(left)), np.clip(places, 0, len(offsets) - 1)]
    score = seen.mean(axis=2) - PRIOR_PER_MM2 * heights**2 - 0.1 * ((tilts / TILT_SD_DEG) ** 2).sum(axis=1)[:, None]
    tilt, height = np.unravel_index(int(np.argmax(score)), score.shape)
    all_left, all_back = np.meshgrid(ticks, ticks, indexing="ij")
    plane: FloatArray = expected_mm + heights[height] + slopes[tilt, 0] * all_back + slopes[tilt, 1] * all_left
    return plane


def _shift_to_face(
    box: LocalBox, axis: tuple[float, float], ticks: FloatArray, found: FloatArray, sign: float
) -> FloatArray:
    offsets = np.arange(-6.0, 4.01, HEIGHT_STEP_MM)
    left, back = np.meshgrid(axis[0] + ticks, axis[1] + ticks, indexing="ij")
    up = found[..., None] + sign * offsets
    profile = box.at(np.broadcast_to(left[..., None], up.shape), np.broadcast_to(back[..., None], up.shape), up)
    profile = ndimage.gaussian_filter1d(ndimage.gaussian_filter1d(profile, 1.0, axis=0), 1.0, axis=1)
    return outer_shift(profile, offsets, box.along_mm)


def _steadied(
    found: FloatArray, ticks: FloatArray, inside: NDArray[np.bool_], strength: FloatArray, along_mm: float
) -> FloatArray:
    """The surface as a quadric with what the slices can show beyond it."""
    smooth = ndimage.gaussian_filter(ndimage.median_filter(found, size=5), 0.7)
    detail = detail_share(along_mm)
    if detail == 1.0 or int(inside.sum()) < 60:
        return smooth
    left, back = np.meshgrid(ticks / 20.0, ticks / 20.0, indexing="ij")
    terms = np.stack([np.ones_like(left), left, back, left * left, left * back, back * back], axis=-1)
    design, heights = terms[inside], found[inside]
    weights = np.clip(strength[inside], 0.05, 1.0)
    robust = np.ones(len(heights))
    for _ in range(8):
        root = np.sqrt(weights * robust)
        coefficients = np.linalg.lstsq(design * root[:, None], heights * root, rcond=None)[0]
        residuals = heights - design @ coefficients
        spread = max(1.4826 * float(np.median(np.abs(residuals))), 0.4)
        robust = np.clip(1.0 - (residuals / (_TUKEY_CUTOFF * spread)) ** 2, 0.0, None) ** 2
    quadric = terms @ coefficients
    # Beyond the rim the quadric says nothing: it is carried on by the nearest place inside.
    if not inside.all():
        nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
        quadric = np.where(inside, quadric, quadric[tuple(nearest)])
    steady: FloatArray = quadric + detail * (smooth - quadric)
    return steady
