"""Regions of the whole body: the trabecular volume (3D-HU)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spongiosa.config.regions import TrabecularSettings
from spongiosa.outcome import Reason
from spongiosa.regions.body import VertebralBody, axis_margins_mm
from spongiosa.regions.coverage import Box, VoxelWeights, coverage
from spongiosa.regions.region import Region
from spongiosa.volume import FloatArray

#: Insets at which the mean is given beside the region's own, as a figure of quality.  [mm]
QUALITY_INSETS_MM = {"inset_4mm": 4.0, "inset_6mm": 6.0}


@dataclass(frozen=True)
class Inset:
    """The body without a margin per voxel axis (an ellipsoid rolled along the inside of its surface)."""

    body: VertebralBody
    field: NDArray[np.float32]
    margins_mm: tuple[float, float, float]

    @classmethod
    def of(cls, body: VertebralBody, margins_mm: tuple[float, float, float]) -> Inset:
        return cls(body, body.scaled_depth(margins_mm), margins_mm)

    def depth_mm(self, points_mm: FloatArray) -> FloatArray:
        return np.asarray((self.body.interpolated(self.field, points_mm) - 1.0) * min(self.margins_mm))

    def weights(self) -> VoxelWeights:
        """The share of each voxel of the body that the inset leaves."""
        return coverage(self, self.body.grid, Box(self.body.lower, self.body.upper))


def place_body_trabecular(body: VertebralBody, level: str, settings: TrabecularSettings) -> Region:
    """The trabecular body: the body's mask inset from its outer surface, endplates included, without a limit in HU.

    A limit in HU would cut the dense tail off and bias the mean; the cortex is kept out by distance alone.
    Source: volumetric HU of the cancellous body ("3D-HU"); its extent is configuration.
    """
    weights = Inset.of(body, axis_margins_mm(body.grid, settings.margin_mm)).weights()
    if weights.indices.size == 0:
        detail = f"An inset of {settings.margin_mm:g} mm leaves nothing of the body of {level}."
        return Region(level, "body_trabecular", reason=Reason.REGION_TOO_SMALL, detail=detail)
    insets = {name: Inset.of(body, (inset,) * 3).weights() for name, inset in QUALITY_INSETS_MM.items()}
    return Region(level, "body_trabecular", weights=weights, insets=insets)
