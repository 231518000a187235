# What all rules share: the checked configuration, the cohort's plan, and the names of files.

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from spongiosa.code_identity import code_hash, recall, remember
from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.job_requests import AT_NEXT_TRY, largest_scan_megavoxels, memory_mb, minutes
from spongiosa.cohort.keys import keys_of_job, ready_keys
from spongiosa.cohort.plan import (
    begin_run,
    clinical_table,
    plan_cohort,
    recorded_plan,
    table_fingerprint,
)
from spongiosa.cohort.sites import check_sites, merged_hash, read_sites, tables_of
from spongiosa.config.loading import ConfigurationError, load_configuration
from spongiosa.config.sections import enabled_studies, measuring_hash, section_of
from spongiosa.provenance import read_run_versions, changed_versions, package_versions

# One thread per library and job; a rule that wants more says so in `threads`.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Memory that the rules of the cohort ask for at their first attempt, for 100,000 patients; docs/cluster.md. [MB]
MEMORY_MB = {
    "aggregate_cohort": 2000,
    "merge_sites": 2000,
    "fit_study": 1500,
    "analyse_study": 1500,
    "draw_panels": 2000,
    "render_report": 2000,
}

# What earlier starts found in the files of the code: saves every start, and every job of a cluster, a second.
CODE_FACTS = Path(".snakemake/spongiosa/code.json")
recall(CODE_FACTS)

try:
    CONFIGURATION = load_configuration(config)
    SITES = read_sites(CONFIGURATION.cohort.sites)
    if workflow.is_main_process and SITES:
        check_sites(SITES, CONFIGURATION.cohort.site_ids, CONFIGURATION.cohort.allow_different_sites)
    if workflow.is_main_process:
        KEYS = ready_keys(CONFIGURATION.cohort, Path(CONFIGURATION.output_dir))
        PLAN = plan_cohort(CONFIGURATION)
        clinical_table(CONFIGURATION, {row.patient_id for row in PLAN.rows})
    else:
        KEYS = keys_of_job(CONFIGURATION.cohort, Path(CONFIGURATION.output_dir))
        PLAN = recorded_plan(CONFIGURATION)
except (ConfigurationError, InputFaults) as fault:
    raise WorkflowError(str(fault)) from None

UNITS = PLAN.units
# Of the settings by which everything was measured: in this run, or in those of the sites.
CONFIG_HASH = merged_hash(SITES) if SITES else measuring_hash(CONFIGURATION)
STUDIES = enabled_studies(CONFIGURATION)

if workflow.is_main_process:
    for sentence in changed_versions(
        read_run_versions(Path(CONFIGURATION.output_dir) / "run.json"), package_versions()
    ):
        logger.warning(f"Results of an earlier run were made with another version; {sentence}")


# Held until this process ends, however it ends.
RUN_LOCKS = []


# A dry run, and a run that finds nothing to do, record nothing.
onstart:
    try:
        RUN_LOCKS.append(begin_run(PLAN))
        remember(CODE_FACTS)
    except InputFaults as fault:
        raise WorkflowError(str(fault)) from None


wildcard_constraints:
    unit=r"u\d+",
    study="|".join(STUDIES) or "none",


def results(path):
    """A path below the folder of all results."""
    return f"{CONFIGURATION.output_dir}/{path}"


def logs(path):
    """A path below the folder of logs."""
    return results(f"logs/{path}")


def benchmarks(path):
    """A path below the folder of benchmarks."""
    return results(f"benchmarks/{path}")


def section(*names):
    """The sections of the configuration that a rule reads, and no more."""
    return section_of(CONFIGURATION, *names)


def personal_settings():
    """What the configuration lets pass of age, sex and dates."""
    return CONFIGURATION.convert.model_dump(mode="json", include={"patient_age", "patient_sex", "dates"})


def scans_of(stage):
    """Hash of the scans of a unit as a stage may know them; a change here runs the stage again for that unit."""
    return lambda wildcards: PLAN.hash_of_scans(wildcards.unit, stage)


def largest_scan(unit, tables):
    """Million voxels of the largest scan of a unit, or None; a job whose tables are not there yet is asked later."""
    for table in tables:
        os.stat(table)  # Snakemake takes the absence of an input for "to be determined"
    return largest_scan_megavoxels(Path(results(f"units/{unit}/series.parquet")))


def memory_for(rule):
    """Memory of a job; one that was killed for it is given three times as much at its next tries. [MB]"""
    if rule in MEMORY_MB:
        return lambda wildcards, attempt: MEMORY_MB[rule] * (1 if attempt == 1 else AT_NEXT_TRY)

    def memory(wildcards, input, attempt):
        size = largest_scan(wildcards.unit, input) if rule != "index_series" else None
        return memory_mb(rule, size, PLAN.has_labels(wildcards.unit), attempt, CONFIGURATION.localise.method)

    return memory


def minutes_for(stage):
    """Time limit of a unit's job; it grows with the attempt. [min]"""

    def time_limit(wildcards, input, attempt):
        size = largest_scan(wildcards.unit, input) if stage != "index_series" else None
        return minutes(stage, PLAN.scan_count(wildcards.unit), size, attempt)

    return time_limit


def gpus_for_localisation():
    """Only TotalSegmentator has a use for a GPU."""
    return 1 if CONFIGURATION.localise.method == "totalsegmentator" else 0


def of_all_units(table):
    """One table of every unit."""
    return [results(f"units/{unit}/{table}.parquet") for unit in UNITS]
