from __future__ import annotations

import numpy as np
import pytest

from spongiosa.synthetic.phantoms import PHANTOMS, Phantom, PhantomRod, phantom_of
from spongiosa.synthetic.scanner import placed_phantom, render_ct
from spongiosa.synthetic.tissue import Tissues

SLAB = {"cranial_level": "L3", "caudal_level": "L3", "cranial_margin_mm": 0.0, "caudal_margin_mm": 0.0}


def measured_rods(scan):
    """Mean HU within 4 mm of each rod's axis, over all slices."""
    phantom = placed_phantom(scan.patient, scan.scanner)
    z, y, x = np.indices(scan.ct.voxels.shape)
    points = scan.ct.points_mm(np.stack([z, y, x], axis=-1).reshape(-1, 3).astype(float))
    hu = scan.ct.voxels.ravel()
    return [hu[np.hypot(points[:, 0] - a, points[:, 1] - b) < 4.0].mean() for a, b in phantom.rod_centres_mm()]


@pytest.mark.parametrize("name", sorted(PHANTOMS))
def test_rods_have_the_hu_of_their_densities(woman, reduced_scanner, name):
    """2 HU: some 100 voxels of noise SD 15 per rod, plus the blur of a kernel over 8 mm rods."""
    scan = render_ct(woman, reduced_scanner(phantom=name, **SLAB), seed=2)
    expected = PHANTOMS[name].rod_hu(Tissues(120.0))
    np.testing.assert_allclose(measured_rods(scan), expected, atol=4.0)


def test_a_phantom_of_ones_own_is_taken_as_given(woman, reduced_scanner):
    own = Phantom("own", "HA", (PhantomRod(10.0), PhantomRod(300.0)))
    scan = render_ct(woman, reduced_scanner(phantom=own, **SLAB), seed=2)
    slope = np.diff(measured_rods(scan))[0] / 290.0
    assert slope == pytest.approx(Tissues(120.0).hydroxyapatite, rel=0.02)


def test_the_phantom_lies_between_patient_and_table(woman, reduced_scanner):
    phantom = placed_phantom(woman, reduced_scanner(phantom="ha_three_rods"))
    assert phantom.y_mm - phantom.phantom.thickness_mm / 2.0 > woman.trunk.back_mm
    assert placed_phantom(woman, reduced_scanner()) is None


def test_an_unknown_phantom_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="mindways_five_rods"):
        phantom_of("plasticine")
