"""Render the report of the cohort as one self-contained page."""

from pathlib import Path

import pandas as pd

from spongiosa import __version__
from spongiosa.cohort.logs import open_log
from spongiosa.config.report import ReportSettings
from spongiosa.provenance import package_versions, write_text
from spongiosa.report.cohort_tables import SERIES_COLUMNS
from spongiosa.report.page import Provenance, ReportTables, render_report

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    inputs, params = snakemake.input, snakemake.params
    tables = {name: pd.read_parquet(inputs[name]) for name in ("scans", "patients", "exclusions")}
    page = render_report(
        ReportTables(
            series=pd.read_parquet(inputs.series, columns=list(SERIES_COLUMNS)),
            measurements=Path(inputs.measurements),  # the largest table: read in batches
            **tables,
        ),
        [Path(audit).parent for audit in inputs.studies],
        Path(snakemake.output.page).parents[1],
        ReportSettings.model_validate(params.settings["report"]),
        Provenance(__version__, params.config_hash, params.seed, package_versions()),
    )
    write_text(Path(snakemake.output.page), page)
    log.info("%d kB", len(page) // 1000)
