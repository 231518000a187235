"""An input that is one volume file (NIfTI, NRRD, MHA) instead of DICOM."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from spongiosa.detached_data import SUFFIXES as DETACHABLE
from spongiosa.detached_data import refuse_foreign_data
from spongiosa.dicom.grouping import SeriesName
from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.record import Orientation, SeriesGeometry, SeriesRecord
from spongiosa.dicom.sources import Source
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Geometry, Volume, read_volume

SUFFIXES: Final = frozenset({".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"})


def is_volume_file(source: Source) -> bool:
    """Whether a file is one whole volume, by its ending."""
    return source.suffixes in SUFFIXES


def volume_name(source: Source, patient: PatientIdentity) -> SeriesName:
    """Named by the file's bytes: a volume file has no identifier of its own."""
    return SeriesName.of(source.digest(), patient)


def record_volume(source: Source, modality: str, patient: PatientIdentity) -> SeriesRecord:
    """Describe a volume file by its header; one that cannot be read gets UNDECODABLE as its fault."""
    import SimpleITK as sitk

    key = volume_name(source, patient)
    try:
        with _on_disk(source) as path:
            if source.suffixes in DETACHABLE:
                refuse_foreign_data(path)
            reader = sitk.ImageFileReader()
            reader.SetFileName(str(path))
            reader.ReadImageInformation()
    except (RuntimeError, OSError):
        fault = Excluded(Reason.UNDECODABLE, "The volume file is damaged or not in the format of its suffix.")
        return SeriesRecord(key, "volume_file", modality.upper(), 1, 0, 0, None, fault)
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        fault = Excluded(Reason.UNDECODABLE, "The volume file does not hold one scalar volume of three dimensions.")
        return SeriesRecord(key, "volume_file", modality.upper(), 1, 0, 0, None, fault)
    columns, rows, depth = reader.GetSize()
    geometry = Geometry(
        shape=(depth, rows, columns),
        spacing_mm=reader.GetSpacing(),
        origin_mm=reader.GetOrigin(),
        direction=np.asarray(reader.GetDirection()).reshape(3, 3),
    )
    return SeriesRecord(
        key,
        "volume_file",
        modality.upper(),
        1,
        depth,
        0,
        _describe(geometry),
        acquisition={"modality": modality.upper()},
    )


def read_volume_file(source: Source) -> Volume:
    """The volume as it is stored.  Raises `Excluded(UNDECODABLE)`."""
    try:
        with _on_disk(source) as path:
            return read_volume(path)
    except OSError as error:
        raise Excluded(
            Reason.UNDECODABLE, "The volume file could not be read: it is damaged or cut short; copy it again."
        ) from error


@contextmanager
def _on_disk(source: Source) -> Iterator[Path]:
    """The file's path; a member of an archive is unpacked under a name of ours for as long as the block lasts."""
    if source.member is None:
        yield source.path
        return
    with tempfile.TemporaryDirectory(prefix="spongiosa-volume-") as folder:
        path = Path(folder) / f"volume{source.suffixes}"
        try:
            path.write_bytes(source.content())
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise OSError("the member of the archive is damaged") from error
        yield path


def _describe(geometry: Geometry) -> SeriesGeometry:
    normal = np.asarray(geometry.direction)[:, 2]
    names: tuple[Orientation, ...] = ("sagittal", "coronal", "axial")
    depth, rows, columns = geometry.shape
    corners = geometry.points_mm(
        np.array([[z - 0.5, y - 0.5, x - 0.5] for z in (0, depth) for y in (0, rows) for x in (0, columns)])
    )
    lowest, highest = float(corners[:, 2].min()), float(corners[:, 2].max())
    return SeriesGeometry(
        rows=rows,
        columns=columns,
        row_spacing_mm=float(geometry.spacing_mm[1]),
        column_spacing_mm=float(geometry.spacing_mm[0]),
        orientation=names[int(np.argmax(np.abs(normal)))],
        slice_spacing_mm=float(geometry.spacing_mm[2]),
        smallest_spacing_mm=float(geometry.spacing_mm[2]),
        largest_spacing_mm=float(geometry.spacing_mm[2]),
        missing_slices=0,
        is_regular=True,
        tilt_degrees=0.0,
        length_mm=round(highest - lowest, 2),
        lowest_z_mm=round(lowest, 2),
        highest_z_mm=round(highest, 2),
    )
