"""How many vertebrae each patient's mean rests on, and which were left out for a fracture, cement or treatment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from spongiosa.report.exhibits import TableExhibit
from spongiosa.report.formatting import count_share
from spongiosa.report.variables import index_label
from spongiosa.studies.flow_table import numbers


def levels_table(frame: pd.DataFrame, indices: Sequence[str]) -> tuple[TableExhibit, ...]:
    """Table 7: patients by number of levels per index, vertebrae left out by reason; none where nothing is known."""
    records: list[dict[str, object]] = []
    for index in indices:
        column = f"{index}_levels_used"
        if column not in frame:
            continue
        used = numbers(frame, column)
        for levels in sorted({int(value) for value in used.dropna()}, reverse=True):
            count = int((used == levels).sum())
            records.append({"what": index_label(index), "value": f"{levels} levels", "patients": count})
    if "levels_left_out" in frame:
        reasons: Counter[str] = Counter()
        named = frame["levels_left_out"].dropna().astype("str")
        for text in named:
            reasons.update({part.partition("(")[2].rstrip(")") for part in text.split("), ")})
        records += [
            {"what": "Vertebrae left out", "value": reason, "patients": count}
            for reason, count in sorted(reasons.items())
        ]
        records.append({"what": "Vertebrae left out", "value": "none", "patients": len(frame) - len(named)})
    if not records:
        return ()
    table = pd.DataFrame.from_records(records)
    repeated = table["what"] == table["what"].shift()
    return (
        TableExhibit(
            key="t7_levels",
            title="Table 7. Levels that the means rest on",
            frame=table,
            printed=pd.DataFrame(
                {
                    "Quantity": table["what"].mask(repeated, ""),
                    "Levels": table["value"],
                    "Patients": [count_share(int(count), len(frame)) for count in table["patients"]],
                }
            ),
            caption="A fractured, cemented or treated level enters no mean; its values stay in measurements.parquet.",
        ),
    )
