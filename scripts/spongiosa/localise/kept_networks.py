"""Networks of TotalSegmentator that are read once per process and work in this process alone."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

#: What loading a trained model folder set on a predictor, by folder, folds, checkpoint and device.
_LOADED: dict[tuple[str, ...], dict[str, Any]] = {}


def keeping_networks(predictor: type) -> type:
    """A subclass of nnU-Net's predictor that reads each trained network once per process, and starts no others.

    TotalSegmentator makes a predictor for every image and reads the checkpoint anew; the scans of a unit share a
    process, and so what was read for the first of them.  The workers that nnU-Net spawns to prepare and to write images
    would run the main module again, which under Snakemake is the stage script itself; with one image at a time they
    save nothing, so that everything runs here, with the threads that the job was given.
    """

    def load(self: Any, folder: str, use_folds: Any, checkpoint_name: str = "checkpoint_final.pth") -> None:
        key = (str(folder), str(use_folds), checkpoint_name, str(self.device))
        if key not in _LOADED:
            before = dict(vars(self))
            predictor.initialize_from_trained_model_folder(self, folder, use_folds, checkpoint_name)  # type: ignore[attr-defined]
            _LOADED[key] = {name: value for name, value in vars(self).items() if before.get(name) is not value}
        vars(self).update(_LOADED[key])

    def predict(self: Any, source: str, target: str, *, save_probabilities: bool = False, **_: Any) -> Any:
        _limit_threads()
        return self.predict_from_files_sequential(source, target, save_probabilities, overwrite=True)

    methods = {"initialize_from_trained_model_folder": load, "predict_from_files": predict}
    return type("KeptPredictor", (predictor,), methods)


def _limit_threads() -> None:
    """As many threads as the job has; TotalSegmentator itself asks for all cores of the machine."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))))


def models_present(weights: Path, number: int) -> bool:
    """Whether a model with a trained network lies in the folder; its full name differs between versions."""
    return any(next(folder.rglob("checkpoint_final.pth"), None) for folder in weights.glob(f"Dataset{number}_*"))
