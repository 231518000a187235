"""A SLURM for the tests, and the small project of the workflow's tests."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

from spongiosa.provenance import file_digest

HERE = Path(__file__).resolve().parent

#: Set by `make test-slurm`: a SLURM that does not start is then an error, and no reason to skip.
REQUIRED = "SPONGIOSA_REQUIRES_SLURM"


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


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """Three nodes on this machine, for as long as the tests last."""

    def cannot(why: str) -> None:
        if os.environ.get(REQUIRED):
            pytest.fail(why)
        pytest.skip(why)

    reason = _slurm.missing()
    if reason is not None:
        cannot(reason)
    with _slurm.only_one_cluster():
        cluster = _slurm.LocalSlurm(tmp_path_factory.mktemp("slurm"))
        try:
            cluster.start()
        except RuntimeError as error:
            cannot(f"SLURM is installed and did not start: {error}")
        yield cluster
        cluster.stop()


@pytest.fixture(scope="session")
def workflow_copy():
    """A function that copies the workflow into a folder, as a user's clone."""

    def copy(folder: Path) -> None:
        for name in _workflow.WORKFLOW:
            source = _workflow.ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)

    return copy


@pytest.fixture(scope="session")
def run_locally():
    """A function that runs the study of a folder with the copy of the workflow there, and must succeed."""

    def run(folder: Path) -> None:
        process = _workflow.call_snakemake(folder, folder)
        assert process.returncode == 0, process.stdout + process.stderr

    return run


@pytest.fixture(scope="session")
def result_digests():
    """A function: path below the results -> hash, of all files that must not depend on how the run went."""

    def digests(results: Path) -> dict[str, str]:
        files = [path for name in ("cohort", "studies") for path in (results / name).rglob("*") if path.is_file()]
        return {path.relative_to(results).as_posix(): file_digest(path) for path in files}

    return digests
