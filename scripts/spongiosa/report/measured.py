"""What the report needs of measurements.parquet, gathered in batches: the table of a large cohort is never whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from spongiosa.outcome import Status

SCAN = ["patient_id", "session", "modality"]
ELLIPSES = ("ellipse_superior", "ellipse_mid", "ellipse_inferior")
#: A level's mean over its slices needs two of the three, as in patients.parquet.
MINIMUM_SLICES = 2
ACQUISITION_COLUMNS = (
    *("manufacturer", "kvp", "kernel", "slice_thickness_mm", "slice_spacing_mm", "contrast_phase"),
    *("localiser", "calibration_method"),
)
COLUMNS = (*SCAN, "level", "region", "variant", "status", "hu_mean", "vbmd_mean_mg_cm3", *ACQUISITION_COLUMNS)
#: Rows of a batch: at 17 columns about 50 MB.
BATCH_ROWS = 200_000


@dataclass(frozen=True)
class Measured:
    """The measurements in the sizes that a page shows.

    `scans` has one row per measured CT of the main session with its acquisition; `level_means` one row per patient and
    level of them: `axial_hu` (mean of the ellipses), `volume_hu` (3D-HU), `vbmd_mg_cm3`.  `vertebrae` counts levels
    with a valid value over all scans; `localisers` and `calibrations` name all methods that occur.
    """

    scans: pd.DataFrame
    level_means: pd.DataFrame
    vertebrae: int
    localisers: tuple[str, ...]
    calibrations: tuple[str, ...]


def batches_of(measurements: pd.DataFrame | Path) -> Iterator[pd.DataFrame]:
    """The rows of a table, or of its Parquet file a batch at a time and only the columns that are shown."""
    if isinstance(measurements, pd.DataFrame):
        if len(measurements):
            yield measurements
        return
    with pq.ParquetFile(measurements) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(COLUMNS)):
            yield batch.to_pandas()


def gather(batches: Iterable[pd.DataFrame], session: str) -> Measured:
    """One pass over the batches; a scan may lie in several of them.  Default variants of `session` are described."""
    keys: list[NDArray[np.uint64]] = []
    scans: list[pd.DataFrame] = []
    sums: list[pd.DataFrame] = []
    localisers: set[str] = set()
    calibrations: set[str] = set()
    for batch in batches:
        valid = batch[(batch["status"] == Status.OK) & batch["level"].notna()]
        keys.append(np.unique(pd.util.hash_pandas_object(valid[[*SCAN, "level"]], index=False).to_numpy()))
        localisers |= set(batch["localiser"].dropna().astype(str).unique())
        calibrations |= set(batch["calibration_method"].dropna().astype(str).unique())
        rows = batch[(batch["session"] == session) & (batch["modality"] == "ct") & (batch["variant"] == "default")]
        present = [column for column in ACQUISITION_COLUMNS if column in rows]
        scans.append(rows[[*SCAN, *present]].drop_duplicates(SCAN))
        sums.append(_sums(rows[rows["status"] == Status.OK]))
    every = pd.concat(scans, ignore_index=True) if scans else pd.DataFrame(columns=[*SCAN, *ACQUISITION_COLUMNS])
    return Measured(
        scans=every.drop_duplicates(SCAN, ignore_index=True),
        level_means=_means(pd.concat(sums, ignore_index=True) if sums else _sums(pd.DataFrame(columns=COLUMNS))),
        vertebrae=int(np.unique(np.concatenate(keys)).size) if keys else 0,
        localisers=tuple(sorted(localisers)),
        calibrations=tuple(sorted(calibrations)),
    )


def _sums(rows: pd.DataFrame) -> pd.DataFrame:
    """Per patient and level the sum and the number of each quantity, which add up over batches."""
    quantities = {
        "axial": (rows["region"].isin(ELLIPSES), "hu_mean"),
        "volume": (rows["region"] == "body_trabecular", "hu_mean"),
        "vbmd": (rows["region"] == "body_central", "vbmd_mean_mg_cm3"),
    }
    parts = []
    for name, (wanted, column) in quantities.items():
        chosen = rows[wanted & rows[column].notna()]
        values = chosen[column].astype("float64")
        grouped = values.groupby([chosen["patient_id"], chosen["level"]], sort=False)
        parts.append(pd.DataFrame({f"{name}_sum": grouped.sum(), f"{name}_n": grouped.size()}))
    return pd.concat(parts, axis=1).rename_axis(["patient_id", "level"]).reset_index()


def _means(sums: pd.DataFrame) -> pd.DataFrame:
    total = sums.groupby(["patient_id", "level"], sort=True).sum().reset_index()

    def mean(name: str, at_least: int) -> pd.Series:
        count = total[f"{name}_n"].astype("float64")
        return (total[f"{name}_sum"].astype("float64") / count.where(count >= at_least)).astype("float64")

    return pd.DataFrame(
        {
            "patient_id": total["patient_id"],
            "level": total["level"],
            "axial_hu": mean("axial", MINIMUM_SLICES),
            "volume_hu": mean("volume", 1),
            "vbmd_mg_cm3": mean("vbmd", 1),
        }
    )
