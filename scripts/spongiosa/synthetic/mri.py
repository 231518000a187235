"""MR of the same patient: the anatomy painted in signal instead of Hounsfield units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spongiosa.synthetic.image import SyntheticImage
from spongiosa.synthetic.patient import SyntheticPatient
from spongiosa.synthetic.placed import Shape
from spongiosa.synthetic.sampling import Floats, Grid, GridCanvas
from spongiosa.synthetic.truth_regions import IdealRegions, Side

Weighting = Literal["T1", "T2"]

# Signal of turbo spin echo at 3 T in arbitrary units; order and rough ratios as on clinical images.
_SIGNAL: Final[dict[Weighting, dict[str, float]]] = {
    "T1": {
        "fat": 1000.0,
        "red_marrow": 330.0,
        "muscle": 310.0,
        "cerebrospinal_fluid": 130.0,
        "disc": 290.0,
        "annulus": 220.0,
        "liver": 430.0,
        "spleen": 300.0,
        "kidney": 340.0,
        "bowel": 300.0,
        "stool": 380.0,
        "skin": 320.0,
        "blood": 60.0,
        "ligament": 70.0,
        "lung": 25.0,
        "cortical": 30.0,
        "halo": 260.0,
    },
    "T2": {
        "fat": 720.0,
        "red_marrow": 300.0,
        "muscle": 130.0,
        "cerebrospinal_fluid": 1000.0,
        "disc": 420.0,
        "annulus": 130.0,
        "liver": 170.0,
        "spleen": 330.0,
        "kidney": 420.0,
        "bowel": 330.0,
        "stool": 250.0,
        "skin": 200.0,
        "blood": 60.0,
        "ligament": 50.0,
        "lung": 25.0,
        "cortical": 25.0,
        "halo": 520.0,
    },
}
_ALIASES: Final = {"thecal_sac": "cerebrospinal_fluid", "halo_rim": "cortical"}
_NO_SIGNAL: Final = {"air", "bowel_gas", "titanium", "table", "table_foam"}
_MINERAL_FADE_MG_CM3: Final = 900.0
"""Trabecular density that would take all signal of the marrow by susceptibility; fades linearly."""
_L1_TO_L4: Final = ("L1", "L2", "L3", "L4")


class MrTissues:
    """Signal of the tissues without noise or bias field, arbitrary units."""

    def __init__(self, weighting: Weighting) -> None:
        self._signal = _SIGNAL[weighting]
        self.cortical = self._signal["cortical"]

    def value(self, tissue: str) -> float:
        """Signal of a tissue; none for air, metal and table. Raises `KeyError` for an unknown name."""
        return 0.0 if tissue in _NO_SIGNAL else self._signal[_ALIASES.get(tissue, tissue)]

    def blood(self, iodine_mg_ml: float) -> float:  # noqa: ARG002
        """Flowing blood is dark, with or without iodine."""
        return self._signal["blood"]

    def compact(self, density_mg_cm3: float) -> float:  # noqa: ARG002
        """Compact bone gives hardly any signal."""
        return self.cortical

    def spongy(self, density_mg_cm3: Floats, marrow_fat_fraction: float) -> Floats:
        """Signal of marrow by its share of fat, dimmed by mineral."""
        marrow = marrow_fat_fraction * self._signal["fat"] + (1.0 - marrow_fat_fraction) * self._signal["red_marrow"]
        left = np.clip(1.0 - density_mg_cm3 * np.float32(1.0 / _MINERAL_FADE_MG_CM3), 0.0, 1.0)
        return np.asarray(np.float32(self.cortical) + (np.float32(marrow - self.cortical)) * left)


@dataclass(frozen=True)
class MrParameters:
    """A sagittal acquisition, centred on `centre_level` and the midline of the spine there."""

    weighting: Weighting = "T1"
    rows: int = 384
    columns: int = 384
    pixel_spacing_mm: float = 0.85
    slice_thickness_mm: float = 4.0
    slice_spacing_mm: float = 4.4
    slices: int = 15
    centre_level: str = "L3"
    bias_field: float = 0.25
    """Relative loss of signal from the coil under the back to the front of the field of view, half of it along z."""
    noise_sd: float = 12.0
    """Standard deviation of each of the two channels, in units of the signal (fat is 1000)."""


@dataclass(frozen=True)
class RenderedMr:
    """An MR of a synthetic patient with its label maps; all three images share one grid."""

    mr: SyntheticImage
    vertebrae: SyntheticImage
    bodies: SyntheticImage
    patient: SyntheticPatient
    parameters: MrParameters

    @cached_property
    def truth(self) -> MrTruth:
        """True signals, free of noise and bias field."""
        return MrTruth(self.patient, MrTissues(self.parameters.weighting))


@dataclass(frozen=True)
class MrTruth:
    """Signals of the noise-free field over ideal regions, and the indices made of them."""

    patient: SyntheticPatient
    tissues: MrTissues

    def signal(self, level: str, region: str, side: Side = "none") -> float:
        """Mean signal of a region (as in `truth_regions`, inset 5 mm); nan when nothing is left inside."""
        regions = IdealRegions(self.patient.vertebrae[level], (5.0, 5.0, 5.0))
        points = regions.points(region, "endplate", side)
        values = self.patient.vertebra_values_at(level, points, self.tissues)
        return float(np.mean(values, dtype=np.float64)) if len(points) else float("nan")

    def signal_over(self, shape: Shape, step_mm: float = 0.4) -> float:
        """Mean signal of the noise-free field over exactly a placed geometry."""
        points, weights = shape.samples(step_mm)
        return float(np.average(self.patient.values_at(points, self.tissues), weights=weights))

    @property
    def cerebrospinal_fluid(self) -> float:
        """Signal of the fluid in the thecal sac behind L3."""
        return self.tissues.value("cerebrospinal_fluid")

    def pedicle_bone_quality(self) -> float:
        """PBQ: mean pedicle signal of L1-L4, left and right, over that of the cerebrospinal fluid behind L3."""
        sides: tuple[Side, Side] = ("left", "right")
        pedicles = [np.mean([self.signal(level, "pedicle", side) for side in sides]) for level in _L1_TO_L4]
        return float(np.mean(pedicles) / self.cerebrospinal_fluid)

    def vertebral_bone_quality(self) -> float:
        """VBQ: median signal of the bodies L1-L4 over that of the cerebrospinal fluid behind L3."""
        bodies = [self.signal(level, "body_trabecular") for level in _L1_TO_L4]
        return float(np.median(bodies) / self.cerebrospinal_fluid)

    def to_frame(self) -> pd.DataFrame:
        """One row: `pbq, vbq, csf_signal, marrow_fat_fraction`."""
        return pd.DataFrame(
            [
                {
                    "pbq": self.pedicle_bone_quality(),
                    "vbq": self.vertebral_bone_quality(),
                    "csf_signal": self.cerebrospinal_fluid,
                    "marrow_fat_fraction": self.patient.parameters.marrow_fat_fraction,
                }
            ]
        )


def render_mr(patient: SyntheticPatient, parameters: MrParameters, seed: int) -> RenderedMr:
    """Scan a patient in MR; equal patient, parameters and seed give the same bytes.

    The image is int16, shape (slices, rows, columns): columns run backwards, rows downwards, slices to the left.
    """
    p = parameters
    centre = patient.vertebrae[p.centre_level].frame.origin_mm + np.array([0.0, 10.0, 0.0])
    steps = np.array([[0.0, 0.0, p.slice_spacing_mm], [p.pixel_spacing_mm, 0.0, 0.0], [0.0, -p.pixel_spacing_mm, 0.0]])
    half = np.array([p.columns - 1, p.rows - 1, p.slices - 1]) / 2.0
    grid = Grid(centre - steps @ half, steps, (p.slices, p.rows, p.columns), p.slice_thickness_mm)
    canvas = GridCanvas(grid, 0.0)
    patient.paint(canvas, MrTissues(p.weighting))
    signal = np.asarray(canvas.values, dtype=np.float32) * _bias_field(grid, p.bias_field)
    rng = np.random.default_rng(seed)
    real, imaginary = (rng.standard_normal(grid.shape, dtype=np.float32) * np.float32(p.noise_sd) for _ in range(2))
    # The magnitude of a complex signal with Gaussian noise in both channels is Rician.
    voxels = np.rint(np.hypot(signal + real, imaginary)).astype(np.int16)
    return RenderedMr(
        mr=grid.image(voxels),
        vertebrae=grid.image(canvas.vertebrae),
        bodies=grid.image(canvas.bodies),
        patient=patient,
        parameters=p,
    )


def _bias_field(grid: Grid, strength: float) -> NDArray[np.float32]:
    """Smooth sensitivity of the coil: 1 at its best, least in front and at the ends of the field of view."""
    _, ny, nx = grid.shape
    front = np.linspace(1.0, 0.0, nx, dtype=np.float32)[None, None, :]
    ends = np.linspace(-1.0, 1.0, ny, dtype=np.float32)[None, :, None]
    return np.asarray(np.exp(-np.float32(strength) * (front + 0.5 * ends**2)), dtype=np.float32)
