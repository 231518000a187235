"""Measure HU, and vBMD where a calibration allows, in every region of each scan."""

import json
from typing import NamedTuple

from spongiosa import __version__
from spongiosa.anatomy.frame import SpineDescription
from spongiosa.cohort.calibration_table import row_of_record
from spongiosa.cohort.runner import run_stage
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.config.calibration import CalibrationSettings
from spongiosa.config.contrast import ContrastSettings
from spongiosa.config.extract import ExtractSettings
from spongiosa.config.internal_calibration import InternalCalibrationSettings
from spongiosa.config.quality import QualitySettings
from spongiosa.density.examine import ScanSettings, examined
from spongiosa.density.measure import measure_regions, measure_tissues
from spongiosa.outcome import Excluded, Reason
from spongiosa.regions.catalogue import RegionSet
from spongiosa.volume import read_volume


class Settings(NamedTuple):
    scan: ScanSettings
    extract: ExtractSettings
    config_hash: str


def extract_density(scan: Scan, settings: Settings, outputs: Outputs) -> None:
    if scan.modality != "ct":
        raise Excluded(
            Reason.MODULE_ABSENT, "An MR has no HU: its signal is not measured yet, and it is not examined as a CT."
        )
    spine = SpineDescription.read(scan.product("desc-vertebrae_dseg", ".json"))
    acquisition = json.loads(scan.product(scan.modality, ".json").read_text(encoding="utf-8"))
    volume = read_volume(scan.ct)
    labels = [read_volume(scan.product(f"desc-{name}_dseg", ".nii.gz")) for name in ("vertebrae", "bodies")]
    found = examined(volume, *labels, spine, acquisition, scan.row, settings.scan)
    outputs.write_json("desc-calibration", found.record)
    outputs.write_rows("desc-calibration", [row_of_record(found.record)])
    found.refuse()
    of_scan = (spine, acquisition, found.findings, settings.extract)
    regions = RegionSet.read(scan.product("desc-regions_weights", ".npz"))
    rows = measure_regions(volume, regions, *of_scan) + measure_tissues(volume, found.tissues, *of_scan)
    identity = {"version": __version__, "config_hash": settings.config_hash}
    outputs.write_rows("desc-measurements", [row | identity for row in rows])


if "snakemake" in globals():
    params = snakemake.params
    settings = Settings(
        ScanSettings(
            CalibrationSettings.model_validate(params.settings["calibration"]),
            InternalCalibrationSettings.model_validate(params.settings["internal_calibration"]),
            ContrastSettings.model_validate(params.settings["contrast"]),
            QualitySettings.model_validate(params.settings["quality"]),
        ),
        ExtractSettings.model_validate(params.settings["extract"]),
        params.config_hash,
    )
    tables = {"measurements": "desc-measurements", "calibration": "desc-calibration"}
    run_stage(extract_density, snakemake, settings, tables)
