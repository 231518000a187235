"""Join the tables of all units into the tables of the cohort."""

from pathlib import Path

from spongiosa.cohort.aggregate import UnitTables, aggregate_cohort
from spongiosa.cohort.clinical import read_clinical
from spongiosa.cohort.logs import open_log
from spongiosa.cohort.manifest import read_pseudonym_key
from spongiosa.cohort.schemas import TABLES, arrow_schema
from spongiosa.config.aggregate import AggregateSettings
from spongiosa.config.clinical import ClinicalSettings
from spongiosa.density.indices import derive_indices, joined_patients
from spongiosa.provenance import write_table

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    clinical_settings = ClinicalSettings.model_validate(params.settings["clinical"])
    stages = ("index", "convert", "localise", "mask", "extract", "review")
    cohort = aggregate_cohort(
        UnitTables(
            stages=[[Path(path) for path in inputs[name]] for name in stages],
            series=[Path(path) for path in inputs.series],
            vertebrae=[Path(path) for path in inputs.vertebrae],
            measurements=[Path(path) for path in inputs.measurements],
        ),
        params.overrides,
    )
    indices = derive_indices(
        cohort.scans, cohort.measurements, AggregateSettings.model_validate(params.settings["aggregate"])
    )
    clinical = None
    if clinical_settings.table is not None:
        key = read_pseudonym_key(Path(params.pseudonymise)) if params.pseudonymise else None
        clinical = read_clinical(clinical_settings, set(indices["patient_id"]), key)
    patients = joined_patients(indices, clinical)
    for name in ("scans", "series", "measurements", "vertebrae", "exclusions"):
        schema = arrow_schema(name) if name in TABLES else None
        write_table(Path(outputs[name]), getattr(cohort, name), schema)
    write_table(Path(outputs.patients), patients)
    patients.to_csv(outputs.patients_csv, index=False, lineterminator="\n")
    log.info("%d patients, %d scans, %d measurements", len(patients), len(cohort.scans), len(cohort.measurements))
