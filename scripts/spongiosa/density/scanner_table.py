"""Density lines of scanners from the phantom scans of an earlier run.

    python -m spongiosa.density.scanner_table results scanner_lines.tsv [--from 2025-01-01] [--to 2025-12-31]

The run must have used `calibration.method: phantom`.  All its scans of one scanner, maker, tube voltage and kernel make
one line, the median of theirs; the file is what `calibration.scanner_table` reads.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

#: Columns of the file, as the keys of `calibration.scanner_lines`.
COLUMNS = (
    *("scanner", "manufacturer", "kvp", "kernel", "valid_from", "valid_to"),
    *("slope_mg_cm3_per_hu", "intercept_mg_cm3", "material", "source"),
)

#: What makes scans those of one line.
SCANNER = ("scanner", "manufacturer", "kvp", "kernel")


def scanner_lines(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per scanner, maker, voltage, kernel and mineral of the records (`desc-calibration.json`).

    Records without a line from a phantom, or without a voltage, are left out.  The line is the median of vBMD at 0 and
    at 200 HU over the scans, so that one odd scan does not move it.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        line = record["calibration"]["line"]
        about = record["scanner"]
        if line is not None and line["method"] == "phantom" and about["kvp"] is not None:
            groups[(*(about[name] for name in SCANNER), line["material"])].append(line)
    rows = []
    for (*scanner, material), lines in sorted(groups.items(), key=lambda item: [str(part) for part in item[0]]):
        at_0, at_200 = (
            statistics.median(x["intercept_mg_cm3"] + hu * x["slope_mg_cm3_per_hu"] for x in lines)
            for hu in (0.0, 200.0)
        )
        rows.append(
            dict(zip(SCANNER, scanner, strict=True))
            | {
                "slope_mg_cm3_per_hu": round((at_200 - at_0) / 200.0, 6),
                "intercept_mg_cm3": round(at_0, 4),
                "material": material,
                "source": f"median of {len(lines)} phantom scans",
            }
        )
    return rows


def read_records(results: Path) -> list[dict[str, Any]]:
    """The calibration records of all scans of a run."""
    paths = sorted(results.glob("sub-*/ses-*/ct/*_desc-calibration.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def main() -> None:
    """Write the table, or say why there is nothing to write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--from", dest="valid_from", default="")
    parser.add_argument("--to", dest="valid_to", default="")
    options = parser.parse_args()
    rows = scanner_lines(read_records(options.results))
    if not rows:
        sys.exit(f"No scan below {options.results} was calibrated by a phantom.")
    with options.table.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "valid_from": options.valid_from, "valid_to": options.valid_to} for row in rows)
    print(f"{len(rows)} lines in {options.table}")


if __name__ == "__main__":
    main()
