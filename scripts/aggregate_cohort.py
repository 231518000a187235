"""Join the tables of all units into the tables of the cohort."""

from pathlib import Path

import pandas as pd

from spongiosa.cohort.acquisition import acquisition_of_patients
from spongiosa.cohort.aggregate import UnitTables, aggregate_cohort, with_left_out_levels
from spongiosa.cohort.batches import COHORT_TABLES, batches_of_patients, cohort_writer
from spongiosa.cohort.clinical import read_clinical
from spongiosa.cohort.left_out_levels import left_out_levels, levels_in_words
from spongiosa.cohort.logs import open_log
from spongiosa.cohort.manifest import read_pseudonym_key
from spongiosa.config.aggregate import AggregateSettings
from spongiosa.config.clinical import ClinicalSettings
from spongiosa.density.indices import derive_indices, joined_patients
from spongiosa.provenance import read_tables, write_table

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    clinical_settings = ClinicalSettings.model_validate(params.settings["clinical"])
    stages = ("index", "convert", "localise", "mask", "extract", "review")
    tables = UnitTables(
        stages=[[Path(path) for path in inputs[name]] for name in stages],
        series=[Path(path) for path in inputs.series],
        vertebrae=[Path(path) for path in inputs.vertebrae],
        measurements=[Path(path) for path in inputs.measurements],
    )
    settings = AggregateSettings.model_validate(params.settings["aggregate"])
    clinical = None
    if clinical_settings.table is not None:
        key = read_pseudonym_key(Path(params.pseudonymise)) if params.pseudonymise else None
        patients_of_cohort = set(read_tables(tables.stages[-1])["patient_id"])
        clinical = read_clinical(clinical_settings, patients_of_cohort, key)
    counts = dict.fromkeys(COHORT_TABLES, 0)
    indices, acquisition, words = [], [], []
    with cohort_writer({name: Path(outputs[name]) for name in COHORT_TABLES}, tables) as write:
        for batch in batches_of_patients(tables):
            cohort = aggregate_cohort(batch, params.overrides)
            left_out = left_out_levels(clinical, cohort.vertebrae, settings)
            left_out = left_out[left_out["patient_id"].isin(cohort.scans["patient_id"])]
            cohort = with_left_out_levels(cohort, left_out, settings.session)
            indices.append(derive_indices(cohort.scans, cohort.measurements, settings, left_out))
            acquisition.append(acquisition_of_patients(cohort.measurements, settings.session))
            words.append(levels_in_words(left_out))
            for name, rows in write(cohort).items():
                counts[name] += rows
    further = (pd.concat(acquisition, ignore_index=True), pd.concat(words, ignore_index=True))
    patients = joined_patients(pd.concat(indices, ignore_index=True), clinical, *further)
    write_table(Path(outputs.patients), patients)
    patients.to_csv(outputs.patients_csv, index=False, lineterminator="\n")
    log.info("%d patients, %d scans, %d measurements", len(patients), counts["scans"], counts["measurements"])
