"""Calibration by the rods of a phantom under the patient: the line, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.config.calibration import PhantomDetectionSettings
from spongiosa.config.phantoms import PRESETS, PhantomSettings
from spongiosa.density.line import CalibrationOutcome
from spongiosa.density.phantom_alike import likelier_phantom
from spongiosa.density.phantom_layout import Match, incredible, is_credible, is_rival
from spongiosa.density.phantom_lines import RodFit, fit_rods, referenced_scale
from spongiosa.density.phantom_rods import RodMeasurement, measure_rods
from spongiosa.density.phantom_search import PhantomSearch
from spongiosa.outcome import Reason
from spongiosa.volume import Volume, oriented_lps

#: Assignments per course that are measured slice by slice, the best first.
MOST_MEASURED = 4

#: Roundness per rod of a match that needs no search along further courses.
ROUND_BEYOND_DOUBT = 0.85


def phantom_calibration(
    volume: Volume,
    spine: SpineDescription,
    name: str,
    phantom: PhantomSettings,
    rules: PhantomDetectionSettings,
    known: Mapping[str, PhantomSettings] = PRESETS,
) -> CalibrationOutcome:
    """The density line of a scan from its phantom, or why there is none.

    `known` are the phantoms that it may be instead, when a user names the wrong one.

    Each rod is measured slice by slice between the first and the last vertebra.  The report holds, per rod, its HU,
    residual, drift and place; the fit; and, where the phantom has nominal HU, the line from measured to
    phantom-referenced HU.
    """
    scan = oriented_lps(volume)
    about = {"phantom": name, "material": phantom.material, "source": phantom.source}
    search = PhantomSearch(scan, spine, phantom, rules)
    accepted: list[tuple[Match, CalibrationOutcome]] = []
    refused: list[tuple[Match, CalibrationOutcome]] = []
    foreign: list[tuple[Match, CalibrationOutcome]] = []
    for along_course in search.by_course():
        credible = [found for found in along_course if is_credible(found.match, phantom, rules)]
        refused += [(found.match, _near_miss(found.match, phantom, rules, about)) for found in along_course[:3]]
        for found in credible[:MOST_MEASURED]:
            measured = measure_rods(scan, found.axes, search.slices, found.match.is_used)
            outcome = _judged(measured, found.match, search.range_mm, phantom, rules, about)
            if found.further_rods and outcome.line is not None:
                outcome = _of_another_phantom(found.further_rods, outcome)
                foreign.append((found.match, outcome))
            (refused if outcome.line is None else accepted).append((found.match, outcome))
        if any(match.roundness >= ROUND_BEYOND_DOUBT * (len(phantom.rods) - 1) for match, _ in accepted):
            break
    if not accepted:
        return _why_not(refused, about, search.spots_seen)
    best, outcome = max(accepted, key=lambda pair: pair[0].rank)
    if foreign and max(match.rank for match, _ in foreign) >= best.rank:
        return max(foreign, key=lambda pair: pair[0].rank)[1]
    if any(is_rival(best, match) for match, _ in accepted):
        return CalibrationOutcome.refused(
            Reason.PHANTOM_AMBIGUOUS,
            "The rods of the phantom fit its layout in two ways that give different densities.",
            **about,
        )
    other = likelier_phantom(best.places_mm, best.hu, phantom, known, rules)
    return outcome if other is None else _named_wrongly(other, outcome)


def _judged(
    measured: RodMeasurement,
    match: Match,
    range_mm: float,
    phantom: PhantomSettings,
    rules: PhantomDetectionSettings,
    about: Mapping[str, Any],
) -> CalibrationOutcome:
    """The line through the measured rods, or what is wrong with it."""
    report: dict[str, Any] = {**about, "coverage": round(measured.coverage, 3)}
    if np.isfinite(measured.hu).sum() < rules.rods_needed(phantom):
        detail = "Too few rods of the phantom lie wholly in the image."
        return CalibrationOutcome.refused(Reason.PHANTOM_INCOMPLETE, detail, **report)
    fit = fit_rods(measured.hu, phantom)
    report |= {
        "rods": _rod_rows(measured, match, fit, phantom),
        "slope_hu_per_mg_cm3": round(fit.slope_hu_per_mg_cm3, 6),
        "offset_hu": round(fit.offset_hu, 4),
        "r2": round(fit.r2, 6),
        "residual_rms_mg_cm3": round(fit.rms_mg_cm3, 3),
        "fit": "least squares without at most one outlying rod",
        "layout_error_mm": round(match.layout_error_mm, 2),
        "slices_measured": measured.slices,
    }
    fault = incredible(fit, rules)
    if fault is not None:
        return CalibrationOutcome.refused(Reason.PHANTOM_FIT, f"The rods were found, but {fault}.", **report)
    if measured.coverage < rules.minimum_coverage * min(1.0, (phantom.length_mm or np.inf) / range_mm):
        share = f"{100 * measured.coverage:.0f} %"
        detail = f"The rods are seen in {share} of the slices between the first and the last vertebra."
        return CalibrationOutcome.refused(Reason.PHANTOM_INCOMPLETE, detail, **report)
    drifts = np.abs(measured.drift_hu_per_100mm[np.isfinite(measured.drift_hu_per_100mm)])
    if drifts.max(initial=0.0) > rules.maximum_drift_hu_per_100mm:
        detail = f"A rod drifts by {drifts.max():.0f} HU per 100 mm along the patient."
        return CalibrationOutcome.refused(Reason.PHANTOM_FIT, detail, **report)
    scale = None
    if phantom.has_nominal_hu:
        scale = referenced_scale(np.where(fit.is_used, measured.hu, np.nan), phantom)
        report["referenced_hu"] = {"offset_hu": round(scale.offset_hu, 4), "slope": round(scale.slope, 6)}
    return CalibrationOutcome(fit.line(phantom, "phantom"), report=report, referenced=scale)


def _of_another_phantom(further_rods: int, outcome: CalibrationOutcome) -> CalibrationOutcome:
    seen = "a further rod" if further_rods == 1 else f"{further_rods} further rods"
    return CalibrationOutcome.refused(
        Reason.PHANTOM_FIT,
        f"The rods fit, but {seen} can be seen beside them: is it the right phantom, and are all its rods listed?",
        **outcome.report,
    )


def _named_wrongly(other: str, outcome: CalibrationOutcome) -> CalibrationOutcome:
    return CalibrationOutcome.refused(
        Reason.PHANTOM_MISMATCH,
        f"The distances of the rods are those of {other} and not those of the phantom that was named, and their HU fit "
        "both; name the right one, or type in position_mm of the rods as its drawing states them.",
        **outcome.report,
    )


def _near_miss(
    match: Match, phantom: PhantomSettings, rules: PhantomDetectionSettings, about: Mapping[str, Any]
) -> CalibrationOutcome:
    """What an assignment that was not measured says of the phantom."""
    fault = incredible(match.fit, rules)
    if fault is not None and match.is_seen.sum() >= max(3, len(phantom.rods) - 1):
        detail = f"Rods were found that lie like the phantom's, but {fault}."
        return CalibrationOutcome.refused(Reason.PHANTOM_FIT, detail, **about)
    if fault is None and match.is_seen.sum() >= 2 and match.is_used.sum() < rules.rods_needed(phantom):
        detail = f"Only {match.is_used.sum()} of {len(phantom.rods)} rods of the phantom lie in the image."
        return CalibrationOutcome.refused(Reason.PHANTOM_INCOMPLETE, detail, **about)
    detail = "No rods that lie like the phantom's were found; is it the right phantom, and is it in the field of view?"
    return CalibrationOutcome.refused(Reason.PHANTOM_NOT_FOUND, detail, **about)


def _why_not(
    refused: Sequence[tuple[Match, CalibrationOutcome]], about: Mapping[str, Any], spots: int
) -> CalibrationOutcome:
    """The refusal that came nearest to a phantom: a measured one, else the best placed."""
    telling = [pair for pair in refused if pair[1].reason is not Reason.PHANTOM_NOT_FOUND]
    if telling:
        return max(telling, key=lambda pair: (pair[0].roundness, "rods" in pair[1].report))[1]
    detail = "No rods that lie like the phantom's were found; is it the right phantom, and is it in the field of view?"
    return CalibrationOutcome.refused(Reason.PHANTOM_NOT_FOUND, detail, **about, spots=spots)


def _rod_rows(measured: RodMeasurement, match: Match, fit: RodFit, phantom: PhantomSettings) -> list[dict[str, Any]]:
    """One entry per rod of the phantom, in its order."""
    rows: list[dict[str, Any]] = []
    for number, rod in enumerate(phantom.rods):
        is_used = bool(fit.is_used[number])
        row: dict[str, Any] = {"name": rod.name, "density_mg_cm3": rod.density_mg_cm3, "is_used": is_used}
        if np.isfinite(measured.hu[number]):
            row |= {
                "is_seen": bool(match.is_seen[number]),
                "hu": round(float(measured.hu[number]), 3),
                "hu_sd": round(float(measured.sd_hu[number]), 2),
                "residual_mg_cm3": round(float(fit.residuals_mg_cm3[number]), 3),
                "drift_hu_per_100mm": _rounded(measured.drift_hu_per_100mm[number]),
                "centre_mm": [round(float(value), 2) for value in measured.centres_mm[number]],
            }
        rows.append(row)
    return rows


def _rounded(value: float) -> float | None:
    return round(float(value), 2) if np.isfinite(value) else None
