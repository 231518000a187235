"""Which series is measured, and whether every sentence says why."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.index import NothingChosen, index_input
from spongiosa.dicom.record import SeriesRecord
from spongiosa.nifti import write_compressed_nifti
from spongiosa.outcome import Reason
from spongiosa.synthetic.dicom_writer import (
    ContrastAgent,
    SeriesFaults,
    write_ct_series,
    write_localizer,
    write_secondary_capture,
)

from .trap_images import PATIENT, SERIES, Ingest, body_image


def write(folder: Path, number: int, slices: int = 12, spacing_mm: float = 2.0, **changes: object) -> None:
    image = body_image(slices, (0.8, 0.8, spacing_mm), seed=number)
    write_ct_series(image, folder / str(number), PATIENT, replace(SERIES, number=number, **changes))


def indexed(folder: Path, settings: SeriesSettings | None = None, **options: object) -> list[SeriesRecord]:
    return index_input(folder, "ct", settings or SeriesSettings(), **options)


def chosen(records: list[SeriesRecord]) -> SeriesRecord:
    (record,) = [record for record in records if record.is_chosen]
    return record


@pytest.mark.parametrize(
    ("better", "worse", "phrase"),
    [
        ({}, {"faults": SeriesFaults(missing=(5,))}, "missing or unevenly spaced slices"),
        ({}, {"image_type": ("DERIVED", "SECONDARY", "AXIAL")}, "derived axial images"),
        ({"slices": 60}, {"slices": 30}, "covers 60 mm, the chosen series 120 mm"),
        ({}, {"contrast": ContrastAgent()}, "after contrast agent"),
        ({"kernel": "Br36d"}, {"kernel": "Bl64d"}, "sharp kernel (Bl64d)"),
        ({"kernel": "STANDARD"}, {"kernel": "BONEPLUS"}, "sharp kernel (BONEPLUS)"),
        ({"slice_thickness_mm": 1.5}, {"slice_thickness_mm": 3.0}, "3.0 mm slices"),
        (
            {"slices": 125, "spacing_mm": 2.0, "slice_thickness_mm": 2.0},
            {"slices": 100, "spacing_mm": 2.5, "slice_thickness_mm": 2.0},
            "100 slices",
        ),
    ],
    ids=["complete", "original_axial", "lumbar_coverage", "no_contrast", "kernel", "GE kernel", "thickness", "slices"],
)
def test_each_preference_decides_where_all_before_it_are_equal(better, worse, phrase: str, tmp_path: Path):
    write(tmp_path, 2, **worse)
    write(tmp_path, 3, **better)
    records = indexed(tmp_path)
    loser = next(record for record in records if not record.is_chosen)
    assert phrase in loser.explanation and loser.explanation.startswith("Not chosen: it ")
    assert chosen(records).explanation.startswith("Chosen: it ")
    other = tmp_path / "swapped"  # the numbers and keys of the series decide nothing
    write(other, 2, **better)
    write(other, 3, **worse)
    swapped = indexed(other)
    assert phrase in next(record for record in swapped if not record.is_chosen).explanation


def test_the_order_of_preferences_is_the_users(tmp_path: Path):
    write(tmp_path, 2, kernel="Bl64d", slice_thickness_mm=1.0)
    write(tmp_path, 3, kernel="Br36d", slice_thickness_mm=2.0)
    assert chosen(indexed(tmp_path)).acquisition["kernel"] == "Br36d"
    thin_first = SeriesSettings(preferences=("slice_thickness", "kernel"))
    assert chosen(indexed(tmp_path, thin_first)).acquisition["kernel"] == "Bl64d"
    sharp_first = SeriesSettings(kernel_order=("sharp", "standard"))
    assert chosen(indexed(tmp_path, sharp_first)).acquisition["kernel"] == "Bl64d"


def test_a_readers_choice_wins_over_every_preference(tmp_path: Path):
    write(tmp_path, 2, kernel="Bl64d")
    write(tmp_path, 3, kernel="Br36d")
    loser = next(record for record in indexed(tmp_path) if not record.is_chosen)
    records = indexed(tmp_path, chosen_key=loser.series_key)
    assert chosen(records).series_key == loser.series_key
    assert chosen(records).explanation == "Chosen by a reader (choose_series)."


def test_a_readers_choice_that_is_not_there_is_said(tmp_path: Path):
    write(tmp_path, 2)
    with pytest.raises(NothingChosen) as caught:
        indexed(tmp_path, chosen_key="0123456789")
    assert caught.value.reason is Reason.NO_SUITABLE_SERIES
    assert len(caught.value.records) == 1


def test_scouts_and_screenshots_are_listed_with_their_reason(tmp_path: Path):
    write(tmp_path, 2)
    write_localizer(body_image(), tmp_path / "scout", PATIENT)
    write_secondary_capture(body_image(), tmp_path / "screen", PATIENT)
    rows = [record.to_row() for record in indexed(tmp_path)]
    assert {row["reason"] for row in rows} == {None, "localizer_only", "no_suitable_series"}
    assert sum(row["is_chosen"] for row in rows) == 1
    assert all(row["explanation"] for row in rows)
    assert len({tuple(row) for row in rows}) == 1  # the same columns for every series


def test_where_nothing_is_usable_the_reason_is_that_of_the_series_that_came_furthest(tmp_path: Path):
    write_localizer(body_image(), tmp_path / "scout", PATIENT)
    write(tmp_path, 2, slices=3)
    with pytest.raises(NothingChosen) as caught:
        indexed(tmp_path)
    assert caught.value.reason is Reason.TOO_FEW_SLICES
    assert {record.fault.reason for record in caught.value.records} == {Reason.LOCALIZER_ONLY, Reason.TOO_FEW_SLICES}


def test_names_and_order_of_files_and_rubbish_change_nothing(tmp_path: Path):
    """Equal rows and equal bytes of the volume, whatever the files are called and whatever else lies there."""
    write(tmp_path / "tidy", 2)
    write(tmp_path / "tidy", 3, kernel="Bl64d")
    untidy = tmp_path / "untidy"
    for number, path in enumerate(sorted((tmp_path / "tidy").rglob("IM*"), reverse=True)):
        target = untidy / str(number % 5) / f"{(number * 7919) % 101:03d}.{number}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (untidy / "rubbish.pdf").write_bytes(b"%PDF-1.4 rubbish")
    (untidy / "0" / "report").write_bytes(bytes(128) + b"DICM" + bytes(range(200)))
    tidy_rows = [record.to_row() for record in indexed(tmp_path / "tidy")]
    assert [record.to_row() for record in indexed(untidy, threads=3)] == tidy_rows
    tidy, mixed = Ingest()(tmp_path / "tidy"), Ingest()(untidy)
    assert mixed.acquisition == tidy.acquisition
    for scan, name in ((tidy, "tidy"), (mixed, "mixed")):
        write_compressed_nifti(scan.volume, tmp_path / f"{name}.nii.gz")
    assert (tmp_path / "tidy.nii.gz").read_bytes() == (tmp_path / "mixed.nii.gz").read_bytes()


def test_the_key_of_a_series_depends_on_the_salt_and_tells_no_uid(tmp_path: Path):
    write(tmp_path, 2)
    plain, salted = indexed(tmp_path)[0], indexed(tmp_path, patient=PatientIdentity(b"secret"))[0]
    assert plain.series_key != salted.series_key
    assert len(salted.series_key) == 10 and int(salted.series_key, 16) >= 0


def test_a_readers_choice_by_a_key_of_earlier_versions_is_understood(tmp_path: Path):
    """Those keys were made without the project's secret; overrides that name them go on working."""
    write(tmp_path, 2, kernel="Bl64d")
    write(tmp_path, 3, kernel="Br36d")
    patient = PatientIdentity(b"secret of the project", "P1")
    loser = next(record for record in indexed(tmp_path, patient=patient) if not record.is_chosen)
    earlier = loser.name.key_without_secret
    assert earlier != loser.series_key
    records = indexed(tmp_path, patient=patient, chosen_key=earlier)
    assert chosen(records).series_key == loser.series_key
    assert all(earlier not in str(value) for record in records for value in record.to_row().values())


def test_the_secret_decides_nothing_between_equal_series(tmp_path: Path):
    write(tmp_path, 2)
    write(tmp_path, 3)
    orders = set()
    for secret in (b"one", b"two", b"three", b"four", b"five"):
        records = indexed(tmp_path, patient=PatientIdentity(secret, "P1"))
        orders.add((chosen(records).name.order, *(record.name.order for record in records)))
    assert len(orders) == 1


DATES = {2: "20240301", 3: "20240601"}


def write_dated(folder: Path) -> None:
    for number, day in DATES.items():
        identity = replace(PATIENT, study_date=day)
        write_ct_series(body_image(seed=number), folder / str(number), identity, replace(SERIES, number=number))


@pytest.mark.parametrize(("reference", "nearest"), [(date(2024, 3, 20), 2), (date(2024, 5, 20), 3)])
@pytest.mark.parametrize("dates", ["drop", "offset"])
def test_the_series_nearest_to_the_dxa_is_chosen_and_its_distance_told_where_days_may_leave(
    reference: date, nearest: int, dates: str, tmp_path: Path
):
    write_dated(tmp_path)
    someone = PatientIdentity(b"secret", "P1")
    patient = replace(someone, reference_day=someone.day(reference))
    records = indexed(tmp_path, patient=patient, convert=ConvertSettings(dates=dates))
    when = date.fromisoformat(DATES[nearest])
    assert chosen(records).days_from_reference == (when - reference).days
    loser = next(record for record in records if not record.is_chosen)
    days = abs((when - reference).days)
    if dates == "offset":
        assert chosen(records).explanation == f"Chosen: it was acquired nearest to the DXA or surgery ({days} days)."
        assert loser.explanation.endswith(f"days from the DXA or surgery, the chosen series {days} days.")
        gap = abs(chosen(records).to_row()["scan_day"] - loser.to_row()["scan_day"])
        assert gap == 92, "from 1 March to 1 June"
    else:
        assert chosen(records).explanation == "Chosen: it was acquired nearest to the DXA or surgery."
        assert (
            loser.explanation == "Not chosen: it was acquired further from the DXA or surgery than the chosen series."
        )
        assert {record.to_row()["scan_day"] for record in records} == {None}


def test_without_a_date_of_the_dxa_that_preference_decides_nothing(tmp_path: Path):
    write_dated(tmp_path)
    assert chosen(indexed(tmp_path)).explanation == (
        "Chosen: it equals another series in every preference; a fixed order decided."
    )


def test_between_equal_lengths_the_stated_body_part_decides_and_a_longer_scan_wins_over_it(tmp_path: Path):
    """A polytrauma folder: both scans are long enough, and one of them is a chest."""
    for number, part, slices in ((2, "CHEST", 130), (3, "ABDOMEN", 130)):
        write(tmp_path / "equal", number, slices=slices, body_part=part)
    records = indexed(tmp_path / "equal")
    assert chosen(records).acquisition["body_part"] == "ABDOMEN"
    loser = next(record for record in records if not record.is_chosen)
    assert "body part chest, of the chosen series abdomen" in loser.explanation
    for number, part, slices in ((2, "CHEST", 120), (3, "ABDOMEN", 60)):
        write(tmp_path / "longer", number, slices=slices, body_part=part)
    assert chosen(indexed(tmp_path / "longer")).acquisition["body_part"] == "CHEST", "the element is often wrong"


def test_of_two_copies_of_one_size_the_names_decide_nothing(tmp_path: Path):
    """One copy has a flipped bit: which is taken must not depend on what the files are called."""
    sums = set()
    for folder, names in (("one", ("a", "b")), ("two", ("b", "a"))):
        paths = write_ct_series(body_image(), tmp_path / folder, PATIENT, SERIES)
        sound, damaged = (tmp_path / folder / f"{name}-copy" for name in names)
        data = bytearray(paths[4].read_bytes())
        paths[4].rename(sound)
        data[-2000] ^= 1
        damaged.write_bytes(data)
        sums.add(int(Ingest()(tmp_path / folder).volume.voxels.astype(int).sum()))
    assert len(sums) == 1


def test_the_rows_are_read_by_threads_as_by_one(tmp_path: Path):
    for number in range(2, 6):
        write(tmp_path, number)
    assert [r.to_row() for r in indexed(tmp_path, threads=4)] == [r.to_row() for r in indexed(tmp_path)]
