"""All regions of a scan: reasons, orientation, storage."""

from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from spongiosa.anatomy.frame import SpineDescription
from spongiosa.config.regions import RegionsSettings
from spongiosa.outcome import Reason
from spongiosa.regions.catalogue import PLACERS, place_regions
from spongiosa.regions.region import RegionSet
from spongiosa.volume import Volume, read_volume

from .vertebral_phantom import Phantom, make_phantom, reoriented

LEVELS = RegionsSettings(levels=("L3",))


def place(phantom: Phantom, settings: RegionsSettings = LEVELS) -> RegionSet:
    return place_regions(phantom.ct, phantom.bodies, phantom.bodies, phantom.spine, settings)


def with_vertebra(phantom: Phantom, **changes) -> Phantom:
    vertebra = replace(phantom.spine.vertebrae[0], **changes)
    return replace(phantom, spine=SpineDescription("labels", 0.9, (vertebra,)))


def means(phantom: Phantom, regions: RegionSet) -> dict[tuple[str, ...], float]:
    hu = phantom.ct.voxels.reshape(-1)
    return {
        region.key: float(np.average(hu[weights.indices], weights=weights.weights))
        for region, weights in regions.placed()
    }


def reasons(regions: RegionSet) -> set[Reason | None]:
    return {region.reason for region in regions}


def test_every_region_of_the_catalogue_is_placed_in_a_plain_vertebra(upright_l3):
    regions = place(upright_l3)
    assert reasons(regions) == {None}
    assert {region.name for region in regions} == set(PLACERS)


def test_a_level_with_truncation_gives_its_reason_and_no_number(upright_l3):
    regions = place(with_vertebra(upright_l3, is_truncated=True))
    assert reasons(regions) == {Reason.LEVEL_TRUNCATED}
    assert not list(regions.placed())


def test_a_body_that_reaches_the_edge_of_the_scan_is_truncated_even_if_the_localiser_missed_it(upright_l3):
    lower, upper = np.array([20, 0, 0]), np.array(upright_l3.ct.voxels.shape)
    cut = replace(upright_l3, ct=upright_l3.ct.cropped(lower, upper), bodies=upright_l3.bodies.cropped(lower, upper))
    assert reasons(place(cut)) == {Reason.LEVEL_TRUNCATED}


def test_a_level_without_a_frame_gives_its_reason(upright_l3):
    assert reasons(place(with_vertebra(upright_l3, frame=None))) == {Reason.FRAME_UNCERTAIN}


def test_a_frame_beside_the_body_gives_its_reason(upright_l3):
    frame = upright_l3.spine.vertebrae[0].frame
    beside = replace(frame, centre_mm=frame.centre_mm + np.array([60.0, 0.0, 0.0]))
    assert reasons(place(with_vertebra(upright_l3, frame=beside))) == {Reason.FRAME_UNCERTAIN}


def test_a_level_that_is_not_in_view_gives_its_reason(upright_l3):
    assert reasons(place(upright_l3, RegionsSettings(levels=("L1",)))) == {Reason.LEVEL_NOT_IN_VIEW}


def test_levels_of_an_unnumbered_spine_are_unknown_rather_than_out_of_view(upright_l3):
    assert reasons(place(with_vertebra(upright_l3, label=101, level="V1"))) == {Reason.LEVEL_UNKNOWN}


def test_label_maps_on_another_grid_are_refused(upright_l3):
    other = upright_l3.bodies.cropped(np.array([1, 0, 0]), np.array(upright_l3.bodies.voxels.shape))
    with pytest.raises(ValueError, match="grid of the scan"):
        place_regions(upright_l3.ct, other, other, upright_l3.spine, LEVELS)


ORIENTATIONS = [
    (axes, flips)
    for number, (axes, flips) in enumerate(product(permutations(range(3)), product((False, True), repeat=3)))
    if number % 4 == 1
]


@pytest.fixture(scope="module")
def noisy_l3() -> Phantom:
    """A tilted L3 with 40 HU of noise, so that any other choice of voxels changes the mean."""
    phantom = make_phantom((0.9, 0.8, 1.5), tilt_deg=9.0)
    noise = np.random.default_rng(7).normal(0.0, 40.0, phantom.ct.voxels.shape)
    return replace(phantom, ct=Volume(phantom.ct.voxels + noise, phantom.ct.geometry))


@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_the_same_patient_in_another_voxel_orientation_has_the_same_values(noisy_l3, axes, flips):
    """0.05 HU: the same voxels with the same weights, but for rounding on the boundary of cells."""
    turned = replace(noisy_l3, ct=reoriented(noisy_l3.ct, axes, flips), bodies=reoriented(noisy_l3.bodies, axes, flips))
    expected = means(noisy_l3, place(noisy_l3))
    assert means(turned, place(turned)) == pytest.approx(expected, abs=0.05)


def test_weights_are_read_back_as_they_were_written_and_the_bytes_are_the_same_again(upright_l3, tmp_path):
    settings = RegionsSettings(levels=("L1", "L3"))
    regions = place(upright_l3, settings)
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    regions.write(first)
    read = RegionSet.read(first)
    read.write(second)
    assert first.read_bytes() == second.read_bytes()
    assert read.geometry.is_same_as(regions.geometry)
    assert means(upright_l3, read) == means(upright_l3, regions)
    for before, after in zip(regions, read, strict=True):
        assert (before.key, before.reason, before.area_mm2) == (after.key, after.reason, after.area_mm2)
        assert set(before.insets) == set(after.insets)


def test_segments_are_named_and_coloured_and_lie_where_the_regions_are(upright_l3, tmp_path):
    """The trabecular body overlaps the ellipses, so that it lies in a layer of its own."""
    nrrd = pytest.importorskip("nrrd")
    regions = place(upright_l3)
    path = tmp_path / "regions.seg.nrrd"
    regions.write_segmentation(path)
    data, header = nrrd.read(str(path))
    names = {header[key]: key.split("_")[0] for key in header if key.endswith("_Name")}
    assert set(names) == {f"L3 {name}" for name in PLACERS}
    assert data.ndim == 4
    steps, origin = np.asarray(header["space directions"][1:]), np.asarray(header["space origin"])
    for region, weights in regions.placed():
        segment = names[f"L3 {region.name}"]
        layer, value = int(header[f"{segment}_Layer"]), int(header[f"{segment}_LabelValue"])
        marked = np.argwhere(data[layer] == value)
        assert len(marked) == int((weights.weights >= 0.5).sum())
        expected = np.stack(np.unravel_index(weights.indices[weights.weights >= 0.5], regions.geometry.shape), axis=-1)
        centre = regions.geometry.points_mm(expected).mean(axis=0)
        assert marked.mean(axis=0) @ steps + origin == pytest.approx(centre, abs=1e-3)  # rounding of the header
        extent = [int(bound) for bound in header[f"{segment}_Extent"].split()]
        assert extent[::2] == marked.min(axis=0).tolist()
        assert extent[1::2] == marked.max(axis=0).tolist()
        assert len(header[f"{segment}_Color"].split()) == 3


def test_a_scan_without_regions_still_gives_a_readable_segmentation(upright_l3, tmp_path):
    nrrd = pytest.importorskip("nrrd")
    regions = place(with_vertebra(upright_l3, frame=None))
    regions.write_segmentation(tmp_path / "regions.seg.nrrd")
    data, _ = nrrd.read(str(tmp_path / "regions.seg.nrrd"))
    assert not data.any()


REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "lumbar_ct_3mm"


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="the real images are not beside the repository")
def test_the_trabecular_means_of_a_real_scan_hold_no_cortex():
    """5 HU around independently measured means at an inset of two voxels, as the issue demands."""
    from spongiosa.config.localise import LocaliseSettings
    from spongiosa.localise.scan import localise_scan

    ct = read_volume(REAL / "ct.nii.gz")
    spine = localise_scan(
        ct,
        LocaliseSettings(),
        labels=REAL / "vertebrae.nii.gz",
        body_labels=REAL / "bodies_and_discs.nii.gz",
        label_scheme="totalsegmentator",
    )
    regions = place_regions(ct, spine.vertebrae, spine.bodies, spine.description, RegionsSettings())
    measured = means(Phantom(ct, spine.bodies, spine.description), regions)
    volumes = {level: mean for (level, name, _, _), mean in measured.items() if name == "body_trabecular"}
    assert volumes == pytest.approx({"L1": 112, "L2": 112, "L3": 108, "L4": 108, "L5": 114}, abs=5.0)
    assert regions.find("T12", "body_trabecular").reason == Reason.LEVEL_TRUNCATED
