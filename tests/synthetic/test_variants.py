from __future__ import annotations

import numpy as np
import pytest

from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.tissue import DensityPalette, Tissues
from spongiosa.synthetic.truth_regions import endplate
from spongiosa.synthetic.variants import (
    BoneIsland,
    Cement,
    EndplateSclerosis,
    Fracture,
    Haemangioma,
    Osteophytes,
    PedicleScrew,
    Rod,
    instrumentation,
)


def patient_with(*variants, **parameters):
    return build_patient(PatientParameters(variants=variants, **parameters), seed=11)


def heights_mm(patient, level):
    """Anterior, middle and posterior height in the midline, between the bony endplates."""
    body = patient.vertebrae[level].body
    v = np.array([-0.93, 0.0, 0.93]) * body.half_depth_mm
    top, bottom = body.endplate_heights(np.zeros(3), v)
    return top - bottom


@pytest.mark.parametrize("loss", [0.22, 0.35, 0.5])
def test_a_wedge_fracture_loses_height_in_front(woman, loss):
    """At 93 % of the depth the rim is interpolated between front and back: 3 % of the height."""
    ratio = heights_mm(patient_with(Fracture("L1", "wedge", loss)), "L1") / heights_mm(woman, "L1")
    assert ratio[0] == pytest.approx(1.0 - loss, abs=0.04)
    assert ratio[2] == pytest.approx(1.0, abs=0.04)


def test_a_biconcave_fracture_loses_height_in_the_middle(woman):
    ratio = heights_mm(patient_with(Fracture("L2", "biconcave", 0.35)), "L2") / heights_mm(woman, "L2")
    assert ratio[1] == pytest.approx(0.60, abs=0.05)
    assert ratio[[0, 2]] == pytest.approx([1.0, 1.0], abs=0.03)


def test_a_crush_fracture_loses_height_everywhere(woman):
    ratio = heights_mm(patient_with(Fracture("L4", "crush", 0.45)), "L4") / heights_mm(woman, "L4")
    assert ratio == pytest.approx([0.55] * 3, abs=0.07)


def test_the_spine_above_a_wedge_fracture_leans_forward(woman):
    fractured = patient_with(Fracture("L1", "wedge", 0.4))
    before, after = (p.vertebrae["T11"].frame.axes[1, 2] for p in (woman, fractured))
    assert after < before - np.sin(np.radians(8.0))


@pytest.mark.parametrize(("loss", "grade"), [(0.15, 0), (0.22, 1), (0.3, 2), (0.45, 3)])
def test_fractures_are_graded_after_genant(loss, grade):
    assert Fracture("L1", "wedge", loss).genant_grade == grade


def test_an_impossible_loss_of_height_is_refused():
    with pytest.raises(ValueError, match="height_loss of L1"):
        Fracture("L1", "wedge", 1.2)


def body_density(patient, level, local_points):
    points = patient.vertebrae[level].frame.to_lps(np.asarray(local_points, dtype=float))
    return patient.vertebra_values_at(level, points, DensityPalette())


def test_sclerosis_is_dense_under_its_endplate_and_nowhere_else(woman):
    sick = patient_with(EndplateSclerosis("L4", "inferior", 6.0, 250.0))
    _, bottom = sick.vertebrae["L4"].body.endplate_heights(np.zeros(1), np.zeros(1))
    near, far = [[0.0, 0.0, float(bottom[0]) + 3.0]], [[0.0, 0.0, 8.0]]
    assert body_density(sick, "L4", near) - body_density(woman, "L4", near) == pytest.approx(250.0, abs=5.0)
    assert body_density(sick, "L4", far) == pytest.approx(body_density(woman, "L4", far), abs=0.01)


def test_bone_island_and_haemangioma_have_their_densities():
    sick = patient_with(BoneIsland("L3", (0.3, -0.2, 0.2), 4.0, 750.0), Haemangioma("L2", (-0.2, 0.0, 0.0), 8.0))
    body = sick.vertebrae["L3"].body
    island = [0.3 * body.half_width_mm, -0.2 * body.half_depth_mm, 0.2 * body.middle_height_mm / 2.0]
    assert body_density(sick, "L3", [island])[0] == pytest.approx(750.0)
    centre = np.array([-0.2 * sick.vertebrae["L2"].body.half_width_mm, 0.0, 0.0])
    dots = body_density(sick, "L2", centre + np.random.default_rng(0).uniform(-4.0, 4.0, (400, 3)))
    assert np.median(dots) < 60.0
    assert dots.max() > 250.0


def test_cement_has_its_volume(noise_free_cube):
    """Voxels of 1 mm that cement lifts above 1000 HU: 4 ml within 20 %, as the outline is ragged."""
    plain, cemented = (noise_free_cube(p, "L1", 1.0).hu for p in (patient_with(), patient_with(Cement("L1", 4.0))))
    volume_ml = ((cemented > 1000.0) & (plain < 1000.0)).sum() / 1000.0
    assert volume_ml == pytest.approx(4.0, rel=0.20)


def test_osteophytes_reach_beyond_the_rim(noise_free_cube):
    healthy, spurred = (
        noise_free_cube(p, "L3", 1.0, 80.0) for p in (patient_with(), patient_with(Osteophytes("L3", "superior", 8.0)))
    )
    front = [c.points_mm[(c.canvas.vertebrae == 22).ravel()][:, 1].min() for c in (healthy, spurred)]
    assert front[0] - front[1] == pytest.approx(8.0, abs=3.0)


def test_a_screw_lies_on_the_pedicle_axis_and_is_as_long_as_set():
    patient = patient_with(*instrumentation(("L4",)))
    for screw in patient.screws:
        axis = patient.vertebrae["L4"].pedicles[screw.side]
        expected = patient.vertebrae["L4"].frame.axes @ axis.direction
        assert screw.direction @ expected == pytest.approx(1.0)
        assert np.linalg.norm(screw.tip_mm - screw.entry_mm) == pytest.approx(45.0)
        isthmus = patient.vertebrae["L4"].frame.to_lps(axis.isthmus_mm[None])[0]
        assert np.linalg.norm(np.cross(isthmus - screw.entry_mm, screw.direction)) < 0.01


def test_a_loose_screw_stands_in_a_halo_of_the_set_width():
    """Walking out from the axis in the body: metal to 3.25 mm, halo for 2 mm, a dense rim, then bone."""
    patient = patient_with(PedicleScrew("L4", "left", halo_mm=2.0))
    screw = patient.screws[0]
    middle = screw.entry_mm + 30.0 * screw.direction
    sideways = np.cross(screw.direction, [0.0, 0.0, 1.0])
    steps = np.arange(0.0, 7.0, 0.05)
    hu = patient.hu_at(middle + steps[:, None] * sideways / np.linalg.norm(sideways))
    titanium, halo = Tissues(120.0).value("titanium"), Tissues(120.0).value("halo")
    assert (hu == titanium).sum() * 0.05 == pytest.approx(3.25, abs=0.06)
    assert (hu == halo).sum() * 0.05 == pytest.approx(2.0, abs=0.06)


def test_rods_join_the_heads_of_their_side_and_need_two_of_them():
    patient = patient_with(*instrumentation(("L3", "L4", "L5")))
    metal = Tissues(120.0).value("titanium")
    for side in ("left", "right"):
        heads = [s.head_mm - 5.0 * s.direction for s in patient.screws if s.side == side]
        between = np.array([(heads[0] + heads[1]) / 2.0, (heads[1] + heads[2]) / 2.0])
        assert patient.hu_at(between) == pytest.approx([metal, metal])
    with pytest.raises(ValueError, match="needs 2"):
        patient_with(PedicleScrew("L4", "left"), Rod("L4", "L5", "left"))


def test_a_screw_in_a_level_without_pedicles_is_refused():
    with pytest.raises(ValueError, match="S1 left"):
        patient_with(PedicleScrew("S1", "left"))


def test_a_lumbarised_s1_counts_as_l6_and_a_sacralised_l5_keeps_its_name():
    lumbarised = patient_with(lumbosacral_junction="lumbarised_s1")
    assert lumbarised.vertebrae["L6"].label == 25
    sacralised = patient_with(lumbosacral_junction="sacralised_l5")
    gap = {}
    for name, patient in (("regular", patient_with()), ("sacralised", sacralised)):
        lower = endplate(patient.vertebrae["L5"], False)[0]
        upper = endplate(patient.vertebrae["S1"], True)[0]
        gap[name] = np.linalg.norm(lower - upper)
    assert gap["sacralised"] < 0.65 * gap["regular"]


def rib_voxels(patient, level, noise_free_cube):
    """Bone lateral to the vertebra, 30 mm and more from the midline, in a cube of 110 mm about a level."""
    cube = noise_free_cube(patient, level, 2.0, 160.0)
    away = np.abs(cube.points_mm[:, 0]) > 45.0
    near = np.abs(cube.points_mm[:, 2] - patient.vertebrae[level].frame.origin_mm[2]) < 20.0
    return int((cube.hu[away & near] > 150.0).sum())


def test_ribs_follow_their_variants(noise_free_cube):
    regular, rudimentary, extra = (
        patient_with(),
        patient_with(twelfth_rib="rudimentary"),
        patient_with(has_thirteenth_rib=True),
    )
    assert rib_voxels(regular, "L1", noise_free_cube) > rib_voxels(rudimentary, "L1", noise_free_cube)
    assert len(extra.surroundings) == len(regular.surroundings) + 2
