"""HU about one vertebral body in its own frame, and where its bone ends along a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray
from spongiosa.volume import Geometry, Volume

STEP_MM = 1.0
#: HU are clipped to this, so that neither gas nor metal outweighs the wall.
HU_CLIP = (-60.0, 900.0)
#: A fall of HU counts fully at the strength that the clearest edges of the same vertebra have, within these.
FULL_FALL_HU = (60.0, 400.0)
#: Half the distance over which a fall is taken: at least this, and this share of the voxels' width along the way.
FALL_HALF_MM, FALL_SHARE_OF_BLUR = 1.0, 0.35
#: How far the steepest fall and the peak of the shell are looked for: at least this, mm, and shares of the blur.
FACE_REACH_MM, RIDGE_REACH_MM = 1.5, 4.0
FACE_SHARE_OF_BLUR, RIDGE_SHARE_OF_BLUR = 0.5, 0.9
#: Apparent thickness of the shell with the trabeculae that are driven together under it, and the blur of kernel and
#: interpolation besides that of the voxels, mm.
SHELL_MM, OTHER_BLUR_MM = 1.4, 1.75
#: A ridge that rises above the marrow by this share of its height above the outside is a shell, and no step.
FULL_RIDGE = 0.2


def blur_mm(geometry: Geometry, axes: FloatArray) -> FloatArray:
    """Width of the voxels along each of the LPS unit vectors `axes`, shape (n, 3): how far they smear an edge."""
    along = np.asarray(axes) @ geometry.steps_mm
    widths: FloatArray = np.linalg.norm(along, axis=-1)
    return widths


@dataclass(frozen=True)
class LocalBox:
    """HU on a 1 mm grid of the local frame, axes (left, posterior, superior), which is where `start_mm` begins.

    `blur_mm` is the width of the scan's voxels along the same axes.
    """

    hu: NDArray[np.float32]
    start_mm: FloatArray
    blur_mm: FloatArray

    @classmethod
    def sampled(
        cls, scan: Volume, centre_mm: FloatArray, axes: FloatArray, reach: tuple[float, float, float], middle_mm: float
    ) -> LocalBox | None:
        """The box of half widths `reach` about a centre (LPS mm); None where it leaves the scan."""
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
        smooth = ndimage.gaussian_filter(np.clip(hu, *HU_CLIP), 0.6)
        return cls(smooth, np.array([t[0] for t in ticks]), blur_mm(scan.geometry, axes))

    def at(self, left: FloatArray, back: FloatArray, up: FloatArray) -> FloatArray:
        """HU at local points (arrays of one shape)."""
        places = [left - self.start_mm[0], back - self.start_mm[1], up - self.start_mm[2]]
        values: FloatArray = ndimage.map_coordinates(self.hu, places, order=1, mode="nearest", output=np.float64)
        return values

    def mean_between(self, bottom_mm: float, top_mm: float) -> NDArray[np.float32]:
        """Mean over the heights between two ends, as an image (left, posterior)."""
        first = int(np.clip(np.floor(bottom_mm - self.start_mm[2]), 0, self.hu.shape[2] - 2))
        last = int(np.clip(np.ceil(top_mm - self.start_mm[2]), first + 1, self.hu.shape[2]))
        mean: NDArray[np.float32] = self.hu[:, :, first:last].mean(axis=2)
        return mean

    @property
    def across_mm(self) -> float:
        """Mean width of the voxels across the body."""
        return float(self.blur_mm[:2].mean())

    @property
    def along_mm(self) -> float:
        """Width of the voxels along the body."""
        return float(self.blur_mm[2])


def fall_half_mm(blur: float) -> float:
    """Half the distance over which a fall of HU is taken where voxels are `blur` mm wide."""
    return max(FALL_HALF_MM, FALL_SHARE_OF_BLUR * blur)


def relative_fall(fall_hu: FloatArray) -> tuple[FloatArray, float]:
    """A fall along the last axis as a share of the full one (0-1), and the full one in HU."""
    full_hu = float(np.clip(np.quantile(fall_hu.max(axis=-1), 0.75), *FULL_FALL_HU))
    return np.clip(fall_hu / full_hu, 0.0, 1.0), full_hu


def outer_shift(profile_hu: FloatArray, offsets_mm: FloatArray, blur: float) -> FloatArray:
    """Where the outer face of the bone lies, as an offset in mm, from HU along the way out (last axis).

    A thin shell between marrow and soft tissue is blurred to a ridge of the blur's width w: its peak lies on the shell,
    its steepest fall about w / 2 outside of it, and the outer face half the shell's thickness t outside, which is the
    share t / w of the way from the peak to the fall.  Where no ridge rises above the marrow, the edge is a step and its
    steepest fall is the face.
    """
    slope = -np.gradient(profile_hu, offsets_mm, axis=-1)
    near = np.abs(offsets_mm) <= max(FACE_REACH_MM, FACE_SHARE_OF_BLUR * blur)
    fall_at = np.argmax(np.where(near, slope, -np.inf), axis=-1)
    places = np.arange(len(offsets_mm))
    step = offsets_mm[1] - offsets_mm[0]
    reach = round(max(RIDGE_REACH_MM, RIDGE_SHARE_OF_BLUR * blur) / step)
    behind = (places <= fall_at[..., None]) & (places >= fall_at[..., None] - reach)
    ridge = np.where(behind, profile_hu, -np.inf)
    peak_at = np.argmax(ridge, axis=-1)
    marrow = np.take_along_axis(profile_hu, np.maximum(fall_at - reach, 0)[..., None], axis=-1)
    height = ridge.max(axis=-1) - marrow[..., 0]
    outside = profile_hu[..., -1]
    share = np.clip(height / np.maximum(ridge.max(axis=-1) - outside, 1.0) / FULL_RIDGE, 0.0, 1.0)
    full = offsets_mm[fall_at]
    to_face = min(1.0, SHELL_MM / float(np.hypot(blur, OTHER_BLUR_MM)))
    shift: FloatArray = full + share * (1.0 - to_face) * (offsets_mm[peak_at] - full)
    return shift
