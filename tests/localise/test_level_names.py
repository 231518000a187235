"""Names of a chain by its anchors."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from spongiosa.localise.gates import Anchors, ala_onset_mm
from spongiosa.localise.level_names import named
from spongiosa.localise.numbering import Numbering, Segment

PITCH_MM = 36


def chain(*levels: str) -> Numbering:
    segments = tuple(
        Segment(level, 10.0 + PITCH_MM * n, None if level == "S1" else 36.0 + PITCH_MM * n, 0.0, 0.0)
        for n, level in enumerate(levels)
    )
    return Numbering(segments, 8.0, 1.0, {0: 8.0, 1: 20.0})


LUMBAR = chain("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")


def column(plates_mm: tuple[int, ...] = ()) -> SimpleNamespace:
    plate = np.zeros(400)
    plate[list(plates_mm)] = 1.0
    return SimpleNamespace(plate=plate, tilt_deg=np.zeros(400))


def names(numbering: Numbering) -> list[str]:
    return [segment.level for segment in numbering.segments]


def test_both_anchors_that_agree_give_the_usual_count_without_a_flag():
    result = named(LUMBAR, column(), Anchors(True, 0), margin=10.0)
    assert result.is_known and result.confidence > 0.9 and result.flags == ()
    assert names(result.numbering) == names(LUMBAR)


def test_without_an_anchor_no_level_is_known():
    assert named(LUMBAR, column(), Anchors(False, None), margin=10.0).is_known is False


@pytest.mark.parametrize(
    ("offset", "first_names", "flag"),
    [
        (1, ["T10", "T11", "T12", "L1"], "four_lumbar_vertebrae"),
        (-1, ["T12", "L1", "L2", "L3"], "six_lumbar_vertebrae"),
    ],
)
def test_the_vertebra_of_the_lowest_rib_is_t12_and_another_count_is_flagged(offset, first_names, flag):
    result = named(LUMBAR, column(), Anchors(True, offset), margin=10.0)
    assert names(result.numbering)[:4] == first_names
    assert names(result.numbering)[-1] == "S1"
    assert {"anchors_disagree", flag} <= set(result.flags)
    assert result.confidence <= 0.6


def test_one_anchor_alone_is_never_sure():
    for anchors in (Anchors(True, None), Anchors(False, 0)):
        assert named(LUMBAR, column(), anchors, margin=10.0).confidence < 0.9


def test_a_sacrum_that_is_not_seen_is_not_delivered():
    result = named(LUMBAR, column(), Anchors(False, 0), margin=10.0)
    assert names(result.numbering)[-1] == "L5"
    assert "sacrum_not_confirmed" in result.flags


def test_alae_one_segment_further_down_make_a_sixth_lumbar_vertebra():
    top = int(LUMBAR.segments[-1].superior_mm)
    result = named(LUMBAR, column((top + 26, top + 35)), Anchors(False, 0, has_vertebra_above_sacrum=True), margin=10.0)
    assert names(result.numbering)[-3:] == ["L5", "L6", "S1"]
    sixth, sacrum = result.numbering.segments[-2:]
    assert (sixth.inferior_mm, sacrum.superior_mm) == (top + 26, top + 35)
    assert "six_lumbar_vertebrae" in result.flags


def test_alae_one_segment_further_down_and_a_rib_below_t12_are_the_usual_five():
    anchors = Anchors(False, 1, has_vertebra_above_sacrum=True)
    result = named(LUMBAR, column(), anchors, margin=10.0)
    assert names(result.numbering) == ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]
    assert result.flags == ()


def test_a_vertebra_joined_to_the_sacrum_is_flagged():
    result = named(LUMBAR, column(), Anchors(True, 0, is_transitional=True), margin=10.0)
    assert "transitional_vertebra" in result.flags
    assert result.confidence < 0.9


def test_a_short_rib_below_the_lowest_is_flagged_and_moves_no_level():
    result = named(LUMBAR, column(), Anchors(True, 0, has_short_rib=True), margin=10.0)
    assert names(result.numbering) == names(LUMBAR)
    assert result.flags == ("short_rib",)
    assert result.confidence < 0.9


@pytest.mark.parametrize(("start", "onset"), [(105, 5.0), (140, 40.0), (300, None)])
def test_the_alae_begin_where_ten_millimetres_of_bone_are_seen(start, onset):
    ala = np.zeros(320)
    ala[start : start + 20] = 1.0
    found = ala_onset_mm(SimpleNamespace(ala=ala), 100.0)
    # Half of the ten millimetres suffice, so that the window begins up to 5 mm before the bone.
    assert found == onset if onset is None else found == pytest.approx(onset - 5.0, abs=0.01)


def test_a_chain_that_fits_badly_is_doubted():
    bad = Numbering(LUMBAR.segments, 3.6 * len(LUMBAR.segments), 1.0, LUMBAR.cost_by_shift)
    result = named(bad, column(), Anchors(True, 0), margin=10.0)
    assert "numbering_ambiguous" in result.flags
    assert result.confidence <= 0.6
