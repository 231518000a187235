"""The studies on synthetic cohorts, each with its report and without an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from spongiosa.config.studies import StudiesSettings
from spongiosa.studies.catalogue import STUDIES
from spongiosa.studies.preset_reports import PRESET_OF_STUDY, study_of_preset, write_reports

QUICK = StudiesSettings.model_validate(
    {name: {"bootstrap_draws": 100} for name in PRESET_OF_STUDY}
    | {"screw_loosening_nomogram": {"bootstrap_draws": 100, "validation_draws": 10}}
)


def test_every_study_has_a_synthetic_cohort() -> None:
    assert set(PRESET_OF_STUDY) == set(STUDIES)


def test_a_cohort_has_the_size_of_the_published_one() -> None:
    patients, result = study_of_preset("screw_loosening_qct", 1, QUICK)
    assert len(patients) == 186 == result.audit["analysed"]


@pytest.mark.slow
def test_the_reports_say_that_nobody_in_them_is_a_patient(tmp_path: Path) -> None:
    pages = write_reports(tmp_path, 1, QUICK)
    assert len(pages) == len(STUDIES)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "(synthetic cohort)" in text
        assert "Review pictures" not in text and 'class="flow"' not in text
