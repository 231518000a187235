"""Join the manual measurements of readers with what the workflow measured at the same place."""

from pathlib import Path

import pandas as pd

from spongiosa.cohort.logs import open_log
from spongiosa.cohort.manifest import read_pseudonym_key
from spongiosa.cohort.reader_table import SCAN, join_readers, read_readers
from spongiosa.provenance import write_table

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    inputs, params = snakemake.input, snakemake.params
    scans = pd.read_parquet(inputs.scans, columns=SCAN)
    key = read_pseudonym_key(Path(params.pseudonymise)) if params.pseudonymise else None
    readings = read_readers(Path(params.table), set(scans.itertuples(index=False, name=None)), key)
    patients = sorted(readings["patient_id"].unique())
    measurements = pd.read_parquet(inputs.measurements, filters=[("patient_id", "in", patients)])
    joined = join_readers(readings, measurements)
    write_table(Path(snakemake.output.readers), joined)
    log.info("%d readings, %d with a value of the workflow", len(joined), joined["software_value"].notna().sum())
