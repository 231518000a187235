"""Heights, fracture grades and the rows of vertebrae.parquet."""

import pytest

from spongiosa.config.regions import RegionsSettings
from spongiosa.regions.fracture import FractureType, grade_deformities
from spongiosa.regions.heights import BodyHeights
from spongiosa.regions.vertebrae import COLUMNS, describe_vertebrae

from .vertebral_phantom import make_phantom

NORMAL = BodyHeights(28.0, 26.5, 29.0, 34.0)


def describe(phantom):
    return describe_vertebrae(phantom.ct, phantom.bodies, phantom.bodies, phantom.spine, RegionsSettings())


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0])
def test_heights_of_a_plain_body_are_those_of_the_body(tilt_deg):
    """0.7 mm in the middle: the accuracy that the project asks of heights.

    1.2 mm from rim to rim: the edges of this cylinder are sharp, and its shell is thick.  Rims of bodies are rounded
    (`test_rims.py`, and `docs/accuracy.md` for whole bodies); a sharp one is taken to lie half a millimetre too low.
    """
    (row,) = describe(make_phantom(tilt_deg=tilt_deg, shift_mm=0.4))
    assert row["middle_height_mm"] == pytest.approx(28.0, abs=0.7)
    for name in ("anterior_height_mm", "posterior_height_mm"):
        assert row[name] == pytest.approx(28.0, abs=1.2)
    assert row["body_depth_mm"] == pytest.approx(34.0, abs=1.5)  # rounded to the 1 mm grid of surfaces at both ends


def test_rows_have_exactly_the_documented_columns_from_cranial_to_caudal():
    rows = describe(make_phantom((1.2, 1.2, 1.5), levels=("L1", "L2", "L3")))
    assert [row["level"] for row in rows] == ["L1", "L2", "L3"]
    assert all(tuple(row) == COLUMNS for row in rows)
    assert all(row["fracture_grade"] == 0 and row["flags"] == [] for row in rows)


def test_a_crushed_body_among_normal_ones_is_graded_and_flagged():
    """18 of 28 mm: 36 % lost, grade 2 (25-40 %); its height everywhere makes it a crush."""
    rows = describe(make_phantom((1.2, 1.2, 1.0), levels=("L1", "L2", "L3"), heights_mm={"L2": 18.0}))
    assert [row["fracture_grade"] for row in rows] == [0, 2, 0]
    assert rows[1]["fracture_type"] == "crush"
    assert rows[1]["flags"] == ["fractured"]


@pytest.mark.parametrize(
    ("anterior_mm", "middle_mm", "posterior_mm", "type_", "grade"),
    [
        (27.0, 26.0, 29.0, FractureType.NONE, 0),
        (22.0, 24.0, 28.5, FractureType.WEDGE, 1),
        (19.0, 22.0, 28.0, FractureType.WEDGE, 2),
        (26.0, 18.0, 28.0, FractureType.BICONCAVE, 2),
        (14.0, 14.5, 20.0, FractureType.CRUSH, 3),
    ],
)
def test_deformities_are_graded_by_their_largest_loss(anterior_mm, middle_mm, posterior_mm, type_, grade):
    deformed = BodyHeights(anterior_mm, middle_mm, posterior_mm, 34.0)
    deformity = grade_deformities([NORMAL, NORMAL, deformed, NORMAL], neighbours=2)[2]
    assert (deformity.type, deformity.grade) == (type_, grade)


def test_a_lone_vertebra_is_not_graded():
    assert grade_deformities([None, NORMAL, None], neighbours=2) == [None, None, None]
