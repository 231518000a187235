"""In which order the tests run: what takes longest first, so that no worker is left with it at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent

#: The dearest modules, dearest first.  A worker takes whole modules in this order (`--no-loadscope-reorder` in the
#: Makefile).  The run through sbatch mostly waits, so it stands first and others use the cores meanwhile; the modules
#: that share one finished project do not all stand beside each other, as its second user would wait for its first.
DEAREST_FIRST = (
    "slurm/test_demo_through_sbatch.py",
    "workflow/test_rerun.py",
    "workflow/test_demo.py",
    "workflow/test_thresholds.py",
    "workflow/test_faults.py",
    "workflow/test_real_images.py",
    "workflow/test_kept_scans.py",
    "workflow/test_privacy.py",
    "workflow/test_calibration.py",
    "workflow/test_withdrawal.py",
    "workflow/test_sites.py",
    "workflow/test_job_requests.py",
    "synthetic/test_demo.py",
)
PLACE = {name: place for place, name in enumerate(DEAREST_FIRST)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by the place of their module; the order within a module, and of all other modules, is kept."""

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(TESTS).as_posix() if item.path.is_relative_to(TESTS) else ""
        return PLACE.get(path, len(PLACE))

    items.sort(key=place)
