"""Review pictures in the page: links for all, small inline pictures for some."""

from __future__ import annotations

import base64
import io
from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
from numpy.typing import NDArray
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


@dataclass(frozen=True)
class PictureChoice:
    """Which scans are shown (`rows`, index labels of the table) and of how many, for the words above the pictures."""

    rows: tuple[Hashable, ...]
    drawn: int
    with_remarks: int
    remarks_shown: int
    others_shown: int


def choose_pictures(scans: pd.DataFrame, *, with_remarks: int, without_remarks: int, seed: int) -> PictureChoice:
    """Scans with a picture: up to `with_remarks` that left or were flagged, and a sample of the others.

    Scans that left come before flagged ones.  Where there are more than are shown, a keyed hash of each scan decides
    (`seed` is the key), so that the choice is random, the same each time, and changes little when patients are added.
    """
    drawn = scans[scans["review_picture"].notna()]
    left = (drawn["status"] != Status.OK).to_numpy(dtype=bool)
    flagged = drawn["flags"].map(_has_flags).to_numpy(dtype=bool) if "flags" in drawn else np.zeros(len(drawn), bool)
    names = drawn["patient_id"].astype(str) + "/" + drawn["session"].astype(str) + "/" + drawn["modality"].astype(str)
    lots = np.array([sha256(f"{seed}/{name}".encode()).hexdigest()[:16] for name in names], dtype=object)

    def draw(wanted: NDArray[np.bool_], most: int) -> list[int]:
        places = np.flatnonzero(wanted)
        chosen = places[np.argsort(lots[places], kind="stable")[:most]]
        return sorted(int(place) for place in chosen)

    remarked = draw(left, with_remarks)
    remarked += draw(flagged & ~left, with_remarks - len(remarked))
    others = draw(~(left | flagged), without_remarks)
    return PictureChoice(
        rows=tuple(drawn.index[place] for place in [*remarked, *others]),
        drawn=len(drawn),
        with_remarks=int((left | flagged).sum()),
        remarks_shown=len(remarked),
        others_shown=len(others),
    )


def thumbnails(scans: pd.DataFrame, output_dir: Path, *, width_px: int) -> list[Thumbnail]:
    """Thumbnails of these scans in their order; a scan whose picture is gone is passed over."""
    made = []
    for _, row in scans.iterrows():
        address = _small_picture(output_dir / str(row["review_picture"]), width_px)
        if address is None:
            continue
        title = f"{row['patient_id']} {row['session']}"
        made.append(
            Thumbnail(
                link=picture_link(str(row["review_picture"])),
                data_address=address,
                title=title,
                remark=_remark(row),
                alt=f"Review picture of {title}: sagittal and axial views with levels and regions",
            )
        )
    return made


def _has_flags(flags: object) -> bool:
    return flags is not None and not isinstance(flags, float) and len(flags) > 0  # type: ignore[arg-type]


def _remark(row: pd.Series) -> str:
    words = [str(flag).replace("_", " ") for flag in row["flags"]] if _has_flags(row.get("flags")) else []
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
