"""The flow counts each patient exactly once."""

from __future__ import annotations

import pandas as pd

from spongiosa.report.flow import patient_flow, patient_outcomes


def scans(*rows: tuple[str, str, str, str | None, str | None]) -> pd.DataFrame:
    columns = ["patient_id", "session", "status", "stage", "reason"]
    return pd.DataFrame(rows, columns=columns).assign(modality="ct")


def test_a_patient_with_one_usable_scan_is_measured() -> None:
    flow = patient_flow(
        scans(("A", "preop", "excluded", "index_series", "no_dicom"), ("A", "postop", "ok", None, None))
    )
    assert (flow.in_manifest, flow.scans, flow.measured, flow.excluded, flow.failed) == (1, 2, 1, 0, 0)
    assert flow.steps == ()


def test_a_patient_without_usable_scan_leaves_where_the_furthest_scan_left() -> None:
    outcomes = patient_outcomes(
        scans(
            ("A", "preop", "excluded", "index_series", "no_dicom"),
            ("A", "postop", "excluded", "localise_vertebrae", "no_spine"),
        )
    )
    assert outcomes["stage"].tolist() == ["localise_vertebrae"]


def test_an_error_outweighs_an_exclusion_and_is_counted_apart() -> None:
    flow = patient_flow(
        scans(
            ("A", "preop", "failed", "mask_regions", "unexpected_error"),
            ("A", "postop", "excluded", "extract_density", "no_spine"),
            ("B", "preop", "ok", None, None),
        )
    )
    assert (flow.measured, flow.excluded, flow.failed) == (1, 0, 1)
    assert [(step.stage, step.failed, step.excluded) for step in flow.steps] == [("mask_regions", 1, 0)]


def test_what_remains_after_the_last_step_is_what_was_measured() -> None:
    rows = [
        *((f"X{n}", "preop", "excluded", "index_series", "localizer_only") for n in range(3)),
        *((f"Y{n}", "preop", "excluded", "index_series", "no_dicom") for n in range(2)),
        *((f"Z{n}", "preop", "excluded", "review", "review_excluded") for n in range(4)),
        *((f"M{n}", "preop", "ok", None, None) for n in range(6)),
    ]
    flow = patient_flow(scans(*rows))
    assert [step.remaining for step in flow.steps] == [10, 6]
    assert flow.steps[0].departures[0].patients == 3
    assert flow.steps[0].departures[0].sentence == "The input holds only localizer (scout) images."
    assert flow.in_manifest == flow.measured + flow.excluded + flow.failed == 15
    assert sum(d.patients for step in flow.steps for d in step.departures) == flow.excluded


def test_a_stage_that_is_not_known_still_counts_its_patients() -> None:
    flow = patient_flow(scans(("A", "preop", "excluded", "a_later_stage", "no_spine")))
    assert flow.steps[0].remaining == 0 and flow.excluded == 1
