"""Measure HU, and vBMD where a calibration allows, in every region of each scan."""

import json
from typing import NamedTuple

from spongiosa import __version__
from spongiosa.anatomy.frame import SpineDescription
from spongiosa.cohort.runner import run_stage
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.config.calibration import CalibrationSettings
from spongiosa.config.extract import ExtractSettings
from spongiosa.density.measure import measure_regions
from spongiosa.regions.catalogue import RegionSet
from spongiosa.volume import read_volume


class Settings(NamedTuple):
    calibration: CalibrationSettings
    extract: ExtractSettings
    config_hash: str


def extract_density(scan: Scan, settings: Settings, outputs: Outputs) -> None:
    spine = json.loads(scan.product("desc-vertebrae_dseg", ".json").read_text(encoding="utf-8"))
    rows = measure_regions(
        read_volume(scan.ct),
        RegionSet.read(scan.product("desc-regions_weights", ".npz")),
        SpineDescription.from_json(spine),
        json.loads(scan.product(scan.modality, ".json").read_text(encoding="utf-8")),
        settings.calibration,
        settings.extract,
    )
    identity = {"version": __version__, "config_hash": settings.config_hash}
    outputs.write_rows("desc-measurements", [row | identity for row in rows])


if "snakemake" in globals():
    params = snakemake.params
    settings = Settings(
        CalibrationSettings.model_validate(params.settings["calibration"]),
        ExtractSettings.model_validate(params.settings["extract"]),
        params.config_hash,
    )
    run_stage(extract_density, snakemake, settings, tables={"measurements": "desc-measurements"})
