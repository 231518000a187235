"""What the statistics accept: arrays of numbers and events, with missing values, and how they are refused.

Every function of this package takes numpy arrays or pandas Series.  A missing value is NaN, None or pandas' NA.  A
function drops missing values only where its docstring says so and always reports the n that is left.

Input from which a quantity cannot be computed (one class only, three values for a cubic, infinite numbers) raises
`StatisticsError` with a sentence for a person.  Functions that fill a table of many such quantities catch it and keep
the sentence in the row's `reason`, so that one impossible row never takes the table with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Values = Any
"""Anything one-dimensional that pandas makes a Series of: list, array, Series of any numeric or nullable dtype."""


class StatisticsError(ValueError):
    """The data do not determine the quantity asked for; the message says why, in one sentence."""


def as_floats(values: Values, name: str = "values") -> FloatArray:
    """`values` as float64 of shape (n,), NaN where missing.

    Raises `StatisticsError` for text, for more than one dimension and for infinite values: an infinite number is a
    broken measurement, and dropping it silently would hide that.
    """
    if isinstance(values, np.ndarray) and values.dtype == np.float64:
        array: FloatArray = values
    else:
        try:
            array = pd.Series(values).to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise StatisticsError(f"{name} must be a one-dimensional list of numbers ({error}).") from error
    if array.ndim != 1:
        raise StatisticsError(f"{name} must have one dimension, but has {array.ndim}.")
    infinite = int(np.isinf(array).sum())
    if infinite:
        raise StatisticsError(f"{name} holds {infinite} infinite value(s).")
    return array


def observed(values: Values, name: str = "values", at_least: int = 1) -> FloatArray:
    """The values that are not missing; raises `StatisticsError` when fewer than `at_least` are left."""
    array = as_floats(values, name)
    kept = array[~np.isnan(array)]
    if kept.size < at_least:
        raise StatisticsError(f"{name} has {kept.size} observed value(s); at least {at_least} needed.")
    return kept


def complete_cases(*columns: Values, names: tuple[str, ...] | None = None, at_least: int = 1) -> list[FloatArray]:
    """The columns restricted to rows in which none of them is missing (listwise deletion)."""
    labels = names or tuple(f"column {index + 1}" for index in range(len(columns)))
    arrays = [as_floats(column, label) for column, label in zip(columns, labels, strict=True)]
    if len({array.size for array in arrays}) > 1:
        sizes = ", ".join(f"{label} {array.size}" for label, array in zip(labels, arrays, strict=True))
        raise StatisticsError(f"The columns differ in length: {sizes}.")
    complete = ~np.isnan(np.vstack(arrays)).any(axis=0)
    if int(complete.sum()) < at_least:
        raise StatisticsError(
            f"{int(complete.sum())} row(s) have both {' and '.join(labels)}; at least {at_least} needed."
        )
    return [array[complete] for array in arrays]


def marker_and_event(marker: Values, event: Values) -> tuple[FloatArray, BoolArray]:
    """Complete pairs of a marker and a 0/1 (or Boolean) event, both classes present.

    Raises `StatisticsError` when `event` holds anything but 0, 1 and missing, or when one class is empty.
    """
    numbers, flags = complete_cases(marker, event, names=("marker", "event"))
    events = as_events(flags)
    if events.all() or not events.any():
        only = "events" if events.all() else "patients without the event"
        raise StatisticsError(f"Both classes are needed, but the {events.size} complete rows are all {only}.")
    return numbers, events


def as_events(values: Values, name: str = "event") -> BoolArray:
    """A complete 0/1 column as Booleans; raises `StatisticsError` for other values or missing ones."""
    flags = as_floats(values, name)
    if not np.isin(flags, (0.0, 1.0)).all():
        raise StatisticsError(f"{name} must hold 0 and 1 only, without missing values.")
    return np.asarray(flags == 1.0, dtype=np.bool_)


def normal_quantile(confidence: float) -> float:
    """Two-sided standard normal quantile, 1.959964 for 0.95; raises `StatisticsError` outside (0, 1)."""
    if not 0.0 < confidence < 1.0:
        raise StatisticsError(f"confidence must lie between 0 and 1, but is {confidence}.")
    return float(stats.norm.ppf(0.5 + confidence / 2))


def two_sided_normal_p(z: float) -> float:
    """2 * Phi(-|z|)."""
    return float(2 * stats.norm.sf(abs(z)))


def two_sided_t_p(t: float, df: float) -> float:
    """Two-sided P of Student's t with `df` degrees of freedom."""
    return float(2 * stats.t.sf(abs(t), df))
