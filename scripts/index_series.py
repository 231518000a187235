"""Look through each scan's input and choose the series to measure."""

from typing import NamedTuple

from spongiosa.cohort.runner import run_stage
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.cohort.secret import project_secret
from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.index import NothingChosen, index_input


class Settings(NamedTuple):
    series: SeriesSettings
    personal: ConvertSettings
    secret: bytes
    threads: int


def index_series(scan: Scan, settings: Settings, outputs: Outputs) -> None:
    try:
        records = index_input(
            scan.input_path,
            scan.modality,
            settings.series,
            settings.threads,
            chosen_key=next((value for action, value in scan.corrections if action == "choose_series"), None),
            patient=PatientIdentity(settings.secret, scan.patient_id, scan.row["reference_day"]),
            convert=settings.personal,
        )
    except NothingChosen as nothing:
        outputs.write_rows("desc-series", [record.to_row() for record in nothing.records])
        raise
    outputs.write_rows("desc-series", [record.to_row() for record in records])


if "snakemake" in globals():
    sections = snakemake.params.settings
    settings = Settings(
        SeriesSettings.model_validate(sections["series"]),
        ConvertSettings.model_validate(sections["personal"]),
        project_secret(snakemake.config["cohort"].get("secret")) or b"",
        snakemake.threads,
    )
    run_stage(index_series, snakemake, settings, tables={"series": "desc-series"})
