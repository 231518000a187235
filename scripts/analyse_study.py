"""Make one study: its tables, figures and audit."""

from importlib import import_module
from pathlib import Path

import pandas as pd

from spongiosa.cohort.logs import open_log
from spongiosa.config.studies import StudiesSettings
from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.studies.result import write_study

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    params, name = snakemake.params, snakemake.wildcards.study
    settings = getattr(StudiesSettings.model_validate({name: params.settings[name]}), name)
    thresholds = ThresholdsSettings.model_validate(params.settings["thresholds"])
    study = import_module(f"spongiosa.studies.{name}")  # one module per study, named as its section
    result = study.analyse(pd.read_parquet(snakemake.input.patients), settings, thresholds, params.seed)
    write_study(result, Path(snakemake.output.audit).parent)
    log.info("%s: %s", name, result.headline)
