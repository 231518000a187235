"""The result of localisation: two label maps on the scan's grid, and what is known of each vertebra."""

from __future__ import annotations

from dataclasses import dataclass

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.volume import Volume


@dataclass(frozen=True)
class LocalisedSpine:
    """A localised spine.

    `vertebrae` (whole vertebrae) and `bodies` (vertebral bodies only) are uint8 label maps on the grid of the scan with
    the integers of `anatomy.levels` (101, 102, ... for vertebrae of unknown level); `description` holds one entry per
    label, from cranial to caudal, its frames in LPS mm.
    """

    vertebrae: Volume
    bodies: Volume
    description: SpineDescription
