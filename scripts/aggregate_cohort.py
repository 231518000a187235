"""Join the tables of all units into the tables of the cohort."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from spongiosa.cohort.acquisition import acquisition_of_patients
from spongiosa.cohort.aggregate import UnitTables, aggregate_cohort, with_left_out_levels
from spongiosa.cohort.batches import COHORT_TABLES, batches_of_patients, cohort_writer
from spongiosa.cohort.calibration_table import calibration_of_scans
from spongiosa.cohort.clinical import read_clinical, read_clinical_dates
from spongiosa.cohort.header_facts import days_of, header_facts, with_header_facts
from spongiosa.cohort.left_out_levels import left_out_levels, levels_in_words
from spongiosa.cohort.logs import open_log
from spongiosa.cohort.manifest import read_pseudonym_key
from spongiosa.cohort.secret import project_secret
from spongiosa.config.aggregate import AggregateSettings
from spongiosa.config.clinical import ClinicalSettings
from spongiosa.density.indices import derive_indices, joined_patients
from spongiosa.provenance import read_tables, write_csv, write_table

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
    output_dir = Path(outputs.scans).parents[1]
    settings = AggregateSettings.model_validate(params.settings["aggregate"])
    clinical, dxa_days = None, {}
    if clinical_settings.table is not None:
        key = read_pseudonym_key(Path(params.pseudonymise)) if params.pseudonymise else None
        patients_of_cohort = set(read_tables(tables.stages[-1])["patient_id"])
        clinical = read_clinical(clinical_settings, patients_of_cohort, key)
        if params.headers["dates"] == "offset":
            dxa_days = days_of(
                read_clinical_dates(clinical_settings, "dxa_date", key),
                project_secret(snakemake.config["cohort"].get("secret")) or b"",
            )
    counts = dict.fromkeys(COHORT_TABLES, 0)
    indices, acquisition, words, facts = [], [], [], []
    with cohort_writer({name: Path(outputs[name]) for name in COHORT_TABLES}, tables) as write:
        for batch in batches_of_patients(tables):
            cohort = aggregate_cohort(batch, params.overrides)
            left_out = left_out_levels(clinical, cohort.vertebrae, settings)
            left_out = left_out[left_out["patient_id"].isin(cohort.scans["patient_id"])]
            cohort = with_left_out_levels(cohort, left_out, settings.session)
            extracted = batch.read(batch.stages[stages.index("extract")])
            cohort = replace(cohort, calibration=calibration_of_scans(extracted, output_dir))
            indices.append(derive_indices(cohort.scans, cohort.measurements, settings, left_out))
            acquisition.append(acquisition_of_patients(cohort.measurements, settings.session))
            words.append(levels_in_words(left_out))
            facts.append(header_facts(cohort.series, settings.session))
            for name, rows in write(cohort).items():
                counts[name] += rows
    clinical = with_header_facts(clinical, pd.concat(facts, ignore_index=True), params.headers["patient_age"], dxa_days)
    further = (pd.concat(acquisition, ignore_index=True), pd.concat(words, ignore_index=True))
    patients = joined_patients(pd.concat(indices, ignore_index=True), clinical, *further)
    write_table(Path(outputs.patients), patients)
    write_csv(Path(outputs.patients_csv), patients)
    log.info("%d patients, %d scans, %d measurements", len(patients), counts["scans"], counts["measurements"])
