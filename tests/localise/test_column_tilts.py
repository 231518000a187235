"""Tilts of the endplates made steady along a column."""

from __future__ import annotations

import numpy as np
import pytest

from spongiosa.anatomy.frame import FloatArray, unit_vector
from spongiosa.localise.column_tilts import WEDGES_DEG, TiltedPlate, steady_normals

LEVELS = ("T12", "L1", "L2", "L3", "L4", "L5")


def normal_of(back_deg: float, left_deg: float = 0.0) -> FloatArray:
    """The normal of a plate that rises towards the back and the left by these angles."""
    return unit_vector(np.array([-np.tan(np.radians(left_deg)), -np.tan(np.radians(back_deg)), 1.0]))


def usual_column(wedge_of_l1_deg: float = WEDGES_DEG["L1"][0]) -> list[TiltedPlate]:
    """T12 to L5 with the usual wedges, from a tilt of -10 degrees."""
    tilt = -10.0
    plates = []
    for place, level in enumerate(LEVELS):
        body, disc = WEDGES_DEG[level]
        plates.append(TiltedPlate(place, level, True, normal_of(tilt)))
        tilt += wedge_of_l1_deg if level == "L1" else body
        plates.append(TiltedPlate(place, level, False, normal_of(tilt)))
        tilt += disc
    return plates


def angles_deg(plates: list[TiltedPlate], normals: list[FloatArray]) -> FloatArray:
    return np.degrees(
        [np.arccos(min(1.0, float(a.normal @ b))) for a, b in zip(plates, normals, strict=True)],
    )


def test_a_usual_column_stays_as_it_is() -> None:
    plates = usual_column()
    # Rounding only: every measurement and every link agree.
    assert angles_deg(plates, steady_normals(plates)).max() < 1e-3


@pytest.mark.parametrize("mistake", [(30.0, 0.0), (-30.0, 0.0), (0.0, 25.0)])
def test_a_plate_that_was_mistaken_comes_back_to_its_column(mistake: tuple[float, float]) -> None:
    truth = usual_column()
    measured = list(truth)
    measured[5] = TiltedPlate(2, "L2", False, normal_of(tilt_back_deg(truth[5]) + mistake[0], mistake[1]))
    steady = steady_normals(measured)
    # 4 degrees: what remains of 25 to 30 where the plate itself counts a tenth and its neighbours are right.
    assert angles_deg(truth, steady).max() < 4.0


def test_a_wedge_that_all_plates_below_and_above_show_is_kept() -> None:
    """A body that has lost a third of its height in front: 15 degrees more than usual."""
    plates = usual_column(wedge_of_l1_deg=-17.5)
    found = steady_normals(plates)
    wedge = tilt_back_deg(TiltedPlate(1, "L1", False, found[3])) - tilt_back_deg(TiltedPlate(1, "L1", True, found[2]))
    # The plates of the wedge are drawn by no more than a quarter of the 15 degrees.
    assert wedge == pytest.approx(-17.5, abs=15.0 / 4)


def test_plates_on_either_side_of_one_that_is_not_seen_are_not_linked() -> None:
    plates = [TiltedPlate(0, "L1", True, normal_of(0.0)), TiltedPlate(2, "L3", True, normal_of(30.0))]
    assert angles_deg(plates, steady_normals(plates)).max() < 1e-3


def test_a_column_of_one_plate_or_none_stays_as_it_is() -> None:
    plate = TiltedPlate(0, "L5", True, normal_of(30.0))
    assert steady_normals([]) == []
    assert angles_deg([plate], steady_normals([plate])).max() < 1e-3


def tilt_back_deg(plate: TiltedPlate) -> float:
    return float(np.degrees(np.arctan2(-plate.normal[1], plate.normal[2])))
