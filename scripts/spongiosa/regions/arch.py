"""The arch of a vertebra as regions need it: its bone, and the axes of its pedicles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from spongiosa.regions.body import VertebralBody
from spongiosa.regions.pedicle_axes import Pedicle, trace_pedicles
from spongiosa.regions.pedicle_bone import PedicleBone
from spongiosa.regions.pedicle_image import axes_of_image
from spongiosa.volume import Volume


@dataclass(frozen=True)
class LabelledScan:
    """A scan and the label map of its vertebrae on the same grid."""

    scan: Volume
    vertebrae: Volume


@dataclass(frozen=True)
class Arch:
    """A whole vertebra and its body, on one grid and with one frame, and the image of both, where there is one.

    Bone and pedicles are found when they are first asked for, once for all regions and variants.
    """

    whole: VertebralBody
    body: VertebralBody
    image: LabelledScan | None = None

    @cached_property
    def bone(self) -> PedicleBone:
        """The whole vertebra with filled pedicles."""
        return PedicleBone.of(self.whole, self.body)

    @cached_property
    def pedicles(self) -> dict[str, Pedicle]:
        """The pedicles by side; a side whose pedicle is not marked or cannot be traced is absent.

        Traced in the label map (`trace_pedicles`), their axes then fitted to the image (`axes_of_image`).
        """
        traced = trace_pedicles(self.bone, self.body)
        if self.image is None:
            return traced
        return axes_of_image(traced, self.image.scan, self.image.vertebrae, self.whole)
