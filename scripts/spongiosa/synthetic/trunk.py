"""The trunk around the spine: skin, subcutaneous fat, muscular wall and the fat inside, as one nested shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.synthetic.palette import Palette
from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.sampling import PATIENT_FRAME, Box, Canvas, Floats
from spongiosa.synthetic.texture import noise_at

_SKIN_MM = 1.8
_EXPONENT = 2.5
# Height above L3 (mm at 1.70 m), half width and half depth of the trunk at a body mass index of 25 kg/m2.
_HEIGHTS = np.array([-300.0, -170.0, -80.0, 0.0, 120.0, 250.0, 380.0, 440.0, 480.0])
_HALF_WIDTHS = np.array([178.0, 176.0, 166.0, 152.0, 152.0, 162.0, 168.0, 130.0, 66.0])
_HALF_DEPTHS = np.array([112.0, 114.0, 110.0, 104.0, 110.0, 114.0, 100.0, 80.0, 64.0])
# How much each grows per kg/m2: most at the waist.
_WIDTH_GAIN = np.array([2.5, 3.0, 3.8, 4.2, 3.2, 2.2, 1.8, 1.2, 0.8])
_DEPTH_GAIN = np.array([2.0, 2.6, 3.6, 4.4, 3.4, 2.4, 1.6, 1.2, 0.8])
_BACK_MM = 95.0


@dataclass(frozen=True)
class Trunk:
    """Nested superelliptic cylinders whose size changes with height."""

    scale: float
    bmi_kg_m2: float
    wall_mm: float = 13.0
    texture_seed: int = 0

    @classmethod
    def of(cls, parameters: PatientParameters, texture_seed: int = 0) -> Trunk:
        """The trunk of a patient of this stature and body mass index."""
        return cls(parameters.stature_m / 1.70, parameters.bmi_kg_m2, texture_seed=texture_seed)

    @property
    def subcutaneous_mm(self) -> float:
        """Mean thickness of the subcutaneous fat."""
        return float(np.clip(14.0 + 1.7 * (self.bmi_kg_m2 - 25.0), 5.0, 45.0))

    @property
    def back_mm(self) -> float:
        """y of the skin of the back in the midline."""
        return _BACK_MM * self.scale + 0.9 * (self.bmi_kg_m2 - 25.0)

    def half_axes(self, z: Floats) -> tuple[Floats, Floats]:
        """Half width and half depth of the skin at heights z, mm."""
        heights, widths, depths = self._profile
        return np.interp(z, heights, widths).astype(np.float32), np.interp(z, heights, depths).astype(np.float32)

    @cached_property
    def _profile(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Heights 5 mm apart with the half axes there, the corners of the table rounded over some 40 mm."""
        excess = self.bmi_kg_m2 - 25.0
        heights = np.arange(_HEIGHTS[0] - 60.0, _HEIGHTS[-1] + 60.0, 5.0) * self.scale
        widths = np.interp(heights, _HEIGHTS * self.scale, _HALF_WIDTHS * self.scale + _WIDTH_GAIN * excess)
        depths = np.interp(heights, _HEIGHTS * self.scale, _HALF_DEPTHS * self.scale + _DEPTH_GAIN * excess)
        smooth_widths, smooth_depths = (ndimage.gaussian_filter1d(h, 5.0, mode="nearest") for h in (widths, depths))
        return heights, smooth_widths, smooth_depths

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Signed distance to the skin along the ray to the middle of the section, mm, negative inside."""
        width, half_depth = self.half_axes(_column(z))
        dy = y - (np.float32(self.back_mm) - half_depth)
        q = (np.abs(_row(x)) / width) ** _EXPONENT + (np.abs(dy) / half_depth) ** _EXPONENT
        q = np.maximum(q ** np.float32(1.0 / _EXPONENT), np.float32(1e-3))
        # in the very middle the ray has no direction: there the distance is the half depth
        radius = np.maximum(np.sqrt(x * x + dy * dy), half_depth * np.float32(1e-3))
        return np.asarray(radius * (1.0 - 1.0 / q))

    def subcutaneous_at(self, y: Floats) -> Floats:
        """Thickness of the fat under the skin: thicker behind than in front."""
        return np.asarray(np.float32(self.subcutaneous_mm) * np.clip(1.0 + y * np.float32(0.25 / 90.0), 0.7, 1.3))

    def cavity_depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Signed distance to the inner side of the muscular wall."""
        return self.depth(x, y, z) + np.float32(_SKIN_MM + self.wall_mm) + self.subcutaneous_at(y)

    def fascia_depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Signed distance to the outer side of the muscular wall."""
        return self.depth(x, y, z) + np.float32(_SKIN_MM) + self.subcutaneous_at(y)

    def paint(self, canvas: Canvas, tissues: Palette) -> None:
        """Skin, fat, wall, and inside it fat with strands of vessels and mesentery."""
        skin, fat, muscle = (np.float32(tissues.value(name)) for name in ("skin", "fat", "muscle"))
        top, bottom = float(_HEIGHTS[-1] * self.scale + 60.0), float(_HEIGHTS[0] * self.scale - 120.0)
        width, half_depth = (float(h.max()) for h in self.half_axes(np.linspace(bottom, top, 50)))
        box = Box((-width - 4.0, self.back_mm - 2.0 * half_depth - 4.0, bottom), (width + 4.0, self.back_mm + 4.0, top))
        for window, place in canvas.slabs(PATIENT_FRAME, box):
            distance = self.depth(window.u, window.v, window.w)
            outer = window.coverage(distance)
            distance += np.float32(_SKIN_MM)
            value = outer * skin + window.coverage(distance) * (fat - skin)
            distance += self.subcutaneous_at(window.v)
            value += window.coverage(distance) * (muscle - fat)
            distance += np.float32(self.wall_mm)
            inside = window.coverage(distance)
            value += inside * (fat - muscle)
            deep = inside == 1.0
            strands = noise_at(window.u[deep], window.v[deep], window.w[deep], 3.5, self.texture_seed) - np.float32(1.1)
            value[deep] += np.clip(strands * np.float32(1.5), 0.0, 0.85) * (muscle - fat)
            canvas.paint(place, outer, value)


def _column(z: Floats) -> Floats:
    """Heights without the repetition over rows and columns, where the window is a grid whose slices are level."""
    return z[..., :1, :1] if z.ndim == 4 and np.ptp(z[0, 0]) < 1e-3 else z


def _row(x: Floats) -> Floats:
    """x without the repetition over slices and rows, where the window is a grid aligned with the patient."""
    return x[:1, :1, :1, :] if x.ndim == 4 and np.ptp(x[:, :, :, 0]) < 1e-3 else x
