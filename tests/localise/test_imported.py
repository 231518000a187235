"""Label maps of other tools, merged onto the scan's grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from spongiosa.anatomy.levels import Level
from spongiosa.localise.imported import import_labels
from spongiosa.outcome import Excluded, Reason
from spongiosa.volume import Volume, from_sitk, oriented_lps, read_volume, resampled, to_sitk

TOTALSEGMENTATOR = {Level.T12: 32, Level.L1: 31, Level.L2: 30, Level.L3: 29, Level.L4: 28}


def renumbered(volume: Volume, table: dict[int, int]) -> Volume:
    lookup = np.zeros(256, dtype=np.uint8)
    for old, new in table.items():
        lookup[old] = new
    return Volume(lookup[volume.voxels], volume.geometry)


def test_frames_of_imported_bodies_are_those_of_the_anatomy(lumbar_column, saved):
    """1 mm and 1.5 degrees: half a slice of 2 mm, to which an upright body of 27 mm is rounded in a label map."""
    spine = import_labels(lumbar_column.scan, saved(lumbar_column.vertebrae, "labels.nii.gz"))
    assert [vertebra.level for vertebra in spine.description.vertebrae] == ["T12", "L1", "L2", "L3", "L4"]
    for vertebra in spine.description.vertebrae:
        level = Level[vertebra.level]
        assert np.linalg.norm(vertebra.frame.centre_mm - lumbar_column.centre_mm[level]) < 1.0
        angle = np.degrees(np.arccos(vertebra.frame.superior @ lumbar_column.superior[level]))
        assert angle < 1.5
        assert abs(vertebra.frame.posterior[0]) < np.sin(np.radians(2))
        assert vertebra.frame.height_mm == pytest.approx(27.0, abs=1.05)


def test_bodies_are_cut_from_whole_vertebrae_at_the_pedicles(lumbar_column, saved, dice):
    """0.95: the cut is a plane where the true body is an ellipse, which costs its posterior corners."""
    spine = import_labels(lumbar_column.scan, saved(lumbar_column.vertebrae, "labels.nii.gz"))
    for level in lumbar_column.centre_mm:
        assert dice(spine.bodies.voxels == level, lumbar_column.bodies.voxels == level) > 0.95


def test_a_map_of_bodies_only_is_taken_as_bodies(lumbar_column, saved):
    spine = import_labels(lumbar_column.scan, saved(lumbar_column.bodies, "labels.nii.gz"))
    assert np.array_equal(spine.bodies.voxels, lumbar_column.bodies.voxels)
    assert np.array_equal(spine.vertebrae.voxels, lumbar_column.bodies.voxels)
    assert all("body_derived_without_canal" in vertebra.flags for vertebra in spine.description.vertebrae)


def test_the_order_along_the_body_tells_totalsegmentator_from_verse(lumbar_column, saved):
    labels = saved(renumbered(lumbar_column.vertebrae, TOTALSEGMENTATOR), "ts.nii.gz")
    spine = import_labels(lumbar_column.scan, labels)
    assert spine.description.gates["label_scheme"] == "totalsegmentator"
    assert set(np.unique(spine.vertebrae.voxels)) == {0, 19, 20, 21, 22, 23}


def test_an_unnumbered_body_map_takes_its_numbers_from_the_vertebrae(lumbar_column, saved):
    """TotalSegmentator's vertebrae_body task: 1 is body, 2 is disc."""
    labels = saved(renumbered(lumbar_column.vertebrae, TOTALSEGMENTATOR), "ts.nii.gz")
    bodies = saved(Volume((lumbar_column.bodies.voxels > 0).astype(np.uint8), lumbar_column.bodies.geometry), "b.nrrd")
    spine = import_labels(lumbar_column.scan, labels, bodies, "totalsegmentator")
    assert np.array_equal(spine.bodies.voxels, lumbar_column.bodies.voxels)


def test_labels_on_another_grid_and_orientation_are_merged_by_their_place_in_the_patient(lumbar_column, saved, dice):
    """Dice 0.93: nearest neighbour between grids of 1.5 and 2 mm moves surfaces by up to a millimetre."""
    import SimpleITK as sitk

    fine = lumbar_column.vertebrae.geometry
    coarse_shape = tuple(int(n * s / 2.0) for n, s in zip(fine.shape, fine.spacing_mm[::-1], strict=True))
    coarse_grid = replace(fine, shape=coarse_shape, spacing_mm=(2.0, 2.0, 2.0))
    coarse = resampled(lumbar_column.vertebrae, coarse_grid, "nearest", 0)
    turned = from_sitk(sitk.DICOMOrient(to_sitk(coarse), "ASR"))
    spine = import_labels(lumbar_column.scan, saved(turned, "turned.mha"))
    assert spine.vertebrae.geometry.is_same_as(lumbar_column.scan.geometry)
    for level in lumbar_column.centre_mm:
        assert dice(spine.vertebrae.voxels == level, lumbar_column.vertebrae.voxels == level) > 0.93


def test_a_yaml_table_of_integers_and_levels_is_a_scheme(lumbar_column, saved, tmp_path):
    labels = saved(renumbered(lumbar_column.vertebrae, {19: 5, 20: 4, 21: 3, 22: 2, 23: 1}), "own.nii.gz")
    table = tmp_path / "scheme.yaml"
    table.write_text("5: T12\n4: L1\n3: L2\n2: L3\n1: L4\n")
    spine = import_labels(lumbar_column.scan, labels, label_scheme=str(table))
    assert [vertebra.level for vertebra in spine.description.vertebrae] == ["T12", "L1", "L2", "L3", "L4"]


def test_vertebrae_at_the_edge_of_the_scan_are_flagged_as_truncated(lumbar_column, saved):
    scan = lumbar_column.scan.cropped(np.array([18, 0, 0]), np.array(lumbar_column.scan.voxels.shape))
    spine = import_labels(scan, saved(lumbar_column.vertebrae, "labels.nii.gz"))
    assert {vertebra.level: vertebra.is_truncated for vertebra in spine.description.vertebrae} == {
        "T12": False,
        "L1": False,
        "L2": False,
        "L3": False,
        "L4": True,
    }


def test_the_map_of_another_scan_is_refused(lumbar_column, saved):
    far = replace(lumbar_column.vertebrae.geometry, origin_mm=(300.0, 0.0, 0.0))
    with pytest.raises(Excluded) as refusal:
        import_labels(lumbar_column.scan, saved(Volume(lumbar_column.vertebrae.voxels, far), "far.nii.gz"))
    assert refusal.value.reason is Reason.LABELS_OFF_GRID


def test_a_map_that_lies_beside_the_bone_is_refused(lumbar_column, saved):
    moved = ndimage.shift(lumbar_column.vertebrae.voxels, (0, 0, 40), order=0)
    with pytest.raises(Excluded) as refusal:
        import_labels(lumbar_column.scan, saved(Volume(moved, lumbar_column.vertebrae.geometry), "moved.nii.gz"))
    assert refusal.value.reason is Reason.LABELS_OFF_GRID


def test_a_map_turned_upside_down_is_refused(lumbar_column, saved):
    turned = Volume(
        renumbered(lumbar_column.vertebrae, {19: 23, 20: 22, 21: 21, 22: 20, 23: 19}).voxels,
        lumbar_column.vertebrae.geometry,
    )
    with pytest.raises(Excluded) as refusal:
        import_labels(lumbar_column.scan, saved(turned, "turned.nii.gz"), label_scheme="verse")
    assert refusal.value.reason is Reason.LABELS_IMPLAUSIBLE


def test_a_skipped_level_is_refused_by_its_spacing(lumbar_column, saved):
    """L2 and L3 called L2 and L5: three steps in 37 mm."""
    wrong = renumbered(lumbar_column.vertebrae, {19: 19, 20: 20, 21: 21, 22: 24})
    with pytest.raises(Excluded) as refusal:
        import_labels(lumbar_column.scan, saved(wrong, "wrong.nii.gz"), label_scheme="verse")
    assert refusal.value.reason is Reason.LABELS_IMPLAUSIBLE
    assert "L2 and L5" in refusal.value.detail


def test_an_unknown_scheme_and_an_unreadable_file_are_refused(lumbar_column, saved, tmp_path):
    labels = saved(lumbar_column.vertebrae, "labels.nii.gz")
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"not an image")
    for path, scheme in ((labels, "mine"), (broken, "verse")):
        with pytest.raises(Excluded) as refusal:
            import_labels(lumbar_column.scan, path, label_scheme=scheme)
        assert refusal.value.reason is Reason.LABELS_UNREADABLE


def test_stray_voxels_are_dropped_and_a_broken_vertebra_is_flagged(lumbar_column, saved):
    voxels = lumbar_column.vertebrae.voxels.copy()
    voxels[2:4, 2:4, 2:4] = Level.L4
    z = int(lumbar_column.vertebrae.geometry.indices_zyx(lumbar_column.centre_mm[Level.L2])[0])
    gap = voxels[z - 1 : z + 3]  # 8 mm: more than a hole that may be filled
    gap[gap == Level.L2] = 0
    spine = import_labels(lumbar_column.scan, saved(Volume(voxels, lumbar_column.vertebrae.geometry), "l.nii.gz"))
    assert spine.vertebrae.voxels[2:4, 2:4, 2:4].max() == 0
    flags = {vertebra.level: vertebra.flags for vertebra in spine.description.vertebrae}
    assert "fragmented" in flags["L2"] and "fragmented" not in flags["L3"]


@pytest.mark.real_data
def test_core_means_of_the_lumbar_scan_are_those_of_its_label_map(real_data):
    """5 HU about the means of an independent reading; inset 6 mm (twice the spacing)."""
    folder = real_data / "lumbar_ct_3mm"
    scan = read_volume(folder / "ct.nii.gz")
    given = import_labels(scan, folder / "vertebrae.nii.gz", folder / "bodies_and_discs.nii.gz", "totalsegmentator")
    cut = import_labels(scan, folder / "vertebrae.nii.gz")
    for spine in (given, cut):
        assert [v.level for v in spine.description.vertebrae] == ["T12", "L1", "L2", "L3", "L4", "L5", "S1"]
        assert [v.is_truncated for v in spine.description.vertebrae] == [True] + 6 * [False]
        for level, expected_hu in zip(["L1", "L2", "L3", "L4", "L5"], (112, 112, 108, 108, 114), strict=True):
            body = spine.bodies.voxels == Level[level]
            core = ndimage.distance_transform_edt(body, sampling=3.0) > 6.0
            assert scan.voxels[core].mean() == pytest.approx(expected_hu, abs=5.0)


@pytest.mark.real_data
def test_the_crop_with_another_voxel_orientation_is_described_in_the_patient(real_data):
    folder = real_data / "l3_crop_ct"
    spine = import_labels(
        read_volume(folder / "sub-ct_label-22_ct.nii.gz"),
        folder / "sub-ct_seg-vert_label-22_msk.nii.gz",
        folder / "sub-ct_seg-subreg_label-22_msk.nii.gz",
        "spineps",
    )
    complete = [vertebra for vertebra in spine.description.vertebrae if not vertebra.is_truncated]
    assert [vertebra.level for vertebra in complete] == ["L3"]
    # The patient lay straight: the body's axes are those of the scanner to within 10 degrees.
    assert complete[0].frame.superior[2] > np.cos(np.radians(10))
    assert complete[0].frame.posterior[1] > np.cos(np.radians(10))
    assert oriented_lps(spine.bodies).voxels.max() == 23
