"""Sampled cohorts meet what the studies printed."""

from __future__ import annotations

import pandas as pd
import pytest

from spongiosa.synthetic.presets_published import PUBLISHED, area_under_curve, compare_with_published


@pytest.fixture(scope="module")
def comparison() -> pd.DataFrame:
    return compare_with_published(cohorts=40)


def test_printed_means_correlations_areas_and_rates_are_met(comparison):
    """Three standard errors of the mean over 40 cohorts, beyond half a unit of the last printed digit."""
    fitted = comparison[comparison["is_fitted"]]
    off = (fitted["sampled"] - fitted["published"]).abs()
    missed = fitted[off > fitted["rounding"] + 3 * fitted["standard_error"]]
    assert len(fitted) >= 30
    assert missed.empty, missed.to_string()


def test_printed_figures_that_were_not_fitted_could_still_come_from_such_a_cohort(comparison):
    """The paper is one cohort: its figure lies within 2.5 SD of the cohorts sampled after it."""
    others = comparison[~comparison["is_fitted"]]
    far = others[(others["sampled"] - others["published"]).abs() > others["rounding"] + 2.5 * others["sd"]]
    assert far.empty, far.to_string()


def test_every_study_has_fitted_figures():
    assert {figure.study for figure in PUBLISHED if figure.is_fitted} == {figure.study for figure in PUBLISHED}
    assert len({(figure.study, figure.name) for figure in PUBLISHED}) == len(PUBLISHED)


def test_area_under_the_curve_counts_ties_as_one_half():
    assert area_under_curve(pd.Series([1.0, 2.0, 2.0]), pd.Series([False, True, False])) == 0.75
    assert area_under_curve(pd.Series([1.0, 2.0]), pd.Series([False, False])) != 0.5
