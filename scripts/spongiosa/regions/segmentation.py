"""Regions as a .seg.nrrd for people: named, coloured, overlapping segments that open in 3D Slicer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spongiosa.provenance import written_whole
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.region import Region, RegionSet

#: A voxel belongs to a segment when the region covers at least half of it.
HALF_COVERED = 0.5

#: Colour of each region (red, green, blue in 0-1); distinguishable for colour-blind readers where regions meet.
#: Source: Okabe and Ito, Color universal design, 2008.
BLUE, ORANGE, SKY, GREEN = (0.0, 0.45, 0.7), (0.9, 0.6, 0.0), (0.34, 0.71, 0.91), (0.0, 0.62, 0.45)
VERMILLION, PURPLE, YELLOW, GREY = (0.84, 0.37, 0.0), (0.8, 0.47, 0.65), (0.94, 0.89, 0.26), (0.7, 0.7, 0.7)
COLOURS: dict[str, tuple[float, float, float]] = {
    "ellipse_superior": BLUE,
    "ellipse_mid": ORANGE,
    "ellipse_inferior": SKY,
    "shape_oval": VERMILLION,
    "shape_round": YELLOW,
    "shape_front": GREY,
    "shape_left": PURPLE,
    "shape_right": SKY,
    "body_trabecular": GREEN,
    "body_central": PURPLE,
    "pedicle": YELLOW,
    "trajectory": VERMILLION,
    "trajectory_rectangle": ORANGE,
    "endplate_superior": BLUE,
    "endplate_inferior": SKY,
    "quadrant_anterior_left": VERMILLION,
    "quadrant_anterior_right": ORANGE,
    "quadrant_posterior_left": YELLOW,
    "quadrant_posterior_right": GREY,
    "body_whole": GREY,
}
OTHER_COLOUR = PURPLE


def write_segmentation(regions: RegionSet, path: Path) -> None:
    """Write every placed region as a segment; whole or not at all.

    Segments that overlap lie in different layers (fourth dimension), as 3D Slicer keeps them.  The file holds only
    the box around the regions; `Segmentation_ReferenceImageExtentOffset` says where in the scan it lies.
    Source of the keys: 3D Slicer's "Segmentation file format" (.seg.nrrd).
    """
    import nrrd

    placed = [(region, _half_covered(weights)) for region, weights in regions.placed()]
    placed = [(region, voxels) for region, voxels in placed if voxels.size]
    lower, upper = _bounds(regions, [voxels for _, voxels in placed])
    layers = _Layers(upper - lower)
    header: dict[str, Any] = {}
    for number, (region, voxels) in enumerate(placed):
        layer, label, extent = layers.add(np.stack(np.unravel_index(voxels, regions.geometry.shape), axis=-1) - lower)
        header |= _segment_keys(number, region, layer, label, extent)

    geometry = regions.geometry.cropped(lower, upper)
    offset_x, offset_y, offset_z = (int(value) for value in lower[::-1])
    header |= {
        "space": "left-posterior-superior",
        "kinds": ["list", "domain", "domain", "domain"],
        "space directions": np.vstack([np.full(3, np.nan), geometry.steps_mm.T]),
        "space origin": np.asarray(geometry.origin_mm),
        "encoding": "gzip",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": f"{offset_x} {offset_y} {offset_z}",
    }
    with written_whole(path) as part:
        nrrd.write(str(part), layers.array.transpose(0, 3, 2, 1), header, compression_level=1, index_order="F")


class _Layers:
    """Label maps that are filled so that no two segments of one layer share a voxel."""

    def __init__(self, shape: NDArray[np.int_]) -> None:
        self._shape = tuple(int(size) for size in shape)
        self._layers: list[NDArray[np.uint8]] = []

    @property
    def array(self) -> NDArray[np.uint8]:
        """All layers, shape (layers, z, y, x); one empty layer when nothing was added."""
        return np.stack(self._layers) if self._layers else np.zeros((1, *self._shape), np.uint8)

    def add(self, voxels: NDArray[np.int_]) -> tuple[int, int, list[int]]:
        """Put a segment, shape (n, 3) in (z, y, x), into the first layer with room: its layer, label and extent."""
        where = tuple(voxels.T)
        free = (number for number, layer in enumerate(self._layers) if self._has_room(layer, where))
        number = next(free, len(self._layers))
        if number == len(self._layers):
            self._layers.append(np.zeros(self._shape, np.uint8))
        layer = self._layers[number]
        label = int(layer.max()) + 1
        layer[where] = label
        low, high = voxels.min(axis=0), voxels.max(axis=0)
        return number, label, [int(bound) for axis in (2, 1, 0) for bound in (low[axis], high[axis])]

    @staticmethod
    def _has_room(layer: NDArray[np.uint8], where: tuple[NDArray[np.int_], ...]) -> bool:
        return not layer[where].any() and int(layer.max()) < np.iinfo(np.uint8).max


def _half_covered(weights: VoxelWeights) -> NDArray[np.int64]:
    return weights.indices[weights.weights >= HALF_COVERED]


def _bounds(regions: RegionSet, segments: list[NDArray[np.int64]]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Lower and (exclusive) upper voxel around all segments; the first voxel of the scan when there are none."""
    if not segments:
        return np.zeros(3, int), np.ones(3, int)
    voxels = np.stack(np.unravel_index(np.concatenate(segments), regions.geometry.shape))
    return voxels.min(axis=1), voxels.max(axis=1) + 1


def _segment_keys(number: int, region: Region, layer: int, label: int, extent: list[int]) -> dict[str, str]:
    name = " ".join([region.level, region.name, *([] if region.side == "none" else [region.side])])
    if region.variant != "default":
        name += f" ({region.variant})"
    red, green, blue = COLOURS.get(region.name, OTHER_COLOUR)
    keys = {
        "ID": name.replace(" ", "_"),
        "Name": name,
        "NameAutoGenerated": "0",
        "Color": f"{red} {green} {blue}",
        "ColorAutoGenerated": "0",
        "LabelValue": str(label),
        "Layer": str(layer),
        "Extent": " ".join(str(bound) for bound in extent),
        "Tags": "",
    }
    return {f"Segment{number}_{key}": value for key, value in keys.items()}
