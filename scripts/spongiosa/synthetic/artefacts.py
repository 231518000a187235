"""Beam hardening and metal streaks: errors made in the projections and carried back into the slices.

Each slice is projected at a reduced resolution; the non-linear part that a polyenergetic beam adds to its line
integrals is filtered and projected back. For metal it goes with the square of the path through metal and with its
product with the rest (de Man et al., IEEE Trans Nucl Sci 1999;46:691-696), and starved rays add noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

_ANGLES = 120
_PIXELS = 192
METAL_HU = 4000.0
_BONE_HU = 250.0
_WATER_PER_MM = 0.0193
"""Attenuation of water at 70 keV (NIST)."""
_METAL_ERROR = 0.018
_CROSS_ERROR = 0.022
_HARDENING_ERROR = 0.006
_STARVATION = 0.02


def add_artefacts(
    field: NDArray[np.float32], pixel_mm: float, metal: bool, beam_hardening: float, rng: np.random.Generator
) -> None:
    """Add the artefacts of every slice of `field` (slices, rows, columns; HU) in place.

    Metal (above 4000 HU) makes streaks where `metal` is true; `beam_hardening` scales cupping and dark bands.
    """
    rows, columns = field.shape[1:]
    size = max(rows, columns)
    coarse_mm = pixel_mm * size / _PIXELS
    geometry = _Geometry(coarse_mm)
    for hu in field:
        has_metal = metal and bool((hu > METAL_HU).any())
        if not has_metal and beam_hardening <= 0.0:
            continue
        error = _slice_error(_coarse(hu, size), has_metal, beam_hardening, geometry, rng)
        fine = ndimage.zoom(error, size / _PIXELS, order=1, grid_mode=True, mode="nearest")
        hu += fine[:rows, :columns] if fine.shape == (size, size) else _fitted(fine, rows, columns)


def _coarse(hu: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """The slice on 192 x 192 pixels, averaged so that thin metal keeps its path."""
    square = np.full((size, size), -1000.0, dtype=np.float32)
    square[: hu.shape[0], : hu.shape[1]] = hu
    blurred = ndimage.uniform_filter(square, max(1, round(size / _PIXELS)))
    return np.asarray(ndimage.zoom(blurred, _PIXELS / size, order=1, grid_mode=True, mode="nearest"))


def _fitted(fine: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    out = np.zeros((rows, columns), dtype=np.float32)
    part = fine[:rows, :columns]
    out[: part.shape[0], : part.shape[1]] = part
    return out


def _slice_error(
    hu: NDArray[np.float32], has_metal: bool, beam_hardening: float, geometry: _Geometry, rng: np.random.Generator
) -> NDArray[np.float32]:
    relative = np.maximum(hu / 1000.0 + 1.0, 0.0)
    error = np.zeros((_ANGLES, geometry.bins), dtype=np.float32)
    if has_metal:
        is_metal = hu > METAL_HU / 2.0
        metal = geometry.project(np.where(is_metal, relative, 0.0))
        rest = geometry.project(np.where(is_metal, 0.0, relative))
        error -= _METAL_ERROR * metal**2 + _CROSS_ERROR * metal * rest / (1.0 + 0.3 * rest)
        starved = np.clip(metal, 0.0, 6.0)
        error += _STARVATION * starved * rng.standard_normal(error.shape, dtype=np.float32)
    if beam_hardening > 0.0:
        bone = geometry.project(np.where((hu > _BONE_HU) & (hu < METAL_HU), relative, 0.0))
        everything = geometry.project(np.minimum(relative, 3.0))
        error -= beam_hardening * _HARDENING_ERROR * (everything**2 + 4.0 * bone**2)
    return geometry.back_project(error) * np.float32(1000.0 / _WATER_PER_MM)


class _Geometry:
    """Parallel beams over 180 degrees for one pixel size; line integrals of water-relative attenuation, no unit."""

    def __init__(self, pixel_mm: float) -> None:
        self._pixel_mm = pixel_mm
        self.bins = int(np.ceil(_PIXELS * np.sqrt(2.0))) + 3
        angles = np.arange(_ANGLES) * np.pi / _ANGLES
        axis = np.arange(_PIXELS) - (_PIXELS - 1) / 2.0
        y, x = np.meshgrid(axis, axis, indexing="ij")
        position = np.cos(angles)[:, None] * x.ravel() + np.sin(angles)[:, None] * y.ravel() + self.bins / 2.0
        self._lower = position.astype(np.int32)
        self._share = (position - self._lower).astype(np.float32)
        frequency = np.abs(fft.rfftfreq(2 * self.bins)).astype(np.float32)
        self._ramp = frequency * np.cos(np.pi * frequency * 0.8) ** 2

    def project(self, image: NDArray[np.floating]) -> NDArray[np.float32]:
        """Line integrals, shape (angles, bins), of an image of relative attenuation."""
        flat = image.ravel()
        filled = np.flatnonzero(flat)
        weights = flat[filled] * (self._pixel_mm * _WATER_PER_MM)
        sinogram = np.zeros((_ANGLES, self.bins), dtype=np.float32)
        for k in range(_ANGLES):
            lower, share = self._lower[k, filled], self._share[k, filled]
            sinogram[k] = np.bincount(lower, weights * (1.0 - share), self.bins)
            sinogram[k] += np.bincount(lower + 1, weights * share, self.bins)
        return sinogram

    def back_project(self, sinogram: NDArray[np.float32]) -> NDArray[np.float32]:
        """Filtered back projection: attenuation per mm, shape (pixels, pixels)."""
        filtered = fft.irfft(fft.rfft(sinogram, 2 * self.bins, axis=1) * self._ramp, axis=1)[:, : self.bins]
        filtered = filtered.astype(np.float32)
        image = np.zeros(_PIXELS * _PIXELS, dtype=np.float32)
        for k in range(_ANGLES):
            lower, share = self._lower[k], self._share[k]
            image += filtered[k, lower] * (1.0 - share) + filtered[k, lower + 1] * share
        return (image * np.float32(np.pi / _ANGLES / self._pixel_mm)).reshape(_PIXELS, _PIXELS)
