"""The rows of vertebrae.parquet: where each vertebra lies, its endplates, heights, deformity and flags."""

from __future__ import annotations

from typing import Any

from spongiosa.anatomy.frame import SpineDescription, Vertebra, VertebralFrame
from spongiosa.config.regions import RegionsSettings
from spongiosa.outcome import Reason
from spongiosa.regions.survey import Survey, SurveyedVertebra, survey_spine
from spongiosa.volume import FloatArray, Volume

#: Columns of a row, in order; the runner adds the scan.
COLUMNS = (
    *("level", "label", "is_truncated", "reason", "confidence", "localiser", "flags"),
    *("centre_x_mm", "centre_y_mm", "centre_z_mm"),
    *(
        f"{endplate}_endplate_{part}_{axis}{unit}"
        for endplate in ("superior", "inferior")
        for part, unit in (("point", "_mm"), ("normal", ""))
        for axis in "xyz"
    ),
    *("anterior_height_mm", "middle_height_mm", "posterior_height_mm", "body_depth_mm"),
    *("fracture_type", "fracture_grade", "height_loss"),
)


def describe_vertebrae(
    volume: Volume, vertebrae: Volume, bodies: Volume, spine: SpineDescription, settings: RegionsSettings
) -> list[dict[str, Any]]:
    """One row per vertebra of the scan, cranial to caudal, every column of `COLUMNS`; unknown values are None.

    `bodies` and `vertebrae` on the grid of `volume`; `spine` describes their labels.
    Raises `ValueError` when a label map lies on another grid.
    """
    return describe_surveyed(survey_spine(volume, vertebrae, bodies, spine, settings))


def describe_surveyed(survey: Survey) -> list[dict[str, Any]]:
    """One row per vertebra of a surveyed spine; see `describe_vertebrae`."""
    return [_row(found, survey.method) for found in survey.vertebrae]


def _row(findings: SurveyedVertebra, method: str) -> dict[str, Any]:
    vertebra = findings.vertebra
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "level": vertebra.level,
        "label": vertebra.label,
        "is_truncated": vertebra.is_truncated,
        "reason": _reason(vertebra),
        "confidence": vertebra.confidence,
        "localiser": method,
        "flags": list(findings.flags),
    }
    if vertebra.frame is not None:
        row |= _frame_columns(vertebra.frame)
    if findings.heights is not None:
        row |= {
            "anterior_height_mm": findings.heights.anterior_mm,
            "middle_height_mm": findings.heights.middle_mm,
            "posterior_height_mm": findings.heights.posterior_mm,
            "body_depth_mm": findings.heights.depth_mm,
        }
    if findings.deformity is not None:
        row |= {
            "fracture_type": findings.deformity.type.value,
            "fracture_grade": findings.deformity.grade,
            "height_loss": findings.deformity.loss,
        }
    return row


def _reason(vertebra: Vertebra) -> str | None:
    if vertebra.is_truncated:
        return Reason.LEVEL_TRUNCATED.value
    return Reason.FRAME_UNCERTAIN.value if vertebra.frame is None else None


def _frame_columns(frame: VertebralFrame) -> dict[str, float]:
    columns = _point_columns("centre", frame.centre_mm, "_mm")
    for name, plane in (("superior", frame.superior_endplate), ("inferior", frame.inferior_endplate)):
        columns |= _point_columns(f"{name}_endplate_point", plane.point_mm, "_mm")
        columns |= _point_columns(f"{name}_endplate_normal", plane.normal, "")
    return columns


def _point_columns(name: str, point: FloatArray, unit: str) -> dict[str, float]:
    return {f"{name}_{axis}{unit}": float(value) for axis, value in zip("xyz", point, strict=True)}
