"""Say where the report lies and what it found: `python -m spongiosa.report.headline RESULTS`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pandas as pd

from spongiosa.report.study_files import read_study


def headline(output_dir: Path) -> str:
    """The outcome of all scans, the headline of each study, and the path of the report, one per line."""
    outcomes = Counter(pd.read_parquet(output_dir / "cohort" / "scans.parquet")["status"])
    counted = ", ".join(f"{count} {status}" for status, count in sorted(outcomes.items(), reverse=True))
    studies = [read_study(audit.parent) for audit in sorted(output_dir.glob("studies/*/audit.json"))]
    lines = [f"{outcomes.total()} scans: {counted}", *(f"{study.title}: {study.headline}" for study in studies)]
    return "\n".join([*lines, f"Report: {output_dir / 'report' / 'index.html'}"])


if __name__ == "__main__":
    sys.stdout.write(headline(Path(sys.argv[1])) + "\n")
