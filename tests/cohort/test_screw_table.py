"""Outcomes of single screws: every fault with its row and column, and the bone around each screw."""

import pandas as pd
import pytest

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.screw_table import join_screws, read_screws


def written(tmp_path, text):
    path = tmp_path / "screws.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_screws_are_read_with_short_sides_and_optional_columns(tmp_path):
    path = written(tmp_path, "patient_id,level,side,loosening,screw_length_mm\nP1,l5,R,yes,45\nP1,L5,l,0,\n")
    screws = read_screws(path, {"P1"})
    assert screws[["level", "side"]].to_numpy().tolist() == [["L5", "left"], ["L5", "right"]]
    assert screws["loosening"].tolist() == [False, True]
    assert screws["screw_length_mm"].isna().tolist() == [True, False]


def test_all_faults_come_at_once_with_their_rows_and_columns(tmp_path):
    rows = ["P9,L5,left,yes,6", "P1,LWK5,left,yes,6", "P1,L5,both,yes,6", "P1,L5,left,perhaps,6", "P1,L5,left,,6"]
    rows += ["P1,L5,right,no,65", "P1,S1,left,no,6", "P1,S1,left,no,6"]
    text = "patient_id,level,side,loosening,screw_diameter_mm\n" + "\n".join(rows) + "\n"
    with pytest.raises(InputFaults) as refused:
        read_screws(written(tmp_path, text), {"P1"})
    found = [(fault.row, fault.column) for fault in refused.value.faults]
    columns = ["patient_id", "level", "side", "loosening", "loosening", "screw_diameter_mm", None, "side"]
    assert found == [(row, column) for row, column in enumerate(columns, start=2) if column]


def test_each_screw_has_the_bone_of_its_own_side(tmp_path):
    screws = read_screws(written(tmp_path, "patient_id,level,side,loosening\nP1,L5,left,1\nP1,L4,left,0\n"), {"P1"})

    def measured(region, side, vbmd, status="ok"):
        scan = {"patient_id": "P1", "session": "preop", "modality": "ct", "variant": "default", "status": status}
        return scan | {"level": "L5", "region": region, "side": side, "hu_mean": 2 * vbmd, "vbmd_mean_mg_cm3": vbmd}

    measurements = pd.DataFrame(
        [
            measured("body_central", "none", 90.0),
            measured("pedicle", "left", 140.0),
            measured("pedicle", "right", 150.0),
            measured("trajectory", "left", 120.0, "excluded"),
        ]
    )
    joined = join_screws(screws, measurements, "preop").set_index("level")
    assert joined.loc["L5", "pedicle_vbmd_mg_cm3"] == 140.0
    assert joined.loc["L5", "body_hu"] == 180.0
    assert pd.isna(joined.loc["L5", "trajectory_vbmd_mg_cm3"]), "an excluded value is no value"
    assert pd.isna(joined.loc["L4", "pedicle_vbmd_mg_cm3"])
