"""Nothing that identifies a person leaves the DICOM: not in rows, sidecars, sentences, voxels' files or warnings."""

from __future__ import annotations

import gzip
import json
import logging
import warnings
from dataclasses import replace
from datetime import date
from pathlib import Path

import pydicom
import pytest

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.assembly import assemble_input
from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.index import index_input
from spongiosa.dicom.kernels import kernel_class, known_kernel
from spongiosa.dicom.privacy import age_years, known_body_part, known_manufacturer
from spongiosa.nifti import write_compressed_nifti
from spongiosa.outcome import Excluded
from spongiosa.synthetic.dicom_writer import ContrastAgent, canaries_in, write_ct_series

from .trap_builders import big_endian
from .trap_images import PATIENT, SERIES, Ingest, body_image
from .traps import CONVERTED, TRAPS, Trap

#: White-listed text elements, each of which a careless site may have filled with a name.
FREE_TEXTS = (
    "Manufacturer",
    "ConvolutionKernel",
    "BodyPartExamined",
    "ContrastBolusAgent",
    "PatientPosition",
    "ScanningSequence",
    "RescaleType",
    "ImageType",
)


def ingested_text(path: Path, out: Path) -> str:
    """Everything that an ingest gives away, as one text: rows, sidecar, and the unpacked volume file."""
    settings = SeriesSettings()
    records = index_input(path, "ct", settings, patient=PatientIdentity(b"secret", "P1"))
    (chosen,) = [record for record in records if record.is_chosen]
    scan = assemble_input(
        path, "ct", chosen.series_key, settings, ConvertSettings(), patient=PatientIdentity(b"secret", "P1")
    )
    write_compressed_nifti(scan.volume, out / "scan.nii.gz")
    unpacked = gzip.decompress((out / "scan.nii.gz").read_bytes()).decode("latin-1")
    return json.dumps([record.to_row() for record in records]) + json.dumps(scan.acquisition) + unpacked


def test_no_canary_of_a_full_header_leaves(tmp_path: Path):
    folder = tmp_path / "CANARYFAMILY^CANARYGIVEN 19120229"
    series = replace(SERIES, contrast=ContrastAgent(), file_name="CANARYPID-{number}")
    paths = write_ct_series(body_image(), folder, PATIENT, series)
    assert canaries_in(paths[0].read_bytes().decode("latin-1"))  # the trap is set
    assert canaries_in(ingested_text(folder, tmp_path / "out")) == []


@pytest.mark.parametrize("keyword", FREE_TEXTS)
def test_a_name_in_a_technical_element_does_not_pass(keyword: str, tmp_path: Path):
    for path in write_ct_series(body_image(), tmp_path / "in", PATIENT, SERIES):
        dataset = pydicom.dcmread(path)
        value = "CANARYGIVEN"
        setattr(dataset, keyword, ["ORIGINAL", "PRIMARY", value] if keyword == "ImageType" else value)
        dataset.save_as(path)
    try:
        text = ingested_text(tmp_path / "in", tmp_path / "out")
    except Excluded as fault:
        text = fault.detail
    assert canaries_in(text) == []


def test_uids_and_dates_do_not_leave(tmp_path: Path):
    paths = write_ct_series(body_image(), tmp_path / "in", PATIENT, SERIES)
    header = pydicom.dcmread(paths[0])
    text = ingested_text(tmp_path / "in", tmp_path / "out")
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "StudyDate"):
        assert str(header[keyword].value) not in text


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap.expected != CONVERTED], ids=lambda trap: trap.name)
def test_an_exclusion_and_its_rows_hold_no_canary(trap: Trap, tmp_path: Path):
    path = trap.build(tmp_path)
    with pytest.raises(Excluded) as caught:
        trap.ingest(path)
    rows = [record.to_row() for record in getattr(caught.value, "records", [])]
    assert canaries_in(caught.value.detail + json.dumps(rows)) == []


def test_nothing_is_logged_or_warned_about_odd_values(tmp_path: Path, caplog, capfd):
    """The general reader, here of big-endian files, quotes the values that it finds odd: a log must not hold them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(big_endian(tmp_path / "in").iterdir()):
            dataset = pydicom.dcmread(path)
            dataset.add_new("PatientAge", "AS", "CANARYOCCUPATION")
            dataset.add_new("SeriesInstanceUID", "UI", "CANARYPID.1.2")
            dataset.save_as(path)
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    capfd.readouterr()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ingested_text(tmp_path / "in", tmp_path / "out")
    printed = capfd.readouterr()
    said = caplog.text + printed.out + printed.err + " ".join(str(warning.message) for warning in caught)
    assert canaries_in(said) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (ConvertSettings(), {}),
        (ConvertSettings(patient_age="years"), {"age_years": 61}),
        (ConvertSettings(patient_age="bands", patient_sex="keep"), {"age_years": 60, "sex": "F"}),
    ],
    ids=["dropped", "years", "bands and sex"],
)
def test_age_and_sex_pass_only_as_configured(settings: ConvertSettings, expected: dict[str, object], tmp_path: Path):
    write_ct_series(body_image(), tmp_path, PATIENT, SERIES)
    acquisition = Ingest(convert=settings)(tmp_path).acquisition
    assert {name: value for name, value in acquisition.items() if name in ("age_years", "sex")} == expected


def test_an_age_that_is_not_stated_follows_from_the_dates(tmp_path: Path):
    for path in write_ct_series(body_image(), tmp_path, PATIENT, SERIES):
        dataset = pydicom.dcmread(path)
        del dataset.PatientAge
        dataset.PatientBirthDate = "19500312"
        dataset.save_as(path)
    acquisition = Ingest(convert=ConvertSettings(patient_age="years"))(tmp_path).acquisition
    assert acquisition["age_years"] == 73, "the day before the 74th birthday"


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"AcquisitionDate": "20240311", "StudyDate": "20240310"}, date(2024, 3, 11)),
        ({"AcquisitionDateTime": "20240311101500.000000&0100"}, date(2024, 3, 11)),
        ({"AcquisitionDate": "19000101", "SeriesDate": "2024.03.11"}, date(2024, 3, 11)),
        ({"StudyDate": "20240231"}, None),
        ({"StudyDate": "CANARY"}, None),
        ({}, None),
    ],
    ids=["acquisition first", "date and time", "anonymised and old form", "no such day", "no date", "nothing"],
)
def test_the_day_of_a_scan_is_counted_from_a_secret_day(
    elements: dict[str, str], expected: date | None, tmp_path: Path
):
    for path in write_ct_series(body_image(), tmp_path, PATIENT, SERIES):
        dataset = pydicom.dcmread(path)
        for keyword in ("AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "StudyDate"):
            if keyword in dataset:
                delattr(dataset, keyword)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for keyword, value in elements.items():
                setattr(dataset, keyword, value)
            dataset.save_as(path)
    patient = PatientIdentity(b"secret", "P1")
    (record,) = index_input(tmp_path, "ct", SeriesSettings(), patient=patient, convert=ConvertSettings(dates="offset"))
    assert record.to_row()["scan_day"] == (None if expected is None else patient.day(expected))
    assert "2024" not in json.dumps(record.to_row())


@pytest.mark.parametrize(
    ("text", "years"),
    [("061Y", 61), ("030M", 2), ("200D", 0), ("999Y", None), ("61", None), ("Smith", None), ("", None)],
)
def test_an_age_is_a_number_and_nothing_else(text: str, years: int | None):
    assert age_years(text) == years


def test_great_ages_are_one(tmp_path: Path):
    write_ct_series(body_image(), tmp_path, replace(PATIENT, age_years=97.0), SERIES)
    assert Ingest(convert=ConvertSettings(patient_age="years"))(tmp_path).acquisition["age_years"] == 90


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B30f", "standard"),
        ("B20s", "soft"),
        ("B70f", "sharp"),
        ("Br38f", "standard"),
        ("Bl57d", "sharp"),
        ("Qr36d", "standard"),
        ("I31f", "standard"),
        ("STANDARD", "standard"),
        ("SOFT", "soft"),
        ("BONEPLUS", "sharp"),
        ("FC08", "standard"),
        ("FC30", "sharp"),
        ("FC51", "sharp"),
        ("YC", "sharp"),
        ("B_SHARP_C", "sharp"),
    ],
)
def test_kernels_of_every_vendor_are_known(text: str, expected: str):
    assert known_kernel(text) == text
    assert kernel_class(text) == expected


@pytest.mark.parametrize("text", ["Smith", "John 12", "MEIER 30", "CANARY", "12345678", "B30f; Smith", ""])
def test_a_text_that_is_no_kernel_is_not_passed_on(text: str):
    assert known_kernel(text) is None
    assert kernel_class(text) == "unknown"


def test_makers_and_body_parts_are_named_from_a_list():
    assert known_manufacturer("SIEMENS Healthineers, St. Mary's Hospital") == "Siemens"
    assert known_manufacturer("Dr. Smith") is None
    assert known_body_part("L-SPINE") == "LSPINE"
    assert known_body_part("Spine of Mr Smith") is None
