"""Which pictures the page shows: those with remarks, and a sample of the others that a seed decides."""

from __future__ import annotations

import pandas as pd

from spongiosa.report.thumbnails import choose_pictures


def scans(count: int) -> pd.DataFrame:
    """Every 40th scan left after its picture was drawn, every 10th is flagged, every 7th has no picture."""
    numbers = range(count)
    return pd.DataFrame(
        {
            "patient_id": [f"P{number:06d}" for number in numbers],
            "session": "preop",
            "modality": "ct",
            "status": ["excluded" if number % 40 == 5 else "ok" for number in numbers],
            "flags": [["near_edge"] if number % 10 == 3 else [] for number in numbers],
            "review_picture": [None if number % 7 == 0 else "picture.png" for number in numbers],
        }
    )


def test_scans_that_left_come_first_then_flagged_ones_then_a_sample() -> None:
    table = scans(400)
    chosen = choose_pictures(table, with_remarks=30, without_remarks=5, seed=1)
    shown = table.loc[list(chosen.rows)]
    left = int(((table["status"] != "ok") & table["review_picture"].notna()).sum())
    assert (shown["status"].head(left) == "excluded").all()
    assert shown["flags"].iloc[left:30].map(len).eq(1).all()
    assert shown["flags"].tail(5).map(len).eq(0).all() and (shown["status"].tail(5) == "ok").all()
    assert shown["review_picture"].notna().all()
    assert (chosen.remarks_shown, chosen.others_shown) == (30, 5)


def test_all_remarks_are_shown_where_there_is_room() -> None:
    chosen = choose_pictures(scans(100), with_remarks=24, without_remarks=3, seed=1)
    assert chosen.remarks_shown == chosen.with_remarks <= 24


def test_the_same_seed_chooses_the_same_and_another_seed_others() -> None:
    table = scans(2000)
    first = choose_pictures(table, with_remarks=10, without_remarks=10, seed=1)
    assert choose_pictures(table, with_remarks=10, without_remarks=10, seed=1) == first
    assert choose_pictures(table, with_remarks=10, without_remarks=10, seed=2).rows != first.rows


def test_new_patients_leave_most_of_the_sample_as_it_was() -> None:
    """A hundredth more patients: each of the 50 is replaced with a chance of one in a hundred."""
    before = set(choose_pictures(scans(2000), with_remarks=0, without_remarks=50, seed=1).rows)
    after = set(choose_pictures(scans(2020), with_remarks=0, without_remarks=50, seed=1).rows)
    assert len(before & after) >= 45


def test_the_sample_is_spread_over_the_cohort() -> None:
    """400 of about 30,000: the mean place of a fair draw lies within 4 standard errors (2.9 %) of the middle."""
    table = scans(40_000)
    chosen = choose_pictures(table, with_remarks=0, without_remarks=400, seed=7)
    assert abs(sum(chosen.rows) / 400 / 40_000 - 0.5) < 4 * 0.289 / 20


def test_no_picture_is_no_choice() -> None:
    none = scans(10).assign(review_picture=None)
    assert choose_pictures(none, with_remarks=5, without_remarks=5, seed=1).rows == ()
