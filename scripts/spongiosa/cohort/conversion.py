"""From a scan's chosen series to its volume: once by its own stage, and again for a stage that finds it removed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spongiosa.cohort.scan import Scan
from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.assembly import AssembledScan, assemble_input
from spongiosa.dicom.identity import PatientIdentity


@dataclass(frozen=True)
class Conversion:
    """How the series of scans become volumes; `secret` is the project's, by which series are named."""

    series: SeriesSettings
    convert: ConvertSettings
    secret: bytes
    threads: int = 1

    def of(self, scan: Scan, path: Path | None = None) -> AssembledScan:
        """The volume of the series that was chosen for `scan`, from its input (or from `path`).  Raises `Excluded`."""
        import pandas as pd

        series = pd.read_parquet(scan.product("desc-series", ".parquet"))
        chosen = series.loc[series["is_chosen"], "series_key"].item()
        patient = PatientIdentity(self.secret, scan.patient_id)
        source = scan.input_path if path is None else path
        return assemble_input(source, scan.modality, chosen, self.series, self.convert, self.threads, patient)
