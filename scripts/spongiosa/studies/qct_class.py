"""The classes of quantitative CT: trabecular vBMD of L1-L2 against its cut-offs, of one mineral only."""

from __future__ import annotations

import pandas as pd

from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.outcome import Reason
from spongiosa.report.exhibits import TableExhibit
from spongiosa.report.formatting import count_share, interval, mean_sd, whole
from spongiosa.report.variables import SEX_LABELS
from spongiosa.statistics.proportions import proportion

DENSITY = "vbmd_l1_l2_mg_cm3"
CLASSES = ("normal", "osteopenia", "osteoporosis")


def qct_classes(patients: pd.DataFrame, thresholds: ThresholdsSettings) -> pd.DataFrame:
    """`qct_class` and `qct_class_reason` (why it is missing), one row per row of `patients`, same index.

    `patients` has `vbmd_l1_l2_mg_cm3` and `vbmd_material`.  Osteoporosis below the first cut-off, osteopenia from it up
    to and including the second, by the ACR-SPR-SSR practice parameter (80 and 120 mg/cm3 of K2HPO4).  A value of
    another mineral than that of the cut-offs, or of an unknown one, is not classified.
    """
    density = patients[DENSITY].astype("Float64")
    material = patients["vbmd_material"].astype("string")
    is_measured = density.notna().to_numpy(dtype=bool)
    is_of_cutoffs = (material == thresholds.vbmd_material).fillna(value=False).to_numpy(dtype=bool)
    found = pd.Series(pd.NA, index=patients.index, dtype="string")
    reason = pd.Series(pd.NA, index=patients.index, dtype="string")
    values = density.to_numpy(dtype=float, na_value=float("nan"))
    is_classed = is_measured & is_of_cutoffs
    found[is_classed] = "normal"
    found[is_classed & (values <= thresholds.vbmd_osteopenia_mg_cm3)] = "osteopenia"
    found[is_classed & (values < thresholds.vbmd_osteoporosis_mg_cm3)] = "osteoporosis"
    reason[~is_measured] = str(Reason.NOT_MEASURED)
    reason[is_measured & ~is_of_cutoffs] = str(Reason.OTHER_MATERIAL)
    return pd.DataFrame({"qct_class": found, "qct_class_reason": reason})


def qct_table(patients: pd.DataFrame, thresholds: ThresholdsSettings, confidence: float) -> tuple[TableExhibit, ...]:
    """Table 5: the classes of the patients who have vBMD, all and by sex; none where nobody was calibrated."""
    if not {DENSITY, "vbmd_material"} <= set(patients.columns) or patients[DENSITY].isna().all():
        return ()
    classed = qct_classes(patients, thresholds).assign(
        density=patients[DENSITY].astype("float64"), sex=patients.get("sex")
    )
    groups = {"All": classed} | {label: classed[classed["sex"] == sex] for sex, label in SEX_LABELS.items()}
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for label, group in groups.items():
        part = group[group["qct_class"].notna()]
        if part.empty:
            continue
        mean, sd = float(part["density"].mean()), float(part["density"].std())
        row = {"Group": label, "Patients": whole(len(part)), "vBMD [mg/cm³], mean ± SD": mean_sd(mean, sd)}
        for name in CLASSES:
            share = proportion(int((part["qct_class"] == name).sum()), len(part), confidence=confidence)
            records.append(
                {"group": label.lower(), "qct_class": name, "patients": share.total, "in_class": share.count,
                 "share": share.estimate, "ci_low": share.ci_low, "ci_high": share.ci_high,
                 "mean_vbmd_mg_cm3": mean, "sd_vbmd_mg_cm3": sd}
            )  # fmt: skip
            limits = interval(100 * share.ci_low, 100 * share.ci_high, 1)
            row[name.capitalize()] = f"{count_share(share.count, share.total)}, CI {limits}"
        printed.append(row)
    not_classed = classed["qct_class_reason"].value_counts().sort_index()
    return (
        TableExhibit(
            key="t5_qct_classes",
            title="Table 5. Classes of vBMD",
            frame=pd.DataFrame.from_records(records),
            printed=pd.DataFrame(printed),
            caption=f"Mean vBMD of region A of L1 and L2, {thresholds.vbmd_material}: osteoporosis below "
            f"{thresholds.vbmd_osteoporosis_mg_cm3:g}, osteopenia up to {thresholds.vbmd_osteopenia_mg_cm3:g} mg/cm³. "
            f"Wilson intervals, {confidence:.0%}.",
            notes=tuple(f"Not classified: {count} ({reason})." for reason, count in not_classed.items()),
        ),
    )
