rule mask_regions:
    input:
        scans=results("units/{unit}/localise_vertebrae.parquet"),
    output:
        scans=results("units/{unit}/mask_regions.parquet"),
        vertebrae=results("units/{unit}/vertebrae.parquet"),
    params:
        settings=section("regions"),
        code=code_hash("mask_regions"),
        scans=scans_of("mask_regions"),
        output_dir=CONFIGURATION.output_dir,
    threads: 1
    log:
        logs("mask_regions/{unit}.log"),
    benchmark:
        benchmarks("mask_regions/{unit}.tsv")
    resources:
        mem_mb=memory_for("mask_regions"),
    message:
        "Placing the regions of unit {wildcards.unit}"
    conda:
        "../envs/core.yaml"
    script:
        "../scripts/mask_regions.py"
