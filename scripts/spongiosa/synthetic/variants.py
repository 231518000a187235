"""The changes that disease and surgery make to a synthetic patient."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """A change to one vertebra; `level` is its name ("T1" ... "L6", "S1")."""

    level: str
