"""Gates that judge a localisation by something else than the numbering itself."""

from types import SimpleNamespace

import numpy as np
import pytest

from spongiosa.localise.gates import find_anchors, is_thorax_to_the_end, lacks_vertebra, lowest_rib
from spongiosa.localise.numbering import Numbering, Segment


def ribs(length_mm: int, *stretches_mm: tuple[int, int]) -> SimpleNamespace:
    """Rib evidence along a column, cranial to caudal, 1 within the stretches; 20 mm at both ends are not seen."""
    rib = np.zeros(length_mm)
    for start, end in stretches_mm:
        rib[start:end] = 1.0
    rib[:20] = rib[-20:] = np.nan
    return SimpleNamespace(rib=rib)


@pytest.mark.parametrize(
    ("evidence", "is_thorax"),
    [
        (ribs(240, (30, 45), (58, 73), (86, 101), (115, 130), (145, 160), (176, 191), (205, 218)), True),
        (ribs(240, (30, 45), (58, 73), (86, 101), (115, 130)), False),
        (ribs(320, (40, 55), (70, 85)), False),
        (ribs(90, (30, 45), (58, 68)), False),
    ],
    ids=["ribs to the edge", "three vertebrae below the last rib", "lumbar scan", "slab too short to say"],
)
def test_a_chest_is_told_by_ribs_down_to_the_lower_edge(evidence, is_thorax):
    assert is_thorax_to_the_end(evidence) is is_thorax


def column_to_the_sacrum(process_gap_mm: int) -> SimpleNamespace:
    """A column whose L5 lies from 40 to 66 mm and S1 from 76 mm on; its processes end `process_gap_mm` above S1."""
    ala, process = np.zeros(140), np.zeros(140)
    ala[78:] = 1.0
    process[48 : 76 - process_gap_mm] = 1.0
    process[76:] = 1.0
    return SimpleNamespace(ala=ala, process=process, rib=np.zeros(140))


@pytest.mark.parametrize(("gap_mm", "is_transitional"), [(0, True), (14, False)])
def test_processes_that_reach_the_sacrum_make_the_lowest_vertebra_transitional(gap_mm, is_transitional):
    segments = (Segment("L5", 40.0, 66.0, 0.0, 0.0), Segment("S1", 76.0, None, 0.0, 0.0))
    anchors = find_anchors(Numbering(segments, 1.0, 1.0, {}), column_to_the_sacrum(gap_mm))
    assert anchors.has_sacrum
    assert anchors.is_transitional is is_transitional


def column_with_ribs(left_reach_mm: dict[str, float]) -> tuple[Numbering, SimpleNamespace]:
    """T12 to L3, 34 mm apart, with a rib at T12 and ribs or costal processes of the given reach on the left."""
    levels = ("T12", "L1", "L2", "L3")
    segments = tuple(Segment(level, 30.0 + 34 * n, 56.0 + 34 * n, 0.0, 0.0) for n, level in enumerate(levels))
    nothing = np.zeros(180)
    rib, reach_mm = np.zeros(180), np.zeros((2, 180))
    rib[30:45] = 1.0
    for segment in segments:
        place = int(segment.superior_mm) + 6
        reach_mm[1, place - 7 : place + 8] = left_reach_mm[segment.level]
    evidence = SimpleNamespace(rib=rib, reach_mm=reach_mm, ala=nothing, process=nothing)
    return Numbering(segments, 4.0, 1.0, {0: 4.0}), evidence


@pytest.mark.parametrize(
    ("reach_l1_mm", "reach_l2_mm", "is_short_rib"),
    [(56.0, 36.0, True), (44.0, 28.0, False), (52.0, 46.0, False)],
    ids=["beyond any process", "a costal process", "long processes on both"],
)
def test_a_short_rib_is_told_from_a_costal_process(reach_l1_mm, reach_l2_mm, is_short_rib):
    numbering, evidence = column_with_ribs({"T12": 78.0, "L1": reach_l1_mm, "L2": reach_l2_mm, "L3": 44.0})
    assert find_anchors(numbering, evidence).has_short_rib is is_short_rib


@pytest.mark.parametrize(
    ("heights_mm", "gaps_mm", "is_missing"),
    [
        ([None, 25.0, 26.0, 26.0, None], [8.0, 9.0, 10.0, 12.0], False),
        ([None, 25.0, 26.0, 26.0, None], [8.0, 41.0, 10.0, 12.0], True),
        ([25.0, 26.0, 14.0, 26.0], [8.0, 9.0, 23.0], False),
        ([25.0, 26.0, 14.0, 26.0], [8.0, 9.0, 36.0], True),
    ],
    ids=["all there", "one missing", "a crushed body leaves room", "one missing below a crushed body"],
)
def test_a_missing_vertebra_is_told_from_the_room_of_a_crushed_one(heights_mm, gaps_mm, is_missing):
    assert lacks_vertebra(heights_mm, gaps_mm) is is_missing


@pytest.mark.parametrize(
    ("with_rib", "lowest"),
    [([], None), ([15, 16, 17, 18], 18), ([16, 18], 18), ([15, 18], 18), ([17, 18, 23], 18), ([14, 23], 14)],
    ids=["none", "all", "one missed", "two missed", "an iliac crest", "one rib and a crest"],
)
def test_what_looks_like_a_rib_far_below_the_others_is_none(with_rib, lowest):
    assert lowest_rib(with_rib) == lowest
