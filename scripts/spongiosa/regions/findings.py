"""What is found at each vertebra besides its regions: heights, deformity and flags."""

from __future__ import annotations

from dataclasses import dataclass

from spongiosa.anatomy.frame import SpineDescription, Vertebra
from spongiosa.config.regions import RegionsSettings
from spongiosa.regions.body import VertebralBody, bounding_boxes
from spongiosa.regions.flags import find_flags
from spongiosa.regions.fracture import Deformity, grade_deformities
from spongiosa.regions.heights import BodyHeights, measure_heights
from spongiosa.volume import Volume

FRACTURED = "fractured"


@dataclass(frozen=True)
class Findings:
    """Heights and deformity of a vertebra, None where they are not known, and its sorted flags."""

    heights: BodyHeights | None
    deformity: Deformity | None
    flags: tuple[str, ...]


def find_findings(
    volume: Volume, bodies: Volume, spine: SpineDescription, settings: RegionsSettings
) -> dict[int, Findings]:
    """Findings of every vertebra of the spine, by label; `spine` is ordered from cranial to caudal."""
    boxes = bounding_boxes(bodies)
    whole = [_whole_body(bodies, vertebra, boxes.get(vertebra.label)) for vertebra in spine.vertebrae]
    heights = [None if body is None else measure_heights(body) for body in whole]
    deformities = grade_deformities(heights, settings.fracture.neighbours)
    findings = {}
    for vertebra, body, own, deformity in zip(spine.vertebrae, whole, heights, deformities, strict=True):
        flags = set(vertebra.flags)
        if body is not None:
            flags |= set(find_flags(volume, body, settings.flags))
        if deformity is not None and deformity.grade > 0:
            flags.add(FRACTURED)
        findings[vertebra.label] = Findings(own, deformity, tuple(sorted(flags)))
    return findings


def _whole_body(bodies: Volume, vertebra: Vertebra, box: tuple[slice, ...] | None) -> VertebralBody | None:
    """A complete body with a frame; None for one that is cut."""
    if vertebra.frame is None or vertebra.is_truncated or box is None:
        return None
    body = VertebralBody.of_label(bodies, vertebra.label, vertebra.frame, box)
    return None if body.touches_the_edge else body
