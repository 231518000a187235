"""The vertebral frame: where a vertebral body lies, how it is turned, and its endplates."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def unit_vector(vector: FloatArray) -> FloatArray:
    """`vector` scaled to length 1."""
    return np.asarray(vector, dtype=np.float64) / np.linalg.norm(vector)


@dataclass(frozen=True)
class Plane:
    """A plane through `point_mm` (LPS) with the unit `normal` (LPS)."""

    point_mm: FloatArray
    normal: FloatArray

    def signed_distance_mm(self, points_mm: FloatArray) -> FloatArray:
        """Distance of points, shape (..., 3), from the plane, positive on the side of the normal."""
        return np.asarray((np.asarray(points_mm) - self.point_mm) @ self.normal)

    def to_json(self) -> dict[str, list[float]]:
        return {"point_mm": _rounded(self.point_mm), "normal": _rounded(self.normal, 6)}

    @classmethod
    def from_json(cls, data: dict[str, list[float]]) -> Plane:
        return cls(np.asarray(data["point_mm"]), unit_vector(np.asarray(data["normal"])))


@dataclass(frozen=True)
class VertebralFrame:
    """A right-handed orthonormal frame in the centre of a vertebral body, in LPS mm.

    `left`, `posterior` and `superior` are unit vectors: the patient's left, the direction from the body to the canal,
    and the mean of the endplate normals (all orthogonal).  Both endplate planes have normals that point superiorly.
    """

    centre_mm: FloatArray
    left: FloatArray
    posterior: FloatArray
    superior: FloatArray
    superior_endplate: Plane
    inferior_endplate: Plane

    @property
    def axes(self) -> FloatArray:
        """3 x 3, rows left, posterior, superior."""
        return np.stack([self.left, self.posterior, self.superior])

    @property
    def height_mm(self) -> float:
        """Distance of the endplate planes along the superior axis through the centre."""
        along = [
            float((plane.point_mm - self.centre_mm) @ plane.normal / (self.superior @ plane.normal))
            for plane in (self.superior_endplate, self.inferior_endplate)
        ]
        return along[0] - along[1]

    def to_local_mm(self, points_mm: FloatArray) -> FloatArray:
        """LPS points, shape (..., 3), as (left, posterior, superior) mm from the body centre."""
        return np.asarray((np.asarray(points_mm) - self.centre_mm) @ self.axes.T)

    def to_lps_mm(self, local_mm: FloatArray) -> FloatArray:
        """Inverse of `to_local_mm`."""
        return np.asarray(np.asarray(local_mm) @ self.axes + self.centre_mm)

    def to_json(self) -> dict[str, Any]:
        return {
            "centre_mm": _rounded(self.centre_mm),
            "left": _rounded(self.left, 6),
            "posterior": _rounded(self.posterior, 6),
            "superior": _rounded(self.superior, 6),
            "superior_endplate": self.superior_endplate.to_json(),
            "inferior_endplate": self.inferior_endplate.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> VertebralFrame:
        return cls(
            centre_mm=np.asarray(data["centre_mm"], dtype=np.float64),
            left=unit_vector(np.asarray(data["left"])),
            posterior=unit_vector(np.asarray(data["posterior"])),
            superior=unit_vector(np.asarray(data["superior"])),
            superior_endplate=Plane.from_json(data["superior_endplate"]),
            inferior_endplate=Plane.from_json(data["inferior_endplate"]),
        )


@dataclass(frozen=True)
class Vertebra:
    """One vertebra of a localised spine, as the sidecar of its label map describes it."""

    label: int
    level: str
    frame: VertebralFrame | None
    confidence: float
    is_truncated: bool = False
    flags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "level": self.level,
            "confidence": round(self.confidence, 4),
            "is_truncated": self.is_truncated,
            "flags": list(self.flags),
            "frame": None if self.frame is None else self.frame.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Vertebra:
        frame = data["frame"]
        return cls(
            label=int(data["label"]),
            level=str(data["level"]),
            frame=None if frame is None else VertebralFrame.from_json(frame),
            confidence=float(data["confidence"]),
            is_truncated=bool(data["is_truncated"]),
            flags=tuple(data["flags"]),
        )


@dataclass(frozen=True)
class SpineDescription:
    """What the localiser says of a scan beside its label maps; the JSON sidecar of `desc-vertebrae_dseg`."""

    method: str
    confidence: float
    vertebrae: tuple[Vertebra, ...]
    flags: tuple[str, ...] = ()
    gates: dict[str, float | bool | str | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "confidence": round(self.confidence, 4),
            "flags": list(self.flags),
            "gates": self.gates,
            "vertebrae": [vertebra.to_json() for vertebra in self.vertebrae],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> SpineDescription:
        return cls(
            method=str(data["method"]),
            confidence=float(data["confidence"]),
            vertebrae=tuple(Vertebra.from_json(item) for item in data["vertebrae"]),
            flags=tuple(data["flags"]),
            gates=dict(data["gates"]),
        )

    @classmethod
    def read(cls, sidecar: Path) -> SpineDescription:
        """The description that stands in the sidecar of a label map."""
        return cls.from_json(json.loads(sidecar.read_text(encoding="utf-8")))


def _rounded(values: FloatArray, digits: int = 4) -> list[float]:
    return [round(float(value), digits) for value in values]
