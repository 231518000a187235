"""A replaced image is seen by sizes and times."""

import os

from spongiosa.cohort.fingerprint import (
    ABSENT,
    fingerprint_of_path,
    fingerprint_of_scan,
    image_part,
    labels_part,
    read_fingerprints,
    write_fingerprints,
)
from spongiosa.cohort.manifest import ScanRow


def test_a_replaced_file_changes_the_fingerprint_of_its_folder(tmp_path):
    (tmp_path / "deep").mkdir()
    slice_file = tmp_path / "deep" / "slice1"
    slice_file.write_bytes(b"first")
    before = fingerprint_of_path(str(tmp_path))
    slice_file.write_bytes(b"other")
    os.utime(slice_file, ns=(1, 1))
    assert fingerprint_of_path(str(tmp_path)) != before


def test_a_renamed_file_changes_the_fingerprint(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    before = fingerprint_of_path(str(tmp_path))
    (tmp_path / "a").rename(tmp_path / "b")
    assert fingerprint_of_path(str(tmp_path)) != before


def test_a_missing_input_has_a_fingerprint_of_its_own(tmp_path):
    assert fingerprint_of_path(str(tmp_path / "none")) == ABSENT


def test_a_broken_link_is_no_error(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert fingerprint_of_path(str(tmp_path)) != ABSENT


def test_image_and_labels_have_parts_of_their_own(tmp_path):
    image, labels = tmp_path / "ct.nii", tmp_path / "labels.nii"
    image.write_bytes(b"image")
    labels.write_bytes(b"labels")
    row = ScanRow("P1", "preop", "ct", str(image), labels=str(labels), label_scheme="verse")
    before = fingerprint_of_scan(row)
    labels.write_bytes(b"new labels")
    after = fingerprint_of_scan(row)
    assert image_part(after) == image_part(before)
    assert labels_part(after) != labels_part(before)


def test_fingerprints_survive_the_table(tmp_path):
    path = tmp_path / "fingerprints.tsv"
    fingerprints = {("P1", "preop", "ct"): "a//", ("P2", "postop", "ct"): "absent//"}
    write_fingerprints(path, fingerprints)
    assert read_fingerprints(path) == fingerprints
