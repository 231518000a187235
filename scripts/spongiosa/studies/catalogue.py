"""All studies by the name that they have in the configuration (`studies.<name>`)."""

from __future__ import annotations

from collections.abc import Callable

from spongiosa.studies import (
    hu_dxa_concordance,
    new_fracture_3d_hu,
    roi_comparison,
    screening,
    screw_loosening_nomogram,
    screw_loosening_qct,
)
from spongiosa.studies.result import StudyResult

#: A study: patient table, its own settings, thresholds, seed, and by name the tables of `needs` -> result.
Analysis = Callable[..., StudyResult]

STUDIES: dict[str, Analysis] = {
    "hu_dxa_concordance": hu_dxa_concordance.analyse,
    "screening": screening.analyse,
    "roi_comparison": roi_comparison.analyse,
    "new_fracture_3d_hu": new_fracture_3d_hu.analyse,
    "screw_loosening_qct": screw_loosening_qct.analyse,
    "screw_loosening_nomogram": screw_loosening_nomogram.analyse,
}
