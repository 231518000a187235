rule mask_regions:
    input:
        scans=results("units/{unit}/localise_vertebrae.parquet"),
    output:
        scans=results("units/{unit}/mask_regions.parquet"),
        vertebrae=results("units/{unit}/vertebrae.parquet"),
    log:
        logs("mask_regions/{unit}.log"),
    benchmark:
        benchmarks("mask_regions/{unit}.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("mask_regions"),
        runtime=minutes_for("mask_regions"),
    params:
        settings=section("regions"),
        code=code_hash("mask_regions"),
        scans=scans_of("mask_regions"),
    message:
        "Placing the regions of unit {wildcards.unit}"
    script:
        "../scripts/mask_regions.py"
