"""Render the report of the cohort as one self-contained page."""

from pathlib import Path

import pandas as pd

from spongiosa import __version__
from spongiosa.cohort.logs import open_log
from spongiosa.config.report import ReportSettings
from spongiosa.provenance import package_versions, write_text
from spongiosa.report.cohort_tables import MEASUREMENT_COLUMNS
from spongiosa.report.page import Provenance, ReportTables, render_report

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    inputs, params = snakemake.input, snakemake.params
    columns = {"measurements": list(MEASUREMENT_COLUMNS)}  # the largest table: read what is shown
    names = ("scans", "series", "measurements", "patients", "exclusions")
    page = render_report(
        ReportTables(**{name: pd.read_parquet(inputs[name], columns=columns.get(name)) for name in names}),
        [Path(audit).parent for audit in inputs.studies],
        Path(snakemake.output.page).parents[1],
        ReportSettings.model_validate(params.settings["report"]),
        Provenance(__version__, params.config_hash, params.seed, package_versions()),
    )
    write_text(Path(snakemake.output.page), page)
    log.info("%d kB", len(page) // 1000)
