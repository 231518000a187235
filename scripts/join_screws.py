"""Join the outcomes of single screws with the density of the bone around each."""

from pathlib import Path

import pandas as pd

from spongiosa.cohort.logs import open_log
from spongiosa.cohort.manifest import read_pseudonym_key
from spongiosa.cohort.screw_table import join_screws, read_screws
from spongiosa.provenance import write_table

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    inputs, params = snakemake.input, snakemake.params
    cohort = set(pd.read_parquet(inputs.patients, columns=["patient_id"])["patient_id"])
    key = read_pseudonym_key(Path(params.pseudonymise)) if params.pseudonymise else None
    screws = read_screws(Path(params.table), cohort, key, allow_unmatched=params.allow_unmatched)
    patients = sorted(screws["patient_id"].unique())
    measurements = pd.read_parquet(inputs.measurements, filters=[("patient_id", "in", patients)])
    joined = join_screws(screws, measurements, params.session)
    write_table(Path(snakemake.output.screws), joined)
    log.info("%d screws, %d loose", len(joined), int(joined["loosening"].sum()))
