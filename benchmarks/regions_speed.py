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
from accuracy import as_volume, localised

from spongiosa.config.extract import ExtractSettings
from spongiosa.config.regions import RegionsSettings
from spongiosa.density.measure import ScanFindings, measure_regions
from spongiosa.regions.catalogue import place_regions
from spongiosa.regions.region import RegionSet
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.scanner import render_ct
from spongiosa.volume import Volume, to_sitk

SHAPE = (300, 512, 512)
LEVELS = ("L1", "L2", "L3", "L4", "L5")


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
    print(f"pyradiomics, first-order features on the same masks: {pyradiomics_seconds(ct, regions):.2f} s "
          f"against {measured - placed:.3f} s of measuring")  # fmt: skip


def padded(volume: Volume, value: int) -> Volume:
    """The volume in the corner of a grid of `SHAPE`."""
    voxels = np.full(SHAPE, value, volume.voxels.dtype)
    depth, rows, columns = (min(have, want) for have, want in zip(volume.voxels.shape, SHAPE, strict=True))
    voxels[:depth, :rows, :columns] = volume.voxels[:depth, :rows, :columns]
    return Volume(voxels, volume.geometry.cropped(np.zeros(3, int), np.array(SHAPE)))


def pyradiomics_seconds(ct: Volume, regions: RegionSet) -> float:
    """Process time of pyradiomics' first-order features over every region as a whole-voxel mask."""
    from radiomics import featureextractor

    extractor = featureextractor.RadiomicsFeatureExtractor()
    extractor.disableAllFeatures()
    extractor.enableFeatureClassByName("firstorder")
    image = to_sitk(ct)
    started = time.process_time()
    for _, weights in regions.placed():
        mask = np.zeros(SHAPE, np.uint8)
        mask.reshape(-1)[weights.indices[weights.weights >= 0.5]] = 1
        extractor.execute(image, to_sitk(Volume(mask, ct.geometry)))
    return time.process_time() - started


if __name__ == "__main__":
    main()
