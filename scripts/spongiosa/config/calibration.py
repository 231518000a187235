"""Section `calibration`: from HU to mg/cm3."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spongiosa.config.base import Section


class CalibrationSettings(Section):
    """How HU become volumetric bone mineral density."""

    method: Literal["none"] = Field(
        "none",
        description="`none`: HU only, vBMD is missing with the reason `not_calibrated`. (`phantom`, `scanner`, "
        "`internal` and `auto` follow.)",
    )
