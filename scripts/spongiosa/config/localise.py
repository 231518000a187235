"""Section `localise`: how vertebrae are found and numbered."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spongiosa.config.base import Section


class LocaliseSettings(Section):
    """Method and limits of the localisation."""

    method: Literal["embedded", "labels", "totalsegmentator"] = Field(
        "embedded",
        description="`embedded`: the localiser in this repository; `labels`: only label maps of the manifest; "
        "`totalsegmentator`: an installed TotalSegmentator with its weights. A scan whose manifest row has `labels` "
        "uses them whatever the method.",
    )
