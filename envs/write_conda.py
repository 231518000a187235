"""Write the conda environments from the lock, so that both name the same versions: `python envs/write_conda.py`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ENVS = Path(__file__).resolve().parent
ROOT = ENVS.parent

#: Names of packages that conda-forge calls differently.
CONDA_NAMES = {"python-gdcm": None, "matplotlib": "matplotlib-base"}

HEADER = "# Written from the lock by envs/write_conda.py; not edited by hand.\n"


def locked_versions(lock: str = "requirements.lock") -> dict[str, str]:
    """Package -> version for Python 3.11, from a lock beside this file."""
    versions: dict[str, str] = {}
    for line in (ENVS / lock).read_text(encoding="utf-8").splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(?:;\s*(.*?))?\s*\\?$", line)
        if match and _is_for_python_3_11(match[3] or ""):
            versions[match[1].lower()] = match[2]
    return versions


def _is_for_python_3_11(marker: str) -> bool:
    return not re.search(r"python_full_version\s*>=\s*'3\.1[2-9]", marker) and "win32'" not in marker.replace(
        "!= 'win32'", ""
    )


def core_environment() -> str:
    """The text of envs/core.yaml: what the stages need."""
    return _environment({})


def totalsegmentator_environment() -> str:
    """The text of envs/totalsegmentator.yaml: what the stages need, and from pip TotalSegmentator with its needs."""
    core = locked_versions()
    wanted = locked_versions("totalsegmentator.lock")
    return _environment({name: version for name, version in wanted.items() if name not in core})


def _environment(further_from_pip: dict[str, str]) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = sorted(re.split(r"[<>=!~]", requirement)[0] for requirement in project["dependencies"])
    versions = locked_versions()
    from_conda = [
        f"  - {CONDA_NAMES.get(name, name)}={versions[name]}" for name in names if CONDA_NAMES.get(name, name)
    ]
    pip_versions = {name: versions[name] for name in names if not CONDA_NAMES.get(name, name)} | further_from_pip
    from_pip = [f"      - {name}=={version}" for name, version in sorted(pip_versions.items())]
    lines = [
        "channels:",
        "  - conda-forge",
        "  - bioconda",
        "  - nodefaults",
        "dependencies:",
        "  - python=3.11",
        *from_conda,
    ]
    return HEADER + "\n".join([*lines, "  - pip", "  - pip:", *from_pip]) + "\n"


if __name__ == "__main__":
    (ENVS / "core.yaml").write_text(core_environment(), encoding="utf-8")
    (ENVS / "totalsegmentator.yaml").write_text(totalsegmentator_environment(), encoding="utf-8")
