"""Description of one variable."""

import math

import numpy as np
import pandas as pd
import pytest

from spongiosa.statistics.description import (
    missingness,
    normality,
    quantiles,
    standardised_difference,
    standardised_difference_of_shares,
    summarise_categorical,
    summarise_numeric,
)
from spongiosa.statistics.samples import StatisticsError


def test_quartiles_follow_spss_by_default():
    """1..10: position 11/4 = 2.75 gives 2.75 (SPSS HAVERAGE); numpy's default would give 3.25.  Exact in binary."""
    assert quantiles(np.arange(1.0, 11.0), (0.25, 0.5, 0.75)).tolist() == [2.75, 5.5, 8.25]
    assert quantiles(np.arange(1.0, 11.0), (0.25,), "linear").tolist() == [3.25]


def test_missing_values_are_counted_and_not_averaged():
    summary = summarise_numeric(pd.Series([1, 2, None, 3], dtype="Int64"))
    assert (summary.n, summary.missing, summary.mean, summary.sd) == (3, 1, 2.0, 1.0)


def test_one_value_has_a_mean_but_no_sd_and_says_so():
    summary = summarise_numeric([4.0])
    assert summary.mean == 4.0
    assert math.isnan(summary.sd)
    assert "no standard deviation" in summary.reason


def test_an_infinite_value_is_refused_by_name():
    with pytest.raises(StatisticsError, match="1 infinite"):
        summarise_numeric([1.0, np.inf])


def test_an_empty_column_is_refused():
    with pytest.raises(StatisticsError, match="0 observed"):
        summarise_numeric([np.nan, np.nan])


def test_text_is_refused_with_a_sentence():
    with pytest.raises(StatisticsError, match="list of numbers"):
        summarise_numeric(["a", "b"])


def test_shares_refer_to_the_observed_values():
    summary = summarise_categorical(["f", "f", "m", None])
    assert [(row.category, row.count, row.share) for row in summary.categories] == [("f", 2, 2 / 3), ("m", 1, 1 / 3)]
    assert summary.missing == 1


def test_a_category_nobody_has_is_listed_with_zero():
    """Goutallier has no grade 0 in the seed study, and its row must still be printed."""
    summary = summarise_categorical([1.0, 2.0, 2.0, np.nan], categories=[0, 1, 2])
    assert [(row.category, row.count) for row in summary.categories] == [("0", 0), ("1", 1), ("2", 2)]


def test_a_value_outside_the_categories_is_refused():
    with pytest.raises(StatisticsError, match="Values outside"):
        summarise_categorical([5], categories=[1, 2])


def test_missingness_counts_what_is_missing():
    assert missingness([1.0, None, None, 4.0]).share == 0.5
    with pytest.raises(StatisticsError, match="no rows"):
        missingness([])


@pytest.mark.parametrize(
    ("values", "sentence"), [([1.0, 2.0], "at least 3"), ([2.0] * 9, "equal"), (np.arange(5001.0), "5,000")]
)
def test_normality_that_cannot_be_tested_says_why(values, sentence):
    result = normality(values)
    assert result.is_normal is None
    assert sentence in result.reason


def test_normality_is_rejected_for_an_exponential_sample_and_kept_for_a_normal_one():
    rng = np.random.default_rng(1)
    assert normality(rng.exponential(size=200)).is_normal is False
    assert normality(rng.normal(size=200)).is_normal is True


def test_standardised_difference_is_in_units_of_the_mean_variance():
    """Means 1 and 3, both SDs 1: the difference is -2 by hand."""
    assert standardised_difference([0.0, 1.0, 2.0], [2.0, 3.0, 4.0]) == pytest.approx(-2.0, rel=1e-12)
    with pytest.raises(StatisticsError, match="Neither group varies"):
        standardised_difference([1.0, 1.0], [2.0, 2.0])


def test_standardised_difference_of_two_shares_equals_the_textbook_form():
    p, q = 0.3, 0.5
    by_hand = abs(p - q) / math.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert standardised_difference_of_shares([p, 1 - p], [q, 1 - q]) == pytest.approx(by_hand, rel=1e-12)
    assert standardised_difference_of_shares([1.0, 0.0], [1.0, 0.0]) == 0.0
    with pytest.raises(StatisticsError, match="infinite"):
        standardised_difference_of_shares([1.0, 0.0], [0.0, 1.0])


@pytest.mark.parametrize("dtype", ["category", "string", "object"])
def test_categories_may_come_in_any_dtype(dtype):
    summary = summarise_categorical(pd.Series(["m", "f", None, "f"], dtype=dtype), categories=["m", "f", "x"])
    assert [row.count for row in summary.categories] == [1, 2, 0]


def test_true_and_false_are_categories_too():
    summary = summarise_categorical(pd.Series([True, False, None], dtype="boolean"))
    assert [(row.category, row.count) for row in summary.categories] == [("False", 1), ("True", 1)]


def test_a_nullable_boolean_is_a_number_for_who_needs_one():
    assert summarise_numeric(pd.Series([True, False, None, True], dtype="boolean")).mean == pytest.approx(2 / 3)
