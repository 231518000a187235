"""Which of the usable series is measured, and a sentence for each: why this one, why not the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from spongiosa.config.series import Preference, SeriesSettings
from spongiosa.dicom.record import SeriesRecord

_SAME_LENGTH_MM: Final = 10.0
"""Lengths are compared in steps of half a disc's height: less does not change which vertebrae are in view."""

_PARTS_WITH_LUMBAR_SPINE: Final = frozenset(
    {
        "ABDOMEN",
        "ABDOMENPELVIS",
        "CHESTABDOMEN",
        "CHESTABDPELVIS",
        "LSPINE",
        "LUMBARSPINE",
        "LSSPINE",
        "TLSPINE",
        "TRUNK",
        "WHOLEBODY",
    }
)
_PARTS_WITHOUT_LUMBAR_SPINE: Final = frozenset(
    {
        "CHEST",
        "THORAX",
        "HEAD",
        "HEADNECK",
        "NECK",
        "CSPINE",
        "TSPINE",
        "CTSPINE",
        "HIP",
        "KNEE",
        "EXTREMITY",
    }
)


@dataclass(frozen=True)
class Criterion:
    """`score` of a series, higher is better; `praise` and `reproach` end "Chosen: it ..." and "Not chosen: it ..."."""

    score: Callable[[SeriesRecord, SeriesSettings], float]
    praise: Callable[[SeriesRecord], str]
    reproach: Callable[[SeriesRecord, SeriesRecord], str]


def choose(
    records: Sequence[SeriesRecord], settings: SeriesSettings, chosen_key: str | None = None
) -> list[SeriesRecord]:
    """The records with exactly one chosen, each with its explanation, in their given order.

    Needs at least one record without a fault.  `chosen_key`, a reader's decision, wins over every preference.
    """
    usable = [record for record in records if record.fault is None]
    by_reader = next((record for record in usable if record.series_key == chosen_key), None)
    best = by_reader or max(usable, key=lambda record: (_scores(record, settings), record.name.order))
    runner_up = max(
        (record for record in usable if record is not best),
        key=lambda record: (_scores(record, settings), record.name.order),
        default=None,
    )
    explained = []
    for record in records:
        if record is best:
            sentence = _why(best, runner_up, settings, is_readers_choice=by_reader is not None)
            explained.append(replace(record, is_chosen=True, explanation=sentence))
        else:
            explained.append(replace(record, explanation=_why_not(record, best, settings, by_reader is not None)))
    return explained


def _scores(record: SeriesRecord, settings: SeriesSettings) -> tuple[float, ...]:
    return tuple(CRITERIA[name].score(record, settings) for name in settings.preferences)


def _deciding(better: SeriesRecord, worse: SeriesRecord, settings: SeriesSettings) -> Criterion | None:
    for name in settings.preferences:
        criterion = CRITERIA[name]
        if criterion.score(better, settings) != criterion.score(worse, settings):
            return criterion
    return None


def _why(
    best: SeriesRecord, runner_up: SeriesRecord | None, settings: SeriesSettings, *, is_readers_choice: bool
) -> str:
    if is_readers_choice:
        return "Chosen by a reader (choose_series)."
    if runner_up is None:
        return "Chosen: it is the only usable series."
    criterion = _deciding(best, runner_up, settings)
    if criterion is None:
        return "Chosen: it equals another series in every preference; a fixed order decided."
    return f"Chosen: it {criterion.praise(best)}."


def _why_not(record: SeriesRecord, best: SeriesRecord, settings: SeriesSettings, is_readers_choice: bool) -> str:
    if record.fault is not None:
        return f"Not usable: {record.fault.detail}"
    if is_readers_choice:
        return "Not chosen: a reader chose another series."
    criterion = _deciding(best, record, settings)
    if criterion is None:
        return "Not chosen: it equals the chosen series in every preference; a fixed order decided."
    return f"Not chosen: it {criterion.reproach(record, best)}."


def _completeness(record: SeriesRecord, _settings: SeriesSettings) -> float:
    return float(record.geometry is None or record.geometry.is_regular)


def _originality(record: SeriesRecord, _settings: SeriesSettings) -> float:
    is_axial = record.geometry is None or record.geometry.orientation == "axial"
    is_original = "DERIVED" not in str(record.acquisition.get("image_type"))
    return float(is_axial) * 2 + float(is_original)


def _coverage(record: SeriesRecord, settings: SeriesSettings) -> float:
    """Length in steps; between equal lengths the stated body part, which is too often wrong to decide alone."""
    length = record.geometry.length_mm if record.geometry else 0.0
    part = record.acquisition.get("body_part")
    stated = 0.25 if part in _PARTS_WITH_LUMBAR_SPINE else -0.25 if part in _PARTS_WITHOUT_LUMBAR_SPINE else 0.0
    return min(length, settings.sufficient_length_mm) // _SAME_LENGTH_MM + stated


def _nativeness(record: SeriesRecord, _settings: SeriesSettings) -> float:
    return {True: 0.0, False: 1.0, None: 1.0}[record.acquisition.get("contrast_agent")]


def _kernel(record: SeriesRecord, settings: SeriesSettings) -> float:
    name = record.acquisition.get("kernel_class", "unknown")
    order = settings.kernel_order
    return -float(order.index(name) if name in order else len(order))


def _thickness(record: SeriesRecord, settings: SeriesSettings) -> float:
    thickness = _thickness_mm(record)
    return -round(abs(thickness - settings.preferred_slice_thickness_mm), 2) if thickness else -100.0


def _thickness_mm(record: SeriesRecord) -> Any:
    stated = record.acquisition.get("slice_thickness_mm")
    return stated or (record.geometry.slice_spacing_mm if record.geometry else None)


def _length_text(record: SeriesRecord) -> str:
    return f"{record.geometry.length_mm:.0f} mm" if record.geometry else "an unknown length"


def _coverage_reproach(record: SeriesRecord, best: SeriesRecord) -> str:
    lengths = f"covers {_length_text(record)}, the chosen series {_length_text(best)}"
    parts = [str(series.acquisition.get("body_part") or "not stated").lower() for series in (record, best)]
    return lengths if parts[0] == parts[1] else f"{lengths}; body part {parts[0]}, of the chosen series {parts[1]}"


def _nearness(record: SeriesRecord, _settings: SeriesSettings) -> float:
    return -math.inf if record.days_from_reference is None else -float(abs(record.days_from_reference))


def _distance_text(record: SeriesRecord) -> str:
    """How far the scan lies from the DXA or surgery; a number only where days may leave the header."""
    days = record.days_from_reference
    if days is None:
        return "at an unknown distance"
    return f"{abs(days)} days" if "scan_day" in record.personal else "further"


def _orientation_text(record: SeriesRecord) -> str:
    origin = "derived" if "DERIVED" in str(record.acquisition.get("image_type")) else "original"
    return f"{origin} {record.geometry.orientation if record.geometry else ''} images".replace("  ", " ")


def _kernel_text(record: SeriesRecord) -> str:
    name, kind = record.acquisition.get("kernel"), record.acquisition.get("kernel_class", "unknown")
    return f"{kind} kernel" + (f" ({name})" if name else "")


CRITERIA: Final[dict[Preference, Criterion]] = {
    "complete": Criterion(
        _completeness,
        lambda _best: "is evenly spaced without a missing slice",
        lambda _record, _best: "has missing or unevenly spaced slices",
    ),
    "original_axial": Criterion(
        _originality,
        lambda best: f"has {_orientation_text(best)}",
        lambda record, best: f"has {_orientation_text(record)}, while the chosen series has {_orientation_text(best)}",
    ),
    "lumbar_coverage": Criterion(
        _coverage,
        lambda best: f"is long enough for the lumbar spine or the longest ({_length_text(best)})",
        _coverage_reproach,
    ),
    "no_contrast": Criterion(
        _nativeness,
        lambda _best: "was acquired without contrast agent as far as stated",
        lambda _record, _best: "was acquired after contrast agent",
    ),
    "kernel": Criterion(
        _kernel,
        lambda best: f"has the preferred {_kernel_text(best)}",
        lambda record, best: f"has a {_kernel_text(record)}, the chosen series a {_kernel_text(best)}",
    ),
    "slice_thickness": Criterion(
        _thickness,
        lambda best: f"has the preferred slice thickness ({_thickness_mm(best)} mm)",
        lambda record, best: f"has {_thickness_mm(record)} mm slices, the chosen series {_thickness_mm(best)} mm",
    ),
    "nearest_date": Criterion(
        _nearness,
        lambda best: (
            "was acquired nearest to the DXA or surgery"
            + (f" ({_distance_text(best)})" if "scan_day" in best.personal else "")
        ),
        lambda record, best: (
            f"was acquired {_distance_text(record)} from the DXA or surgery"
            + (
                f", the chosen series {_distance_text(best)}"
                if "scan_day" in best.personal
                else " than the chosen series"
            )
        ),
    ),
    "most_slices": Criterion(
        lambda record, _settings: float(record.slices),
        lambda best: f"has the most slices ({best.slices})",
        lambda record, best: f"has {record.slices} slices, the chosen series {best.slices}",
    ),
}
