"""A region of a vertebra and the set of all regions of a scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spongiosa.outcome import Reason
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.volume import Geometry


@dataclass(frozen=True)
class Region:
    """One region at one level and side: its voxel weights, or the reason why it could not be placed.

    `variant` names the parameter set, `plane` is `axial` or `endplate` for regions of a slice, `area_mm2` the area of
    a planar region, `rejected_fraction` the share that `avoidance` left out of it, `insets` holds the same region at
    other margins (`hu_mean_inset_4mm` ...).
    """

    level: str
    name: str
    side: str = "none"
    variant: str = "default"
    plane: str | None = None
    trajectory_source: str | None = None
    weights: VoxelWeights | None = None
    reason: Reason | None = None
    detail: str = ""
    flags: tuple[str, ...] = ()
    area_mm2: float | None = None
    rejected_fraction: float | None = None
    insets: Mapping[str, VoxelWeights] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.weights is None) == (self.reason is None):
            raise ValueError("a region has either weights or the reason why it has none")

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes a region unique in a scan: level, name, side, variant."""
        return self.level, self.name, self.side, self.variant


@dataclass(frozen=True)
class RegionSet:
    """All regions of a scan on the scan's grid, in the order of levels (cranial to caudal) and of the catalogue."""

    geometry: Geometry
    regions: tuple[Region, ...]

    def __iter__(self) -> Iterator[Region]:
        return iter(self.regions)

    def placed(self) -> Iterator[tuple[Region, VoxelWeights]]:
        """The regions that have voxels, with their weights."""
        for region in self.regions:
            if region.weights is not None:
                yield region, region.weights

    def find(self, level: str, name: str, side: str = "none", variant: str = "default") -> Region:
        """The region with this key.  Raises `KeyError` when the set has none."""
        for region in self.regions:
            if region.key == (level, name, side, variant):
                return region
        raise KeyError((level, name, side, variant))

    def write_segmentation(self, path: Path) -> None:
        """Write the segments for people (.seg.nrrd, opens in 3D Slicer)."""
        from spongiosa.regions.segmentation import write_segmentation

        write_segmentation(self, path)

    def write(self, path: Path) -> None:
        """Write the sub-voxel weights and what was decided of each region (.npz)."""
        from spongiosa.regions.storage import write_weights

        write_weights(self, path)

    @classmethod
    def read(cls, path: Path) -> RegionSet:
        """Read what `write` wrote.  Raises `ValueError` when the file has another layout."""
        from spongiosa.regions.storage import read_weights

        return read_weights(path)
