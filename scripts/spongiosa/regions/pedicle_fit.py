"""A straight tube fitted to the outer surface of a pedicle, blind to the bone that flares from it.

The trunk of a pedicle is a short tube; body, facets, lamina and transverse process flare from it, each on its own side
and from its own place.  A flare only ever adds bone.  The tube is therefore the lower envelope of the surface: radii
beyond it lose their weight with their distance, radii short of it do not.  Centres of whole sections, by contrast,
follow the flares: on exact surfaces of synthetic vertebrae by 1.2 degrees, the envelope by 0.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import unit_vector
from spongiosa.regions.pedicle_bone import PedicleBone
from spongiosa.volume import FloatArray

#: Directions about the axis, steps along a ray and its reach, and sections along the axis.  [rad, mm, mm, mm]
ANGLES = np.deg2rad(np.arange(0.0, 360.0, 10.0))
RAY_STEP_MM, REACH_MM = 0.5, 14.0
OFFSETS_MM = np.arange(-10.0, 10.1, 1.0)
#: The narrowest section lies among these, and the trunk within this distance of it.  [mm]
NARROWEST_WITHIN_MM, TRUNK_HALF_LENGTH_MM = 8.0, 6.0

#: The isthmus is the middle of the stretch whose sections exceed the narrowest by at most this factor: where a pedicle
#: hardly narrows, the middle is sharp and the narrowest place is not.
ISTHMUS_SHARE = 1.25
#: The tube is fitted to the sections that exceed the narrowest by at most this factor, and to five at least.
TRUNK_SHARE, FEWEST_SECTIONS = 1.5, 5
#: Of a section, at least this share of the rays must leave the bone within reach.
FEWEST_RAYS = 0.8
#: Radii beyond the tube by this much weigh 1/e.  [mm]
FLARE_MM = 0.3
_ITERATIONS, _ENVELOPE_ITERATIONS = 10, 12
#: A first direction that misses the trunk must not carry the centre away with it.  [mm]
LARGEST_STEP_MM = 3.0
_STILL_RAD, _STILL_MM = 1e-3, 0.05


@dataclass(frozen=True)
class PedicleTube:
    """A tube through a pedicle: isthmus and unit direction (LPS), and its radius in every direction of `ANGLES`.

    Angles count from `u`, the patient's left across the axis, towards `v`, upwards across it.
    """

    isthmus_mm: FloatArray
    direction: FloatArray
    u: FloatArray
    v: FloatArray
    radii_mm: FloatArray


def fit_tube(bone: PedicleBone, start_mm: FloatArray, towards: FloatArray, left: FloatArray) -> PedicleTube | None:
    """The tube about a point in the pedicle and a direction roughly along it; None where there is no trunk."""
    centre, direction = start_mm, unit_vector(towards)
    tube = None
    for _ in range(_ITERATIONS):
        u = unit_vector(left - (left @ direction) * direction)
        v = np.cross(direction, u)
        radii = _radii_mm(bone, centre, direction, u, v)
        trunk = _trunk(radii)
        if trunk is None:
            return None
        isthmus_mm, kept = float(np.clip(trunk[0], -LARGEST_STEP_MM, LARGEST_STEP_MM)), trunk[1]
        envelope = _envelope(OFFSETS_MM[kept], radii[kept])
        if envelope is None:
            return None
        profile, slope = envelope
        across = _centre_of_area(profile)
        shift = across + slope * isthmus_mm
        moved = shift[0] * u + shift[1] * v + isthmus_mm * direction
        turned = unit_vector(direction + slope[0] * u + slope[1] * v)
        is_still = float(turned @ direction) > np.cos(_STILL_RAD) and float(np.linalg.norm(moved)) < _STILL_MM
        centre, direction = centre + moved, turned
        tube = PedicleTube(centre, direction, u, v, profile)
        if is_still:
            break
    return tube


def _radii_mm(
    bone: PedicleBone, centre_mm: FloatArray, direction: FloatArray, u: FloatArray, v: FloatArray
) -> FloatArray:
    """Where rays across the axis leave the bone, shape (offsets, angles); NaN where they do not."""
    outwards = np.cos(ANGLES)[:, None] * u + np.sin(ANGLES)[:, None] * v
    along = np.arange(0.0, REACH_MM + RAY_STEP_MM, RAY_STEP_MM)
    points = (
        centre_mm + OFFSETS_MM[:, None, None, None] * direction + along[None, None, :, None] * outwards[None, :, None]
    )
    excess = bone.excess(points)
    is_outside = excess <= 0
    first = is_outside.argmax(axis=-1)
    last_inside = np.maximum(first - 1, 0)
    inner = np.take_along_axis(excess, last_inside[..., None], axis=-1)[..., 0]
    outer = np.take_along_axis(excess, first[..., None], axis=-1)[..., 0]
    share = inner / np.where(inner > outer, inner - outer, 1.0)
    has_surface = is_outside.any(axis=-1) & (first > 0)
    return np.where(has_surface, (last_inside + share) * RAY_STEP_MM, np.nan)


def _trunk(radii_mm: FloatArray) -> tuple[float, NDArray[np.int_]] | None:
    """Where the isthmus lies along the axis, and the numbers of the trunk's sections."""
    areas = 0.5 * np.square(np.nan_to_num(radii_mm, nan=REACH_MM)).sum(axis=1) * (ANGLES[1] - ANGLES[0])
    areas[np.isfinite(radii_mm).mean(axis=1) < FEWEST_RAYS] = np.inf
    # Where bone ends or runs into the body, the last sections may be small ones: no waist.
    is_amid = ndimage.binary_erosion(np.isfinite(areas), iterations=FEWEST_SECTIONS // 2, border_value=1)
    candidates = np.where(is_amid & (np.abs(OFFSETS_MM) <= NARROWEST_WITHIN_MM), areas, np.inf)
    narrowest = int(candidates.argmin())
    if not np.isfinite(candidates[narrowest]):
        return None
    ratio = areas / areas[narrowest]
    ends = [_first_beyond(ratio[narrowest::step], ISTHMUS_SHARE) for step in (-1, 1)]
    step_mm = float(OFFSETS_MM[1] - OFFSETS_MM[0])
    isthmus_mm = float(OFFSETS_MM[narrowest]) + step_mm * (ends[1] - ends[0]) / 2.0
    is_trunk = (ratio <= TRUNK_SHARE) & (np.abs(OFFSETS_MM - isthmus_mm) <= TRUNK_HALF_LENGTH_MM)
    before, after = np.flatnonzero(~is_trunk[:narrowest]), np.flatnonzero(~is_trunk[narrowest:])
    first = int(before[-1]) + 1 if before.size else 0
    last = narrowest + int(after[0]) if after.size else len(ratio)
    if last - first < FEWEST_SECTIONS:
        first = max(narrowest - FEWEST_SECTIONS // 2, 0)
        last = first + FEWEST_SECTIONS
    kept = np.flatnonzero(np.isfinite(ratio[first:last])) + first
    return (isthmus_mm, kept) if len(kept) >= 3 else None


def _first_beyond(ratio: FloatArray, limit: float) -> float:
    """Steps to where a row first exceeds a limit, between its entries; its length where it never does."""
    beyond = np.flatnonzero(ratio > limit)
    if not beyond.size:
        return float(len(ratio) - 1)
    number = int(beyond[0])
    if not np.isfinite(ratio[number]):
        return float(number - 1)
    return float(number - 1 + (limit - ratio[number - 1]) / (ratio[number] - ratio[number - 1]))


def _envelope(offsets_mm: FloatArray, radii_mm: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Radii of a straight tube, shape (angles,), and the tilt (u, v) of its axis per mm along it.

    Residuals are taken across the surface.  For given weights the least-squares tube has a closed form: the radius of
    every direction is eliminated, two equations for the tilt remain.
    """
    known = np.isfinite(radii_mm)
    is_seen = known.any(axis=0)
    if is_seen.mean() < FEWEST_RAYS:
        return None
    median = np.zeros(len(ANGLES))
    median[is_seen] = np.nanmedian(radii_mm[:, is_seen], axis=0)
    profile = np.interp(ANGLES, ANGLES[is_seen], median[is_seen], period=2.0 * np.pi)
    slope = np.zeros(2)
    for _ in range(_ENVELOPE_ITERATIONS):
        normals = _normals(profile)
        obliqueness = np.maximum(normals[0] * np.cos(ANGLES) + normals[1] * np.sin(ANGLES), 0.3)
        residual = np.where(known, radii_mm - profile, 0.0) * obliqueness - offsets_mm[:, None] * (slope @ normals)
        weight = known * np.where(residual > 0, np.exp(-np.square(residual / FLARE_MM)), 1.0)
        total = np.maximum(weight.sum(axis=0), 1e-6)
        mean_offset, mean_residual = ((weight * each).sum(axis=0) / total for each in (offsets_mm[:, None], residual))
        centred = offsets_mm[:, None] - mean_offset
        spread = (weight * np.square(centred)).sum(axis=0)
        moment = (weight * centred * (residual - mean_residual)).sum(axis=0)
        change, *_ = np.linalg.lstsq((normals * spread) @ normals.T, normals @ moment, rcond=None)
        widening = mean_residual - mean_offset * (change @ normals)
        slope = slope + change
        profile = np.maximum(profile + widening / obliqueness, RAY_STEP_MM)
        if np.abs(change).max() < _STILL_RAD / 10 and np.abs(widening).max() < _STILL_MM / 10:
            break
    return profile, slope


def _normals(profile: FloatArray) -> FloatArray:
    """Outward unit normals (u, v) of a closed outline given by its radii, shape (2, angles)."""
    outline = profile * np.stack([np.cos(ANGLES), np.sin(ANGLES)])
    tangent = np.roll(outline, -1, axis=1) - np.roll(outline, 1, axis=1)
    normal = np.stack([tangent[1], -tangent[0]])
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=0), 1e-9))


def _centre_of_area(profile: FloatArray) -> FloatArray:
    """Centre (u, v) of the area within an outline given by its radii.  [mm]"""
    third = profile**3
    return np.array([third @ np.cos(ANGLES), third @ np.sin(ANGLES)]) / (1.5 * float(np.square(profile).sum()))
