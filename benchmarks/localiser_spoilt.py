"""Label maps spoilt in many ways: what becomes of each; prints the table of docs/localiser.md.

    python benchmarks/localiser_spoilt.py

The map is the truth of a synthetic patient, the scan his CT; the embedded localiser gives the second opinion.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from localiser_cohort import as_volume
from numpy.typing import NDArray
from scipy import ndimage

from spongiosa.anatomy.levels import Level, level_name
from spongiosa.localise.imported import import_labels
from spongiosa.localise.second_opinion import second_opinion, with_second_opinion
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct
from spongiosa.volume import Volume, write_volume

Labels = NDArray[np.uint8]
#: The patient lies 3 mm beside the middle of the field of view, as nobody lies exactly in it.
SCANNER = ScannerParameters(
    rows=256,
    columns=256,
    pixel_spacing_mm=1.3,
    slice_thickness_mm=3.0,
    slice_spacing_mm=3.0,
    cranial_level="T12",
    off_centre_mm=(3.0, 0.0),
)
SAMPLING_MM = (3.0, 1.3, 1.3)


def _renamed(table: dict[int, int]) -> Callable[[Labels], Labels]:
    lookup = np.arange(256, dtype=np.uint8)
    for old, new in table.items():
        lookup[old] = new
    return lambda labels: lookup[labels]


def _mixed(labels: Labels) -> Labels:
    """The lower half of L2 belongs to L3."""
    mixed = labels.copy()
    slices = np.flatnonzero((labels == Level.L2).any(axis=(1, 2)))
    lower = slices[: len(slices) // 2]
    mixed[lower] = np.where(labels[lower] == Level.L2, Level.L3, labels[lower])
    return mixed


def _strays(labels: Labels) -> Labels:
    """Some hundred stray voxels of L4 in the abdomen."""
    spoilt = labels.copy()
    spoilt[10:14, 60:70, 60:70] = Level.L4
    return spoilt


def _holes(labels: Labels) -> Labels:
    """A tenth of the voxels is missing."""
    return np.where(np.random.default_rng(1).random(labels.shape) < 0.1, 0, labels).astype(np.uint8)


def _stripes(labels: Labels) -> Labels:
    broken = labels.copy()
    broken[:, :, ::3] = 0
    broken[:, ::3] = 0
    return broken


def _left_half(labels: Labels) -> Labels:
    half = labels.copy()
    half[:, :, : labels.shape[2] // 2] = 0
    return half


def _grown(labels: Labels) -> Labels:
    distance, nearest = ndimage.distance_transform_edt(labels == 0, sampling=SAMPLING_MM, return_indices=True)
    return np.where(distance < 6.0, labels[tuple(nearest)], 0).astype(np.uint8)


def _mirrored_in_place(labels: Labels) -> Labels:
    """Left and right exchanged about the middle of the map itself."""
    present = np.flatnonzero((labels > 0).any(axis=(0, 1)))
    mirrored = np.zeros_like(labels)
    mirrored[:, :, present[0] : present[-1] + 1] = labels[:, :, present[0] : present[-1] + 1][:, :, ::-1]
    return mirrored


def _eroded(labels: Labels) -> Labels:
    return np.where(ndimage.distance_transform_edt(labels > 0, sampling=SAMPLING_MM) > 4.0, labels, 0).astype(np.uint8)


SPOILT: dict[str, Callable[[Labels], Labels]] = {
    "sound": lambda labels: labels,
    "half of L2 called L3": _mixed,
    "stray voxels far away": _strays,
    "a tenth of the voxels missing": _holes,
    "striped with gaps": _stripes,
    "every level one too high": _renamed({19: 18, 20: 19, 21: 20, 22: 21, 23: 22, 24: 23, 26: 0}),
    "head and feet exchanged": lambda labels: labels[::-1],
    "front and back exchanged": lambda labels: labels[:, ::-1],
    "left and right exchanged": lambda labels: labels[:, :, ::-1],
    "left and right exchanged in place": _mirrored_in_place,
    "18 mm to the side": lambda labels: np.roll(labels, 14, axis=2),
    "15 mm down": lambda labels: np.roll(labels, -5, axis=0),
    "left half only": _left_half,
    "L3 to L5 called L4 to L6": _renamed({22: 23, 23: 24, 24: 25}),
    "L3 called L2": _renamed({22: 21}),
    "grown by 6 mm": _grown,
    "shrunk by 4 mm": _eroded,
}


def outcome(scan: Volume, labels: Labels, truth: Labels, opinion: LocalisedSpine) -> tuple[str, str]:
    """What became of a map, and the least Dice of its complete vertebrae with the truth."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.nii.gz"
        write_volume(Volume(np.ascontiguousarray(labels), scan.geometry), path)
        try:
            spine = with_second_opinion(scan, import_labels(scan, path, label_scheme="verse"), opinion)
        except Excluded as refusal:
            return f"refused: {refusal.reason}", "-"
    flags = {flag for vertebra in spine.description.vertebrae if not vertebra.is_truncated for flag in vertebra.flags}
    dice = []
    for vertebra in spine.description.vertebrae:
        if not vertebra.is_truncated and vertebra.label != Level.S1:
            mask, true = spine.vertebrae.voxels == vertebra.label, truth == vertebra.label
            dice.append((2.0 * (mask & true).sum() / max(mask.sum() + true.sum(), 1), level_name(vertebra.label)))
    least = min(dice)
    confidence = min(vertebra.confidence for vertebra in spine.description.vertebrae if not vertebra.is_truncated)
    said = ", ".join(sorted(flags | set(spine.description.flags)))
    repaired = spine.description.gates.get("repaired")
    kind = "repaired" if repaired or flags & {"holes_filled", "porous"} else "flagged" if said else "accepted"
    return f"{kind}: {said} ({confidence:.2f})", f"{least[0]:.3f} ({least[1]})"


def main() -> None:
    """Print the table."""
    rendered = render_ct(build_patient(PatientParameters(), seed=5), SCANNER, seed=5)
    scan, truth = as_volume(rendered.ct), np.asarray(rendered.vertebrae.voxels)
    opinion = second_opinion(scan)
    mirrored = _mirrored_in_place(truth)
    differs = (mirrored > 0) & (ndimage.maximum_filter(truth, size=3) == 0)
    print(f"The map mirrored in place differs by more than a voxel in {differs.sum()} voxels.\n")
    if not isinstance(opinion, LocalisedSpine):
        raise SystemExit(f"no second opinion: {opinion}")
    print("| map | outcome (confidence) | least Dice with the truth afterwards |\n|---|---|---|")
    for name, spoil in SPOILT.items():
        print("| " + " | ".join((name, *outcome(scan, spoil(truth), truth, opinion))) + " |", flush=True)


if __name__ == "__main__":
    main()
