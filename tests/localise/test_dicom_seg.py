"""DICOM Segmentation objects as label maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from spongiosa.anatomy.levels import Level, level_name
from spongiosa.localise.dicom_seg import SEGMENTATION_STORAGE
from spongiosa.localise.imported import import_labels
from spongiosa.localise.label_files import read_label_map
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume


def segmentation(labels: Volume, names: dict[int, str], skip: tuple[int, ...] = ()) -> Dataset:
    """A binary DICOM SEG with one segment per label, its frames only where the label is, in no order of position.

    Segments are numbered 1, 2, ... in the order of `names`.  Source: DICOM PS3.3, A.51 and C.8.20.
    """
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = SEGMENTATION_STORAGE
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.SOPClassUID, dataset.Modality, dataset.SegmentationType = SEGMENTATION_STORAGE, "SEG", "BINARY"
    _, dataset.Rows, dataset.Columns = labels.voxels.shape
    dataset.BitsAllocated = dataset.BitsStored = dataset.SamplesPerPixel = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    x_mm, y_mm, z_mm = labels.geometry.spacing_mm
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [y_mm, x_mm], z_mm
    orientation.ImageOrientationPatient = [*labels.geometry.direction[:, 0], *labels.geometry.direction[:, 1]]
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    segments, groups, frames = [], [], []
    for number, (label, name) in enumerate(names.items(), start=1):
        segment = Dataset()
        segment.SegmentNumber, segment.SegmentLabel, segment.SegmentAlgorithmType = number, name, "AUTOMATIC"
        segments.append(segment)
        for slot in np.flatnonzero((labels.voxels == label).any(axis=(1, 2)))[::-1]:
            if slot in skip:
                continue
            group, position, identification = Dataset(), Dataset(), Dataset()
            position.ImagePositionPatient = [float(v) for v in labels.geometry.points_mm(np.array([slot, 0, 0]))]
            identification.ReferencedSegmentNumber = number
            group.PlanePositionSequence = Sequence([position])
            group.SegmentIdentificationSequence = Sequence([identification])
            groups.append(group)
            frames.append(labels.voxels[slot] == label)
    dataset.SegmentSequence = Sequence(segments)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    dataset.NumberOfFrames = len(frames)
    packed = np.packbits(np.stack(frames).ravel(), bitorder="little").tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    return dataset


@pytest.fixture
def written(tmp_path: Path):
    def write(dataset: Dataset) -> Path:
        path = tmp_path / "seg.dcm"
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        return path

    return write


def test_a_dicom_seg_that_names_its_segments_needs_no_scheme(lumbar_column, written):
    names = {int(level): f"vertebrae_{level.name}" for level in lumbar_column.centre_mm}
    path = written(segmentation(lumbar_column.vertebrae, names))
    spine = import_labels(lumbar_column.scan, path)
    assert [vertebra.level for vertebra in spine.description.vertebrae] == ["T12", "L1", "L2", "L3", "L4"]
    assert spine.description.gates["label_scheme"] == "dicom_seg"
    assert np.array_equal(spine.vertebrae.voxels, lumbar_column.vertebrae.voxels)


def test_slices_without_a_segment_are_put_in_their_place(lumbar_column, written):
    """The frames of L1 and L4 only: the slices between hold nothing and have no frame."""
    names = {int(level): f"{level_name(level)} vertebra" for level in (Level.L4, Level.L1)}
    source = read_label_map(written(segmentation(lumbar_column.vertebrae, names)))
    assert source.level_by_label == {1: Level.L4, 2: Level.L1}
    for number, level in source.level_by_label.items():
        found = source.volume.geometry.points_mm(np.argwhere(source.volume.voxels == number)).mean(axis=0)
        true = lumbar_column.vertebrae.geometry.points_mm(np.argwhere(lumbar_column.vertebrae.voxels == level))
        assert np.allclose(found, true.mean(axis=0), atol=1e-3)


def test_segments_without_names_of_levels_are_told_by_their_numbers(lumbar_column, written):
    """Named as `spine` and numbered 1 to 5, which is no scheme: a refusal that asks for one."""
    names = {int(level): "spine" for level in lumbar_column.centre_mm}
    with pytest.raises(Excluded) as refusal:
        import_labels(lumbar_column.scan, written(segmentation(lumbar_column.vertebrae, names)))
    assert refusal.value.reason is Reason.LABELS_IMPLAUSIBLE
    assert "label_scheme" in refusal.value.detail


def test_another_dicom_object_is_refused(lumbar_column, written):
    dataset = segmentation(lumbar_column.vertebrae, {int(Level.L3): "L3"})
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    with pytest.raises(Excluded) as refusal:
        read_label_map(written(dataset))
    assert refusal.value.reason is Reason.LABELS_UNREADABLE
