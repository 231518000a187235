"""How a scan left a stage: a status, a reason code from one enumeration, and a sentence for a person.

An unusable scan is data, not an error: a stage raises `Excluded(reason, detail)` and the runner records it.  Anything
else that is raised is a bug and marks the scan `failed`.
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """State of a scan after a stage, or of a single measurement."""

    OK = "ok"
    EXCLUDED = "excluded"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a scan, a level or a measurement is missing.  The value is the code that stands in every table."""

    # arrival and DICOM
    INPUT_MISSING = "input_missing"
    INPUT_CHANGED = "input_changed"
    NO_DICOM = "no_dicom"
    ARCHIVE_REFUSED = "archive_refused"
    WRONG_MODALITY = "wrong_modality"
    LOCALIZER_ONLY = "localizer_only"
    TOO_FEW_SLICES = "too_few_slices"
    UNDECODABLE = "undecodable"
    HEADER_INCOMPLETE = "header_incomplete"
    SEVERAL_PATIENTS = "several_patients"
    MIXED_ORIENTATION = "mixed_orientation"
    MIXED_GEOMETRY = "mixed_geometry"
    MISSING_SLICES = "missing_slices"
    VARIABLE_SPACING = "variable_spacing"
    GANTRY_TILT = "gantry_tilt"
    CONFLICTING_SLICES = "conflicting_slices"
    IMPLAUSIBLE_HU = "implausible_hu"
    HU_CLIPPED = "hu_clipped"
    PADDING_IN_RANGE = "padding_in_range"
    NO_SUITABLE_SERIES = "no_suitable_series"
    TOO_LARGE = "too_large"
    # localisation
    HEAD_SCAN = "head_scan"
    NO_SPINE = "no_spine"
    NO_LUMBAR_VERTEBRA = "no_lumbar_vertebra"
    FIELD_OF_VIEW = "field_of_view"
    LEVEL_UNKNOWN = "level_unknown"
    IMPLAUSIBLE_SPACING = "implausible_spacing"
    IMPLAUSIBLE_ORIENTATION = "implausible_orientation"
    LOW_CONFIDENCE = "low_confidence"
    LABELS_UNREADABLE = "labels_unreadable"
    LABELS_OFF_GRID = "labels_off_grid"
    LABELS_IMPLAUSIBLE = "labels_implausible"
    WEIGHTS_MISSING = "weights_missing"
    # levels, regions and density
    LEVEL_TRUNCATED = "level_truncated"
    LEVEL_NOT_IN_VIEW = "level_not_in_view"
    FRAME_UNCERTAIN = "frame_uncertain"
    REGION_TOO_SMALL = "region_too_small"
    SCREW_ELSEWHERE = "screw_elsewhere"
    REGION_OUTSIDE_IMAGE = "region_outside_image"
    METAL = "metal"
    LEVEL_FLAGGED = "level_flagged"
    CALIBRATION_REFUSED = "calibration_refused"
    PHANTOM_NOT_FOUND = "phantom_not_found"
    PHANTOM_FIT = "phantom_fit"
    PHANTOM_INCOMPLETE = "phantom_incomplete"
    PHANTOM_AMBIGUOUS = "phantom_ambiguous"
    PHANTOM_MISMATCH = "phantom_mismatch"
    SCANNER_NOT_LISTED = "scanner_not_listed"
    OTHER_MATERIAL = "other_material"
    SCAN_QUALITY = "scan_quality"
    TISSUES_NOT_FOUND = "tissues_not_found"
    CONTRAST_IN_BLOOD = "contrast_in_blood"
    NOT_CALIBRATED = "not_calibrated"
    NO_NOMINAL_ROD_HU = "no_nominal_rod_hu"
    # cohort
    REVIEW_EXCLUDED = "review_excluded"
    LEVEL_LEFT_OUT = "level_left_out"
    TOO_FEW_LEVELS = "too_few_levels"
    BODY_HU_NEAR_ZERO = "body_hu_near_zero"
    MODULE_ABSENT = "module_absent"
    NOT_MEASURED = "not_measured"
    PROCESS_DIED = "process_died"
    UNEXPECTED_ERROR = "unexpected_error"


#: What each code means, for reports and the data dictionary.
MEANING: dict[Reason, str] = {
    Reason.INPUT_MISSING: "The input that the manifest names does not exist or cannot be opened.",
    Reason.INPUT_CHANGED: "The input is no longer the one that was measured.",
    Reason.NO_DICOM: "No readable DICOM image or volume file was found in the input.",
    Reason.ARCHIVE_REFUSED: "The archive is damaged, unsafe or larger than the configured limit.",
    Reason.WRONG_MODALITY: "The input holds images, but none of the modality that the manifest asks for.",
    Reason.LOCALIZER_ONLY: "The input holds only localizer (scout) images.",
    Reason.TOO_FEW_SLICES: "The series has too few slices to form a volume.",
    Reason.UNDECODABLE: "The pixel data could not be decoded.",
    Reason.HEADER_INCOMPLETE: "A header field that the geometry or the HU scale needs is missing.",
    Reason.SEVERAL_PATIENTS: "The input mixes images of several patients.",
    Reason.MIXED_ORIENTATION: "The slices of the series do not share one orientation.",
    Reason.MIXED_GEOMETRY: "The slices of the series do not share one matrix or pixel spacing.",
    Reason.MISSING_SLICES: "Slices of the series are missing.",
    Reason.VARIABLE_SPACING: "The distance between slices varies.",
    Reason.GANTRY_TILT: "The gantry was tilted and resampling is not configured.",
    Reason.CONFLICTING_SLICES: "Several different images of the series lie at the same position.",
    Reason.IMPLAUSIBLE_HU: "The values are not plausible Hounsfield units.",
    Reason.HU_CLIPPED: "The values are cut off within the range of tissue.",
    Reason.PADDING_IN_RANGE: "The padding outside the reconstructed field has the values of tissue.",
    Reason.NO_SUITABLE_SERIES: "No series meets the configured requirements.",
    Reason.TOO_LARGE: "The image is larger than the configured limit.",
    Reason.HEAD_SCAN: "The scan shows the head.",
    Reason.NO_SPINE: "No spine was found in the scan.",
    Reason.NO_LUMBAR_VERTEBRA: "The spine is in view, but no complete lumbar vertebra.",
    Reason.FIELD_OF_VIEW: "The scan is too short to hold a complete lumbar vertebra.",
    Reason.LEVEL_UNKNOWN: "Vertebrae were found, but their levels could not be numbered.",
    Reason.IMPLAUSIBLE_SPACING: "The sizes in the scan are not those of a spine: is the spacing in the header right?",
    Reason.IMPLAUSIBLE_ORIENTATION: "The scan is not the way round that its header says: is the orientation right?",
    Reason.LOW_CONFIDENCE: "The localisation is too uncertain to measure from.",
    Reason.LABELS_UNREADABLE: "The label map could not be read.",
    Reason.LABELS_OFF_GRID: "The label map does not cover the scan.",
    Reason.LABELS_IMPLAUSIBLE: "The label map does not look like vertebrae in order.",
    Reason.WEIGHTS_MISSING: "The network weights of the chosen method are not installed.",
    Reason.LEVEL_TRUNCATED: "The vertebra is cut by the edge of the scan.",
    Reason.LEVEL_NOT_IN_VIEW: "The vertebra is not in the scan.",
    Reason.FRAME_UNCERTAIN: "No trustworthy anatomical frame could be fitted to the vertebra.",
    Reason.SCREW_ELSEWHERE: "The screw that was given for this side does not run through it.",
    Reason.REGION_TOO_SMALL: "The region holds too few voxels for a trustworthy mean.",
    Reason.REGION_OUTSIDE_IMAGE: "The region reaches beyond the image.",
    Reason.METAL: "Metal lies in the region.",
    Reason.LEVEL_FLAGGED: "The vertebra carries a flag that the configuration excludes, such as cement.",
    Reason.CALIBRATION_REFUSED: "The calibration is not credible.",
    Reason.PHANTOM_NOT_FOUND: "The calibration phantom was not found.",
    Reason.PHANTOM_FIT: "The rods of the phantom do not fit a line.",
    Reason.SCAN_QUALITY: "The scan breaks a rule of quality that the configuration lets exclude.",
    Reason.TISSUES_NOT_FOUND: "The reference tissues of the internal calibration were not found.",
    Reason.CONTRAST_IN_BLOOD: "Contrast medium in the blood, which an internal calibration would count as mineral.",
    Reason.PHANTOM_INCOMPLETE: "Too few rods of the phantom lie in the image.",
    Reason.PHANTOM_AMBIGUOUS: "The rods of the phantom can be told apart in more than one way.",
    Reason.PHANTOM_MISMATCH: "The rods lie like those of another phantom than the one that was named.",
    Reason.SCANNER_NOT_LISTED: "The scanner table has no line for this scan.",
    Reason.OTHER_MATERIAL: "The vBMD is of another mineral than the threshold.",
    Reason.NOT_CALIBRATED: "No calibration was configured, so there is no vBMD.",
    Reason.NO_NOMINAL_ROD_HU: "No nominal rod HU were configured, so there is no phantom-referenced HU.",
    Reason.REVIEW_EXCLUDED: "A reader excluded it in the review.",
    Reason.LEVEL_LEFT_OUT: "The vertebra is fractured, treated or named by the clinical table, and enters no index.",
    Reason.TOO_FEW_LEVELS: "Fewer valid levels than the configured minimum.",
    Reason.NOT_MEASURED: "The value was not measured.",
    Reason.BODY_HU_NEAR_ZERO: "The HU of the body is too near zero for a ratio.",
    Reason.MODULE_ABSENT: "This version does not measure it yet.",
    Reason.PROCESS_DIED: "The process died twice while it worked on this scan.",
    Reason.UNEXPECTED_ERROR: "An unexpected error stopped this scan; the log has the traceback.",
}


class Excluded(Exception):
    """The scan cannot be used, and that is a result: `reason` for tables, `detail` is a whole sentence for a person.

    The detail says what was found, where, and what to do; it never contains a path, a name, an identifier from the
    header, or any free text from it.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
