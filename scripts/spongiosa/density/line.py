"""The line from HU to volumetric bone mineral density, and what a method of calibration says of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from spongiosa.outcome import Reason

Material = Literal["K2HPO4", "HA"]


@dataclass(frozen=True)
class DensityLine:
    """vBMD = slope x HU + intercept, for one scan.

    `slope_mg_cm3_per_hu`, `intercept_mg_cm3`: the line; `material`: the mineral whose density it gives;
    `method`: how it was found; `r2`: of the fit, None when the line was not fitted.
    """

    slope_mg_cm3_per_hu: float
    intercept_mg_cm3: float
    material: Material
    method: str
    r2: float | None = None

    def density_mg_cm3(self, hu: float) -> float:
        """vBMD of a mean in HU.  [mg/cm3]"""
        return self.slope_mg_cm3_per_hu * hu + self.intercept_mg_cm3

    def spread_mg_cm3(self, hu_sd: float) -> float:
        """SD of the vBMD of a region with this SD in HU.  [mg/cm3]"""
        return abs(self.slope_mg_cm3_per_hu) * hu_sd


@dataclass(frozen=True)
class ReferencedScale:
    """The scale on which the rods of a phantom have their nominal HU: measured HU = offset + slope x nominal HU."""

    offset_hu: float
    slope: float

    def referenced_hu(self, hu: float) -> float:
        """Phantom-referenced HU of a measured mean: (HU - offset) / slope.  [HU]"""
        return (hu - self.offset_hu) / self.slope


@dataclass(frozen=True)
class CalibrationOutcome:
    """What a method of calibration made of a scan: a line, or why there is none.

    `reason` and `detail` (a whole sentence for a person) are given exactly when `line` is None.  `report` holds what
    the method found, with units in its names and values that JSON can hold: the rods, residuals and drift of a
    phantom, the energy and tissues of an internal calibration; it is kept whether or not there is a line.
    `referenced` is given by a phantom whose rods have nominal HU.
    """

    line: DensityLine | None
    reason: Reason | None = None
    detail: str = ""
    report: Mapping[str, Any] = field(default_factory=dict)
    referenced: ReferencedScale | None = None

    def __post_init__(self) -> None:
        if (self.line is None) != (self.reason is not None):
            raise ValueError("a calibration has either a line or a reason why it has none")

    @classmethod
    def refused(cls, reason: Reason, detail: str, **report: Any) -> CalibrationOutcome:
        """No line, and why."""
        return cls(None, reason, detail, report)


#: The outcome of a scan that nobody wanted calibrated.
NOT_CALIBRATED = CalibrationOutcome.refused(Reason.NOT_CALIBRATED, "calibration.method is none: HU only.")
