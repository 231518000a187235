"""Classic CT series: one CT Image Storage instance per slice (PS3.3 A.3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from spongiosa.synthetic.dicom_faults import CORONAL_ORIENTATION, SeriesFaults, slices_to_write
from spongiosa.synthetic.dicom_file import decimal, decimals, new_dataset, write_dataset
from spongiosa.synthetic.dicom_geometry import (
    PatientPosition,
    SlicePlanes,
    add_plane_module,
    gantry_tilt_degrees,
    set_slice_position,
    slice_planes,
)
from spongiosa.synthetic.dicom_identity import StudyIdentity, add_identity, add_series_identity
from spongiosa.synthetic.dicom_pixels import PixelStorage, set_pixel_data
from spongiosa.synthetic.image import SyntheticImage


@dataclass(frozen=True)
class ContrastAgent:
    """A contrast medium given into a vein; the phase is told by the delay after injection, as in most archives."""

    agent: str = "IOMEPROL 400"
    route: str = "IV"
    volume_ml: float = 100.0
    concentration_mg_ml: float = 400.0


@dataclass(frozen=True)
class CtSeries:
    """One reconstruction of a CT acquisition, as its header tells it.

    `number` sets series number and UIDs. `kvp` kV, `tube_current_ma` mA, `exposure_time_ms` ms. `slice_thickness_mm`
    is the nominal thickness, which may differ from the spacing of the slices (None: equal to it). `file_name` is a
    format with `{number}` (from 1) and `{uid}`.
    """

    number: int = 2
    description: str = "LWS 2.0 Br36"
    kernel: str = "Br36d"
    kernel_group: Literal["SOFT_TISSUE", "BONE"] = "SOFT_TISSUE"
    kvp: float = 120.0
    tube_current_ma: float = 250.0
    exposure_time_ms: float = 500.0
    slice_thickness_mm: float | None = None
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    patient_position: PatientPosition = "HFS"
    contrast: ContrastAgent | None = None
    manufacturer: str = "SIEMENS"
    model: str = "SOMATOM Definition Flash"
    software: str = "syngo CT VA48A"
    protocol: str = "LWS nativ"
    body_part: str = "LSPINE"
    storage: PixelStorage = field(default_factory=PixelStorage)
    transfer_syntax: UID = ExplicitVRLittleEndian
    faults: SeriesFaults = field(default_factory=SeriesFaults)
    file_name: str = "IM{number:06d}"


def write_ct_series(image: SyntheticImage, folder: Path, identity: StudyIdentity, series: CtSeries) -> list[Path]:
    """Write `image`, Hounsfield units in `(z, y, x)`, as one file per slice into `folder`; the paths in their order.

    Slice positions follow the image's slice direction exactly, so a sheared image is a series with gantry tilt.
    Equal arguments give equal bytes. Raises `ValueError` for geometry or syntax that DICOM or the encoders can't hold.
    """
    planes = slice_planes(image)
    dataset = ct_header(planes, identity, series)
    stored = series.storage.store(image.voxels)
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[Path, None] = {}
    for item in slices_to_write(len(stored), series.faults):
        instance_uid = identity.uid("instance", series.number, item.index, item.copy)
        dataset.InstanceNumber = item.number
        set_slice_position(dataset, planes, item.index)
        orientation = CORONAL_ORIENTATION if item.is_reoriented else planes.orientation
        dataset.ImageOrientationPatient = decimals(orientation)
        set_pixel_data(dataset, stored[item.index : item.index + 1], series.transfer_syntax)
        name = series.file_name.format(number=item.number, uid=instance_uid)
        paths[write_dataset(dataset, _free_path(folder, name, paths), instance_uid)] = None
    return list(paths)


def ct_header(planes: SlicePlanes, identity: StudyIdentity, series: CtSeries) -> Dataset:
    """Everything that the slices of a series share."""
    dataset = new_dataset(CTImageStorage, series.transfer_syntax)
    dataset.ImageType = list(series.image_type)
    add_identity(dataset, identity)
    add_series_identity(dataset, identity, series.number, series.description, series.protocol)
    dataset.Modality = "CT"
    dataset.PatientPosition = series.patient_position
    dataset.BodyPartExamined = series.body_part
    add_frame_of_reference(dataset, identity)
    add_equipment(dataset, series)
    add_plane_module(dataset, planes, series.slice_thickness_mm or planes.spacing_mm)
    series.storage.add_to(dataset)
    dataset.Rows, dataset.Columns = planes.rows, planes.columns
    dataset.AcquisitionNumber = 1
    dataset.KVP = decimal(series.kvp)
    dataset.XRayTubeCurrent = round(series.tube_current_ma)
    dataset.ExposureTime = round(series.exposure_time_ms)
    dataset.Exposure = round(series.tube_current_ma * series.exposure_time_ms / 1000.0)
    dataset.ConvolutionKernel = series.kernel
    dataset.ReconstructionDiameter = decimal(round(planes.columns * planes.pixel_spacing_mm[1], 2))
    dataset.GantryDetectorTilt = decimal(round(gantry_tilt_degrees(planes), 4))
    dataset.TableHeight = "150"
    dataset.RotationDirection = "CW"
    dataset.WindowCenter, dataset.WindowWidth = "50", "350"
    dataset.PatientOrientation = ""
    if series.contrast is not None:
        add_contrast(dataset, series.contrast)
    return dataset


def add_frame_of_reference(dataset: Dataset, identity: StudyIdentity) -> None:
    dataset.FrameOfReferenceUID = identity.frame_of_reference_uid
    dataset.PositionReferenceIndicator = ""


def add_equipment(dataset: Dataset, series: CtSeries) -> None:
    """General Equipment module (PS3.3 C.7.5.1); institution and serial number are canaries of the identity."""
    dataset.Manufacturer = series.manufacturer
    dataset.ManufacturerModelName = series.model
    dataset.SoftwareVersions = series.software


def add_contrast(dataset: Dataset, contrast: ContrastAgent) -> None:
    """Contrast/Bolus module (PS3.3 C.7.6.4)."""
    dataset.ContrastBolusAgent = contrast.agent
    dataset.ContrastBolusRoute = contrast.route
    dataset.ContrastBolusVolume = decimal(contrast.volume_ml)
    dataset.ContrastBolusIngredient = "IODINE"
    dataset.ContrastBolusIngredientConcentration = decimal(contrast.concentration_mg_ml)


def _free_path(folder: Path, name: str, taken: Collection[Path]) -> Path:
    """Path for a file called `name`; a further copy of the slice gets a suffix."""
    path, copy = folder / name, 1
    while path in taken:
        copy += 1
        path = folder / f"{name}_{copy}"
    return path
