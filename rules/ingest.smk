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
