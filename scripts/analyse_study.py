"""Make one study: its tables, figures and audit, from the patients and its fits."""

from importlib import import_module
from pathlib import Path

import pandas as pd

from spongiosa.cohort.logs import open_log
from spongiosa.config.studies import StudiesSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies.fit import read_fit
from spongiosa.studies.needs import NEEDS
from spongiosa.studies.result import write_study

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    inputs, params, name = snakemake.input, snakemake.params, snakemake.wildcards.study
    settings = getattr(StudiesSettings.model_validate({name: params.settings}), name)
    thresholds = ThresholdsSettings.model_validate(params.thresholds)
    further = {table: pd.read_parquet(inputs[table]) for table in NEEDS[name].tables if inputs.get(table)}
    if NEEDS[name].fits:
        further["fits"] = {Path(path).stem: read_fit(Path(path)) for path in inputs.fits}
    study = import_module(f"spongiosa.studies.{name}")  # one module per study, named as its section
    result = study.analyse(pd.read_parquet(inputs.patients), settings, thresholds, params.seed, **further)
    write_study(result, Path(snakemake.output.audit).parent)
    log.info("%s: %s", name, result.headline)
