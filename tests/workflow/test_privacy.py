"""No planted identifier leaves the DICOM, whatever becomes of the scan: measured, excluded, or failed."""

import shutil
import warnings

import pandas as pd
import pydicom
import pytest
import yaml
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from spongiosa.cohort.traces import traces
from spongiosa.synthetic.dicom_identity import CANARIES

from .conftest import ROOT, WORKFLOW, Project, make_patient

pytestmark = pytest.mark.workflow

#: Texts planted beside those that the generator writes into every identifying element.
PLANTED = {
    "folder": "CANARYFOLDER",
    "file": "CANARYFILE",
    "sequence": "CANARYSEQUENCE",
    "private sequence": "CANARYPRIVATESEQUENCE",
    "overlay": "CANARYOVERLAY",
    "burned in": "CANARYBURNEDIN",
    "technical element": "CANARYKERNEL",
    "labels": "CANARYLABELS",
}


def plant(dataset: Dataset) -> None:
    """Names in sequences, a private block, an overlay, and an element that is written for its technical value."""
    person = Dataset()
    person.PatientID = person.RequestedProcedureDescription = PLANTED["sequence"]
    dataset.OtherPatientIDsSequence = dataset.RequestAttributesSequence = Sequence([person])
    block = dataset.private_block(0x0029, "SPONGIOSA CANARY", create=True)
    inner = Dataset()
    inner.PatientComments = PLANTED["private sequence"]
    block.add_new(0x20, "SQ", Sequence([inner]))
    dataset.add_new(0x60000010, "US", 1)
    dataset.add_new(0x60000011, "US", 1)
    dataset.add_new(0x60001500, "LO", PLANTED["overlay"])
    dataset.add_new(0x60004000, "LT", PLANTED["overlay"])
    dataset.ContrastBolusAgent = dataset.Manufacturer = f"Scanner of {PLANTED['technical element']}"


def burned_in_picture(slice_of_scan: Dataset) -> Dataset:
    """A screenshot under the scan's own UID, whose pixels spell a name."""
    picture = pydicom.dcmread(slice_of_scan.filename)
    picture.SOPClassUID = picture.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    picture.SOPInstanceUID = picture.file_meta.MediaStorageSOPInstanceUID = f"{picture.SOPInstanceUID}.7"
    picture.BurnedInAnnotation = "YES"
    text = PLANTED["burned in"].encode()
    picture.PixelData = (text * (len(picture.PixelData) // len(text) + 1))[: len(picture.PixelData)]
    return picture


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A project of its own whose three patients carry every canary: one measured, one excluded, one failed."""
    folder = tmp_path_factory.mktemp("privacy") / "project"
    folder.mkdir()
    for name in WORKFLOW:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, folder / name)
    project = Project(folder)
    lines = ["patient_id\tpath\tlabels\tlabel_scheme"]
    for number, patient in enumerate(("P1", "P2", "P3"), start=1):
        make_patient(folder / "input", patient, number, 100.0)
        home = folder / "input" / f"{PLANTED['folder']}^{patient} 19120229"
        (folder / "input" / "dicom" / patient).rename(home)
        files = sorted(path for path in home.rglob("*") if path.is_file())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the planted values are odd on purpose
            burned_in_picture(pydicom.dcmread(files[3])).save_as(home / f"{PLANTED['file']}.picture")
            for path in files[: len(files) // 2 if patient == "P2" else None]:
                dataset = pydicom.dcmread(path)
                plant(dataset)
                dataset.save_as(path)
        for path in files:
            path.rename(path.with_name(f"=cmd {PLANTED['file']} <b>{path.name}"))
        if patient == "P2":
            for path in sorted(home.rglob("=cmd*"))[::3]:
                path.write_bytes(path.read_bytes()[:900])
        labels = folder / "input" / f"{PLANTED['labels']}-{patient}.nii.gz"
        (folder / "input" / "labels" / f"{patient}.nii.gz").rename(labels)
        lines.append(f"{patient}\t{home.name}\t{labels.name}\tverse")
    (folder / "input" / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    stage = "    assembled = conversion.of(scan)\n"
    bug = '    if scan.patient_id == "P3":\n        open(next(scan.input_path.glob("=cmd*")) / "x")\n'
    project.edit("scripts/convert_scan.py", stage, bug + stage)
    (folder / "input" / "clinical.csv").write_text("patient_id,dxa_date\nP1,2024-03-01\n", encoding="utf-8")
    study = {
        "clinical": {"table": "input/clinical.csv"},
        "cohort": {"manifest": "input/manifest.tsv", "patients_per_job": 3},
        "convert": {"patient_age": "bands", "patient_sex": "keep", "dates": "offset"},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    run = project.run()
    return project, run


def test_each_scan_ended_as_it_was_meant_to(searched):
    project, run = searched
    assert run.exit_status != 0, "a scan failed"
    scans = pd.read_parquet(project.results / "cohort" / "scans.parquet").set_index("patient_id")
    assert scans["status"].to_dict() == {"P1": "ok", "P2": "excluded", "P3": "failed"}
    assert scans.loc["P3", "reason"] == "unexpected_error"


def test_age_sex_and_interval_pass_as_configured(searched):
    """The date of birth of everybody is in 1912, the scan was made on 11 March 2024: an age of 90 or more."""
    project, _ = searched
    patients = pd.read_parquet(project.results / "cohort" / "patients.parquet").set_index("patient_id")
    assert patients.loc["P1", ["age_years", "sex", "ct_dxa_interval_days"]].tolist() == [90.0, "female", 10]


def test_no_planted_text_is_in_a_byte_of_the_results_or_of_what_the_run_printed(searched):
    project, run = searched
    planted = [part for text in CANARIES.values() for part in text.split("^") if len(part) >= 6]
    planted += [*PLANTED.values(), "20240311", "2024-03-11", "2024-03-01", "2.25."]
    inputs = {text for _, text in traces(project.folder / "input", planted)}
    assert set(PLANTED.values()) <= inputs, "what was planted is found in the input"
    assert traces(project.results, planted) == []
    assert [text for text in planted if text.lower() in run.output.lower()] == []


def test_the_traceback_of_the_failure_is_there_without_the_name_of_the_file(searched):
    project, _ = searched
    logs = "".join(path.read_text(encoding="utf-8") for path in (project.results / "logs" / "convert_scan").iterdir())
    assert "NotADirectoryError" in logs and "<input>" in logs
