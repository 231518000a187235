"""Review pictures in the page: links for all, small inline pictures for some."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from PIL import Image, UnidentifiedImageError

from spongiosa.outcome import Status


@dataclass(frozen=True)
class Thumbnail:
    """A small picture as a data address, its full-size file, and the words for those who cannot see it."""

    link: str
    data_address: str
    title: str
    remark: str
    alt: str


def picture_link(review_picture: str) -> str:
    """The address of a review picture (relative to the output folder) as seen from report/index.html."""
    return "../" + quote(review_picture)


def thumbnails(scans: pd.DataFrame, output_dir: Path, *, at_most: int, width_px: int) -> list[Thumbnail]:
    """Thumbnails of up to `at_most` scans that have a picture: those with remarks first, then in table order."""
    drawn = scans[scans["review_picture"].notna()]
    remarks = drawn.apply(_remark, axis=1) if len(drawn) else pd.Series(dtype=str)
    order = (remarks == "").sort_values(kind="stable").index[:at_most]
    made = []
    for position in order:
        row, remark = drawn.loc[position], str(remarks.loc[position])
        address = _small_picture(output_dir / str(row["review_picture"]), width_px)
        if address is None:
            continue
        title = f"{row['patient_id']} {row['session']}"
        made.append(
            Thumbnail(
                link=picture_link(str(row["review_picture"])),
                data_address=address,
                title=title,
                remark=remark,
                alt=f"Review picture of {title}: sagittal and axial views with levels and regions",
            )
        )
    return made


def _remark(row: pd.Series) -> str:
    flags = row.get("flags")
    words = (
        [str(flag).replace("_", " ") for flag in flags] if flags is not None and not isinstance(flags, float) else []
    )
    if row["status"] != Status.OK:
        words.insert(0, f"{row['status']}: {str(row['reason']).replace('_', ' ')}")
    return ", ".join(words)


def _small_picture(path: Path, width_px: int) -> str | None:
    """The picture as a JPEG data address; None where the file is absent or no picture (the link still stands)."""
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except (FileNotFoundError, UnidentifiedImageError):
        return None
    small.thumbnail((width_px, width_px * 2))
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
