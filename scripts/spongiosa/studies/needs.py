"""What each study reads: tables, thresholds, and the fits that are made apart from the tables.

A fit is what costs time and depends on few thresholds or none (curves, bootstraps, regressions); tabulating puts fits
and thresholds into tables and figures.  So a changed threshold refits only what names it here, and a study that names
no threshold is not made again at all.  This module imports no study, as it is read before any job runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class FitNeeds:
    """What a fit depends on: the thresholds and tables it reads; `ignores` names settings that it does not read."""

    thresholds: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()


@dataclass(frozen=True)
class StudyNeeds:
    """What a study depends on; `tables` are those beside the patients that it reads itself, where they are given."""

    thresholds: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    fits: Mapping[str, FitNeeds] = field(default_factory=lambda: MappingProxyType({}))


#: The setting that no table and no fit reads: it decides what is pictured.
PICTURES = "pictures"

NEEDS: Mapping[str, StudyNeeds] = MappingProxyType(
    {
        "hu_dxa_concordance": StudyNeeds(
            thresholds=("hu_osteoporosis", "hu_cutoffs", "hu_gray_zone", "t_osteoporosis"),
            fits={
                "association": FitNeeds(
                    tables=("readers",), ignores=("enabled", "alpha", "bootstrap_draws", "age_bands_years")
                ),
                "discrimination": FitNeeds(
                    thresholds=("t_osteoporosis",), ignores=("enabled", "alpha", "age_bands_years")
                ),
            },
        ),
        "screening": StudyNeeds(
            thresholds=("hu_cutoffs", "vbmd_osteoporosis_mg_cm3", "vbmd_osteopenia_mg_cm3", "vbmd_material"),
            fits={
                "expectation": FitNeeds(
                    ignores=("enabled", "alpha", "bootstrap_draws", "age_bands_years", "low_hu", "high_hu")
                )
            },
        ),
        "roi_comparison": StudyNeeds(
            thresholds=("t_osteoporosis", "t_osteopenia"),
            tables=("readers",),
            fits={
                "association": FitNeeds(tables=("readers",), ignores=("enabled", "alpha", "bootstrap_draws")),
                "osteoporosis": FitNeeds(
                    thresholds=("t_osteoporosis",), tables=("readers",), ignores=("enabled", "alpha")
                ),
                "low_mass": FitNeeds(thresholds=("t_osteopenia",), tables=("readers",), ignores=("enabled", "alpha")),
            },
        ),
        "new_fracture_3d_hu": StudyNeeds(tables=("readers",)),
        "screw_loosening_qct": StudyNeeds(tables=("readers", "screws")),
        "screw_loosening_nomogram": StudyNeeds(),
    }
)
