"""Draw the pictures of one study: regions on the scan of a chosen patient, or of a synthetic one."""

from pathlib import Path

import pandas as pd

from spongiosa.cohort.logs import open_log
from spongiosa.config.studies import PicturesSettings
from spongiosa.studies.pictured_cohort import PicturedCohort
from spongiosa.studies.pictures import PICTURES, draw_pictures, write_pictures

if "snakemake" in globals():
    log = open_log(Path(snakemake.log[0]))
    inputs, params, name = snakemake.input, snakemake.params, snakemake.wildcards.study
    settings = PicturesSettings.model_validate(params.settings)
    screws = inputs.get("screws")
    cohort = PicturedCohort(
        patients=pd.read_parquet(inputs.patients),
        wanted=PICTURES[name].wanted,
        patient=settings.patient,
        scans=pd.read_parquet(inputs.scans),
        screws=None if screws is None else pd.read_parquet(screws),
        output_dir=Path(inputs.scans).parents[1],
        session=params.session,
    )
    drawn = draw_pictures(name, settings, cohort)
    write_pictures(name, drawn, Path(snakemake.output.pictures).parent)
    log.info("%s: %d pictures, %d left out", name, len(drawn.figures), len(drawn.omitted))
