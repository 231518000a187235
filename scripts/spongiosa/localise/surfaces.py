"""The surface of a vertebral body in its own frame: walls in polar coordinates, then the endplates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray, Plane, unit_vector
from spongiosa.localise.frames import robust_plane
from spongiosa.localise.local_box import STEP_MM, LocalBox
from spongiosa.localise.plates import PLATE_REACH_MM, find_plate
from spongiosa.localise.walls import ANGLES, Ellipse, find_walls
from spongiosa.volume import Volume


@dataclass(frozen=True)
class BodySurface:
    """A body in the local frame of its rough centre (left, posterior, superior mm): walls and plates.

    `radius_mm` (angles, heights) about `axis_mm` (left, posterior) at `heights_mm`; `top_mm` and `bottom_mm` on the
    grid `ticks_mm` x `ticks_mm` of (left, posterior) offsets from the axis.  Angles run from the left over the back.
    `wall_fall_hu` and `plate_fall_hu` are the mean falls of HU at the surface: how well it is seen.
    `ellipse` is the section at mid-height before the walls were followed.
    """

    centre_mm: FloatArray
    axes: FloatArray
    axis_mm: tuple[float, float]
    heights_mm: FloatArray
    radius_mm: FloatArray
    ticks_mm: FloatArray
    top_mm: FloatArray
    bottom_mm: FloatArray
    wall_fall_hu: float
    plate_fall_hu: float
    ellipse: Ellipse

    @property
    def width_mm(self) -> float:
        """Mean width of the body from left to right."""
        return float((self.radius_mm[0] + self.radius_mm[ANGLES // 2]).mean())

    @property
    def depth_mm(self) -> float:
        """Mean depth of the body from front to back."""
        return float((self.radius_mm[ANGLES // 4] + self.radius_mm[3 * ANGLES // 4]).mean())

    @property
    def section_centre_mm(self) -> FloatArray:
        """Middle of the mean section, local (left, posterior) mm."""
        ring = self.radius_mm.mean(axis=1)
        quarter = ANGLES // 4
        offset = np.array([ring[0] - ring[2 * quarter], ring[quarter] - ring[3 * quarter]]) / 2
        return np.asarray(self.axis_mm) + offset

    @property
    def bounds_mm(self) -> tuple[FloatArray, FloatArray]:
        """Least and greatest local (left, posterior, superior) that the body can reach, mm."""
        widest = float(self.radius_mm.max())
        across = np.abs(self.ticks_mm) <= widest + STEP_MM
        bottom, top = self.bottom_mm[np.ix_(across, across)], self.top_mm[np.ix_(across, across)]
        left, back = self.axis_mm
        return (
            np.array([left - widest, back - widest, float(bottom.min())]),
            np.array([left + widest, back + widest, float(top.max())]),
        )

    def holds(self, left_mm: FloatArray, back_mm: FloatArray, up_mm: FloatArray) -> NDArray[np.bool_]:
        """Whether points of the local frame, arrays of one shape, lie in the body."""
        left, back = left_mm - self.axis_mm[0], back_mm - self.axis_mm[1]
        angle = np.mod(np.arctan2(back, left), 2 * np.pi) / (2 * np.pi) * ANGLES
        height = np.clip((up_mm - self.heights_mm[0]) / STEP_MM, 0, len(self.heights_mm) - 1)
        wrapped = np.concatenate([self.radius_mm, self.radius_mm[:1]])
        radius = ndimage.map_coordinates(wrapped, [angle, height], order=1, mode="nearest")
        column = [(left - self.ticks_mm[0]) / STEP_MM, (back - self.ticks_mm[0]) / STEP_MM]
        top = ndimage.map_coordinates(self.top_mm, column, order=1, mode="nearest")
        bottom = ndimage.map_coordinates(self.bottom_mm, column, order=1, mode="nearest")
        within: NDArray[np.bool_] = (np.hypot(left, back) <= radius) & (up_mm <= top) & (up_mm >= bottom)
        return within


def inner_section(surface: BodySurface) -> NDArray[np.bool_]:
    """The inner 85 % of a surface's mean section on its grid, clear of the rims of the plates."""
    left, back = np.meshgrid(surface.ticks_mm, surface.ticks_mm, indexing="ij")
    angle = np.mod(np.arctan2(back, left), 2 * np.pi) / (2 * np.pi) * ANGLES
    wall = np.concatenate([surface.radius_mm.mean(axis=1), surface.radius_mm[:1].mean(axis=1)])
    inner: NDArray[np.bool_] = np.hypot(left, back) < 0.85 * np.interp(angle, np.arange(ANGLES + 1), wall)
    return inner


def endplate_planes(surface: BodySurface) -> tuple[Plane, Plane, float]:
    """Superior and inferior endplate planes (LPS, normals superior) of a surface by Tukey's biweight over the inner
    85 % of its section, and the larger robust SD of the residuals, mm.
    """
    left, back = np.meshgrid(surface.ticks_mm, surface.ticks_mm, indexing="ij")
    inner = inner_section(surface)
    across = np.column_stack([left[inner], back[inner]])
    planes, spreads = [], []
    offset = np.array(surface.axis_mm)
    middle = surface.section_centre_mm - offset
    for heights in (surface.top_mm, surface.bottom_mm):
        (a, b, c), spread = robust_plane(across, heights[inner])
        point = np.array([*(middle + offset), a * middle[0] + b * middle[1] + c])
        normal = unit_vector(np.array([-a, -b, 1.0])) @ surface.axes
        planes.append(Plane(surface.centre_mm + point @ surface.axes, normal))
        spreads.append(spread)
    return planes[0], planes[1], max(spreads)


def refined_frame(surface: BodySurface) -> tuple[FloatArray, FloatArray, float]:
    """Centre (LPS mm), axes and half height of the frame that the surface itself has: midway between its plates, at
    right angles to them.
    """
    top, bottom, _ = endplate_planes(surface)
    superior = unit_vector(top.normal + bottom.normal)
    sideways = unit_vector(surface.axes[0] - (surface.axes[0] @ superior) * superior)
    axes = np.stack([sideways, np.cross(superior, sideways), superior])
    span = top.point_mm - bottom.point_mm
    return (top.point_mm + bottom.point_mm) / 2, axes, float(span @ superior) / 2


def find_surface(
    scan: Volume,
    centre_mm: FloatArray,
    axes: FloatArray,
    half_height_mm: float,
    outward_mm: tuple[float, float] = (PLATE_REACH_MM, PLATE_REACH_MM),
    near: Ellipse | None = None,
) -> BodySurface | None:
    """Surface of the body whose rough centre (LPS), axes (rows left, posterior, superior) and half height are given.

    The wall and the plates are where HU fall most on the way out, whatever the marrow: the shell is brighter than what
    lies outside of it at every density.  Semi-global matching (Hirschmueller, IEEE PAMI 2008) joins neighbouring
    directions.  None when the body lies outside of the scan.
    `outward_mm` is how far outside of the expected upper and lower plate the plates may lie: beyond half a disc it is
    the neighbour whose HU fall.  `near` is the section that the neighbours have, where the own one is in doubt.
    """
    reach = (40.0, 34.0, half_height_mm + PLATE_REACH_MM + 3.0)
    box = LocalBox.sampled(scan, centre_mm, axes, reach, 0.0)
    if box is None:
        return None
    walls = find_walls(box, half_height_mm, -half_height_mm, near)
    ticks = np.arange(-36.0, 36.0 + STEP_MM, STEP_MM)
    top, top_fall = find_plate(box, walls, ticks, half_height_mm, outward_mm[0], upwards=True)
    bottom, bottom_fall = find_plate(box, walls, ticks, -half_height_mm, outward_mm[1], upwards=False)
    return BodySurface(
        centre_mm,
        axes,
        walls.axis_mm,
        walls.heights_mm,
        walls.radius_mm,
        ticks,
        top,
        bottom,
        walls.fall_hu,
        min(top_fall, bottom_fall),
        walls.ellipse,
    )
