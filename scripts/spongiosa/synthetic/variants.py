"""The changes that disease and surgery make to a synthetic patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FractureKind = Literal["wedge", "biconcave", "crush"]
End = Literal["superior", "inferior"]
Direction = Literal["anterior", "left", "right"]
ScrewSide = Literal["left", "right"]


@dataclass(frozen=True)
class Variant:
    """A change to one vertebra; `level` is its name ("T1" ... "L6", "S1")."""

    level: str


@dataclass(frozen=True)
class Fracture(Variant):
    """Loss of height: in front (wedge), in the middle (biconcave) or everywhere (crush)."""

    kind: FractureKind = "wedge"
    height_loss: float = 0.30
    """Fraction of the height that is lost where the loss is greatest, 0 to 0.8."""
    impaction_mg_cm3: float = 60.0
    """Density gained in a band under the deformed endplate, where trabeculae are driven together."""

    def __post_init__(self) -> None:
        if not 0.0 < self.height_loss <= 0.8:
            raise ValueError(f"height_loss of {self.level} is {self.height_loss:g}; it must lie in (0, 0.8]")

    @property
    def genant_grade(self) -> int:
        """0 below 20 % of height lost, 1 to 25 %, 2 to 40 %, 3 above (Genant et al., J Bone Miner Res 1993;8:1137)."""
        return sum(self.height_loss >= limit for limit in (0.20, 0.25, 0.40))


@dataclass(frozen=True)
class Osteophytes(Variant):
    """Bony spurs on one rim of the body."""

    end: End = "superior"
    size_mm: float = 6.0
    directions: tuple[Direction, ...] = ("anterior", "left")


@dataclass(frozen=True)
class EndplateSclerosis(Variant):
    """A dense band under one endplate."""

    end: End = "superior"
    depth_mm: float = 6.0
    density_mg_cm3: float = 250.0
    """Added to the spongy bone."""


@dataclass(frozen=True)
class BoneIsland(Variant):
    """A sphere of compact bone; the position is in fractions of half width, half depth and half height."""

    position: tuple[float, float, float] = (0.3, -0.2, 0.2)
    radius_mm: float = 4.0
    density_mg_cm3: float = 750.0


@dataclass(frozen=True)
class Haemangioma(Variant):
    """A sphere of poor bone crossed by thick upright trabeculae ("polka dots")."""

    position: tuple[float, float, float] = (-0.2, 0.0, 0.0)
    radius_mm: float = 9.0
    density_mg_cm3: float = 15.0
    column_density_mg_cm3: float = 420.0


@dataclass(frozen=True)
class Cement(Variant):
    """Radio-opaque bone cement in the body, an irregular lump on each side."""

    volume_ml: float = 4.0
    density_mg_cm3: float = 1500.0
    """Hydroxyapatite that would attenuate as much as the cement's barium sulphate."""


@dataclass(frozen=True)
class PedicleScrew(Variant):
    """A titanium screw along the pedicle, with a halo of resorbed bone around it where it is loose."""

    side: ScrewSide = "left"
    diameter_mm: float = 6.5
    length_mm: float = 45.0
    halo_mm: float = 0.0
    """Width of the radiolucent zone between screw and bone."""
    medial_deviation_deg: float = 0.0
    caudal_deviation_deg: float = 0.0
    """Turn of the axis about the isthmus of the pedicle, away from the anatomical axis."""


@dataclass(frozen=True)
class Rod(Variant):
    """A titanium rod from the screw head at `level` down to the one at `caudal_level`, by the heads between."""

    caudal_level: str = "L5"
    side: ScrewSide = "left"
    diameter_mm: float = 5.5


def instrumentation(
    levels: tuple[str, ...], halo_mm: dict[tuple[str, str], float] | None = None, diameter_mm: float = 6.5
) -> tuple[Variant, ...]:
    """Screws on both sides of `levels` (from cranial to caudal) and the rods that join them.

    `halo_mm` sets the halo of single screws by (level, side).
    """
    halos = halo_mm or {}
    sides: tuple[ScrewSide, ScrewSide] = ("left", "right")
    screws = [PedicleScrew(k, s, diameter_mm, halo_mm=halos.get((k, s), 0.0)) for k in levels for s in sides]
    rods = [Rod(levels[0], levels[-1], s) for s in sides] if len(levels) > 1 else []
    return (*screws, *rods)
