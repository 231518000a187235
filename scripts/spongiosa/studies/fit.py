"""A fit: results of a study that no later choice changes, kept apart so that a threshold does not compute them anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.provenance import write_text
from spongiosa.report.exhibits import TableExhibit
from spongiosa.studies.needs import FitNeeds
from spongiosa.studies.result import json_ready

#: The thresholds that a fit may read, by name; another one is a `KeyError`, not a silent default.
FitThresholds = Mapping[str, float]


@dataclass(frozen=True)
class Fit:
    """Finished tables by key, further frames, and single values (numbers, text and lists of them)."""

    tables: dict[str, TableExhibit] = field(default_factory=dict)
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


#: Makes a fit: patients, the study's settings, the thresholds of `FitNeeds`, seed, and its tables by name.
FitFunction = Callable[..., Fit]


def make_fits(
    functions: Mapping[str, FitFunction],
    needs: Mapping[str, FitNeeds],
    patients: pd.DataFrame,
    settings: Any,
    thresholds: ThresholdsSettings,
    seed: int,
    tables: Mapping[str, pd.DataFrame | None],
) -> dict[str, Fit]:
    """Every fit of a study, each with what it says that it needs and nothing else."""
    return {
        part: function(
            patients,
            settings,
            {name: getattr(thresholds, name) for name in needs[part].thresholds},
            seed,
            **{name: tables.get(name) for name in needs[part].tables},
        )
        for part, function in functions.items()
    }


def write_fit(fit: Fit, path: Path) -> None:
    """Write a fit as JSON; numbers keep all their digits, equal fits give equal bytes."""
    described = {
        "tables": {
            key: {
                "title": table.title,
                "caption": table.caption,
                "notes": list(table.notes),
                "frame": _columns(table.frame),
                "printed": _columns(table.printed),
            }
            for key, table in fit.tables.items()
        },
        "frames": {name: _columns(frame) for name, frame in fit.frames.items()},
        "values": json_ready(fit.values),
    }
    write_text(path, json.dumps(described, ensure_ascii=False, allow_nan=False) + "\n")


def read_fit(path: Path) -> Fit:
    """The fit that `write_fit` wrote."""
    described = json.loads(path.read_text(encoding="utf-8"))
    return Fit(
        tables={
            key: TableExhibit(
                key=key,
                title=table["title"],
                caption=table["caption"],
                notes=tuple(table["notes"]),
                frame=_frame(table["frame"]),
                printed=_frame(table["printed"]),
            )
            for key, table in described["tables"].items()
        },
        frames={name: _frame(columns) for name, columns in described["frames"].items()},
        values=described["values"],
    )


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    plain = frame.reset_index(drop=True)
    return {
        "rows": len(plain),
        "columns": [
            {"name": str(name), "type": str(column.dtype), "values": json_ready(_values(column))}
            for name, column in plain.items()
        ],
    }


def _values(column: pd.Series) -> list[Any]:
    """The cells as Python objects; missing ones as None, infinities as words."""
    return [
        None if pd.isna(value) else str(value) if isinstance(value, float) and abs(value) == float("inf") else value
        for value in column.astype(object)
    ]


def _frame(described: dict[str, Any]) -> pd.DataFrame:
    columns = {}
    for column in described["columns"]:
        values = pd.Series(column["values"], dtype=object)
        kind = column["type"]
        if kind.startswith("float"):
            values = values.map(lambda value: float("nan") if value is None else float(value))
        columns[column["name"]] = values.astype(kind)
    return pd.DataFrame(columns, index=pd.RangeIndex(described["rows"]))
