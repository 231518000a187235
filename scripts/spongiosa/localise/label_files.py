"""Reading foreign label maps and putting them on the grid of the scan."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spongiosa.anatomy.frame import FloatArray
from spongiosa.anatomy.levels import Level
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Geometry, Volume, read_volume, resampled

_VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
_LEVEL_IN_NAME = re.compile(r"(?<![A-Za-z0-9])(T\d{1,2}|L[1-6]|S1)(?![A-Za-z0-9])", re.IGNORECASE)

#: Share of the labelled voxels that must lie inside the scan.
MINIMAL_COVERAGE = 0.5


@dataclass(frozen=True)
class LabelMap:
    """A label map on its own grid; `level_by_label` where the file itself names its segments (DICOM SEG)."""

    volume: Volume
    level_by_label: dict[int, Level] | None = None

    @property
    def labels(self) -> list[int]:
        found = {int(value) for labels in self.volume.voxels for value in np.unique(labels)}
        return sorted(found - {0})


def read_label_map(path: Path) -> LabelMap:
    """A NIfTI, NRRD, MHA or DICOM SEG file (or a folder with one DICOM SEG).

    Raises `Excluded(LABELS_UNREADABLE)`.
    """
    if path.is_dir():
        files = sorted(item for item in path.iterdir() if item.is_file())
        if len(files) != 1:
            raise Excluded(
                Reason.LABELS_UNREADABLE, f"The folder of the label map holds {len(files)} files; one is expected."
            )
        return read_label_map(files[0])
    if not path.name.lower().endswith(_VOLUME_SUFFIXES):
        return _from_dicom(path)
    try:
        volume = read_volume(path)
    except OSError as error:
        raise Excluded(Reason.LABELS_UNREADABLE, "The label map cannot be read as one 3-D volume.") from error
    if np.issubdtype(volume.voxels.dtype, np.integer):
        return LabelMap(volume)
    whole_numbers = np.rint(volume.voxels)
    if np.abs(whole_numbers - volume.voxels).max(initial=0.0) > 1e-3:
        raise Excluded(Reason.LABELS_UNREADABLE, "The label map holds fractions; labels are whole numbers.")
    return LabelMap(Volume(whole_numbers.astype(np.int32), volume.geometry))


def _from_dicom(path: Path) -> LabelMap:
    from spongiosa.localise.dicom_seg import read_segmentation

    volume, names = read_segmentation(path)
    levels = {number: _LEVEL_IN_NAME.findall(name.replace("_", " ")) for number, name in names.items()}
    if all(len(found) == 1 and found[0].upper() in Level.__members__ for found in levels.values()):
        return LabelMap(volume, {number: Level[found[0].upper()] for number, found in levels.items()})
    return LabelMap(volume)


def voxel_counts(labels: Volume) -> NDArray[np.int64]:
    """Voxels of every label 0-255 of a uint8 map, counted slice by slice (a count at once takes eight bytes each)."""
    counts = np.zeros(256, dtype=np.int64)
    for part in labels.voxels:
        counts += np.bincount(part.ravel(), minlength=256)
    return counts


def relabelled(volume: Volume, new_label_by_old: dict[int, int]) -> Volume:
    """The map as uint8 with its integers translated; those without a translation become 0."""
    # Slice by slice: a lookup of the whole map at once takes eight bytes per voxel besides the map.
    result = np.zeros(volume.voxels.shape, dtype=np.uint8)
    for translated, labels in zip(result, volume.voxels, strict=True):
        values, inverse = np.unique(labels, return_inverse=True)
        if len(values) > 1 or int(values[0]) != 0:
            table = np.array([new_label_by_old.get(int(value), 0) for value in values], dtype=np.uint8)
            translated[...] = table[inverse].reshape(labels.shape)
    return Volume(result, volume.geometry)


def on_grid_of(scan: Geometry, labels: Volume) -> Volume:
    """`labels` on the grid of the scan by nearest neighbour in the patient.

    Raises `Excluded(LABELS_OFF_GRID)` when less than half of the labelled voxels lie inside the scan.
    """
    if labels.geometry.is_same_as(scan):
        return labels
    labelled = np.argwhere(labels.voxels > 0)
    if len(labelled) > 200_000:
        labelled = labelled[:: len(labelled) // 100_000]
    indices = scan.indices_zyx(labels.geometry.points_mm(labelled))
    inside = np.all((indices > -0.5) & (indices < np.array(scan.shape) - 0.5), axis=-1)
    if inside.mean() < MINIMAL_COVERAGE:
        raise Excluded(
            Reason.LABELS_OFF_GRID,
            f"Only {100 * inside.mean():.0f} % of the label map lie inside the scan; is it the map of another scan?",
        )
    return resampled(labels, scan, "nearest", 0)


def touches_border(points_mm: FloatArray, geometry: Geometry) -> bool:
    """Whether any of the LPS points, shape (n, 3), lies in the outermost voxels of the grid."""
    indices = geometry.indices_zyx(points_mm)
    last = np.array(geometry.shape) - 1
    outermost: NDArray[np.bool_] = (indices < 0.75) | (indices > last - 0.75)
    return bool(outermost.any())
