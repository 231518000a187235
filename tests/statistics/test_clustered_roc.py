"""The area under the curve of dependent rows."""

from __future__ import annotations

import numpy as np
import pytest

from spongiosa.statistics.clustered_roc import auc_clustered
from spongiosa.statistics.roc import auc_delong
from spongiosa.statistics.samples import StatisticsError


def rows(seed: int, patients: int = 80, screws: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), screws)
    shared = rng.normal(0, 1, patients)[patient]
    marker = shared + rng.normal(0, 0.5, patient.size)
    event = rng.random(patient.size) < 1 / (1 + np.exp(1.2 + 1.2 * shared))
    return marker, event, patient


def test_clusters_of_one_row_give_delongs_interval() -> None:
    """1e-12: the formulas are then the same."""
    marker, event, _ = rows(1)
    clustered = auc_clustered(marker, event, np.arange(marker.size), direction="low")
    plain = auc_delong(marker, event, direction="low")
    assert clustered.estimate == pytest.approx(plain.estimate, rel=1e-12)
    assert clustered.standard_error == pytest.approx(plain.standard_error, rel=1e-12)


def test_a_row_given_twice_in_its_cluster_adds_no_information() -> None:
    marker, event, _ = rows(2, screws=1)
    once = auc_clustered(marker, event, np.arange(marker.size), direction="low")
    twice = auc_clustered(
        np.repeat(marker, 2), np.repeat(event, 2), np.repeat(np.arange(marker.size), 2), direction="low"
    )
    assert twice.estimate == pytest.approx(once.estimate, rel=1e-12)
    assert twice.standard_error == pytest.approx(once.standard_error, rel=1e-12)
    assert twice.n == 2 * once.n and twice.clusters == once.clusters


def test_the_error_is_the_spread_over_cohorts() -> None:
    """Of 300 cohorts the spread of the AUC is known to 1 / sqrt(600) = 4 %; 15 % leaves room for the mean error's own
    scatter.  The plain error is too small by more than that, as screws of a patient are alike."""
    found = [auc_clustered(*rows(seed, patients=60), direction="low") for seed in range(300)]
    spread = np.std([one.estimate for one in found], ddof=1)
    assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.15)
    plain = [auc_delong(*rows(seed, patients=60)[:2], direction="low").standard_error for seed in range(50)]
    assert np.mean(plain) < 0.9 * spread


def test_missing_rows_are_dropped_and_too_few_clusters_refused() -> None:
    marker, event, patient = rows(3)
    marker[:4] = np.nan
    assert auc_clustered(marker, event, patient, direction="low").n == marker.size - 4
    with pytest.raises(StatisticsError, match="cluster"):
        auc_clustered(marker, event, np.zeros(marker.size), direction="low")
    lacking = patient.astype(float)
    lacking[10] = np.nan
    with pytest.raises(StatisticsError, match="no cluster"):
        auc_clustered(marker, event, lacking, direction="low")
