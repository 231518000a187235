"""Look through each scan's input and choose the series to measure."""

from spongiosa.cohort.runner import run_stage
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.index import NothingChosen, index_input


def index_series(scan: Scan, settings: SeriesSettings, outputs: Outputs) -> None:
    chosen_key = next((value for action, value in scan.corrections if action == "choose_series"), None)
    try:
        records = index_input(
            scan.input_path, scan.modality, settings, chosen_key=chosen_key, patient_salt=scan.patient_id
        )
    except NothingChosen as nothing:
        outputs.write_rows("desc-series", [record.to_row() for record in nothing.records])
        raise
    outputs.write_rows("desc-series", [record.to_row() for record in records])


if "snakemake" in globals():
    settings = SeriesSettings.model_validate(snakemake.params.settings["series"])
    run_stage(index_series, snakemake, settings, tables={"series": "desc-series"})
