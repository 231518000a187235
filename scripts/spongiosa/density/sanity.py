"""Whether the values of a CT are Hounsfield units: water at 0, air at -1000, nothing cut off, harmless padding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import FloatArray, Volume

#: Where the voxels of a patient and of the air around lie, contrast medium, bone and lung apart.  [HU]
AIR_HU = (-1060.0, -930.0)
BODY_HU = (-160.0, 120.0)

#: Width of the histogram's bins, and how far a displaced scale is searched.  [HU]
BIN_HU = 4.0
FARTHEST_HU = 2200.0

#: A scale is displaced when its peaks lie this far from where they belong, and the displacement explains this much
#: more of the voxels.  [HU, fraction]
LEAST_SHIFT_HU = 80.0
LEAST_GAIN = 0.15

#: Displacements this near to the best explain the scan as well; the middle of them is taken.  [fraction]
PLATEAU = 0.01

#: Fewest voxels that must lie where body and air belong: a chest with its lungs has about half.  [fraction]
LEAST_EXPLAINED = 0.25

#: The error that a forgotten or doubled rescale intercept makes, and how near counts as it.  [HU]
INTERCEPT_HU, NEAR_INTERCEPT_HU = 1024.0, 60.0

#: Padding is harmless below this: no tissue is.  [HU]
HARMLESS_HU = -900.0

#: Share of a slice that padding of tissue's HU must fill to count: smaller patches can be annotations.  [fraction]
LEAST_PADDING = 0.01

#: A scale is cut off when this share of the voxels has its end value, and that is so many times as many as the values
#: next to it have.
LEAST_HEAP, HEAP_RATIO = 2e-5, 8.0

#: Compact bone and metal reach beyond this: a scale that ends lower has lost them.  [HU]
LEAST_TOP_HU = 1500.0

#: Voxels that are looked at.
SAMPLE_VOXELS = 2_000_000


def check_hounsfield_scale(volume: Volume) -> None:
    """Raises `Excluded` when the voxels of a CT of the trunk cannot be Hounsfield units.

    IMPLAUSIBLE_HU     body and air lie elsewhere, as with a rescale intercept that is wrong by 1024, or nowhere
    PADDING_IN_RANGE   what fills the image outside the field of reconstruction has HU of tissue or more
    HU_CLIPPED         the values end within the range of tissue: below at more than -900, above at less than 1500 HU

    Needs no label map: it belongs at the end of the conversion, before any time is spent on the scan.
    """
    sections = _sampled(volume.voxels)
    padding = _padding_value(sections)
    values = sections.reshape(-1)
    if padding is not None:
        values = values[values != padding]
    if values.size == 0:
        raise Excluded(Reason.IMPLAUSIBLE_HU, "Every voxel has the same value.")
    _refuse_displaced(values)
    if padding is not None and padding > HARMLESS_HU:
        if padding < values.min():
            raise Excluded(Reason.HU_CLIPPED, _cut_below(padding, float(np.mean(sections == padding))))
        raise Excluded(
            Reason.PADDING_IN_RANGE,
            f"Outside the reconstructed field every pixel has {padding} HU, as tissue or bone could: the padding value "
            "was changed on its way, and any mean near the edge is wrong.",
        )
    _refuse_clipped(values)


def _sampled(voxels: NDArray[Any]) -> NDArray[Any]:
    """Every n-th whole slice, so that no more than `SAMPLE_VOXELS` are looked at, but five slices at least."""
    in_slice = int(np.prod(voxels.shape[1:]))
    wanted = max(5, SAMPLE_VOXELS // max(in_slice, 1))
    return voxels[:: max(1, voxels.shape[0] // wanted)]


def _padding_value(sections: NDArray[Any]) -> int | None:
    """The one value of all pixels in the corners of the slices, where it fills a good part of them; else None."""
    middle = sections[sections.shape[0] // 2]
    corners = np.array([int(middle[row, column]) for row in (0, -1) for column in (0, -1)])
    values, counts = np.unique(corners, return_counts=True)
    if counts.max() < 3:
        return None
    value = int(values[counts.argmax()])
    constant = ndimage.binary_opening(middle == value, structure=np.ones((5, 5), dtype=bool))
    components, _ = ndimage.label(constant)
    names = {int(components[row, column]) for row in (0, -1) for column in (0, -1)} - {0}
    share = float(np.isin(components, list(names)).mean()) if names else 0.0
    return value if share >= LEAST_PADDING else None


def _refuse_clipped(values: NDArray[Any]) -> None:
    lowest, highest = int(values.min()), int(values.max())
    if lowest > HARMLESS_HU and _is_heap(values, lowest):
        raise Excluded(Reason.HU_CLIPPED, _cut_below(lowest, float(np.mean(values == lowest))))
    if highest < LEAST_TOP_HU and _is_heap(values, highest):
        raise Excluded(
            Reason.HU_CLIPPED,
            f"No value is above {highest} HU, which bone reaches in many voxels: what was denser was cut off.",
        )


def _cut_below(lowest: int, share: float) -> str:
    return (
        f"No value is below {lowest} HU, which {100 * share:.1f} % of the voxels have: what was darker, fat or air, "
        "was cut off."
    )


def _is_heap(values: NDArray[Any], end: int) -> bool:
    """Whether far more voxels have the end value than have each of the next ten."""
    at_end = int(np.count_nonzero(values == end))
    beside = int(np.count_nonzero((values != end) & (np.abs(values.astype(np.int64) - end) <= 10)))
    return at_end >= LEAST_HEAP * values.size and at_end >= 20 and at_end > HEAP_RATIO * max(beside / 10.0, 0.5)


def _refuse_displaced(values: NDArray[Any]) -> None:
    shifts, explained = _explained_by_shift(values)
    here = float(explained[np.abs(shifts) < BIN_HU / 2][0])
    share = float(explained.max())
    shift = float(np.median(shifts[explained >= share - PLATEAU]))
    if share < LEAST_EXPLAINED:
        raise Excluded(
            Reason.IMPLAUSIBLE_HU,
            f"Wherever the scale is put, no more than {100 * share:.0f} % of the values lie where a body and the air "
            "around it do: these are no Hounsfield units of a trunk.",
        )
    if abs(shift) < LEAST_SHIFT_HU or share < here + LEAST_GAIN:
        return
    cause = (
        " A rescale intercept of 1024 was forgotten or applied twice."
        if abs(abs(shift) - INTERCEPT_HU) <= NEAR_INTERCEPT_HU
        else ""
    )
    raise Excluded(
        Reason.IMPLAUSIBLE_HU,
        f"Body and air lie about {shift:+.0f} HU from where they belong: {100 * share:.0f} % of the voxels would be "
        f"plausible after that shift, {100 * here:.0f} % are.{cause}",
    )


def _explained_by_shift(values: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Displacements of the scale, and the share of voxels that lie in body or air at each, shapes (n,)."""
    reach = FARTHEST_HU + 1200.0
    edges = np.arange(-reach, reach + BIN_HU, BIN_HU)
    counts, _ = np.histogram(values, bins=edges)
    below = np.concatenate([[0.0], np.cumsum(counts)]) / values.size
    shifts = np.arange(-FARTHEST_HU, FARTHEST_HU + BIN_HU, BIN_HU)
    explained = np.zeros(shifts.size)
    for low, high in (AIR_HU, BODY_HU):
        explained += np.interp(shifts + high, edges, below) - np.interp(shifts + low, edges, below)
    return shifts, explained
