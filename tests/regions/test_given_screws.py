"""Trajectories along screws that the user gives, from the row of a unit to the weights on disk."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from spongiosa.anatomy.frame import unit_vector
from spongiosa.cohort.runner import StageRun, run_unit
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.config.regions import RegionsSettings, TrajectorySettings
from spongiosa.outcome import Reason
from spongiosa.regions.region import RegionSet
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import RenderedScan, render_ct
from spongiosa.volume import Geometry, Volume

from .true_frames import true_l3

STAGE = Path(__file__).resolve().parents[2] / "scripts" / "mask_regions.py"
#: The whole cylinder: without what lies near the surface, its middle line is not the screw's.
SETTINGS = RegionsSettings(levels=("L3",), measured=("trajectory",), trajectory=TrajectorySettings(margin_mm=0.0))
PATIENTS = ("P1", "P2")


@pytest.fixture(scope="module")
def scan() -> RenderedScan:
    """L3 in voxels of 1 x 1 x 1.5 mm."""
    scanner = ScannerParameters(
        rows=120, columns=120, pixel_spacing_mm=1.0, slice_thickness_mm=1.5, slice_spacing_mm=1.5, cranial_level="L3",
        cranial_margin_mm=5.0, caudal_level="L3", caudal_margin_mm=5.0, off_centre_mm=(0.0, 45.0), has_table=False,
    )  # fmt: skip
    return render_ct(build_patient(PatientParameters(), 5), scanner, 5)


@pytest.fixture(scope="module")
def stage():
    spec = importlib.util.spec_from_file_location("mask_regions", STAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.mask_regions


@pytest.fixture
def cohort(tmp_path, scan) -> Path:
    """The products of the earlier stages for two patients with the same anatomy."""
    for patient in PATIENTS:
        outputs = Outputs(Scan(patient, "preop", "ct", tmp_path, {}))
        for name, image in (
            ("ct", scan.ct), ("desc-vertebrae_dseg", scan.vertebrae), ("desc-bodies_dseg", scan.bodies)
        ):  # fmt: skip
            outputs.write_volume(name, volume_of(image))
        outputs.write_json("desc-vertebrae_dseg", true_l3(scan).to_json())
    return tmp_path


def volume_of(image) -> Volume:
    voxels = np.asarray(image.voxels)
    return Volume(voxels, Geometry(voxels.shape, image.spacing_mm, image.origin_mm, np.asarray(image.direction)))


def screw_of(scan: RenderedScan, length_mm: float = 40.0, **changes):
    """A screw of the left pedicle that is turned by 8 degrees from its axis, as a row of the unit holds it."""
    isthmus, direction = scan.truth.geometry["L3"].pedicles["left"]
    along = unit_vector(direction + np.tan(np.deg2rad(8.0)) * np.array([0.0, 0.0, 1.0]))
    entry = isthmus - 12.0 * along
    tip = entry + length_mm * along
    given = {"level": "L3", "side": "left", "entry_mm": entry.tolist(), "tip_mm": tip.tolist()}
    return given | {"diameter_mm": 5.0, "source": "planned"} | changes


def placed(cohort: Path, stage, screws, calls: list[str] | None = None) -> list[RegionSet]:
    """The regions of every patient after the stage; `screws` are those of P1, `calls` remembers who was computed."""
    rows = [{"patient_id": patient, "session": "preop", "modality": "ct", "screw_axes": []} for patient in PATIENTS]
    rows[0]["screw_axes"] = screws

    def computed(scan, settings, outputs):
        if calls is not None:
            calls.append(scan.patient_id)
        stage(scan, settings, outputs)

    outcomes = run_unit(computed, StageRun("mask_regions", "u0000001", cohort, rows, SETTINGS, "key", None))
    assert [str(record.status) for _, record in outcomes] == ["ok", "ok"]
    return [RegionSet.read(scan.product("desc-regions_weights", ".npz")) for scan, _ in outcomes]


def test_a_given_screw_is_followed_and_its_change_measures_its_patient_alone(scan, stage, cohort):
    """The line through the weights lies along the screw: 0.5 degrees is a third of a voxel at the ends of 40 mm.

    Its volume is that of 5 x 40 mm to 5 %: cells of half a millimetre on the surface.
    """
    calls: list[str] = []
    screw = screw_of(scan)
    first, other = placed(cohort, stage, [screw], calls)
    placed(cohort, stage, [screw], calls)
    assert calls == ["P1", "P2"]
    shorter, _ = placed(cohort, stage, [screw_of(scan, length_mm=30.0)], calls)
    assert calls == ["P1", "P2", "P1"]

    trajectory = first.find("L3", "trajectory", "left")
    assert trajectory.trajectory_source == "planned"
    assert [other.find("L3", "trajectory", side).trajectory_source for side in ("left", "right")] == ["anatomical"] * 2
    assert first.find("L3", "trajectory", "right").trajectory_source == "anatomical"
    grid, weights = first.geometry, trajectory.weights
    points = grid.points_mm(np.stack(np.unravel_index(weights.indices, grid.shape), axis=-1))
    centred = points - np.average(points, axis=0, weights=weights.weights)
    line = np.linalg.svd(centred * np.sqrt(weights.weights)[:, None], full_matrices=False)[2][0]
    wanted = unit_vector(np.subtract(screw["tip_mm"], screw["entry_mm"]))
    assert np.degrees(np.arccos(abs(line @ wanted))) < 0.5
    volume_mm3 = weights.effective_voxels * grid.voxel_volume_mm3
    assert volume_mm3 == pytest.approx(np.pi * 2.5**2 * 40.0, rel=0.05)
    assert shorter.find("L3", "trajectory", "left").weights.effective_voxels < 0.85 * weights.effective_voxels


def test_a_screw_in_other_coordinates_or_of_the_other_side_has_a_reason(scan, stage, cohort):
    """RAS instead of LPS turns x and y around; left and right mixed up show in where the screw enters."""
    screw = screw_of(scan)
    mirrored = {name: [-screw[name][0], -screw[name][1], screw[name][2]] for name in ("entry_mm", "tip_mm")}
    for wrong, side in ((screw | mirrored, "left"), (screw | {"side": "right"}, "right")):
        region = placed(cohort, stage, [wrong])[0].find("L3", "trajectory", side)
        assert region.weights is None
        assert region.reason is Reason.SCREW_ELSEWHERE
