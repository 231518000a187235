"""How a cohort is described: its columns and how they hang together, each figure with its origin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from spongiosa.synthetic.population_marginals import Event, Marginal
from spongiosa.synthetic.population_relations import LatentModel, RelationKind, latent_correlation

Origin = Literal["printed", "derived", "assumed"]
"""`printed`: stands in the paper. `derived`: follows from printed figures (the source says how). `assumed`: ours."""


@dataclass(frozen=True)
class Column:
    """A sampled quantity: a name of the data contract, its distribution, and where its figures are from."""

    name: str
    marginal: Marginal
    origin: Origin
    source: str


@dataclass(frozen=True)
class Relation:
    """How two columns of a preset hang together (`population_relations.latent_correlation` explains `kind`)."""

    first: str
    second: str
    kind: RelationKind
    value: float
    origin: Origin
    source: str = "usual size"


@dataclass(frozen=True)
class Preset:
    """A cohort to sample: `patients` is the paper's number; pairs of columns without a relation are independent."""

    name: str
    paper: str
    patients: int
    columns: tuple[Column, ...]
    relations: tuple[Relation, ...]

    def column(self, name: str) -> Column:
        """Raises `KeyError` where the preset has no such column."""
        return {column.name: column for column in self.columns}[name]

    @cached_property
    def latent_model(self) -> LatentModel:
        """Raises `ValueError` where the relations can't all hold."""
        names = [column.name for column in self.columns]
        correlation = np.eye(len(names))
        for relation in self.relations:
            i, j = names.index(relation.first), names.index(relation.second)
            first, second = self.columns[i].marginal, self.columns[j].marginal
            correlation[i, j] = correlation[j, i] = latent_correlation(relation.kind, relation.value, first, second)
        return LatentModel(correlation)

    def figures(self) -> pd.DataFrame:
        """Every figure that the cohort is made from: `figure, value, origin, source`."""
        rows = [(f"distribution of {c.name}", _described(c.marginal), c.origin, c.source) for c in self.columns]
        rows += [
            (
                f"{relation.kind} of {relation.first}, {relation.second}",
                f"{relation.value:g}",
                relation.origin,
                relation.source,
            )
            for relation in self.relations
        ]
        return pd.DataFrame(rows, columns=["figure", "value", "origin", "source"])


def _described(marginal: Marginal) -> str:
    if isinstance(marginal, Event):
        return f"probability {marginal.probability:.4f}"
    return str(marginal)
