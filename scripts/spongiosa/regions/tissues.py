"""Reference tissues of a scan, found from the anatomy: air, fat, muscle, blood and compact bone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.outcome import Reason
from spongiosa.regions.body import require_one_grid
from spongiosa.regions.compact_bone import compact_bone
from spongiosa.regions.parenchyma import brightest_parenchyma
from spongiosa.regions.spine_in_slices import SpineInSlices
from spongiosa.regions.tissue_grid import Mask, TissueGrid
from spongiosa.regions.tissue_samples import TISSUES, TissueRegion, TissueSample, sample_tissue
from spongiosa.regions.trunk_outline import TrunkOutline, air_beside, find_trunk
from spongiosa.regions.vessels import find_great_vessels
from spongiosa.volume import Volume

#: Smallest volume of each tissue.  [mm3]
SMALLEST_MM3 = {"air": 1000.0, "fat": 1000.0, "muscle": 1000.0, "blood": 500.0, "kidney": 2000.0}

#: A sample is thinned to about this, which fixes its mean to 0.1 HU in any noise.  [mm3]
LARGEST_MM3 = 60_000.0

#: Fat: below the skin [mm], its HU, its distance from anything else, and where it counts as subcutaneous.
SKIN_MM = 4.0
FAT_HU = (-150.0, -50.0)
FAT_CORE_MM = 2.6
SUBCUTANEOUS_MM = 12.0

#: With less under the skin than this, as in thin persons, its edges prevail and any fat of the trunk serves.  [mm3]
SUBCUTANEOUS_LEAST_MM3 = 10_000.0

#: Muscle: HU of blocks, and the distance from anything else.  [HU, mm]
MUSCLE_HU = (5.0, 120.0)
MUSCLE_CORE_MM = 2.6

#: Paraspinal muscle from the middle of the canal's front: to the sides and behind the front of the body.  [mm]
ERECTOR_SIDE_MM, ERECTOR_BEHIND_MM = (12.0, 60.0), (55.0, 110.0)
ERECTOR_COMPARTMENT_MM = ((0.0, 80.0), (15.0, 95.0))
PSOAS_SIDE_MM, PSOAS_BEHIND_MM = (24.0, 62.0), (8.0, 45.0)

#: Blocks this near the peak of the histogram are muscle without visible fat, or fat without strands.  [HU]
PEAK_HU = 15.0

#: Bins of that histogram, and its smoothing in bins (SD of the Gaussian).  [HU]
BIN_HU, BIN_SMOOTHING = 3.0, 1.5

#: Distance of muscle and fat from bone.  [mm]
FROM_BONE_MM = 5.0

#: Levels that hold something denser than bone.
FOREIGN_FLAGS = frozenset({"metal", "cement"})


@dataclass(frozen=True)
class ScanTissues:
    """The reference tissues of a scan, and the organs that tell the phase of a contrast medium where they are seen."""

    regions: Mapping[str, TissueRegion]
    organs: Mapping[str, TissueSample]

    @property
    def samples(self) -> dict[str, TissueSample]:
        """The reference tissues that were found."""
        return {name: region.sample for name, region in self.regions.items() if region.sample is not None}


def reference_tissues(
    volume: Volume, vertebrae: Volume, bodies: Volume, spine: SpineDescription
) -> dict[str, TissueRegion]:
    """Every tissue of `TISSUES` with its voxels and sample, or why it has none; see `find_tissues`."""
    return dict(find_tissues(volume, vertebrae, bodies, spine).regions)


def find_tissues(volume: Volume, vertebrae: Volume, bodies: Volume, spine: SpineDescription) -> ScanTissues:
    """The reference tissues of a scan by its anatomy.

    `volume` in HU; `vertebrae` and `bodies` label maps on its grid, truncated levels included; `spine` describes them.
    Works on voxels of any orientation and size.

    air       beside the skin in front and at the sides, without padding, table and clothes
    fat       subcutaneous, behind the front of the spine where there is enough, else any fat of the trunk
    muscle    psoas and paraspinal muscle, the blocks around the upper peak of the histogram (without visible fat)
    blood     the inner 60 % of the aorta's radius, or of the vena cava where no aorta is seen
    cortical  the densest voxels of vertebrae and sacrum that are enclosed by compact bone; none of levels with metal
              or cement

    Organs: `aorta`, `vena_cava`, and `kidney`, the brightest parenchyma beside the spine.
    Raises `ValueError` when a map lies on another grid.
    """
    require_one_grid(volume, vertebrae, bodies)
    grid = TissueGrid.of(volume, vertebrae, bodies)
    trunk = None if grid is None else find_trunk(grid)
    if grid is None or trunk is None or not trunk.inside.any():
        detail = "No vertebral body shows where the tissues lie."
        missing = {name: TissueRegion(name, reason=Reason.TISSUES_NOT_FOUND, detail=detail) for name in TISSUES}
        return ScanTissues(missing, {})
    foreign = [v.label for v in spine.vertebrae if set(v.flags) & FOREIGN_FLAGS]
    return TissueSearch(grid, trunk).found(vertebrae, foreign)


class TissueSearch:
    """The search in one scan."""

    def __init__(self, grid: TissueGrid, trunk: TrunkOutline) -> None:
        self.grid = grid
        self.trunk = trunk
        self.spine = SpineInSlices.of(grid)
        self.aorta, self.vena_cava = find_great_vessels(grid, self.spine)

    def found(self, vertebrae: Volume, foreign_labels: Sequence[int]) -> ScanTissues:
        """The tissues in the order of `TISSUES`; compact bone is not taken from `foreign_labels`."""
        blood = self._blood()
        masks = {
            "air": (air_beside(self.grid, self.trunk), "No free air beside the skin is in view."),
            "fat": (self.fat(), "No layer of fat is in view."),
            "muscle": (self.muscle(), "No muscle beside the spine is in view."),
            "blood": (
                blood,
                "Neither aorta nor vena cava was recognised in front of the spine.",
            ),
        }
        regions = {name: self._region(name, mask, detail) for name, (mask, detail) in masks.items()}
        regions["cortical"] = compact_bone(self.grid, vertebrae, foreign_labels)
        organs = {"aorta": self.aorta, "vena_cava": self.vena_cava}
        samples = {name: self._sample(v.core(self.grid)) for name, v in organs.items() if v is not None}
        kidney = brightest_parenchyma(self.grid, self.trunk, self.spine)
        if kidney.sum() * self.grid.voxel_mm3 >= SMALLEST_MM3["kidney"]:
            samples["kidney"] = self._sample(kidney)
        return ScanTissues({name: regions[name] for name in TISSUES}, samples)

    def _blood(self) -> Mask:
        """The core of the aorta, or of the vena cava where too little of an aorta is seen."""
        masks = [vessel.core(self.grid) for vessel in (self.aorta, self.vena_cava) if vessel is not None]
        enough = SMALLEST_MM3["blood"] / self.grid.voxel_mm3
        nothing = np.zeros_like(self.grid.is_image)
        return next((mask for mask in masks if mask.sum() >= enough), nothing)

    def _sample(self, mask: Mask) -> TissueSample:
        return sample_tissue(self.grid.voxel_hu(self.grid.weights(mask)))

    def _region(self, name: str, mask: Mask, detail: str) -> TissueRegion:
        grid = self.grid
        volume_mm3 = float(mask.sum()) * grid.voxel_mm3
        if volume_mm3 < SMALLEST_MM3[name]:
            return TissueRegion(name, reason=Reason.TISSUES_NOT_FOUND, detail=detail)
        if volume_mm3 > LARGEST_MM3:
            mask = _thinned(mask, int(np.ceil(volume_mm3 / LARGEST_MM3)))
        weights = grid.weights(mask)
        return TissueRegion(name, weights, sample_tissue(grid.voxel_hu(weights)))

    def fat(self) -> Mask:
        grid, trunk = self.grid, self.trunk
        fat = trunk.inside & (trunk.depth_mm > SKIN_MM) & (grid.smooth_hu > FAT_HU[0]) & (grid.smooth_hu < FAT_HU[1])
        # muscle that has turned to fat never is fat alone
        infiltrated = self.spine.beside(grid, *ERECTOR_COMPARTMENT_MM)
        core = (grid.depth_mm(fat) > FAT_CORE_MM) & ~infiltrated
        layer = np.zeros_like(core)
        for k, section in enumerate(core):
            components, _ = ndimage.label(section)
            outer = np.unique(components[section & (trunk.depth_mm[k] < SUBCUTANEOUS_MM)])
            layer[k] = section & np.isin(components, outer[outer > 0])
        rows = np.arange(grid.hu.shape[1])
        behind = layer & (rows[None, :, None] > self.spine.front_row[:, None, None])
        enough = SUBCUTANEOUS_LEAST_MM3 / grid.voxel_mm3
        chosen = next((choice for choice in (behind, layer) if choice.sum() >= enough), core)
        return self._near_peak(chosen, FAT_HU, -1)

    def muscle(self) -> Mask:
        grid, trunk = self.grid, self.trunk
        erector = self.spine.beside(grid, ERECTOR_SIDE_MM, ERECTOR_BEHIND_MM)
        psoas = self.spine.beside(grid, PSOAS_SIDE_MM, PSOAS_BEHIND_MM)
        # beside thoracic bodies, liver and spleen lie where the psoas is further down
        near = erector | (psoas & self.spine.is_lumbar[:, None, None])
        bone = (grid.vertebrae > 0) | (grid.smooth_hu > 200.0)
        muscle = (grid.smooth_hu > MUSCLE_HU[0]) & (grid.smooth_hu < MUSCLE_HU[1]) & trunk.inside & ~bone
        core = near & (grid.depth_mm(muscle) > MUSCLE_CORE_MM) & (grid.depth_mm(~bone) > FROM_BONE_MM)
        return self._near_peak(core, MUSCLE_HU, +1)

    def _near_peak(self, core: Mask, range_hu: tuple[float, float], outermost: int) -> Mask:
        """The blocks of `core` near the outermost high peak of their histogram (`purest_peak`)."""
        if not core.any():
            return core
        peak = purest_peak(self.grid.smooth_hu[core], range_hu, outermost)
        return np.asarray(core & (np.abs(self.grid.smooth_hu - peak) < PEAK_HU))


def purest_peak(hu: NDArray[np.float32], range_hu: tuple[float, float], outermost: int) -> float:
    """The outermost peak of the histogram that is at least half as high as the highest.  [HU]

    `outermost` is +1 for muscle, which the fat between its fibres makes darker and never brighter, and -1 for fat,
    which strands of connective tissue make brighter and never darker.
    """
    counts, edges = np.histogram(hu, bins=np.arange(range_hu[0], range_hu[1] + BIN_HU, BIN_HU))
    smooth = ndimage.gaussian_filter1d(counts.astype(np.float64), BIN_SMOOTHING)
    padded = np.pad(smooth, 1, constant_values=-1.0)
    is_peak = (smooth >= padded[:-2]) & (smooth >= padded[2:]) & (smooth >= 0.5 * smooth.max())
    peaks = np.flatnonzero(is_peak)
    chosen = peaks[-1] if outermost > 0 else peaks[0]
    return float((edges[chosen] + edges[chosen + 1]) / 2.0)


def _thinned(mask: Mask, every: int) -> Mask:
    """One in `every` blocks of the mask, evenly."""
    places = np.flatnonzero(mask)[::every]
    thinned = np.zeros(mask.size, dtype=bool)
    thinned[places] = True
    return thinned.reshape(mask.shape)
