"""Label maps stored as DICOM Segmentation objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Geometry, Volume

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"


def read_segmentation(path: Path) -> tuple[Volume, dict[int, str]]:
    """A DICOM SEG file as a label map of segment numbers, and the label text of each segment.

    Frames are placed by their plane positions; where segments overlap, the later number wins.  Raises
    `Excluded(LABELS_UNREADABLE)` when the file is not a DICOM SEG with one orientation and even slice distances.
    Source: DICOM PS3.3, A.51 (Segmentation IOD) and C.8.20 (Segmentation modules).
    """
    import pydicom

    try:
        dataset = pydicom.dcmread(path)
        if dataset.SOPClassUID != SEGMENTATION_STORAGE:
            raise ValueError("another kind of DICOM object")
        frames = np.asarray(dataset.pixel_array)
        return _assemble(dataset, frames.reshape(-1, int(dataset.Rows), int(dataset.Columns)))
    except Excluded:
        raise
    except Exception as error:  # every fault of a foreign file means the same here: it cannot be read
        raise Excluded(Reason.LABELS_UNREADABLE, "The label map is not a readable DICOM Segmentation.") from error


def _assemble(dataset: Any, frames: np.ndarray[Any, Any]) -> tuple[Volume, dict[int, str]]:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    groups = dataset.PerFrameFunctionalGroupsSequence

    def item(group: Any, name: str) -> Any:
        return (group if name in group else shared)[name][0]

    orientation = np.array(item(groups[0], "PlaneOrientationSequence").ImageOrientationPatient, dtype=float)
    row_spacing, column_spacing = (float(v) for v in item(groups[0], "PixelMeasuresSequence").PixelSpacing)
    columns_direction, rows_direction = orientation[:3], orientation[3:]
    normal = np.cross(columns_direction, rows_direction)
    positions = np.array(
        [item(group, "PlanePositionSequence").ImagePositionPatient for group in groups], dtype=np.float64
    )
    heights = np.round(positions @ normal, 3)
    levels = np.unique(heights)
    steps = np.diff(levels)
    thickness = float(getattr(item(groups[0], "PixelMeasuresSequence"), "SliceThickness", 1.0) or 1.0)
    step = float(steps.min()) if steps.size else thickness
    slots = np.round((heights - levels[0]) / step).astype(int)
    if np.abs(levels[0] + slots * step - heights).max() > 0.1 * step:
        raise Excluded(Reason.LABELS_UNREADABLE, "The frames of the DICOM Segmentation are not evenly spaced.")
    voxels = np.zeros((int(slots.max()) + 1, *frames.shape[1:]), dtype=np.int32)
    for frame, group, slot in zip(frames, groups, slots, strict=True):
        number = int(item(group, "SegmentIdentificationSequence").ReferencedSegmentNumber)
        voxels[slot][frame > 0] = number
    origin = positions[int(np.argmin(heights))]
    geometry = Geometry(
        shape=voxels.shape,
        spacing_mm=(column_spacing, row_spacing, step),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        direction=np.column_stack([columns_direction, rows_direction, normal]),
    )
    names = {int(segment.SegmentNumber): str(segment.SegmentLabel) for segment in dataset.SegmentSequence}
    return Volume(voxels, geometry), names
