"""What may leave a DICOM header: numbers in a plausible range, and texts that are known technical tokens.

Free text is never passed on, whatever element it stands in: a kernel, a manufacturer or a body part counts only when it
is one of the known ones.  Names, identifiers and UIDs have no way through this module; age, sex and the day of the scan
(a count from a day that only the project's secret tells) only where the configuration says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from spongiosa.config.convert import ConvertSettings
from spongiosa.dicom.headers import FrameHeader
from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.kernels import kernel_class, known_kernel

AGE_BAND_YEARS: Final = 5
"""Width of the bands with `convert.patient_age: bands`."""
OLDEST_AGE_YEARS: Final = 90
"""Ages above 89 identify: 45 CFR 164.514(b)(2)(i)(C) has them joined into one category."""
_OLDEST_POSSIBLE_YEARS: Final = 120
"""Of a higher age the date of birth is a placeholder, such as 1 January 1800."""
_FIRST_YEAR_OF_CT: Final = 1971
"""Anonymisers write 1900-01-01 and the like; no CT was made before 1 October 1971."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Text that occurs in the manufacturer's element -> the name that is written.
_MANUFACTURERS: Final = {
    "SIEMENS": "Siemens",
    "GE MEDICAL": "GE",
    "GE HEALTHCARE": "GE",
    "IMATRON": "GE",
    "PHILIPS": "Philips",
    "MARCONI": "Philips",
    "PICKER": "Philips",
    "ELSCINT": "Elscint",
    "TOSHIBA": "Toshiba",
    "CANON": "Canon",
    "HITACHI": "Hitachi",
    "FUJIFILM": "Fujifilm",
    "SHIMADZU": "Shimadzu",
    "NEUSOFT": "Neusoft",
    "UIH": "United Imaging",
    "UNITED IMAGING": "United Imaging",
    "NMS": "NeuroLogica",
    "NEUROLOGICA": "NeuroLogica",
    "SAMSUNG": "Samsung",
    "PLANMED": "Planmed",
    "CURVEBEAM": "CurveBeam",
    "SPONGIOSA": "Spongiosa synthetic",
}
_IMAGE_TYPE_TOKENS: Final = _words(
    "ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER REFORMATTED MPR MIP MINIP AVERAGE VOLUME HELICAL "
    "CT_SOM5 CT_SOM7 SPI SEQ MON MULTI TOP M SE NORM ND FFE T1 T2"
)
_BODY_PARTS: Final = _words(
    "ABDOMEN ABDOMENPELVIS CHEST CHESTABDOMEN CHESTABDPELVIS HEAD HEADNECK HIP LSPINE LUMBARSPINE LSSPINE NECK PELVIS "
    "PARTIALBODY WHOLEBODY CSPINE TSPINE TLSPINE CTSPINE SPINE SSPINE THORAX TRUNK EXTREMITY KNEE"
)
_PATIENT_POSITIONS: Final = frozenset({"HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL"})
_SCANNING_SEQUENCES: Final = frozenset({"SE", "IR", "GR", "EP", "RM"})
_NO_CONTRAST: Final = frozenset({"NONE", "NO", "N", "0", "NO CONTRAST", "WITHOUT", "W/O", "NATIVE", "NATIV", "OHNE"})
_MODALITIES: Final = _words("CT MR PT NM US CR DX XA RF MG OT SC SR SEG RTSTRUCT RTDOSE RTPLAN PR KO REG DOC")
_TRANSFER_SYNTAXES: Final = {
    "1.2.840.10008.1.2": "implicit little endian",
    "1.2.840.10008.1.2.1": "explicit little endian",
    "1.2.840.10008.1.2.1.99": "deflated little endian",
    "1.2.840.10008.1.2.2": "explicit big endian",
    "1.2.840.10008.1.2.4.50": "JPEG baseline",
    "1.2.840.10008.1.2.4.51": "JPEG extended",
    "1.2.840.10008.1.2.4.57": "JPEG lossless",
    "1.2.840.10008.1.2.4.70": "JPEG lossless",
    "1.2.840.10008.1.2.4.80": "JPEG-LS lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS near lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.201": "HTJ2K lossless",
    "1.2.840.10008.1.2.4.202": "HTJ2K lossless",
    "1.2.840.10008.1.2.4.203": "HTJ2K",
    "1.2.840.10008.1.2.5": "RLE",
}
#: Syntaxes that lose information: HU come out changed.
LOSSY_SYNTAXES: Final = frozenset({"JPEG baseline", "JPEG extended", "JPEG-LS near lossless", "JPEG 2000", "HTJ2K"})


def known_manufacturer(text: Any) -> str | None:
    """The maker's usual short name, or None where the text names none that is known."""
    upper = str(text or "").upper()
    return next((name for mark, name in _MANUFACTURERS.items() if mark in upper), None)


def known_body_part(text: Any) -> str | None:
    """The body part where it is one of the known words, without spaces and signs; no other text passes."""
    token = str(text or "").upper().replace(" ", "").replace("_", "").replace("-", "")
    return token if token in _BODY_PARTS else None


def known_modality(text: str) -> str:
    """The modality where it is one of the known codes; no other text passes."""
    return text if text in _MODALITIES else "another kind"


def image_type_tokens(header: FrameHeader) -> str:
    """The known tokens of ImageType, joined as DICOM does; `ORIGINAL\\PRIMARY\\AXIAL`."""
    words = [word for value in header.image_type for word in value.split()]
    return "\\".join(word for word in words if word in _IMAGE_TYPE_TOKENS)


def transfer_syntax_name(header: FrameHeader) -> str | None:
    """How the pixels are encoded, in words; None for an encoding that is not known."""
    return _TRANSFER_SYNTAXES.get(header.transfer_syntax)


def contrast_agent(header: FrameHeader) -> bool | None:
    """Whether a contrast agent was given; None where the header does not say."""
    text = str(header.technical.get("ContrastBolusAgent") or "").strip().upper()
    return None if not text else text not in _NO_CONTRAST


def _bounded(lowest: float, highest: float) -> Callable[[Any], float | None]:
    def check(value: Any) -> float | None:
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        return round(number, 6) if lowest <= number <= highest else None

    return check


def _one_of(tokens: frozenset[str]) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        token = str(value or "").strip().upper()
        return token if token in tokens else None

    return check


#: Field that is written -> the header element and the check that its value must pass.
_FIELDS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "kvp": ("KVP", _bounded(20, 200)),
    "tube_current_ma": ("XRayTubeCurrent", _bounded(0, 5000)),
    "exposure_mas": ("Exposure", _bounded(0, 100_000)),
    "reconstruction_diameter_mm": ("ReconstructionDiameter", _bounded(0, 2000)),
    "table_height_mm": ("TableHeight", _bounded(-2000, 2000)),
    "stated_gantry_tilt_degrees": ("GantryDetectorTilt", _bounded(-90, 90)),
    "manufacturer": ("Manufacturer", known_manufacturer),
    "body_part": ("BodyPartExamined", known_body_part),
    "patient_position": ("PatientPosition", _one_of(_PATIENT_POSITIONS)),
    "scanning_sequence": ("ScanningSequence", _one_of(_SCANNING_SEQUENCES)),
    "repetition_time_ms": ("RepetitionTime", _bounded(0, 100_000)),
    "echo_time_ms": ("EchoTime", _bounded(0, 10_000)),
    "flip_angle_degrees": ("FlipAngle", _bounded(0, 360)),
    "magnetic_field_strength_t": ("MagneticFieldStrength", _bounded(0, 25)),
}


def personal_fields(header: FrameHeader, settings: ConvertSettings, patient: PatientIdentity) -> dict[str, Any]:
    """Age, sex and the day of the scan as far as the configuration lets them pass; nothing by default."""
    fields: dict[str, Any] = {}
    if settings.patient_age != "drop":
        age = age_at_scan(header)
        band = 1 if settings.patient_age == "years" else AGE_BAND_YEARS
        fields["age_years"] = None if age is None else min(age // band * band, OLDEST_AGE_YEARS)
    if settings.patient_sex == "keep":
        fields["sex"] = _one_of(frozenset({"F", "M", "O"}))(header.technical.get("PatientSex"))
    if settings.dates == "offset":
        day = scan_date(header)
        fields["scan_day"] = None if day is None else patient.day(day)
    return fields


def scan_date(header: FrameHeader) -> date | None:
    """The date of the acquisition, else that of the series or study; None where none is stated that can be true."""
    for element in ("AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "StudyDate"):
        day = _date(header.technical.get(element))
        if day is not None and day.year >= _FIRST_YEAR_OF_CT:
            return day
    return None


def _date(text: Any) -> date | None:
    """The date of a text that begins with YYYYMMDD or YYYY.MM.DD (PS3.5, 6.2, VR DA and DT)."""
    match = re.match(r"(\d{4})\.?(\d{2})\.?(\d{2})", str(text or "").strip())
    try:
        return date(*(int(part) for part in match.groups())) if match else None
    except ValueError:
        return None


def age_at_scan(header: FrameHeader) -> int | None:
    """Whole years of age: as stated, else from the date of birth and that of the scan."""
    stated = age_years(header.technical.get("PatientAge"))
    born, scanned = _date(header.patient[2]), scan_date(header)
    if stated is not None or born is None or scanned is None:
        return stated
    years = scanned.year - born.year - ((scanned.month, scanned.day) < (born.month, born.day))
    return years if 0 <= years <= _OLDEST_POSSIBLE_YEARS else None


def age_years(text: Any) -> int | None:
    """Whole years of an age string such as `061Y` or `030M` (PS3.5, 6.2, VR AS); None for any other text."""
    match = re.fullmatch(r"(\d{3})([DWMY])", str(text or "").strip())
    if match is None:
        return None
    per_year = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[match[2]]
    years = int(int(match[1]) / per_year)
    return years if years <= _OLDEST_POSSIBLE_YEARS else None


def acquisition_fields(header: FrameHeader) -> dict[str, Any]:
    """The white-listed fields of one image, JSON-able; None where the header states none or none that passes."""
    fields: dict[str, Any] = {name: check(header.technical.get(element)) for name, (element, check) in _FIELDS.items()}
    return fields | {
        "modality": known_modality(header.modality),
        "kernel": known_kernel(header.kernel),
        "kernel_class": kernel_class(header.kernel),
        "slice_thickness_mm": _bounded(0, 100)(header.slice_thickness_mm),
        "contrast_agent": contrast_agent(header),
        "image_type": image_type_tokens(header),
        "transfer_syntax": transfer_syntax_name(header),
    }
