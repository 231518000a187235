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
from spongiosa.localise.kept_networks import keeping_networks, models_present
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume, write_volume

#: The variable from which TotalSegmentator itself reads where its weights lie.
WEIGHTS_VARIABLE = "TOTALSEG_WEIGHTS_PATH"
#: Models that the task `total` needs for vertebrae: the coarse one for cropping, and the one for vertebrae.  It asks
#: for its four other parts as well, and never uses them when only vertebrae are wanted.
NEEDED_MODELS = {
    298: "Dataset298_TotalSegmentator_total_6mm_1559subj",
    292: "Dataset292_TotalSegmentator_part2_vertebrae_1532subj",
}
#: Falls back to the CPU by itself where no GPU is.
DEVICE = "gpu"
#: The model of the task `vertebrae_body`, used where present (`Dataset305_vertebrae_discs_1559subj`).
BODY_MODEL = 305
VERTEBRAE = [f"vertebrae_{name}" for name in (*(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)), "S1")]


def localise_with_totalsegmentator(scan: Volume) -> LocalisedSpine:
    """Vertebrae by TotalSegmentator's Python interface, bodies by its own body task or by the pedicle cut.

    Nothing is downloaded and no usage statistics are sent: the weights must lie in the folder that the environment
    variable TOTALSEG_WEIGHTS_PATH names.  Each call has a home of its own, so that jobs do not share a file; the
    networks are read once per process.
    Raises `Excluded(WEIGHTS_MISSING)`, and what the import of its label map raises.
    """
    weights = _checked_weights()
    with tempfile.TemporaryDirectory(prefix="totalsegmentator-") as folder, _own_home(Path(folder), weights):
        source = Path(folder) / "scan.nii.gz"
        write_volume(scan, source)
        labels = Path(folder) / "vertebrae.nii.gz"
        _segment(source, labels, task="total", roi_subset=VERTEBRAE)
        bodies = None
        if models_present(weights, BODY_MODEL):
            bodies = Path(folder) / "bodies.nii.gz"
            _segment(source, bodies, task="vertebrae_body")
        spine = import_labels(scan, labels, bodies, "totalsegmentator")
    return replace(spine, description=replace(spine.description, method="totalsegmentator"))


def _segment(source: Path, output: Path, **task: Any) -> None:
    """One task on one image; a refusal of the tool, which ends its process, is an error of this scan alone."""
    try:
        _interface()(source, output, ml=True, device=DEVICE, quiet=True, **task)
    except SystemExit as stop:
        raise RuntimeError(f"TotalSegmentator ended with {stop.code!r}") from stop


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
        if not models_present(Path(named), number):
            raise _missing(name)
    return Path(named)


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


def _missing(model: str) -> Excluded:
    return Excluded(
        Reason.WEIGHTS_MISSING,
        f"The weights of TotalSegmentator are incomplete: {model}/<trainer>/fold_0/checkpoint_final.pth belongs into "
        f"the folder that {WEIGHTS_VARIABLE} names.",
    )


def _interface() -> Any:
    """TotalSegmentator's function, which from now on neither downloads nor deletes weights and keeps its networks."""
    importlib.import_module("totalsegmentator.config").setup_nnunet()  # nnU-Net reads where its models lie on import
    api: Any = importlib.import_module("totalsegmentator.python_api")
    networks: Any = importlib.import_module("totalsegmentator.nnunet")
    if api.download_pretrained_weights is not _never_download:
        api.download_pretrained_weights = _never_download
        networks.nnUNetPredictor = keeping_networks(networks.nnUNetPredictor)
    return api.totalsegmentator


def _never_download(number: int) -> None:
    """In the place of TotalSegmentator's download, which fetches what is missing and removes what is old.

    Raises `Excluded(WEIGHTS_MISSING)` for a model that vertebrae need.
    """
    is_needed = number in NEEDED_MODELS or number == BODY_MODEL
    if is_needed and not models_present(Path(os.environ[WEIGHTS_VARIABLE]), number):
        raise _missing(NEEDED_MODELS.get(number, f"Dataset{number}_vertebrae_discs_1559subj"))
