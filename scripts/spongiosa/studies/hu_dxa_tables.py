"""The tables of the HU-DXA concordance study."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pandas as pd

from spongiosa.config.thresholds import ThresholdsSettings
from spongiosa.report.exhibits import Footnotes, TableExhibit
from spongiosa.report.formatting import count_share, estimate_interval, number, p_value, whole
from spongiosa.report.variables import SITE_LABELS
from spongiosa.statistics.accuracy import AccuracyIndices, accuracy_indices, classify, confusion, threshold_frame
from spongiosa.statistics.accuracy import threshold_table as indices_per_threshold
from spongiosa.statistics.contingency import ContingencyTest, association_test, fisher_exact
from spongiosa.statistics.kappa import Kappa
from spongiosa.studies.fit import Fit
from spongiosa.studies.hu_dxa_groups import GROUP_STYLES, ConcordanceCohort, hu_zones
from spongiosa.studies.result import attempt
from spongiosa.studies.strata import strata_of


def definition_table(cohort: ConcordanceCohort, thresholds: ThresholdsSettings, label: str) -> TableExhibit:
    """T1: the four groups and how many patients fall into each."""
    t, hu = number(thresholds.t_osteoporosis, 1), f"{thresholds.hu_osteoporosis:g}"
    total = len(cohort.frame)
    rows = []
    for name, style in GROUP_STYLES.items():
        is_dxa, is_hu = "dxa_positive" in name, "hu_positive" in name
        rows.append(
            {
                "group": name,
                "label": style.label,
                "dxa_criterion": f"lowest T-score {'≤' if is_dxa else '>'} {t}",
                "hu_criterion": f"{'≤' if is_hu else '>'} {hu} HU",
                "agreement": "concordant" if is_dxa == is_hu else "discordant",
                "patients": int((cohort.frame["group"] == name).sum()),
            }
        )
    frame = pd.DataFrame(rows)
    printed = pd.DataFrame(
        {
            "Group": frame["label"],
            "DXA criterion": frame["dxa_criterion"],
            "CT criterion": frame["hu_criterion"],
            "Agreement": frame["agreement"],
            "n (%)": [count_share(count, total) for count in frame["patients"]],
        }
    )
    sites = " and ".join(SITE_LABELS[site].lower() for site in cohort.sites)
    return TableExhibit(
        key="t1_group_definitions",
        title="Table 1. Definition of the four groups",
        frame=frame,
        printed=printed,
        caption=f"CT: {label}. DXA: lowest T-score of {sites or 'no site'}.",
    )


def sensitivity_table(
    cohort: ConcordanceCohort, thresholds: ThresholdsSettings, confidence: float, discrimination: Fit
) -> TableExhibit:
    """T3: the indices of the rule HU <= cut-off for every cut-off configured, the study's own, and Youden's."""
    frame, footnotes = cohort.frame, Footnotes()
    curve = discrimination.tables["t7_roc"].frame.iloc[0]
    best, note = float(curve["cut_off_midpoint"]), str(discrimination.values["youden_note"])
    cut_offs = sorted({*thresholds.hu_cutoffs, thresholds.hu_osteoporosis})
    labels = [f"≤ {cut_off:g}" for cut_off in cut_offs]
    if not math.isnan(best):
        cut_offs.append(best)
        labels.append(f"≤ {number(best, 1)} (Youden)")
    rows, impossible = attempt(
        indices_per_threshold,
        frame["index_hu"],
        frame["is_dxa_positive"],
        cut_offs,
        operator="<=",
        confidence=confidence,
    )
    notes = [
        "Predicted osteoporosis: HU at or below the cut-off; reference: DXA+. Concordance is overall agreement. "
        "Limits of kappa are printed up to 1."
    ]
    if math.isnan(best):
        notes.append(f"No Youden cut-off: {note}")
    elif note:
        notes.append(note)
    if rows is None:
        notes.append(f"No row: {impossible}")
        return TableExhibit("t3_threshold_sensitivity", _T3, pd.DataFrame(), pd.DataFrame(), "", tuple(notes))
    numbers = threshold_frame(rows).assign(is_youden=[label.endswith("(Youden)") for label in labels])
    numbers["reason"] = [row.indices.kappa.reason for row in rows]
    printed = pd.DataFrame(
        [_indices_row(label, row.indices, footnotes) for label, row in zip(labels, rows, strict=True)]
    )
    events = int(frame["is_dxa_positive"].sum())
    area = estimate_interval(float(curve["auc_estimate"]), float(curve["auc_ci_low"]), float(curve["auc_ci_high"]))
    area_text = "" if math.isnan(curve["auc_estimate"]) else f" AUC {area}."
    return TableExhibit(
        key="t3_threshold_sensitivity",
        title=_T3,
        frame=numbers,
        printed=printed,
        caption=f"n = {len(frame)}, DXA osteoporosis {count_share(events, len(frame))}.{area_text} "
        f"Wilson intervals ({confidence:.0%}) of every share are in the CSV file.",
        notes=(*notes, *footnotes.notes()),
    )


_T3 = "Table 3. Agreement with DXA at several HU cut-offs"


def _indices_row(label: str, indices: AccuracyIndices, footnotes: Footnotes) -> dict[str, str]:
    counts = indices.confusion
    shares = {
        "Sensitivity": indices.sensitivity,
        "Specificity": indices.specificity,
        "PPV": indices.positive_predictive_value,
        "NPV": indices.negative_predictive_value,
    }
    cells = {
        name: footnotes.gap(share.reason) if share.reason else number(share.estimate, 3)
        for name, share in shares.items()
    }
    return {
        "HU cut-off": label,
        "Concordant n (%)": count_share(counts.true_positive + counts.true_negative, indices.n),
        **cells,
        "Kappa (CI)": _kappa_cell(indices.kappa, footnotes),
        "TP": str(counts.true_positive),
        "FP": str(counts.false_positive),
        "TN": str(counts.true_negative),
        "FN": str(counts.false_negative),
    }


def _kappa_cell(kappa: Kappa, footnotes: Footnotes) -> str:
    if math.isnan(kappa.estimate):
        return footnotes.gap(kappa.reason)
    text = kappa_text(kappa)
    return f"{text} {footnotes.mark(kappa.reason)}" if kappa.reason else text


def kappa_text(kappa: Kappa) -> str:
    """Kappa with its interval cut at -1 and 1, beyond which the symmetric limits reach in small samples."""
    return estimate_interval(kappa.estimate, max(kappa.ci_low, -1.0), min(kappa.ci_high, 1.0))


def gray_zone_table(cohort: ConcordanceCohort, thresholds: ThresholdsSettings, *, seed: int) -> TableExhibit:
    """T5: discordance inside and outside the gray zone, and in its three zones."""
    low, high = thresholds.hu_gray_zone
    footnotes = Footnotes()
    zone = hu_zones(cohort.frame["index_hu"], (low, high))
    names = {"low": f"≤ {low:g} HU", "gray": f"> {low:g} to {high:g} HU", "high": f"> {high:g} HU"}
    schemes: dict[str, dict[str, tuple[str, ...]]] = {
        "two zones": {f"gray zone ({names['gray']})": ("gray",), "outside": ("low", "high")},
        "three zones": {names["low"]: ("low",), names["gray"]: ("gray",), names["high"]: ("high",)},
    }
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for scheme, zones in schemes.items():
        counts = [_zone_counts(cohort.frame, zone.isin(members)) for members in zones.values()]
        test, reason = attempt(_zone_test, [[bad, total - bad] for bad, total in counts], seed)
        for position, (label, (discordant, total)) in enumerate(zip(zones, counts, strict=True)):
            share = discordant / total if total else math.nan
            records.append(
                {"scheme": scheme, "zone": label, "patients": total, "discordant": discordant,
                 "share_discordant": share, "p_value": test.p_value if test else math.nan,
                 "method": test.method if test else None, "reason": reason}
            )  # fmt: skip
            cell = (p_value(test.p_value) if test else footnotes.gap(reason)) if position == 0 else ""
            printed.append(
                {"Zones": scheme if position == 0 else "", "HU": label, "Patients": whole(total),
                 "Discordant n (%)": count_share(discordant, total), "P": cell}
            )  # fmt: skip
    used = sorted({str(record["method"]) for record in records if record["method"]})
    return TableExhibit(
        key="t5_gray_zone",
        title="Table 5. Discordance by HU zone",
        frame=pd.DataFrame.from_records(records),
        printed=pd.DataFrame(printed),
        caption="Two zones as in the original question; three zones, as pooling everything outside hides a gradient.",
        notes=(*(f"Test: {method}." for method in used), *footnotes.notes()),
    )


def _zone_test(counts: list[list[int]], seed: int) -> ContingencyTest:
    """Fisher's exact test of two zones, as the study printed it; chi-square or Fisher's of three."""
    return fisher_exact(counts) if len(counts) == 2 else association_test(counts, seed=seed)


def _agreement(part: pd.DataFrame, hu_cut_off: float, confidence: float) -> AccuracyIndices:
    positive = classify(part["index_hu"], hu_cut_off, "<=")
    return accuracy_indices(confusion(positive, part["is_dxa_positive"]), confidence=confidence)


def _of_classes(part: pd.DataFrame, confidence: float) -> AccuracyIndices:
    return accuracy_indices(confusion(part["is_hu_positive"], part["is_dxa_positive"]), confidence=confidence)


def _zone_counts(frame: pd.DataFrame, inside: pd.Series) -> tuple[int, int]:
    return int((inside & ~frame["is_concordant"]).sum()), int(inside.sum())


def age_table(
    cohort: ConcordanceCohort, borders: Sequence[float], hu_cut_off: float, confidence: float
) -> TableExhibit:
    """T9: concordance in age strata (exploratory)."""
    footnotes = Footnotes()
    age = cohort.frame["age_years"].to_numpy(dtype=float, na_value=math.nan)
    edges = [-math.inf, *borders, math.inf]
    records: list[dict[str, object]] = []
    printed: list[dict[str, str]] = []
    for low, high in itertools.pairwise(edges):
        part = cohort.frame[(age >= low) & (age < high)]
        label = f"< {high:g}" if math.isinf(low) else f"≥ {low:g}" if math.isinf(high) else f"{low:g} to < {high:g}"
        agreeing = int(part["is_concordant"].sum())
        indices, reason = attempt(_agreement, part, hu_cut_off, confidence)
        kappa = indices.kappa if indices else None
        reason = reason if len(part) else "Nobody is in this stratum."
        records.append(
            {"age_years_from": low, "age_years_below": high, "patients": len(part), "concordant": agreeing,
             "dxa_positive": int(part["is_dxa_positive"].sum()), "hu_positive": int(part["is_hu_positive"].sum()),
             "kappa": kappa.estimate if kappa else math.nan, "kappa_ci_low": kappa.ci_low if kappa else math.nan,
             "kappa_ci_high": kappa.ci_high if kappa else math.nan, "reason": reason or (kappa.reason if kappa else "")}
        )  # fmt: skip
        printed.append(
            {
                "Age [years]": label,
                "Patients": whole(len(part)),
                "DXA+": count_share(int(part["is_dxa_positive"].sum()), len(part)),
                "HU+": count_share(int(part["is_hu_positive"].sum()), len(part)),
                "Concordant n (%)": count_share(agreeing, len(part)),
                "Kappa (CI)": _kappa_cell(kappa, footnotes) if kappa else footnotes.gap("Nobody is in this stratum."),
            }
        )
    return TableExhibit(
        key="t9_age_strata",
        title="Table 9. Concordance by age (exploratory)",
        frame=pd.DataFrame.from_records(records),
        printed=pd.DataFrame(printed),
        caption="Strata without a test: the study was not planned for them.",
        notes=footnotes.notes(),
    )


def concordance_of_strata(
    frame: pd.DataFrame, confidence: float
) -> dict[tuple[str, str], tuple[dict[str, object], dict[str, str]]]:
    """Concordance and kappa of every stratum, as numbers and as cells, by its column and value."""
    found: dict[tuple[str, str], tuple[dict[str, object], dict[str, str]]] = {}
    for stratum in strata_of(frame):
        part = frame[stratum.members]
        agreeing = int(part["is_concordant"].sum())
        indices, reason = attempt(_of_classes, part, confidence)
        kappa = indices.kappa if indices else None
        numbers: dict[str, object] = {
            "concordant": agreeing,
            "kappa": kappa.estimate if kappa else math.nan,
            "kappa_ci_low": kappa.ci_low if kappa else math.nan,
            "kappa_ci_high": kappa.ci_high if kappa else math.nan,
            "kappa_reason": reason or (kappa.reason if kappa else ""),
        }
        is_known = kappa is not None and not math.isnan(kappa.estimate)
        found[stratum.place] = (
            numbers,
            {
                "Concordant n (%)": count_share(agreeing, len(part)),
                "Kappa (CI)": kappa_text(kappa) if kappa is not None and is_known else "not determined",
            },
        )
    return found
