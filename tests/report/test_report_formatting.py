"""How numbers are printed, and how gaps get their footnotes."""

from __future__ import annotations

import math

import pytest

from spongiosa.report.exhibits import Footnotes
from spongiosa.report.formatting import count_share, interval, number, p_value, percent, whole


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(1.25, 1, "1.2"), (-1.8, 1, "−1.8"), (-0.04, 1, "0.0"), (math.nan, 1, "–"), (-math.inf, 0, "−∞"), (72.0, 0, "72")],
)
def test_numbers_have_fixed_decimals_true_minus_signs_and_no_negative_zero(
    value: float, decimals: int, text: str
) -> None:
    assert number(value, decimals) == text


@pytest.mark.parametrize(
    ("p", "text"), [(0.0, "< 0.001"), (0.0009999, "< 0.001"), (0.001, "0.001"), (0.05, "0.050"), (0.9996, "> 0.999")]
)
def test_no_p_value_is_printed_as_nought_or_one(p: float, text: str) -> None:
    assert p_value(p) == text


def test_counts_shares_and_intervals_read_as_in_a_paper() -> None:
    assert count_share(36, 60) == "36 (60.0 %)"
    assert count_share(0, 0) == "0"
    assert percent(math.nan) == "–"
    assert whole(12345) == "12\N{NARROW NO-BREAK SPACE}345"
    assert interval(-0.5, 0.25, 2) == "−0.50 to 0.25"


def test_a_repeated_reason_keeps_its_mark_and_the_27th_gets_two_letters() -> None:
    footnotes = Footnotes()
    assert footnotes.gap("first") == "– (a)"
    for position in range(26):
        footnotes.mark(f"reason {position}")
    assert footnotes.mark("first") == "(a)"
    assert footnotes.mark("reason 25") == "(aa)"
    assert footnotes.notes()[0] == "(a) first"
