"""Classic MR series: one MR Image Storage instance per slice (PS3.3 A.4)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from spongiosa.synthetic.dicom_ct import add_frame_of_reference
from spongiosa.synthetic.dicom_file import decimal, new_dataset, write_dataset
from spongiosa.synthetic.dicom_geometry import PatientPosition, add_plane_module, set_slice_position, slice_planes
from spongiosa.synthetic.dicom_identity import StudyIdentity, add_identity, add_series_identity
from spongiosa.synthetic.dicom_pixels import add_monochrome_pixel_format, set_pixel_data
from spongiosa.synthetic.image import SyntheticImage


@dataclass(frozen=True)
class MrSeries:
    """One spin echo series; times in ms, field in tesla. The default is a sagittal T1 turbo spin echo at 3 T."""

    number: int = 3
    description: str = "t1_tse_sag"
    repetition_time_ms: float = 600.0
    echo_time_ms: float = 9.0
    echo_train_length: int = 3
    flip_angle_degrees: float = 150.0
    field_strength_t: float = 3.0
    slice_thickness_mm: float | None = None
    patient_position: PatientPosition = "HFS"
    manufacturer: str = "SIEMENS"
    model: str = "Skyra"
    transfer_syntax: UID = ExplicitVRLittleEndian
    file_name: str = "IM{number:06d}"


T1_SAGITTAL = MrSeries()
T2_SAGITTAL = MrSeries(
    number=4, description="t2_tse_sag", repetition_time_ms=3500.0, echo_time_ms=95.0, echo_train_length=17
)


def write_mr_series(image: SyntheticImage, folder: Path, identity: StudyIdentity, series: MrSeries) -> list[Path]:
    """Write `image`, signal intensities of 0 to 4095 (clipped) in `(z, y, x)`, as one file per slice."""
    planes = slice_planes(image)
    dataset = _mr_header(identity, series)
    add_plane_module(dataset, planes, series.slice_thickness_mm or planes.spacing_mm)
    dataset.SpacingBetweenSlices = decimal(planes.spacing_mm)
    dataset.Rows, dataset.Columns = planes.rows, planes.columns
    stored = np.clip(np.rint(np.asarray(image.voxels, dtype=np.float32)), 0, 4095).astype("<u2")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, frame in enumerate(stored):
        dataset.InstanceNumber = index + 1
        set_slice_position(dataset, planes, index)
        set_pixel_data(dataset, frame[None], series.transfer_syntax)
        instance_uid = identity.uid("instance", series.number, index, 0)
        name = series.file_name.format(number=index + 1, uid=instance_uid)
        paths.append(write_dataset(dataset, folder / name, instance_uid))
    return paths


def _mr_header(identity: StudyIdentity, series: MrSeries) -> Dataset:
    dataset = new_dataset(MRImageStorage, series.transfer_syntax)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    add_identity(dataset, identity)
    add_series_identity(dataset, identity, series.number, series.description, "LWS MRT")
    dataset.Modality = "MR"
    dataset.PatientPosition = series.patient_position
    dataset.BodyPartExamined = "LSPINE"
    add_frame_of_reference(dataset, identity)
    dataset.Manufacturer = series.manufacturer
    dataset.ManufacturerModelName = series.model
    dataset.ScanningSequence = "SE"
    dataset.SequenceVariant = "SK"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime = decimal(series.repetition_time_ms)
    dataset.EchoTime = decimal(series.echo_time_ms)
    dataset.EchoTrainLength = series.echo_train_length
    dataset.FlipAngle = decimal(series.flip_angle_degrees)
    dataset.MagneticFieldStrength = decimal(series.field_strength_t)
    dataset.AcquisitionNumber = 1
    dataset.PatientOrientation = ""
    add_monochrome_pixel_format(dataset, bits_stored=12, is_signed=False)
    return dataset
