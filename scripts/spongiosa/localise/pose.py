"""How the patient lies in the scan: turned or tilted, and the scan as it would be with the patient lying straight."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from spongiosa.anatomy.frame import FloatArray, Plane, SpineDescription, VertebralFrame
from spongiosa.localise.canal import CanalTrack
from spongiosa.volume import Volume

#: A turn smaller than this is left alone, degrees: the search copes with it.
LEAST_TURN_DEG = 5.0
#: No patient lies with a spine that leans sideways, or is turned about it, by more than this, degrees.
LARGEST_TURN_DEG = 30.0
#: A track that is farther than this from the line of its upper part has left the spine, mm: more than a scoliosis bows.
LINE_TOLERANCE_MM = 24.0
#: What is compared with its mirror image: half width, and from behind to in front of the canal, mm.
MIRROR_HALF_MM, MIRROR_BACK_MM, MIRROR_FRONT_MM = 44.0, 34.0, 50.0
MIRROR_STEP_MM = 2.0
_MIRROR_TURNS_DEG = np.arange(-27.0, 28.0, 3.0)


@dataclass(frozen=True)
class SpineLine:
    """The straight line x = `at_zero_mm` + `slope` z that the upper part of a track follows (LPS mm)."""

    at_zero_mm: float
    slope: float

    def beside_mm(self, points_mm: FloatArray) -> FloatArray:
        """How far points lie to the left of the line, mm."""
        beside: FloatArray = points_mm[:, 0] - self.at_zero_mm - self.slope * points_mm[:, 2]
        return beside

    def at_z(self, heights_mm: FloatArray) -> FloatArray:
        """LPS x of the line at heights z, mm."""
        return np.asarray(self.at_zero_mm + self.slope * np.asarray(heights_mm))

    @property
    def lean_deg(self) -> float:
        """Lean to the patient's left going up, degrees."""
        return float(np.degrees(np.arctan(self.slope)))


def spine_line(track: CanalTrack) -> tuple[SpineLine, CanalTrack]:
    """The line of a track, and the part of the track that follows it.

    The lower end of a track may have left the spine for a hip; the line is that of the upper part, carried on downwards
    as long as the track stays near it.
    """
    points = track.points_mm[::-1]  # cranial first
    count = max(len(points) * 11 // 20, min(len(points), 10))
    line = SpineLine(float(points[:, 0].mean()), 0.0)
    for _ in range(4):
        slope, at_zero = np.polyfit(points[:count, 2], points[:count, 0], 1) if count > 3 else (0.0, points[0, 0])
        line = SpineLine(float(at_zero), float(slope))
        away = np.flatnonzero(np.abs(line.beside_mm(points)) > LINE_TOLERANCE_MM)
        away = away[away >= len(points) // 3]
        count = int(away[0]) if away.size else len(points)
    if count == len(points):
        return line, track
    return line, CanalTrack(track.points_mm[len(points) - count :], track.scores[len(points) - count :])


def axial_turn_deg(working: Volume, track: CanalTrack) -> float:
    """Turn of the patient about the canal, degrees, positive from the left to the back (x to y).

    The turn at which the surroundings of the canal resemble their own mirror image most, over all tracked slices.
    """
    across = np.arange(MIRROR_STEP_MM, MIRROR_HALF_MM, MIRROR_STEP_MM)
    back = np.arange(-MIRROR_FRONT_MM, MIRROR_BACK_MM, MIRROR_STEP_MM)
    u, v = np.meshgrid(across, back, indexing="ij")
    clipped = np.clip(working.voxels, -150.0, 400.0)
    centres = working.geometry.indices_zyx(track.points_mm[track.scores > 0.5][::3])
    if len(centres) < 5:
        return 0.0
    step = working.geometry.spacing_mm[0]
    differences = []
    for turn in np.radians(_MIRROR_TURNS_DEG):
        sides = []
        for sign in (1.0, -1.0):
            x = sign * u * np.cos(turn) - v * np.sin(turn)
            y = sign * u * np.sin(turn) + v * np.cos(turn)
            at = [
                np.broadcast_to(centres[:, 0, None, None], (len(centres), *u.shape)),
                centres[:, 1, None, None] + y / step,
                centres[:, 2, None, None] + x / step,
            ]
            sides.append(ndimage.map_coordinates(clipped, at, order=1, mode="nearest"))
        differences.append(float(np.abs(sides[0] - sides[1]).mean()))
    place = int(np.argmin(differences))
    if place in (0, len(differences) - 1):
        return 0.0
    left, middle, right = differences[place - 1 : place + 2]
    curvature = left - 2.0 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature > 0 else 0.0
    return float(_MIRROR_TURNS_DEG[place] + 3.0 * np.clip(shift, -0.5, 0.5))


def rotation_about(axis: int, degrees: float) -> FloatArray:
    """Right-handed rotation matrix about the x, y or z axis (0, 1, 2)."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    one, other = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[[one, other], [one, other]] = cosine
    matrix[other, one], matrix[one, other] = sine, -sine
    return matrix


def straightening_turn(working: Volume, track: CanalTrack, line: SpineLine) -> FloatArray | None:
    """The rotation that makes the patient lie straight in the scanner's axes, or None where there is nothing to do."""
    lean, turn = line.lean_deg, axial_turn_deg(working, track)
    if max(abs(lean), abs(turn)) < LEAST_TURN_DEG or max(abs(lean), abs(turn)) > LARGEST_TURN_DEG:
        return None
    # A lean of the top to the left (+x) is undone by a turn about y, which moves z to -x.
    return rotation_about(1, -lean) @ rotation_about(2, -turn)


def turned(volume: Volume, rotation: FloatArray) -> Volume:
    """The same voxels, their grid turned by a rotation about the scanner's origin."""
    geometry = volume.geometry
    x, y, z = (float(value) for value in rotation @ np.asarray(geometry.origin_mm))
    return Volume(
        volume.voxels, replace(geometry, origin_mm=(x, y, z), direction=rotation @ np.asarray(geometry.direction))
    )


def description_turned(description: SpineDescription, rotation: FloatArray) -> SpineDescription:
    """The description with all its frames turned by a rotation about the scanner's origin."""

    def plane(of: Plane) -> Plane:
        return Plane(rotation @ of.point_mm, rotation @ of.normal)

    def frame(of: VertebralFrame) -> VertebralFrame:
        return VertebralFrame(
            rotation @ of.centre_mm,
            rotation @ of.left,
            rotation @ of.posterior,
            rotation @ of.superior,
            plane(of.superior_endplate),
            plane(of.inferior_endplate),
        )

    vertebrae = tuple(
        vertebra if vertebra.frame is None else replace(vertebra, frame=frame(vertebra.frame))
        for vertebra in description.vertebrae
    )
    return replace(description, vertebrae=vertebrae)
