"""Make one fit of a study: what its tables rest on and what few thresholds, or none, change."""

from importlib import import_module
from pathlib import Path

import pandas as pd

from spongiosa.cohort.logs import open_log
from spongiosa.config.studies import StudiesSettings
from spongiosa.studies.fit import write_fit
from spongiosa.studies.needs import NEEDS

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    inputs, params, name, part = snakemake.input, snakemake.params, snakemake.wildcards.study, snakemake.wildcards.part
    settings = getattr(StudiesSettings.model_validate({name: params.settings}), name)
    tables = {table: pd.read_parquet(inputs[table]) for table in NEEDS[name].fits[part].tables if inputs.get(table)}
    study = import_module(f"spongiosa.studies.{name}")  # one module per study, named as its section
    fit = study.FITS[part](pd.read_parquet(inputs.patients), settings, params.thresholds, params.seed, **tables)
    write_fit(fit, Path(snakemake.output.fit))
    log.info("%s, %s: %d tables", name, part, len(fit.tables))
