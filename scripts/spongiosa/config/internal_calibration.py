"""Section `internal_calibration`: from HU to mg/cm3 by the patient's own tissues, without a phantom."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from spongiosa.config.base import Section

TissueName = Literal["air", "fat", "muscle", "blood", "cortical"]
Hu = Annotated[float, Field(ge=-1100, le=3000)]
HuRange = tuple[Hu, Hu]


class ExpectedHu(Section):
    """The HU between which the mean of a tissue is believed; a tissue outside is left out, with the reason."""

    air: HuRange = Field((-1024.0, -960.0), description="Air beside the patient. [HU]")
    fat: HuRange = Field(
        (-135.0, -75.0),
        description="Subcutaneous fat. [HU] Source: -90 to -120 HU at 120 kVp in anatomy texts, about 10 HU lower at "
        "80 kVp; fibrous fat and partial volume raise it.",
    )
    muscle: HuRange = Field(
        (25.0, 85.0), description="Muscle without visible fat; above are muscles that hold contrast medium. [HU]"
    )
    blood: HuRange = Field(
        (20.0, 65.0),
        description="Native blood: 20 in severe anaemia, 60 in polycythaemia; above it holds contrast medium. [HU]",
    )
    cortical: HuRange = Field(
        (900.0, 2000.0),
        description="Compact bone that fills its voxels; below, the voxels are larger than the cortex is thick. [HU]",
    )

    @model_validator(mode="after")
    def _ascending(self) -> ExpectedHu:
        for name in type(self).model_fields:
            low, high = getattr(self, name)
            if low >= high:
                raise ValueError(f"internal_calibration.expected_hu.{name} must ascend, for example [20, 65]")
        return self


class InternalCalibrationSettings(Section):
    """Internal calibration after Michalski 2020 and its refusals."""

    conversion: Literal["phantom_equivalent", "two_material"] = Field(
        "phantom_equivalent",
        description="`phantom_equivalent`: the density that a phantom of K2HPO4 rods would give; the beam's energy is "
        "found from fat, blood, muscle and air together with what the tube voltage leads to expect. `two_material`: "
        "K2HPO4 in triglyceride at the energy that fits the mass attenuation of all five tissues best, exactly as "
        "Michalski et al., Med Eng Phys 2020; 78: 55-63; its values lie some 10 to 35 mg/cm3 above those of a phantom, "
        "so that the QCT thresholds do not apply to them.",
    )
    required_tissues: tuple[TissueName, ...] = Field(
        ("fat", "blood"),
        description="The calibration is refused without these. Blood is the proof that no contrast medium is in the "
        "vertebrae. `two_material` needs `air`, `fat` and `cortical` besides.",
    )
    minimum_tissues: int = Field(3, ge=2, le=5, description="Fewest tissues to calibrate from. [tissues]")
    enhanced_blood: Literal["refuse", "leave_out"] = Field(
        "refuse",
        description="Blood above its range holds contrast medium, and so does the marrow: `refuse` the calibration, or "
        "`leave_out` the blood and accept that the vBMD includes the iodine.",
    )
    expected_hu: ExpectedHu = Field(default_factory=ExpectedHu, description="Range of each tissue's mean.")
    effective_energy_kev: dict[str, float] = Field(
        {"70": 52.0, "80": 57.0, "90": 61.0, "100": 64.0, "110": 67.0, "120": 70.0, "130": 73.5, "140": 77.0},
        description="Effective energy of the beam in the body at each tube voltage (kVp: keV); between them it is "
        "interpolated. [keV] Source: the energies at which iodine and water attenuate as body scans show it (about "
        "41, 31, 25.5 and 20 HU per mg/ml at 80, 100, 120 and 140 kVp); 70 keV for 120 kVp also in Yu et al., AJR "
        "2012; 199: S9-S15. A site that knows its scanners better enters its own.",
    )
    effective_energy_sd_kev: float = Field(
        3.0,
        gt=0,
        le=20,
        description="How far scanners of one voltage differ in effective energy, by filter and size of the patient "
        "(standard deviation). [keV]",
    )
    maximum_energy_shift_kev: float = Field(
        7.0,
        gt=0,
        le=40,
        description="The calibration is refused when the tissues put the energy further than this from what the tube "
        "voltage leads to expect: the header or the tissues are wrong. [keV]",
    )
    maximum_residual_hu: float = Field(
        25.0,
        gt=0,
        le=100,
        description="The calibration is refused when a tissue lies further than this from the fitted scale. [HU]",
    )
    minimum_r2: float = Field(
        0.98, ge=0, le=1, description="`two_material` is refused below this r2 of HU and mass attenuation. [fraction]"
    )

    @field_validator("effective_energy_kev")
    @classmethod
    def _voltages(cls, energies: dict[str, float]) -> dict[str, float]:
        try:
            table = sorted((float(kvp), kev) for kvp, kev in energies.items())
        except ValueError as error:
            raise ValueError("the keys of effective_energy_kev are tube voltages in kVp, for example '120'") from error
        if len(table) < 2 or any(not 30.0 <= kev <= 120.0 for _, kev in table):
            raise ValueError("effective_energy_kev needs two voltages or more, with energies of 30 to 120 keV")
        if any(after[1] <= before[1] for before, after in pairwise(table)):
            raise ValueError("in effective_energy_kev the energy must rise with the voltage")
        return energies
