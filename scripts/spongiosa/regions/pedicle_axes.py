"""The axes of the pedicles, from the label map of the whole vertebra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spongiosa.regions.body import VertebralBody
from spongiosa.regions.coverage import PlaneAxes
from spongiosa.regions.pedicle_bone import PedicleBone
from spongiosa.regions.pedicle_fit import ANGLES, PedicleTube, fit_tube
from spongiosa.volume import FloatArray

SIDES: Mapping[str, float] = {"left": 1.0, "right": -1.0}

#: Grid of the coronal sections in which the isthmus is sought: to the side, up and down, and from the posterior wall
#: of the body backwards.  [mm]
STEP_MM = 0.5
LATERAL_MM, HEIGHT_MM, SEARCH_MM = (4.0, 34.0), (-20.0, 26.0), (1.0, 14.0)
#: A section of a pedicle has at least and at most this area.  [mm2]
AREA_LIMITS_MM2 = (15.0, 450.0)
#: A line that is turned further from the antero-posterior direction, or up or down, is no pedicle.
LARGEST_ANGLE_DEG, LARGEST_SAGITTAL_ANGLE_DEG = 50.0, 25.0
#: Of two pedicles whose angles to the midline differ by more, the one that is turned further runs through something
#: else: sides of a vertebra differ by a few degrees, axes in voxels of 3 mm err by up to 8.
LARGEST_ASYMMETRY_DEG = 20.0
#: An isthmus that moves further across its axis from where the coronal sections show it is another bone's; along the
#: axis it may slide, for the long pedicles of L5 hardly narrow.  [mm]
LARGEST_DRIFT_MM, LARGEST_SLIDE_MM = 6.0, 12.0


@dataclass(frozen=True)
class Pedicle:
    """A pedicle's isthmus, its unit axis from behind forwards (LPS), and its section.

    The section is the ellipse with the area and second moments of the tube's: `axes` holds its principal directions
    with the isthmus as origin, `semi_axes_mm` its half axes along them; `overshoot_mm` is how far it reaches beyond
    the bone where the section is no ellipse.
    """

    isthmus_mm: FloatArray
    direction: FloatArray
    axes: PlaneAxes
    semi_axes_mm: tuple[float, float]
    overshoot_mm: float = 0.0

    @classmethod
    def of(cls, tube: PedicleTube) -> Pedicle:
        """The ellipse with the second moments of a tube's section; an ellipse's semi-axis is twice their root."""
        rays = np.stack([np.cos(ANGLES), np.sin(ANGLES)])
        area = 0.5 * np.square(tube.radii_mm).sum()
        moments = (0.25 * tube.radii_mm**4 * rays) @ rays.T / area
        variances, directions = np.linalg.eigh(moments)
        semi_axes = 2.0 * np.sqrt(variances)
        of_ellipse = 1.0 / np.linalg.norm((directions.T @ rays) / semi_axes[:, None], axis=0)
        u = directions[0, 0] * tube.u + directions[1, 0] * tube.v
        axes = PlaneAxes(tube.isthmus_mm, u, np.cross(tube.direction, u))
        overshoot = max(float((of_ellipse - tube.radii_mm).max()), 0.0)
        return cls(tube.isthmus_mm, tube.direction, axes, (float(semi_axes[0]), float(semi_axes[1])), overshoot)


def trace_pedicles(bone: PedicleBone, body: VertebralBody) -> dict[str, Pedicle]:
    """The pedicles of a vertebra by side; a side whose pedicle is not marked or cannot be traced is absent.

    Behind the body, sections parallel to its posterior wall show each pedicle as an area beside the canal.  About the
    narrowest section, a tube is fitted to the surface (see `pedicle_fit`); its axis is the pedicle's.
    """
    found = {side: _trace(bone, body, sign) for side, sign in SIDES.items()}
    traced = {side: pedicle for side, pedicle in found.items() if pedicle is not None}
    angles = {side: _convergence_deg(pedicle, body, SIDES[side]) for side, pedicle in traced.items()}
    if len(angles) == len(SIDES) and abs(angles["left"] - angles["right"]) > LARGEST_ASYMMETRY_DEG:
        del traced[max(angles, key=lambda side: abs(angles[side]))]
    return traced


def _convergence_deg(pedicle: Pedicle, body: VertebralBody, sign: float) -> float:
    """Angle of an axis to the midline in the axial plane of the frame, positive towards the midline in front."""
    frame = body.frame
    return float(np.degrees(np.arctan2(-sign * (pedicle.direction @ frame.left), -pedicle.direction @ frame.posterior)))


def _trace(bone: PedicleBone, body: VertebralBody, sign: float) -> Pedicle | None:
    frame = body.frame
    start = _isthmus_of_coronal_sections(bone, body, sign)
    tube = None if start is None else fit_tube(bone, start, -frame.posterior, frame.left)
    if start is None or tube is None:
        return None
    forwards, upwards = -tube.direction @ frame.posterior, abs(tube.direction @ frame.superior)
    is_turned_away = forwards < np.cos(np.deg2rad(LARGEST_ANGLE_DEG)) or upwards > np.sin(
        np.deg2rad(LARGEST_SAGITTAL_ANGLE_DEG)
    )
    offset = tube.isthmus_mm - start
    along = offset @ tube.direction
    has_drifted = np.linalg.norm(offset - along * tube.direction) > LARGEST_DRIFT_MM or abs(along) > LARGEST_SLIDE_MM
    return None if is_turned_away or has_drifted else Pedicle.of(tube)


def _isthmus_of_coronal_sections(bone: PedicleBone, body: VertebralBody, sign: float) -> FloatArray | None:
    """Centre of the smallest area beside the canal in coronal sections behind the body."""
    frame = body.frame
    lateral = np.arange(*LATERAL_MM, STEP_MM) * sign
    heights = np.arange(*HEIGHT_MM, STEP_MM)
    _, wall = body.midline_edges_mm
    best: tuple[float, FloatArray] | None = None
    for posterior in np.arange(wall + SEARCH_MM[0], wall + SEARCH_MM[1], 1.0):
        left, up = np.meshgrid(lateral, heights, indexing="ij")
        points = frame.to_lps_mm(np.stack([left, np.full_like(left, posterior), up], axis=-1))
        parts, count = ndimage.label(bone.excess(points) > 0)
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
