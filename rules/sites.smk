# In place of the stages, where `cohort.sites` names the results of cohorts that were computed before.
rule merge_sites:
    input:
        runs=[site.folder / "run.json" for site in SITES],
        tables=[site.table(name) for site in SITES for name in tables_of(SITES)],
    output:
        **{name: results(f"cohort/{name}.parquet") for name in tables_of(SITES)},
        patients_csv=results("cohort/patients.csv"),
        sites=results("cohort/sites.parquet"),
    log:
        logs("merge_sites.log"),
    benchmark:
        benchmarks("merge_sites.tsv")
    conda:
        "../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=memory_for("merge_sites"),
    params:
        sites=CONFIGURATION.cohort.sites,
        ids=CONFIGURATION.cohort.site_ids,
        allow_differences=CONFIGURATION.cohort.allow_different_sites,
        code=code_hash("merge_sites"),
    message:
        "Merging the cohorts of all sites"
    script:
        "../scripts/merge_sites.py"
