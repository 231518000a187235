"""Label maps spoilt in many ways: what becomes of each; prints the table of docs/localiser.md.

    python benchmarks/localiser_spoilt.py

The map is the truth of a synthetic patient, the scan his CT; the embedded localiser gives the second opinion.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from localiser_cohort import as_volume
from scipy import ndimage

from spongiosa.anatomy.levels import Level, level_name
from spongiosa.localise.imported import import_labels
from spongiosa.localise.second_opinion import second_opinion, with_second_opinion
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded
from spongiosa.synthetic import spoilt_labels
from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct
from spongiosa.synthetic.spoilt_labels import Labels, Spoiler
from spongiosa.volume import Volume, write_volume

SPOILT: dict[str, Spoiler] = {
    "sound": spoilt_labels.sound,
    "half of L2 called L3": spoilt_labels.neighbours_mixed,
    "stray voxels far away": spoilt_labels.with_strays,
    "a tenth of the voxels missing": spoilt_labels.porous,
    "striped with gaps": spoilt_labels.in_stripes,
    "every level one too high": spoilt_labels.one_level_too_high,
    "head and feet exchanged": spoilt_labels.head_to_feet,
    "front and back exchanged": spoilt_labels.front_to_back,
    "left and right exchanged": spoilt_labels.left_to_right,
    "left and right exchanged in place": spoilt_labels.left_to_right_in_place,
    "18 mm to the side": spoilt_labels.moved_sideways,
    "15 mm down": spoilt_labels.moved_down,
    "left half only": spoilt_labels.left_half_only,
    "L3 to L5 called L4 to L6": spoilt_labels.a_level_skipped,
    "L3 called L2": spoilt_labels.a_level_twice,
    "grown by 6 mm": spoilt_labels.swollen,
    "shrunk by 4 mm": spoilt_labels.eroded,
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
    rendered = render_ct(build_patient(PatientParameters(), seed=5), spoilt_labels.SCANNER, seed=5)
    scan, truth = as_volume(rendered.ct), np.asarray(rendered.vertebrae.voxels)
    opinion = second_opinion(scan)
    mirrored = spoilt_labels.left_to_right_in_place(truth)
    differs = (mirrored > 0) & (ndimage.maximum_filter(truth, size=3) == 0)
    print(f"The map mirrored in place differs by more than a voxel in {differs.sum()} voxels.\n")
    if not isinstance(opinion, LocalisedSpine):
        raise SystemExit(f"no second opinion: {opinion}")
    print("| map | outcome (confidence) | least Dice with the truth afterwards |\n|---|---|---|")
    for name, spoil in SPOILT.items():
        print("| " + " | ".join((name, *outcome(scan, spoil(truth), truth, opinion))) + " |", flush=True)


if __name__ == "__main__":
    main()
