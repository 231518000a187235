"""Untidy, broken and hostile exports, each with the outcome that it must have.

`python -m tests.dicom.traps` prints the table of expected and obtained outcomes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import (
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.outcome import Excluded, Reason
from spongiosa.synthetic.dicom_writer import (
    T1_SAGITTAL,
    PixelStorage,
    as_scanned,
    write_ct_series,
    write_enhanced_ct,
    write_localizer,
    write_mr_series,
    write_secondary_capture,
)

from .trap_builders import (
    absurd_matrix,
    all_damaged,
    big_endian,
    burned_in,
    conflicting,
    copied_twice,
    ct_series,
    cut_volume,
    damaged_slice,
    deflated,
    empty_folder,
    faulty_series,
    implicit_called_explicit,
    lost_intercept,
    missing_path,
    nested_with_rubbish,
    no_preamble,
    non_square,
    per_slice_rescale,
    sagittal,
    scout_under_same_uid,
    set_odd,
    several_patients,
    sparse,
    tilted,
    truncated_pixels,
    two_kernels_and_scout,
    two_phases_in_one_series,
    uneven,
    volume_file,
    without_element,
    written_by,
    zip_bomb,
    zip_damaged,
    zip_in_folder,
    zip_with,
    zipped,
)
from .trap_builders_archive import (
    annotated_copy_under_same_uid,
    directory_of_a_cd,
    enhanced_in_a_zip,
    enhanced_with_a_scale_per_frame,
    flipped_bit_in_a_volume,
    married,
    material_image,
    one_id_for_two,
    scaled_volume,
    screenshot_under_same_uid,
)
from .trap_images import PATIENT, SERIES, Ingest, assert_same_voxels, body_image

CONVERTED = "converted"


@dataclass(frozen=True)
class Trap:
    """`build(folder)` lays the input out and returns its path; `expected` is a reason or `CONVERTED`."""

    name: str
    build: Callable[[Path], Path]
    expected: str
    ingest: Ingest = field(default_factory=Ingest)
    is_same: bool = True  # converted traps: the volume equals `body_image()` voxel by voxel


def obtained(trap: Trap, folder: Path) -> str:
    """Run the trap in an empty folder."""
    path = trap.build(folder)
    try:
        scan = trap.ingest(path)
    except Excluded as fault:
        return fault.reason.value
    if trap.is_same:
        assert_same_voxels(scan, body_image())
    return CONVERTED


_FILLING = Ingest(convert=ConvertSettings(fill_missing_slices=True))
TRAPS: tuple[Trap, ...] = (
    Trap("tidy series", ct_series, CONVERTED),
    Trap("nested folders, rubbish, hostile names, link loop", nested_with_rubbish, CONVERTED),
    Trap("shuffled order", faulty_series(shuffle_seed=4), CONVERTED),
    Trap("same instance twice", faulty_series(duplicated=(2, 3)), CONVERTED),
    Trap("whole folder copied", copied_twice, CONVERTED),
    Trap("slice scanned again, equal", faulty_series(repeated=(4,)), CONVERTED),
    Trap("different images at one position", conflicting, Reason.CONFLICTING_SLICES),
    Trap("two acquisitions under one UID", two_phases_in_one_series, CONVERTED),
    Trap("missing slice", faulty_series(missing=(5,)), Reason.MISSING_SLICES),
    Trap("missing slice, filling configured", faulty_series(missing=(5,)), CONVERTED, _FILLING, is_same=False),
    Trap(
        "three slices missing in a row, filling on",
        faulty_series(missing=(4, 5, 6)),
        "missing_slices",
        _FILLING,
    ),
    Trap("damaged header of one slice", damaged_slice, Reason.MISSING_SLICES),
    Trap("truncated pixel data", truncated_pixels, Reason.UNDECODABLE),
    Trap("truncated pixel data, filling configured", truncated_pixels, CONVERTED, _FILLING, is_same=False),
    Trap("every file damaged", all_damaged, Reason.UNDECODABLE),
    Trap("two kernels, scout and screenshot", two_kernels_and_scout, CONVERTED),
    Trap("scout under the UID of the scan", scout_under_same_uid, CONVERTED),
    Trap("scout only", written_by(lambda f: write_localizer(body_image(), f, PATIENT)), Reason.LOCALIZER_ONLY),
    Trap("screenshot", written_by(lambda f: write_secondary_capture(body_image(), f, PATIENT)), "no_suitable_series"),
    Trap(
        "MR where CT is asked",
        written_by(lambda f: write_mr_series(body_image(), f, PATIENT, T1_SAGITTAL)),
        "wrong_modality",
    ),
    Trap("zip", zipped, CONVERTED),
    Trap("zip below a folder", zip_in_folder, CONVERTED),
    Trap("zip with path traversal", zip_with("../../outside"), Reason.ARCHIVE_REFUSED),
    Trap("zip with absolute path", zip_with("/etc/owned"), Reason.ARCHIVE_REFUSED),
    Trap("damaged zip", zip_damaged, Reason.ARCHIVE_REFUSED),
    Trap("zip bomb", zip_bomb, "archive_refused", Ingest(series=SeriesSettings(maximum_archive_gb=0.01))),
    Trap("too many files", ct_series, Reason.TOO_LARGE, Ingest(series=SeriesSettings(maximum_files=5))),
    Trap("two patients", several_patients, Reason.SEVERAL_PATIENTS),
    Trap("no DICOM", written_by(lambda f: (f / "notes.txt").write_text("none")), Reason.NO_DICOM),
    Trap("empty folder", empty_folder, Reason.NO_DICOM),
    Trap("missing path", missing_path, Reason.INPUT_MISSING),
    Trap("no pixel spacing", without_element("PixelSpacing"), Reason.HEADER_INCOMPLETE),
    Trap("no position", without_element("ImagePositionPatient"), Reason.HEADER_INCOMPLETE),
    Trap("no rescale intercept", without_element("RescaleIntercept"), Reason.HEADER_INCOMPLETE),
    Trap("no SeriesInstanceUID", without_element("SeriesInstanceUID"), CONVERTED),
    Trap("mixed orientation", faulty_series(reoriented=(3,)), Reason.MIXED_ORIENTATION),
    Trap("mixed pixel spacing", set_odd("PixelSpacing", [0.5, 0.5]), Reason.MIXED_GEOMETRY),
    Trap("absurd matrix", absurd_matrix, Reason.TOO_LARGE),
    Trap("slices 10 mm apart", sparse, Reason.NO_SUITABLE_SERIES),
    Trap("uneven spacing, 3.1 mm", uneven(3.1), CONVERTED, is_same=False),
    Trap("uneven spacing, 7.3 mm", uneven(7.3), Reason.VARIABLE_SPACING),
    Trap("gantry tilt", tilted, CONVERTED, is_same=False),
    Trap(
        "gantry tilt, exclusion configured",
        tilted,
        "gantry_tilt",
        Ingest(convert=ConvertSettings(gantry_tilt="exclude")),
    ),
    Trap("RLE", lambda f: ct_series(f, transfer_syntax=RLELossless), CONVERTED),
    Trap("JPEG 2000", lambda f: ct_series(f, transfer_syntax=JPEG2000Lossless), CONVERTED),
    Trap("JPEG Lossless", lambda f: ct_series(f, transfer_syntax=JPEGLosslessSV1), CONVERTED),
    Trap("JPEG-LS", lambda f: ct_series(f, transfer_syntax=JPEGLSLossless), CONVERTED),
    Trap("implicit VR without preamble", no_preamble, CONVERTED),
    Trap("big endian", big_endian, CONVERTED),
    Trap("deflated", deflated, CONVERTED),
    Trap("implicit VR called explicit", implicit_called_explicit, CONVERTED),
    Trap("text burned into the pixels", burned_in, Reason.NO_SUITABLE_SERIES),
    Trap("signed 16 bit", lambda f: ct_series(f, storage=PixelStorage(16, True, 1.0, 0.0)), CONVERTED),
    Trap("unsigned 16 bit", lambda f: ct_series(f, storage=PixelStorage(16, False, 1.0, -32768.0)), CONVERTED),
    Trap("rescale per slice", per_slice_rescale, CONVERTED),
    Trap("sagittal slices", sagittal, CONVERTED),
    Trap("pixels that are not square", non_square, CONVERTED, is_same=False),
    Trap("prone", lambda f: (write_ct_series(as_scanned(body_image(), "HFP"), f, PATIENT, SERIES), f)[1], CONVERTED),
    Trap(
        "feet first", lambda f: (write_ct_series(as_scanned(body_image(), "FFS"), f, PATIENT, SERIES), f)[1], CONVERTED
    ),
    Trap("enhanced multi-frame", written_by(lambda f: write_enhanced_ct(body_image(), f, PATIENT, SERIES)), CONVERTED),
    Trap("enhanced multi-frame, rescale per frame", enhanced_with_a_scale_per_frame, CONVERTED),
    Trap("enhanced multi-frame in a zip", enhanced_in_a_zip, CONVERTED),
    Trap("screenshot under the UID of the scan", screenshot_under_same_uid, CONVERTED),
    Trap("annotated copy of a slice under the UID of the scan", annotated_copy_under_same_uid, CONVERTED),
    Trap("DICOMDIR named as the input", directory_of_a_cd, CONVERTED),
    Trap("one id for two patients", one_id_for_two, Reason.SEVERAL_PATIENTS),
    Trap("name changed by marriage", married, CONVERTED, is_same=False),
    Trap("material image of multi-energy CT", material_image, Reason.NO_SUITABLE_SERIES),
    Trap("NIfTI", volume_file(".nii.gz"), CONVERTED),
    Trap("NIfTI with slope", scaled_volume, CONVERTED, is_same=False),
    Trap("NIfTI with a flipped bit", flipped_bit_in_a_volume, Reason.UNDECODABLE),
    Trap("NRRD", volume_file(".nrrd"), CONVERTED),
    Trap("MHA", volume_file(".mha"), CONVERTED),
    Trap("folder with one NIfTI", lambda f: volume_file(".nii")(f).parent, CONVERTED),
    Trap("NIfTI cut short", cut_volume, Reason.UNDECODABLE),
    Trap("NIfTI without its intercept", lost_intercept, Reason.IMPLAUSIBLE_HU),
)


def main() -> None:
    for trap in TRAPS:
        with tempfile.TemporaryDirectory() as folder:
            result = obtained(trap, Path(folder))
        verdict = "as expected" if result == trap.expected else "DIFFERENT"
        print(f"{trap.name}\t{trap.expected}\t{result}\t{verdict}")  # noqa: T201


if __name__ == "__main__":
    main()
