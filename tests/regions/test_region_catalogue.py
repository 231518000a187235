"""All regions of a scan: reasons, orientation, storage."""

from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.config.regions import REGION_NAMES, EllipseSettings, RegionsSettings, VariantSettings
from spongiosa.outcome import Reason
from spongiosa.regions.catalogue import CATALOGUE, place_regions
from spongiosa.regions.region import RegionSet
from spongiosa.volume import Volume, read_volume

from .vertebral_phantom import Phantom, make_phantom, reoriented

#: The regions of a body; the phantom has no pedicles.
BODY_REGIONS = tuple(name for name in REGION_NAMES if not name.startswith(("pedicle", "trajectory")))
LEVELS = RegionsSettings(levels=("L3",), measured=BODY_REGIONS)


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
    assert {region.name for region in regions} == set(BODY_REGIONS)


def test_the_catalogue_and_the_configuration_name_the_same_regions():
    names = [name for family in CATALOGUE for name in family.names]
    assert len(names) == len(set(names))
    assert set(names) == set(REGION_NAMES)


def test_a_vertebra_without_marked_pedicles_says_so_for_both_sides(upright_l3):
    regions = place(upright_l3, RegionsSettings(levels=("L3",), measured=("pedicle", "trajectory")))
    assert [(region.name, region.side) for region in regions] == [
        ("pedicle", "left"),
        ("pedicle", "right"),
        ("trajectory", "left"),
        ("trajectory", "right"),
    ]
    assert reasons(regions) == {Reason.FRAME_UNCERTAIN}


def test_a_variant_measures_its_regions_once_more_with_its_own_parameters(upright_l3):
    """A margin of 7 instead of 5 mm: the ellipse's semi-axes shrink by 2 mm; the rest of the settings stays."""
    thinner = VariantSettings(measured=("ellipse_mid",), ellipse=EllipseSettings(margin_mm=7.0))
    settings = LEVELS.model_copy(update={"variants": {"thinner": thinner}})
    regions = place(upright_l3, settings)
    assert [region.key for region in regions if region.variant != "default"] == [
        ("L3", "ellipse_mid", "none", "thinner")
    ]
    default, variant = (regions.find("L3", "ellipse_mid", variant=name) for name in ("default", "thinner"))
    assert variant.area_mm2 < 0.9 * default.area_mm2
    alone = place(upright_l3, LEVELS)
    assert means(upright_l3, alone) == {
        key: mean for key, mean in means(upright_l3, regions).items() if key[3] == "default"
    }


def test_a_variant_may_not_take_the_name_of_the_default_nor_an_unknown_region():
    with pytest.raises(ValueError, match="itself"):
        RegionsSettings(variants={"default": {"measured": ("ellipse_mid",)}})
    with pytest.raises(ValueError, match="unknown region"):
        RegionsSettings(variants={"other": {"measured": ("ellipse_middle",)}})


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
    """0.2 HU: the same voxels with the same weights, but for rounding on the boundary of cells; 0.5 HU are asked."""
    turned = replace(noisy_l3, ct=reoriented(noisy_l3.ct, axes, flips), bodies=reoriented(noisy_l3.bodies, axes, flips))
    expected = means(noisy_l3, place(noisy_l3))
    assert means(turned, place(turned)) == pytest.approx(expected, abs=0.2)


def test_weights_are_read_back_as_they_were_written_and_the_bytes_are_the_same_again(upright_l3, tmp_path):
    settings = RegionsSettings(levels=("L1", "L3"), measured=BODY_REGIONS)
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
    assert set(names) == {f"L3 {name}" for name in BODY_REGIONS}
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
    regions = place_regions(
        ct, spine.vertebrae, spine.bodies, spine.description, RegionsSettings(measured=("body_trabecular",))
    )
    measured = means(Phantom(ct, spine.bodies, spine.description), regions)
    volumes = {level: mean for (level, name, _, _), mean in measured.items() if name == "body_trabecular"}
    assert volumes == pytest.approx({"L1": 112, "L2": 112, "L3": 108, "L4": 108, "L5": 114}, abs=5.0)
    assert regions.find("T12", "body_trabecular").reason == Reason.LEVEL_TRUNCATED
