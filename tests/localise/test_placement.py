"""The image's word on a label map that is mirrored or moved, and on a header that says the wrong way round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spongiosa.localise.imported import import_labels
from spongiosa.localise.placement import best_place, mirrored
from spongiosa.localise.spine import LocalisedSpine
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume, read_volume


def moved(volume: Volume, voxels: int, axis: int) -> Volume:
    return Volume(np.roll(volume.voxels, voxels, axis=axis), volume.geometry)


def mirror_image(volume: Volume) -> Volume:
    return Volume(np.ascontiguousarray(volume.voxels[:, :, ::-1]), volume.geometry)


@pytest.mark.parametrize("voxels_beside_the_middle", [2, 4])
def test_an_exchange_of_left_and_right_is_seen_wherever_it_moves_a_voxel(lumbar_column, voxels_beside_the_middle):
    """The column is symmetric: only its place beside the middle of the scan tells left from right."""
    scan = moved(lumbar_column.scan, voxels_beside_the_middle, 2)
    labels = moved(lumbar_column.vertebrae, voxels_beside_the_middle, 2)
    assert not any(mirror.is_preferred or mirror.is_undecided for mirror in mirrored(scan, labels))
    assert any(mirror.is_preferred for mirror in mirrored(scan, mirror_image(labels)))


def test_a_mirror_image_that_is_the_same_map_is_no_finding(lumbar_column):
    """Within a voxel nothing can be known, and nothing changes."""
    labels = lumbar_column.vertebrae
    symmetric = Volume(np.maximum(labels.voxels, labels.voxels[:, :, ::-1]), labels.geometry)
    assert mirrored(lumbar_column.scan, symmetric) == []


def test_an_exchange_is_seen_in_a_scan_with_another_voxel_orientation(lumbar_column):
    """The array's first axis runs to the patient's right here."""
    turned = [
        Volume(
            np.ascontiguousarray(np.moveaxis(moved(part, 3, 2).voxels, 2, 0)),
            replace(
                part.geometry,
                shape=tuple(np.array(part.geometry.shape)[[2, 0, 1]]),
                spacing_mm=tuple(np.array(part.geometry.spacing_mm)[[1, 2, 0]]),
                direction=np.asarray(part.geometry.direction)[:, [1, 2, 0]],
            ),
        )
        for part in (lumbar_column.scan, lumbar_column.vertebrae)
    ]
    scan, labels = turned
    exchanged = Volume(np.ascontiguousarray(labels.voxels[::-1]), labels.geometry)
    assert any(mirror.is_preferred for mirror in mirrored(scan, exchanged))
    assert not any(mirror.is_preferred for mirror in mirrored(scan, labels))


@pytest.mark.parametrize(("axis", "voxels"), [(0, 5), (0, -7), (1, 6), (2, 8)])
def test_a_moved_map_is_told_how_far_it_belongs_from_where_it_lies(lumbar_column, axis, voxels):
    """3.5 mm: a step of the search, on a grid of 3 x 3 x 4 mm, and half of one."""
    assert not best_place(lumbar_column.scan, lumbar_column.vertebrae).is_elsewhere
    place = best_place(lumbar_column.scan, moved(lumbar_column.vertebrae, voxels, axis))
    expected = np.zeros(3)
    expected[2 - axis] = -voxels * lumbar_column.scan.geometry.spacing_mm[2 - axis]
    assert place.is_elsewhere
    assert np.linalg.norm(place.move_mm - expected) < 3.5


def test_a_header_that_takes_ras_for_lps_is_named_as_the_cause(lumbar_column, saved):
    grid = lumbar_column.vertebrae.geometry
    x, y, z = grid.origin_mm
    mistaken = replace(grid, origin_mm=(-x, -y, z), direction=np.diag([-1.0, -1.0, 1.0]))
    with pytest.raises(Excluded) as refusal:
        import_labels(lumbar_column.scan, saved(Volume(lumbar_column.vertebrae.voxels, mistaken), "ras.nii.gz"))
    assert refusal.value.reason is Reason.LABELS_OFF_GRID
    assert "header" in refusal.value.detail


def test_a_map_of_another_orientation_with_a_true_header_is_taken(lumbar_column, saved):
    """The same matrix, columns counted from the other side and said so."""
    grid = lumbar_column.vertebrae.geometry
    x, y, z = grid.origin_mm
    far = x + (grid.shape[2] - 1) * grid.spacing_mm[0]
    counted = replace(grid, origin_mm=(far, y, z), direction=np.diag([-1.0, 1.0, 1.0]))
    flipped = Volume(np.ascontiguousarray(lumbar_column.vertebrae.voxels[:, :, ::-1]), counted)
    spine = import_labels(lumbar_column.scan, saved(flipped, "counted.mha"))
    assert isinstance(spine, LocalisedSpine)
    assert np.array_equal(spine.vertebrae.voxels > 0, lumbar_column.vertebrae.voxels > 0)


@pytest.mark.real_data
def test_the_real_label_map_is_preferred_to_its_mirror_image_and_to_every_other_place(real_data):
    folder = real_data / "lumbar_ct_3mm"
    scan, labels = read_volume(folder / "ct.nii.gz"), read_volume(folder / "vertebrae.nii.gz")
    exchanged = Volume(np.ascontiguousarray(labels.voxels[:, :, ::-1]), labels.geometry)
    assert not any(mirror.is_preferred or mirror.is_undecided for mirror in mirrored(scan, labels))
    assert any(mirror.is_preferred for mirror in mirrored(scan, exchanged))
    assert not best_place(scan, labels).is_elsewhere
    assert best_place(scan, moved(labels, 5, 0)).is_elsewhere
