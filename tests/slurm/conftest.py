"""A SLURM for the tests, and the small project of the workflow's tests."""

import importlib.util
import sys
from pathlib import Path

import pytest

from spongiosa.provenance import file_digest

HERE = Path(__file__).resolve().parent


def _module(path: Path):
    spec = importlib.util.spec_from_file_location(f"for_slurm_{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_workflow = _module(HERE.parent / "workflow" / "conftest.py")
_slurm = _module(HERE / "local_slurm.py")

#: The project that the workflow's tests run, made once and run once on this machine.
finished_project = _workflow.finished_project
project = _workflow.project


def pytest_configure(config):
    config.addinivalue_line("markers", "slurm: starts a SLURM on this machine (needs root, slurm-wlm and munge)")


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """Three nodes on this machine, for as long as the tests last."""
    reason = _slurm.missing()
    if reason is not None:
        pytest.skip(reason)
    cluster = _slurm.LocalSlurm(tmp_path_factory.mktemp("slurm"))
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def result_digests():
    """A function: path below the results -> hash, of all files that must not depend on how the run went."""

    def digests(project) -> dict[str, str]:
        folders = (project.results / "cohort", project.results / "studies")
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {path.relative_to(project.results).as_posix(): file_digest(path) for path in files}

    return digests
