"""Calibration phantoms: rods of known density, and where they lie.  Presets, and the user's own certificate.

    python -m spongiosa.config.phantoms mindways_model_3_ct      # a preset as YAML, to copy and correct

Every phantom is delivered with a certificate of its own; its densities differ from those of its sisters.  Type them in
under `calibration.phantoms` wherever you have them.  The presets say where each of their values is from.
"""

from __future__ import annotations

import sys
from itertools import combinations
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from spongiosa.config.base import Section

Position = Annotated[float, Field(ge=-400, le=400)]

#: Share by which the spacing of a preset's rods may differ from a real phantom's: below one half, so that a rod can
#: never stand for its neighbour.
NOMINAL_LAYOUT = 0.35


class RodSettings(Section):
    """One rod of a phantom."""

    name: str = Field(min_length=1, max_length=20, description="How the certificate calls it.")
    density_mg_cm3: float = Field(ge=-500, le=3000, description="Equivalent density of the mineral. [mg/cm3]")
    water_mg_cm3: float | None = Field(
        None,
        ge=500,
        le=2000,
        description="Equivalent density of water, for rods of K2HPO4 in plastic (Mindways). [mg/cm3]",
    )
    nominal_hu: float | None = Field(
        None, ge=-1000, le=3000, description="Nominal HU, for phantom-referenced HU; give all rods or none. [HU]"
    )
    position_mm: tuple[Position, Position] = Field(
        description="Place of its axis in the cross-section of the phantom, any origin and rotation. [mm]"
    )


class PhantomSettings(Section):
    """A phantom with rods that run along the patient's axis."""

    material: Literal["K2HPO4", "HA"] = Field(description="The mineral of the rods; part of every vBMD made with it.")
    rods: tuple[RodSettings, ...] = Field(min_length=2, max_length=12, description="The rods.")
    rod_diameter_mm: float = Field(ge=6, le=60, description="Diameter of the rods. [mm]")
    length_mm: float | None = Field(
        None, ge=20, le=1500, description="Length of the rods, where shorter than a scan of the lumbar spine. [mm]"
    )
    layout_tolerance: float = Field(
        0.05,
        ge=0,
        le=0.45,
        description="Share by which the distances between rods may differ from `position_mm`.",
    )
    source: str = Field("", max_length=600, description="Where the values are from, such as a certificate's number.")

    @property
    def is_in_plastic(self) -> bool:
        """Whether the rods state their water, which calls for the equations of Mindways."""
        return self.rods[0].water_mg_cm3 is not None

    @property
    def has_nominal_hu(self) -> bool:
        return self.rods[0].nominal_hu is not None

    @model_validator(mode="after")
    def _consistent(self) -> PhantomSettings:
        names = [rod.name for rod in self.rods]
        if len(set(names)) < len(names):
            raise ValueError(f"two rods have one name: {', '.join(names)}")
        for field in ("water_mg_cm3", "nominal_hu"):
            missing = [rod.name for rod in self.rods if getattr(rod, field) is None]
            if missing and len(missing) < len(self.rods):
                raise ValueError(f"rods {', '.join(missing)} lack {field}; give it for all rods or for none")
        if self.is_in_plastic and self.material != "K2HPO4":
            raise ValueError("water_mg_cm3 belongs to rods of K2HPO4 in plastic; rods of HA have none")
        if len({rod.density_mg_cm3 for rod in self.rods}) < 2:
            raise ValueError("all rods have one density, which makes no line")
        for one, other in combinations(self.rods, 2):
            (x, y), (u, v) = one.position_mm, other.position_mm
            if ((x - u) ** 2 + (y - v) ** 2) ** 0.5 < self.rod_diameter_mm:
                raise ValueError(f"rods {one.name} and {other.name} overlap: check position_mm and rod_diameter_mm")
        return self


def _in_a_row(spacing_mm: float, *rods: tuple[str, float] | tuple[str, float, float]) -> tuple[RodSettings, ...]:
    """Rods at equal distances: name, density and, where it is known, water."""
    return tuple(
        RodSettings(
            name=rod[0],
            density_mg_cm3=rod[1],
            water_mg_cm3=rod[2] if len(rod) == 3 else None,
            position_mm=((k - (len(rods) - 1) / 2) * spacing_mm, 0.0),
        )
        for k, rod in enumerate(rods)
    )


_NOMINAL = (
    "Rod diameter and spacing are nominal, from memory and not from a drawing: rods in a row in the order of their "
    "names, whose spacing may differ by a third. "
)
_OGO = "the calibration tables of Ogo (Bone Imaging Laboratory, University of Calgary, github.com/Bonelab/Ogo)"

#: Phantoms by name.
PRESETS: Final[dict[str, PhantomSettings]] = {
    "mindways_model_3_ct": PhantomSettings(
        material="K2HPO4",
        rods=_in_a_row(
            30.0,
            ("A", -51.83, 1012.25),
            ("B", -53.40, 1056.95),
            ("C", 58.88, 1103.57),
            ("D", 157.05, 1119.52),
            ("E", 375.83, 923.20),
        ),
        rod_diameter_mm=18.0,
        layout_tolerance=NOMINAL_LAYOUT,
        source=f"Densities: QCT PRO User Guide, Mindways Software, v5.0 (2011); the same for serials 4541A and 4560 in "
        f"{_OGO}. {_NOMINAL}",
    ),
    "mindways_model_3_qa": PhantomSettings(
        material="K2HPO4",
        rods=_in_a_row(
            30.0,
            ("A", 58.88, 1103.57),
            ("B", -53.40, 1056.95),
            ("C", 157.05, 1119.52),
            ("D", 157.13, 1120.10),
        ),
        rod_diameter_mm=18.0,
        layout_tolerance=NOMINAL_LAYOUT,
        source=f"Densities: serial 4408 in {_OGO}. {_NOMINAL}",
    ),
    "qrm_bdc_3": PhantomSettings(
        material="HA",
        rods=_in_a_row(36.0, ("1", 0.0), ("2", 100.0), ("3", 200.0)),
        rod_diameter_mm=18.0,
        layout_tolerance=NOMINAL_LAYOUT,
        source="Densities are nominal, from memory; QRM delivers other sets (100, 400, 800 mg/cm3 in serial BDC-71 of "
        f"{_OGO}). {_NOMINAL}",
    ),
    "qrm_bdc_6": PhantomSettings(
        material="HA",
        rods=_in_a_row(28.0, ("1", 0.0), ("2", 100.0), ("3", 200.0), ("4", 400.0), ("5", 600.0), ("6", 800.0)),
        rod_diameter_mm=18.0,
        layout_tolerance=NOMINAL_LAYOUT,
        source=f"Densities: nominal values of serial BDC-106 in {_OGO}. {_NOMINAL}",
    ),
    "image_analysis_3": PhantomSettings(
        material="HA",
        rods=_in_a_row(45.0, ("A", 0.0), ("B", 75.0), ("C", 150.0)),
        rod_diameter_mm=18.0,
        layout_tolerance=NOMINAL_LAYOUT,
        source="Densities are nominal, from memory; a certificate differs widely (8.0, 97.3, 189.8 mg/cm3 for the "
        f"QCT-3D PLUS phantom G2730 in {_OGO}). {_NOMINAL}",
    ),
    "b_mas_200": PhantomSettings(
        material="HA",
        rods=_in_a_row(32.0, ("A", 0.0), ("B", 50.0), ("C", 100.0), ("D", 150.0), ("E", 200.0)),
        rod_diameter_mm=20.0,
        layout_tolerance=NOMINAL_LAYOUT,
        source=f"Densities: nominal values in {_OGO}. {_NOMINAL}",
    ),
    "siemens_osteo": PhantomSettings(
        material="HA",
        rods=_in_a_row(60.0, ("water", 0.0), ("bone", 200.0)),
        rod_diameter_mm=22.0,
        layout_tolerance=NOMINAL_LAYOUT,
        source="Densities are nominal, from memory: water-equivalent and 200 mg/cm3, after Kalender and Suess, Med "
        f"Phys 1987; 14: 863-866. {_NOMINAL}",
    ),
}


def preset_yaml(name: str) -> str:
    """A preset as it would stand in a study's configuration.  Raises `KeyError` for an unknown name."""
    import yaml

    phantom = PRESETS[name].model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump({"calibration": {"phantoms": {name: phantom}}}, sort_keys=False, width=110)


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in PRESETS:
        print(preset_yaml(sys.argv[1]), end="")
    else:
        print(f"Known phantoms: {', '.join(PRESETS)}", file=sys.stderr)
        sys.exit(2)
