from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.synthetic.phantoms import PHANTOMS, Phantom, PhantomRod, Placement, phantom_of
from spongiosa.synthetic.scanner import placed_phantom, render_ct
from spongiosa.synthetic.tissue import Tissues

SLAB = {"cranial_level": "L3", "caudal_level": "L3", "cranial_margin_mm": 0.0, "caudal_margin_mm": 0.0}


def lying(name: str, **placement: object) -> Phantom:
    return replace(PHANTOMS[name], placement=Placement(**placement))  # type: ignore[arg-type]


def measured_rods(scan):
    """Mean HU within 4 mm of each rod's axis, over all slices."""
    phantom = placed_phantom(scan.patient, scan.scanner)
    voxels = scan.ct.voxels
    means = [[] for _ in phantom.phantom.rods]
    rows, columns = np.indices(voxels.shape[1:])
    for z, image in enumerate(voxels):
        indices = np.stack([np.full(rows.shape, z), rows, columns], axis=-1).reshape(-1, 3).astype(float)
        x, y, height = scan.ct.points_mm(indices).T
        for rod, (a, b) in zip(means, phantom.rod_centres_mm(float(height.mean())), strict=True):
            rod.append(image.ravel()[np.hypot(x - a, y - b) < 4.0].mean())
    return np.mean(means, axis=1)


@pytest.mark.parametrize("name", sorted(PHANTOMS))
def test_rods_have_the_hu_of_their_densities(woman, reduced_scanner, name):
    """4 HU: some 100 voxels of noise SD 15 per rod, plus the blur of a kernel over 18 mm rods."""
    scan = render_ct(woman, reduced_scanner(phantom=name, **SLAB), seed=2)
    expected = PHANTOMS[name].rod_hu(Tissues(120.0))
    np.testing.assert_allclose(measured_rods(scan), expected, atol=4.0)


@pytest.mark.parametrize(
    "placement",
    [
        {"rotation_deg": 12.0, "left_mm": 15.0},
        {"left_per_mm": 0.1, "posterior_per_mm": -0.08},
        {"is_turned": True, "is_under_table": True},
    ],
    ids=["turned about the axis", "askew", "end for end under the table"],
)
def test_rods_lie_where_the_placement_says(woman, reduced_scanner, placement):
    """5 HU: as above; an axis that were 3 mm off would mix plastic into the denser rods, by 20 HU and more."""
    phantom = lying("b_mas_200", **placement)
    scan = render_ct(woman, reduced_scanner(phantom=phantom, **SLAB), seed=2)
    np.testing.assert_allclose(measured_rods(scan), phantom.rod_hu(Tissues(120.0)), atol=5.0)


def test_a_phantom_ends_where_the_placement_says(woman, reduced_scanner):
    """The densest rod, 270 HU, is there above the centre of L3 and not below, but for the slice across its end."""
    scan = render_ct(woman, reduced_scanner(phantom=lying("b_mas_200", caudal_end_mm=0.0), **SLAB), seed=2)
    x, y = placed_phantom(scan.patient, scan.scanner).rod_centres_mm()[-1]
    column, row = (np.round((np.array([x, y]) - scan.ct.origin_mm[:2]) / scan.ct.spacing_mm[:2])).astype(int)
    hu = scan.ct.voxels[:, row - 1 : row + 2, column - 1 : column + 2].mean(axis=(1, 2))
    heights = scan.ct.origin_mm[2] + scan.ct.spacing_mm[2] * np.arange(len(hu))
    assert hu[heights > 3.0].min() > 200.0
    assert hu[heights < -3.0].max() < 100.0


def test_a_phantom_of_ones_own_is_taken_as_given(woman, reduced_scanner):
    own = Phantom("own", "HA", (PhantomRod(10.0), PhantomRod(300.0)))
    scan = render_ct(woman, reduced_scanner(phantom=own, **SLAB), seed=2)
    slope = np.diff(measured_rods(scan))[0] / 290.0
    assert slope == pytest.approx(Tissues(120.0).hydroxyapatite, rel=0.02)


def test_the_phantom_lies_between_patient_and_table(woman, reduced_scanner):
    phantom = placed_phantom(woman, reduced_scanner(phantom="qrm_bdc_3"))
    assert phantom.y_mm - phantom.phantom.thickness_mm / 2.0 > woman.trunk.back_mm
    assert placed_phantom(woman, reduced_scanner()) is None


def test_an_unknown_phantom_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="mindways_model_3_ct"):
        phantom_of("plasticine")
