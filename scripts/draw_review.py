"""Draw the picture by which a person reviews each scan."""

from spongiosa.anatomy.frame import SpineDescription
from spongiosa.cohort.runner import run_stage
from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.config.review import ReviewSettings
from spongiosa.regions.catalogue import RegionSet
from spongiosa.report.pictures import draw_review as draw_picture
from spongiosa.volume import read_volume


def draw_review(scan: Scan, _settings: ReviewSettings, outputs: Outputs) -> None:
    with outputs.file("desc-review", ".png") as path:
        draw_picture(
            read_volume(scan.ct),
            SpineDescription.read(scan.product("desc-vertebrae_dseg", ".json")),
            read_volume(scan.product("desc-bodies_dseg", ".nii.gz")),
            RegionSet.read(scan.product("desc-regions_weights", ".npz")),
            path,
            title=scan.stem,
        )


if "snakemake" in globals():
    settings = ReviewSettings.model_validate(snakemake.params.settings["review"])
    run_stage(draw_review, snakemake, settings)
