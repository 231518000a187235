"""What lies in the place of a converted scan that was cut down or removed after its last use (`convert.keep`).

The note lies beside the scan's records.  With it the keyed store tells a scan that is meant to be short from one that
is damaged, and a scan that is converted again is held against the one that was measured.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spongiosa.cohort.scan import Scan
from spongiosa.provenance import canonical_json, write_json

if TYPE_CHECKING:
    from spongiosa.volume import Volume


@dataclass(frozen=True)
class Kept:
    """Of a file with digest `of` and voxels `voxels`, what is left: a file of `bytes`, or nothing (None).

    `key` says by which setting and code it was decided.
    """

    of: str
    voxels: str
    bytes: int | None
    key: str


def read_kept(scan: Scan) -> Kept | None:
    """The note on a scan, or None when there is none or it cannot be read."""
    try:
        return Kept(**json.loads(_path(scan).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_kept(scan: Scan, kept: Kept) -> None:
    """Note what is kept; to be written before the file is cut, so that a kill between the two loses nothing."""
    write_json(_path(scan), asdict(kept))


def lies_as_kept(scan: Scan, path: Path, facts: dict[str, Any]) -> bool:
    """Whether the output at `path`, recorded with `facts`, is the scan and lies there as it was meant to be left."""
    if path != scan.ct:
        return False
    kept = read_kept(scan)
    if kept is None or kept.of != facts["sha256"]:
        return False
    return not path.exists() if kept.bytes is None else path.is_file() and path.stat().st_size == kept.bytes


def voxels_digest(volume: Volume) -> str:
    """Hash over values and grid of a volume, whatever compressed its file."""
    import numpy as np

    grid = volume.geometry
    place = [grid.shape, grid.spacing_mm, grid.origin_mm, np.asarray(grid.direction).ravel().tolist()]
    sha = hashlib.sha256(canonical_json([str(volume.voxels.dtype), *place]).encode())
    sha.update(np.ascontiguousarray(volume.voxels).data)
    return sha.hexdigest()[:16]


def _path(scan: Scan) -> Path:
    return scan.folder / ".spongiosa" / "kept.json"
