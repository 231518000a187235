"""What the straightened column shows along the spine: endplates, pedicles, ribs and sacral alae."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray
from spongiosa.localise.straighten import STEP_MM, StraightColumn

#: Depth of the bodies in front of the canal over which an endplate is followed, and the depth about which it is tilted,
#: mm: inside the bodies of small and tall adults.
PLATE_DEPTH_MM = (14.0, 38.0)
PIVOT_MM = 26.0
PLATE_HALF_WIDTH_MM = 10.0
TILTS_DEG = np.arange(-35.0, 36.0, 5.0)
#: The middle of bodies and discs: beside the midline, and in front of the canal clear of the vein's entry, mm.
MIDDLE_HALF_WIDTH_MM, MIDDLE_DEPTH_MM = 8.0, (20.0, 32.0)
#: Preferred tilt of a plate to the canal's plane and its SD, degrees: a weak preference among equal lines.
TILT_SD_DEG = 24.0
#: Pedicles: 10-19 mm beside and up to 11 mm in front of the middle of the canal (feasibility study on real scans).
PEDICLE_LATERAL_MM = (10.0, 19.0)
PEDICLE_DEPTH_MM = (0.0, 11.0)
BONE_HU = 150.0
#: Ribs are followed from the root zone beside the vertebra outwards; costal processes end before `RIB_END_MM`.
RIB_ROOT_MM = (24.0, 34.0)
RIB_END_MM = 58.0
RIB_BAND_MM = (-46.0, 16.0)
#: The joint of a rib may look like a gap up to here.
RIB_GAP_MM = 42.0
#: A rib is thinner than this along the body at any place; the iliac wing is not.
RIB_THICKNESS_MM = 24.0
#: Along the body, a rib's root is taken to lie this far about its middle.
ROOT_HALF_MM = 7
#: The alae reach this far to the side in front of the pedicles' depth, where the broad processes of L5 do not.
ALA_LATERAL_MM = (24.0, 44.0)
ALA_DEPTH_MM = (14.0, 34.0)
#: The alae are spongy: less than compact bone, more than muscle and unenhanced organs.
ALA_HU = 120.0
#: Where the processes of the lowest lumbar vertebra pass, beside its joints and in front of nothing but muscle: beside
#: the canal, and from behind to in front of it, mm.
PROCESS_LATERAL_MM, PROCESS_DEPTH_MM = (26.0, 36.0), (-6.0, 16.0)


@dataclass(frozen=True)
class ColumnEvidence:
    """Profiles along the straightened column, all of shape (n,), one sample per mm from cranial to caudal.

    `plate` is the strength of the best endplate-like line through the middle of the body at each place (0-1) and
    `tilt_deg` its sagittal tilt (positive: its front lies further caudal); `pedicle` the pedicle profile in units of
    its own swing; `rib` the number of rib roots there (0, 0.5 one side, 1 both); `ala` the bone where the sacral alae
    would be (0-1, the lesser side); `process` the bone where transverse processes pass (0-1, the lesser side).  NaN
    where the scan does not show the place.  `reach_mm`, shape (2, n): how far to the right and to the left of the canal
    ribs or costal processes reach that leave the spine there, 0 where none does.  `middle_hu`: the median HU in the
    middle of bodies and discs.
    """

    plate: FloatArray
    tilt_deg: FloatArray
    pedicle: FloatArray
    rib: FloatArray
    ala: FloatArray
    process: FloatArray
    reach_mm: FloatArray
    middle_hu: FloatArray
    pedicle_swing_hu: float
    visible: NDArray[np.bool_]


def gather_evidence(column: StraightColumn, slice_mm: float) -> ColumnEvidence:
    """All profiles of a straightened column; `slice_mm` is the slice distance of the scan, which blurs the plates."""
    plate, tilt = plate_profile(column, slice_mm)
    pedicle, swing = pedicle_profile(column)
    rib, reach_mm = rib_profile(column)
    middle = np.abs(column.left_mm) <= PLATE_HALF_WIDTH_MM
    depth = (column.anterior_mm >= PLATE_DEPTH_MM[0]) & (column.anterior_mm <= PLATE_DEPTH_MM[1])
    visible = np.isfinite(column.hu[:, depth][:, :, middle]).mean(axis=(1, 2)) > 0.7
    return ColumnEvidence(
        plate,
        tilt,
        pedicle,
        rib,
        ala_profile(column),
        process_profile(column),
        reach_mm,
        middle_profile(column),
        swing,
        visible,
    )


def middle_profile(column: StraightColumn) -> FloatArray:
    """Median HU in the middle of the bodies at every place; NaN where nothing is seen."""
    middle = np.abs(column.left_mm) <= MIDDLE_HALF_WIDTH_MM
    depth = (column.anterior_mm >= MIDDLE_DEPTH_MM[0]) & (column.anterior_mm <= MIDDLE_DEPTH_MM[1])
    part = column.hu[:, depth][:, :, middle].reshape(len(column.hu), -1)
    is_seen = np.isfinite(part).any(axis=1)
    profile = np.full(len(part), np.nan)
    profile[is_seen] = np.nanmedian(part[is_seen], axis=1)
    return profile


def _valid_mean(values: NDArray[np.float32], axis: int | tuple[int, ...]) -> FloatArray:
    finite = np.isfinite(values)
    count = finite.sum(axis=axis)
    total = np.where(finite, values, 0.0).sum(axis=axis, dtype=np.float64)
    mean: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def plate_profile(column: StraightColumn, slice_mm: float) -> tuple[FloatArray, FloatArray]:
    """Strength and tilt of the best bright line across the bodies at every place.

    An endplate is a thin bright plane on either side of a disc, whatever lies between: a ridge in the mean over the
    middle 20 mm, integrated along lines of every tilt.  No polarity enters (body brighter than disc), which fails in
    osteoporotic marrow.
    """
    middle = np.abs(column.left_mm) <= PLATE_HALF_WIDTH_MM
    image = _valid_mean(np.clip(column.hu[:, :, middle], -100.0, 500.0), axis=2)
    sigma = max(1.6, 0.5 * slice_mm)
    ridge = -(sigma**2) * _filtered(image, sigma)
    depths = np.flatnonzero((column.anterior_mm >= PLATE_DEPTH_MM[0]) & (column.anterior_mm <= PLATE_DEPTH_MM[1]))
    along = np.arange(len(image), dtype=np.float64)
    best = np.full(len(image), -np.inf)
    tilt_of_best = np.zeros(len(image))
    for tilt in TILTS_DEG:
        shift = np.tan(np.radians(tilt)) * (column.anterior_mm[depths] - PIVOT_MM) / STEP_MM
        lines = np.stack(
            [
                np.interp(along + by, along, np.clip(ridge[:, k], -40.0, 120.0), left=np.nan, right=np.nan)
                for k, by in zip(depths, shift, strict=True)
            ],
            axis=1,
        )
        finite = np.isfinite(lines)
        total = np.where(finite, lines, 0.0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1)
        # The line must be seen along its whole depth: the lower quartile keeps spots and vessels from counting.
        lowest = np.quantile(np.where(finite, lines, -40.0), 0.25, axis=1)
        strength = (0.5 * total + 0.5 * lowest) * np.exp(-0.5 * (tilt / TILT_SD_DEG) ** 2)
        strength = np.where(finite.mean(axis=1) > 0.7, strength, -np.inf)
        better = strength > best
        best[better], tilt_of_best[better] = strength[better], tilt
    best = np.where(np.isfinite(best), best, 0.0)
    peaks = best[(best > np.roll(best, 1)) & (best >= np.roll(best, -1)) & (best > 0)]
    reference = float(np.quantile(peaks, 0.7)) if peaks.size else 1.0
    strength = np.clip(best / max(reference, 4.0), 0.0, 1.0)
    return strength, _steady_tilt(strength, tilt_of_best)


def _steady_tilt(strength: FloatArray, tilt_deg: FloatArray) -> FloatArray:
    """The tilt of strong plates, and between them the weighted mean of those near: noise has no direction."""
    weight = np.where(strength > 0.4, strength, 0.0) ** 2
    around = ndimage.gaussian_filter1d(weight * tilt_deg, 8.0) / np.maximum(
        ndimage.gaussian_filter1d(weight, 8.0), 1e-4
    )
    trust = np.clip((strength - 0.2) / 0.3, 0.0, 1.0)
    steady: FloatArray = trust * tilt_deg + (1.0 - trust) * around
    return steady


def _filtered(image: FloatArray, sigma: float) -> FloatArray:
    """Second derivative of a Gaussian along axis 0; unseen samples repeat the nearest seen one of their column."""
    filled = image.copy()
    for column in filled.T:
        seen = np.flatnonzero(np.isfinite(column))
        if seen.size:
            column[:] = np.interp(np.arange(len(column)), seen, column[seen])
        else:
            column[:] = 0.0
    second = ndimage.gaussian_filter1d(filled, sigma / STEP_MM, axis=0, order=2, mode="nearest")
    second[~np.isfinite(image)] = np.nan
    return second


def pedicle_profile(column: StraightColumn) -> tuple[FloatArray, float]:
    """Mean HU where the pedicles pass beside the canal, as a deviation in units of its swing, and the swing in HU.

    High at a pedicle, low at a foramen, and independent of marrow and disc; the better-shown swing of 60 mm around
    each place is the unit, so that the profile keeps its amplitude along the spine.
    """
    side = np.abs(column.left_mm)
    lateral = (side >= PEDICLE_LATERAL_MM[0]) & (side <= PEDICLE_LATERAL_MM[1])
    depth = (column.anterior_mm >= PEDICLE_DEPTH_MM[0]) & (column.anterior_mm <= PEDICLE_DEPTH_MM[1])
    profile = _valid_mean(np.clip(column.hu[:, depth][:, :, lateral], -150.0, 700.0), axis=(1, 2))
    seen = np.flatnonzero(np.isfinite(profile))
    if seen.size < 20:
        return np.zeros(len(profile)), 0.0
    filled = np.interp(np.arange(len(profile)), seen, profile[seen])
    smooth = ndimage.gaussian_filter1d(filled, 2.0 / STEP_MM, mode="nearest")
    window = round(60.0 / STEP_MM)
    high = ndimage.percentile_filter(smooth, 85, size=window, mode="nearest")
    low = ndimage.percentile_filter(smooth, 15, size=window, mode="nearest")
    swing = float(np.median((high - low)[seen]))
    unit = np.maximum((high - low) / 2, max(0.25 * swing, 10.0))
    normal = np.clip((smooth - (high + low) / 2) / unit, -1.5, 1.5)
    normal[~np.isfinite(profile)] = np.nan
    return normal, swing


def rib_profile(column: StraightColumn) -> tuple[FloatArray, FloatArray]:
    """Rib roots along the column: 1 where both ribs leave the spine, 0.5 where one does; and the reach of what is thin
    along the body, ribs and costal processes, from where it leaves the spine, shape (2, n) (right, left), mm.

    A rib is bone that is joined from beside the vertebra out to 58 mm, thin along the body all the way, with its
    lateral end not higher than its root; costal processes end earlier and the iliac wing is too thick.  The roots are
    NaN where the scan does not reach that far to either side.
    """
    band = (column.anterior_mm >= RIB_BAND_MM[0]) & (column.anterior_mm <= RIB_BAND_MM[1])
    rib = np.zeros(len(column.hu))
    seen = np.zeros(len(column.hu))
    reach_mm = np.zeros((2, len(column.hu)))
    for sign, reach in zip((-1.0, 1.0), reach_mm, strict=True):
        side = np.flatnonzero((sign * column.left_mm >= RIB_ROOT_MM[0]) & (sign * column.left_mm <= 78.0))
        part = column.hu[:, band][:, :, side]
        distance = np.abs(column.left_mm[side])
        seen += 0.5 * (np.isfinite(part[:, :, distance > RIB_END_MM]).mean(axis=(1, 2)) > 0.5)
        components, count = ndimage.label(np.nan_to_num(part, nan=-1000.0) > BONE_HU, np.ones((3, 3, 3)))
        for number, found in enumerate(ndimage.find_objects(components, max_label=count), start=1):
            offshoot = _offshoot(components[found] == number, distance[found[2]])
            if offshoot is None:
                continue
            root = found[0].start + offshoot.root
            near = slice(max(0, round(root) - ROOT_HALF_MM), round(root) + ROOT_HALF_MM + 1)
            reach[near] = np.maximum(reach[near], offshoot.reach_mm)
            if offshoot.is_rib:
                rib[near] += 0.5
    profile = np.where(seen > 0, np.minimum(rib / np.maximum(seen, 0.5), 1.0), np.nan)
    return profile, reach_mm


@dataclass(frozen=True)
class _Offshoot:
    """Bone that leaves the spine: its root (samples from its box's cranial side), how far to the side it reaches, and
    whether it is a rib.
    """

    root: float
    reach_mm: float
    is_rib: bool


def _offshoot(component: NDArray[np.bool_], distance_mm: FloatArray) -> _Offshoot | None:
    """A component that leaves the spine and is thin along the body; None where it does not or is not."""
    if distance_mm.min() > RIB_GAP_MM:
        return None
    flat = component.any(axis=1)  # (along, left)
    thickness = flat.sum(axis=0) * STEP_MM
    used = thickness > 0
    if np.median(thickness[used]) > RIB_THICKNESS_MM:
        return None
    places = np.arange(flat.shape[0])
    centre = (flat * places[:, None]).sum(axis=0) / np.maximum(flat.sum(axis=0), 1)
    near = used & (distance_mm <= max(RIB_ROOT_MM[1], float(distance_mm[used].min()) + 6.0))
    if not near.any():
        return None
    far = used & (distance_mm >= RIB_END_MM - 4.0)
    is_rib = (
        float(distance_mm.max()) >= RIB_END_MM
        and float(np.quantile(thickness[used], 0.9)) <= 1.6 * RIB_THICKNESS_MM
        and bool(far.any())
        and float(centre[far].mean()) >= float(centre[near].mean()) - 6.0
    )
    return _Offshoot(float(centre[near].mean()), float(distance_mm[used].max()), is_rib)


def ala_profile(column: StraightColumn) -> FloatArray:
    """Share of the columns 24-44 mm beside and 14-34 mm in front of the canal that hold bone, the lesser side (0-1).

    Every lateral column must have it, so that a kidney, a rib or a costal process does not count.
    """
    return _bone_beside(column, ALA_LATERAL_MM, ALA_DEPTH_MM, ALA_HU)


def process_profile(column: StraightColumn) -> FloatArray:
    """Share of the columns 26-36 mm beside the canal that hold bone from 6 mm behind to 16 mm in front of it, the
    lesser side (0-1): broad transverse processes that reach the sacrum fill it without a gap.
    """
    return _bone_beside(column, PROCESS_LATERAL_MM, PROCESS_DEPTH_MM, BONE_HU)


def _bone_beside(
    column: StraightColumn, lateral_mm: tuple[float, float], depth_mm: tuple[float, float], bone_hu: float
) -> FloatArray:
    depth = (column.anterior_mm >= depth_mm[0]) & (column.anterior_mm <= depth_mm[1])
    sides = []
    for sign in (-1.0, 1.0):
        lateral = (sign * column.left_mm >= lateral_mm[0]) & (sign * column.left_mm <= lateral_mm[1])
        part = column.hu[:, depth][:, :, lateral]
        is_bone = (np.nan_to_num(part, nan=-1000.0) > bone_hu).any(axis=1).mean(axis=1)
        sides.append(np.where(np.isfinite(part).mean(axis=(1, 2)) > 0.6, is_bone, np.nan))
    lesser: FloatArray = np.fmin(sides[0], sides[1])
    return lesser
