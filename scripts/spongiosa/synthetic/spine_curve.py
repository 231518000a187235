"""Where each vertebra lies: the curves of the spine, built upwards from the sacrum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.morphometry import SACRAL_SEGMENTS, THORACIC, VertebraDimensions, dimensions, individual
from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.pathology import fractured_size
from spongiosa.synthetic.posture import jittered
from spongiosa.synthetic.sampling import Frame

_TRANSITIONAL_DISC = {"sacralised_l5": 0.45, "lumbarised_s1": 0.65}
_DISC_SHARE = {"L1": 0.10, "L2": 0.15, "L3": 0.20, "L4": 0.26, "L5": 0.29}
"""Share of the discs' lordosis in the disc below each vertebra; grows caudally (Bernhardt, Spine 1989;14:717-721)."""


@dataclass(frozen=True)
class SpineCurve:
    """Frames of the bodies (centre, axes) from T1 to the last lumbar vertebra, and of the five sacral bodies."""

    levels: tuple[str, ...]
    frames: dict[str, Frame]
    sizes: dict[str, VertebraDimensions]
    sacral_frames: tuple[Frame, ...]
    disc_wedges_deg: dict[str, float]

    def centre_at(self, z_mm: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x and y of the line through the bodies' centres at heights z, mm."""
        points = np.array(
            [f.origin_mm for f in (*self.sacral_frames[::-1], *(self.frames[k] for k in self.levels[::-1]))]
        )
        return np.interp(z_mm, points[:, 2], points[:, 0]), np.interp(z_mm, points[:, 2], points[:, 1])


def presacral_levels(parameters: PatientParameters) -> tuple[str, ...]:
    """Names from T1 down to the last presacral vertebra; a lumbarised S1 counts as L6, as in the VerSe labels."""
    count = 6 if parameters.lumbosacral_junction == "lumbarised_s1" else parameters.lumbar_vertebrae
    return (*THORACIC, *(f"L{k}" for k in range(1, count + 1)))


def _shape_level(level: str, lumbar_vertebrae: int) -> str:
    """The level whose published shape a vertebra takes: with four or six, the last one is shaped like L5."""
    if not level.startswith("L") or lumbar_vertebrae == 5:
        return level
    number = int(level[1:])
    return f"L{max(1, min(5, round(1 + (number - 1) * 4 / (lumbar_vertebrae - 1))))}"


def rotation(tilt_deg: float, lateral_deg: float, axial_deg: float) -> NDArray[np.float64]:
    """Axes (left, posterior, superior) of a body tilted forward, bent to the left and turned to the left, degrees."""
    t, s, r = np.radians([tilt_deg, lateral_deg, axial_deg])
    about_x = np.array([[1, 0, 0], [0, np.cos(t), -np.sin(t)], [0, np.sin(t), np.cos(t)]])
    about_y = np.array([[np.cos(s), 0, np.sin(s)], [0, 1, 0], [-np.sin(s), 0, np.cos(s)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z, dtype=np.float64)


def _wedge_deg(size: VertebraDimensions) -> float:
    depth = (size.superior_depth_mm + size.inferior_depth_mm) / 2.0
    return float(np.degrees(np.arctan((size.anterior_height_mm - size.posterior_height_mm) / depth)))


def _disc_wedges(
    levels: tuple[str, ...], sizes: dict[str, VertebraDimensions], p: PatientParameters
) -> dict[str, float]:
    """Lordotic angle of the disc below each vertebra, so that lordosis and kyphosis come out as set."""
    lumbar = [level for level in levels if level.startswith("L")]
    shares = {level: _DISC_SHARE[_shape_level(level, len(lumbar))] for level in lumbar}
    discs_total = p.lordosis_deg - p.posture.flexion_deg - sum(_wedge_deg(sizes[level]) for level in lumbar)
    wedges = {level: discs_total * share / sum(shares.values()) for level, share in shares.items()}
    thoracic = [level for level in levels if level.startswith("T")]
    rest = -p.kyphosis_deg - sum(_wedge_deg(sizes[level]) for level in thoracic)
    wedges.update({level: rest / (len(thoracic) - 1) for level in thoracic})
    wedges[thoracic[-1]] = 1.0
    return wedges


def _coronal_profile(
    levels: tuple[str, ...], apex: str, steps: float = 2.5
) -> tuple[dict[str, float], dict[str, float]]:
    """Lateral tilt and axial rotation per unit of Cobb angle and of apical rotation.

    Tilt runs from +1/2 below to -1/2 above the apex; beyond the curve the spine returns to upright.
    """
    if apex not in levels:
        raise ValueError(f"scoliosis_apex is {apex!r}; this spine has {', '.join(levels)}")
    distance = {level: levels.index(apex) - k for k, level in enumerate(levels)}
    tilt = {k: float(-np.sin(np.clip(d / steps, -2, 2) * np.pi / 2) / 2) for k, d in distance.items()}
    turn = {k: float(np.cos(np.clip(d / (2 * steps), -1, 1) * np.pi / 2) ** 2) for k, d in distance.items()}
    return tilt, turn


def build_spine_curve(parameters: PatientParameters, seed: int) -> SpineCurve:
    """Stack bodies and discs on the sacrum; the centre of L3 (of the third lumbar vertebra) becomes the origin."""
    p = parameters
    levels = presacral_levels(p)
    lumbar_count = sum(level.startswith("L") for level in levels)
    sizes = {k: dimensions(_shape_level(k, lumbar_count), p.sex, p.stature_m) for k in levels}
    sizes = individual(sizes, seed, p.shape_variation)
    sizes = {k: _transitional_disc(size, k, levels, p) for k, size in sizes.items()}
    wedges = _disc_wedges(levels, sizes, p)
    sizes = {k: fractured_size(size, k, p.variants) for k, size in sizes.items()}
    tilt_share, turn_share = _coronal_profile(levels, p.scoliosis_apex)
    point, tilt, lateral = np.zeros(3), p.sacral_slope_deg, 0.0
    frames: dict[str, Frame] = {}
    for level in reversed(levels):
        size = sizes[level]
        goal = p.scoliosis_cobb_deg * tilt_share[level]
        axes = rotation(tilt - wedges[level] / 2, (lateral + goal) / 2, 0.0)
        point = point + axes[:, 2] * size.disc_height_mm * p.disc_height_factor
        tilt, lateral = tilt - wedges[level], goal
        wedge = _wedge_deg(size)
        axes = rotation(tilt - wedge / 2, lateral, p.axial_rotation_deg * turn_share[level])
        height = (size.anterior_height_mm + size.posterior_height_mm) / 2.0
        frames[level] = Frame(point + axes[:, 2] * height / 2.0, axes)
        point = point + axes[:, 2] * height
        tilt -= wedge
    sacral = _sacral_frames(p)
    shift = frames["L3"].origin_mm
    moved = jittered({k: Frame(f.origin_mm - shift, f.axes) for k, f in frames.items()}, p.posture)
    return SpineCurve(levels, moved, sizes, tuple(Frame(f.origin_mm - shift, f.axes) for f in sacral), wedges)


def _transitional_disc(
    size: VertebraDimensions, level: str, levels: tuple[str, ...], p: PatientParameters
) -> VertebraDimensions:
    """The disc under a transitional vertebra is narrow."""
    if p.lumbosacral_junction == "regular" or level != levels[-1]:
        return size
    return replace(size, disc_height_mm=size.disc_height_mm * _TRANSITIONAL_DISC[p.lumbosacral_junction])


def _sacral_frames(p: PatientParameters) -> list[Frame]:
    """Centres and axes of S1-S5, below the superior endplate of S1 at the origin."""
    point, frames = np.zeros(3), []
    for height, _, _, turn in SACRAL_SEGMENTS:
        axes = rotation(p.sacral_slope_deg + turn, 0.0, 0.0)
        step = axes[:, 2] * height * p.stature_m / 1.70
        frames.append(Frame(point - step / 2.0, axes))
        point = point - step
    return frames
