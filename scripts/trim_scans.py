"""Leave of each converted scan what `convert.keep` says, now that its last stage is done."""

import sys
from pathlib import Path

import pandas as pd

from spongiosa.cohort.handover import scans_of_job
from spongiosa.cohort.keeping import restorer, trim_unit
from spongiosa.cohort.logs import open_log
from spongiosa.cohort.scan import Scan
from spongiosa.provenance import digest, read_tables, write_table

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    params, unit = snakemake.params, snakemake.wildcards.unit
    output_dir = Path(snakemake.output.trimmed).parents[2]
    rows = scans_of_job(output_dir, unit, "convert_scan", params.scans)
    scans = [Scan(row["patient_id"], row["session"], row["modality"], output_dir, row) for row in rows]
    statuses = {}
    for table in snakemake.input.stages:
        for row in read_tables([Path(table)]).itertuples():
            statuses.setdefault((row.patient_id, row.session, row.modality), {})[row.stage] = row.status
    restore = restorer(snakemake.config, output_dir, unit, snakemake.threads)
    outcomes = pd.DataFrame(trim_unit(scans, statuses, params.keep, digest(params.keep, params.code), restore))
    failed = int((outcomes["done"] == "failed").sum())
    if failed:
        log.error("%d of %d scans could not be cut down; see the log of unit %s.", failed, len(outcomes), unit)
        sys.exit(1)
    write_table(Path(snakemake.output.trimmed), outcomes)
