"""Record what made these results: versions, configuration, seeds and hashes."""

from pathlib import Path

from spongiosa.cohort.cost import cost_table
from spongiosa.cohort.logs import open_log
from spongiosa.provenance import file_digest, package_versions, write_json, written_whole

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    params = snakemake.params
    output_dir = Path(snakemake.output.run).parent
    results = sorted([*output_dir.glob("cohort/*.parquet"), *output_dir.glob("studies/*/*.parquet")])
    write_json(
        Path(snakemake.output.run),
        {
            "versions": package_versions(),
            "seed": params.configuration["seed"],
            "config_hash": params.config_hash,
            "configuration": params.configuration,
            "code": params.code,
            "results_sha256": {path.relative_to(output_dir).as_posix(): file_digest(path) for path in results},
        },
    )
    with written_whole(Path(snakemake.output.cost)) as part:
        cost_table(output_dir).round(2).to_csv(part, sep="\t", index_label="rule", lineterminator="\n")
    log.info("recorded %d result tables", len(results))
