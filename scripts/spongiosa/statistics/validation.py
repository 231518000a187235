"""Internal validation by Harrell's optimism bootstrap, the whole procedure repeated in every resample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import rankdata

from spongiosa.statistics.calibration import brier_score
from spongiosa.statistics.calibration_curve import (
    CalibrationCurve,
    default_grid,
    finish_curve,
    smooth_calibration,
)
from spongiosa.statistics.development import Developed, Prepared, Procedure, develop, prepare
from spongiosa.statistics.logistic_solver import SeparationError, SingularError, solve_logistic
from spongiosa.statistics.samples import BoolArray, FloatArray, StatisticsError, Values
from spongiosa.statistics.terms import term_positions

FIGURES = ("auc", "brier", "calibration_in_the_large", "joint_intercept", "slope")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CorrectedFigure:
    """`optimism` = mean over resamples of (figure in the resample - figure of the same model in the original data);
    `corrected` = apparent - optimism."""

    name: str
    apparent: float
    training: float
    test: float
    optimism: float
    corrected: float


@dataclass(frozen=True)
class InternalValidation:
    """Optimism-corrected figures and the bias-corrected calibration curve.

    `failures` counts the resamples that could not be developed, by cause; `penalised` counts the used ones in which a
    fit was separated, so that Firth's penalised likelihood took its place; `selection_frequency` is the share of the
    used resamples in which a term was selected.
    """

    auc: CorrectedFigure
    brier: CorrectedFigure
    calibration_in_the_large: CorrectedFigure
    joint_intercept: CorrectedFigure
    slope: CorrectedFigure
    curve: CalibrationCurve
    selection_frequency: tuple[tuple[str, float], ...]
    resamples: int
    used: int
    penalised: int
    failures: tuple[tuple[str, int], ...]
    n: int
    events: int
    method: str
    reason: str = ""


def validate_internally(
    table: pd.DataFrame,
    event: Values,
    procedure: Procedure,
    *,
    seed: int,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> InternalValidation:
    """Repeat imputation, selection and fit in `resamples` bootstrap samples of the rows.

    With imputation a figure is the mean over the m completed data sets (the AUC's mean is taken on the logit scale),
    the curve is that of the pooled linear predictor.  A resample that lacks a class or a level is left out and counted;
    a separated one is fitted by Firth's method and counted.  Every resample has its own stream of random numbers, so
    that the result does not depend on how many fail before it.  `progress(done, resamples)` is called after each.
    Corrected calibration in the large is about 0 by construction.
    Source: Harrell, Lee and Mark, Stat Med 15 (1996) 361-387.
    Raises `StatisticsError` when the procedure fails on the data themselves or in more than half of the resamples.
    """
    if resamples < 2:
        raise StatisticsError("The bootstrap needs at least 2 resamples.")
    data = prepare(table, event, procedure)
    first, *streams = np.random.SeedSequence(seed).spawn(resamples + 1)
    original = develop(data.numbers, data.events, procedure, np.random.default_rng(first))
    apparent = performance(original, original.designs, data.events)
    chance = _pooled_probability(original, original.designs)
    grid = default_grid(chance)
    training, test, curves, chosen = [], [], [], []
    penalised = 0
    failures: Counter[str] = Counter()
    for done, stream in enumerate(streams, start=1):
        try:
            resampled = _resample(data, original, procedure, np.random.default_rng(stream), grid)
        except StatisticsError as error:
            failures[_cause(error)] += 1
        else:
            training.append(resampled[0])
            test.append(resampled[1])
            curves.append(resampled[2])
            chosen.append(resampled[3])
            penalised += resampled[4]
        if progress is not None:
            progress(done, resamples)
    used = len(training)
    if used < resamples / 2:
        causes = ", ".join(f"{cause} ({count})" for cause, count in failures.most_common())
        raise StatisticsError(f"{resamples - used} of {resamples} resamples failed: {causes}.")
    figures = _correct(apparent, np.array(training), np.array(test))
    counted = (~np.isnan(curves)).sum(axis=0)
    optimism = np.where(counted > 0, np.nansum(curves, axis=0) / np.maximum(counted, 1), np.nan)
    return InternalValidation(
        **figures,
        curve=finish_curve(chance, grid, smooth_calibration(chance, data.events, grid), optimism, used),
        selection_frequency=tuple(
            (term.name, float(share)) for term, share in zip(procedure.terms, np.mean(chosen, axis=0), strict=True)
        ),
        resamples=resamples,
        used=used,
        penalised=penalised,
        failures=tuple(failures.most_common()),
        n=int(data.events.size),
        events=int(data.events.sum()),
        method=f"optimism bootstrap, {resamples} resamples, seed {seed}; in each: {procedure}",
        reason=f"{resamples - used} resample(s) were left out." if failures else "",
    )


def performance(model: Developed, designs: FloatArray, events: BoolArray) -> FloatArray:
    """The FIGURES of a model on completed designs (m, n, p), averaged over m (AUC on the logit scale), shape (5,).

    Raises `SeparationError` when the predictions separate the classes, so that there is no slope.
    """
    rows = [_figures(predictor, events) for predictor in model.linear_predictors(designs)]
    table = np.array(rows)
    result: FloatArray = np.asarray(table.mean(axis=0), dtype=np.float64)
    if len(rows) > 1 and (table[:, 0] > 0).all() and (table[:, 0] < 1).all():
        result[0] = expit(logit(table[:, 0]).mean())
    return result


def _figures(predictor: FloatArray, events: BoolArray) -> tuple[float, ...]:
    outcome = events.astype(np.float64)
    n1, n0 = int(events.sum()), int((~events).sum())
    ranks = rankdata(predictor)
    area = (ranks[events].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
    constant = np.ones((events.size, 1))
    large = solve_logistic(constant, outcome, offset=predictor).beta[0]
    if np.ptp(predictor) == 0:
        # No term was selected: everybody has the same risk, and the slope of a constant is taken as 0.
        return float(area), brier_score(expit(predictor), events), float(large), float(large), 0.0
    both = solve_logistic(np.column_stack([constant, predictor]), outcome, start=np.array([0.0, 1.0]))
    if both.is_suspicious and area in (0.0, 1.0):
        raise SeparationError("The predictions separate the classes.")
    return float(area), brier_score(expit(predictor), events), float(large), float(both.beta[0]), float(both.beta[1])


def _resample(
    data: Prepared, original: Developed, procedure: Procedure, rng: np.random.Generator, grid: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray, bool]:
    """Figures in the resample and in the original data, optimism of the curve, terms selected, was it penalised."""
    rows = rng.integers(0, data.events.size, data.events.size)
    events = data.events[rows]
    model = develop(data.numbers[rows], events, procedure, rng)
    training = performance(model, model.designs, events)
    test = performance(model, original.designs, data.events)
    own = smooth_calibration(_pooled_probability(model, model.designs), events, grid)
    other = smooth_calibration(_pooled_probability(model, original.designs), data.events, grid)
    selected = set(term_positions(procedure.terms)[model.selected].tolist())
    chosen = np.array([position in selected for position in range(len(procedure.terms))])
    return training, test, own - other, chosen, model.penalised > 0


def _pooled_probability(model: Developed, designs: FloatArray) -> FloatArray:
    return np.asarray(expit(model.linear_predictors(designs).mean(axis=0)), dtype=np.float64)


def _correct(apparent: FloatArray, training: FloatArray, test: FloatArray) -> dict[str, CorrectedFigure]:
    optimism = (training - test).mean(axis=0)
    return {
        name: CorrectedFigure(
            name=name,
            apparent=float(apparent[i]),
            training=float(training[:, i].mean()),
            test=float(test[:, i].mean()),
            optimism=float(optimism[i]),
            corrected=float(apparent[i] - optimism[i]),
        )
        for i, name in enumerate(FIGURES)
    }


def _cause(error: StatisticsError) -> str:
    if isinstance(error, SeparationError):
        return "separation"
    if isinstance(error, SingularError):
        return "a level or a spread is absent"
    return str(error)
