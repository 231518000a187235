"""End the run with an error when a scan failed, after everything else was made."""

import sys
from pathlib import Path

import pandas as pd

from spongiosa.cohort.logs import open_log
from spongiosa.provenance import write_json

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    scans = pd.read_parquet(snakemake.input.scans)
    failed = scans[scans["status"] == "failed"]
    for scan in failed.itertuples():
        log.error("Patient %s, %s %s failed: %s", scan.patient_id, scan.session, scan.modality, scan.detail)
    if len(failed):
        log.error("%d of %d scans failed; results and report hold the others.", len(failed), len(scans))
        log.error("After the cause is mended: snakemake retry_failed ..., then run again.")
        sys.exit(1)
    counts = scans["status"].value_counts().sort_index().to_dict()
    write_json(Path(snakemake.output.confirmed), {"scans": len(scans), **counts})
