"""A logistic model that the user brings: its coefficients as a YAML file, checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, FiniteFloat, model_validator

from spongiosa.config.base import Section

Column = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class ModelTerm(Section):
    """One predictor: linear with `coefficient`, or categories or a restricted cubic spline with `coefficients`."""

    column: Column = Field(description="Column of patients.parquet.")
    kind: Literal["linear", "category", "spline"] = Field("linear", description="How the column enters.")
    coefficient: FiniteFloat | None = Field(None, description="Linear: change of the logit per unit.")
    coefficients: dict[str, FiniteFloat] | tuple[FiniteFloat, ...] | None = Field(
        None, description="Category: level -> coefficient, without the reference. Spline: one per spline column."
    )
    reference: str | None = Field(None, coerce_numbers_to_str=True, description="Category: the level without one.")
    knots: tuple[FiniteFloat, ...] | None = Field(
        None, description="Spline: knots, ascending, with components scaled as rms::rcs does (norm = 2)."
    )
    range: tuple[FiniteFloat, FiniteFloat] | None = Field(
        None, description="Least and greatest value of the patients whom the model was made from."
    )
    unit: str = Field("", description="Unit of the column.")

    @model_validator(mode="before")
    @classmethod
    def _levels_as_text(cls, data: Any) -> Any:
        """YAML reads the level 1 as a number; levels are text."""
        _refuse_unknown_keys(cls, data)
        if isinstance(data, dict) and isinstance(data.get("coefficients"), dict):
            return data | {"coefficients": {str(level): value for level, value in data["coefficients"].items()}}
        return data

    @model_validator(mode="after")
    def _complete(self) -> ModelTerm:
        allowed = {"linear": {"coefficient"}, "category": {"coefficients", "reference"}}.get(
            self.kind, {"coefficients", "knots"}
        )
        for key in ("coefficient", "coefficients", "reference", "knots"):
            is_given = getattr(self, key) is not None
            if key in allowed and not is_given:
                raise ValueError(f"a {self.kind} term needs `{key}`")
            if key not in allowed and is_given:
                raise ValueError(f"a {self.kind} term has no `{key}`")
        if self.range is not None and (self.kind == "category" or not self.range[0] < self.range[1]):
            raise ValueError("`range` needs two ascending numbers, and a category has none")
        if self.kind == "category":
            self._check_levels()
        if self.kind == "spline":
            self._check_knots()
        return self

    def _check_levels(self) -> None:
        if not isinstance(self.coefficients, dict) or not self.coefficients:
            raise ValueError("the `coefficients` of a category map each level to its number")
        if self.reference in self.coefficients:
            raise ValueError(f"the reference {self.reference!r} has no coefficient of its own")

    def _check_knots(self) -> None:
        knots = self.knots or ()
        if len(knots) < 3 or list(knots) != sorted(set(knots)):
            raise ValueError("`knots` need at least three ascending numbers")
        if not isinstance(self.coefficients, tuple) or len(self.coefficients) != len(knots) - 1:
            raise ValueError(f"a spline of {len(knots)} knots has a list of {len(knots) - 1} `coefficients`")


class ModelCoefficients(Section):
    """risk = expit(intercept + terms).  None of it is ours: `source` says where the numbers are from."""

    source: str = Field(min_length=3, max_length=500, description="Publication or document of the coefficients.")
    intercept: FiniteFloat = Field(description="Logit of a patient at the references and at zero.")
    terms: tuple[ModelTerm, ...] = Field(description="The predictors.")
    cut_off: float | None = Field(None, gt=0, lt=1, description="Risk from which a patient counts as high risk.")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        _refuse_unknown_keys(cls, data)
        return data

    @model_validator(mode="after")
    def _distinct(self) -> ModelCoefficients:
        columns = [term.column for term in self.terms]
        if not columns:
            raise ValueError("`terms` need at least one predictor")
        twice = sorted({column for column in columns if columns.count(column) > 1})
        if twice:
            raise ValueError(f"`terms` name {', '.join(twice)} twice")
        return self


def _refuse_unknown_keys(model: type[Section], data: Any) -> None:
    """One sentence with the known keys, as a file beside the configuration has no documented page of its own."""
    if isinstance(data, dict):
        strange = [str(key) for key in data if key not in model.model_fields]
        if strange:
            raise ValueError(f"unknown key {', '.join(strange)}; known keys: {', '.join(model.model_fields)}")


def read_coefficients(given: Any) -> Any:
    """The content of a YAML file where its name is given; a mapping, or what was checked already, as it is.

    The content, not the name, becomes part of the configuration: a changed number runs the study again.
    Raises `ValueError` (a fault of its key) when the file cannot be read or holds no mapping.
    """
    if not isinstance(given, str):
        return given
    try:
        content = yaml.safe_load(Path(given).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file cannot be read ({type(error).__name__})") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}" if place is not None else ""
        raise ValueError(f"the file is no YAML{where}") from error
    if not isinstance(content, dict):
        raise ValueError("the file must hold keys such as `source`, `intercept` and `terms`")
    return content


CoefficientsFile = Annotated[
    ModelCoefficients | None,
    BeforeValidator(read_coefficients, json_schema_input_type=str | ModelCoefficients | None),
]
