"""The regions of pedicle bone quality (PBQ) on a sagittal T1 MR.

The workflow measures no MR, so that this picture is always that of a synthetic patient.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.segmentation import SKY
from spongiosa.report.formatting import number
from spongiosa.report.panels import Disc, Overlay, PanelView, Word, centroid_mm, points_of
from spongiosa.report.reformats import POSTERIOR, Reformat, along_the_spine
from spongiosa.studies import illustrations
from spongiosa.studies.illustrations import PEDICLE_LEVELS, PedicleMr
from spongiosa.studies.panel import Content, Entry, Panel, content, table_of
from spongiosa.studies.panel_views import FRONT_BACK
from spongiosa.studies.pictured_cohort import PicturedCohort
from spongiosa.studies.pictured_scan import MissingPicture, placed_in
from spongiosa.volume import FloatArray, Volume

WINDOW = (0.0, 900.0)
PIXEL_MM, HALF_WIDTH_MM, MARGIN_MM, FORWARDS_MM = 0.4, 42.0, 26.0, 12.0
#: The names of the levels stand so far in front of the pedicles, in the bodies.  [mm]
LETTERS_MM = 24.0


def draw(patient: PedicleMr) -> Content:
    """Sagittal views through the right pedicles, the canal and the left pedicles."""
    entries: dict[str, list[Entry]] = {}
    middles: dict[str, list[FloatArray]] = {}
    for side in ("right", "left"):
        for level in PEDICLE_LEVELS:
            weights = _pedicle(patient, level, side)
            points = points_of(weights, patient.regions.geometry)
            signal = float(np.average(_signal(patient.mr, points), weights=weights.weights))
            entries.setdefault(side, []).append(Entry(f"{level} {side}", level, "pedicle", side, signal=signal))
            middles.setdefault(side, []).append(centroid_mm(weights, patient.regions.geometry))
    turn = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False)
    rings = np.concatenate([share * np.stack([0 * turn, np.cos(turn), np.sin(turn)], -1) for share in (0.3, 0.6, 0.9)])
    fluid_signal = float(_signal(patient.mr, patient.fluid_mm + patient.fluid_radius_mm * rings).mean())
    fluid = Entry("CSF behind L3", "L3", "csf", signal=fluid_signal, colour=SKY)
    canal = [np.array([patient.fluid_mm[0], middle[1], middle[2]]) for middle in middles["left"]]
    views = [
        _view(patient, "right pedicles", middles["right"], entries["right"]),
        _view(patient, "midline", canal, []),
        _view(patient, "left pedicles", middles["left"], entries["left"]),
    ]
    disc = Disc(patient.fluid_mm, patient.fluid_radius_mm, SKY)
    views[1] = replace(views[1], discs=(disc,))
    pedicles = [entry.signal for part in entries.values() for entry in part if entry.signal is not None]
    ratio = number(float(np.mean(pedicles)) / fluid_signal, 2)
    caption = (
        "Sagittal T1-weighted MR, curved along the pedicles. The outlines are the pedicle regions of the same "
        "patient's CT, inside the cortex; the circle lies in the cerebrospinal fluid (CSF) behind L3. PBQ is the mean "
        f"signal of the eight pedicles over that of the fluid, here {ratio}."
    )
    alt = f"Three sagittal MR views with the pedicles of L1 to L4 on both sides and the fluid behind L3; PBQ {ratio}."
    means = [
        Entry("Pedicles L1–L4", "L1-L4", "pedicle", signal=float(np.mean(pedicles))),
        fluid,
    ]
    drawn = content(views, means, caption, alt, 3, is_synthetic=True)
    return replace(drawn, data=table_of([*entries["right"], *entries["left"], fluid]))


def _view(patient: PedicleMr, title: str, middles: list[FloatArray], entries: list[Entry]) -> PanelView:
    """A sagittal view along the pedicles of a side, with their regions and levels."""
    centres = np.stack(middles)
    shifted = centres - FORWARDS_MM * POSTERIOR
    top, bottom = centres[:, 2].max() + MARGIN_MM, centres[:, 2].min() - MARGIN_MM
    plane: Reformat = along_the_spine(shifted, top, bottom, POSTERIOR, HALF_WIDTH_MM, PIXEL_MM)
    overlays = tuple(
        Overlay(_pedicle(patient, entry.level, entry.side), patient.regions.geometry, entry.hue) for entry in entries
    )
    words = tuple(
        Word(middle - LETTERS_MM * POSTERIOR, level) for level, middle in zip(PEDICLE_LEVELS, middles, strict=True)
    )
    return PanelView(
        f"T1-weighted, {title}", plane, patient.mr, FRONT_BACK, window=WINDOW, overlays=overlays, words=words
    )


def _pedicle(patient: PedicleMr, level: str, side: str) -> VoxelWeights:
    weights = placed_in(patient.regions, level, "pedicle", side)
    if weights is None:
        raise MissingPicture(f"The {side} pedicle of {level} was not found.")
    return weights


def _signal(mr: Volume, points_mm: FloatArray) -> FloatArray:
    """The MR at points, shape (n, 3), LPS, linearly interpolated."""
    places = mr.geometry.indices_zyx(points_mm).T
    return np.asarray(
        ndimage.map_coordinates(mr.voxels.astype(np.float32), places, order=1, mode="nearest"), dtype=float
    )


def _of_cohort(_cohort: PicturedCohort) -> Content:
    raise MissingPicture("The workflow measures no MR.")


PANEL = Panel(
    "p2_pbq", "Picture 2. Pedicle bone quality on MR", _of_cohort, lambda: draw(illustrations.pedicle_mr())
)  # fmt: skip
