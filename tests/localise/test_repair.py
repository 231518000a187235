"""Imported labels that mix neighbours are split at the discs found in the image."""

from __future__ import annotations

import numpy as np
import pytest

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.anatomy.levels import Level
from spongiosa.localise.describe import describe
from spongiosa.localise.imported import import_labels
from spongiosa.localise.repair import split_at_discs
from spongiosa.localise.second_opinion import with_second_opinion
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.volume import Volume


def unnumbered(column) -> LocalisedSpine:
    """What the embedded localiser would say of the column without an anchor: its discs, and no level."""
    table = np.zeros(256, dtype=np.uint8)
    for place, level in enumerate(column.centre_mm):
        table[level] = 101 + place
    vertebrae, bodies = (Volume(table[part.voxels], part.geometry) for part in (column.vertebrae, column.bodies))
    labels = [101 + place for place in range(len(column.centre_mm))]
    described = describe(vertebrae, bodies, frozenset(), dict.fromkeys(labels, 0.5), {})
    return LocalisedSpine(vertebrae, bodies, SpineDescription("embedded", 0.5, described, ("level_unknown",)))


def below_middle_of_l2(column) -> np.ndarray:
    """Voxels of L2 in the lower half of its body and below."""
    where = column.vertebrae.voxels == Level.L2
    heights = column.vertebrae.geometry.points_mm(np.argwhere(where))[:, 2]
    lower = np.zeros_like(where)
    lower[where] = heights < column.centre_mm[Level.L2][2]
    return lower


@pytest.fixture
def mixed(lumbar_column) -> Volume:
    """The lower half of L2 bears the label of L3."""
    voxels = lumbar_column.vertebrae.voxels.copy()
    voxels[below_middle_of_l2(lumbar_column)] = Level.L3
    return Volume(voxels, lumbar_column.vertebrae.geometry)


def test_half_a_vertebra_that_bears_its_neighbours_label_is_given_back(lumbar_column, mixed, saved, dice):
    """0.95: the pedicle cut of the rest of L2 costs what it costs in a sound map."""
    spine = with_second_opinion(
        lumbar_column.scan,
        import_labels(lumbar_column.scan, saved(mixed, "mixed.nii.gz"), label_scheme="verse"),
        unnumbered(lumbar_column),
    )
    for level in (Level.L2, Level.L3):
        assert dice(spine.bodies.voxels == level, lumbar_column.bodies.voxels == level) > 0.95
        assert dice(spine.vertebrae.voxels == level, lumbar_column.vertebrae.voxels == level) > 0.90
    assert spine.description.gates["repaired"] == "L2, L3"
    by_level = {vertebra.level: vertebra for vertebra in spine.description.vertebrae}
    for name in ("L2", "L3"):
        assert "split_at_disc" in by_level[name].flags and by_level[name].confidence <= 0.75
        # Half a slice of 2 mm on either plate of a body of 27 mm.
        assert by_level[name].frame.height_mm == pytest.approx(27.0, abs=2.0)
    assert "split_at_disc" not in by_level["L1"].flags


def test_a_sound_map_is_left_as_it_is(lumbar_column, saved):
    spine = import_labels(lumbar_column.scan, saved(lumbar_column.vertebrae, "sound.nii.gz"))
    assert split_at_discs(spine, unnumbered(lumbar_column)) is spine


def test_a_level_named_twice_is_not_repaired_by_guesswork(lumbar_column, saved):
    """L3 called L2 as a whole: which of the two is L2 no disc can say."""
    described = unnumbered(lumbar_column)
    spine = import_labels(lumbar_column.scan, saved(lumbar_column.vertebrae, "sound.nii.gz"))
    table = np.arange(256, dtype=np.uint8)
    table[Level.L3] = Level.L2
    twice = LocalisedSpine(
        Volume(table[spine.vertebrae.voxels], spine.vertebrae.geometry),
        Volume(table[spine.bodies.voxels], spine.bodies.geometry),
        spine.description,
    )
    assert split_at_discs(twice, described) is twice


def test_missing_voxels_inside_a_vertebra_are_filled_and_flagged(lumbar_column, saved, dice):
    """A tenth of the voxels lost at random, as by a faulty conversion; the canal stays open."""
    lost = np.random.default_rng(1).random(lumbar_column.vertebrae.voxels.shape) < 0.1
    holed = Volume(np.where(lost, 0, lumbar_column.vertebrae.voxels).astype(np.uint8), lumbar_column.vertebrae.geometry)
    spine = import_labels(lumbar_column.scan, saved(holed, "holed.nii.gz"), label_scheme="verse")
    for vertebra in spine.description.vertebrae:
        assert "holes_filled" in vertebra.flags
        # 0.97 of the whole vertebra: single voxels of its surface stay lost.
        assert dice(spine.vertebrae.voxels == vertebra.label, lumbar_column.vertebrae.voxels == vertebra.label) > 0.97
        assert "body_derived_without_canal" not in vertebra.flags


def test_a_map_striped_with_gaps_is_closed_and_said_to_be_porous(lumbar_column, saved, dice):
    """Every third row and column lost; 0.85: what was lost at the surface of thin processes cannot come back."""
    voxels = lumbar_column.vertebrae.voxels.copy()
    voxels[:, :, ::3] = 0
    voxels[:, ::3] = 0
    striped = saved(Volume(voxels, lumbar_column.vertebrae.geometry), "striped.nii.gz")
    spine = import_labels(lumbar_column.scan, striped, label_scheme="verse")
    for vertebra in spine.description.vertebrae:
        assert "porous" in vertebra.flags and vertebra.confidence <= 0.6
        assert dice(spine.vertebrae.voxels == vertebra.label, lumbar_column.vertebrae.voxels == vertebra.label) > 0.85
