"""Spoiled label maps: none passes unnoticed beside the embedded localiser."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from spongiosa.localise.imported import import_labels
from spongiosa.localise.placement import best_place
from spongiosa.localise.second_opinion import second_opinion, with_second_opinion
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded, Reason
from spongiosa.synthetic import spoilt_labels
from spongiosa.synthetic.parameters import PatientParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct
from spongiosa.synthetic.spoilt_labels import Spoiler
from spongiosa.volume import Geometry, Volume


@pytest.fixture(scope="module")
def scanned() -> tuple[Volume, Volume]:
    """A scan and its true label map; the patient lies 3 mm beside the middle of the field of view."""
    rendered = render_ct(build_patient(PatientParameters(), seed=5), spoilt_labels.SCANNER, seed=5)
    image = rendered.ct
    geometry = Geometry(image.voxels.shape, image.spacing_mm, image.origin_mm, image.direction)
    return Volume(image.voxels, geometry), Volume(rendered.vertebrae.voxels, geometry)


@pytest.fixture(scope="module")
def opinion(scanned) -> LocalisedSpine:
    spine = second_opinion(scanned[0])
    assert isinstance(spine, LocalisedSpine)
    return spine


#: What becomes of a spoilt map: refused with a reason, or (None) delivered with a flag.
SPOILT: dict[Spoiler, Reason | None] = {
    spoilt_labels.one_level_too_high: None,
    spoilt_labels.front_to_back: Reason.LABELS_OFF_GRID,
    spoilt_labels.head_to_feet: Reason.LABELS_IMPLAUSIBLE,
    spoilt_labels.left_to_right: Reason.LABELS_OFF_GRID,
    spoilt_labels.neighbours_mixed: None,
    spoilt_labels.left_half_only: None,
    spoilt_labels.in_stripes: None,
    spoilt_labels.moved_sideways: Reason.LABELS_OFF_GRID,
    spoilt_labels.moved_down: Reason.LABELS_OFF_GRID,
    spoilt_labels.a_level_skipped: None,
    spoilt_labels.a_level_twice: Reason.LABELS_IMPLAUSIBLE,
    spoilt_labels.swollen: None,
    spoilt_labels.eroded: Reason.LABELS_OFF_GRID,
}


def imported(scanned, labels: np.ndarray, saved, opinion) -> LocalisedSpine:
    path = saved(Volume(np.ascontiguousarray(labels).astype(np.uint8), scanned[1].geometry), "labels.nii.gz")
    return with_second_opinion(scanned[0], import_labels(scanned[0], path, label_scheme="verse"), opinion)


def is_noticed(spine: LocalisedSpine) -> bool:
    """A flag on the scan, or on a vertebra that is in view as a whole."""
    return bool(spine.description.flags) or any(
        vertebra.flags for vertebra in spine.description.vertebrae if not vertebra.is_truncated
    )


def test_a_sound_map_agrees_and_carries_no_flag(scanned, saved, opinion):
    """0.8: the pedicle cut and the found surface each miss a voxel of 1.3 x 1.3 x 3 mm here and there."""
    spine = imported(scanned, scanned[1].voxels, saved, opinion)
    assert not is_noticed(spine)
    assert spine.description.gates["second_opinion"] == "ok"
    assert spine.description.gates["second_opinion_dice"] > 0.8


@pytest.mark.parametrize(("spoil", "reason"), SPOILT.items())
def test_a_spoilt_map_is_refused_or_flagged(scanned, saved, opinion, spoil, reason):
    try:
        spine = imported(scanned, spoil(scanned[1].voxels), saved, opinion)
    except Excluded as refusal:
        assert refusal.reason is reason
    else:
        assert reason is None
        assert is_noticed(spine)
        assert spine.description.confidence < 0.9


def test_without_a_second_opinion_a_moved_map_is_flagged_by_the_image_alone(scanned, saved):
    for spoil, flag in (
        (spoilt_labels.moved_down, "fits_better_moved"),
        (spoilt_labels.left_to_right, "fits_better_mirrored"),
    ):
        spine = imported(scanned, spoil(scanned[1].voxels), saved, Reason.LOW_CONFIDENCE)
        assert flag in spine.description.flags
        assert spine.description.confidence <= 0.6


def test_a_map_one_level_off_is_a_conflict_that_asks_for_a_reader(scanned, saved, opinion):
    spine = imported(scanned, spoilt_labels.one_level_too_high(scanned[1].voxels), saved, opinion)
    assert "second_opinion_other_level" in spine.description.flags
    assert all(vertebra.confidence <= 0.6 for vertebra in spine.description.vertebrae)


def test_the_map_of_another_patient_is_noticed(scanned, saved, opinion):
    """The same anatomy 90 mm aside, as from a scan with another origin."""
    geometry = replace(scanned[1].geometry, origin_mm=tuple(v + 90.0 for v in scanned[1].geometry.origin_mm))
    path = saved(Volume(scanned[1].voxels, geometry), "other.nii.gz")
    with pytest.raises(Excluded) as refusal:
        import_labels(scanned[0], path, label_scheme="verse")
    assert refusal.value.reason is Reason.LABELS_OFF_GRID


def test_a_second_opinion_that_says_nothing_is_recorded_with_its_reason(scanned, saved):
    spine = imported(scanned, scanned[1].voxels, saved, Reason.NO_SPINE)
    assert spine.description.gates["second_opinion"] == "no_spine"


def test_a_map_of_bodies_in_very_poor_bone_is_not_moved_where_the_second_opinion_confirms_it(lumbar_column, saved):
    """Marrow at -100 HU: what lies beside the bodies is brighter, and the image alone would rather have the arches."""
    inner = ndimage.binary_erosion(lumbar_column.bodies.voxels > 0)
    poor = Volume(np.where(inner, -100, lumbar_column.scan.voxels).astype(np.int16), lumbar_column.scan.geometry)
    spine = import_labels(poor, saved(lumbar_column.bodies, "bodies.nii.gz"), label_scheme="verse")
    assert best_place(poor, spine.vertebrae).is_elsewhere
    confirmed = with_second_opinion(poor, spine, spine)
    assert "fits_better_moved" not in confirmed.description.flags
    assert "fits_better_moved" in with_second_opinion(poor, spine, Reason.LOW_CONFIDENCE).description.flags
