"""The pictures of the studies: from a patient of the cohort, or from a synthetic one that says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spongiosa.cohort.scan import Scan
from spongiosa.cohort.traces import traces
from spongiosa.config.studies import PicturesSettings
from spongiosa.nifti import write_compressed_nifti
from spongiosa.report.panels import NOT_A_PATIENT, centroid_mm, cover_in, principal_axes
from spongiosa.report.study_files import PICTURES_NAME
from spongiosa.studies import fracture_panels, illustrations, roi_panels, screw_panels
from spongiosa.studies.needs import NEEDS
from spongiosa.studies.panel_views import along_pedicles, sagittal_of, slice_of
from spongiosa.studies.pictured_cohort import PicturedCohort
from spongiosa.studies.pictured_scan import MissingPicture, PicturedScan
from spongiosa.studies.pictures import PICTURES, draw_pictures, write_pictures

SHAPES = roi_panels.SHAPES

#: Every picture that the seed papers print of an image, by study and key.
EXPECTED = {
    "roi_comparison": ["p1_oval", "p2_round", "p3_zones"],
    "screw_loosening_qct": ["p1_dxa", "p2_regions", "p3_loosening"],
    "screw_loosening_nomogram": ["p1_hu", "p2_pbq"],
    "new_fracture_3d_hu": ["p1_case", "p2_steps", "p3_slices"],
}
NOBODY = pd.DataFrame({"patient_id": pd.Series([], dtype="string")})


@pytest.fixture(scope="module")
def third_lumbar() -> PicturedScan:
    """A synthetic L3 with the five shapes."""
    return illustrations.one_level("L3", SHAPES)


def lay_down(scan: PicturedScan, folder: Path, patient_id: str, hu: float, session: str = "preop") -> None:
    """The files of a finished scan, as the stages write them."""
    place = Scan(patient_id, session, "ct", folder, {})
    place.folder.mkdir(parents=True)
    write_compressed_nifti(scan.volume, place.ct)
    write_compressed_nifti(scan.bodies, place.product("desc-bodies_dseg", ".nii.gz"))
    scan.regions.write(place.product("desc-regions_weights", ".npz"))
    described = json.dumps(scan.spine.to_json())
    place.product("desc-vertebrae_dseg", ".json").write_text(described, encoding="utf-8")
    rows = [
        {"level": level, "region": region, "side": side, "variant": "default", "status": "ok", "hu_mean": hu,
         "vbmd_mean_mg_cm3": None}
        for level, region, side in scan.readings
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(place.product("desc-measurements", ".parquet"))


@pytest.fixture(scope="module")
def cohort(third_lumbar: PicturedScan, tmp_path_factory: pytest.TempPathFactory) -> PicturedCohort:
    """Five patients with a scan; the median has no region placed, the next nearest has a remark."""
    folder = tmp_path_factory.mktemp("results")
    values = {"CASE01": 80.0, "CASE02": 98.0, "CASE03": 100.0, "CASE04": 105.0, "CASE05": 130.0}
    for name, hu in values.items():
        nothing = replace(third_lumbar.regions, regions=())
        lay_down(replace(third_lumbar, regions=nothing) if name == "CASE03" else third_lumbar, folder, name, hu)
    patients = pd.DataFrame({"patient_id": list(values), "oval_l1_l4_hu": list(values.values())})
    scans = pd.DataFrame(
        {"patient_id": list(values), "session": "preop", "modality": "ct", "status": "ok",
         "flags": [["near_edge"] if name == "CASE02" else [] for name in values]}
    )  # fmt: skip
    return PicturedCohort(patients, PICTURES["roi_comparison"].wanted, scans=scans, output_dir=folder)


def with_patient(cohort: PicturedCohort, patient: str) -> PicturedCohort:
    return PicturedCohort(
        cohort.patients, cohort.wanted, patient, cohort.scans, output_dir=cohort.output_dir
    )  # fmt: skip


def test_every_study_with_pictures_has_those_of_its_paper() -> None:
    assert {study: [panel.key for panel in of.panels] for study, of in PICTURES.items()} == EXPECTED
    assert set(PICTURES) <= set(NEEDS)


def test_the_patient_nearest_to_the_median_without_remarks_and_with_all_regions_is_shown(
    cohort: PicturedCohort,
) -> None:
    """CASE03 is the median but lacks regions, CASE02 is next but has a remark: CASE04 is shown, with its 105 HU."""
    drawn = draw_pictures("roi_comparison", PicturesSettings(), cohort)
    assert [figure.key for figure in drawn.figures] == EXPECTED["roi_comparison"]
    assert all(figure.notes == () for figure in drawn.figures)
    assert drawn.figures[0].data["hu_mean"].tolist() == [105.0]
    assert "oval HU of L1–L4 lies nearest to the median" in drawn.figures[0].caption


def test_the_picture_of_a_patient_names_nobody(cohort: PicturedCohort, tmp_path: Path) -> None:
    drawn = draw_pictures("roi_comparison", PicturesSettings(), cohort)
    write_pictures("roi_comparison", drawn, tmp_path)
    assert traces(tmp_path, ["CASE04"]) == []
    assert traces(tmp_path, ["Oval region"]), "the search finds what is there"


def test_a_chosen_patient_is_shown_and_one_without_regions_gives_way_with_its_reason(cohort: PicturedCohort) -> None:
    assert with_patient(cohort, "CASE05").scan.readings["L3", "shape_oval", "none"].hu == 130.0
    lacking = draw_pictures(
        "roi_comparison", PicturesSettings(patient="CASE03", illustrate=False), with_patient(cohort, "CASE03")
    )
    assert lacking.figures == ()
    assert [title for title, _ in lacking.omitted] == [panel.title for panel in roi_panels.PANELS]
    assert all("all regions" in reason for _, reason in lacking.omitted)
    with pytest.raises(MissingPicture, match="no measured CT"):
        _ = with_patient(cohort, "CASE09").scan


@pytest.mark.parametrize("study", ["roi_comparison", "screw_loosening_qct", "screw_loosening_nomogram"])
def test_a_study_of_tables_alone_shows_a_synthetic_patient_that_says_so(study: str, tmp_path: Path) -> None:
    drawn = draw_pictures(study, PicturesSettings(), PicturedCohort(NOBODY, PICTURES[study].wanted))
    written = write_pictures(study, drawn, tmp_path)
    assert [figure.key for figure in drawn.figures] == EXPECTED[study]
    for figure in drawn.figures:
        assert "Synthetic illustration" in figure.notes[0]
        assert NOT_A_PATIENT in [text.get_text() for text in figure.figure.texts]
        assert {f"{figure.key}{end}" for end in (".svg", ".png", ".csv", ".parquet")} <= {path.name for path in written}
        with Image.open(tmp_path / f"{figure.key}.png") as picture:
            assert picture.info["dpi"][0] == pytest.approx(300, abs=0.1)
        assert "<dc:date>" not in (tmp_path / f"{figure.key}.svg").read_text(encoding="utf-8")


def test_the_case_of_a_new_fracture_shows_three_examinations() -> None:
    (panel, *_) = PICTURES["new_fracture_3d_hu"].panels
    content = panel.illustrate()
    titles = [axis.get_title(loc="left") for axis in content.figure.axes]
    assert titles == ["Before: fracture of L1", "After cement in L1", "Follow-up: new fracture of L2"]


@pytest.fixture(scope="module")
def fractures(tmp_path_factory: pytest.TempPathFactory) -> PicturedCohort:
    """CASE01 has a new fracture but no later CT, CASE02 has CTs before and after it, CASE03 has no new fracture."""
    folder = tmp_path_factory.mktemp("fractures")
    sessions = {"CASE01": ["preop"], "CASE02": ["followup", "postop", "preop"], "CASE03": ["preop", "followup"]}
    for session, scan in zip(("preop", "postop", "followup"), illustrations.fracture_case(), strict=True):
        lay_down(scan, folder, "CASE02", 75.0, session)
    scans = pd.DataFrame(
        [(name, session, "ct", "ok", []) for name, of_patient in sessions.items() for session in of_patient],
        columns=["patient_id", "session", "modality", "status", "flags"],
    )
    patients = pd.DataFrame({"patient_id": list(sessions), "new_fracture": [True, True, False]})
    return PicturedCohort(patients, fracture_panels.WANTED, scans=scans, output_dir=folder)


def test_the_case_of_a_new_fracture_shows_the_cts_of_a_patient_of_the_cohort(
    fractures: PicturedCohort, tmp_path: Path
) -> None:
    """1 HU: a NIfTI holds whole HU, and its origin and directions in single precision."""
    (panel, *_) = PICTURES["new_fracture_3d_hu"].panels
    drawn, own = panel.draw(fractures), panel.illustrate()
    titles = [axis.get_title(loc="left") for axis in drawn.figure.axes]
    assert titles == ["Examination: preop", "Examination: postop", "Examination: followup"]
    for axis, expected in zip(drawn.figure.axes, own.figure.axes, strict=True):
        shown, made = (np.asarray(each.images[0].get_array(), dtype=float) for each in (axis, expected))
        assert shown.shape == made.shape
        assert np.abs(shown - made).max() < 1.0
        assert np.ptp(made) > 500.0, "there is something to see"
    assert NOT_A_PATIENT not in [text.get_text() for text in drawn.figure.texts]
    case = draw_pictures("new_fracture_3d_hu", PicturesSettings(illustrate=False), fractures)
    assert [figure.key for figure in case.figures] == ["p1_case"], "the other pictures need regions"
    write_pictures("new_fracture_3d_hu", case, tmp_path)
    assert traces(tmp_path, ["CASE02"]) == []
    assert case.figures[0].notes == ()


def test_a_cohort_without_cts_before_and_after_a_new_fracture_says_so(fractures: PicturedCohort) -> None:
    (panel, *_) = PICTURES["new_fracture_3d_hu"].panels
    with pytest.raises(MissingPicture, match="gives no new fracture"):
        panel.draw(replace(fractures, patients=fractures.patients[["patient_id"]]))
    for chosen in ("CASE01", "CASE03"):
        with pytest.raises(MissingPicture, match="before and after"):
            panel.draw(replace(fractures, patient=chosen))


def test_pictures_that_are_switched_off_are_listed_with_their_reason(tmp_path: Path) -> None:
    settings = PicturesSettings(patient="none")
    (tmp_path / "p9_of_an_earlier_run.svg").write_text("", encoding="utf-8")
    drawn = draw_pictures("roi_comparison", settings, PicturedCohort(NOBODY, PICTURES["roi_comparison"].wanted))
    write_pictures("roi_comparison", drawn, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [PICTURES_NAME]
    omitted = json.loads((tmp_path / PICTURES_NAME).read_text(encoding="utf-8"))["omitted"]
    assert [item["title"] for item in omitted] == [panel.title for panel in roi_panels.PANELS]
    assert all("Switched off" in item["reason"] for item in omitted)


def test_equal_pictures_are_equal_files(third_lumbar: PicturedScan, tmp_path: Path) -> None:
    """What runs on this machine and on a node of a cluster must not differ in a byte."""
    files = []
    for name in ("one", "two"):
        illustrations.one_level.cache_clear()
        cohort = PicturedCohort(NOBODY, PICTURES["roi_comparison"].wanted)
        drawn = draw_pictures("roi_comparison", PicturesSettings(), cohort)
        written = write_pictures("roi_comparison", replace(drawn, figures=drawn.figures[2:]), tmp_path / name)
        files.append({path.name: path.read_bytes() for path in written})
    assert files[0] == files[1]


def test_the_views_pass_through_what_they_show(third_lumbar: PicturedScan) -> None:
    """A slice's plane holds the slice's voxels; the plane along the pedicles holds both axes to a degree.

    Half a slice of 1 mm is the farthest that a voxel of the slice's region may lie from its plane.
    """
    plane = slice_of(third_lumbar, "L3", "shape_front")
    weights, geometry = third_lumbar.weights("L3", "shape_front"), third_lumbar.regions.geometry
    cover = cover_in(plane, weights, geometry)
    area = float((cover >= 0.5).sum()) * plane.pixel_mm**2
    placed = third_lumbar.regions.find("L3", "shape_front").area_mm2
    # 2 %: the border of a region of about 200 mm2 follows voxels of 0.7 mm, interpolated.
    assert area == pytest.approx(placed, rel=0.02)
    right, down = (plane.points_mm[step] - plane.points_mm[0, 0] for step in ((0, 1), (1, 0)))
    assert right[0] > 0 and down[1] > 0, "the patient's left is on the right, the back below"
    upright = sagittal_of(third_lumbar, "L3")
    right, down = (upright.points_mm[step] - upright.points_mm[0, 0] for step in ((0, 1), (1, 0)))
    assert right[1] > 0 and down[2] < 0, "the front is on the left, the head above"


def test_the_plane_along_the_pedicles_holds_the_axes_of_both_trajectories() -> None:
    """1.5 degrees: left and right axes are not quite parallel to one plane through the transverse direction."""
    scan = illustrations.one_level("L5", ("body_central", "pedicle", "trajectory"))
    plane = along_pedicles(scan, "L5", "trajectory")
    right, down = (plane.points_mm[step] - plane.points_mm[0, 0] for step in ((0, 1), (1, 0)))
    normal = np.cross(right, down) / np.linalg.norm(np.cross(right, down))
    for side in ("left", "right"):
        axis = principal_axes(scan.weights("L5", "trajectory", side), scan.regions.geometry)[0]
        assert abs(axis @ normal) < np.sin(np.deg2rad(1.5))
        middle = centroid_mm(scan.weights("L5", "trajectory", side), scan.regions.geometry)
        assert abs((middle - plane.points_mm[0, 0]) @ normal) < 1.0


def test_a_loose_screw_of_the_table_of_screws_is_shown_in_its_later_ct(tmp_path: Path) -> None:
    scan = illustrations.one_level("L5", ("body_central", "pedicle", "trajectory"))
    lay_down(scan, tmp_path, "CASE01", 140.0, session="followup")
    scans = pd.DataFrame(
        {"patient_id": ["CASE01", "CASE01"], "session": ["preop", "followup"], "modality": "ct", "status": "ok",
         "flags": [[], []]}
    )  # fmt: skip
    screws = pd.DataFrame(
        {"patient_id": "CASE01", "level": "L5", "side": ["left", "right"], "loosening": [False, True]}
    )  # fmt: skip
    cohort = PicturedCohort(NOBODY, screw_panels.QCT, scans=scans, screws=screws, output_dir=tmp_path)
    _, level, side = cohort.loosened()
    assert (level, side) == ("L5", "right")
    content = screw_panels.QCT_PANELS[2].draw(cohort)
    assert "right screw of L5" in content.caption
    assert NOT_A_PATIENT not in [text.get_text() for text in content.figure.texts]


def test_densitometry_is_that_of_the_patient_nearest_to_the_median_of_a_table() -> None:
    patients = pd.DataFrame(
        {"patient_id": ["A", "B", "C"], "sex": "female", "age_years": [60.0, 93.0, 75.0],
         "l5_body_vbmd_mg_cm3": [60.0, 90.0, 140.0], "t_score_lumbar": [-3.0, -1.7, 0.2],
         "t_score_total_hip": [-2.0, None, 0.1], "bmd_lumbar_g_cm2": [0.7, 0.85, 1.0]}
    )  # fmt: skip
    content = screw_panels.QCT_PANELS[0].draw(PicturedCohort(patients, screw_panels.QCT))
    assert content.data.to_dict("list") == {"site": ["lumbar"], "t_score": [-1.7], "bmd_g_cm2": [0.85]}
    assert "90 years or older" in content.figure.axes[0].get_title(loc="left")
    with pytest.raises(MissingPicture, match="no T-score"):
        screw_panels.QCT_PANELS[0].draw(PicturedCohort(patients[["patient_id", "sex"]], screw_panels.QCT))
