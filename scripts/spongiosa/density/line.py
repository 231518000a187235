"""The line from HU to volumetric bone mineral density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class DensityLine:
    """vBMD = slope x HU + intercept, for one scan.

    `slope_mg_cm3_per_hu`, `intercept_mg_cm3`: the line; `material`: the mineral whose density it gives;
    `method`: how it was found; `r2`: of the fit, None when the line was not fitted.
    """

    slope_mg_cm3_per_hu: float
    intercept_mg_cm3: float
    material: Literal["K2HPO4", "HA"]
    method: str
    r2: float | None = None

    def density_mg_cm3(self, hu: float) -> float:
        """vBMD of a mean in HU.  [mg/cm3]"""
        return self.slope_mg_cm3_per_hu * hu + self.intercept_mg_cm3

    def spread_mg_cm3(self, hu_sd: float) -> float:
        """SD of the vBMD of a region with this SD in HU.  [mg/cm3]"""
        return abs(self.slope_mg_cm3_per_hu) * hu_sd
