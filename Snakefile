# Spongiosa: vertebral bone density of a cohort of CT scans, from DICOM to the statistical report.
# Start with: snakemake --configfile my_study.yaml

from snakemake.utils import min_version

min_version("9.10")


include: "rules/common.smk"
include: "rules/ingest.smk"
include: "rules/localise.smk"
include: "rules/mask.smk"
include: "rules/measure.smk"
# The tables of the cohort come from its units, or from sites that were computed before.
include: "rules/sites.smk" if SITES else "rules/aggregate.smk"
include: "rules/upkeep.smk"
include: "rules/report.smk"


localrules:
    all,
    confirm_cohort,
    record_run,
    refresh_inputs,
    retry_failed,


# Everything: the measurements, the studies and the report; ends with an error when a scan failed.
# What the report is made of is asked for by name: Snakemake makes a deleted file again only where somebody wants it.
rule all:
    default_target: True
    input:
        [] if SITES else rules.aggregate_cohort.input,
        rules.render_report.input,
        results("report/index.html"),
        results("run.json"),
        results("cohort/confirmed.json"),
        trimmed_units(),


# The tables of the cohort, without studies and report.
rule measurements:
    input:
        results("cohort/measurements.parquet"),
        results("cohort/patients.parquet"),
