"""The table of a cohort run of the localiser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

#: A confidence from here on is believed without a look.
SURE = 0.9


def records(folder: Path) -> list[dict[str, Any]]:
    """All records of a run, by number."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[0-9]*.json"))]


def judged(record: dict[str, Any]) -> str:
    """What became of a case: right, wrong (with or without a flag), unknown, refused or missing levels."""
    if record["status"] != "ok":
        return "refused"
    rows = record["vertebrae"]
    if "level_unknown" in record["flags"]:
        return "unknown" if all(row["true_level"] for row in rows) else "unknown, with a body that is none"
    answers = list(zip(*(row["right"] for row in rows), strict=True))
    if any(all(answer) for answer in answers):
        return "right"
    is_silent = not record["flags"] and any(
        not any(row["right"]) and row["confidence"] >= SURE and not row["flags"] for row in rows
    )
    return "WRONG, SILENT" if is_silent else "wrong, flagged"


def is_as_expected(record: dict[str, Any]) -> bool:
    """Whether the case ended as its view allows."""
    verdict = judged(record)
    allowed = {
        "numbered": {"right"},
        "unknown": {"unknown", "refused"},
        "refused": {"refused"},
    }
    return verdict in allowed[record["expected"]]


def vertebrae(found: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per found vertebra that is a whole one in truth."""
    rows = [
        {"number": record["number"], "kind": record["kind"], "slice_mm": record["slice_mm"], **row}
        for record in found
        for row in record.get("vertebrae", ())
        if row.get("dice") is not None
    ]
    return pd.DataFrame(rows)


def summary(folder: Path) -> str:
    """The page: outcomes by kind, accuracy by slice thickness, and what was not as expected."""
    found = records(folder)
    lines = [f"{len(found)} synthetic patients.", "", *_by_kind(found), "", *_safety(found), ""]
    lines += _accuracy(vertebrae(found))
    lines += ["", "Not as expected:", ""]
    for record in found:
        if not is_as_expected(record):
            got = (
                record["reason"]
                or " ".join(f"{row['level']}({row['true_level']})" for row in record["vertebrae"])
                + f"; flags {record['flags']}; {record['confidence']:.2f}"
            )
            lines.append(f"- {record['number']} {record['kind']} ({record['slice_mm']} mm): {judged(record)}: {got}")
    return "\n".join(lines)


def _by_kind(found: list[dict[str, Any]]) -> list[str]:
    lines = ["| variant | expected | n | as expected | flagged | Dice of bodies |", "|---|---|---|---|---|---|"]
    for kind in dict.fromkeys(record["kind"] for record in found):
        of_kind = [record for record in found if record["kind"] == kind]
        right = sum(map(is_as_expected, of_kind))
        flagged = sum(bool(record.get("flags")) for record in of_kind)
        dice = [row["dice"] for record in of_kind for row in record.get("vertebrae", ()) if "dice" in row]
        mean = f"{np.mean(dice):.3f}" if dice else "-"
        lines.append(f"| {kind} | {of_kind[0]['expected']} | {len(of_kind)} | {right} | {flagged} | {mean} |")
    return lines


def _safety(found: list[dict[str, Any]]) -> list[str]:
    numbered = [record for record in found if record["expected"] == "numbered"]
    right = sum(map(is_as_expected, numbered))
    without = [record for record in found if record["expected"] == "unknown"]
    unusual = [record for record in found if record["must_be_flagged"]]
    silent = sum(judged(record) == "WRONG, SILENT" for record in found)
    wrong = sum(judged(record) in ("WRONG, SILENT", "wrong, flagged") for record in found)
    flagged = sum(bool(record.get("flags")) or record["status"] != "ok" for record in unusual)
    return [
        f"- an anchor in view, all levels right: {right} of {len(numbered)} ({right / max(len(numbered), 1):.1%})",
        f"- no anchor in view, no level given: {sum(map(is_as_expected, without))} of {len(without)}",
        f"- unusual anatomy flagged or refused: {flagged} of {len(unusual)} ({flagged / max(len(unusual), 1):.1%})",
        f"- a wrong level: {wrong}; with status ok, no flag and a confidence of {SURE} or more: {silent}",
        f"- processor seconds, median and largest: {np.median([r['cpu_s'] for r in found]):.1f}, "
        f"{max(r['cpu_s'] for r in found):.1f}; peak memory {max(r['peak_mb'] for r in found):.0f} MB",
    ]


def _accuracy(rows: pd.DataFrame) -> list[str]:
    lines = [
        "| slices | vertebrae | Dice mean | Dice 5th percentile | plane angle, median | plane offset, median | "
        "height error, median | core HU difference, median | at core below 60 HU |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    if rows.empty:
        return lines
    groups = {"all": rows} | {f"{value:g} mm": part for value, part in rows.groupby("slice_mm")}
    for name, part in groups.items():
        angles = pd.concat([part["superior_angle_deg"], part["inferior_angle_deg"]])
        offsets = pd.concat([part["superior_offset_mm"], part["inferior_offset_mm"]]).abs()
        poor = part[part["core_hu"] < 60]
        cells = [
            name,
            len(part),
            f"{part['dice'].mean():.3f}",
            f"{part['dice'].quantile(0.05):.3f}",
            f"{angles.median():.2f}",
            f"{offsets.median():.2f}",
            f"{part['height_error_mm'].abs().median():.2f}",
            f"{part['core_hu_difference'].median():+.1f}",
            f"{poor['core_hu_difference'].median():+.1f}" if len(poor) else "-",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines
