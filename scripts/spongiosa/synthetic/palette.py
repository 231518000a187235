"""What the painter of the anatomy needs to know of a modality: one number per tissue."""

from __future__ import annotations

from typing import Protocol

from spongiosa.synthetic.sampling import Floats


class Palette(Protocol):
    """Values of the tissues: Hounsfield units for CT (`tissue.Tissues`), signal for MR (`mri.MrTissues`)."""

    @property
    def cortical(self) -> float:
        """Compact bone of the vertebrae."""

    def value(self, tissue: str) -> float:
        """A tissue by name. Raises `KeyError` for an unknown name."""

    def blood(self, iodine_mg_ml: float) -> float:
        """Blood with dissolved contrast medium."""

    def compact(self, density_mg_cm3: float) -> float:
        """Mineralised tissue without marrow: plaque, bone islands."""

    def spongy(self, density_mg_cm3: Floats, marrow_fat_fraction: float) -> Floats:
        """Spongy bone with mineral of the given density in its marrow."""
