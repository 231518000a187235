"""Assemble the chosen series of each scan into one volume in HU."""

from spongiosa.cohort.conversion import Conversion
from spongiosa.cohort.runner import run_stage
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.cohort.secret import project_secret
from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.density.sanity import check_hounsfield_scale


def convert_scan(scan: Scan, conversion: Conversion, outputs: Outputs) -> None:
    assembled = conversion.of(scan)
    if scan.modality == "ct":
        check_hounsfield_scale(assembled.volume)
    outputs.write_volume(scan.modality, assembled.volume)
    outputs.write_json(scan.modality, assembled.acquisition)
    outputs.flags += assembled.acquisition["flags"]


if "snakemake" in globals():
    sections = snakemake.params.settings
    conversion = Conversion(
        SeriesSettings.model_validate(sections["series"]),
        ConvertSettings.model_validate(sections["convert"]),
        project_secret(snakemake.config["cohort"].get("secret")) or b"",
        snakemake.threads,
    )
    run_stage(convert_scan, snakemake, conversion)
