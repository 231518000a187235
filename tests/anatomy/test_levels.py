"""Names and integers of the levels."""

from __future__ import annotations

import pytest

from spongiosa.anatomy.levels import CRANIAL_TO_CAUDAL, FIRST_UNNUMBERED, L1_TO_L4, Level, level_name


def test_the_integers_are_those_of_verse():
    assert [int(Level[name]) for name in ("T1", "T12", "L1", "L5", "L6", "S1", "T13")] == [8, 19, 20, 24, 25, 26, 28]


def test_every_level_stands_once_in_the_order_along_the_body():
    assert sorted(CRANIAL_TO_CAUDAL) == sorted(Level)
    names = [level.name for level in CRANIAL_TO_CAUDAL]
    assert names.index("T12") < names.index("T13") < names.index("L1") < names.index("L6") < names.index("S1")


def test_unnumbered_vertebrae_count_from_the_most_cranial_one():
    assert [level_name(FIRST_UNNUMBERED + step) for step in range(3)] == ["V1", "V2", "V3"]


def test_a_label_that_is_no_level_has_no_name():
    with pytest.raises(ValueError, match="27"):
        level_name(27)


def test_the_studies_average_over_l1_to_l4():
    assert [level.name for level in L1_TO_L4] == ["L1", "L2", "L3", "L4"]
