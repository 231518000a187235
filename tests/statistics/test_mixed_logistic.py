"""The random-intercept logistic model where patients differ much: screws of a patient all loose or all firm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from spongiosa.statistics.mixed_logistic import random_intercept_logistic
from spongiosa.statistics.terms import Linear, build_design


def screws(spread: float, seed: int, patients: int = 150) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 4)
    density = rng.normal(120, 30, patients)[patient] + rng.normal(0, 9, patient.size)
    logit = 6.0 - 0.08 * density + spread * rng.normal(0, 1, patients)[patient]
    return pd.DataFrame({"density": density}), rng.random(patient.size) < expit(logit), patient


def marginal_log_likelihood(b0: float, b1: float, s: float, data: tuple[pd.DataFrame, np.ndarray, np.ndarray]) -> float:
    """By the trapezoid rule over u from -9 to 9 in 6,000 steps: no cleverness that could fail."""
    frame, event, patient = data
    u = np.linspace(-9, 9, 6001)
    total = 0.0
    for one in np.unique(patient):
        rows = patient == one
        logit = b0 + b1 * frame["density"].to_numpy()[rows][:, None] + s * u[None, :]
        logs = np.where(event[rows][:, None], -np.logaddexp(0, -logit), -np.logaddexp(0, logit)).sum(axis=0)
        total += np.log(np.trapezoid(np.exp(logs - u**2 / 2) / np.sqrt(2 * np.pi), u))
    return total


@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_the_likelihood_is_that_of_plain_integration_and_at_its_top(spread: float) -> None:
    """0.002: what 61 nodes leave at a spread of 4 logits over 150 patients; 3 % of a coefficient cost more."""
    data = screws(spread, seed=5)
    fit = random_intercept_logistic(build_design(data[0], [Linear("density")]), data[1], data[2])
    best = (fit.intercept.estimate, fit.coefficients[0].estimate, fit.between_sd)
    top = marginal_log_likelihood(*best, data)
    assert fit.log_likelihood == pytest.approx(top, abs=0.002)
    for place in range(3):
        for factor in (0.97, 1.03):
            moved = tuple(value * (factor if position == place else 1) for position, value in enumerate(best))
            assert marginal_log_likelihood(*moved, data) < top


def test_the_error_of_an_odds_ratio_is_its_scatter_over_cohorts() -> None:
    """40 cohorts know a scatter to 11 %; 35 % is three times that.  An error from a bumpy likelihood was 20 times too
    small here."""
    fits = []
    for seed in range(40):
        frame, event, patient = screws(4.0, seed, patients=100)
        fits.append(random_intercept_logistic(build_design(frame, [Linear("density")]), event, patient))
    scatter = np.std([fit.coefficients[0].estimate for fit in fits], ddof=1)
    assert np.median([fit.coefficients[0].standard_error for fit in fits]) == pytest.approx(scatter, rel=0.35)
