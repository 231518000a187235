rule extract_density:
    input:
        scans=results("units/{unit}/mask_regions.parquet"),
    output:
        scans=results("units/{unit}/extract_density.parquet"),
        measurements=results("units/{unit}/measurements.parquet"),
        calibration=results("units/{unit}/calibration.parquet"),
    log:
        logs("extract_density/{unit}.log"),
    benchmark:
        benchmarks("extract_density/{unit}.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("extract_density"),
        runtime=minutes_for("extract_density"),
    params:
        settings=section("calibration", "internal_calibration", "contrast", "quality", "extract"),
        code=code_hash("extract_density"),
        scans=scans_of("extract_density"),
        config_hash=CONFIG_HASH,
    message:
        "Measuring the density of unit {wildcards.unit}"
    script:
        "../scripts/extract_density.py"
