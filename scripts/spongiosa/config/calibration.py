"""Section `calibration`: from HU to mg/cm3."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from spongiosa.config.base import Section
from spongiosa.config.phantoms import PRESETS, PhantomSettings

CalibrationMethod = Literal["none", "phantom", "scanner", "internal", "auto"]


class PhantomDetectionSettings(Section):
    """When the rods of a phantom are believed."""

    core_margin_mm: float = Field(
        3.0, ge=1, le=10, description="Rods are measured this far inside of their edge, out of reach of its blur. [mm]"
    )
    minimum_rods: int = Field(
        3, ge=2, le=12, description="Fewest rods in view; a phantom that has no more needs all of its rods. [rods]"
    )
    slope_hu_per_mg_cm3: tuple[float, float] = Field(
        (0.8, 2.4),
        description="Range of the HU per mg/cm3 of mineral. Source: 1.0 at 140 kVp to 1.9 at 80 kVp follow from the "
        "mass attenuation of hydroxyapatite and K2HPO4 at effective energies of 57-77 keV, with room for both ends.",
    )
    maximum_offset_hu: float = Field(
        35.0, gt=0, le=200, description="Largest HU, of either sign, that the line may give to water. [HU]"
    )
    minimum_r2: float = Field(0.99, ge=0.5, le=1, description="Least r2 of HU and density over the rods. [fraction]")
    maximum_residual_mg_cm3: float = Field(
        12.0, gt=0, le=100, description="Largest scatter of the rods about their line. [mg/cm3]"
    )
    maximum_drift_hu_per_100mm: float = Field(
        15.0, gt=0, le=200, description="Largest drift of a rod's HU along the patient. [HU per 100 mm]"
    )
    minimum_coverage: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of the slices from the first to the last vertebra in which the rods must be seen.",
    )

    def rods_needed(self, phantom: PhantomSettings) -> int:
        """Fewest rods in view for this phantom."""
        return min(self.minimum_rods, len(phantom.rods))

    @model_validator(mode="after")
    def _ascending(self) -> PhantomDetectionSettings:
        low, high = self.slope_hu_per_mg_cm3
        if not 0 < low < high:
            raise ValueError("slope_hu_per_mg_cm3 must ascend and be positive, for example [0.8, 2.4]")
        return self


class CalibrationSettings(Section):
    """How HU become volumetric bone mineral density."""

    method: CalibrationMethod = Field(
        "none",
        description="`none`: HU only, vBMD is missing with the reason `not_calibrated`. `phantom`: from the rods of a "
        "phantom under the patient. `scanner`: from `scanner_lines` and `scanner_table`. `internal`: from the "
        "patient's own tissues, see `internal_calibration`. `auto`: the first of these that gives a credible line; "
        "what was tried is in the scan's `desc-calibration.json`.",
    )
    phantom: str | None = Field(
        None,
        description="The phantom under every patient whose manifest row names none: a name under `phantoms` or one of "
        f"the presets {', '.join(f'`{name}`' for name in PRESETS)}.",
    )
    phantoms: dict[str, PhantomSettings] = Field(
        default_factory=dict,
        description="Phantoms by name, best with the values of their own certificate; a name of a preset replaces it. "
        "`python -m spongiosa.config.phantoms qrm_bdc_3` prints a preset to start from, with the source of its values.",
    )
    detection: PhantomDetectionSettings = Field(
        default_factory=PhantomDetectionSettings, description="When the rods of a phantom are believed."
    )

    def phantom_named(self, name: str) -> PhantomSettings | None:
        """The phantom of that name, the user's own before a preset; None for an unknown name."""
        return self.phantoms.get(name) or PRESETS.get(name)

    @property
    def known_phantoms(self) -> list[str]:
        return sorted({*self.phantoms, *PRESETS})

    @model_validator(mode="after")
    def _known_phantom(self) -> CalibrationSettings:
        if self.phantom is not None and self.phantom_named(self.phantom) is None:
            raise ValueError(f"phantom '{self.phantom}' is not one of {', '.join(self.known_phantoms)}")
        return self
