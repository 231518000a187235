"""Round spots in an axial image: where the rods of a phantom may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from spongiosa.volume import FloatArray

#: Half width of the ring in which the gradient is looked at, in units of its blur.
RING_WIDTHS = 2.0

#: HU beyond which all is alike: the edge of a rod against air must not outweigh all others.
DARKEST_HU, BRIGHTEST_HU = -250.0, 2500.0

#: Gradient that counts as flat.  [HU/mm]
FLAT_HU_PER_MM = 0.5

#: Least roundness of a spot: 0.93 is that of a perfect disc, below one half a third of its edge is missing or reversed.
LEAST_ROUNDNESS = 0.5


@dataclass(frozen=True)
class Spot:
    """A disc that stands out from its surroundings: centre (u along columns, v along rows) from the first pixel's.

    `contrast_hu`: step at its edge, positive for a bright disc; `hu`: mean of its core; `radius_mm`: of those asked
    for the one that fits best; `roundness`: 0 to 0.93.
    """

    u_mm: float
    v_mm: float
    radius_mm: float
    contrast_hu: float
    hu: float
    roundness: float

    @property
    def place_mm(self) -> FloatArray:
        return np.array([self.u_mm, self.v_mm])


def round_spots(
    image: NDArray[np.floating],
    spacing_mm: tuple[float, float],
    radii_mm: tuple[float, ...],
    edge_mm: float,
    least_contrast_hu: float,
    most: int,
) -> list[Spot]:
    """Discs of one of the radii in `image`, shape (rows, columns), the roundest first, at most `most`.

    `spacing_mm` is (row, column); `edge_mm` is the blur of the gradient (standard deviation): the radius may be off by
    as much, and edges of something else that are closer than five of it are seen in the ring.  The roundness of a place
    is the mean outward gradient over a ring about it, divided by the root mean square of the whole gradient there: a
    disc's edge points outward all around, that of anything else only here and there.
    """
    hu = np.clip(np.asarray(image, dtype=np.float32), DARKEST_HU, BRIGHTEST_HU)
    sigma = (edge_mm / spacing_mm[0], edge_mm / spacing_mm[1])
    down = ndimage.gaussian_filter(hu, sigma, order=(1, 0)) / spacing_mm[0]
    across = ndimage.gaussian_filter(hu, sigma, order=(0, 1)) / spacing_mm[1]
    smooth = ndimage.gaussian_filter(hu, sigma)
    ring = _Rings(hu.shape, spacing_mm, edge_mm, down, across)
    best = np.zeros(hu.shape, np.float32)
    contrast = np.zeros(hu.shape, np.float32)
    radius = np.zeros(hu.shape, np.float32)
    for candidate in radii_mm:
        roundness, step = ring.response(candidate)
        better = np.abs(roundness) > np.abs(best)
        best[better], contrast[better], radius[better] = roundness[better], step[better], candidate
    reach = (2 * round(min(radii_mm) / spacing_mm[0]) + 1, 2 * round(min(radii_mm) / spacing_mm[1]) + 1)
    strength = np.where(np.abs(contrast) >= least_contrast_hu, np.abs(best), 0.0)
    is_peak = (strength == ndimage.maximum_filter(strength, reach)) & (strength >= LEAST_ROUNDNESS)
    rows, columns = np.nonzero(is_peak)
    order = np.argsort(-strength[rows, columns], kind="stable")[:most]
    spots = []
    for row, column in zip(rows[order], columns[order], strict=True):
        v, u = _summit(strength, int(row), int(column))
        spots.append(
            Spot(
                u_mm=u * spacing_mm[1],
                v_mm=v * spacing_mm[0],
                radius_mm=float(radius[row, column]),
                contrast_hu=float(contrast[row, column]),
                hu=float(smooth[row, column]),
                roundness=float(strength[row, column]),
            )
        )
    return spots


class _Rings:
    """Sums of an image's gradient over rings, by convolution."""

    def __init__(
        self,
        shape: tuple[int, ...],
        spacing_mm: tuple[float, float],
        edge_mm: float,
        down: NDArray[np.float32],
        across: NDArray[np.float32],
    ) -> None:
        self._shape, self._spacing, self._edge = shape, spacing_mm, edge_mm
        self._padded = tuple(fft.next_fast_len(length + 64, real=True) for length in shape)
        self._down, self._across, self._square = (
            fft.rfft2(field, self._padded) for field in (down, across, down**2 + across**2)
        )

    def response(self, radius_mm: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Roundness (positive for bright discs) and step in HU of a disc of this radius about every pixel."""
        rows, columns = (
            np.minimum(np.arange(length), length - np.arange(length)) * np.where(np.arange(length) > length / 2, -1, 1)
            for length in self._padded
        )
        v, u = np.meshgrid(rows * self._spacing[0], columns * self._spacing[1], indexing="ij")
        distance = np.hypot(u, v)
        weight = np.exp(-((distance - radius_mm) ** 2) / (2 * self._edge**2))
        weight[np.abs(distance - radius_mm) > RING_WIDTHS * self._edge] = 0.0
        weight /= weight.sum()
        away = np.maximum(distance, 1e-6)
        # Correlation with a kernel is convolution with its mirror image, which turns the outward direction inward.
        outward = self._back(self._down * fft.rfft2(-weight * v / away) + self._across * fft.rfft2(-weight * u / away))
        square = np.maximum(self._back(self._square * fft.rfft2(weight)), 0.0)
        roundness = -outward / np.sqrt(square + FLAT_HU_PER_MM**2)
        # A step of height h blurred by s has the gradient h / (s sqrt(2 pi)); its mean over a ring of width s is
        # that divided by sqrt(2).
        return roundness.astype(np.float32), (-outward * self._edge * np.sqrt(4 * np.pi)).astype(np.float32)

    def _back(self, spectrum: NDArray[np.complexfloating]) -> NDArray[np.floating]:
        whole = fft.irfft2(spectrum, self._padded)
        return np.asarray(whole[: self._shape[0], : self._shape[1]])


def _summit(strength: NDArray[np.floating], row: int, column: int) -> tuple[float, float]:
    """Sub-pixel place of a peak, by parabolas through its neighbours along either axis."""
    place = [float(row), float(column)]
    for axis, index in enumerate((row, column)):
        if not 0 < index < strength.shape[axis] - 1:
            continue
        before, here, after = (
            float(strength[row + step, column] if axis == 0 else strength[row, column + step]) for step in (-1, 0, 1)
        )
        curvature = before - 2 * here + after
        if min(before, after) > 0 and curvature < 0:
            place[axis] += 0.5 * (before - after) / curvature
    return place[0], place[1]
