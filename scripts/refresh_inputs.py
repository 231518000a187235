"""Look again at sizes and times of all inputs; what was replaced is computed by the next run."""

from pathlib import Path

from spongiosa.cohort.fingerprint import write_fingerprints
from spongiosa.cohort.logs import open_log
from spongiosa.cohort.plan import fingerprints_path, plan_cohort, refreshed_fingerprints
from spongiosa.config.loading import load_configuration

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    plan = plan_cohort(load_configuration(snakemake.params.configuration))
    fingerprints, changed = refreshed_fingerprints(plan)
    write_fingerprints(fingerprints_path(plan.output_dir), fingerprints)
    log.warning("%d of %d scans have changed inputs; run again to compute them.", changed, len(fingerprints))
