"""Agreement of readers: which numbers are compared, and that ICC and Bland-Altman see them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spongiosa.statistics.icc import intraclass_correlations
from spongiosa.studies.agreement import agreement, agreement_figure
from spongiosa.studies.readings import Target, mean_of_readers, rater_tables
from spongiosa.synthetic.population import PRESETS, sample_population
from spongiosa.synthetic.population_readers import READING_PLANS, sample_readings

PEDICLE = Target("b", "vBMD B", "mg/cm³", "vbmd_mean_mg_cm3", ("pedicle",), ("L5",))


def readings(patients: int = 20, bias: float = 2.0, trials: tuple[tuple[str, int], ...] = (("A", 1), ("B", 1))):
    rng = np.random.default_rng(8)
    truth = rng.normal(140, 30, patients)
    rows = []
    for number, value in enumerate(truth):
        for side in ("left", "right"):
            for reader, trial in trials:
                shift = bias if reader == "B" else 0.0
                rows.append(
                    {
                        "patient_id": f"P{number:02d}",
                        "session": "preop",
                        "modality": "ct",
                        "reader": reader,
                        "trial": trial,
                        "level": "L5",
                        "region": "pedicle",
                        "side": side,
                        "quantity": "vbmd_mean_mg_cm3",
                        "value": value + shift + rng.normal(0, 3),
                        "software_value": value,
                    }
                )
    return pd.DataFrame(rows)


def names(frame: pd.DataFrame) -> list[str]:
    return sorted(frame["patient_id"].unique())


def test_the_subjects_are_patients_and_beside_them_regions() -> None:
    frame = readings()
    tables = {(table.comparison, table.subject): table.ratings for table in rater_tables(frame, PEDICLE, names(frame))}
    assert tables["inter", "patient"].shape == (20, 2)
    assert tables["inter", "place"].shape == (40, 2)
    expected = frame[frame["reader"] == "B"].groupby("patient_id")["value"].mean()
    assert tables["inter", "patient"]["B"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-12)


def test_the_mean_of_the_readers_meets_the_workflow() -> None:
    frame = readings()
    found = agreement(frame, [PEDICLE], names(frame), "t8", "8", confidence=0.95)
    assert found is not None
    reliability, limits = (table.frame for table in found.tables)
    row = reliability[(reliability["comparison"] == "inter") & (reliability["subject"] == "patient")].iloc[0]
    wide = frame.pivot_table(index="patient_id", columns="reader", values="value")
    expected = intraclass_correlations(wide.to_numpy())
    assert row["icc_a_1_estimate"] == pytest.approx(expected.a_1.estimate, rel=1e-12)
    assert row["icc_a_k_ci_low"] == pytest.approx(expected.a_k.ci_low, rel=1e-12)
    bias = limits[(limits["comparison"] == "workflow") & (limits["subject"] == "patient")]["bias"].iloc[0]
    truth = frame.groupby("patient_id")[["value", "software_value"]].mean()
    assert bias == pytest.approx((truth["value"] - truth["software_value"]).mean(), rel=1e-9)
    drawn, _ = agreement_figure("f", "Readers", found.pairs)
    assert drawn is not None and len(drawn.data) == 20


def test_repeated_trials_are_the_reader_against_himself() -> None:
    frame = readings(trials=(("A", 1), ("A", 2)))
    comparisons = {table.comparison for table in rater_tables(frame, PEDICLE, names(frame))}
    assert comparisons == {"intra", "workflow"}, "one reader cannot be compared with another"


def test_only_patients_of_the_study_count_and_gaps_leave_complete_rows() -> None:
    frame = readings()
    frame = frame.drop(index=frame.index[(frame["patient_id"] == "P00") & (frame["reader"] == "B")])
    inter = rater_tables(frame, PEDICLE, names(frame)[:10])[0]
    assert len(inter.ratings) == 9
    assert agreement(frame, [PEDICLE], ["nobody"], "t8", "8", confidence=0.95) is None
    assert agreement(None, [PEDICLE], names(frame), "t8", "8", confidence=0.95) is None


def test_the_mean_of_readers_is_per_patient_and_level() -> None:
    frame = readings()
    values = mean_of_readers(frame, PEDICLE, names(frame))
    assert values.loc[("P03", "L5")] == pytest.approx(frame[frame["patient_id"] == "P03"]["value"].mean(), rel=1e-12)


@pytest.mark.parametrize(("preset", "place"), [("qct_loosening", 1), ("fracture_3d_hu", 0)])
def test_sampled_readers_have_the_reliability_of_their_plan(preset: str, place: int) -> None:
    """Over 40 cohorts; 0.02: an ICC of 20 patients scatters by about 0.05, its mean over 40 by 0.008, and the readers'
    assumed bias costs 0.001."""
    plan = READING_PLANS[preset][place]
    target = Target("t", "t", "HU", plan.quantity, plan.regions, plan.levels)
    found = []
    for seed in range(40):
        table = sample_population(PRESETS[preset], 120, seed)
        rows = sample_readings(table, (plan,), seed)
        inter = rater_tables(rows, target, names(rows))[0]
        assert (inter.comparison, inter.subject) == ("inter", "patient")
        found.append(intraclass_correlations(inter.ratings.to_numpy()).a_1.estimate)
    assert np.mean(found) == pytest.approx(plan.icc, abs=0.02)
