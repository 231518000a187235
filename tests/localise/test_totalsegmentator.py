"""TotalSegmentator as a backend: what is said when it is not there, and what is done with its label map."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from spongiosa.localise import kept_networks, totalsegmentator
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume, write_volume

ENVS = Path(__file__).resolve().parents[2] / "envs"
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


class Predictor:
    """nnU-Net's predictor as far as it is used: loading sets attributes, prediction reads them."""

    loads: ClassVar[list[str]] = []

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.network: str | None = None

    def initialize_from_trained_model_folder(self, folder: str, use_folds: Any, checkpoint_name: str) -> None:
        self.loads.append(folder)
        self.network = f"network of {folder}"

    def predict_from_files(self, source: str, target: str, **_: Any) -> str:
        raise AssertionError("this one spawns workers, which would run the stage script again")

    def predict_from_files_sequential(self, source: str, target: str, save_probabilities: bool, overwrite: bool) -> str:
        return f"{self.network}: {source} to {target}"


@pytest.fixture
def fake_package(monkeypatch, installed) -> dict[str, ModuleType]:
    """TotalSegmentator's modules as far as they are used, and a torch that takes the number of threads."""
    threads: list[int] = []
    modules = {name: ModuleType(name) for name in ("totalsegmentator", "torch")}
    for name, content in {
        "config": {"setup_nnunet": lambda: None},
        "python_api": {
            "download_pretrained_weights": lambda number: pytest.fail("a download"),
            "totalsegmentator": len,
        },
        "nnunet": {"nnUNetPredictor": Predictor},
    }.items():
        modules[f"totalsegmentator.{name}"] = ModuleType(f"totalsegmentator.{name}")
        vars(modules[f"totalsegmentator.{name}"]).update(content)
    vars(modules["torch"]).update(set_num_threads=threads.append, threads=threads)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(kept_networks, "_LOADED", {})
    monkeypatch.setattr(Predictor, "loads", [])
    return modules


def test_a_network_is_read_once_for_all_scans_of_a_unit(fake_package, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for scan in ("first", "second"):
        totalsegmentator._interface()
        for folder in ("coarse", "fine"):
            predictor = fake_package["totalsegmentator.nnunet"].nnUNetPredictor()
            predictor.initialize_from_trained_model_folder(folder, use_folds=None, checkpoint_name="final")
            said = predictor.predict_from_files(scan, "there", num_processes_preprocessing=3, part_id=0)
            assert said == f"network of {folder}: {scan} to there"
    assert Predictor.loads == ["coarse", "fine"]
    assert set(fake_package["torch"].threads) == {3}


def test_nothing_is_downloaded_and_a_model_that_vertebrae_need_is_missed_by_name(fake_package, installed):
    totalsegmentator._interface()
    download = fake_package["totalsegmentator.python_api"].download_pretrained_weights
    download(291)  # organs: asked for, and not used for vertebrae
    with pytest.raises(Excluded) as missing:
        download(292)
    assert missing.value.reason is Reason.WEIGHTS_MISSING
    put_model(installed, totalsegmentator.NEEDED_MODELS[292])
    download(292)


def test_a_tool_that_ends_its_process_fails_one_scan_and_not_the_unit(monkeypatch):
    def stop(*_: Any, **__: Any) -> None:
        sys.exit(1)

    monkeypatch.setattr(totalsegmentator, "_interface", lambda: stop)
    with pytest.raises(RuntimeError, match="ended with 1"):
        totalsegmentator._segment(Path("scan"), Path("labels"), task="total")


def test_the_optional_environment_names_the_versions_of_its_lock_and_of_ours():
    spec = importlib.util.spec_from_file_location("write_conda", ENVS / "write_conda.py")
    assert spec is not None and spec.loader is not None
    write_conda = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write_conda)
    written = (ENVS / "totalsegmentator.yaml").read_text(encoding="utf-8")
    assert written == write_conda.totalsegmentator_environment(), "run `make lock`"
    ours, theirs = write_conda.locked_versions(), write_conda.locked_versions("totalsegmentator.lock")
    assert {name: theirs[name] for name in ours.keys() & theirs.keys()} == {
        name: ours[name] for name in ours.keys() & theirs.keys()
    }
    wanted = re.search(r"^TotalSegmentator==(\S+)$", (ENVS / "totalsegmentator.in").read_text("utf-8"), re.MULTILINE)
    assert wanted is not None and theirs["totalsegmentator"] == wanted[1]
    assert f"- totalsegmentator=={wanted[1]}\n" in written
    lock = (ENVS / "totalsegmentator.lock").read_text(encoding="utf-8")
    assert "://" not in lock and lock.count("--hash=sha256:") >= len(theirs)
