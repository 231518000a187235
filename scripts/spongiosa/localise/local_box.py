"""HU about one vertebral body in its own frame, and where its bone ends along a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from spongiosa.anatomy.frame import FloatArray
from spongiosa.volume import Geometry, Volume

STEP_MM = 1.0
#: HU are clipped to this, so that neither gas nor metal outweighs the wall.
HU_CLIP = (-60.0, 900.0)
#: Cement and screws: lumps that are brighter than the first, more than `2 * EROSION_MM` thick (no shell of bone is) and
#: of at least so many mm3; they end where HU fall below the second.
IMPLANT_HU, IMPLANT_END_HU = 1000.0, 600.0
EROSION_MM, LEAST_IMPLANT_MM3 = 2, 150
#: The marrow of a box: within this of its axis, and of its middle along it, mm.
MARROW_RADIUS_MM, MARROW_HALF_HEIGHT_MM = 12.0, 8.0
#: A fall of HU counts fully at the strength that the clearest edges of the same vertebra have, within these.
FULL_FALL_HU = (60.0, 400.0)
#: Half the distance over which a fall is taken: at least this, and this share of the voxels' width along the way.
FALL_HALF_MM, FALL_SHARE_OF_BLUR = 1.0, 0.35
#: How far from the matched wall the steepest fall is looked for: at least this, mm, and share of the blur.
FACE_REACH_MM, FACE_SHARE_OF_BLUR = 1.5, 0.5
#: Part of a profile that is fitted, inside and outside of the steepest fall, mm; SD of its weights besides the blur's,
#: and how far inside of the fall they are centred, mm.
FIT_IN_MM, FIT_OUT_MM, WINDOW_SD_MM, INWARDS_MM = 5.0, 4.0, 1.2, 0.5
#: Apparent thickness of the shell with the trabeculae that are driven together under it (a choice between the compact
#: shell, 0.4-0.6 mm, and what a network's masks of a real scan take for bone, 1.4 mm), and the SD of the blur of kernel
#: and interpolation besides that of the voxels, mm.
SHELL_MM, OTHER_BLUR_SD_MM = 0.8, 0.85
#: The blur is looked for at these shares of the expected one, on this many profiles.
BLUR_FACTORS, MOST_FOR_BLUR = np.array([0.8, 1.0, 1.25, 1.5]), 200
#: The face lies inside of the steepest fall by up to this many SD of the blur, and outside by up to this, mm; steps.
FACE_BELOW_SD, FACE_ABOVE_MM, FACE_STEP_MM = 1.7, 0.6, 0.15


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
        smooth = ndimage.gaussian_filter(np.clip(without_implants(hu, ticks), *HU_CLIP), 0.6)
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

    About its steepest fall every profile is fitted by marrow, a thin shell and soft tissue, blurred by a Gaussian (the
    model of Treece et al., Med Image Anal 2010;14:276-290):

        y(x) = a + b Phi((f - t - x) / s) + c [Phi((f - x) / s) - Phi((f - t - x) / s)]

    with the face f, the levels a, b, c in HU (linear: solved for every f), the thickness t of the shell fixed, and the
    blur s that explains all profiles together best.  A shell much thinner than the blur shows no more than the product
    of its thickness and height; half of t is what lies between its middle and its face.  Where no shell stands out
    (c < b) the profile is a step.
    """
    step_mm = float(offsets_mm[1] - offsets_mm[0])
    rows = profile_hu.reshape(-1, len(offsets_mm))
    slope = -np.asarray(np.gradient(rows, step_mm, axis=1))
    near = np.abs(offsets_mm) <= max(FACE_REACH_MM, FACE_SHARE_OF_BLUR * blur)
    fall_at = np.argmax(np.where(near, slope, -np.inf), axis=-1)
    about = np.arange(-round(FIT_IN_MM / step_mm), round(FIT_OUT_MM / step_mm) + 1)
    about_mm = about.astype(np.float64) * step_mm
    places = np.clip(fall_at[:, None] + about, 0, len(offsets_mm) - 1)
    fitted = np.take_along_axis(rows, places, axis=1)
    expected = float(np.hypot(blur / np.sqrt(12.0), OTHER_BLUR_SD_MM))
    some = fitted[:: max(1, len(fitted) // MOST_FOR_BLUR)]
    sds = expected * BLUR_FACTORS
    sd = float(sds[int(np.argmin([_misfits(some, about_mm, sd)[1].min(axis=1).mean() for sd in sds]))])
    faces, misfits = _misfits(fitted, about_mm, sd)
    shift: FloatArray = offsets_mm[fall_at] + faces[np.argmin(misfits, axis=1)]
    return shift.reshape(profile_hu.shape[:-1])


def _misfits(rows: FloatArray, offsets_mm: FloatArray, sd_mm: float) -> tuple[FloatArray, FloatArray]:
    """Places of the face that are tried, mm, and the weighted square of what each leaves of every profile, HU^2."""
    root = np.exp(-0.25 * ((offsets_mm + INWARDS_MM) / (WINDOW_SD_MM + sd_mm)) ** 2)
    weighted = rows * root
    total = (weighted**2).sum(axis=1)
    faces = np.arange(-FACE_BELOW_SD * sd_mm, FACE_ABOVE_MM, FACE_STEP_MM)
    misfits = np.empty((len(rows), len(faces)))
    for place, face in enumerate(faces):
        inner = special.ndtr((face - SHELL_MM - offsets_mm) / sd_mm)
        outer = special.ndtr((face - offsets_mm) / sd_mm)
        basis, triangle = np.linalg.qr(np.stack([np.ones_like(inner), inner, outer - inner], axis=1) * root[:, None])
        shares = weighted @ basis
        shell = shares[:, 2] / triangle[2, 2]
        marrow = (shares[:, 1] - triangle[1, 2] * shell) / triangle[1, 1]
        step = np.linalg.qr(np.stack([np.ones_like(outer), outer], axis=1) * root[:, None])[0]
        explained = np.where(shell >= marrow, (shares**2).sum(axis=1), ((weighted @ step) ** 2).sum(axis=1))
        misfits[:, place] = total - explained
    return faces, misfits


def without_implants(hu: NDArray[np.float32], ticks_mm: list[FloatArray]) -> NDArray[np.float32]:
    """The HU of a box about a body, a sample per mm, with cement and screws replaced by the median of its marrow.

    Their edges are steeper than any wall or plate, and a surface would be drawn about them.
    """
    is_bright = hu > IMPLANT_HU
    if np.count_nonzero(is_bright) < LEAST_IMPLANT_MM3:
        return hu
    cores = ndimage.binary_erosion(is_bright, iterations=EROSION_MM)
    if not cores.any():
        return hu
    lumps = ndimage.binary_propagation(cores, mask=hu > IMPLANT_END_HU)
    lumps = ndimage.binary_dilation(lumps, iterations=EROSION_MM)
    near_axis = np.hypot(ticks_mm[0][:, None], ticks_mm[1][None, :]) <= MARROW_RADIUS_MM
    near_middle = np.abs(ticks_mm[2] - ticks_mm[2].mean()) <= MARROW_HALF_HEIGHT_MM
    marrow = hu[near_axis[:, :, None] & near_middle & ~lumps]
    return hu if marrow.size == 0 else np.where(lumps, np.float32(np.median(marrow)), hu)
