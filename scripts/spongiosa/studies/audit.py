"""What every study leaves behind for whoever checks it: directions, identities, counts and missing values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from spongiosa.report.exhibits import TableExhibit
from spongiosa.statistics.audit import audit_roc
from spongiosa.studies.discrimination import Marker
from spongiosa.studies.result import attempt


def roc_checks(frame: pd.DataFrame, event: pd.Series, markers: Sequence[Marker]) -> dict[str, Any]:
    """Per marker: its direction, whether its curve points the other way, and the bound of the AUC by Youden's index.

    `swap_check` counts the denominator of the sensitivity, which must be the events: printed tables of the field
    sometimes have the other class there.
    """
    checks: dict[str, Any] = {}
    for marker in markers:
        known = frame[marker.column].notna()
        found, reason = attempt(audit_roc, frame[marker.column], event, direction=marker.direction)
        checks[marker.column] = {
            "direction": marker.direction,
            "n": int(known.sum()),
            "missing": int((~known).sum()),
            "reason": reason,
        }
        if found is None:
            continue
        checks[marker.column] |= {
            "points_the_other_way": found.points_the_other_way,
            "auc_equals_mann_whitney": found.z_auc_difference < 1e-12,
            "youden_bound": {"auc": found.auc, "bound": found.auc_bound, "holds": found.is_within_bound},
            "swap_check": {
                "sensitivity_denominator": found.events,
                "events": int(event[known].sum()),
                "is_consistent": found.events == int(event[known].sum()),
            },
        }
    return checks


def counts_of_tables(tables: Sequence[TableExhibit]) -> dict[str, list[int]]:
    """The numbers of patients (or rows) that the analyses of each table rest on, ascending and without repetition."""
    counts = {}
    for table in tables:
        if "n" in table.frame and len(table.frame):
            known = pd.to_numeric(table.frame["n"], errors="coerce").dropna()
            counts[table.key] = sorted({int(value) for value in known})
    return counts


def missing_values(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, int]:
    """How many of the analysed patients lack each column; a column that the table does not have is missing for all."""
    return {name: int(frame[name].isna().sum()) if name in frame else len(frame) for name in columns}
