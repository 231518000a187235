"""Aorta and vena cava in front of the spine: round sections, followed from slice to slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.regions.spine_in_slices import SpineInSlices
from spongiosa.regions.tissue_grid import Mask, TissueGrid
from spongiosa.volume import FloatArray

#: Radii that are tried: an adult's abdominal aorta is 14 to 25 mm wide, an aneurysm more.  [mm]
RADII_MM = (6.0, 7.0, 8.0, 9.0, 10.5, 12.0, 14.0)

#: Where the vessels may lie from the front of the body in the midline: to the patient's left and in front.  [mm]
LEFT_MM, FRONT_MM = (-38.0, 32.0), (0.0, 42.0)

#: Usual distance of a vessel's centre in front of the body, and how fast it becomes less likely beyond: loops of bowel
#: lie there.  [mm]
USUAL_FRONT_MM, FRONT_SPREAD_MM = 18.0, 15.0

#: A vessel that is seen alone is the vena cava when it runs further right of the middle than this.  [mm]
ALONE_RIGHT_MM = 5.0

#: HU of blood, from anaemia to the arterial phase; the wall's calcium and bone lie outside.
BLOOD_HU = (10.0, 700.0)

#: Directions along which the edge of a section is judged.
RAYS = 24

#: An edge counts when HU change by this across it, or by this share of the enhancement.  [HU]
EDGE_HU = 25.0

#: The middle of a section must be even: SD over what the noise explains.  [HU]
EVEN_HU = 14.0

#: Score of a section (share of its edge that is there, evenness and place, 0-1) from which it counts as seen.
SEEN_SCORE = 0.5

#: Fewest slices, by height of the tube, in which a vessel has to be seen.  [mm]
SEEN_HEIGHT_MM = 12.0

#: Cost of a step aside between slices, per mm of it and mm of the radius, in units of the score.
COST_PER_MM = 0.06

#: A vessel runs aside by at most this per mm of height.
STEEPEST = 1.5

#: Sections that are remembered per slice.
CANDIDATES = 40

#: Share of the radius whose inside is taken as blood: the wall, its calcium and the blur stay outside.
CORE_SHARE = 0.6


@dataclass(frozen=True)
class Vessel:
    """Sections of a vessel, by slice of the grid: centre (row, column) and radius [mm]; NaN where it was not seen."""

    centres: FloatArray
    radii_mm: FloatArray
    score: float

    @property
    def seen(self) -> Mask:
        return np.isfinite(self.radii_mm)

    def core(self, grid: TissueGrid, share: float = CORE_SHARE) -> Mask:
        """The blocks in the inner `share` of the radius."""
        mask = np.zeros(grid.hu.shape, dtype=bool)
        rows, columns = np.indices(grid.hu.shape[1:])
        for k in np.flatnonzero(self.seen):
            away = np.hypot(
                (rows - self.centres[k, 0]) * grid.spacing_mm[1], (columns - self.centres[k, 1]) * grid.spacing_mm[2]
            )
            mask[k] = away <= share * self.radii_mm[k]
        return mask


def find_great_vessels(grid: TissueGrid, spine: SpineInSlices) -> tuple[Vessel | None, Vessel | None]:
    """Aorta and vena cava, each None when it is not seen.

    The best tube in front of the spine is followed first, the second best beside it next; of the two the left one is
    the aorta.  The second is sought beside lumbar bodies only: further up the vena cava lies within the liver.  A
    single one is the aorta when it lies left of the spine's middle or at most 5 mm right of it.
    """
    first = _follow(grid, spine, spine.is_above_fork, None)
    if first is None:
        return None, None
    second = _follow(grid, spine, spine.is_above_fork & spine.is_lumbar, first)
    if second is None:
        is_aorta = _left_mm(grid, spine, first) >= -ALONE_RIGHT_MM
        return (first, None) if is_aorta else (None, first)
    left, right = sorted((first, second), key=lambda vessel: -_left_mm(grid, spine, vessel))
    return left, right


def _left_mm(grid: TissueGrid, spine: SpineInSlices, vessel: Vessel) -> float:
    """How far a vessel runs left of the spine's middle, median over its slices.  [mm]"""
    return float(np.nanmedian(vessel.centres[:, 1] - spine.column)) * grid.spacing_mm[2]


def _follow(grid: TissueGrid, spine: SpineInSlices, layers: Mask, neighbour: Vessel | None) -> Vessel | None:
    """The tube with the best sections in `layers`, beside `neighbour`: dynamic programming over their candidates."""
    sections = [
        _candidates(grid, k, spine, neighbour) if layers[k] else np.empty((0, 4)) for k in range(grid.hu.shape[0])
    ]
    occupied = [k for k, found in enumerate(sections) if len(found)]
    if not occupied:
        return None
    best: list[FloatArray] = []
    origins: list[NDArray[np.int_]] = []
    for position, k in enumerate(occupied):
        scores = sections[k][:, 3]
        if position == 0:
            best.append(scores)
            origins.append(np.full(len(scores), -1))
            continue
        before = sections[occupied[position - 1]]
        apart_mm = np.linalg.norm(sections[k][:, None, :2] - before[None, :, :2], axis=2)
        climbed_mm = (k - occupied[position - 1]) * grid.spacing_mm[0]
        is_jump = apart_mm > STEEPEST * climbed_mm + grid.spacing_mm[1]
        apart_mm += np.abs(sections[k][:, None, 2] - before[None, :, 2])
        total = np.where(is_jump, -np.inf, best[-1][None, :] - COST_PER_MM * apart_mm)
        # a vessel may begin anywhere
        origin = total.argmax(axis=1)
        gained = total[np.arange(len(scores)), origin]
        best.append(scores + np.maximum(gained, 0.0))
        origins.append(np.where(gained > 0.0, origin, -1))
    end = int(np.argmax([values.max() for values in best]))
    chosen = int(best[end].argmax())
    centres = np.full((grid.hu.shape[0], 2), np.nan)
    radii = np.full(grid.hu.shape[0], np.nan)
    marks: list[float] = []
    while chosen >= 0:
        k = occupied[end]
        row_mm, column_mm, radius, score = sections[k][chosen]
        if score >= SEEN_SCORE:
            centres[k] = row_mm / grid.spacing_mm[1], column_mm / grid.spacing_mm[2]
            radii[k] = radius
            marks.append(float(score))
        chosen = int(origins[end][chosen])
        end -= 1
    if len(marks) * grid.spacing_mm[0] < SEEN_HEIGHT_MM or len(marks) < 2:
        return None
    return Vessel(centres, radii, float(np.mean(marks)))


def _candidates(grid: TissueGrid, k: int, spine: SpineInSlices, neighbour: Vessel | None) -> FloatArray:
    """Round sections of slice k: rows of (row, column, radius) in mm and the score; shape (n, 4)."""
    _, dy, dx = grid.spacing_mm
    hu = grid.smooth_hu[k]
    middle_row, middle_column = spine.front_row[k] * dy, spine.column[k] * dx
    rows = np.arange(hu.shape[0]) * dy
    columns = np.arange(hu.shape[1]) * dx
    near_rows = np.flatnonzero((middle_row - rows >= FRONT_MM[0]) & (middle_row - rows <= FRONT_MM[1]))
    near_columns = np.flatnonzero((columns - middle_column >= LEFT_MM[0]) & (columns - middle_column <= LEFT_MM[1]))
    centre_rows, centre_columns = (a.ravel() for a in np.meshgrid(near_rows, near_columns, indexing="ij"))
    is_blood = (hu[centre_rows, centre_columns] > BLOOD_HU[0]) & (hu[centre_rows, centre_columns] < BLOOD_HU[1])
    is_blood &= grid.vertebrae[k][centre_rows, centre_columns] == 0
    if neighbour is not None and neighbour.seen.any():
        at = int(np.flatnonzero(neighbour.seen)[np.abs(np.flatnonzero(neighbour.seen) - k).argmin()])
        apart = np.hypot(
            (centre_rows - neighbour.centres[at, 0]) * dy, (centre_columns - neighbour.centres[at, 1]) * dx
        )
        is_blood &= apart > neighbour.radii_mm[at] + 5.0
    centre_rows, centre_columns = centre_rows[is_blood], centre_columns[is_blood]
    if centre_rows.size == 0:
        return np.empty((0, 4))
    beyond_mm = np.maximum(middle_row - centre_rows * dy - USUAL_FRONT_MM, 0.0)
    nearness = np.exp(-0.5 * (beyond_mm / FRONT_SPREAD_MM) ** 2)
    found = []
    angles = np.linspace(0.0, 2.0 * np.pi, RAYS, endpoint=False)
    ray = np.stack([np.sin(angles), np.cos(angles)])
    for radius in RADII_MM:
        score = _section_scores(hu, centre_rows, centre_columns, radius, ray, (dy, dx))
        if neighbour is not None and neighbour.seen.any():
            reach = apart[is_blood] - neighbour.radii_mm[at]
            score = np.where(radius > reach + 1.0, 0.0, score)
        reach_rows, reach_columns = radius / dy, radius / dx
        is_whole = (centre_rows >= reach_rows) & (centre_rows <= hu.shape[0] - 1 - reach_rows)
        is_whole &= (centre_columns >= reach_columns) & (centre_columns <= hu.shape[1] - 1 - reach_columns)
        kept = (score * nearness > 0.3) & is_whole
        size = np.full(int(kept.sum()), radius)
        found.append(
            np.column_stack([centre_rows[kept] * dy, centre_columns[kept] * dx, size, (score * nearness)[kept]])
        )
    every = np.concatenate(found)
    return np.asarray(every[np.argsort(-every[:, 3], kind="stable")[:CANDIDATES]])


def _section_scores(
    hu: NDArray[np.float32],
    rows: NDArray[np.int_],
    columns: NDArray[np.int_],
    radius_mm: float,
    ray: FloatArray,
    spacing_mm: tuple[float, float],
) -> FloatArray:
    """How much a disc of this radius about each centre looks like the section of a vessel: 0 to 1.

    The inside (centre, and rings at 0.35 and 0.65 of the radius) must be even and as dense as blood; the score is the
    share of directions in which HU change across the radius, from 0.75 to 1.3 of it, times the evenness.
    """
    rings = {}
    for share in (0.35, 0.65, 0.8, 1.3):
        offsets = ray * radius_mm * share
        where = np.stack([rows[:, None] + offsets[0] / spacing_mm[0], columns[:, None] + offsets[1] / spacing_mm[1]])
        rings[share] = ndimage.map_coordinates(hu, where, order=1, mode="nearest")
    inside = np.concatenate([hu[rows, columns][:, None], rings[0.35], rings[0.65]], axis=1)
    middle = np.median(inside, axis=1)
    uneven = np.sqrt(np.mean((inside - middle[:, None]) ** 2, axis=1))
    enhancement = np.maximum(middle - 45.0, 0.0)
    threshold = np.maximum(EDGE_HU, 0.3 * enhancement)[:, None]
    # brighter outside is calcium or bone, darker is fat or lung; both are an edge
    edge = np.abs(rings[1.3] - middle[:, None]) > threshold
    whole = np.abs(rings[0.8] - middle[:, None]) < np.maximum(threshold, EDGE_HU * 1.2)
    share = (edge & whole).mean(axis=1)
    evenness = np.exp(-0.5 * (uneven / (EVEN_HU + 0.08 * enhancement)) ** 2)
    return np.asarray(np.where((middle > BLOOD_HU[0]) & (middle < BLOOD_HU[1]), share * evenness, 0.0))
