"""Cox regression and concordance against statsmodels, by hand, and against counting."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.hazard_regression import PHReg

from spongiosa.statistics.samples import StatisticsError
from spongiosa.statistics.survival import concordance, cox_regression


def cohort(seed: int, n: int = 250) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"hu": rng.normal(70, 25, n), "age": rng.normal(70, 9, n)})
    rate = 0.02 * np.exp(-0.04 * (table["hu"] - 70) + 0.02 * (table["age"] - 70))
    failure, end = rng.exponential(1 / rate), rng.uniform(6, 48, n)
    # Whole months, so that times are tied as in a clinic.
    return table, np.ceil(np.minimum(failure, end)), failure <= end


@pytest.mark.parametrize("seed", [1, 2])
def test_hazard_ratios_are_those_of_statsmodels(seed: int) -> None:
    """1e-5: both stop at a gradient of about 1e-8 of a standardised coefficient."""
    table, time, event = cohort(seed)
    ours = cox_regression(time, event, table)
    theirs = PHReg(time, table, status=event, ties="efron").fit()
    for place, one in enumerate(ours.coefficients):
        assert np.log(one.hazard_ratio) == pytest.approx(theirs.params[place], rel=1e-5)
        assert one.p_value == pytest.approx(theirs.pvalues[place], rel=1e-3)
        assert np.log([one.ci_low, one.ci_high]) == pytest.approx(theirs.conf_int()[place], rel=1e-4)
    assert ours.events == event.sum()


def test_two_patients_by_hand() -> None:
    """Events at 1 (x = 1) and 2 (x = 0), one without at 3 (x = 1): the likelihood is e^b / (2 e^b + 1) / (e^b + 1),
    whose derivative vanishes at e^2b = 1 / 2."""
    fit = cox_regression([1, 2, 3], [1, 1, 0], pd.DataFrame({"x": [1.0, 0.0, 1.0]}))
    assert fit.coefficients[0].hazard_ratio == pytest.approx(np.sqrt(0.5), rel=1e-6)


def test_concordance_is_counted_over_comparable_pairs() -> None:
    rng = np.random.default_rng(4)
    time, event, risk = rng.integers(1, 9, 40).astype(float), rng.random(40) < 0.5, rng.integers(0, 5, 40).astype(float)
    score = [
        1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0
        for i, j in itertools.permutations(range(40), 2)
        if event[i] and time[i] < time[j]
    ]
    assert concordance(time, event, risk) == pytest.approx(np.mean(score), rel=1e-12)


def test_what_cannot_be_fitted_is_refused() -> None:
    table, time, event = cohort(3, 60)
    with pytest.raises(StatisticsError, match="0 or less"):
        cox_regression(np.zeros(60), event, table)
    with pytest.raises(StatisticsError, match="None of the 60"):
        cox_regression(time, np.zeros(60), table)
    with pytest.raises(StatisticsError, match="constant"):
        cox_regression(time, event, table.assign(hu=1.0))
    with pytest.raises(StatisticsError, match="no finite estimate"):
        cox_regression([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], pd.DataFrame({"x": [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]}))
