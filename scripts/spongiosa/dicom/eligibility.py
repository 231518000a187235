"""Whether a series can be measured at all, judged by its headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.grouping import is_localizer
from spongiosa.dicom.headers import SCAN_CLASSES, FrameHeader
from spongiosa.dicom.privacy import known_modality
from spongiosa.dicom.record import SeriesGeometry
from spongiosa.outcome import Excluded, Reason

_NOT_A_SCAN: Final = frozenset(
    {
        "MIP",
        "MINIP",
        "PROJECTION",
        "SCREEN",
        "SAVE",
        "SCREENSAVE",
        "SCREEN_SAVE",
        "DOSE",
        "DOSE_INFO",
        "PROT",
        "PROTOCOL",
        "VRT",
        "SSD",
        "RENDERED",
    }
)
_NOT_AS_SCANNED: Final = frozenset(
    {
        "MAT_SPECIFIC",
        "MAT_REMOVED",
        "MAT_FRACTIONAL",
        "MAT_VALUE_BASED",
        "MAT_MODIFIED",
        "EFF_ATOMIC_NUM",
        "ELECTRON_DENSITY",
        "SUBTRACTION",
        "BONE_REMOVED",
        "BONEREMOVED",
    }
)
"""Image types whose values were changed by what the tissue is thought to be: value 4 of multi-energy CT (PS3.3,
C.8.2.1.1.1), and bone removed for angiography."""
_RESCALE_SLOPES: Final = (1e-3, 100.0)
_LARGEST_INTERCEPT: Final = 70_000.0
"""Stored values have 16 bits: a larger intercept puts none of them near water."""
_HU_TYPES: Final = frozenset({"", "HU", "US"})


def refuse_several_patients(frames: Sequence[FrameHeader]) -> None:
    """Raises `Excluded(SEVERAL_PATIENTS)` where ids differ, or, without ids, names and birth dates.

    Anonymisers give many patients one id ("ANONYMOUS"), so that one id with several names as well as several dates of
    birth is several patients; a name alone may have changed by marriage, a date alone by a correction.
    """
    identifiers = {frame.patient[0] for frame in frames if frame.patient[0]}
    names = {(_same_name(frame.patient[1]), frame.patient[2]) for frame in frames if any(frame.patient[1:])}
    complete = {name for name in names if all(name)}
    has_one_id_for_all = len(identifiers) == 1 and all(len(set(part)) > 1 for part in zip(*complete, strict=True))
    patients = len(complete) if complete and has_one_id_for_all else len(identifiers) or len(names)
    if patients > 1:
        raise Excluded(
            Reason.SEVERAL_PATIENTS,
            f"The input mixes images of {patients} patients; give each patient a folder of their own.",
        )


def _same_name(name: str) -> str:
    """The name in one spelling: archives differ in case and in empty components (`Doe^Jane`, `DOE^JANE^^^`)."""
    return name.upper().rstrip("^ ")


def fault_of_kind(frames: Sequence[FrameHeader], modality: str) -> Excluded | None:
    """Why images of this kind are not measured, or None."""
    wanted, found = modality.upper(), frames[0].modality
    if found != wanted:
        return Excluded(
            Reason.WRONG_MODALITY,
            f"The images are {known_modality(found)}, while the manifest asks for {wanted}.",
        )
    if all(is_localizer(frame) for frame in frames):
        return Excluded(Reason.LOCALIZER_ONLY, f"The {len(frames)} images are localizers (scouts) for planning.")
    is_picture = any(frame.sop_class and frame.sop_class not in SCAN_CLASSES[wanted] for frame in frames)
    if is_picture or any(frame.samples_per_pixel != 1 for frame in frames):
        return Excluded(Reason.NO_SUITABLE_SERIES, "The images are pictures (secondary captures), not measurements.")
    words = {word for frame in frames for value in frame.image_type for word in value.split()}
    if words & _NOT_A_SCAN:
        return Excluded(Reason.NO_SUITABLE_SERIES, "The images are projections or renderings, not slices.")
    if words & _NOT_AS_SCANNED:
        return Excluded(
            Reason.NO_SUITABLE_SERIES,
            "The values were changed by material (a multi-energy material image, or bone taken away), so they are not "
            "those of the scan.",
        )
    if any(frame.technical.get("BurnedInAnnotation") == "YES" for frame in frames):
        return Excluded(Reason.NO_SUITABLE_SERIES, "The images carry text burned into their pixels, perhaps a name.")
    if wanted == "CT" and any(frame.rescale_type not in _HU_TYPES for frame in frames):
        return Excluded(Reason.NO_SUITABLE_SERIES, "The values are not Hounsfield units (a material or spectral map).")
    if wanted == "CT" and any(frame.rescale_intercept is None for frame in frames):
        return Excluded(
            Reason.HEADER_INCOMPLETE,
            "The images do not state the rescale intercept, so their values have no Hounsfield scale; export the "
            "original images.",
        )
    if wanted == "CT" and not all(_has_plausible_rescale(frame) for frame in frames):
        return Excluded(
            Reason.HEADER_INCOMPLETE,
            "The stated rescale slope or intercept is none that a CT scanner writes; export the original images.",
        )
    return None


def _has_plausible_rescale(frame: FrameHeader) -> bool:
    slope = 1.0 if frame.rescale_slope is None else frame.rescale_slope
    lowest, highest = _RESCALE_SLOPES
    return lowest <= slope <= highest and abs(frame.rescale_intercept or 0.0) <= _LARGEST_INTERCEPT


def fault_of_size(
    slices: int, images: int, geometry: SeriesGeometry | None, settings: SeriesSettings
) -> Excluded | None:
    """Why a series of this size is not measured, or None."""
    if slices < settings.minimum_slices:
        together = f"The {images} images lie at {slices} position{'s' if slices > 1 else ''}" + (
            ": repeated images of one place (a bolus or perfusion series?), not a volume"
            if images > slices and slices == 1
            else f"; at least {settings.minimum_slices} are needed (series.minimum_slices)"
        )
        return Excluded(Reason.TOO_FEW_SLICES, together + ".")
    if geometry and geometry.slice_spacing_mm and geometry.slice_spacing_mm > settings.maximum_slice_spacing_mm:
        return Excluded(
            Reason.NO_SUITABLE_SERIES,
            f"The slices lie {geometry.slice_spacing_mm:.1f} mm apart, more than the "
            f"{settings.maximum_slice_spacing_mm:g} mm of series.maximum_slice_spacing_mm.",
        )
    return None


def modalities_found(frames: Sequence[FrameHeader]) -> str:
    """`MR (12 images), SR (1 image)`."""
    counts = Counter(known_modality(frame.modality) for frame in frames)
    return ", ".join(f"{name} ({count} image{'s' if count > 1 else ''})" for name, count in sorted(counts.items()))
