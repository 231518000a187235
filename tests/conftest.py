"""What holds for all tests: the dearest run first, and none depends on chance or on the speed of the machine."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

# The same examples in every run, and none is too slow: a busy machine, or a new draw, is no fault of a change.
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")

TESTS = Path(__file__).resolve().parent

#: The dearest modules, dearest first, so that no worker is left with one at the end.  A worker takes whole modules in
#: this order (`--no-loadscope-reorder` in the Makefile).  The run through sbatch mostly waits, so it stands first and
#: others use the cores meanwhile; the modules that share one finished project do not all stand beside each other, as
#: its second user would wait for its first.
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
