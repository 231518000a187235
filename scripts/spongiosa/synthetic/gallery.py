"""A page that shows every variant of the synthetic patient: python -m spongiosa.synthetic.gallery OUT.html"""

from __future__ import annotations

import argparse
import base64
import html
import io
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import SimpleITK as sitk
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spongiosa.synthetic.gallery_cases import CASES, OLD_BONE, SCANNER, Case
from spongiosa.synthetic.image import SyntheticImage
from spongiosa.synthetic.mri import MrParameters, Weighting, render_mr
from spongiosa.synthetic.parameters import PatientParameters, ScannerParameters
from spongiosa.synthetic.patient import build_patient
from spongiosa.synthetic.posture import Posture
from spongiosa.synthetic.scanner import RenderedScan, render_ct
from spongiosa.synthetic.variants import instrumentation

_WINDOW_HU = (-200.0, 700.0)
_SEED = 20
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The synthetic patient</title><style>
body{{background:#111;color:#ddd;font:15px sans-serif;margin:2em}}figure{{margin:0 0 2em}}img{{max-width:100%}}
figcaption{{font-size:17px;margin-bottom:.4em}}</style></head><body>
<h1>The synthetic patient</h1>{body}</body></html>"""


def views(image: SyntheticImage, point_mm: NDArray[np.float64]) -> list[tuple[NDArray[np.generic], float]]:
    """Sagittal, coronal and axial section through a point, upright as read, with their aspect (height per width)."""
    steps = image.direction * np.asarray(image.spacing_mm)
    column, row, slice_ = np.rint(np.linalg.solve(steps, point_mm - np.asarray(image.origin_mm))).astype(int)
    nz, ny, nx = image.voxels.shape
    z, y, x = int(np.clip(slice_, 0, nz - 1)), int(np.clip(row, 0, ny - 1)), int(np.clip(column, 0, nx - 1))
    head_up = -1 if image.direction[2, 2] > 0 else 1
    right_to_left, front_to_back = (1 if image.direction[k, k] > 0 else -1 for k in (0, 1))
    along = image.spacing_mm[2] / image.spacing_mm[0]
    voxels = image.voxels
    return [
        (voxels[::head_up, ::front_to_back, x], along),
        (voxels[::head_up, y, ::right_to_left], along),
        (voxels[z, ::front_to_back, ::right_to_left], 1.0),
    ]


def case_scan(case: Case) -> RenderedScan:
    """The scan of a case; every case has the same seed."""
    return render_ct(build_patient(case.patient, _SEED), case.scanner, _SEED)


def case_picture(case: Case) -> bytes:
    """PNG of the three views of a case at the bone window."""
    scan = case_scan(case)
    return picture([(case.title, scan.ct, scan.patient.vertebrae[case.level].frame.origin_mm)])


def picture(rows: list[tuple[str, SyntheticImage, NDArray[np.float64]]]) -> bytes:
    """PNG with a row of three views per image."""
    figure = Figure(figsize=(13.5, 4.6 * len(rows)), facecolor="black", layout="constrained")
    axes = figure.subplots(len(rows), 3, squeeze=False)
    for line, (_, image, point) in zip(axes, rows, strict=True):
        for axis, (section, aspect) in zip(line, views(image, point), strict=True):
            axis.imshow(section, cmap="gray", vmin=_WINDOW_HU[0], vmax=_WINDOW_HU[1], aspect=aspect)
    return _png(figure, axes)


def _png(figure: Figure, axes: NDArray[np.object_]) -> bytes:
    for axis in axes.ravel():
        axis.axis("off")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    return buffer.getvalue()


def beside_real(path: Path) -> bytes:
    """A real CT above a synthetic patient resampled to the same voxels; cut through the middle of each spine."""
    volume = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    voxels = sitk.GetArrayFromImage(volume)
    real = SyntheticImage(voxels, volume.GetSpacing(), volume.GetOrigin(), np.reshape(volume.GetDirection(), (3, 3)))
    spacing = float(volume.GetSpacing()[0])
    parameters = PatientParameters(sex="M", stature_m=1.74, bmi_kg_m2=29.0, trabecular_density_mg_cm3=118.0)
    scanner = ScannerParameters(
        rows=voxels.shape[1] + 10,
        columns=voxels.shape[2] + 10,
        pixel_spacing_mm=spacing,
        slice_thickness_mm=float(volume.GetSpacing()[2]),
        slice_spacing_mm=float(volume.GetSpacing()[2]),
        kernel="soft",
        noise_sd_hu=8.0,
        caudal_margin_mm=90.0,
    )
    synthetic = render_ct(build_patient(parameters, _SEED), scanner, _SEED).ct
    middle = real.points_mm(np.array([[0.65 * voxels.shape[0], 0.61 * voxels.shape[1], 0.517 * voxels.shape[2]]]))[0]
    return picture([("real", real, middle), ("synthetic", synthetic, np.zeros(3))])


def mr_picture() -> bytes:
    """The same patient in CT and, bent and shifted, in T1 and T2: sagittal sections through L3."""
    reference = build_patient(PatientParameters(), _SEED)
    bent = build_patient(PatientParameters(posture=Posture(flexion_deg=5.0, shift_mm=(4.0, 6.0, -12.0))), _SEED)
    figure = Figure(figsize=(13.5, 5.5), facecolor="black", layout="constrained")
    axes = figure.subplots(1, 3)
    ct = render_ct(reference, SCANNER, _SEED).ct
    section, aspect = views(ct, reference.vertebrae["L3"].frame.origin_mm)[0]
    axes[0].imshow(section, cmap="gray", vmin=_WINDOW_HU[0], vmax=_WINDOW_HU[1], aspect=aspect)
    weightings: tuple[Weighting, Weighting] = ("T1", "T2")
    for axis, weighting in zip(axes[1:], weightings, strict=True):
        mr = render_mr(bent, MrParameters(weighting=weighting), _SEED).mr
        axis.imshow(mr.voxels[mr.voxels.shape[0] // 2], cmap="gray", vmin=0, vmax=900)
    return _png(figure, axes)


def follow_up_picture() -> bytes:
    """A patient before and after instrumentation, every vertebra in another pose."""
    posture = Posture(-4.0, (5.0, -4.0, 10.0), vertebra_rotation_sd_deg=1.5, vertebra_shift_sd_mm=0.4, seed=4)
    after = replace(OLD_BONE, posture=posture, variants=instrumentation(("L3", "L4", "L5"), {("L5", "left"): 2.0}))
    rows = []
    for title, parameters in (("before", OLD_BONE), ("after", after)):
        patient = build_patient(parameters, _SEED)
        point = patient.vertebrae["L4"].frame.origin_mm + np.array([13.0, 0.0, 4.0])
        rows.append((title, render_ct(patient, SCANNER, _SEED).ct, point))
    return picture(rows)


def write_gallery(
    path: Path, cases: tuple[Case, ...] = CASES, has_mr: bool = True, real_ct: Path | None = None
) -> None:
    """Write the self-contained page."""
    figures = [(case.title, case_picture(case)) for case in cases]
    if has_mr:
        figures.append(("CT, T1 and T2 of one patient; the MR bent by 5 degrees and shifted", mr_picture()))
        figures.append(("Before and after instrumentation, in another pose per vertebra", follow_up_picture()))
    if real_ct is not None:
        title = "A real CT (above) and a synthetic patient with the same voxels (below)"
        figures.insert(0, (title, beside_real(real_ct)))
    body = "".join(
        f"<figure><figcaption>{html.escape(title)}</figcaption>"
        f'<img alt="{html.escape(title)}" src="data:image/png;base64,{base64.b64encode(png).decode()}"></figure>'
        for title, png in figures
    )
    path.write_text(_PAGE.format(body=body), encoding="utf-8")


def main() -> None:
    """Read the command line and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, help="HTML file to write")
    parser.add_argument("--beside", type=Path, default=None, help="a real lumbar CT to put beside a synthetic one")
    arguments = parser.parse_args()
    mpl.use("Agg")
    write_gallery(arguments.page, real_ct=arguments.beside)


if __name__ == "__main__":
    main()
