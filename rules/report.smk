from spongiosa.studies.needs import NEEDS, PICTURES


wildcard_constraints:
    part=r"\w+",


def study_tables(names):
    """The tables beside the patients that a study reads, as far as the configuration gives them."""
    given = {"readers": CONFIGURATION.readers.table, "screws": CONFIGURATION.clinical.screws}
    return {name: results(f"cohort/{name}.parquet") for name in names if given[name] is not None}


def study_settings(study, ignored=()):
    """The settings of a study without those that a fit does not read."""
    return {key: value for key, value in section(f"studies.{study}")[study].items() if key not in (*ignored, PICTURES)}


def picture_settings(study):
    """Whose pictures a study shows; None where it has none."""
    return section(f"studies.{study}")[study].get(PICTURES)


def chosen_thresholds(names):
    """The thresholds of these names."""
    return {name: section("thresholds")["thresholds"][name] for name in names}


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


# A fit knows the thresholds that it reads and no other, so that another one does not refit it.
rule fit_study:
    input:
        unpack(lambda wildcards: study_tables(NEEDS[wildcards.study].fits[wildcards.part].tables)),
        patients=results("cohort/patients.parquet"),
    output:
        fit=results("studies/{study}/fits/{part}.json"),
    log:
        logs("fit_study/{study}_{part}.log"),
    benchmark:
        benchmarks("fit_study/{study}_{part}.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("fit_study"),
    params:
        settings=lambda wildcards: study_settings(wildcards.study, NEEDS[wildcards.study].fits[wildcards.part].ignores),
        thresholds=lambda wildcards: chosen_thresholds(NEEDS[wildcards.study].fits[wildcards.part].thresholds),
        code=lambda wildcards: code_hash("fit_study", f"spongiosa.studies.{wildcards.study}"),
        seed=CONFIGURATION.seed,
    message:
        "Fitting {wildcards.part} of the study {wildcards.study}"
    script:
        "../scripts/fit_study.py"


rule analyse_study:
    input:
        unpack(lambda wildcards: study_tables(NEEDS[wildcards.study].tables)),
        patients=results("cohort/patients.parquet"),
        fits=lambda wildcards: [
            results(f"studies/{wildcards.study}/fits/{part}.json") for part in NEEDS[wildcards.study].fits
        ],
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
        settings=lambda wildcards: study_settings(wildcards.study),
        thresholds=lambda wildcards: chosen_thresholds(NEEDS[wildcards.study].thresholds),
        code=lambda wildcards: code_hash("analyse_study", f"spongiosa.studies.{wildcards.study}"),
        seed=CONFIGURATION.seed,
    message:
        "Analysing the study {wildcards.study}"
    script:
        "../scripts/analyse_study.py"


# The regions of a study on the scan of one patient, after the scans lie as they are kept.
rule draw_panels:
    input:
        unpack(lambda wildcards: study_tables([name for name in NEEDS[wildcards.study].tables if name == "screws"])),
        patients=results("cohort/patients.parquet"),
        scans=results("cohort/scans.parquet"),
        kept=trimmed_units(),
    output:
        pictures=results("studies/{study}/pictures/pictures.json"),
    log:
        logs("draw_panels/{study}.log"),
    benchmark:
        benchmarks("draw_panels/{study}.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("draw_panels"),
    params:
        settings=lambda wildcards: picture_settings(wildcards.study),
        session=CONFIGURATION.aggregate.session,
        code=code_hash("draw_panels"),
    message:
        "Drawing the pictures of the study {wildcards.study}"
    script:
        "../scripts/draw_panels.py"


rule render_report:
    input:
        scans=results("cohort/scans.parquet"),
        series=results("cohort/series.parquet"),
        measurements=results("cohort/measurements.parquet"),
        vertebrae=results("cohort/vertebrae.parquet"),
        patients=results("cohort/patients.parquet"),
        exclusions=results("cohort/exclusions.parquet"),
        studies=[results(f"studies/{study}/audit.json") for study in STUDIES],
        pictures=[results(f"studies/{study}/pictures/pictures.json") for study in STUDIES if picture_settings(study)],
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
        code={stage: code_hash(stage) for stage in (*COLUMNS_OF_STAGE, *MEMORY_MB)},
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
