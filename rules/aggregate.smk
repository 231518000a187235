from spongiosa.cohort.tables_beside import check_tables_beside

# Readers and screws are looked at before anything runs, as the clinical table is.
if workflow.is_main_process:
    try:
        check_tables_beside(CONFIGURATION, PLAN.rows)
    except InputFaults as fault:
        raise WorkflowError(str(fault)) from None


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
        calibration=of_all_units("calibration"),
    output:
        scans=results("cohort/scans.parquet"),
        series=results("cohort/series.parquet"),
        measurements=results("cohort/measurements.parquet"),
        calibration=results("cohort/calibration.parquet"),
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
        headers=personal_settings(),
    message:
        "Joining the tables of all units"
    script:
        "../scripts/aggregate_cohort.py"


# Manual measurements beside those of the workflow; made when readers.table is given.
rule join_readers:
    input:
        scans=results("cohort/scans.parquet"),
        measurements=results("cohort/measurements.parquet"),
    output:
        readers=results("cohort/readers.parquet"),
    log:
        logs("join_readers.log"),
    benchmark:
        benchmarks("join_readers.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("aggregate_cohort"),
    params:
        table=CONFIGURATION.readers.table,
        content=table_fingerprint(CONFIGURATION.readers.table),
        code=code_hash("join_readers"),
        pseudonymise=CONFIGURATION.cohort.pseudonymise,
    message:
        "Joining the manual measurements"
    script:
        "../scripts/join_readers.py"


# Single screws with the bone around each; made when clinical.screws is given.
rule join_screws:
    input:
        patients=results("cohort/patients.parquet"),
        measurements=results("cohort/measurements.parquet"),
    output:
        screws=results("cohort/screws.parquet"),
    log:
        logs("join_screws.log"),
    benchmark:
        benchmarks("join_screws.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("aggregate_cohort"),
    params:
        table=CONFIGURATION.clinical.screws,
        content=table_fingerprint(CONFIGURATION.clinical.screws),
        code=code_hash("join_screws"),
        session=CONFIGURATION.aggregate.session,
        allow_unmatched=CONFIGURATION.clinical.allow_unmatched,
        pseudonymise=CONFIGURATION.cohort.pseudonymise,
    message:
        "Joining the outcomes of single screws"
    script:
        "../scripts/join_screws.py"
