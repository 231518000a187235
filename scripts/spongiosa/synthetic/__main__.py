"""Command line of the synthetic patient: `python -m spongiosa.synthetic demo --output DIR`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from spongiosa.synthetic.demo import write_demo_cohort


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0, or 2 with a sentence where the cohort can't be written."""
    parser = argparse.ArgumentParser(prog="python -m spongiosa.synthetic", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="write a cohort of synthetic patients as DICOM with a clinical table")
    demo.add_argument("--output", type=Path, required=True, help="folder of the cohort")
    demo.add_argument("--patients", type=int, default=16, help="number of patients (default: 16)")
    demo.add_argument("--seed", type=int, default=2026, help="same seed, same bytes (default: 2026)")
    demo.add_argument("--jobs", type=int, default=1, help="patients made at the same time (default: 1)")
    demo.add_argument("--matrix", choices=("standard", "small"), default="standard", help="image size")
    chosen = parser.parse_args(arguments)
    try:
        write_demo_cohort(chosen.output, chosen.patients, chosen.seed, chosen.jobs, chosen.matrix, _say)
    except (FileExistsError, ValueError) as error:
        _say(f"error: {error}")
        return 2
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
