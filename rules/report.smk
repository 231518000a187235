rule draw_review:
    input:
        scans=results("units/{unit}/mask_regions.parquet"),
    output:
        scans=results("units/{unit}/draw_review.parquet"),
    params:
        settings=section("review"),
        code=code_hash("draw_review"),
        scans=scans_of("draw_review"),
        output_dir=CONFIGURATION.output_dir,
    threads: 1
    log:
        logs("draw_review/{unit}.log"),
    benchmark:
        benchmarks("draw_review/{unit}.tsv")
    resources:
        mem_mb=memory_for("draw_review"),
    message:
        "Drawing the review pictures of unit {wildcards.unit}"
    conda:
        "../envs/core.yaml"
    script:
        "../scripts/draw_review.py"


rule analyse_study:
    input:
        patients=results("cohort/patients.parquet"),
    output:
        audit=results("studies/{study}/audit.json"),
    params:
        settings=lambda wildcards: section("thresholds", f"studies.{wildcards.study}"),
        code=code_hash("analyse_study"),
        seed=CONFIGURATION.seed,
    threads: 1
    log:
        logs("analyse_study/{study}.log"),
    benchmark:
        benchmarks("analyse_study/{study}.tsv")
    resources:
        mem_mb=memory_for("analyse_study"),
    message:
        "Analysing the study {wildcards.study}"
    conda:
        "../envs/core.yaml"
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
    params:
        settings=section("report", "thresholds"),
        code=code_hash("render_report"),
        output_dir=CONFIGURATION.output_dir,
        seed=CONFIGURATION.seed,
        config_hash=measuring_hash(CONFIGURATION),
    threads: 1
    log:
        logs("render_report.log"),
    benchmark:
        benchmarks("render_report.tsv")
    resources:
        mem_mb=memory_for("render_report"),
    message:
        "Writing the report"
    conda:
        "../envs/core.yaml"
    script:
        "../scripts/render_report.py"


rule record_run:
    input:
        page=results("report/index.html"),
    output:
        run=results("run.json"),
    params:
        configuration=CONFIGURATION.model_dump(mode="json"),
        code={stage: code_hash(stage) for stage in MEMORY_MB},
        config_hash=measuring_hash(CONFIGURATION),
        output_dir=CONFIGURATION.output_dir,
    threads: 1
    log:
        logs("record_run.log"),
    benchmark:
        benchmarks("record_run.tsv")
    resources:
        mem_mb=1000,
    message:
        "Recording versions, configuration, seeds and hashes"
    conda:
        "../envs/core.yaml"
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
    params:
        code=code_hash("confirm_cohort"),
    threads: 1
    log:
        logs("confirm_cohort.log"),
    benchmark:
        benchmarks("confirm_cohort.tsv")
    resources:
        mem_mb=1000,
    message:
        "Looking for scans that failed"
    conda:
        "../envs/core.yaml"
    script:
        "../scripts/confirm_cohort.py"
