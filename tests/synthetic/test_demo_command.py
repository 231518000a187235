"""The command line of the synthetic patient."""

from __future__ import annotations

import pandas as pd
import pytest

from spongiosa.synthetic.__main__ import main
from spongiosa.synthetic.population import PRESETS, as_recorded, sample_population


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_sampled_table_is_written_at_the_study_s_own_size(suffix, tmp_path):
    path = tmp_path / f"table.{suffix}"
    assert main(["sample", "--preset", "qct_loosening", "--seed", "4", "--output", str(path)]) == 0
    found = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    expected = as_recorded(sample_population(PRESETS["qct_loosening"], 186, seed=4))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_a_table_in_an_unknown_format_is_refused(tmp_path, capsys):
    assert main(["sample", "--preset", "demo", "--output", str(tmp_path / "table.docx")]) == 2
    assert "must end in .csv or .parquet" in capsys.readouterr().out


def test_the_printed_figures_are_listed_beside_the_sampled_ones(capsys):
    assert main(["figures", "--cohorts", "2"]) == 0
    text = capsys.readouterr().out
    assert "AUC of trajectory vBMD" in text
    assert "0.736" in text
