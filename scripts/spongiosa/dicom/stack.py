"""The frames of one series as a stack of planes in the patient."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from spongiosa.dicom.headers import FrameHeader
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import FloatArray

SAME_POSITION_MM: Final = 0.01
"""Positions are written with at least two decimals; two slices closer than this are one."""
SAME_ORIENTATION: Final = 1e-3
"""Largest difference of a direction cosine within one orientation: 0.06 degrees, 0.3 mm at the edge of 500 mm."""
SAME_PIXEL_SPACING_MM: Final = 1e-3
"""Differences of rounding: over 512 pixels they add up to half a millimetre."""
PIXEL_SPACING_RANGE_MM: Final = (0.01, 20.0)
FURTHEST_POSITION_MM: Final = 1e5
"""Scanners count from some point of their own, but not from 100 m away."""
USUAL_SPACING_TOLERANCE_MM: Final = 0.1
"""Unevenness that a header's rounding explains; the default of convert.spacing_tolerance_mm."""


@dataclass(frozen=True)
class Stack:
    """Planes with one matrix, one pixel spacing and one orientation, ordered along their normal.

    `planes[i]` holds every frame at the i-th position; `positions_mm` (n, 3) are the LPS centres of the first pixels
    and `locations_mm` (n,) their distances along `normal` = row x column direction, ascending.
    """

    planes: tuple[tuple[FrameHeader, ...], ...]
    row_direction: FloatArray
    column_direction: FloatArray
    positions_mm: FloatArray
    locations_mm: FloatArray

    @property
    def normal(self) -> FloatArray:
        return np.cross(self.row_direction, self.column_direction)

    @property
    def first(self) -> FrameHeader:
        return self.planes[0][0]

    @property
    def duplicates(self) -> int:
        return sum(len(plane) - 1 for plane in self.planes)

    @property
    def tilt_degrees(self) -> float:
        """Angle between the normal and the line through the positions; 0 for a single plane."""
        if len(self.planes) < 2:
            return 0.0
        table = self.positions_mm[-1] - self.positions_mm[0]
        across = np.linalg.norm(np.cross(table, self.normal))
        return float(np.degrees(np.arctan2(across, abs(float(table @ self.normal)))))

    @property
    def centres_mm(self) -> FloatArray:
        """LPS centres of the planes, shape (n, 3)."""
        first = self.first
        assert first.rows and first.columns and first.pixel_spacing_mm
        along_row = self.row_direction * first.pixel_spacing_mm[1] * (first.columns - 1) / 2
        along_column = self.column_direction * first.pixel_spacing_mm[0] * (first.rows - 1) / 2
        centres: FloatArray = self.positions_mm + along_row + along_column
        return centres

    def places(self, indices: Sequence[int]) -> str:
        """The planes' places as a person reads them, `z = -412.0 and -420.0 mm`, along the axis they follow."""
        axis = int(np.argmax(np.abs(self.normal)))
        values = " and ".join(f"{self.centres_mm[index, axis]:.1f}" for index in indices)
        return f"{'xyz'[axis]} = {values} mm"

    def without(self, dropped: Collection[int]) -> Stack:
        """The stack without the planes of these indices."""
        kept = [index for index in range(len(self.planes)) if index not in dropped]
        return replace(
            self,
            planes=tuple(self.planes[index] for index in kept),
            positions_mm=self.positions_mm[kept],
            locations_mm=self.locations_mm[kept],
        )


@dataclass(frozen=True)
class Spacing:
    """How the planes of a stack follow each other.

    `steps` (n - 1,) counts usual distances between neighbours where the stack is a regular one with gaps (1 = none
    missing), and is None where it is not.
    """

    usual_mm: float
    distances_mm: FloatArray
    steps: tuple[int, ...] | None

    @property
    def is_regular(self) -> bool:
        return self.steps is not None and all(step == 1 for step in self.steps)

    @property
    def missing(self) -> int:
        return 0 if self.steps is None else sum(step - 1 for step in self.steps)


def stack_frames(frames: Sequence[FrameHeader]) -> Stack:
    """Order the frames of one series along their normal.

    Raises `Excluded`: HEADER_INCOMPLETE, MIXED_ORIENTATION, MIXED_GEOMETRY.
    """
    _require_geometry(frames)
    orientations = np.array([frame.orientation for frame in frames])
    _require_one_orientation(orientations)
    _require_one_matrix(frames)
    row, column = _orthonormal(orientations[0])
    normal = np.cross(row, column)
    positions = np.array([frame.position_mm for frame in frames])
    locations = positions @ normal
    order = np.argsort(locations, kind="stable")
    planes: list[list[int]] = []
    for index in order:
        if planes and locations[index] - locations[planes[-1][0]] < SAME_POSITION_MM:
            planes[-1].append(int(index))
        else:
            planes.append([int(index)])
    leaders = [plane[0] for plane in planes]
    return Stack(
        planes=tuple(tuple(frames[index] for index in plane) for plane in planes),
        row_direction=row,
        column_direction=column,
        positions_mm=positions[leaders],
        locations_mm=locations[leaders],
    )


def spacing_of(stack: Stack, tolerance_mm: float = USUAL_SPACING_TOLERANCE_MM) -> Spacing:
    """Judge the distances between the planes of a stack of at least two.

    The usual distance is the commonest one (the smaller of two equally common), refined by a least-squares line through
    the positions; the stack is regular, with or without gaps, when every plane lies within `tolerance_mm` of that line.
    """
    distances = np.diff(stack.locations_mm)
    usual = _commonest(distances, tolerance_mm)
    steps = np.rint(distances / usual).astype(int)
    if steps.min() < 1:
        return Spacing(usual, distances, None)
    numbers = np.concatenate([[0], np.cumsum(steps)])
    centred = numbers - numbers.mean()
    refined = float(centred @ stack.locations_mm / (centred @ centred))
    residuals = stack.locations_mm - stack.locations_mm.mean() - refined * centred
    # A quarter of a slice separates "rounded" from "elsewhere" where slices are thinner than the tolerance.
    if np.abs(residuals).max() > min(tolerance_mm, refined / 4):
        return Spacing(usual, distances, None)
    return Spacing(refined, distances, tuple(int(step) for step in steps))


def _commonest(distances: FloatArray, tolerance_mm: float) -> float:
    ordered = np.sort(distances)
    width = min(tolerance_mm, float(np.median(ordered)) / 4)
    counts = [int(np.count_nonzero(np.abs(ordered - distance) <= width)) for distance in ordered]
    centre = ordered[int(np.argmax(counts))]
    return float(ordered[np.abs(ordered - centre) <= width].mean())


def _require_geometry(frames: Sequence[FrameHeader]) -> None:
    for name, sentence in (
        ("position_mm", "position in the patient"),
        ("orientation", "orientation in the patient"),
        ("pixel_spacing_mm", "pixel spacing"),
        ("rows", "number of rows"),
        ("columns", "number of columns"),
        ("bits_allocated", "number of bits per pixel"),
    ):
        lacking = sum(1 for frame in frames if getattr(frame, name) is None)
        if lacking:
            raise Excluded(
                Reason.HEADER_INCOMPLETE,
                f"{lacking} of {len(frames)} images do not state the {sentence}; export the series again from the "
                "archive, not from a converted copy.",
            )
    if any(min(frame.rows or 0, frame.columns or 0) < 1 for frame in frames):
        raise Excluded(Reason.HEADER_INCOMPLETE, "The stated number of rows or columns is zero.")
    spacings = np.array([frame.pixel_spacing_mm for frame in frames])
    positions = np.array([frame.position_mm for frame in frames])
    low, high = PIXEL_SPACING_RANGE_MM
    if spacings.min() < low or spacings.max() > high or np.abs(positions).max() > FURTHEST_POSITION_MM:
        raise Excluded(
            Reason.HEADER_INCOMPLETE,
            f"The stated pixel spacing (up to {spacings.max():.3g} mm) or position (up to "
            f"{np.abs(positions).max():.3g} mm) is none of a patient in a scanner; export the original images.",
        )


def _require_one_matrix(frames: Sequence[FrameHeader]) -> None:
    matrices = {(frame.rows, frame.columns) for frame in frames}
    if len(matrices) > 1:
        listed = ", ".join(f"{rows} x {columns}" for rows, columns in sorted(matrices, key=str)[:4])
        raise Excluded(
            Reason.MIXED_GEOMETRY,
            f"The images of the series have {len(matrices)} different matrices ({listed}); export the series that is "
            "to be measured on its own.",
        )
    spacings = np.array([frame.pixel_spacing_mm for frame in frames])
    if np.ptp(spacings, axis=0).max() > SAME_PIXEL_SPACING_MM:
        raise Excluded(
            Reason.MIXED_GEOMETRY,
            f"The pixel spacing within the series varies from {spacings.min():.3f} to {spacings.max():.3f} mm; export "
            "the series that is to be measured on its own.",
        )


def _require_one_orientation(orientations: FloatArray) -> None:
    if np.ptp(orientations, axis=0).max() > SAME_ORIENTATION:
        different = len(np.unique(np.round(orientations, 2), axis=0))
        raise Excluded(
            Reason.MIXED_ORIENTATION,
            f"The {len(orientations)} images of the series have {max(different, 2)} orientations, so they are not one "
            "volume (a planning or survey series?); choose another series.",
        )


def _orthonormal(orientation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Row and column direction as exact unit vectors: headers round them.

    Raises `Excluded(HEADER_INCOMPLETE)` where they are not perpendicular unit vectors even about.
    """
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    errors = [*(abs(float(length) - 1.0) for length in lengths), abs(float(row @ column))]
    if max(errors) > 0.01:
        raise Excluded(
            Reason.HEADER_INCOMPLETE, "The stated image orientation is not a pair of perpendicular directions."
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    return row, column / np.linalg.norm(column)
