"""Writing one DICOM file, with a preamble and a meta header that depend on nothing but the content."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID
from pydicom.valuerep import format_number_as_ds

from spongiosa.synthetic.dicom_identity import IMPLEMENTATION_VERSION_NAME, derived_uid


def new_dataset(sop_class: UID, transfer_syntax: UID) -> Dataset:
    """Empty data set with its file meta information (PS3.10, 7.1)."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.FileMetaInformationVersion = b"\0\1"
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    dataset.file_meta.ImplementationClassUID = derived_uid("implementation")
    dataset.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    dataset.SOPClassUID = sop_class
    return dataset


def write_dataset(dataset: Dataset, path: Path, instance_uid: UID) -> Path:
    """Write `dataset` as the instance `instance_uid`."""
    dataset.SOPInstanceUID = instance_uid
    dataset.file_meta.MediaStorageSOPInstanceUID = instance_uid
    dataset.save_as(path, enforce_file_format=True, overwrite=True)
    return path


def decimal(value: float) -> str:
    """Decimal string (VR DS) of at most 16 characters, as exact as that allows; never a negative zero."""
    return format_number_as_ds(float(value) + 0.0)


def decimals(values: object) -> list[str]:
    return [decimal(value) for value in values]  # type: ignore[attr-defined]
