"""How long the statistics take, beside their limits and beside R.

    python benchmarks/statistics_speed.py [--resamples 1000] [--without-imputation]

One core: the numerical libraries are held to one thread.  R's `rms::validate` (and `calibrate`, because ours does both
in one pass) runs on the same patients and resamples in the same call, where Rscript and rms are installed.
Exit status 1 when a limit is passed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from spongiosa.statistics.development import Procedure
from spongiosa.statistics.imputation import ImputationSettings
from spongiosa.statistics.roc import auc_delong
from spongiosa.statistics.selection import SelectionRule
from spongiosa.statistics.terms import Category, Linear
from spongiosa.statistics.validation import validate_internally

DATA = Path(__file__).parents[1] / "tests" / "reference" / "data"
TERMS = (Linear("age"), Linear("pbq"), Linear("hu_ratio"), Category("goutallier", ("1", "2", "3", "4"), "4"))
R_CODE = """
suppressPackageStartupMessages(library(rms))
D <- read.csv("{data}"); D$goutallier <- relevel(factor(D$goutallier), ref = "4")
model <- lrm(loosening ~ age + pbq + hu_ratio + goutallier, data = D, x = TRUE, y = TRUE)
set.seed(1)
cat(system.time(validate(model, B = {resamples}))["elapsed"], "\\n")
cat(system.time(calibrate(model, B = {resamples}))["elapsed"], "\\n")
"""


@dataclass(frozen=True)
class Timing:
    """What was timed, how long it took, how long it may take."""

    what: str
    seconds: float
    limit_seconds: float


def timed(what: str, limit_seconds: float, run: Callable[[], object]) -> Timing:
    start = time.perf_counter()
    run()
    timing = Timing(what, time.perf_counter() - start, limit_seconds)
    print(f"{what:72s} {timing.seconds:8.2f} s   limit {limit_seconds:6.1f} s", flush=True)
    return timing


def show_progress(done: int, of: int) -> None:
    if done % max(of // 20, 1) == 0:
        print(f"\r  {done} of {of} resamples", end="\n" if done == of else "", file=sys.stderr, flush=True)


def delong() -> Timing:
    rng = np.random.default_rng(1)
    event = rng.random(100_000) < 0.15
    marker = rng.normal(0, 1, 100_000) - event
    return timed("DeLong, 100,000 patients", 0.5, lambda: auc_delong(marker, event, direction="low"))


def optimism(resamples: int) -> Timing:
    patients = pd.read_csv(DATA / "loosening.csv")
    return timed(
        f"optimism bootstrap and calibration curve, {resamples} resamples, {len(patients)} patients",
        20.0 * resamples / 1000,
        lambda: validate_internally(patients, patients["loosening"], Procedure(TERMS), seed=1, resamples=resamples),
    )


def optimism_with_everything(resamples: int) -> Timing:
    patients = pd.read_csv(DATA / "missing.csv")
    candidates = (*TERMS, Linear("fused_levels"), Category("diabetes", ("0", "1"), "0"), Linear("bmi"))
    procedure = Procedure(
        candidates,
        rule=SelectionRule(enter_below=0.05, a_priori=("age", "pbq", "hu_ratio", "goutallier"), stay_below=0.05),
        imputation=ImputationSettings(imputations=5, iterations=10),
    )
    return timed(
        f"the same with imputation (m = 5, 10 iterations) and selection inside, {resamples} resamples",
        600.0 * resamples / 1000,
        lambda: validate_internally(
            patients, patients["loosening"], procedure, seed=1, resamples=resamples, progress=show_progress
        ),
    )


def in_r(resamples: int) -> tuple[float, float] | None:
    """Seconds of rms::validate and rms::calibrate, None without R or rms."""
    if shutil.which("Rscript") is None:
        return None
    code = R_CODE.format(data=DATA / "loosening.csv", resamples=resamples)
    run = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        print(f"R could not run rms: {run.stderr.strip().splitlines()[-1]}")
        return None
    figures = [float(line) for line in run.stdout.split() if line.replace(".", "", 1).isdigit()]
    return figures[0], figures[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--without-imputation", action="store_true")
    arguments = parser.parse_args()
    with threadpool_limits(1):
        return compare(arguments.resamples, arguments.without_imputation)


def compare(resamples: int, is_without_imputation: bool) -> int:
    timings = [delong(), optimism(resamples)]
    reference = in_r(resamples)
    if reference is None:
        print("no R here: nothing to stand beside")
    else:
        ours, (validate, calibrate) = timings[1].seconds, reference
        print(f"{'R: rms::validate':72s} {validate:8.2f} s   ours / R {ours / validate:5.2f}")
        print(
            f"{'R: rms::validate + rms::calibrate':72s} {validate + calibrate:8.2f} s   "
            f"ours / R {ours / (validate + calibrate):5.2f}"
        )
    if not is_without_imputation:
        timings.append(optimism_with_everything(resamples))
    late = [timing.what for timing in timings if timing.seconds > timing.limit_seconds]
    print("within the limits" if not late else f"too slow: {'; '.join(late)}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
