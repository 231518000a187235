# Looks again at sizes and times of all inputs; the next run computes what was replaced.
rule refresh_inputs:
    output:
        touch(temp(results("units/refreshed"))),
    log:
        logs("refresh_inputs.log"),
    benchmark:
        benchmarks("refresh_inputs.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        configuration=CONFIGURATION.model_dump(mode="json"),
    message:
        "Looking at the sizes and times of all inputs"
    script:
        "../scripts/refresh_inputs.py"


# Forgets the tables of units with failed scans, so that the next run tries those scans again.
rule retry_failed:
    output:
        touch(temp(results("units/retried"))),
    log:
        logs("retry_failed.log"),
    benchmark:
        benchmarks("retry_failed.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        units=UNITS,
    message:
        "Forgetting failed scans"
    script:
        "../scripts/retry_failed.py"
