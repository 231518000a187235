"""Reference tissues of a scan as numbers: the HU of a tissue without what is mixed into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spongiosa.outcome import Reason
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.region import Region
from spongiosa.volume import FloatArray

#: The reference tissues, by the names of the data contract.
TISSUES = ("air", "fat", "muscle", "blood", "cortical")

#: What stands in the column `level` of a region that belongs to no vertebra.
SCAN_LEVEL = "none"

#: Half width of the window about the peak, in robust standard deviations.
PEAK_HALF_WIDTH_SD = 1.5

#: Least half width of that window.
PEAK_LEAST_WIDTH_SD = 0.3

#: Rounds after which the window about the peak has settled.
PEAK_ROUNDS = 20

#: From the median absolute deviation to the standard deviation of a normal distribution.
MAD_TO_SD = 1.4826

#: Values within so many SD are the bulk, whose SD is this share of a whole normal distribution's.
BULK_SD, BULK_SD_SHARE = 3.0, 0.98659


@dataclass(frozen=True)
class TissueSample:
    """HU of a tissue: the centre of its peak, the SD of the bulk of its voxels, and how many voxels."""

    hu_mean: float
    hu_sd: float
    voxels: int


@dataclass(frozen=True)
class TissueRegion:
    """A reference tissue in a scan: its voxels on the grid of the scan with the sample, or why there is none."""

    name: str
    weights: VoxelWeights | None = None
    sample: TissueSample | None = None
    reason: Reason | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        if not ((self.weights is None) == (self.sample is None) == (self.reason is not None)):
            raise ValueError("a tissue has either voxels and a sample or the reason why it has none")

    def as_region(self) -> Region:
        """The tissue as a region of the scan as a whole, which belongs to no level (`SCAN_LEVEL`)."""
        return Region(SCAN_LEVEL, self.name, weights=self.weights, reason=self.reason, detail=self.detail)


def sample_tissue(hu: NDArray[np.number]) -> TissueSample:
    """Sample of the voxels of a tissue, HU of shape (n,).

    The centre is that of the histogram's peak: the mean of what lies within 1.5 SD of it, found by repetition from the
    median on.  For a symmetric peak that is the mean; strands of connective tissue, fat between the fibres or a clip of
    the scale at -1024 HU, which skew the mean, fall outside of the window.
    Raises `ValueError` without voxels.
    """
    if hu.size == 0:
        raise ValueError("a tissue without voxels has no sample")
    values = np.asarray(hu, dtype=np.float64)
    spread = robust_sd(values)
    centre = float(np.median(values))
    lowest = float(values.min())
    for _ in range(PEAK_ROUNDS):
        # values heaped up at the end of the scale belong to one side only: keep them out of the window
        half_width = min(PEAK_HALF_WIDTH_SD * spread, centre - lowest - 0.5)
        near = values[np.abs(values - centre) <= max(half_width, PEAK_LEAST_WIDTH_SD * spread, 1.0)]
        moved = float(near.mean()) if near.size else centre
        if abs(moved - centre) < 0.01:
            break
        centre = moved
    return TissueSample(centre, spread, int(values.size))


def robust_sd(values: FloatArray) -> float:
    """SD of the bulk: of what lies within three robust SD of the median, made up for the tails that are cut.

    The median absolute deviation alone is a whole number of HU, too coarse for quiet scans.
    """
    away = np.abs(values - np.median(values))
    bulk = values[away <= max(BULK_SD * MAD_TO_SD * float(np.median(away)), 1.0)]
    return float(bulk.std() / BULK_SD_SHARE)
