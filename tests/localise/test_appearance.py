"""What bodies and discs look like, learnt from a first chain."""

import numpy as np
import pytest

from spongiosa.localise.appearance import LEAST_CONTRAST_HU, learnt_appearance

BODIES_MM = [(10.0, 36.0), (46.0, 72.0), (82.0, 108.0), (118.0, 144.0)]
DISCS_MM = [(36.0, 46.0), (72.0, 82.0), (108.0, 118.0)]


def column(marrow_hu: float, disc_hu: float) -> np.ndarray:
    """A column of four bodies and three discs; the third body is crushed to 14 mm and its disc is as much higher."""
    profile = np.full(154, disc_hu)
    for start, stop in BODIES_MM:
        profile[int(start) : int(stop)] = marrow_hu
    profile[96:108] = disc_hu
    return profile + np.random.default_rng(3).normal(0.0, 3.0, profile.size)


@pytest.mark.parametrize(("marrow_hu", "disc_hu"), [(160.0, 80.0), (-10.0, 80.0)], ids=["dense", "fatty"])
def test_a_disc_within_a_body_costs_whatever_is_the_brighter(marrow_hu, disc_hu):
    appearance = learnt_appearance(column(marrow_hu, disc_hu), BODIES_MM, DISCS_MM)
    tall, crushed = appearance.against_bodies(np.full(2, 82.0), np.array([108.0, 96.0]))
    disc, disc_in_body = appearance.against_discs(np.array([96.0, 90.0]), np.full(2, 118.0))
    assert tall > crushed + 2.0
    assert disc_in_body > disc + 1.5


def test_marrow_as_bright_as_its_discs_says_nothing():
    assert learnt_appearance(column(80.0 + LEAST_CONTRAST_HU / 2, 80.0), BODIES_MM, DISCS_MM) is None


def test_two_discs_are_too_few_to_learn_from():
    assert learnt_appearance(column(160.0, 80.0), BODIES_MM, DISCS_MM[:2]) is None
