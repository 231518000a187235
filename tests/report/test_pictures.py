"""The picture for review."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from spongiosa.anatomy.frame import Plane, SpineDescription, Vertebra, VertebralFrame
from spongiosa.outcome import Reason
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.region import Region, RegionSet
from spongiosa.regions.segmentation import COLOURS
from spongiosa.report.pictures import draw_middle_planes, draw_review
from spongiosa.report.reformats import LEFT, POSTERIOR, across_the_spine, along_the_spine
from spongiosa.volume import Geometry, Volume

GRID = Geometry((120, 70, 90), (1.0, 1.0, 1.5), (-45.0, -35.0, -90.0), np.eye(3))
CENTRES = {"L2": np.array([2.0, -10.0, 40.0]), "L3": np.array([0.0, -12.0, 5.0])}


def frame_at(centre):
    planes = [Plane(centre + np.array([0, 0, side * 13.0]), np.array([0, 0, 1.0])) for side in (1, -1)]
    return VertebralFrame(centre, LEFT, POSTERIOR, np.array([0, 0, 1.0]), *planes)


@pytest.fixture
def scan():
    """Two boxes of bone, the patient's left half of the scan brighter, a region in each body."""
    z, y, x = np.meshgrid(*(np.arange(size) for size in GRID.shape), indexing="ij")
    points = GRID.points_mm(np.stack([z, y, x], axis=-1))
    hu = np.where(points[..., 0] > 0, 120, 20).astype(np.int16)
    labels = np.zeros(GRID.shape, np.uint8)
    regions, vertebrae = [], []
    for label, (level, centre) in zip((21, 22), CENTRES.items(), strict=True):
        local = np.abs(points - centre)
        labels[(local < [20.0, 15.0, 13.0]).all(axis=-1)] = label
        inner = np.flatnonzero((local < [14.0, 9.0, 8.0]).all(axis=-1)).astype(np.int64)
        regions.append(Region(level, "body_trabecular", weights=VoxelWeights(inner, np.ones(len(inner), np.float32))))
        vertebrae.append(Vertebra(label, level, frame_at(centre), 0.9))
    spine = SpineDescription("labels", 0.9, tuple(vertebrae))
    return Volume(hu, GRID), spine, Volume(labels, GRID), RegionSet(GRID, tuple(regions))


def has_colour(picture, colour) -> bool:
    return bool((np.abs(picture[..., :3] - np.asarray(colour)) < 0.02).all(axis=-1).any())


def test_the_picture_shows_the_regions_in_their_colours_and_has_the_same_bytes_again(scan, tmp_path):
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    draw_review(*scan, first, title="sub-1")
    draw_review(*scan, second, title="sub-1")
    assert first.read_bytes() == second.read_bytes()
    assert b"tIME" not in first.read_bytes()
    picture = imread(first)
    assert min(picture.shape[:2]) > 700
    assert has_colour(picture, COLOURS["body_trabecular"])


def test_the_left_of_the_patient_is_on_the_right_of_an_axial_view(scan):
    volume = scan[0]
    view = across_the_spine(CENTRES["L3"], LEFT, POSTERIOR, 20.0, 0.5).image(volume)
    assert view[:, -1].mean() > 100
    assert view[:, 0].mean() < 40


def test_sagittal_views_have_the_front_on_the_left_and_the_head_on_top():
    view = along_the_spine(np.stack(list(CENTRES.values())), 60.0, -20.0, POSTERIOR, 30.0, 1.0)
    assert view.points_mm[0, 0, 2] > view.points_mm[-1, 0, 2]
    assert view.points_mm[0, 0, 1] < view.points_mm[0, -1, 1]


def test_every_row_of_a_long_view_passes_through_the_spine():
    """Half a pixel of 1 mm."""
    view = along_the_spine(np.stack(list(CENTRES.values())), 60.0, -20.0, POSTERIOR, 30.0, 1.0)
    for centre in CENTRES.values():
        assert np.linalg.norm(view.points_mm - centre, axis=-1).min() <= 0.75


def test_unnumbered_and_cut_vertebrae_are_drawn_with_what_is_known(scan, tmp_path):
    volume, spine, bodies, _ = scan
    vertebrae = (
        replace(spine.vertebrae[0], label=101, level="V1", is_truncated=True),
        replace(spine.vertebrae[1], label=102, level="V2", frame=None),
    )
    missing = RegionSet(GRID, (Region("L3", "ellipse_mid", reason=Reason.LEVEL_UNKNOWN),))
    draw_review(volume, replace(spine, vertebrae=vertebrae), bodies, missing, tmp_path / "review.png")
    assert imread(tmp_path / "review.png")[..., :3].max() > 0.5


def test_a_spine_without_frames_gives_the_plain_planes(scan, tmp_path):
    volume, spine, bodies, regions = scan
    bare = replace(spine, vertebrae=tuple(replace(vertebra, frame=None) for vertebra in spine.vertebrae))
    draw_review(volume, bare, bodies, regions, tmp_path / "review.png", title="sub-1")
    draw_middle_planes(volume, tmp_path / "plain.png", "sub-1", "No vertebra has an anatomical frame.")
    assert (tmp_path / "review.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
