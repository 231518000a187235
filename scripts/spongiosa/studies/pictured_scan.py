"""A finished scan as the panels of a study show it: image, bodies, regions, and what was measured in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from spongiosa.anatomy.frame import SpineDescription, VertebralFrame
from spongiosa.cohort.scan import Scan
from spongiosa.outcome import Status
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.region import RegionSet
from spongiosa.volume import Volume, read_volume

#: Name and side of a region.
Place = tuple[str, str]


class MissingPicture(Exception):
    """A panel cannot be drawn from this cohort; the message says why, in a whole sentence without a patient's id."""


@dataclass(frozen=True)
class Reading:
    """What was measured in a region: mean HU, and mean vBMD in mg/cm3 where the scan is calibrated."""

    hu: float | None = None
    vbmd_mg_cm3: float | None = None


@dataclass(frozen=True)
class PicturedScan:
    """A scan with its regions; `readings` by level, region and side.

    The image may be cut down to the lumbar box: views are in mm, and nothing is measured anew.
    """

    volume: Volume
    bodies: Volume
    regions: RegionSet
    spine: SpineDescription
    readings: Mapping[tuple[str, str, str], Reading] = field(default_factory=dict)
    is_synthetic: bool = False

    def frame(self, level: str) -> VertebralFrame:
        """The anatomical frame of a level.  Raises `MissingPicture` where it has none."""
        for vertebra in self.spine.vertebrae:
            if vertebra.level == level and vertebra.frame is not None:
                return vertebra.frame
        raise MissingPicture(f"{level} has no anatomical frame in the scan.")

    def weights(self, level: str, name: str, side: str = "none") -> VoxelWeights:
        """The voxels of a region.  Raises `MissingPicture` where it was not placed."""
        found = placed_in(self.regions, level, name, side)
        if found is None:
            raise MissingPicture(f"The region {name} was not placed in {level} of the scan.")
        return found

    def level_with(self, levels: Sequence[str], places: Sequence[Place]) -> str:
        """The first of `levels` that has all regions, one without flags if there is any.

        Raises `MissingPicture` where no level has them all.
        """
        found = levels_with(self.regions, levels, places)
        if not found:
            raise MissingPicture(f"No level of {', '.join(levels)} has all regions of the picture.")
        flagged = {vertebra.level for vertebra in self.spine.vertebrae if vertebra.flags}
        flagged |= {region.level for region in self.regions if (region.name, region.side) in places and region.flags}
        return next((level for level in found if level not in flagged), found[0])


def placed_in(regions: RegionSet, level: str, name: str, side: str) -> VoxelWeights | None:
    """The voxels of a region in its default variant, at least one of them half covered; None where there are none."""
    for region, weights in regions.placed():
        if region.key == (level, name, side, "default") and (weights.weights >= 0.5).any():
            return weights
    return None


def levels_with(regions: RegionSet, levels: Sequence[str], places: Sequence[Place]) -> list[str]:
    """Those of `levels` in which every region was placed."""
    return [level for level in levels if all(placed_in(regions, level, *place) is not None for place in places)]


def read_regions(scan: Scan) -> RegionSet:
    """The regions of a scan.  Raises `MissingPicture` where its files do not lie here."""
    path = scan.product("desc-regions_weights", ".npz")
    if not path.is_file():
        raise MissingPicture("The images of this cohort do not lie beside its tables.")
    return RegionSet.read(path)


def read_pictured(scan: Scan) -> PicturedScan:
    """A scan with what its stages wrote.  Raises `MissingPicture` where the converted image is not kept."""
    regions = read_regions(scan)
    if not scan.ct.is_file():
        raise MissingPicture("The converted scan is not kept (convert.keep).")
    return PicturedScan(
        volume=read_volume(scan.ct),
        bodies=read_volume(scan.product("desc-bodies_dseg", ".nii.gz")),
        regions=regions,
        spine=SpineDescription.read(scan.product("desc-vertebrae_dseg", ".json")),
        readings=_readings(scan),
    )


def _readings(scan: Scan) -> dict[tuple[str, str, str], Reading]:
    import pandas as pd

    columns = ["level", "region", "side", "variant", "status", "hu_mean", "vbmd_mean_mg_cm3"]
    rows = pd.read_parquet(scan.product("desc-measurements", ".parquet"))
    rows = rows.reindex(columns=columns)
    rows = rows[(rows["variant"] == "default") & (rows["status"] == str(Status.OK))]
    return {
        (str(row.level), str(row.region), str(row.side)): Reading(_known(row.hu_mean), _known(row.vbmd_mean_mg_cm3))
        for row in rows.itertuples()
    }


def _known(value: object) -> float | None:
    number = np.nan if value is None else float(value)  # type: ignore[arg-type]
    return None if np.isnan(number) else number
