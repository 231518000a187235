"""The density line of a scan by the configured method."""

from __future__ import annotations

from collections.abc import Callable

from spongiosa.config.calibration import CalibrationSettings
from spongiosa.density.line import DensityLine


def no_line() -> None:
    """Method `none`: HU only."""


#: How each method of `calibration.method` finds the line of a scan.
METHODS: dict[str, Callable[[], DensityLine | None]] = {"none": no_line}


def density_line(settings: CalibrationSettings) -> DensityLine | None:
    """The line of a scan, or None when the configured method makes none (`none`)."""
    return METHODS[settings.method]()
