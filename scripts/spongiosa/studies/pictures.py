"""The pictures of the studies: which there are, drawn from the cohort or from a synthetic patient, and their folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from spongiosa.report.exhibits import FigureExhibit
from spongiosa.report.study_files import PICTURES_NAME
from spongiosa.studies import fracture_panels, roi_panels, screw_panels
from spongiosa.studies.panel import Content, Panel
from spongiosa.studies.pictured_cohort import NONE, PicturedCohort, Wanted
from spongiosa.studies.pictured_scan import MissingPicture
from spongiosa.studies.result import describe_figure, write_figure

if TYPE_CHECKING:
    from spongiosa.config.studies import PicturesSettings


@dataclass(frozen=True)
class Pictures:
    """The pictures of a study, in their order, and what they need of a patient."""

    wanted: Wanted
    panels: tuple[Panel, ...]


PICTURES: Mapping[str, Pictures] = MappingProxyType(
    {
        "roi_comparison": Pictures(roi_panels.WANTED, roi_panels.PANELS),
        "screw_loosening_qct": Pictures(screw_panels.QCT, screw_panels.QCT_PANELS),
        "screw_loosening_nomogram": Pictures(screw_panels.RATIO, screw_panels.RATIO_PANELS),
        "new_fracture_3d_hu": Pictures(fracture_panels.WANTED, fracture_panels.PANELS),
    }
)


@dataclass(frozen=True)
class DrawnPictures:
    """The pictures that were drawn, and the others as (title, reason)."""

    figures: tuple[FigureExhibit, ...]
    omitted: tuple[tuple[str, str], ...]


def draw_pictures(study: str, settings: PicturesSettings, cohort: PicturedCohort) -> DrawnPictures:
    """Every picture of a study: from the cohort; where it lacks the image, of a synthetic patient or not at all."""
    figures: list[FigureExhibit] = []
    omitted: list[tuple[str, str]] = []
    for panel in PICTURES[study].panels:
        if settings.patient == NONE:
            omitted.append((panel.title, f"Switched off (studies.{study}.pictures.patient: {NONE})."))
            continue
        try:
            figures.append(_exhibit(panel, panel.draw(cohort), ()))
        except MissingPicture as missing:
            if settings.illustrate:
                note = f"Synthetic illustration, as no patient could be shown: {missing}"
                figures.append(_exhibit(panel, panel.illustrate(), (note,)))
            else:
                omitted.append((panel.title, str(missing)))
    return DrawnPictures(tuple(figures), tuple(omitted))


def write_pictures(study: str, drawn: DrawnPictures, folder: Path) -> list[Path]:
    """Write the pictures of a study into `folder`, which holds nothing else afterwards; equal pictures, equal bytes.

    Per picture `<key>.svg`, `.png` (300 dpi), and `.csv` and `.parquet` with its numbers; `pictures.json` with the
    words around them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [path for figure in drawn.figures for path in write_figure(figure, folder, study)]
    path = folder / PICTURES_NAME
    described = {
        "figures": [describe_figure(figure) for figure in drawn.figures],
        "omitted": [{"title": title, "reason": reason} for title, reason in drawn.omitted],
    }
    path.write_text(json.dumps(described, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    written.append(path)
    for other in set(folder.iterdir()) - set(written):
        other.unlink()
    return written


def _exhibit(panel: Panel, content: Content, notes: tuple[str, ...]) -> FigureExhibit:
    return FigureExhibit(
        panel.key, panel.title, content.figure, content.data, content.caption.strip(), content.alt, notes
    )
