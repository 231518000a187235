"""Section `calibration`: from HU to mg/cm3."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from spongiosa.config.base import Section
from spongiosa.config.phantoms import PRESETS, PhantomSettings
from spongiosa.config.scanner_table import read_scanner_table

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


class ScannerLineSettings(Section):
    """The density line of a scanner: vBMD = slope x HU + intercept for the scans that fit all that is stated here."""

    scanner: str | None = Field(None, max_length=60, description="Its name in the manifest's column `scanner`.")
    manufacturer: str | None = Field(None, max_length=60, description="Maker, as in the scan's sidecar.")
    kvp: float = Field(ge=60, le=160, description="Tube voltage. [kVp]")
    kernel: str | None = Field(None, max_length=60, description="Reconstruction kernel, as in the scan's sidecar.")
    valid_from: date | None = Field(None, description="First day; needs the manifest's column `acquired`.")
    valid_to: date | None = Field(None, description="Last day.")
    slope_mg_cm3_per_hu: float = Field(gt=0.2, lt=2.0, description="[mg/cm3 per HU]")
    intercept_mg_cm3: float = Field(ge=-100, le=100, description="[mg/cm3]")
    material: Literal["K2HPO4", "HA"] = Field(description="The mineral of the phantom that gave the line.")
    source: str = Field("", max_length=300, description="Where the line is from, such as phantom scans of a day.")

    @property
    def scans(self) -> tuple[str | float | None, ...]:
        """What a scan must be, the period apart."""
        return (*(None if text is None else text.casefold() for text in (self.scanner, self.manufacturer, self.kernel)),
                self.kvp)  # fmt: skip

    @model_validator(mode="after")
    def _ordered(self) -> ScannerLineSettings:
        if self.valid_from and self.valid_to and self.valid_from > self.valid_to:
            raise ValueError("valid_from lies after valid_to")
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
    scanner_lines: tuple[ScannerLineSettings, ...] = Field(
        (),
        max_length=10_000,
        description="Asynchronous calibration: density lines of scanners. The line that states most of the scan "
        "(scanner, manufacturer, kernel, period) applies. `python -m spongiosa.density.scanner_table` makes them from "
        "the phantom scans of an earlier run.",
    )
    scanner_table: str | None = Field(
        None,
        description="A TSV or CSV file with further `scanner_lines`, one per row, its columns named as their keys.",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_table(cls, data: Any) -> Any:
        """The rows of `scanner_table` after the `scanner_lines`, so that they count as configuration."""
        path = data.get("scanner_table") if isinstance(data, dict) else None
        if not isinstance(path, str):
            return data
        return {**data, "scanner_lines": [*(data.get("scanner_lines") or ()), *read_scanner_table(path)]}

    @field_validator("scanner_lines")
    @classmethod
    def _one_line_per_scan(cls, lines: tuple[ScannerLineSettings, ...]) -> tuple[ScannerLineSettings, ...]:
        first: dict[tuple[Any, ...], list[ScannerLineSettings]] = {}
        lines = tuple(dict.fromkeys(lines))
        for line in lines:
            for other in first.setdefault(line.scans, []):
                starts = max(line.valid_from or date.min, other.valid_from or date.min)
                if starts <= min(line.valid_to or date.max, other.valid_to or date.max):
                    known = ", ".join(str(part) for part in (line.scanner, line.manufacturer, line.kernel) if part)
                    raise ValueError(
                        f"two lines hold for the same scans at {line.kvp:g} kVp ({known or 'any scanner'})"
                    )
            first[line.scans].append(line)
        return lines

    def phantom_named(self, name: str) -> PhantomSettings | None:
        """The phantom of that name, the user's own before a preset; None for an unknown name."""
        return self.phantoms_by_name.get(name)

    @property
    def material(self) -> Literal["K2HPO4", "HA"] | None:
        """The mineral of all values, where the configuration alone decides it; phantoms of single scans may differ."""
        if self.method == "phantom" and self.phantom is not None:
            phantom = self.phantom_named(self.phantom)
            return None if phantom is None else phantom.material
        if self.method == "scanner" and len({line.material for line in self.scanner_lines}) == 1:
            return self.scanner_lines[0].material
        return "K2HPO4" if self.method == "internal" else None

    @property
    def phantoms_by_name(self) -> dict[str, PhantomSettings]:
        """The presets and the user's own phantoms, which replace presets of their name."""
        return {**PRESETS, **self.phantoms}

    @property
    def known_phantoms(self) -> list[str]:
        return sorted(self.phantoms_by_name)

    @property
    def phantoms_in_use(self) -> list[str] | None:
        """Names that a scan may give its phantom; None where no scan is calibrated by one."""
        return self.known_phantoms if self.method in ("phantom", "auto") else None

    @model_validator(mode="after")
    def _known_phantom(self) -> CalibrationSettings:
        if self.phantom is not None and self.phantom_named(self.phantom) is None:
            raise ValueError(f"phantom '{self.phantom}' is not one of {', '.join(self.known_phantoms)}")
        return self
