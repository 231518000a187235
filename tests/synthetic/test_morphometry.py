from __future__ import annotations

import numpy as np
import pytest

from spongiosa.synthetic.morphometry import THORACIC, dimensions, individual

LUMBAR = tuple(f"L{k}" for k in range(1, 6))


def means(sex="F"):
    return {level: dimensions(level, sex, 1.65) for level in (*THORACIC, *LUMBAR)}


def test_bodies_widen_caudally_and_men_are_larger_at_equal_stature():
    women, men = means("F"), means("M")
    widths = [women[k].superior_width_mm for k in ("T6", "T9", "T12", "L2", "L5")]
    assert widths == sorted(widths)
    assert all(men[k].superior_width_mm > women[k].superior_width_mm for k in women)


def test_stature_scales_every_length_and_no_angle():
    short, tall = dimensions("L3", "F", 1.5), dimensions("L3", "F", 1.8)
    assert tall.anterior_height_mm / short.anterior_height_mm == pytest.approx(1.2)
    assert tall.canal_width_mm / short.canal_width_mm == pytest.approx(1.2)
    assert tall.pedicle_transverse_angle_deg == short.pedicle_transverse_angle_deg


def test_persons_differ_as_published_and_not_at_all_without_variation():
    """SD of body width over 400 persons: 3.5 % between persons and 1.2 % between levels, cut at two SD; 12 %."""
    assert individual(means(), seed=1, variation=0.0) == means()
    widths = [individual(means(), seed=k, variation=1.0)["L3"].superior_width_mm for k in range(400)]
    assert np.mean(widths) == pytest.approx(means()["L3"].superior_width_mm, rel=0.006)
    assert np.std(widths) / np.mean(widths) == pytest.approx(np.hypot(0.035, 0.012) * 0.88, rel=0.12)


def test_a_person_is_the_same_on_every_call():
    assert individual(means(), seed=7, variation=1.0) == individual(means(), seed=7, variation=1.0)


def test_an_unknown_level_is_refused():
    with pytest.raises(KeyError):
        dimensions("C7", "F", 1.65)
