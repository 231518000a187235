"""Real images from end to end: measured where they can be, and left out for their true reason where not."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real images do not lie beside the repository"),
]

#: Trabecular means of L1-L5, inset 6 mm, by hand from the label maps of the data set. [HU]
LUMBAR_HU = {"L1": 112, "L2": 112, "L3": 108, "L4": 108, "L5": 114}


def trap_rows():
    """Patient id -> row of docs/dicom_traps.tsv, for the folders that are converted or excluded as CT."""
    with (ROOT / "docs" / "dicom_traps.tsv").open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle, delimiter="\t") if row["modality"] == "ct"]
    return {f"TRAP{number}": row for number, row in enumerate(rows, start=1) if not row["folder"].startswith("..")}


@pytest.fixture(scope="module")
def results(tmp_path_factory, run_study):
    """One run over all real images."""
    folder = tmp_path_factory.mktemp("real")
    lumbar = DATA / "lumbar_ct_3mm"
    rows = [
        (
            "LUMBAR",
            lumbar / "ct.nii.gz",
            lumbar / "vertebrae.nii.gz",
            lumbar / "bodies_and_discs.nii.gz",
            "totalsegmentator",
        ),
        ("CHEST", DATA / "chest_ct" / "ct.nii.gz", "", "", ""),
        ("ABDOMEN", DATA / "upper_abdomen_dicom_j2k", "", "", ""),
        *((patient, DATA / "dicom_traps" / row["folder"], "", "", "") for patient, row in trap_rows().items()),
    ]
    lines = ["patient_id\tpath\tlabels\tbody_labels\tlabel_scheme", *("\t".join(map(str, row)) for row in rows)]
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    study = {"cohort": {"manifest": "manifest.tsv", "patients_per_job": 5}, "output_dir": "results"}
    return run_study(folder, study) / "results"


@pytest.fixture(scope="module")
def scans(results):
    return pd.read_parquet(results / "cohort" / "scans.parquet").set_index("patient_id")


def test_the_lumbar_scan_has_the_trabecular_hu_of_its_labels(results):
    """5 HU: the bound of the specification; a smaller inset would read blurred cortex at 3 mm voxels."""
    measured = pd.read_parquet(results / "cohort" / "measurements.parquet")
    rows = measured[(measured["patient_id"] == "LUMBAR") & (measured["region"] == "body_trabecular")]
    hu = rows.set_index("level")["hu_mean_inset_6mm"].dropna()
    assert hu.to_dict() == {level: pytest.approx(value, abs=5.0) for level, value in LUMBAR_HU.items()}


def test_the_chest_has_no_lumbar_vertebra(scans):
    assert scans.loc["CHEST", ["status", "reason"]].tolist() == ["excluded", "no_lumbar_vertebra"]


def test_the_slab_of_the_abdomen_is_decoded_and_too_short(scans):
    assert scans.loc["ABDOMEN", ["status", "reason"]].tolist() == ["excluded", "field_of_view"]
    assert scans.loc["ABDOMEN", "stage"] == "localise_vertebrae", "the JPEG 2000 images were decoded"


@pytest.mark.parametrize("patient", trap_rows() if DATA.is_dir() else ["TRAP1"])
def test_each_trap_is_left_out_for_its_true_reason(scans, patient):
    expected = trap_rows()[patient]
    assert scans.loc[patient, "status"] == expected["expected"], expected["folder"]
    assert scans.loc[patient, "reason"] == expected["reason"], expected["folder"]


def test_no_exclusion_says_only_error_and_none_names_a_path(scans):
    sentences = scans["detail"].dropna()
    assert sentences.str.len().min() > 30
    assert not sentences.str.contains(str(DATA), regex=False).any()
