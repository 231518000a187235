"""What is kept of a converted scan, and what a stage finds that needs it again."""

import json
import shutil

import numpy as np
import pytest

from spongiosa.cohort import keeping
from spongiosa.cohort.conversion import Conversion
from spongiosa.cohort.handover import plan_path, write_plan
from spongiosa.cohort.keeping import restorer, trim, trim_unit
from spongiosa.cohort.kept import read_kept, write_kept
from spongiosa.cohort.runner import StageRun, run_unit
from spongiosa.cohort.scan import Scan
from spongiosa.cohort.store import Store
from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.index import index_input
from spongiosa.outcome import Excluded, Reason
from spongiosa.provenance import file_digest
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.region import Region, RegionSet
from spongiosa.synthetic.dicom_writer import write_ct_series
from spongiosa.volume import Volume, read_volume

from ..dicom.trap_images import PATIENT, SERIES, body_image

SECRET = "correct horse battery staple"
OK = {"localise_vertebrae": "ok", "extract_density": "ok"}
CONFIG = {"cohort": {"manifest": "none.tsv", "secret": "secret"}}
UNIT = "u0000001"


@pytest.fixture
def scan(tmp_path, monkeypatch):
    """A scan that was indexed, converted, and measured in a region at its side, as the stages leave it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text(SECRET)
    write_ct_series(body_image(), tmp_path / "dicom", PATIENT, SERIES)
    row = {"patient_id": "P1", "session": "preop", "modality": "ct", "path": str(tmp_path / "dicom")}
    known = row | {"corrections": {}}
    write_plan(plan_path(tmp_path / "results"), [(UNIT, [known])], [])

    def index(one, _settings, outputs):
        patient = PatientIdentity(SECRET.encode(), one.patient_id)
        outputs.write_rows(
            "desc-series", [r.to_row() for r in index_input(one.input_path, "ct", SeriesSettings(), patient=patient)]
        )

    run_unit(index, StageRun("index_series", UNIT, tmp_path / "results", [row], None, "s", None))
    run_unit(convert, stage_of(tmp_path, row))
    one = Scan("P1", "preop", "ct", tmp_path / "results", row)
    write_measured(one)
    return one


def stage_of(folder, row):
    return StageRun("convert_scan", UNIT, folder / "results", [row], None, "s", None)


def convert(one, _settings, outputs):
    conversion = Conversion(SeriesSettings(), ConvertSettings(), SECRET.encode())
    outputs.write_volume("ct", conversion.of(one).volume)


def write_measured(one):
    """A vertebra of a few voxels, and a region that reaches beyond it."""
    from spongiosa.nifti import write_compressed_nifti

    whole = read_volume(one.ct)
    labels = np.zeros(whole.voxels.shape, np.uint8)
    labels[5:7, 15:20, 20:25] = 20
    write_compressed_nifti(Volume(labels, whole.geometry), one.product("desc-vertebrae_dseg", ".nii.gz"))
    indices = np.ravel_multi_index(([8], [17], [30]), whole.voxels.shape).astype(np.int64)
    region = Region("L1", "fat", weights=VoxelWeights(indices, np.ones(1, np.float32)))
    RegionSet(whole.geometry, (region,)).write(one.product("desc-regions_weights", ".npz"))


def restore(one):
    restorer(CONFIG, one.output_dir, UNIT, threads=1)(one)


def is_current(one):
    store = Store(one, "convert_scan")
    return store.current(store.read().key) is not None


@pytest.mark.parametrize("keep", ["lumbar", "none"])
def test_a_scan_that_was_cut_comes_back_as_it_was(scan, keep):
    before = file_digest(scan.ct)
    assert trim(scan, OK, keep, "key", restore) == {"lumbar": "cut", "none": "removed"}[keep]
    assert is_current(scan), "the store takes it as it lies"
    assert trim(scan, OK, keep, "key", restore) == "nothing"
    restore(scan)
    assert file_digest(scan.ct) == before
    assert is_current(scan)


def test_the_cut_scan_holds_every_measured_voxel_in_its_place(scan):
    """The region lies at (8, 17, 30), outside of the vertebra; 10 mm are 5 slices of 2 mm, and 13 pixels of 0.8 mm."""
    whole = read_volume(scan.ct)
    trim(scan, OK, "lumbar", "key", restore)
    part = read_volume(scan.ct)
    assert part.voxels.shape == (12, 20 - 15 + 2 * 13, 31 - 20 + 2 * 13), "both ends of the scan are within 10 mm"
    lower = np.rint(whole.geometry.indices_zyx(part.geometry.points_mm(np.zeros(3)))).astype(int)
    assert lower.tolist() == [0, 2, 7]
    assert np.array_equal(part.voxels, whole.cropped(lower, lower + part.voxels.shape).voxels)


def test_what_was_removed_can_be_cut_or_whole_after_all(scan):
    before = file_digest(scan.ct)
    trim(scan, OK, "none", "a", restore)
    assert trim(scan, OK, "lumbar", "b", restore) == "cut"
    assert trim(scan, OK, "lumbar", "c", restore) == "cut", "a margin in changed code is a new cut"
    assert trim(scan, OK, "none", "d", restore) == "removed"
    assert not scan.ct.exists()
    assert trim(scan, OK, "full", "e", restore) == "whole"
    assert file_digest(scan.ct) == before


def test_an_excluded_scan_has_nothing_to_keep_and_a_failed_one_stays_for_a_person(scan):
    assert trim(scan, OK | {"extract_density": "failed"}, "none", "key", restore) == "whole"
    assert scan.ct.is_file()
    assert trim(scan, OK | {"extract_density": "excluded"}, "lumbar", "key", restore) == "removed"


def test_a_scan_that_was_never_converted_is_passed_over(tmp_path):
    assert trim(Scan("P9", "preop", "ct", tmp_path, {}), {}, "none", "key", restore) == "nothing"


def test_a_stage_finds_the_whole_scan(scan):
    trim(scan, OK, "none", "key", restore)
    seen = []

    def stage(one, _settings, _outputs):
        seen.append(read_volume(one.ct).voxels.shape)

    prepare = restorer(CONFIG, scan.output_dir, UNIT, threads=1)
    run = StageRun("mask_regions", UNIT, scan.output_dir, [scan.row], None, "s", None, prepare=prepare)
    ((_, record),) = run_unit(stage, run)
    assert str(record.status) == "ok"
    assert seen == [body_image().voxels.shape]


@pytest.mark.parametrize(("damage", "reason"), [("gone", Reason.INPUT_MISSING), ("other", Reason.INPUT_CHANGED)])
def test_an_input_that_is_not_the_same_any_more_is_said(scan, damage, reason):
    trim(scan, OK, "none", "key", restore)
    if damage == "gone":
        shutil.rmtree(scan.row["path"])
    else:
        for path in scan.input_path.iterdir():
            data = bytearray(path.read_bytes())
            data[-2000] ^= 1
            path.write_bytes(data)
    with pytest.raises(Excluded) as caught:
        restore(scan)
    assert caught.value.reason is reason
    assert not scan.ct.exists()


def test_a_failure_of_the_conversion_names_no_input(scan, monkeypatch, caplog):
    """A later stage does not know the path of the input, so that its log could not leave it out."""
    trim(scan, OK, "none", "key", restore)

    name = "_".join(["Doe", "John"])  # a traceback shows lines of code as well

    def broken(_conversion, _scan, path):
        raise PermissionError(f"cannot open {path}/{name}")

    monkeypatch.setattr(Conversion, "of", broken)
    with pytest.raises(RuntimeError, match="PermissionError while the scan was converted again") as caught:
        restore(scan)
    assert caught.value.__cause__ is None
    assert "<input>" in caplog.text and name not in caplog.text


def test_a_kill_at_any_moment_of_the_cut_loses_nothing(scan, monkeypatch):
    """The note is written before the file is replaced: until then the whole scan lies there, and counts as whole."""
    before = file_digest(scan.ct)

    def noted_and_killed(*arguments):
        write_kept(*arguments)
        raise KeyboardInterrupt

    for keep in ("none", "lumbar"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(keeping, "write_kept", noted_and_killed)
            trim(scan, OK, keep, "key", restore)
    assert read_kept(scan) is not None
    assert file_digest(scan.ct) == before and is_current(scan)
    assert trim(scan, OK, "none", "key", restore) == "removed"


def test_a_damaged_scan_costs_the_others_nothing(scan, tmp_path):
    other = Scan("P2", "preop", "ct", scan.output_dir, scan.row | {"patient_id": "P2"})
    shutil.copytree(scan.folder.parents[1], other.folder.parents[1])
    for path in other.folder.rglob("*P1*"):
        path.rename(path.with_name(path.name.replace("P1", "P2")))
    record = json.loads(Store(other, "convert_scan").record_path.read_text())
    record["outputs"] = {name.replace("P1", "P2"): facts for name, facts in record["outputs"].items()}
    Store(other, "convert_scan").record_path.write_text(json.dumps(record))
    data = bytearray(other.ct.read_bytes())
    data[len(data) // 2] ^= 255
    other.ct.write_bytes(data)
    statuses = {(one.patient_id, "preop", "ct"): OK for one in (scan, other)}
    rows = trim_unit([other, scan], statuses, "none", "key", restore)
    assert [(row["patient_id"], row["done"]) for row in rows] == [("P2", "failed"), ("P1", "removed")]
