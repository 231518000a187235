"""The vertebrae of a scan as the regions meet them: their bodies, frames and findings, or why they cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from spongiosa.anatomy.frame import SpineDescription, Vertebra
from spongiosa.config.regions import RegionsSettings
from spongiosa.outcome import Reason
from spongiosa.regions.arch import Arch, LabelledScan
from spongiosa.regions.body import SURFACE_RADIUS_MM, VertebralBody, bounding_boxes, require_one_grid
from spongiosa.regions.flags import find_flags
from spongiosa.regions.fracture import Deformity, grade_deformities
from spongiosa.regions.heights import BodyHeights, measure_heights
from spongiosa.regions.refinement import refined_body
from spongiosa.volume import Volume

FRACTURED = "fractured"


@dataclass(frozen=True)
class Unusable:
    """Why nothing can be placed in a vertebra."""

    reason: Reason
    detail: str


@dataclass(frozen=True)
class SurveyedVertebra:
    """A vertebra with its frame as the image shows it, its body and its arch (None where only the body is marked),
    heights and deformity (None where they are not known) and sorted flags.

    `unusable` says why there is no body to place regions in.
    """

    vertebra: Vertebra
    body: VertebralBody | None
    arch: Arch | None
    unusable: Unusable | None
    heights: BodyHeights | None = None
    deformity: Deformity | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """A scan and its vertebrae from cranial to caudal."""

    volume: Volume
    method: str
    vertebrae: tuple[SurveyedVertebra, ...]


def survey_spine(
    volume: Volume, vertebrae: Volume, bodies: Volume, spine: SpineDescription, settings: RegionsSettings
) -> Survey:
    """The vertebrae of `spine`, whose labels `vertebrae` and `bodies` hold on the grid of `volume`.

    Raises `ValueError` when a map lies on another grid.
    """
    require_one_grid(volume, vertebrae, bodies)
    boxes = bounding_boxes(vertebrae), bounding_boxes(bodies)
    found = [_shapes(volume, (vertebrae, bodies), boxes, vertebra) for vertebra in spine.vertebrae]
    heights = [None if each.body is None else measure_heights(each.body, volume) for each in found]
    deformities = grade_deformities(heights, settings.fracture.neighbours)
    return Survey(
        volume,
        spine.method,
        tuple(
            replace(each, heights=own, deformity=deformity, flags=_flags(volume, each, deformity, settings))
            for each, own, deformity in zip(found, heights, deformities, strict=True)
        ),
    )


def _shapes(
    volume: Volume,
    maps: tuple[Volume, Volume],
    boxes: Sequence[dict[int, tuple[slice, ...]]],
    vertebra: Vertebra,
) -> SurveyedVertebra:
    """Body and whole vertebra of one label, or why they cannot be used."""
    level, label, frame = vertebra.level, vertebra.label, vertebra.frame
    (vertebrae, bodies), (vertebra_boxes, body_boxes) = maps, boxes

    def unusable(reason: Reason, detail: str) -> SurveyedVertebra:
        return SurveyedVertebra(vertebra, None, None, Unusable(reason, detail))

    if vertebra.is_truncated:
        return unusable(Reason.LEVEL_TRUNCATED, f"{level} is cut by the edge of the scan.")
    if frame is None:
        return unusable(Reason.FRAME_UNCERTAIN, f"No anatomical frame could be fitted to {level}.")
    if label not in body_boxes:
        return unusable(Reason.FRAME_UNCERTAIN, f"No vertebral body is marked at {level}.")
    body = VertebralBody.of_label(bodies, label, frame, body_boxes[label])
    if body.touches_the_edge:
        return unusable(Reason.LEVEL_TRUNCATED, f"The body of {level} reaches the edge of the scan.")
    if not body.surfaces.near(0.0, 0.0, SURFACE_RADIUS_MM).any():
        return unusable(Reason.FRAME_UNCERTAIN, f"The frame of {level} lies outside of its body.")
    body = refined_body(volume, bodies, body)
    arch = None
    if label in vertebra_boxes:
        whole = VertebralBody.of_label(vertebrae, label, body.frame, vertebra_boxes[label])
        arch = Arch(whole, body, LabelledScan(volume, vertebrae))
    return SurveyedVertebra(replace(vertebra, frame=body.frame), body, arch, None)


def _flags(
    volume: Volume, found: SurveyedVertebra, deformity: Deformity | None, settings: RegionsSettings
) -> tuple[str, ...]:
    flags = set(found.vertebra.flags)
    if found.body is not None:
        flags |= set(find_flags(volume, found.body, settings.flags))
    if deformity is not None and deformity.grade > 0:
        flags.add(FRACTURED)
    return tuple(sorted(flags))
