"""What jobs of a real run ask for."""

import pytest

from spongiosa.cohort.job_requests import largest_scan_megavoxels, memory_mb

pytestmark = pytest.mark.workflow

PLANT = 'if "snakemake" in globals():\n'


def test_a_job_asks_for_the_memory_of_the_largest_scan_of_its_unit(project):
    """The regions are placed again, so when the pictures are planned, the table that they wait for is not there."""
    note = '    open(f"asked_{snakemake.wildcards.unit}", "w").write(str(snakemake.resources.mem_mb))\n'
    project.edit("scripts/draw_review.py", PLANT, PLANT + note)
    project.edit("scripts/mask_regions.py", PLANT, PLANT + "    ASKED_AGAIN = True\n")
    for module in ("LEAST_MB = 1000", "SNAKEMAKE_MB = 500.0"):
        project.edit("scripts/spongiosa/cohort/job_requests.py", module, module.split(" = ")[0] + " = 0")
    project.edit(
        "scripts/spongiosa/cohort/job_requests.py", '"draw_review": (330.0, 3.0)', '"draw_review": (0.0, 3000)'
    )
    run = project.run("--until", "draw_review")
    assert run.exit_status == 0, run.output
    for unit in ("u0000001", "u0000002"):
        megavoxels = largest_scan_megavoxels(project.results / "units" / unit / "series.parquet")
        asked = int((project.folder / f"asked_{unit}").read_text(encoding="utf-8"))
        assert asked == pytest.approx(1.4 * 3000 * megavoxels, abs=100), "rounded up to 100 MB"
        assert 0 < megavoxels < 10
    assert memory_mb("draw_review", None, has_labels=False, attempt=1) > 1000, "a size that is assumed asks for more"
