"""Regions on disk: a compact file with the sub-voxel weights, for measuring."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spongiosa.outcome import Reason
from spongiosa.provenance import written_whole
from spongiosa.regions.coverage import VoxelWeights
from spongiosa.regions.region import Region, RegionSet
from spongiosa.volume import Geometry

#: Raised when the layout of the file changes.
FORMAT = 2


def write_weights(regions: RegionSet, path: Path) -> None:
    """Write a region set as one .npz: a JSON header and all weights end to end; whole or not at all."""
    parts: list[VoxelWeights] = []

    def stored(weights: VoxelWeights | None) -> int | None:
        if weights is None:
            return None
        parts.append(weights)
        return len(parts) - 1

    entries = []
    for region in regions:
        entry = {name: getattr(region, name) for name in _PLAIN_FIELDS}
        entry["reason"] = None if region.reason is None else region.reason.value
        entry["weights"] = stored(region.weights)
        entry["insets"] = {name: stored(weights) for name, weights in region.insets.items()}
        entries.append(entry)
    geometry = asdict(regions.geometry)
    geometry["direction"] = np.asarray(regions.geometry.direction).tolist()
    header = {"format": FORMAT, "geometry": geometry, "regions": entries}
    empty = VoxelWeights(np.empty(0, np.int64), np.empty(0, np.float32))
    with written_whole(path) as part, part.open("wb") as handle:
        np.savez_compressed(
            handle,
            header=np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8),
            lengths=np.array([len(weights.indices) for weights in parts], dtype=np.int64),
            indices=np.concatenate([weights.indices for weights in (*parts, empty)]),
            weights=np.concatenate([weights.weights for weights in (*parts, empty)]),
        )


def read_weights(path: Path) -> RegionSet:
    """Read what `write_weights` wrote.  Raises `ValueError` when the file has another layout."""
    with np.load(path, allow_pickle=False) as file:
        header = json.loads(bytes(file["header"]))
        if header["format"] != FORMAT:
            raise ValueError(f"regions in layout {header['format']}, expected {FORMAT}")
        ends = np.cumsum(file["lengths"])[:-1]
        parts = [
            VoxelWeights(indices, weights)
            for indices, weights in zip(np.split(file["indices"], ends), np.split(file["weights"], ends), strict=True)
        ]
    return RegionSet(_geometry(header["geometry"]), tuple(_region(entry, parts) for entry in header["regions"]))


_PLAIN_FIELDS = (
    "level",
    "name",
    "side",
    "variant",
    "plane",
    "trajectory_source",
    "detail",
    "flags",
    "area_mm2",
    "rejected_fraction",
)


def _region(entry: dict[str, Any], parts: list[VoxelWeights]) -> Region:
    plain = {name: entry[name] for name in _PLAIN_FIELDS if name != "flags"}
    return Region(
        **plain,
        flags=tuple(entry["flags"]),
        reason=None if entry["reason"] is None else Reason(entry["reason"]),
        weights=None if entry["weights"] is None else parts[entry["weights"]],
        insets={name: parts[index] for name, index in entry["insets"].items()},
    )


def _geometry(data: dict[str, Any]) -> Geometry:
    depth, rows, columns = data["shape"]
    x_step, y_step, z_step = data["spacing_mm"]
    x, y, z = data["origin_mm"]
    return Geometry((depth, rows, columns), (x_step, y_step, z_step), (x, y, z), np.asarray(data["direction"]))
