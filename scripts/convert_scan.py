"""Assemble the chosen series of each scan into one volume in HU."""

from typing import NamedTuple

import pandas as pd

from spongiosa.cohort.runner import run_stage
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.assembly import assemble_input


class Settings(NamedTuple):
    series: SeriesSettings
    convert: ConvertSettings


def convert_scan(scan: Scan, settings: Settings, outputs: Outputs) -> None:
    series = pd.read_parquet(scan.product("desc-series", ".parquet"))
    chosen = series.loc[series["is_chosen"], "series_key"].item()
    assembled = assemble_input(
        scan.input_path, scan.modality, chosen, settings.series, settings.convert, patient_salt=scan.patient_id
    )
    outputs.write_volume(scan.modality, assembled.volume)
    outputs.write_json(scan.modality, assembled.acquisition)
    outputs.flags += assembled.acquisition["flags"]


if "snakemake" in globals():
    sections = snakemake.params.settings
    settings = Settings(
        SeriesSettings.model_validate(sections["series"]), ConvertSettings.model_validate(sections["convert"])
    )
    run_stage(convert_scan, snakemake, settings)
