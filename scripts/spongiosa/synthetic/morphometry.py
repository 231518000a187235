"""Dimensions of the vertebrae per level and sex, after published morphometry.

Widths, depths and the canal follow Panjabi et al. (thoracic: Spine 1991;16:888-901; lumbar: Spine 1992;17:299-306).
Body and disc heights follow the CT series of Zhou et al. (Eur Spine J 2000;9:242-248) at L3-L5, carried cranially with
the level-to-level ratios of Panjabi, because the specimens of the latter are small. Pedicle width, height and angles
follow Zindrick et al. (Spine 1987;12:160-166). All are rounded means of both sexes at a stature of 1.70 m.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from spongiosa.synthetic.parameters import Sex

THORACIC = tuple(f"T{k}" for k in range(1, 13))
LABELS = {
    **{level: 8 + k for k, level in enumerate(THORACIC)},
    **{f"L{k}": 19 + k for k in range(1, 7)},
    "S1": 26,
    "T13": 28,
}
"""Integers of the label maps (VerSe convention)."""


@dataclass(frozen=True)
class VertebraDimensions:
    """One vertebra, all in mm or degrees; `disc_height_mm` is the disc below it, at mid-depth."""

    superior_width_mm: float
    inferior_width_mm: float
    superior_depth_mm: float
    inferior_depth_mm: float
    anterior_height_mm: float
    posterior_height_mm: float
    disc_height_mm: float
    canal_width_mm: float
    canal_depth_mm: float
    pedicle_width_mm: float
    pedicle_height_mm: float
    pedicle_transverse_angle_deg: float
    pedicle_sagittal_angle_deg: float
    transverse_span_mm: float
    spinous_length_mm: float
    """From the roof of the canal to the tip."""

    def scaled(self, across: float, along: float) -> VertebraDimensions:
        """Scaled by `across` in the axial plane and `along` in height; angles stay."""
        vertical = {"anterior_height_mm", "posterior_height_mm", "disc_height_mm", "pedicle_height_mm"}
        changed = {
            f.name: getattr(self, f.name) * (along if f.name in vertical else across)
            for f in fields(self)
            if f.name.endswith("_mm")
        }
        return replace(self, **changed)


# Columns as in VertebraDimensions.
_ROWS: dict[str, tuple[float, ...]] = {
    "T1": (26.0, 28.0, 18.0, 19.0, 15.5, 16.5, 3.5, 21.5, 16.5, 8.0, 9.5, 27.0, 12.0, 74.0, 34.0),
    "T2": (26.0, 28.0, 19.0, 20.5, 16.5, 17.5, 3.5, 19.5, 15.5, 7.5, 11.5, 23.0, 15.0, 70.0, 34.0),
    "T3": (25.5, 27.5, 21.0, 22.0, 16.5, 18.0, 3.5, 18.4, 16.0, 6.2, 11.8, 19.0, 16.0, 62.0, 34.0),
    "T4": (26.0, 28.0, 22.5, 23.5, 17.0, 18.5, 3.5, 17.6, 16.2, 5.4, 12.0, 16.0, 16.0, 60.0, 36.0),
    "T5": (26.5, 28.5, 24.0, 25.0, 17.5, 19.0, 3.8, 17.3, 16.2, 5.4, 12.2, 14.0, 15.5, 60.0, 38.0),
    "T6": (27.5, 29.5, 25.5, 26.5, 18.0, 20.0, 4.0, 17.3, 16.3, 5.6, 12.3, 12.0, 15.0, 60.0, 38.0),
    "T7": (29.0, 30.5, 27.0, 28.0, 18.8, 20.8, 4.3, 17.5, 16.0, 5.9, 12.5, 11.0, 15.5, 60.0, 38.0),
    "T8": (30.5, 32.0, 28.5, 29.0, 19.3, 21.3, 4.6, 17.8, 16.0, 6.4, 13.0, 10.0, 16.0, 58.0, 37.0),
    "T9": (32.0, 34.0, 29.5, 30.0, 20.2, 22.0, 5.0, 18.0, 15.8, 7.0, 14.0, 8.5, 15.5, 56.0, 35.0),
    "T10": (34.0, 36.5, 30.5, 31.0, 21.3, 23.2, 5.5, 18.5, 15.6, 7.6, 15.4, 6.0, 15.0, 52.0, 32.0),
    "T11": (37.0, 39.5, 31.5, 32.0, 22.8, 24.8, 6.0, 19.6, 16.0, 8.2, 17.2, 2.0, 13.0, 46.0, 29.0),
    "T12": (40.0, 42.0, 32.5, 33.0, 24.8, 26.6, 7.0, 22.2, 17.8, 7.4, 16.4, -2.0, 8.0, 48.0, 29.0),
    "L1": (42.0, 44.0, 33.5, 34.0, 26.3, 27.8, 8.0, 23.5, 18.0, 8.2, 15.6, 10.5, 3.0, 70.0, 32.0),
    "L2": (43.5, 46.0, 34.0, 34.5, 27.4, 28.2, 9.5, 23.8, 17.5, 8.8, 15.2, 12.0, 2.0, 76.0, 33.0),
    "L3": (45.5, 48.0, 34.5, 34.5, 28.2, 28.2, 10.5, 24.3, 17.2, 10.2, 14.8, 14.4, 0.5, 88.0, 33.0),
    "L4": (47.5, 50.0, 35.0, 34.5, 28.4, 27.2, 11.0, 25.4, 17.8, 12.8, 14.8, 17.7, 0.0, 82.0, 30.0),
    "L5": (49.5, 50.5, 35.0, 34.0, 28.6, 24.6, 10.0, 27.2, 18.6, 17.5, 14.4, 28.0, -2.0, 90.0, 23.0),
}
_TABLE = {level: VertebraDimensions(*row) for level, row in _ROWS.items()}

SACRAL_SEGMENTS = (
    # height, width at its top, depth at its top (mm), tilt relative to the sacral slope (degrees)
    (29.0, 50.0, 33.0, 0.0),
    (25.0, 37.0, 22.0, 7.0),
    (21.0, 30.0, 16.0, -8.0),
    (18.0, 27.0, 12.0, -28.0),
    (16.0, 24.0, 10.0, -45.0),
)
"""Sacral bodies S1-S5 at 1.70 m, rounded, drawn after the CT of an adult; no series gives all of them."""

# Women's vertebrae are smaller at equal stature, most in width (Zhou 2000; Panjabi 1992, both sexes against men).
_ACROSS = {"F": 0.975, "M": 1.065}
_REFERENCE_STATURE_M = 1.70

_DENSITY_TREND = {"T10": 1.16, "T11": 1.12, "T12": 1.08, "L1": 1.03, "L2": 1.0, "L3": 0.97, "L4": 1.0, "L5": 1.04}
_THORACIC_TREND = 1.2


def dimensions(level: str, sex: Sex, stature_m: float) -> VertebraDimensions:
    """Dimensions of a vertebra; L6 takes the shape of L5, T13 that of T12.

    Raises `KeyError` for a level that is not a presacral vertebra.
    """
    stature = stature_m / _REFERENCE_STATURE_M
    shape = {"L6": "L5", "T13": "T12"}.get(level, level)
    return _TABLE[shape].scaled(across=_ACROSS[sex] * stature, along=stature)


# Relative standard deviations: of a person about the mean of sex and stature, and of a level about its person
# (rounded from the tables of Panjabi 1992 and Zhou 2000; discs from Zhou 2000).
_PERSON_SD = {"body": 0.035, "height": 0.03, "disc": 0.10, "canal": 0.06, "pedicle": 0.09, "process": 0.06}
_LEVEL_SD = {"body": 0.012, "height": 0.015, "disc": 0.06, "canal": 0.02, "pedicle": 0.04, "process": 0.05}
_GROUPS = {
    "superior_width_mm": "body",
    "inferior_width_mm": "body",
    "superior_depth_mm": "body",
    "inferior_depth_mm": "body",
    "anterior_height_mm": "height",
    "posterior_height_mm": "height",
    "disc_height_mm": "disc",
    "canal_width_mm": "canal",
    "canal_depth_mm": "canal",
    "pedicle_width_mm": "pedicle",
    "pedicle_height_mm": "pedicle",
    "transverse_span_mm": "process",
    "spinous_length_mm": "process",
}
_ANGLE_SD_DEG = 1.5


def individual(sizes: dict[str, VertebraDimensions], seed: int, variation: float) -> dict[str, VertebraDimensions]:
    """Dimensions of one person: the given means, times random factors per person and per level, cut at two SD.

    `variation` scales the published standard deviations; 0 gives the means. One factor serves all dimensions of a
    group (widths and depths of the body, heights, ...), so that a vertebra keeps its proportions.
    """
    rng = np.random.default_rng(seed)
    person = {group: _factor(rng, variation * sd) for group, sd in _PERSON_SD.items()}
    changed = {}
    for level, size in sizes.items():
        own = {group: person[group] * _factor(rng, variation * sd) for group, sd in _LEVEL_SD.items()}
        lengths = {name: getattr(size, name) * own[group] for name, group in _GROUPS.items()}
        turn = variation * _ANGLE_SD_DEG * float(np.clip(rng.standard_normal(), -2.0, 2.0))
        angle = size.pedicle_transverse_angle_deg + turn
        changed[level] = replace(size, **lengths, pedicle_transverse_angle_deg=angle)
    return changed


def _factor(rng: np.random.Generator, relative_sd: float) -> float:
    return 1.0 + relative_sd * float(np.clip(rng.standard_normal(), -2.0, 2.0))


def density_trend(level: str) -> float:
    """Trabecular density of a level relative to the mean of L1-L4.

    Density falls from the thoracic spine to L3 and rises slightly to L5, as CT series of adults find (such as Hayashi
    et al., J Bone Miner Metab 2011); the ratios are rounded.
    """
    return _DENSITY_TREND.get(level, _DENSITY_TREND["L5"] if level in ("L6", "S1") else _THORACIC_TREND)
