"""Random but repeatable spatial texture: a periodic noise volume that can be read at any point."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.synthetic.sampling import Floats

_CELLS = 64


@lru_cache(maxsize=64)
def _lattice(seed: int, octave_cells: float) -> NDArray[np.float32]:
    white = np.random.default_rng(seed).standard_normal((_CELLS,) * 3, dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, octave_cells, mode="wrap")
    return np.asarray(smooth / smooth.std(), dtype=np.float32)


def noise_at(u: Floats, v: Floats, w: Floats, correlation_mm: float, seed: int) -> Floats:
    """Standard normal texture (mean 0, SD 1 before interpolation) at points, with Gaussian correlation.

    The correlation function is exp(-r^2 / (4 s^2)) with s = `correlation_mm`; it repeats every 64 s / 1.5.
    """
    cell_mm = correlation_mm / 1.5
    lattice = _lattice(seed, 1.5)
    shape = np.broadcast_shapes(u.shape, v.shape, w.shape)
    points = np.empty((3, int(np.prod(shape))), dtype=np.float32)
    for k, c in enumerate((w, v, u)):
        points[k] = np.broadcast_to(c, shape).ravel()
    points *= np.float32(1.0 / cell_mm)
    sampled: NDArray[np.float32] = ndimage.map_coordinates(lattice, points, order=1, mode="grid-wrap")
    return sampled.reshape(shape)
