"""Merge the tables of cohorts that several sites computed apart."""

from pathlib import Path

import pandas as pd

from spongiosa.cohort.logs import open_log
from spongiosa.cohort.sites import check_sites, merge_tables, overview, read_sites, tables_of
from spongiosa.provenance import write_csv, write_table

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    outputs, params = snakemake.output, snakemake.params
    sites = read_sites(params.sites)
    for sentence in check_sites(sites, params.ids, params.allow_differences):
        log.warning("Merged all the same: %s", sentence)
    rows = merge_tables(sites, {name: Path(outputs[name]) for name in tables_of(sites)}, params.ids)
    patients = pd.read_parquet(outputs.patients)
    write_csv(Path(outputs.patients_csv), patients)
    scans = pd.read_parquet(outputs.scans, columns=["site", "patient_id", "status"])
    write_table(Path(outputs.sites), overview(sites, scans))
    log.info("%d sites, %d patients, %d measurements", len(sites), rows["patients"], rows["measurements"])
