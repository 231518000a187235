"""The predictors of the loosening model: their words, units and directions."""

from __future__ import annotations

import re

from spongiosa.cohort.dictionary import clinical_dictionary
from spongiosa.report.variables import Variable

#: Predictors that have a name of their own; any other column is called by its own name.
PREDICTORS = {
    variable.column: variable
    for variable in (
        Variable("age_years", "Age", "years", 0),
        Variable("bmi_kg_m2", "Body mass index", "kg/m²", 1),
        Variable("fused_levels", "Fused levels", "", 0),
        Variable("pbq", "PBQ", "", 2),
        Variable("hu_ratio", "HU ratio", "", 2),
        Variable("b_hu", "B-HU", "HU", 0),
        Variable("st_hu", "ST-HU", "HU", 0),
        Variable("ax_l1_l4_hu", "HU of L1-L4", "HU", 0),
        Variable("hu_3d_l1_l4", "3D-HU of L1-L4", "HU", 0),
        Variable("goutallier", "Goutallier grade", "", 0),
        Variable("terminal_group", "Lowest instrumented vertebra"),
    )
}
#: Heading per column, as tables print it.
LABELS = {column: variable.heading for column, variable in PREDICTORS.items()}
#: Predictors of which low values mean loosening; of all others high values do.
LOW_MEANS_EVENT = frozenset({"hu_ratio", "b_hu", "st_hu", "ax_l1_l4_hu", "hu_3d_l1_l4"})


def in_words(text: str) -> str:
    """The sentence with the labels of the predictors in the place of their column names."""
    return re.sub(r"\b[a-z]+(?:_[a-z0-9]+)*\b", lambda found: _words(found.group()), text)


def _words(name: str) -> str:
    if name not in PREDICTORS:
        return name
    label = PREDICTORS[name].label
    return label if label[:2].isupper() else label[0].lower() + label[1:]


def predictor(column: str) -> Variable:
    """The words of a predictor; those of the data dictionary's unit where the column has no name of its own."""
    if column in PREDICTORS:
        return PREDICTORS[column]
    known = clinical_dictionary().get(column)
    return Variable(column, column, known.unit if known else "", 2)


def possible_range(column: str) -> tuple[float, float] | None:
    """The values that the data dictionary allows; None where it sets no limits."""
    known = clinical_dictionary().get(column)
    if known is None or known.lowest is None or known.highest is None:
        return None
    return known.lowest, known.highest


def is_counted(column: str) -> bool:
    """Whether a column holds whole numbers, so that its axis has no ticks between them."""
    known = clinical_dictionary().get(column)
    return known is not None and known.kind == "integer"
