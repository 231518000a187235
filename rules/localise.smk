def environment_for_localisation():
    """TotalSegmentator lives in an environment of its own, for those who use it."""
    name = "totalsegmentator" if CONFIGURATION.localise.method == "totalsegmentator" else "core"
    return f"../envs/{name}.yaml"


rule localise_vertebrae:
    input:
        scans=results("units/{unit}/convert_scan.parquet"),
    output:
        scans=results("units/{unit}/localise_vertebrae.parquet"),
    log:
        logs("localise_vertebrae/{unit}.log"),
    benchmark:
        benchmarks("localise_vertebrae/{unit}.tsv")
    conda:
        environment_for_localisation()
    threads: 1
    resources:
        mem_mb=memory_for("localise_vertebrae"),
        runtime=minutes_for("localise_vertebrae"),
        gpu=gpus_for_localisation(),
    params:
        settings=section("localise"),
        code=code_hash("localise_vertebrae"),
        scans=scans_of("localise_vertebrae"),
    message:
        "Localising the vertebrae of unit {wildcards.unit}"
    script:
        "../scripts/localise_vertebrae.py"
