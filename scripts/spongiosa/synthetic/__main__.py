"""Command line of the synthetic patient.

python -m spongiosa.synthetic demo --output DIR       a cohort as DICOM, with manifest, clinical table and truth
python -m spongiosa.synthetic sample --preset NAME    a table of sampled patients, without images
python -m spongiosa.synthetic figures                 what the studies printed, and what the samples show
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from spongiosa.synthetic.demo import write_demo_cohort
from spongiosa.synthetic.population import PRESETS, as_recorded, sample_population
from spongiosa.synthetic.presets_published import compare_with_published


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0, or 2 with a sentence where it can't be done."""
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except (FileExistsError, ValueError) as error:
        _say(f"error: {error}")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spongiosa.synthetic", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)

    demo = commands.add_parser("demo", help="write a cohort of synthetic patients as DICOM with a clinical table")
    demo.add_argument("--output", type=Path, required=True, help="folder of the cohort")
    demo.add_argument("--patients", type=int, default=16, help="number of patients (default: 16)")
    demo.add_argument("--seed", type=int, default=2026, help="same seed, same bytes (default: 2026)")
    demo.add_argument("--jobs", type=int, default=1, help="patients made at the same time (default: 1)")
    demo.add_argument(
        "--matrix",
        choices=("full", "standard", "small"),
        default="standard",
        help="image size: full is 512 x 512 at 1.25 mm",
    )
    demo.set_defaults(run=_write_demo)

    sample = commands.add_parser("sample", help="sample a table of patients after a study")
    sample.add_argument("--preset", choices=sorted(PRESETS), required=True, help="study to sample after")
    sample.add_argument("--patients", type=int, help="number of patients (default: the study's)")
    sample.add_argument("--seed", type=int, default=2026, help="same seed, same table (default: 2026)")
    sample.add_argument("--output", type=Path, required=True, help="CSV or Parquet file")
    sample.set_defaults(run=_write_sample)

    figures = commands.add_parser("figures", help="compare sampled cohorts with the printed figures")
    figures.add_argument("--cohorts", type=int, default=60, help="cohorts per study (default: 60)")
    figures.set_defaults(run=_print_figures)
    return parser


def _write_demo(chosen: argparse.Namespace) -> None:
    write_demo_cohort(chosen.output, chosen.patients, chosen.seed, chosen.jobs, chosen.matrix, _say)


def _write_sample(chosen: argparse.Namespace) -> None:
    preset = PRESETS[chosen.preset]
    table = as_recorded(sample_population(preset, chosen.patients or preset.patients, chosen.seed))
    if chosen.output.suffix == ".parquet":
        table.to_parquet(chosen.output, index=False)
    elif chosen.output.suffix == ".csv":
        table.to_csv(chosen.output, index=False)
    else:
        raise ValueError(f"{chosen.output.name} must end in .csv or .parquet")


def _print_figures(chosen: argparse.Namespace) -> None:
    _say(compare_with_published(chosen.cohorts).round(3).to_string(index=False))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
