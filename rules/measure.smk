rule extract_density:
    input:
        scans=results("units/{unit}/mask_regions.parquet"),
    output:
        scans=results("units/{unit}/extract_density.parquet"),
        measurements=results("units/{unit}/measurements.parquet"),
    params:
        settings=section("calibration", "extract"),
        code=code_hash("extract_density"),
        scans=scans_of("extract_density"),
        output_dir=CONFIGURATION.output_dir,
        config_hash=measuring_hash(CONFIGURATION),
    threads: 1
    log:
        logs("extract_density/{unit}.log"),
    benchmark:
        benchmarks("extract_density/{unit}.tsv")
    resources:
        mem_mb=memory_for("extract_density"),
    message:
        "Measuring the density of unit {wildcards.unit}"
    conda:
        "../envs/core.yaml"
    script:
        "../scripts/extract_density.py"
