"""Localizer (scout) images: the low-dose overview from which the technician planned the scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spongiosa.synthetic.dicom_ct import CtSeries, write_ct_series
from spongiosa.synthetic.dicom_faults import SeriesFaults
from spongiosa.synthetic.dicom_identity import StudyIdentity
from spongiosa.synthetic.dicom_pixels import PixelStorage
from spongiosa.synthetic.image import SyntheticImage

SCOUT: Final = CtSeries(
    number=1,
    description="Topogram 0.6 Tr20",
    kernel="Tr20f",
    tube_current_ma=35.0,
    exposure_time_ms=2000.0,
    slice_thickness_mm=0.6,
)
_LOCALIZER: Final = ("ORIGINAL", "PRIMARY", "LOCALIZER")
_UNSPECIFIED: Final = PixelStorage(rescale_type="US")  # a projection has no Hounsfield units
_WATER_PER_MM_AT_120_KV: Final = (
    0.0192  # linear attenuation of water, 1/mm, at about 70 keV effective (NIST XCOM, 0.192/cm)
)


def frontal_overview(image: SyntheticImage) -> SyntheticImage:
    """Coronal projection of an axial image whose axes run along L, P and S, either sense: one slice, rows downwards.

    The value is the water-equivalent path along the table's normal, centred on 0 and scaled by attenuation to the
    range that scouts have; a divergent beam is left out, as for the scan itself.
    """
    attenuation = np.maximum(np.asarray(image.voxels, dtype=np.float32) + 1000.0, 0.0) / 1000.0
    path_mm = _along_l_and_minus_s(attenuation.sum(axis=1) * image.spacing_mm[1], image.direction)
    darkening = path_mm * _WATER_PER_MM_AT_120_KV
    value = np.rint((darkening / max(float(darkening.max()), 1e-6) - 0.5) * 1000.0)
    corners = image.points_mm(
        np.array([[z, y, x] for z in _ends(image, 0) for y in _ends(image, 1) for x in _ends(image, 2)])
    )
    origin = (float(corners[:, 0].min()), float(corners[:, 1].mean()), float(corners[:, 2].max()))
    direction = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    spacing = (image.spacing_mm[0], image.spacing_mm[2], 1.0)
    return SyntheticImage(value[None].astype(np.int16), spacing, origin, direction)


def write_localizer(
    image: SyntheticImage, folder: Path, identity: StudyIdentity, series: CtSeries = SCOUT
) -> list[Path]:
    """Write the frontal overview of `image` as a series of one localizer image; equipment and number from `series`."""
    scout = replace(series, image_type=_LOCALIZER, storage=_UNSPECIFIED, faults=SeriesFaults())
    return write_ct_series(frontal_overview(image), folder, identity, scout)


def _ends(image: SyntheticImage, axis: int) -> tuple[float, float]:
    return 0.0, float(image.voxels.shape[axis] - 1)


def _along_l_and_minus_s(projection: NDArray[np.float32], direction: NDArray[np.float64]) -> NDArray[np.float32]:
    if direction[0, 0] < 0:
        projection = projection[:, ::-1]
    return projection[::-1] if direction[2, 2] > 0 else projection
