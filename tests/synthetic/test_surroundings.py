from __future__ import annotations

import numpy as np
import pytest

from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.soft_tissue import GOUTALLIER_FAT_FRACTION
from spongiosa.synthetic.table import Table
from spongiosa.synthetic.tissue import Tissues


def block(centre, half_mm, step_mm=1.0):
    """Points of a cube about a place."""
    axis = np.arange(-half_mm, half_mm + step_mm / 2.0, step_mm)
    return np.asarray(centre) + np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)


def erector_hu(grade):
    patient = build_patient(PatientParameters(goutallier_grade=grade), seed=2)
    centre = patient.vertebrae["L3"].frame.origin_mm + np.array([34.0, 50.0, 0.0])
    return patient.hu_at(block(centre, 10.0)).mean()


def test_fat_in_the_back_muscles_follows_the_goutallier_grade():
    """Mean HU of muscle and fat mixed by the grade's fraction; 12 HU for a block of 2 cm of patchy texture."""
    tissues = Tissues(120.0)
    muscle, fat = tissues.value("muscle"), tissues.value("fat")
    for grade in (0, 2, 3, 4):
        expected = muscle + GOUTALLIER_FAT_FRACTION[grade] * (fat - muscle)
        assert erector_hu(grade) == pytest.approx(expected, abs=12.0)


def test_psoas_is_muscle_and_the_canal_holds_fluid(woman):
    tissues = Tissues(120.0)
    l4 = woman.vertebrae["L4"]
    size = woman.curve.sizes["L4"]
    beside = l4.frame.origin_mm + np.array([size.inferior_width_mm / 2.0 + 16.0, -2.0, 0.0])
    assert woman.hu_at(block(beside, 3.0)).mean() == pytest.approx(tissues.value("muscle"), abs=12.0)
    in_canal = l4.frame.to_lps(np.array([[0.0, l4.body.posterior_wall_mm + size.canal_depth_mm / 2.0, 0.0]]))
    assert woman.hu_at(in_canal)[0] == pytest.approx(tissues.value("thecal_sac"))


def test_blood_of_the_aorta_carries_the_contrast_medium():
    patient = build_patient(PatientParameters(blood_iodine_mg_ml=10.0, aortic_calcification=0.0), seed=2)
    l2 = patient.vertebrae["L2"].frame.origin_mm
    depth = patient.curve.sizes["L2"].superior_depth_mm / 2.0
    aorta = l2 + np.array([9.0 * 1.63 / 1.7, -depth - 12.0 * 1.63 / 1.7, 0.0])
    assert patient.hu_at(aorta[None])[0] == pytest.approx(Tissues(120.0).blood(10.0), abs=1.0)


def test_calcified_walls_appear_with_the_set_share():
    hu = []
    for share in (0.0, 0.8):
        patient = build_patient(PatientParameters(aortic_calcification=share), seed=2)
        l2 = patient.vertebrae["L2"].frame.origin_mm
        depth = patient.curve.sizes["L2"].superior_depth_mm / 2.0
        hu.append(patient.hu_at(block(l2 + np.array([8.6, -depth - 11.5, 0.0]), 10.0)))
    assert hu[0].max() < 200.0
    assert (hu[1] > 400.0).sum() > 50


def test_girth_and_fat_under_the_skin_grow_with_body_mass_index():
    thin, stout = (build_patient(PatientParameters(bmi_kg_m2=bmi), seed=1).trunk for bmi in (19.0, 36.0))
    z = np.array(0.0)
    assert float(stout.half_axes(z)[0]) > float(thin.half_axes(z)[0]) + 50.0
    assert stout.subcutaneous_mm > thin.subcutaneous_mm + 20.0


def test_lungs_hold_air_and_lie_above_the_lumbar_spine(woman):
    t8 = woman.vertebrae["T8"].frame.origin_mm
    assert np.median(woman.hu_at(block(t8 + np.array([75.0, -20.0, 20.0]), 6.0))) < -700.0
    l2 = woman.vertebrae["L2"].frame.origin_mm
    assert woman.hu_at(block(l2 + np.array([75.0, -10.0, 0.0]), 6.0)).min() > -200.0


def test_iliac_crests_stand_at_the_height_of_l4_and_l5(woman):
    z_l4, z_l5 = (woman.vertebrae[k].frame.origin_mm[2] for k in ("L4", "L5"))
    x, y, z = np.meshgrid(np.arange(85.0, 125.0, 2.0), np.arange(-30.0, 40.0, 2.0), np.arange(z_l5 - 40.0, 0.0, 2.0))
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    crest = points[woman.hu_at(points) > 900.0][:, 2].max()
    assert z_l5 - 12.0 < crest < z_l4 + 12.0


def test_the_twelfth_rib_starts_at_its_vertebra(woman):
    t12 = woman.vertebrae["T12"].frame.origin_mm
    size = woman.curve.sizes["T12"]
    head = t12 + np.array([size.superior_width_mm / 2.0 + 6.0, size.superior_depth_mm / 2.0, 6.0])
    assert (woman.hu_at(block(head, 6.0)) > 300.0).sum() > 30


def test_the_table_lies_under_the_back_or_under_the_belly(woman):
    supine, prone = (Table.under(woman.trunk, is_prone=flag) for flag in (False, True))
    assert supine.surface_y_mm > woman.trunk.back_mm
    depths = woman.trunk.half_axes(np.array([0.0]))[1]
    assert prone.surface_y_mm < woman.trunk.back_mm - 2.0 * float(depths[0])
