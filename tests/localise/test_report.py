"""The page about a folder of scans: what counts as a scan, and what is compared and said."""

from __future__ import annotations

import numpy as np
import pytest

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.anatomy.levels import Level
from spongiosa.localise import report
from spongiosa.localise.describe import describe
from spongiosa.localise.report_scans import ReportScan, read_scan, scans_of
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume, write_volume


def spine_of(vertebrae: Volume, bodies: Volume) -> LocalisedSpine:
    labels = [int(label) for label in np.unique(bodies.voxels) if label]
    described = describe(vertebrae, bodies, frozenset(), dict.fromkeys(labels, 0.9), {})
    return LocalisedSpine(vertebrae, bodies, SpineDescription("embedded", 0.9, described))


@pytest.fixture
def scan(lumbar_column) -> Volume:
    """The column in a patient with air about him, without which the ingest would not believe the HU."""
    voxels = lumbar_column.scan.voxels.copy()
    voxels[:, :20], voxels[:, 20:24, :8] = -1000, 900
    return Volume(voxels, lumbar_column.scan.geometry)


@pytest.fixture
def folder(scan, lumbar_column, tmp_path):
    """Two scans, one with its truth; a mask and a folder of DICOM below."""
    write_volume(scan, tmp_path / "first.nii.gz")
    write_volume(lumbar_column.vertebrae, tmp_path / "first_vertebrae.nii.gz")
    write_volume(lumbar_column.bodies, tmp_path / "first_bodies.nii.gz")
    (tmp_path / "second").mkdir()
    write_volume(scan, tmp_path / "second" / "sub-2_ct.nii.gz")
    write_volume(lumbar_column.vertebrae, tmp_path / "second" / "sub-2_msk.nii.gz")
    (tmp_path / "third" / "series").mkdir(parents=True)
    (tmp_path / "third" / "series" / "IM0001").write_bytes(b"not really")
    return tmp_path


def test_scans_truths_and_folders_of_dicom_are_told_apart(folder):
    first, second, third = scans_of(folder)
    truths = (folder / "first_vertebrae.nii.gz", folder / "first_bodies.nii.gz")
    assert (first.name, first.vertebrae, first.bodies) == ("first", *truths)
    assert (second.path, second.vertebrae) == (folder / "second" / "sub-2_ct.nii.gz", None)
    assert (third.name, third.path) == ("third-series", folder / "third" / "series")


def test_a_table_names_truths_of_any_scheme_beside_it(folder):
    table = folder / "scans.tsv"
    table.write_text(
        "name\tpath\tvertebrae\tbodies\tscheme\na\tfirst.nii.gz\tv.nii.gz\t\ttotalsegmentator\nb\tb.mha\t\t\t\n"
    )
    assert scans_of(table) == [
        ReportScan("a", folder / "first.nii.gz", folder / "v.nii.gz", None, "totalsegmentator"),
        ReportScan("b", folder / "b.mha"),
    ]


def test_a_scan_is_read_as_the_workflow_reads_it(folder, scan):
    assert np.array_equal(read_scan(folder / "first.nii.gz").voxels, scan.voxels)
    with pytest.raises(Excluded):
        read_scan(folder / "third" / "series")


def test_levels_are_compared_with_the_truth_under_them(lumbar_column):
    """Every level one too high, and the body of L3 without its left half."""
    table = np.arange(256, dtype=np.uint8)
    table[[19, 20, 21, 22, 23]] = [18, 19, 20, 21, 22]
    bodies = lumbar_column.bodies.voxels.copy()
    bodies[:, :, bodies.shape[2] // 2 :][bodies[:, :, bodies.shape[2] // 2 :] == Level.L3] = 0
    moved = spine_of(
        Volume(table[lumbar_column.vertebrae.voxels], lumbar_column.vertebrae.geometry),
        Volume(table[bodies], lumbar_column.bodies.geometry),
    )
    truth = spine_of(lumbar_column.vertebrae, lumbar_column.bodies)
    rows = report.compare(moved, truth)
    assert [(row.level, row.true_level) for row in rows] == [
        ("T11", "T12"),
        ("T12", "L1"),
        ("L1", "L2"),
        ("L2", "L3"),
        ("L3", "L4"),
    ]
    assert all(row.is_wrong for row in rows)
    assert rows[0].dice_body == 1.0
    assert rows[3].dice_body == pytest.approx(2 / 3, abs=0.03)  # half of it: 2 * 0.5 / 1.5; a column of voxels is 3 %
    assert not any(row.is_wrong for row in report.compare(truth, truth))


def test_the_page_begins_with_what_is_wrong_and_tells_why_a_scan_was_refused(folder, scan, lumbar_column, monkeypatch):
    truth = spine_of(lumbar_column.vertebrae, lumbar_column.bodies)

    def localise(volume: Volume) -> LocalisedSpine:
        if volume.voxels.max() < 400:
            raise Excluded(Reason.NO_SPINE, "No <bone>.")
        return truth

    monkeypatch.setattr(report, "localise_embedded", localise)
    write_volume(Volume(np.minimum(scan.voxels, 390), scan.geometry), folder / "boneless.nii.gz")
    report.main([str(folder), str(folder / "page")])
    text = (folder / "page" / "index.html").read_text(encoding="utf-8")
    assert text.index("<h2 id='first'>") < text.index("<h2 id='boneless'>")
    assert "no_spine: No &lt;bone&gt;." in text
    assert "<td>L3</td><td>L3</td><td>1.000</td>" in text
    assert (folder / "page" / "first.png").stat().st_size > 5_000
    assert "third-series" in text  # its files are no DICOM, and the page says so
