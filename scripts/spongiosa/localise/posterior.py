"""The posterior elements of each vertebra: bone behind and beside its body, parted between neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

from spongiosa.localise.straighten import STEP_MM, ColumnCurve
from spongiosa.volume import Volume

BONE_HU = 150
#: Behind the canal's middle the border between two vertebrae runs caudally: mm along the column per mm backwards.
CAUDAL_SLOPE = 0.55
#: How far posterior elements reach from the middle of the canal, mm: backwards, forwards and to the side.
BACK_MM, FRONT_MM = 62.0, 22.0
SIDE_MM, SIDE_WITH_RIBS_MM = 48.0, 30.0


@dataclass(frozen=True)
class Span:
    """A vertebra's share of the column: its label, mm along the curve from its upper to its lower disc's middle."""

    label: int
    upper_mm: float
    lower_mm: float
    has_ribs: bool


def whole_vertebrae(scan: Volume, bodies: Volume, curve: ColumnCurve, spans: Sequence[Span]) -> Volume:
    """Label map of whole vertebrae: the bodies, and the bone joined to each body within its share of the column.

    Discs part the bodies; behind the canal the borders slope caudally as laminae and spinous processes do.  Ribs are
    cut beside the transverse processes.
    """
    labels = bodies.voxels.copy()
    reach = np.array([BACK_MM] * 3)
    points = np.stack([curve.points_mm.min(axis=0) - reach, curve.points_mm.max(axis=0) + reach])
    corners = scan.geometry.indices_zyx(
        np.array([[x, y, z] for x in points[:, 0] for y in points[:, 1] for z in points[:, 2]])
    )
    lower = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, None)
    upper = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, lower, scan.voxels.shape)
    crop = scan.cropped(lower, upper)
    view = labels[tuple(slice(low, high) for low, high in zip(lower, upper, strict=True))]
    bone = (crop.voxels > BONE_HU) & (view == 0)
    where = np.argwhere(bone)
    if len(where) == 0:
        return Volume(labels, bodies.geometry)
    along, behind, beside = _column_coordinates(crop.geometry.points_mm(where), curve)
    level_mm = along - CAUDAL_SLOPE * np.clip(behind - 4.0, 0.0, 40.0)
    near = (behind < BACK_MM) & (behind > -FRONT_MM) & (np.abs(beside) < SIDE_MM)
    assigned = np.zeros(len(where), dtype=np.uint8)
    for span in spans:
        side = SIDE_WITH_RIBS_MM if span.has_ribs else SIDE_MM
        own = near & (level_mm >= span.upper_mm) & (level_mm < span.lower_mm) & (np.abs(beside) < side)
        assigned[own] = span.label
    parts = np.zeros(bone.shape, dtype=np.uint8)
    parts[tuple(where.T)] = assigned
    boxes = dict(enumerate(ndimage.find_objects(parts | view), start=1))  # no voxel has a label in both
    for span in spans:
        box = boxes.get(span.label)
        if box is not None:
            view[box][_joined_to_body(parts[box] == span.label, view[box] == span.label)] = span.label
    return Volume(labels, bodies.geometry)


def _column_coordinates(
    points_mm: NDArray[np.float64], curve: ColumnCurve
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Place along the column, mm behind and mm to the left of the canal's middle, of LPS points, shape (n, 3)."""
    tree = spatial.cKDTree(curve.points_mm)
    _, nearest = tree.query(points_mm, workers=1)
    for _ in range(2):
        offset = points_mm - curve.points_mm[nearest]
        step = -(offset * curve.superior[nearest]).sum(axis=1) / STEP_MM
        nearest = np.clip(np.rint(nearest + 0.7 * step).astype(int), 0, len(curve.points_mm) - 1)
    offset = points_mm - curve.points_mm[nearest]
    along = nearest * STEP_MM - (offset * curve.superior[nearest]).sum(axis=1)
    behind = (offset * curve.posterior[nearest]).sum(axis=1)
    beside = (offset * curve.left[nearest]).sum(axis=1)
    return along, behind, beside


def _joined_to_body(part: NDArray[np.bool_], body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pieces of `part` that touch the body, with their hollow (spongy) inside filled."""
    components, _ = ndimage.label(part | body, np.ones((3, 3, 3)))
    touching = np.unique(components[body])
    joined = np.isin(components, touching[touching > 0])
    closed = ndimage.binary_closing(joined, np.ones((1, 3, 3), dtype=np.bool_))
    result: NDArray[np.bool_] = (joined | closed) & ~body
    return result
