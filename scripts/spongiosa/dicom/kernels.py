"""Reconstruction kernels: which texts are a kernel's name, and how sharp it is.

The name of a kernel is free text in DICOM, so it passes only when it has the form of one vendor's names.  Classes
follow the naming of the vendors: Siemens numbers kernels by sharpness (B30f, Br40d, Qr36: from 50 on sharp), Canon
by purpose (FC30s and FC80s bone, FC50s lung), GE, Philips and United Imaging name them.
"""

from __future__ import annotations

import re
from typing import Final

from spongiosa.config.series import KernelClass

_SIEMENS: Final = re.compile(r"[BHTUIJQDS][A-Z]?(\d{2})(?:[A-Z]{0,2}\d?)")
_CANON: Final = re.compile(r"F[CL](\d{2})(?:-?[A-Z]{1,2})?")
_SIEMENS_SOFT_BELOW: Final = 30
_SIEMENS_SHARP_FROM: Final = 50
_CANON_SHARP: Final = frozenset(range(30, 40)) | frozenset(range(50, 60)) | frozenset(range(80, 90))
_CANON_SOFT: Final = frozenset({1, 2, 3, 10, 11, 12})
_NAMED: Final[dict[str, KernelClass]] = {
    # GE
    "SOFT": "soft",
    "STANDARD": "standard",
    "STD": "standard",
    "STD+": "standard",
    "DETAIL": "standard",
    "CHEST": "standard",
    "BONE": "sharp",
    "BONEPLUS": "sharp",
    "LUNG": "sharp",
    "EDGE": "sharp",
    "ULTRA": "sharp",
    "HD BONE": "sharp",
    "HD LUNG": "sharp",
    # Philips
    "A": "soft",
    "B": "standard",
    "C": "standard",
    "UA": "soft",
    "UB": "standard",
    "UC": "standard",
    "D": "sharp",
    "E": "sharp",
    "L": "sharp",
    "YA": "sharp",
    "YB": "sharp",
    "YC": "sharp",
    "YD": "sharp",
    "YE": "sharp",
    # United Imaging, Neusoft
    "B_SOFT_A": "soft",
    "B_SOFT_B": "standard",
    "B_SOFT_C": "standard",
    "B_SHARP_A": "sharp",
    "B_SHARP_B": "sharp",
    "B_SHARP_C": "sharp",
    "B_VSHARP_A": "sharp",
    "B_VSHARP_B": "sharp",
    "B_VSHARP_C": "sharp",
    "F10": "soft",
    "F20": "standard",
    "F30": "standard",
}


def known_kernel(text: str) -> str | None:
    """`text` as the vendor spells it if it has the form of a kernel's name, else None."""
    name = text.strip()
    capitals = name.upper()
    is_known = capitals in _NAMED or _SIEMENS.fullmatch(capitals) or _CANON.fullmatch(capitals)
    return name if is_known else None


def kernel_class(text: str) -> KernelClass:
    """How sharp the kernel called `text` is; `unknown` for a text that is no kernel's name."""
    name = text.strip().upper()
    if name in _NAMED:
        return _NAMED[name]
    if canon := _CANON.fullmatch(name):
        number = int(canon[1])
        return "sharp" if number in _CANON_SHARP else "soft" if number in _CANON_SOFT else "standard"
    if siemens := _SIEMENS.fullmatch(name):
        number = int(siemens[1])
        if number >= _SIEMENS_SHARP_FROM:
            return "sharp"
        return "soft" if number < _SIEMENS_SOFT_BELOW else "standard"
    return "unknown"
