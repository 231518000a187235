"""Forget the tables of units with failed scans, so that the next run tries those scans again."""

from pathlib import Path

from spongiosa.cohort.logs import open_log
from spongiosa.cohort.retry import forget_failed

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    forgotten = forget_failed(Path(snakemake.output[0]).parents[1], snakemake.params.units)
    log.warning("%d scans had failed; run again to try them again.", forgotten)
