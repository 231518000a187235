"""How far a scan can be trusted: what it was made with, its noise, streaks and defects, judged by configured rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spongiosa.config.quality import Limit, QualitySettings
from spongiosa.config.series import KernelClass
from spongiosa.outcome import Excluded, Reason
from spongiosa.regions.tissue_samples import TissueRegion, robust_sd
from spongiosa.volume import Volume

#: Tissues in which noise is read, from the most even one on.
NOISE_TISSUES = ("blood", "muscle", "fat")

#: Tissues that run through all slices, in which streaks show.
STREAK_TISSUES = ("fat", "muscle")

#: Fewest voxels of a slice for its own SD, and fewest slices for a comparison.
FEWEST_VOXELS, FEWEST_SLICES = 30, 5

#: Nothing of a patient is denser, tooth enamel included.  [HU]
METAL_HU = 2800.0

#: Flag of the conversion that says that slices were interpolated.
MISSING_SLICES_FLAG = "missing_slices_interpolated"

#: What each measured quantity is called in a sentence, with its unit.
QUANTITIES: dict[str, tuple[str, str]] = {
    "kvp": ("tube voltage", "kVp"),
    "slice_thickness_mm": ("slice thickness", "mm"),
    "slice_spacing_mm": ("distance of the slices", "mm"),
    "noise_sd_hu": ("noise", "HU"),
    "streak_index": ("noise of the worst slices relative to the others", ""),
    "metal_mm3": ("volume of metal", "mm3"),
    "gantry_tilt_degrees": ("gantry tilt", "degrees"),
    "table_height_mm": ("table height", "mm"),
}


@dataclass(frozen=True)
class ScanQuality:
    """What a scan is worth: `values` by the names of `QUANTITIES` (None where unknown), the class of the kernel, and
    what the rules say: flags for every row (`quality_<rule>`), and sentences for the rules that exclude."""

    values: Mapping[str, float | None]
    kernel_class: KernelClass
    has_missing_slices: bool
    flags: tuple[str, ...]
    exclusions: tuple[str, ...]

    def refuse(self) -> None:
        """Raises `Excluded(SCAN_QUALITY)` when a rule excludes the scan."""
        if self.exclusions:
            raise Excluded(Reason.SCAN_QUALITY, " ".join(self.exclusions))

    def to_row(self) -> dict[str, Any]:
        """The values as columns, with `kernel_class`, `has_missing_slices` and `quality_flags`."""
        return dict(self.values) | {
            "kernel_class": self.kernel_class,
            "has_missing_slices": self.has_missing_slices,
            "quality_flags": list(self.flags),
        }


def scan_quality(
    volume: Volume,
    acquisition: Mapping[str, Any],
    tissues: Mapping[str, TissueRegion],
    settings: QualitySettings,
) -> ScanQuality:
    """Quality of a scan from its header, its voxels and its reference tissues.

    `acquisition` as in the scan's sidecar; `tissues` on the grid of `volume` (`regions.tissues.reference_tissues`).
    """
    hu = volume.voxels.reshape(-1)
    tilt = acquisition.get("gantry_tilt_degrees")
    values: dict[str, float | None] = {
        "kvp": _number(acquisition.get("kvp")),
        "slice_thickness_mm": _number(acquisition.get("slice_thickness_mm")),
        "slice_spacing_mm": _number(acquisition.get("slice_spacing_mm", volume.geometry.spacing_mm[2])),
        "noise_sd_hu": noise_sd_hu(hu, tissues),
        "streak_index": streak_index(volume, tissues),
        "metal_mm3": float(np.count_nonzero(hu > METAL_HU)) * volume.geometry.voxel_volume_mm3,
        "gantry_tilt_degrees": None if tilt is None else abs(float(tilt)),
        "table_height_mm": _number(acquisition.get("table_height_mm")),
    }
    kernel: KernelClass = acquisition.get("kernel_class") or "unknown"
    has_gaps = MISSING_SLICES_FLAG in (acquisition.get("flags") or ())
    broken = _broken_rules(values, kernel, has_gaps, settings)
    flagged = [name for name in broken if name not in settings.exclude and name not in settings.ignore]
    return ScanQuality(
        values=values,
        kernel_class=kernel,
        has_missing_slices=has_gaps,
        flags=tuple(f"quality_{name}" for name in flagged),
        exclusions=tuple(sentence for name, sentence in broken.items() if name in settings.exclude),
    )


def noise_sd_hu(hu: NDArray[np.number], tissues: Mapping[str, TissueRegion]) -> float | None:
    """SD of the quietest of blood, muscle and fat: what is left of texture in it is the least.  [HU]

    `hu` flat, in the order of the tissues' voxel indices.  None when none of them was found.
    """
    spreads = [
        robust_sd(np.asarray(hu[region.weights.indices], dtype=np.float64))
        for name in NOISE_TISSUES
        if (region := tissues.get(name)) is not None and region.weights is not None
    ]
    return min(spreads) if spreads else None


def streak_index(volume: Volume, tissues: Mapping[str, TissueRegion]) -> float | None:
    """SD of fat and muscle in the worst twentieth of the slices, relative to the median slice.

    Both are taken about their own median per slice and tissue, so that a patient's anatomy makes no streak.
    None with fewer than five slices that show enough of them.
    """
    hu = volume.voxels.reshape(-1)
    in_slice = int(np.prod(volume.geometry.shape[1:]))
    ratios: list[float] = []
    for name in STREAK_TISSUES:
        region = tissues.get(name)
        if region is None or region.weights is None:
            continue
        indices = region.weights.indices
        slices = indices // in_slice
        spreads = [
            robust_sd(np.asarray(hu[indices[slices == k]], dtype=np.float64))
            for k in np.unique(slices)
            if int((slices == k).sum()) >= FEWEST_VOXELS
        ]
        if len(spreads) >= FEWEST_SLICES and np.median(spreads) > 0:
            ratios.append(float(np.percentile(spreads, 95) / np.median(spreads)))
    return max(ratios) if ratios else None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _broken_rules(
    values: Mapping[str, float | None], kernel: KernelClass, has_gaps: bool, settings: QualitySettings
) -> dict[str, str]:
    """Every rule that the scan breaks, with its sentence."""
    broken: dict[str, str] = {}
    for name, (quantity, unit) in QUANTITIES.items():
        limit: Limit = getattr(settings, name)
        value = values[name]
        if value is not None and not _holds(limit, value):
            number = f"{value:.1f} {unit}".strip()
            broken[name] = f"The {quantity} is {number}, {_range(limit, unit)}."
    if kernel not in settings.good_kernels:
        broken["kernel"] = f"The reconstruction kernel is {kernel}."
    if has_gaps:
        broken["missing_slices"] = "Slices were missing and were interpolated."
    return broken


def _holds(limit: Limit, value: float) -> bool:
    low, high = limit
    return (low is None or value >= low) and (high is None or value <= high)


def _range(limit: Limit, unit: str) -> str:
    low, high = limit
    if low is None:
        return f"more than {high:g} {unit}".strip()
    if high is None:
        return f"less than {low:g} {unit}".strip()
    return f"not between {low:g} and {high:g} {unit}".strip()
