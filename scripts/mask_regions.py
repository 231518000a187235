"""Place the regions in each vertebra, and describe the vertebrae."""

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.cohort.runner import run_stage
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.config.regions import RegionsSettings
from spongiosa.regions.catalogue import place_surveyed
from spongiosa.regions.site import BoneAxis
from spongiosa.regions.survey import survey_spine
from spongiosa.regions.vertebrae import describe_surveyed
from spongiosa.volume import read_volume


def mask_regions(scan: Scan, settings: RegionsSettings, outputs: Outputs) -> None:
    volume = read_volume(scan.ct)
    vertebrae = read_volume(scan.product("desc-vertebrae_dseg", ".nii.gz"))
    bodies = read_volume(scan.product("desc-bodies_dseg", ".nii.gz"))
    spine = SpineDescription.read(scan.product("desc-vertebrae_dseg", ".json"))
    screws = {
        (screw["level"], screw["side"]): BoneAxis.between(
            screw["entry_mm"], screw["tip_mm"], screw["source"], screw["diameter_mm"]
        )
        for screw in scan.screw_axes
    }
    survey = survey_spine(volume, vertebrae, bodies, spine, settings)
    regions = place_surveyed(survey, settings, screws)
    with outputs.file("desc-regions", ".seg.nrrd") as path:
        regions.write_segmentation(path)
    with outputs.file("desc-regions_weights", ".npz") as path:
        regions.write(path)
    outputs.write_rows("desc-vertebrae", describe_surveyed(survey))


if "snakemake" in globals():
    settings = RegionsSettings.model_validate(snakemake.params.settings["regions"])
    run_stage(mask_regions, snakemake, settings, tables={"vertebrae": "desc-vertebrae"})
