"""How four makes of scanners name kernels and store pixels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from spongiosa.synthetic.dicom_ct import CtSeries
from spongiosa.synthetic.dicom_pixels import PixelStorage


@dataclass(frozen=True)
class Vendor:
    """A make of scanner: what its headers say, and the folders and files of its exports."""

    manufacturer: str
    model: str
    software: str
    soft_kernel: str
    bone_kernel: str
    storage: PixelStorage = field(default_factory=PixelStorage)
    folder: str = "DICOM/ST000001/SE{number:06d}"
    file_name: str = "IM{number:06d}"

    def scout(self, number: int) -> CtSeries:
        """Series for `write_localizer`."""
        return replace(self._series(number, "Topogram", ""), tube_current_ma=35.0, slice_thickness_mm=0.6)

    def soft_series(self, number: int) -> CtSeries:
        return self._series(number, f"LWS 2.0 {self.soft_kernel}", self.soft_kernel)

    def bone_series(self, number: int) -> CtSeries:
        return self._series(number, f"LWS Knochen {self.bone_kernel}", self.bone_kernel)

    def _series(self, number: int, description: str, kernel: str) -> CtSeries:
        return CtSeries(
            number=number,
            description=description,
            kernel=kernel,
            manufacturer=self.manufacturer,
            model=self.model,
            software=self.software,
            storage=self.storage,
            file_name=self.file_name,
        )


SIEMENS: Final = Vendor("SIEMENS", "SOMATOM Definition Flash", "syngo CT VA48A", "Br36d", "Br64f")
GE: Final = Vendor(
    "GE MEDICAL SYSTEMS",
    "Revolution EVO",
    "revo_evo_19.2",
    "STANDARD",
    "BONEPLUS",
    # Outside the reconstruction circle GE stores -2000, far below air.
    PixelStorage(bits_stored=16, is_signed=True, padding_hu=-3024.0, padding_stored=-2000),
    folder="EXP00000/EXP{number:04d}",
    file_name="EXP{number:04d}",
)
PHILIPS: Final = Vendor(
    "Philips", "Brilliance 64", "4.1.6", "B", "YB", folder="S{number:05d}", file_name="I{number:05d}"
)
CANON: Final = Vendor(
    "TOSHIBA",
    "Aquilion ONE",
    "V8.40",
    "FC08",
    "FC30",
    PixelStorage(bits_stored=16, is_signed=True, rescale_intercept=0.0),
    folder="A/DICOM/{number:08d}",
    file_name="{uid}",
)
VENDORS: Final = (SIEMENS, GE, PHILIPS, CANON)
