"""Time and memory of all regions of L1-L5 on a scan of 512 x 512 x 300 voxels, beside pyradiomics where installed.

    python benchmarks/regions_speed.py

Process time, so that other work on the machine does not count; one thread (OMP_NUM_THREADS=1).
"""

from __future__ import annotations

import importlib.util
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from accuracy_scans import as_volume, localised

from spongiosa.config.extract import ExtractSettings
from spongiosa.config.regions import RegionsSettings
from spongiosa.density.measure import ScanFindings, measure_regions
from spongiosa.regions.catalogue import place_regions
from spongiosa.regions.region import RegionSet
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct
from spongiosa.volume import Volume, bounding_box, to_sitk

SHAPE = (300, 512, 512)
LEVELS = ("L1", "L2", "L3", "L4", "L5")
#: The level whose masks pyradiomics measures too.
COMPARED_LEVEL = "L3"


def main() -> None:
    """Print seconds and memory."""
    scanner = ScannerParameters(
        rows=180,
        columns=180,
        slice_thickness_mm=1.0,
        slice_spacing_mm=1.0,
        cranial_level="L1",
        caudal_level="L5",
        caudal_margin_mm=6.0,
        off_centre_mm=(0.0, 40.0),
        has_table=False,
    )
    scan = render_ct(build_patient(PatientParameters(), 1), scanner, 1)
    found = [as_volume(image) for image in (scan.ct, scan.vertebrae, scan.bodies)]
    spine = localised(*found)
    ct, vertebrae, bodies = (padded(each, value) for each, value in zip(found, (-1000, 0, 0), strict=True))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    regions = place_regions(ct, vertebrae, bodies, spine, RegionsSettings(levels=LEVELS))
    placed = time.process_time()
    measure_regions(ct, regions, spine, {}, ScanFindings(), ExtractSettings())
    measured = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        regions.write_segmentation(Path(folder) / "regions.seg.nrrd")
        regions.write(Path(folder) / "regions.npz")
    written = time.process_time()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{len(regions.regions)} regions of L1-L5, {SHAPE}: place {placed - started:.2f} s, "
          f"measure {measured - placed:.3f} s, write {written - measured:.2f} s, in all {written - started:.2f} s; "
          f"{(after - before) / 1024:.0f} MB beyond the images")  # fmt: skip
    if importlib.util.find_spec("radiomics") is None:
        print("pyradiomics is not installed: no comparison")
        return
    compared = RegionSet(regions.geometry, tuple(region for region in regions if region.level == COMPARED_LEVEL))
    count = sum(1 for _ in compared.placed())
    started = time.process_time()
    for _ in range(10):
        measure_regions(ct, compared, spine, {}, ScanFindings(), ExtractSettings())
    ours = (time.process_time() - started) / 10
    whole, cropped = (pyradiomics_seconds(ct, compared, is_cropped) for is_cropped in (False, True))
    print(f"{count} masks of {COMPARED_LEVEL}: measured in {1000 * ours:.1f} ms; pyradiomics' first-order features in "
          f"{whole:.2f} s on the whole scan ({whole / ours:.0f} times), in {cropped:.2f} s on scan and mask cropped to "
          f"the mask beforehand ({cropped / ours:.0f} times)")  # fmt: skip


def padded(volume: Volume, value: int) -> Volume:
    """The volume in the corner of a grid of `SHAPE`."""
    voxels = np.full(SHAPE, value, volume.voxels.dtype)
    depth, rows, columns = (min(have, want) for have, want in zip(volume.voxels.shape, SHAPE, strict=True))
    voxels[:depth, :rows, :columns] = volume.voxels[:depth, :rows, :columns]
    return Volume(voxels, volume.geometry.cropped(np.zeros(3, int), np.array(SHAPE)))


def pyradiomics_seconds(ct: Volume, regions: RegionSet, is_cropped: bool) -> float:
    """Process time of pyradiomics' first-order features over every region as a whole-voxel mask."""
    from radiomics import featureextractor, setVerbosity

    setVerbosity(60)
    extractor = featureextractor.RadiomicsFeatureExtractor()
    extractor.disableAllFeatures()
    extractor.enableFeatureClassByName("firstorder")
    seconds = 0.0
    for _, weights in regions.placed():
        voxels = np.zeros(ct.voxels.shape, np.uint8)
        voxels.reshape(-1)[weights.indices[weights.weights >= 0.5]] = 1
        scan, mask = ct, Volume(voxels, ct.geometry)
        if is_cropped:
            box = bounding_box(voxels > 0, margin=2)
            scan, mask = scan.cropped(*box), mask.cropped(*box)
        images = to_sitk(scan), to_sitk(mask)
        started = time.process_time()
        extractor.execute(*images)
        seconds += time.process_time() - started
    return seconds


if __name__ == "__main__":
    main()
