"""Renumbering by a reader."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.anatomy.frame import SpineDescription, Vertebra
from spongiosa.anatomy.levels import Level, level_name
from spongiosa.localise.corrections import apply_corrections
from spongiosa.localise.describe import describe
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded
from spongiosa.volume import Volume


@pytest.fixture
def spine(lumbar_column) -> LocalisedSpine:
    labels = [int(level) for level in lumbar_column.centre_mm]
    vertebrae: tuple[Vertebra, ...] = describe(
        lumbar_column.vertebrae, lumbar_column.bodies, frozenset(), dict.fromkeys(labels, 0.9), {}
    )
    return LocalisedSpine(lumbar_column.vertebrae, lumbar_column.bodies, SpineDescription("embedded", 0.9, vertebrae))


def unnumbered(spine: LocalisedSpine) -> LocalisedSpine:
    table = np.zeros(256, dtype=np.uint8)
    for place, vertebra in enumerate(spine.description.vertebrae):
        table[vertebra.label] = 101 + place
    renamed = tuple(
        replace(vertebra, label=int(table[vertebra.label]), level=level_name(int(table[vertebra.label])))
        for vertebra in spine.description.vertebrae
    )
    return LocalisedSpine(
        Volume(table[spine.vertebrae.voxels], spine.vertebrae.geometry),
        Volume(table[spine.bodies.voxels], spine.bodies.geometry),
        replace(spine.description, vertebrae=renamed, flags=("level_unknown",)),
    )


def levels(spine: LocalisedSpine) -> list[str]:
    return [vertebra.level for vertebra in spine.description.vertebrae]


def test_a_shift_moves_every_vertebra_and_keeps_its_frame(spine):
    shifted = apply_corrections(spine, [("shift_levels", "1")])
    assert levels(shifted) == ["L1", "L2", "L3", "L4", "L5"]
    assert np.array_equal(shifted.bodies.voxels == Level.L3, spine.bodies.voxels == Level.L2)
    for before, after in zip(spine.description.vertebrae, shifted.description.vertebrae, strict=True):
        assert after.frame is before.frame
        assert after.flags == ("level_set_by_reader",)


def test_a_shift_and_its_reverse_give_the_same_maps(spine):
    back = apply_corrections(spine, [("shift_levels", "-2"), ("shift_levels", "2")])
    assert np.array_equal(back.vertebrae.voxels, spine.vertebrae.voxels)
    assert levels(back) == levels(spine)


def test_set_level_numbers_an_unnumbered_spine_from_its_most_cranial_vertebra(spine):
    named = apply_corrections(unnumbered(spine), [("set_level", "L1")])
    assert levels(named) == ["L1", "L2", "L3", "L4", "L5"]
    assert named.description.flags == ()


def test_counting_passes_from_a_thirteenth_thoracic_vertebra_to_l1(spine):
    assert levels(apply_corrections(unnumbered(spine), [("set_level", "T13")])) == ["T13", "L1", "L2", "L3", "L4"]


def test_a_segment_that_becomes_the_sacrum_loses_its_frame_and_gains_it_back(spine):
    sacral = apply_corrections(spine, [("shift_levels", "2")])
    assert levels(sacral)[-1] == "S1"
    assert sacral.description.vertebrae[-1].frame is None
    assert apply_corrections(sacral, [("shift_levels", "-2")]).description.vertebrae[-1].frame is not None


@pytest.mark.parametrize("correction", [("shift_levels", "3"), ("set_level", "L3"), ("set_level", "X9")])
def test_counting_beyond_the_sacrum_or_from_no_level_is_refused(spine, correction):
    with pytest.raises(Excluded):
        apply_corrections(spine, [correction])


def test_unnumbered_vertebrae_cannot_be_shifted(spine):
    with pytest.raises(Excluded, match="set_level"):
        apply_corrections(unnumbered(spine), [("shift_levels", "1")])
