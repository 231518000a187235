"""The generator's ideal pedicle and trajectory follow their definitions, not the bars that the bone is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.sampling import Window
from spongiosa.synthetic.truth_regions import TRAJECTORY_MARGIN_MM, IdealRegions
from spongiosa.synthetic.truth_regions_pedicle import (
    LEAST_MARGIN_MM,
    LENGTH_MM,
    MARGIN_MM,
    isthmus_mm,
    lies_below_surface,
    pedicle_region,
)
from spongiosa.synthetic.vertebra import Vertebra


def ideal(vertebra: Vertebra) -> IdealRegions:
    return IdealRegions(vertebra, (5.0, 5.0, 5.0))


def with_half_width(vertebra: Vertebra, half_width_mm: float) -> Vertebra:
    """The same vertebra, told that its pedicles are wider or narrower; their bars stay."""
    pedicles = {side: replace(axis, half_width_mm=half_width_mm) for side, axis in vertebra.pedicles.items()}
    return replace(vertebra, pedicles=pedicles)


def section_area_mm2(vertebra: Vertebra, side: str, along_mm: float) -> float:
    """Area of bone about the axis on a lattice of 0.5 mm, `along_mm` in front of the middle of the bar."""
    bar = vertebra.pedicles[side]
    across = np.cross(bar.direction, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    up = np.cross(across, bar.direction)
    s, t = (each.ravel() for each in np.meshgrid(np.arange(-8, 8.1, 0.5), np.arange(-10, 10.1, 0.5)))
    points = bar.isthmus_mm + along_mm * bar.direction + s[:, None] * across + t[:, None] * up
    distance = vertebra.distances(Window(*points.astype(np.float32).T, 0.0, None, None))[0]
    return float((distance < 0.0).sum()) * 0.25


def test_the_isthmus_is_a_waist_of_the_bone(woman):
    """Bone is thicker 7 mm in front of the isthmus, where the body begins, and 7 mm behind it, at the joints."""
    vertebra = woman.vertebrae["L3"]
    bar = vertebra.pedicles["left"]
    at = float((isthmus_mm(vertebra, bar) - bar.isthmus_mm) @ bar.direction)
    waist = section_area_mm2(vertebra, "left", at)
    assert waist < section_area_mm2(vertebra, "left", at + 7.0)
    assert waist < section_area_mm2(vertebra, "left", at - 7.0)


def test_a_wide_pedicle_keeps_the_whole_margin_and_a_narrow_one_gives_way(woman):
    """5 mm of half width: 3.5 mm of margin; 4 mm leave 0.75 mm at 3.25; 3.3 mm have 2.75 at least; 3.2 mm no room."""
    vertebra = woman.vertebrae["L3"]
    widths = {
        half: float(np.linalg.norm(pedicle_region(with_half_width(vertebra, half), "left").first_half_axis_mm))
        for half in (5.0, 4.0, 3.3)
    }
    assert widths == pytest.approx({5.0: 5.0 - MARGIN_MM, 4.0: 0.75, 3.3: 3.3 - LEAST_MARGIN_MM})
    assert pedicle_region(with_half_width(vertebra, 3.2), "left") is None


def test_the_region_is_as_long_as_defined_and_spongy_throughout(woman):
    """2.6 mm: the least margin less 0.1 mm for sections that are no exact ellipse; the cortex is 2 mm thick at most."""
    for vertebra in (woman.vertebrae[level] for level in ("L2", "L4")):
        for side in vertebra.pedicles:
            region = ideal(vertebra).pedicle(side)
            assert region.thickness_mm == LENGTH_MM
            points, _ = region.samples(0.8)
            assert lies_below_surface(vertebra, points, LEAST_MARGIN_MM - 0.15).mean() > 0.98


def test_distance_to_the_surface_is_euclidean(woman):
    """In the waist of a tall pedicle, the surface beside a point is nearer than the one along the ray from the axis.

    On the axis the nearest surface is half the width away; 0.2 mm for the fillet and the spread of the directions.
    """
    vertebra = woman.vertebrae["L3"]
    bar = vertebra.pedicles["left"]
    on_axis = vertebra.frame.to_lps(isthmus_mm(vertebra, bar)[None])
    narrow = min(bar.half_width_mm, bar.half_height_mm)
    assert lies_below_surface(vertebra, on_axis, narrow - 0.2).all()
    assert not lies_below_surface(vertebra, on_axis, narrow + 0.4).any()


def test_a_trajectory_keeps_clear_of_the_surface(woman):
    """No point nearer than the margin; the middle of the cylinder in the body stays whole."""
    vertebra = woman.vertebrae["L3"]
    points = ideal(vertebra).points("trajectory", "endplate", "left")
    whole, _ = ideal(vertebra).trajectory("left").samples(0.4)
    assert 0.5 * len(whole) < len(points) < 0.95 * len(whole)
    assert lies_below_surface(vertebra, points[::7], TRAJECTORY_MARGIN_MM).all()


def test_a_patient_with_thin_pedicles_has_no_pedicle_region_where_none_fits():
    """Of a woman of 1.40 m, the upper lumbar pedicles are the narrowest; a region exists where 3.25 mm are reached."""
    patient = build_patient(PatientParameters(sex="F", stature_m=1.40), seed=3)
    for level in ("L1", "L2", "L3"):
        vertebra = patient.vertebrae[level]
        narrow = min(vertebra.pedicles["left"].half_width_mm, vertebra.pedicles["left"].half_height_mm)
        assert (pedicle_region(vertebra, "left") is not None) == (narrow >= LEAST_MARGIN_MM + 0.5)
