"""The smooth calibration curve, as `rms::calibrate` draws it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from statsmodels.nonparametric.smoothers_lowess import lowess

from spongiosa.statistics.samples import BoolArray, FloatArray, StatisticsError

SPAN = 2 / 3
# R's lowess fits at points at least this share of the range apart and interpolates between them.
DELTA_SHARE = 0.01


@dataclass(frozen=True)
class CalibrationCurve:
    """Observed against predicted risk on a grid of `predicted`, arrays (g,).

    `corrected` is the apparent curve minus the optimism of the bootstrap.  The three errors are |corrected -
    predicted| over the patients inside the grid: mean, mean square, 90th percentile.
    """

    predicted: FloatArray
    apparent: FloatArray
    corrected: FloatArray
    mean_absolute_error: float
    mean_squared_error: float
    absolute_error_p90: float
    patients_inside: int
    resamples: int
    method: str


def smooth_calibration(probability: FloatArray, events: BoolArray, grid: FloatArray) -> FloatArray:
    """Cleveland's lowess of the event on the predicted probability, without robustness steps, read at `grid`.

    NaN outside the range of the probabilities.  Source: Cleveland, J Am Stat Assoc 74 (1979) 829-836.
    """
    order = np.argsort(probability, kind="stable")
    x, y = probability[order], events[order].astype(np.float64)
    if x[0] == x[-1]:
        # A model without predictors gives everybody one risk; one point is no curve.
        return np.full(grid.size, np.nan)
    smooth = lowess(y, x, frac=SPAN, it=0, delta=DELTA_SHARE * float(x[-1] - x[0]), is_sorted=True, return_sorted=False)
    places, first = np.unique(x, return_index=True)
    return np.asarray(np.interp(grid, places, smooth[first], left=np.nan, right=np.nan), dtype=np.float64)


def default_grid(probability: FloatArray, points: int = 50) -> FloatArray:
    """Equally spaced from the fifth lowest to the fifth highest predicted probability, as rms.

    Raises `StatisticsError` with fewer than 11 patients or when these two coincide.
    """
    ordered = np.sort(probability)
    if ordered.size < 11 or ordered[4] >= ordered[-5]:
        raise StatisticsError("A calibration curve needs at least 11 patients with different predicted risks.")
    return np.linspace(ordered[4], ordered[-5], points)


def finish_curve(
    probability: FloatArray, grid: FloatArray, apparent: FloatArray, optimism: FloatArray, resamples: int
) -> CalibrationCurve:
    """Subtract the optimism and measure the distance of the corrected curve from the diagonal over the patients."""
    corrected = apparent - optimism
    known = ~np.isnan(corrected)
    if not known.any():
        raise StatisticsError("No resample reached the grid of the calibration curve.")
    read = np.interp(probability, grid[known], corrected[known], left=np.nan, right=np.nan)
    errors = np.abs(probability - read)
    errors = errors[~np.isnan(errors)]
    return CalibrationCurve(
        predicted=grid,
        apparent=apparent,
        corrected=corrected,
        mean_absolute_error=float(errors.mean()),
        mean_squared_error=float((errors**2).mean()),
        absolute_error_p90=float(np.quantile(errors, 0.9)),
        patients_inside=int(errors.size),
        resamples=resamples,
        method=f"lowess (span 2/3, no robustness steps), bias-corrected over {resamples} bootstrap resamples",
    )
