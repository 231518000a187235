"""Lock, conda file and profiles are kept in step."""

import importlib.util
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def write_conda():
    spec = importlib.util.spec_from_file_location("write_conda", ROOT / "envs" / "write_conda.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_conda_environment_has_the_versions_of_the_lock():
    written = (ROOT / "envs" / "core.yaml").read_text(encoding="utf-8")
    assert written == write_conda().core_environment(), "run `make lock`"


def test_the_lock_is_pinned_by_hashes_and_names_no_host():
    lock = (ROOT / "envs" / "requirements.lock").read_text(encoding="utf-8")
    packages = re.findall(r"^[A-Za-z0-9._-]+==", lock, flags=re.MULTILINE)
    assert len(packages) > 50
    assert lock.count("--hash=sha256:") >= len(packages)
    assert "://" not in lock
    assert "index-url" not in lock


def test_the_slurm_profile_repeats_what_the_default_profile_sets():
    default, slurm = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))
        for name in ("default", "slurm")
    )
    shared = default.keys() - {"cores", "logger"}
    assert {key: slurm[key] for key in shared} == {key: default[key] for key in shared}


def test_no_rule_retries_by_itself():
    """A rule-level retry would run inside the same cluster job, with the same memory limit."""
    assert not any("retries:" in path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
