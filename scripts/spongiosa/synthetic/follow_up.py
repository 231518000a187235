"""The same patient after surgery: instrumented, in another posture, with the true motion of every vertebra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import SyntheticPatient
from spongiosa.synthetic.posture import Posture, relative_pose
from spongiosa.synthetic.variants import Variant, instrumentation

_LORDOSIS_SD_DEG = 3.0
_TABLE_SD_MM = 12.0
_ROTATION_SD_DEG = 1.2
_SHIFT_SD_MM = 0.4


def another_day(seed: int) -> Posture:
    """A posture of another examination: a few degrees of lordosis, a shift on the table, small motions of vertebrae."""
    rng = np.random.default_rng(seed)
    x, y, z = (float(s) for s in rng.normal(0.0, _TABLE_SD_MM, 3))
    return Posture(
        flexion_deg=float(rng.normal(0.0, _LORDOSIS_SD_DEG)),
        shift_mm=(x, y, z),
        vertebra_rotation_sd_deg=_ROTATION_SD_DEG,
        vertebra_shift_sd_mm=_SHIFT_SD_MM,
        seed=seed,
    )


def after_surgery(
    before: PatientParameters,
    levels: tuple[str, ...],
    halo_mm: dict[tuple[str, str], float] | None = None,
    posture: Posture | None = None,
    further: tuple[Variant, ...] = (),
) -> PatientParameters:
    """Parameters of the same patient with screws and rods at `levels`; build with the seed of the first patient.

    `halo_mm` sets the halo of single screws by (level, side); `further` adds other changes, such as a new fracture.
    """
    return replace(
        before,
        variants=(*before.variants, *instrumentation(levels, halo_mm), *further),
        posture=before.posture if posture is None else posture,
    )


def motions(before: SyntheticPatient, after: SyntheticPatient) -> dict[str, NDArray[np.float64]]:
    """True rigid motion of each vertebra, 4 x 4, from LPS mm of the first examination to LPS mm of the second.

    A newly fractured body has lost height about its middle, which the motion carries.
    """
    return {
        level: relative_pose(vertebra.frame, after.vertebrae[level].frame)
        for level, vertebra in before.vertebrae.items()
        if level in after.vertebrae
    }
