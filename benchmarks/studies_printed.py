"""What the five papers print, by the names of `studies_headlines`; events are the denominator of every sensitivity."""

from __future__ import annotations

from benchmarks.studies_headlines import Headline

_SWAPPED = "printed for the other class; here with its true meaning"
_LEFT = "contradicts its own Youden index (AUC at most .915)"
_IMPOSSIBLE = "not possible with 33 and 67 patients"


def _all(study: str, rows: list[tuple[str, float, float]], remark: str = "") -> list[Headline]:
    return [Headline(study, name, printed, rounding, remark) for name, printed, rounding in rows]


CONCORDANCE = _all(
    "hu_dxa_concordance",
    [
        ("DXA-/HU- [n]", 94, 0.5), ("DXA+/HU+ [n]", 36, 0.5), ("DXA+/HU- [n]", 24, 0.5), ("DXA-/HU+ [n]", 26, 0.5),
        ("concordance [%]", 72.2, 0.05), ("sensitivity at 100 HU", 0.600, 5e-4),
        ("specificity at 100 HU", 0.783, 5e-4), ("PPV at 100 HU", 0.581, 5e-4), ("NPV at 100 HU", 0.797, 5e-4),
        ("kappa at 100 HU", 0.380, 5e-4), ("AUC", 0.700, 5e-4), ("Youden cut-off [HU]", 98.7, 0.05),
        ("patients in the gray zone [n]", 73, 0.5), ("discordant in the gray zone [%]", 23.3, 0.05),
        ("Fisher P of the gray zone", 0.311, 5e-4), ("r, HU and lowest T", 0.505, 5e-4),
        ("rho, HU and lowest T", 0.467, 5e-4), ("r, HU and lumbar T", 0.664, 5e-4),
        ("rho, HU and lumbar T", 0.617, 5e-4), ("rho, HU and neck T", 0.450, 5e-4),
    ],
)  # fmt: skip

#: Shape: AUC, cut-off, sensitivity (of 27), specificity (of 73) for osteoporosis; cut-off, of 67, of 33 for low mass.
_SHAPES = {
    "round": (0.852, 87.75, 22 / 27, 58 / 73, 118.13, 49 / 67, 28 / 33),
    "oval": (0.853, 91.63, 22 / 27, 56 / 73, 97.13, 51 / 67, 30 / 33),
    "right": (0.857, 106.38, 25 / 27, 51 / 73, 107.63, 44 / 67, 28 / 33),
    "left": (0.936, 110.88, 24 / 27, 51 / 73, 125.00, 0.891, 0.889),
    "front": (0.850, 91.75, 22 / 27, 58 / 73, 121.25, 50 / 67, 27 / 33),
}
SHAPES = [
    headline
    for shape, (area, cut, sensitivity, specificity, low_cut, low_sensitivity, low_specificity) in _SHAPES.items()
    for headline in (
        Headline("roi_shapes", f"{shape}, osteoporosis: AUC", area, 5e-4, _LEFT if shape == "left" else ""),
        Headline("roi_shapes", f"{shape}, osteoporosis: cut-off [HU]", cut, 5e-3),
        Headline("roi_shapes", f"{shape}, osteoporosis: sensitivity", sensitivity, 5e-4, _SWAPPED),
        Headline("roi_shapes", f"{shape}, osteoporosis: specificity", specificity, 5e-4, _SWAPPED),
        Headline("roi_shapes", f"{shape}, low mass: cut-off [HU]", low_cut, 5e-3),
        Headline(
            "roi_shapes", f"{shape}, low mass: sensitivity", low_sensitivity, 5e-4,
            _IMPOSSIBLE if shape == "left" else _SWAPPED,
        ),
        Headline(
            "roi_shapes", f"{shape}, low mass: specificity", low_specificity, 5e-4,
            _IMPOSSIBLE if shape == "left" else _SWAPPED,
        ),
    )
] + [Headline("roi_shapes", "Kruskal-Wallis P between shapes", 0.59, 5e-3)]  # fmt: skip

LOOSENING = [Headline("qct_loosening", "loosening [n]", 63, 0.5)] + [
    headline
    for label, area, cut, rounding, sensitivity, specificity in (
        ("total hip T", 0.596, -1.45, 0.005, 36 / 63, 78 / 123),
        ("A: body", 0.682, 90.05, 0.005, 31 / 63, 97 / 123),
        ("B: pedicle", 0.714, 136.00, 0.005, 33 / 63, 99 / 123),
        ("C: trajectory", 0.736, 119.50, 0.005, 42 / 63, 89 / 123),
    )
    for headline in (
        Headline("qct_loosening", f"{label}: AUC", area, 5e-4),
        Headline("qct_loosening", f"{label}: cut-off", cut, rounding),
        Headline("qct_loosening", f"{label}: sensitivity", sensitivity, 5e-4, _SWAPPED),
        Headline("qct_loosening", f"{label}: specificity", specificity, 5e-4, _SWAPPED),
    )
]

NOMOGRAM = _all(
    "hu_ratio_nomogram",
    [
        ("loosening [n]", 45, 0.5), ("rho, PBQ and HU ratio", 0.039, 5e-4), ("P of PBQ and HU ratio", 0.491, 5e-4),
        ("largest VIF", 1.105, 5e-4), ("AUC, apparent", 0.904, 5e-4), ("AUC, corrected for optimism", 0.883, 5e-4),
        ("cut-off of the risk", 0.212, 5e-4), ("sensitivity", 0.800, 5e-4), ("specificity", 0.881, 5e-4),
        ("PPV", 0.529, 5e-4), ("NPV", 0.963, 5e-4), ("Hosmer-Lemeshow P", 0.393, 5e-4),
    ],
)  # fmt: skip

FRACTURE = _all(
    "fracture_3d_hu",
    [
        ("new fractures [n]", 61, 0.5), ("3D-HU: AUC", 0.877, 5e-4), ("3D-HU: cut-off [HU]", 56.3, 0.05),
        ("3D-HU: sensitivity", 0.803, 5e-4), ("3D-HU: specificity", 0.847, 5e-4), ("3D-HU: accuracy", 0.840, 5e-4),
        ("3D-HU: r with T", 0.628, 5e-4), ("HU: AUC", 0.823, 5e-4), ("HU: cut-off [HU]", 51.4, 0.05),
        ("HU: sensitivity", 0.820, 5e-4), ("HU: specificity", 0.747, 5e-4), ("HU: accuracy", 0.759, 5e-4),
        ("HU: r with T", 0.570, 5e-4), ("odds ratio of age", 0.964, 5e-4),
        ("odds ratio of multiple fracture", 1.136, 5e-4), ("odds ratio of 3D-HU", 0.927, 5e-4),
    ],
)  # fmt: skip

PRINTED = (*CONCORDANCE, *SHAPES, *LOOSENING, *NOMOGRAM, *FRACTURE)
