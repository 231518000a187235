rule draw_review:
    input:
        scans=results("units/{unit}/mask_regions.parquet"),
    output:
        scans=results("units/{unit}/draw_review.parquet"),
    log:
        logs("draw_review/{unit}.log"),
    benchmark:
        benchmarks("draw_review/{unit}.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("draw_review"),
        runtime=minutes_for("draw_review"),
    params:
        settings=section("review"),
        code=code_hash("draw_review"),
        scans=scans_of("draw_review"),
    message:
        "Drawing the review pictures of unit {wildcards.unit}"
    script:
        "../scripts/draw_review.py"


rule analyse_study:
    input:
        patients=results("cohort/patients.parquet"),
    output:
        audit=results("studies/{study}/audit.json"),
    log:
        logs("analyse_study/{study}.log"),
    benchmark:
        benchmarks("analyse_study/{study}.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("analyse_study"),
    params:
        settings=lambda wildcards: section("thresholds", f"studies.{wildcards.study}"),
        code=lambda wildcards: code_hash("analyse_study", f"spongiosa.studies.{wildcards.study}"),
        seed=CONFIGURATION.seed,
    message:
        "Analysing the study {wildcards.study}"
    script:
        "../scripts/analyse_study.py"


rule render_report:
    input:
        scans=results("cohort/scans.parquet"),
        series=results("cohort/series.parquet"),
        measurements=results("cohort/measurements.parquet"),
        vertebrae=results("cohort/vertebrae.parquet"),
        patients=results("cohort/patients.parquet"),
        exclusions=results("cohort/exclusions.parquet"),
        studies=[results(f"studies/{study}/audit.json") for study in STUDIES],
    output:
        page=results("report/index.html"),
    log:
        logs("render_report.log"),
    benchmark:
        benchmarks("render_report.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("render_report"),
    params:
        settings=section("report"),
        code=code_hash("render_report"),
        seed=CONFIGURATION.seed,
        config_hash=CONFIG_HASH,
    message:
        "Writing the report"
    script:
        "../scripts/render_report.py"


rule record_run:
    input:
        page=results("report/index.html"),
    output:
        run=results("run.json"),
        cost=results("cost.tsv"),
    log:
        logs("record_run.log"),
    benchmark:
        benchmarks("record_run.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        configuration=CONFIGURATION.model_dump(mode="json"),
        code={stage: code_hash(stage) for stage in MEMORY_MB},
        config_hash=CONFIG_HASH,
    message:
        "Recording versions, configuration, seeds and hashes"
    script:
        "../scripts/record_run.py"


# Ends the run with an error when a scan failed; everything else is made before.
rule confirm_cohort:
    input:
        scans=results("cohort/scans.parquet"),
        page=results("report/index.html"),
        run=results("run.json"),
    output:
        confirmed=results("cohort/confirmed.json"),
    log:
        logs("confirm_cohort.log"),
    benchmark:
        benchmarks("confirm_cohort.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        code=code_hash("confirm_cohort"),
    message:
        "Looking for scans that failed"
    script:
        "../scripts/confirm_cohort.py"
