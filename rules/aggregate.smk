rule aggregate_cohort:
    input:
        index=of_all_units("index_series"),
        convert=of_all_units("convert_scan"),
        localise=of_all_units("localise_vertebrae"),
        mask=of_all_units("mask_regions"),
        extract=of_all_units("extract_density"),
        review=of_all_units("draw_review"),
        series=of_all_units("series"),
        vertebrae=of_all_units("vertebrae"),
        measurements=of_all_units("measurements"),
    output:
        scans=results("cohort/scans.parquet"),
        series=results("cohort/series.parquet"),
        measurements=results("cohort/measurements.parquet"),
        vertebrae=results("cohort/vertebrae.parquet"),
        patients=results("cohort/patients.parquet"),
        patients_csv=results("cohort/patients.csv"),
        exclusions=results("cohort/exclusions.parquet"),
    log:
        logs("aggregate_cohort.log"),
    benchmark:
        benchmarks("aggregate_cohort.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("aggregate_cohort"),
    params:
        settings=section("aggregate", "clinical"),
        code=code_hash("aggregate_cohort"),
        overrides=PLAN.cohort_overrides(),
        clinical_table=table_fingerprint(CONFIGURATION.clinical.table),
        pseudonymise=CONFIGURATION.cohort.pseudonymise,
    message:
        "Joining the tables of all units"
    script:
        "../scripts/aggregate_cohort.py"


# Looks again at sizes and times of all inputs; the next run computes what was replaced.
rule refresh_inputs:
    output:
        touch(temp(results("units/refreshed"))),
    log:
        logs("refresh_inputs.log"),
    benchmark:
        benchmarks("refresh_inputs.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        configuration=CONFIGURATION.model_dump(mode="json"),
    message:
        "Looking at the sizes and times of all inputs"
    script:
        "../scripts/refresh_inputs.py"


# Forgets the tables of units with failed scans, so that the next run tries those scans again.
rule retry_failed:
    output:
        touch(temp(results("units/retried"))),
    log:
        logs("retry_failed.log"),
    benchmark:
        benchmarks("retry_failed.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        units=UNITS,
    message:
        "Forgetting failed scans"
    script:
        "../scripts/retry_failed.py"
