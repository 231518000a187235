rule localise_vertebrae:
    input:
        scans=results("units/{unit}/convert_scan.parquet"),
    output:
        scans=results("units/{unit}/localise_vertebrae.parquet"),
    params:
        settings=section("localise"),
        code=code_hash("localise_vertebrae"),
        scans=scans_of("localise_vertebrae"),
        output_dir=CONFIGURATION.output_dir,
    threads: 1
    log:
        logs("localise_vertebrae/{unit}.log"),
    benchmark:
        benchmarks("localise_vertebrae/{unit}.tsv")
    resources:
        mem_mb=memory_for("localise_vertebrae"),
    message:
        "Localising the vertebrae of unit {wildcards.unit}"
    conda:
        "../envs/core.yaml"
    script:
        "../scripts/localise_vertebrae.py"
