"""What the search for tissues answers on the real scans of the development data, for the page of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.config.contrast import ContrastSettings, Phase
from spongiosa.config.convert import ConvertSettings
from spongiosa.config.internal_calibration import InternalCalibrationSettings
from spongiosa.config.quality import QualitySettings
from spongiosa.config.series import SeriesSettings
from spongiosa.density.contrast import contrast_phase
from spongiosa.density.internal import internal_calibration
from spongiosa.density.quality import scan_quality
from spongiosa.density.sanity import check_hounsfield_scale
from spongiosa.dicom.assembly import assemble_input
from spongiosa.dicom.index import index_input
from spongiosa.regions.tissues import find_tissues
from spongiosa.volume import Volume, read_volume, resampled

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

#: Labels of TotalSegmentator for the vertebrae in view, and ours.
ABDOMEN_LEVELS = {32: 19, 33: 18}

#: Depth of a vertebral body, for a map that marks whole vertebrae only.  [mm]
BODY_DEPTH_MM = 30.0


@dataclass(frozen=True)
class RealScan:
    """A scan with label maps, what its header says, and what a reader sees in it."""

    name: str
    ct: Volume
    vertebrae: Volume
    bodies: Volume
    kvp: float | None
    header_says_agent: bool | None
    by_eye: str
    phase_by_eye: Phase | None
    """None where no vessel is in view, so that the phase must be left open."""


def real_scans() -> list[RealScan]:
    """The scans of the development data that show vertebrae; none where the folder is absent."""
    return [_lumbar(), _abdomen(), _crop()] if DATA.exists() else []


def _lumbar() -> RealScan:
    folder = DATA / "lumbar_ct_3mm"
    ct, labels, parts = (read_volume(folder / f"{name}.nii.gz") for name in ("ct", "vertebrae", "bodies_and_discs"))
    ours = np.select([labels.voxels == 26, labels.voxels > 26], [26, 51 - labels.voxels.astype(int)], 0)
    vertebrae = Volume(ours.astype(np.uint8), ct.geometry)
    bodies = Volume(np.where(parts.voxels == 1, vertebrae.voxels, 0).astype(np.uint8), ct.geometry)
    return RealScan(
        "lumbar_ct_3mm", ct, vertebrae, bodies, 120.0, None, "native; fatty muscle of an old man, hip metal", "none"
    )


def _abdomen() -> RealScan:
    folder = DATA / "upper_abdomen_dicom_j2k"
    chosen = next(record for record in index_input(folder, "CT", SeriesSettings()) if record.is_chosen)
    scan = assemble_input(folder, "CT", chosen.series_key, SeriesSettings(), ConvertSettings())
    organs = resampled(read_volume(DATA / "upper_abdomen_seg.nii.gz"), scan.volume.geometry, "nearest", 0)
    labels = np.zeros(organs.voxels.shape, dtype=np.uint8)
    for theirs, ours in ABDOMEN_LEVELS.items():
        labels[organs.voxels == theirs] = ours
    bodies = labels.copy()
    for section in bodies:
        rows = np.flatnonzero(section.any(axis=1))
        if rows.size:
            section[int(rows[0] + BODY_DEPTH_MM / scan.volume.geometry.spacing_mm[1]) :] = 0
    grid = scan.volume.geometry
    return RealScan(
        "upper_abdomen_dicom_j2k",
        scan.volume,
        Volume(labels, grid),
        Volume(bodies, grid),
        scan.acquisition["kvp"],
        scan.acquisition["contrast_agent"],
        "enhanced: bright aorta, vena cava and liver veins fill; portal inflow to portal venous",
        "portal_venous",
    )


def _crop() -> RealScan:
    folder = DATA / "l3_crop_ct"
    ct, vertebrae, parts = (
        read_volume(folder / f"sub-ct_{name}.nii.gz")
        for name in ("label-22_ct", "seg-vert_label-22_msk", "seg-subreg_label-22_msk")
    )
    bodies = Volume(np.where(np.isin(parts.voxels, (49, 50)), 22, 0).astype(np.uint8), ct.geometry)
    by_eye = "crop of the spine without vessels, very noisy"
    return RealScan("l3_crop_ct", ct, vertebrae, bodies, None, None, by_eye, None)


def real_section() -> list[str]:
    """Lines of the page; none where the data are absent."""
    scans = real_scans()
    if not scans:
        return []
    lines = [
        "## Real scans",
        "",
        "Development data that show vertebrae (`chest_ct` has no complete lumbar vertebra and does not get this far).",
        "",
        "| scan | by eye | scale | tissues [HU] | phase (confidence) | calibration | noise [HU], flags |",
        "|---|---|---|---|---|---|---|",
    ]
    return [*lines, *(_row(scan) for scan in scans), ""]


def _row(scan: RealScan) -> str:
    check_hounsfield_scale(scan.ct)
    found = find_tissues(scan.ct, scan.vertebrae, scan.bodies, SpineDescription("labels", 1.0, ()))
    phase = contrast_phase(found.organs, scan.kvp, scan.header_says_agent, ContrastSettings())
    outcome = internal_calibration(found.samples, scan.kvp, InternalCalibrationSettings(), phase.phase)
    quality = scan_quality(scan.ct, {"kvp": scan.kvp}, found.regions, QualitySettings())
    tissues = ", ".join(f"{name} {sample.hu_mean:.0f}" for name, sample in found.samples.items())
    line = outcome.line
    calibrated = (
        f"refused: {outcome.reason}"
        if line is None
        else f"{line.slope_mg_cm3_per_hu:.3f} mg/cm3 per HU, {outcome.report['effective_energy_kev']:.0f} keV"
    )
    noise = quality.values["noise_sd_hu"]
    agrees = "as by eye" if phase.phase == scan.phase_by_eye else f"**by eye {scan.phase_by_eye or 'open'}**"
    flags = ", ".join(quality.flags) or "no flag"
    return (
        f"| {scan.name} | {scan.by_eye} | passes | {tissues} "
        f"| {phase.phase or 'open'} ({phase.confidence:.2f}), {agrees} "
        f"| {calibrated} | {'-' if noise is None else f'{noise:.0f}'}, {flags} |"
    )
