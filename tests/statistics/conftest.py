"""Patients of a screw-loosening study whose true risk is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from spongiosa.statistics.logistic import logistic_regression
from spongiosa.statistics.prediction_model import model_from_fit
from spongiosa.statistics.terms import Category, Linear, build_design

TERMS = (Linear("age"), Linear("hu_ratio"), Category("goutallier", ("1", "2", "3", "4"), "4"))


def sample(n, seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.normal(65, 9, n).round(),
            "hu_ratio": rng.normal(1.5, 0.4, n).round(2),
            "noise": rng.normal(0, 1, n),
            "goutallier": rng.choice([1, 2, 3, 4], n, p=[0.2, 0.5, 0.15, 0.15]),
        }
    )
    risk = expit(-1.7 + 0.06 * (table["age"] - 65) - 2 * (table["hu_ratio"] - 1.5) - 0.7 * (table["goutallier"] == 1))
    return table.assign(risk=risk, loosening=(rng.random(n) < risk).astype(int))


@pytest.fixture(scope="module")
def cohort():
    return sample(300, 41)


@pytest.fixture(scope="module")
def elsewhere():
    return sample(2000, 42)


@pytest.fixture(scope="module")
def model(cohort):
    fit = logistic_regression(build_design(cohort, TERMS), cohort["loosening"])
    return model_from_fit(fit, TERMS, cohort, outcome="loosening", cut_off=0.2)
