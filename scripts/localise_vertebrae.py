"""Find, segment and number the vertebrae of each scan."""

from spongiosa.cohort.runner import run_stage
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.config.localise import LocaliseSettings
from spongiosa.localise.corrections import apply_corrections
from spongiosa.localise.scan import localise_scan
from spongiosa.volume import read_volume


def localise_vertebrae(scan: Scan, settings: LocaliseSettings, outputs: Outputs) -> None:
    spine = localise_scan(
        read_volume(scan.ct),
        settings,
        labels=scan.label_path("labels"),
        body_labels=scan.label_path("body_labels"),
        label_scheme=scan.row["label_scheme"],
    )
    spine = apply_corrections(spine, scan.corrections)
    outputs.write_volume("desc-vertebrae_dseg", spine.vertebrae)
    outputs.write_volume("desc-bodies_dseg", spine.bodies)
    outputs.write_json("desc-vertebrae_dseg", spine.description.to_json())
    outputs.flags += spine.description.flags


if "snakemake" in globals():
    settings = LocaliseSettings.model_validate(snakemake.params.settings["localise"])
    run_stage(localise_vertebrae, snakemake, settings)
