"""Some of many points, chosen by their place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spongiosa.volume import FloatArray


def is_kept(points_mm: FloatArray, most: int) -> NDArray[np.bool_]:
    """Which of the points, shape (n, 3), are kept so that about `most` are; all when there are no more.

    The same places are chosen whenever and in whatever order they are asked for: how a scan is stored may not decide.
    """
    scattered = np.mod(np.abs(np.sin(points_mm @ np.array([12.9898, 78.233, 37.719]))) * 4375.85, 1.0)
    return np.asarray(scattered * len(points_mm) < most)
