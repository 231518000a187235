"""All studies by the name that they have in the configuration (`studies.<name>`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies import (
    hu_dxa_concordance,
    new_fracture_3d_hu,
    roi_comparison,
    screening,
    screw_loosening_nomogram,
    screw_loosening_qct,
)
from spongiosa.studies.result import StudyResult

#: A study: patient table, its own settings, thresholds, seed -> result.
Analysis = Callable[[pd.DataFrame, Any, ThresholdsSettings, int], StudyResult]

STUDIES: dict[str, Analysis] = {
    "hu_dxa_concordance": hu_dxa_concordance.analyse,
    "screening": screening.analyse,
    "roi_comparison": roi_comparison.analyse,
    "new_fracture_3d_hu": new_fracture_3d_hu.analyse,
    "screw_loosening_qct": screw_loosening_qct.analyse,
    "screw_loosening_nomogram": screw_loosening_nomogram.analyse,
}
