"""Area under the ROC curve of rows that belong together: screws or levels of one patient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from spongiosa.statistics.roc import Direction, oriented
from spongiosa.statistics.samples import (
    FloatArray,
    StatisticsError,
    Values,
    as_events,
    as_floats,
    normal_quantile,
    two_sided_normal_p,
)


@dataclass(frozen=True)
class ClusteredAuc:
    """AUC over all rows with a standard error that allows for clusters; the P tests AUC = 0.5 by that error."""

    estimate: float
    ci_low: float
    ci_high: float
    standard_error: float
    p_value: float
    n: int
    events: int
    clusters: int
    method: str


def auc_clustered(
    marker: Values, event: Values, cluster: Values, *, direction: Direction, confidence: float = 0.95
) -> ClusteredAuc:
    """AUC of the complete rows; limits cut at 0 and 1.

    With placement values V10 of the M events and V01 of the N others summed over each cluster of m_i and n_i rows,

        S10 = I10 / ((I10 - 1) M) sum (V10_i - m_i A)^2,    S01 alike,
        S11 = I / (I - 1) sum (V10_i - m_i A)(V01_i - n_i A),
        var A = S10 / M + S01 / N + 2 S11 / (M N)

    where I10 (I01) clusters have an event (another row) and I have any.  Clusters of one row give DeLong's error.
    Source: Obuchowski, Biometrics 53 (1997) 567-578.
    Raises `StatisticsError` when a class lies in fewer than two clusters, or a complete row has no cluster.
    """
    values, flags = as_floats(marker, "marker"), as_floats(event, "event")
    labels = pd.Series(cluster).reset_index(drop=True)
    if not values.size == flags.size == labels.size:
        raise StatisticsError("Marker, event and cluster differ in length.")
    complete = ~(np.isnan(values) | np.isnan(flags))
    if labels[complete].isna().any():
        raise StatisticsError(f"{int(labels[complete].isna().sum())} complete row(s) have no cluster.")
    events = as_events(flags[complete])
    groups = np.asarray(pd.factorize(labels[complete])[0], dtype=np.int64)
    score = oriented(values[complete], direction)
    with_event, others = np.unique(groups[events]).size, np.unique(groups[~events]).size
    if min(with_event, others) < 2:
        raise StatisticsError(
            f"Events lie in {with_event} cluster(s) and the other rows in {others}; at least 2 of each are needed."
        )
    placed_events, placed_others = _placements(score, events)
    area = float(placed_events.mean())
    count = int(groups.max()) + 1
    of_events = np.bincount(groups[events], placed_events - area, count)
    of_others = np.bincount(groups[~events], placed_others - area, count)
    m, n = placed_events.size, placed_others.size
    variance = (
        with_event / (with_event - 1) * float(of_events @ of_events) / m**2
        + others / (others - 1) * float(of_others @ of_others) / n**2
        + 2 * count / (count - 1) * float(of_events @ of_others) / (m * n)
    )
    error = math.sqrt(max(variance, 0.0))
    margin = normal_quantile(confidence) * error
    return ClusteredAuc(
        estimate=area,
        ci_low=max(area - margin, 0.0),
        ci_high=min(area + margin, 1.0),
        standard_error=error,
        p_value=two_sided_normal_p((area - 0.5) / error) if error > 0 else math.nan,
        n=int(events.size),
        events=int(events.sum()),
        clusters=count,
        method=f"AUC of all rows, Obuchowski's standard error over {count} clusters, {confidence:.0%} CI",
    )


def _placements(score: FloatArray, events: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Share of the other class on the right side of each row, ties one half, by midranks."""
    ranks = stats.rankdata(score)
    m, n = int(events.sum()), int((~events).sum())
    of_events = (ranks[events] - stats.rankdata(score[events])) / n
    of_others = 1 - (ranks[~events] - stats.rankdata(score[~events])) / m
    return np.asarray(of_events, dtype=np.float64), np.asarray(of_others, dtype=np.float64)
