"""TotalSegmentator as a backend: what is said when it is not there, and what is done with its label map."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from spongiosa.localise import totalsegmentator
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume, write_volume

TO_TOTALSEGMENTATOR = {19: 32, 20: 31, 21: 30, 22: 29, 23: 28}


def refusal(scan: Volume) -> Excluded:
    with pytest.raises(Excluded) as caught:
        totalsegmentator.localise_with_totalsegmentator(scan)
    assert caught.value.reason is Reason.WEIGHTS_MISSING
    return caught.value


@pytest.fixture
def installed(monkeypatch, tmp_path) -> Path:
    """An environment in which TotalSegmentator can be imported, with an empty folder for weights."""
    monkeypatch.setattr(totalsegmentator.importlib.util, "find_spec", lambda name: object())
    weights = tmp_path / "weights"
    weights.mkdir()
    monkeypatch.setenv(totalsegmentator.WEIGHTS_VARIABLE, str(weights))
    return weights


def put_model(weights: Path, name: str) -> None:
    (weights / name / "fold_0").mkdir(parents=True)
    (weights / name / "fold_0" / "checkpoint_final.pth").write_bytes(b"")


def test_an_environment_without_the_tool_is_told_so(lumbar_column, monkeypatch):
    monkeypatch.setattr(totalsegmentator.importlib.util, "find_spec", lambda name: None)
    assert "not installed" in refusal(lumbar_column.scan).detail


def test_a_missing_weights_folder_is_named_by_its_variable(lumbar_column, installed, monkeypatch):
    monkeypatch.delenv(totalsegmentator.WEIGHTS_VARIABLE)
    assert totalsegmentator.WEIGHTS_VARIABLE in refusal(lumbar_column.scan).detail


def test_a_missing_model_is_named_with_the_place_where_it_belongs(lumbar_column, installed):
    put_model(installed, totalsegmentator.NEEDED_MODELS[298])
    detail = refusal(lumbar_column.scan).detail
    assert totalsegmentator.NEEDED_MODELS[292] in detail
    assert str(installed) not in detail  # a path of the site does not reach a table


def test_its_label_map_is_imported_in_a_home_of_its_own_without_usage_statistics(lumbar_column, installed, monkeypatch):
    for name in totalsegmentator.NEEDED_MODELS.values():
        put_model(installed, name)
    homes = []

    def run(source: Path, output: Path, **arguments: object) -> None:
        home = Path(os.environ["TOTALSEG_HOME_DIR"])
        homes.append(home)
        assert json.loads((home / "config.json").read_text())["send_usage_stats"] is False
        assert arguments["task"] == "total" and "vertebrae_L3" in arguments["roi_subset"]
        table = np.zeros(256, dtype=np.uint8)
        for ours, theirs in TO_TOTALSEGMENTATOR.items():
            table[ours] = theirs
        write_volume(Volume(table[lumbar_column.vertebrae.voxels], lumbar_column.vertebrae.geometry), output)

    monkeypatch.setattr(totalsegmentator, "_interface", lambda: run)
    monkeypatch.delenv("TOTALSEG_HOME_DIR", raising=False)
    spine = totalsegmentator.localise_with_totalsegmentator(lumbar_column.scan)
    assert spine.description.method == "totalsegmentator"
    assert [vertebra.level for vertebra in spine.description.vertebrae] == ["T12", "L1", "L2", "L3", "L4"]
    assert "TOTALSEG_HOME_DIR" not in os.environ
    assert not homes[0].exists()
