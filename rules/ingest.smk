from spongiosa.cohort.handover import COLUMNS_OF_STAGE


rule index_series:
    output:
        scans=results("units/{unit}/index_series.parquet"),
        series=results("units/{unit}/series.parquet"),
    log:
        logs("index_series/{unit}.log"),
    benchmark:
        benchmarks("index_series/{unit}.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("index_series"),
        runtime=minutes_for("index_series"),
    params:
        settings=section("series") | {"personal": personal_settings(), "secret": KEYS.fingerprints["secret"]},
        code=code_hash("index_series"),
        scans=scans_of("index_series"),
    message:
        "Reading the DICOM headers of unit {wildcards.unit}"
    script:
        "../scripts/index_series.py"


rule convert_scan:
    input:
        scans=results("units/{unit}/index_series.parquet"),
    output:
        scans=results("units/{unit}/convert_scan.parquet"),
    log:
        logs("convert_scan/{unit}.log"),
    benchmark:
        benchmarks("convert_scan/{unit}.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("convert_scan"),
        runtime=minutes_for("convert_scan"),
    params:
        settings=section("series", "convert"),
        code=code_hash("convert_scan"),
        scans=scans_of("convert_scan"),
    message:
        "Converting the scans of unit {wildcards.unit}"
    script:
        "../scripts/convert_scan.py"


# What is kept of the converted scans once all their stages are done (convert.keep).
rule trim_scans:
    input:
        stages=[results(f"units/{{unit}}/{stage}.parquet") for stage in COLUMNS_OF_STAGE],
    output:
        trimmed=results("units/{unit}/trim_scans.parquet"),
    log:
        logs("trim_scans/{unit}.log"),
    benchmark:
        benchmarks("trim_scans/{unit}.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("convert_scan"),
        runtime=minutes_for("convert_scan"),
    params:
        keep=CONFIGURATION.convert.keep,
        code=code_hash("trim_scans"),
        scans=scans_of("convert_scan"),
    message:
        "Keeping what convert.keep says of the scans of unit {wildcards.unit}"
    script:
        "../scripts/trim_scans.py"


def trimmed_units():
    """The units whose scans are not kept whole; with `keep: full` those that are to have them back."""
    tables = of_all_units("trim_scans")
    return tables if CONFIGURATION.convert.keep != "full" else [table for table in tables if os.path.exists(table)]
