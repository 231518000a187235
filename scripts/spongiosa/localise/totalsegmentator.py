"""TotalSegmentator as the localiser, where a site has installed it with its weights."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from spongiosa.localise.imported import import_labels
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume, write_volume

#: The variable from which TotalSegmentator itself reads where its weights lie.
WEIGHTS_VARIABLE = "TOTALSEG_WEIGHTS_PATH"
#: Models that the task `total` needs for vertebrae: the coarse one for cropping, and the one for vertebrae.
NEEDED_MODELS = {
    298: "Dataset298_TotalSegmentator_total_6mm_1559subj",
    292: "Dataset292_TotalSegmentator_part2_vertebrae_1532subj",
}
#: Falls back to the CPU by itself where no GPU is.
DEVICE = "gpu"
#: The model of the task `vertebrae_body`, used where present (its licence asks for a number).
BODY_MODEL = 302
VERTEBRAE = [f"vertebrae_{name}" for name in (*(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)), "S1")]


def localise_with_totalsegmentator(scan: Volume) -> LocalisedSpine:
    """Vertebrae by TotalSegmentator's Python interface, bodies by its own body task or by the pedicle cut.

    Nothing is downloaded and no usage statistics are sent: the weights must lie in the folder that the environment
    variable TOTALSEG_WEIGHTS_PATH names.  Each call has a home of its own, so that jobs do not share a file.
    Raises `Excluded(WEIGHTS_MISSING)`, and what the import of its label map raises.
    """
    weights = _checked_weights()
    with tempfile.TemporaryDirectory(prefix="totalsegmentator-") as folder, _own_home(Path(folder), weights):
        source = Path(folder) / "scan.nii.gz"
        write_volume(scan, source)
        run = _interface()
        labels = Path(folder) / "vertebrae.nii.gz"
        run(source, labels, ml=True, task="total", roi_subset=VERTEBRAE, device=DEVICE, quiet=True)
        bodies = None
        if _models_present(weights, BODY_MODEL):
            bodies = Path(folder) / "bodies.nii.gz"
            run(source, bodies, ml=True, task="vertebrae_body", device=DEVICE, quiet=True)
        spine = import_labels(scan, labels, bodies, "totalsegmentator")
    return replace(spine, description=replace(spine.description, method="totalsegmentator"))


def _checked_weights() -> Path:
    """The folder of the weights.  Raises `Excluded(WEIGHTS_MISSING)` with what is missing and where it belongs."""
    if importlib.util.find_spec("totalsegmentator") is None:
        raise Excluded(
            Reason.WEIGHTS_MISSING,
            "TotalSegmentator is not installed in this environment; use `localise.method: embedded`, or install it.",
        )
    named = os.environ.get(WEIGHTS_VARIABLE)
    if not named:
        raise Excluded(
            Reason.WEIGHTS_MISSING,
            f"The environment variable {WEIGHTS_VARIABLE} does not name the folder of TotalSegmentator's weights.",
        )
    for number, name in NEEDED_MODELS.items():
        if not _models_present(Path(named), number):
            raise Excluded(
                Reason.WEIGHTS_MISSING,
                f"The weights of TotalSegmentator are incomplete: the folder {name} belongs into the one that "
                f"{WEIGHTS_VARIABLE} names.",
            )
    return Path(named)


def _models_present(weights: Path, number: int) -> bool:
    """Whether a model with a trained network lies in the folder; its full name differs between versions."""
    return any(next(folder.rglob("checkpoint_final.pth"), None) for folder in weights.glob(f"Dataset{number}_*"))


@contextmanager
def _own_home(folder: Path, weights: Path) -> Iterator[None]:
    """Point TotalSegmentator to a home of this call, with usage statistics off."""
    home = folder / "home"
    home.mkdir()
    configuration = {
        "totalseg_id": "totalseg_offline",
        "send_usage_stats": False,
        "prediction_counter": 0,
        "statistics_disclaimer_shown": True,
    }
    (home / "config.json").write_text(json.dumps(configuration), encoding="utf-8")
    before = {name: os.environ.get(name) for name in ("TOTALSEG_HOME_DIR", WEIGHTS_VARIABLE)}
    os.environ.update({"TOTALSEG_HOME_DIR": str(home), WEIGHTS_VARIABLE: str(weights)})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _interface() -> Any:
    return importlib.import_module("totalsegmentator.python_api").totalsegmentator
