"""One vertebra with everything that its regions are placed by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spongiosa.anatomy.frame import unit_vector
from spongiosa.config.regions import RegionsSettings
from spongiosa.outcome import Reason
from spongiosa.regions.arch import Arch
from spongiosa.regions.body import VertebralBody
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.pedicle_axes import Pedicle
from spongiosa.regions.pedicle_bone import PedicleBone
from spongiosa.regions.region import Region
from spongiosa.volume import FloatArray


@dataclass(frozen=True)
class BoneAxis:
    """A straight line through bone, LPS mm: a point of entry and the unit direction from behind forwards.

    `source` is `screw`, `planned` or `anatomical`.  `length_mm` and `diameter_mm` are those of a known screw; None
    leaves them to `regions.trajectory`.
    """

    entry_mm: FloatArray
    direction: FloatArray
    source: str = "anatomical"
    length_mm: float | None = None
    diameter_mm: float | None = None

    @classmethod
    def between(
        cls, entry_mm: Sequence[float], tip_mm: Sequence[float], source: str, diameter_mm: float | None = None
    ) -> BoneAxis:
        """The axis of a screw from its entry to its tip, LPS mm."""
        entry, tip = np.asarray(entry_mm, dtype=float), np.asarray(tip_mm, dtype=float)
        return cls(entry, unit_vector(tip - entry), source, float(np.linalg.norm(tip - entry)), diameter_mm)


@dataclass(frozen=True)
class Site:
    """A vertebra at its level, the parameters of one variant, the screws that are known for it
    by side, and its flags.

    `arch` is that of the whole vertebra about `body`; None when only bodies are marked.
    """

    level: str
    body: VertebralBody
    arch: Arch | None
    settings: RegionsSettings
    variant: str = "default"
    screws: Mapping[str, BoneAxis] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    @property
    def bone(self) -> PedicleBone | None:
        """The whole vertebra with filled pedicles; None when only bodies are marked."""
        return None if self.arch is None else self.arch.bone

    @property
    def pedicles(self) -> dict[str, Pedicle]:
        """The pedicles by side; empty when only bodies are marked."""
        return {} if self.arch is None else self.arch.pedicles

    def region(self, name: str, weights: VoxelWeights, **properties: Any) -> Region:
        """A region of this vertebra, or the reason that it holds no voxel."""
        if weights.indices.size == 0:
            side, plane = properties.get("side", "none"), properties.get("plane")
            detail = f"The margins of {name} leave nothing of {self.level}."
            return self.missing(name, Reason.REGION_TOO_SMALL, detail, side=side, plane=plane)
        flags = tuple(sorted({*self.flags, *properties.pop("flags", ())}))
        return Region(self.level, name, variant=self.variant, weights=weights, flags=flags, **properties)

    def missing(self, name: str, reason: Reason, detail: str, **properties: Any) -> Region:
        """The reason why a region of this vertebra could not be placed."""
        return Region(
            self.level, name, variant=self.variant, reason=reason, detail=detail, flags=self.flags, **properties
        )
