"""Join the tables of all units into the tables of the cohort."""

from pathlib import Path

from spongiosa.cohort.aggregate import UnitTables
from spongiosa.cohort.clinical import read_clinical, read_clinical_dates
from spongiosa.cohort.header_facts import days_of
from spongiosa.cohort.join import KnownOfPatients, join_units
from spongiosa.cohort.logs import open_log
from spongiosa.cohort.manifest import read_pseudonym_key
from spongiosa.cohort.secret import project_secret
from spongiosa.config.aggregate import AggregateSettings
from spongiosa.config.clinical import ClinicalSettings
from spongiosa.density.indices import derive_indices

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    params = snakemake.params
    clinical_settings = ClinicalSettings.model_validate(params.settings["clinical"])
    tables = UnitTables([Path(path).parent for path in snakemake.input.review])
    clinical, dxa_days = None, {}
    if clinical_settings.table is not None:
        key = read_pseudonym_key(Path(params.pseudonymise)) if params.pseudonymise else None
        clinical = read_clinical(clinical_settings, set(tables.read(tables.stages[-1])["patient_id"]), key)
        if params.headers["dates"] == "offset":
            dxa_days = days_of(
                read_clinical_dates(clinical_settings, "dxa_date", key),
                project_secret(snakemake.config["cohort"].get("secret")) or b"",
            )
    rows = join_units(
        tables,
        {name: Path(path) for name, path in snakemake.output.items()},
        AggregateSettings.model_validate(params.settings["aggregate"]),
        derive_indices,
        KnownOfPatients(params.overrides, clinical, params.headers["patient_age"], dxa_days),
    )
    log.info("%d patients, %d scans, %d measurements", *(rows[name] for name in ("patients", "scans", "measurements")))
