"""The line of a phantom: from the HU of its rods to mineral density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spongiosa.config.phantoms import PhantomSettings
from spongiosa.density.line import DensityLine, ReferencedScale
from spongiosa.volume import FloatArray

#: What separates bone from the plastic of Mindways' rods: slope and offset of the CT against those of the rods.
#: Source: QCT PRO User Guide, Mindways Software, v5.0 (2011), calibration chapter.
MINDWAYS_SLOPE_SHIFT = -0.2174
MINDWAYS_OFFSET_SHIFT = 999.6

#: A rod is dropped when the others, without it, predict it worse than this, and by this many times their own scatter.
OUTLIER_HU = 10.0
OUTLIER_RATIO = 5.0
#: Fewer rods are never thinned out: three that are left fit a line too easily.
MINIMUM_RODS_TO_DROP_ONE = 5


@dataclass(frozen=True)
class RodFit:
    """HU = slope x density + offset through the rods of a phantom.

    `slope_hu_per_mg_cm3` and `offset_hu` hold for bone (for Mindways' rods after the shift of their plastic);
    `residuals_mg_cm3`, one per rod, are measured minus true density; `is_used` marks the rods that made the line.
    """

    slope_hu_per_mg_cm3: float
    offset_hu: float
    r2: float
    residuals_mg_cm3: FloatArray
    is_used: NDArray[np.bool_]

    @property
    def rms_mg_cm3(self) -> float:
        """Scatter of the rods used about the line: root of the sum of squares over rods less two."""
        of_used = self.residuals_mg_cm3[self.is_used]
        return float(np.sqrt((of_used**2).sum() / max(len(of_used) - 2, 1)))

    def line(self, phantom: PhantomSettings, method: str) -> DensityLine:
        """The density line: mg/cm3 = (HU - offset) / slope."""
        slope = 1.0 / self.slope_hu_per_mg_cm3
        return DensityLine(slope, -self.offset_hu * slope, phantom.material, method, self.r2)


def fit_rods(rod_hu: FloatArray, phantom: PhantomSettings) -> RodFit:
    """The line through the rods, by trimmed least squares: ordinary least squares without at most one outlying rod.

    `rod_hu`: one mean per rod of the phantom, NaN for a rod that is not in view.  Rods of hydroxyapatite obey

        HU = slope x density + offset;

    rods of K2HPO4 in plastic, with the water of their certificate [mg/cm3],

        HU - water = sigma_ref x density + beta_ref,   slope = sigma_ref - 0.2174,   offset = beta_ref + 999.6.

    HU are regressed on density, as the noise is in the HU.
    Raises `ValueError` with fewer than two rods in view, or when they have one density.
    Source of the second: QCT PRO User Guide, Mindways Software, v5.0 (2011).
    """
    density = np.array([rod.density_mg_cm3 for rod in phantom.rods])
    water = np.array([rod.water_mg_cm3 or 0.0 for rod in phantom.rods])
    value = np.asarray(rod_hu, dtype=np.float64) - water
    is_used = np.isfinite(value)
    if is_used.sum() < 2 or np.ptp(density[is_used]) == 0.0:
        raise ValueError("a line needs two rods of different density")
    outlier = _outlier(density, value, is_used)
    if outlier is not None:
        is_used[outlier] = False
    slope, offset = least_squares(density[is_used], value[is_used])
    residuals_hu = value - (slope * density + offset)
    spread = float(((value[is_used] - value[is_used].mean()) ** 2).sum())
    r2 = 1.0 - float((residuals_hu[is_used] ** 2).sum()) / spread if spread > 0 else 0.0
    if phantom.is_in_plastic:
        slope, offset = slope + MINDWAYS_SLOPE_SHIFT, offset + MINDWAYS_OFFSET_SHIFT
    return RodFit(slope, offset, r2, residuals_hu / slope, is_used)


def least_squares(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Slope and intercept of y on x, by ordinary least squares."""
    from_mean = x - x.mean()
    slope = float(from_mean @ (y - y.mean()) / (from_mean @ from_mean))
    return slope, float(y.mean() - slope * x.mean())


def referenced_scale(rod_hu: FloatArray, phantom: PhantomSettings) -> ReferencedScale:
    """The scale of nominal HU, by ordinary least squares of measured on nominal HU over the rods in view.

    `rod_hu`: one mean per rod, NaN for a rod that is not in view.
    Source: the phantom-referenced HU of the HU-DXA concordance study.
    Raises `ValueError` when the phantom has no nominal HU or fewer than two rods are in view.
    """
    if not phantom.has_nominal_hu:
        raise ValueError("the phantom has no nominal HU")
    nominal = np.array([rod.nominal_hu for rod in phantom.rods], dtype=np.float64)
    seen = np.isfinite(rod_hu)
    if seen.sum() < 2 or np.ptp(nominal[seen]) == 0.0:
        raise ValueError("a line needs two rods of different nominal HU")
    slope, intercept = least_squares(nominal[seen], np.asarray(rod_hu, dtype=np.float64)[seen])
    return ReferencedScale(intercept, slope)


def _outlier(density: FloatArray, value: FloatArray, is_used: NDArray[np.bool_]) -> int | None:
    """The one rod that the line of all others misses, or None."""
    used = np.flatnonzero(is_used)
    if len(used) < MINIMUM_RODS_TO_DROP_ONE:
        return None
    misses, scatters = [], []
    for rod in used:
        others = used[used != rod]
        slope, offset = least_squares(density[others], value[others])
        residuals = value[others] - (slope * density[others] + offset)
        misses.append(abs(value[rod] - (slope * density[rod] + offset)))
        scatters.append(float(np.sqrt((residuals**2).sum() / (len(others) - 2))))
    worst = int(np.argmax(np.array(misses) / np.maximum(scatters, 1.0)))
    is_outlier = misses[worst] > OUTLIER_HU and misses[worst] > OUTLIER_RATIO * max(scatters[worst], 1.0)
    return int(used[worst]) if is_outlier else None
