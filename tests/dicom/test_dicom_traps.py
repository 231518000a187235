"""Every trap ends as it must: converted without loss, or excluded for its true reason."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.assembly import assemble_frames
from spongiosa.dicom.faults import REASONS_IN_ORDER
from spongiosa.dicom.headers import read_headers
from spongiosa.dicom.sources import list_sources
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import oriented_lps, read_volume

from .trap_images import Ingest
from .traps import CONVERTED, TRAPS, Trap, obtained

REPOSITORY = Path(__file__).parents[2]
REAL = REPOSITORY.parent / "shared" / "data"
TABLE = REPOSITORY / "docs" / "dicom_traps.tsv"


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)
def test_a_synthetic_trap_ends_as_expected(trap: Trap, tmp_path: Path):
    assert obtained(trap, tmp_path) == trap.expected


def test_every_reason_of_the_traps_has_its_place_in_the_order():
    reasons = {trap.expected for trap in TRAPS} - {CONVERTED}
    assert reasons <= {reason.value for reason in REASONS_IN_ORDER}


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap.expected != CONVERTED], ids=lambda trap: trap.name)
def test_an_exclusion_tells_a_person_what_is_wrong_and_no_name(trap: Trap, tmp_path: Path):
    path = trap.build(tmp_path)
    with pytest.raises(Excluded) as caught:
        trap.ingest(path)
    sentence = caught.value.detail
    assert re.match("[A-Z0-9]", sentence) and sentence.endswith(".") and len(sentence.split()) >= 6
    assert "/" not in sentence and str(tmp_path.name) not in sentence
    assert not re.search(r"CANARY|IM0000|2\.25\.", sentence)


def _real_rows() -> list[dict[str, str]]:
    with TABLE.open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="the real images are not beside the repository")
@pytest.mark.parametrize("row", _real_rows(), ids=lambda row: f"{row['folder']} as {row['modality']}")
def test_a_real_trap_ends_as_the_table_says(row: dict[str, str]):
    path = (REAL / "dicom_traps" / row["folder"]).resolve()
    try:
        Ingest(modality=row["modality"])(path)
    except Excluded as fault:
        assert row["expected"] == "excluded" and fault.reason == row["reason"]
    else:
        assert row["expected"] == CONVERTED


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="the real images are not beside the repository")
def test_two_real_mr_slices_equal_their_published_volume():
    folder = REAL / "dicom_traps" / "slicecount"
    scan = Ingest(series=SeriesSettings(minimum_slices=2), modality="mr")(folder / "001")
    mine, published = oriented_lps(scan.volume), oriented_lps(read_volume(folder / "001_ground_truth.nii.gz"))
    assert mine.geometry.is_same_as(published.geometry, tolerance_mm=1e-3)
    np.testing.assert_array_equal(mine.voxels, published.voxels)


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="the real images are not beside the repository")
def test_filling_the_gap_of_a_real_scan_keeps_every_measured_slice():
    """One of 5 slices is missing: the others come through unchanged, and the new one is the mean of its neighbours.

    1 HU: the mean is rounded to a whole number.
    """
    folder = REAL / "dicom_traps" / "sliceincrement" / "001"
    settings = ConvertSettings(fill_missing_slices=True)
    frames, _ = read_headers(list_sources(folder, SeriesSettings()), threads=1)
    scan = assemble_frames(frames, "ct", SeriesSettings(), settings)
    assert scan.volume.voxels.shape == (5, 512, 512)
    assert scan.acquisition["flags"] == ["missing_slices_interpolated"]
    below, filled, above = scan.volume.voxels[2:5].astype(float)
    assert np.abs(filled - (below + above) / 2).max() <= 1.0


def test_reasons_stand_in_the_order_once():
    assert len(set(REASONS_IN_ORDER)) == len(REASONS_IN_ORDER)
    assert REASONS_IN_ORDER.index(Reason.MISSING_SLICES) < REASONS_IN_ORDER.index(Reason.GANTRY_TILT)
