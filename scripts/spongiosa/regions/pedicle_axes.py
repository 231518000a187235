"""The axes of the pedicles, from the label map of the whole vertebra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import unit_vector
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.coverage import PlaneAxes
from spongiosa.regions.shapes import PlanarArea
from spongiosa.volume import FloatArray

SIDES: Mapping[str, float] = {"left": 1.0, "right": -1.0}

#: Grid of the cross-sections of a pedicle, and how far it reaches about the axis.  [mm]
STEP_MM = 0.5
REACH_MM = 14.0

#: Coronal sections in which the isthmus is sought: from the posterior wall of the body backwards.  [mm]
SEARCH_MM = (1.0, 14.0)
#: A section of a pedicle has at least and at most this area.  [mm2]
AREA_LIMITS_MM2 = (15.0, 450.0)
#: The axis is fitted to the centres of sections up to this far from the isthmus.  [mm]
FIT_HALF_LENGTH_MM = 6.0
#: Sections larger than the narrowest by this factor belong to body or lamina.
FLARE = 1.3
#: A section that is larger than the narrowest by this share weighs 1/e: the flare grows on one side first.
FLARE_SCALE = 0.2
SMALLEST_WEIGHT = 0.02
#: Sections, 1 mm apart, that are used on either side of the narrowest where the pedicle flares at once.
SHORTEST_ARM = 2
#: Sections are cut off this far outside the narrowest one, so that a flare pulls their centres little.  [mm]
WINDOW_MM = 0.6
#: A line that is turned further from the antero-posterior direction, or up or down, is no pedicle.
LARGEST_ANGLE_DEG, LARGEST_SAGITTAL_ANGLE_DEG = 50.0, 25.0
#: An isthmus that moves further across its axis from where the coronal sections show it is another bone's; along the
#: axis it may slide, for the long pedicles of L5 hardly narrow.  [mm]
LARGEST_DRIFT_MM, LARGEST_SLIDE_MM = 6.0, 12.0
_ITERATIONS = 8


@dataclass(frozen=True)
class Pedicle:
    """A pedicle's narrowest place, its unit axis from behind forwards, and the section there.

    `section` lies across the axis with its origin in the isthmus.
    """

    isthmus_mm: FloatArray
    direction: FloatArray
    section: PlanarArea


def find_pedicles(vertebra: VertebralBody, body: VertebralBody) -> dict[str, Pedicle]:
    """The pedicles of a vertebra by side; a side whose pedicle is not marked or cannot be traced is absent.

    Behind the body, sections parallel to its posterior wall show each pedicle as an area beside the canal.  About
    the narrowest section, the isthmus, the axis is the line through the centres of those sections that are not much
    larger; they are cut anew across the axis until it stands still.
    """
    found = {side: _find(vertebra, body, sign) for side, sign in SIDES.items()}
    return {side: pedicle for side, pedicle in found.items() if pedicle is not None}


def _find(vertebra: VertebralBody, body: VertebralBody, sign: float) -> Pedicle | None:
    frame = body.frame
    start = _isthmus_of_coronal_sections(vertebra, body, sign)
    if start is None:
        return None
    isthmus, direction = start, -frame.posterior
    for _ in range(_ITERATIONS):
        trunk = _trunk(vertebra, isthmus, direction, frame.left)
        if trunk is None:
            return None
        centres, weights = trunk
        isthmus = weights @ centres / weights.sum()
        _, _, lines = np.linalg.svd((centres - isthmus) * np.sqrt(weights)[:, None])
        direction = unit_vector(lines[0] * np.sign(lines[0] @ direction))
    forwards, upwards = -direction @ frame.posterior, abs(direction @ frame.superior)
    is_turned_away = forwards < np.cos(np.deg2rad(LARGEST_ANGLE_DEG)) or upwards > np.sin(
        np.deg2rad(LARGEST_SAGITTAL_ANGLE_DEG)
    )
    offset = isthmus - start
    along = offset @ direction
    has_drifted = np.linalg.norm(offset - along * direction) > LARGEST_DRIFT_MM or abs(along) > LARGEST_SLIDE_MM
    section = None if is_turned_away or has_drifted else _section(vertebra, isthmus, direction, frame.left)
    return None if section is None else Pedicle(isthmus, direction, section)


def _trunk(
    vertebra: VertebralBody, isthmus_mm: FloatArray, direction: FloatArray, left: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Centres of the sections across `direction` about the narrowest one, LPS, shape (n, 3), and their weights.

    The run ends where the pedicle flares into body or lamina, whose sections pull the centre away from the axis; where
    the flare begins, sections weigh little.
    """
    offsets = np.arange(-FIT_HALF_LENGTH_MM, FIT_HALF_LENGTH_MM + 0.1, 1.0)
    sections = [_section(vertebra, isthmus_mm + offset * direction, direction, left) for offset in offsets]
    areas = np.array([np.inf if section is None else section.area_mm2 for section in sections])
    if not np.isfinite(areas).any():
        return None
    narrowest = int(areas.argmin())
    is_flare = areas > FLARE * areas[narrowest]
    before, after = np.flatnonzero(is_flare[:narrowest]), np.flatnonzero(is_flare[narrowest:])
    first = int(before[-1]) + 1 if before.size else 0
    last = narrowest + int(after[0]) if after.size else len(offsets)
    if last - first <= SHORTEST_ARM:
        first, last = max(narrowest - SHORTEST_ARM, 0), narrowest + SHORTEST_ARM + 1
    window = sections[narrowest].signed_mm > -WINDOW_MM  # type: ignore[union-attr]
    kept = [number for number in range(first, min(last, len(sections))) if sections[number] is not None]
    if len(kept) <= SHORTEST_ARM:
        return None
    excess = areas[kept] / areas[narrowest] - 1.0
    centres = np.stack([_centroid(sections[number], window) for number in kept])  # type: ignore[arg-type]
    return centres, np.maximum(np.exp(-((excess / FLARE_SCALE) ** 2)), SMALLEST_WEIGHT)


def _isthmus_of_coronal_sections(vertebra: VertebralBody, body: VertebralBody, sign: float) -> FloatArray | None:
    """Centre of the smallest area beside the canal in coronal sections behind the body."""
    frame = body.frame
    lateral = np.arange(4.0, 34.0, STEP_MM) * sign
    heights = np.arange(-20.0, 26.0, STEP_MM)
    _, wall = body.midline_edges_mm
    best: tuple[float, FloatArray] | None = None
    for posterior in np.arange(wall + SEARCH_MM[0], wall + SEARCH_MM[1], 1.0):
        left, up = np.meshgrid(lateral, heights, indexing="ij")
        points = frame.to_lps_mm(np.stack([left, np.full_like(left, posterior), up], axis=-1))
        parts, count = ndimage.label(vertebra.depth_mm(points) > 0)
        if count == 0:
            continue
        sizes = np.bincount(parts.reshape(-1))[1:]
        cells = parts == 1 + int(sizes.argmax())
        if cells[0].any():
            # The body in front of the pedicle, or the lamina behind it, meets the midline.
            if best is not None:
                break
            continue
        area = float(sizes.max()) * STEP_MM**2
        if AREA_LIMITS_MM2[0] <= area <= AREA_LIMITS_MM2[1] and (best is None or area < best[0]):
            best = (area, points[cells].mean(axis=0))
    return None if best is None else best[1]


def _section(
    vertebra: VertebralBody, centre_mm: FloatArray, direction: FloatArray, left: FloatArray
) -> PlanarArea | None:
    """The part of the vertebra's section across `direction` that holds `centre_mm`, cut off at the grid's edge."""
    u = unit_vector(left - (left @ direction) * direction)
    axes = PlaneAxes(centre_mm, u, np.cross(direction, u))
    grid = np.arange(-REACH_MM, REACH_MM + STEP_MM, STEP_MM)
    v_mm, u_mm = np.meshgrid(grid, grid, indexing="ij")
    parts, _ = ndimage.label(vertebra.depth_mm(axes.points_mm(u_mm, v_mm)) > 0)
    centre = len(grid) // 2
    label = parts[centre, centre]
    if label == 0:
        return None
    return PlanarArea.of(axes, grid, grid, parts == label)


def _centroid(section: PlanarArea, window: NDArray[np.bool_]) -> FloatArray:
    """Centre of the part of a section that lies inside the window."""
    rows, columns = np.nonzero((section.signed_mm > 0) & window)
    return np.asarray(section.axes.points_mm(section.u_mm[columns], section.v_mm[rows]).mean(axis=0))
