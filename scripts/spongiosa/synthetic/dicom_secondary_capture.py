"""Secondary captures: pictures filed beside the scan, with no place in the patient (PS3.3 A.8)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from spongiosa.synthetic.dicom_file import new_dataset, write_dataset
from spongiosa.synthetic.dicom_identity import StudyIdentity, add_identity, add_series_identity
from spongiosa.synthetic.dicom_pixels import add_monochrome_pixel_format, set_pixel_data
from spongiosa.synthetic.image import SyntheticImage

_BONE_WINDOW_HU = (-200.0, 800.0)


def write_secondary_capture(
    image: SyntheticImage, folder: Path, identity: StudyIdentity, number: int = 99, description: str = "Screen Save"
) -> list[Path]:
    """Write the middle slice of `image` at a bone window as an 8 bit screenshot without geometry."""
    low, high = _BONE_WINDOW_HU
    middle = np.asarray(image.voxels[len(image.voxels) // 2], dtype=np.float32)
    grey = np.rint(np.clip((middle - low) / (high - low), 0.0, 1.0) * 255.0).astype(np.uint8)
    dataset = new_dataset(SecondaryCaptureImageStorage, ExplicitVRLittleEndian)
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    add_identity(dataset, identity)
    add_series_identity(dataset, identity, number, description, "LWS nativ")
    dataset.Modality = "CT"
    dataset.BodyPartExamined = "LSPINE"
    dataset.ConversionType = "WSD"
    dataset.InstanceNumber = 1
    dataset.PatientOrientation = ""
    dataset.Manufacturer = "SIEMENS"
    add_monochrome_pixel_format(dataset, bits_stored=8, is_signed=False)
    dataset.Rows, dataset.Columns = grey.shape
    set_pixel_data(dataset, grey[None], ExplicitVRLittleEndian)
    folder.mkdir(parents=True, exist_ok=True)
    return [write_dataset(dataset, folder / "SC000001", identity.uid("instance", number, 0, 0))]
