"""Every series of an input, and the one that is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.choice import choose
from spongiosa.dicom.eligibility import fault_of_kind, fault_of_size, modalities_found, refuse_several_patients
from spongiosa.dicom.faults import furthest
from spongiosa.dicom.grouping import group_series
from spongiosa.dicom.headers import FrameHeader, read_headers
from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.record import SeriesRecord, has_reason, record_series
from spongiosa.dicom.sources import Source, list_sources
from spongiosa.dicom.volume_file import is_volume_file, record_volume
from spongiosa.outcome import Excluded, Reason

NOBODY = PatientIdentity()
DROP_ALL = ConvertSettings()


class NothingChosen(Excluded):
    """No series of the input can be measured; `records` lists them all the same."""

    def __init__(self, reason: Reason, detail: str, records: Sequence[SeriesRecord]) -> None:
        super().__init__(reason, detail)
        self.records = list(records)


def index_input(
    path: Path,
    modality: str,
    settings: SeriesSettings,
    threads: int = 1,
    chosen_key: str | None = None,
    patient: PatientIdentity = NOBODY,
    convert: ConvertSettings = DROP_ALL,
) -> list[SeriesRecord]:
    """List the series below `path` (a folder, a zip, or one volume file) by their headers, one of them chosen.

    `modality` is `ct` or `mr`; `chosen_key` the `series_key` of a reader's choice; `patient` names the series and
    counts the days; of `convert` only what it lets pass of age, sex and dates is looked at.
    Raises `NothingChosen` (an `Excluded` with `records`) when nothing can be chosen; faults.py says which reason wins.
    """
    try:
        sources = list_sources(Path(path), settings)
        volumes = [source for source in sources if is_volume_file(source)]
        frames, damaged = read_headers([source for source in sources if not is_volume_file(source)], threads)
        if frames:
            refuse_several_patients(frames)
            records = _dicom_records(frames, modality, settings, patient, convert)
        elif volumes:
            records = [_sized(record_volume(source, modality, patient), settings) for source in volumes]
            records.sort(key=lambda record: record.name.order)
        else:
            raise _nothing_readable(len(sources), damaged)
    except Excluded as fault:
        raise NothingChosen(fault.reason, fault.detail, []) from fault
    _refuse_unless_usable(records, frames, modality)
    chosen_key = _as_called_now(chosen_key, records)
    _refuse_ambiguous_volumes(records, chosen_key)
    _refuse_impossible_choice(records, chosen_key)
    return choose(records, settings, chosen_key)


def _dicom_records(
    frames: Sequence[FrameHeader],
    modality: str,
    settings: SeriesSettings,
    patient: PatientIdentity,
    convert: ConvertSettings,
) -> list[SeriesRecord]:
    records = []
    for series in group_series(frames, patient):
        record = record_series(series, fault_of_kind(series.frames, modality), convert, patient)
        records.append(_sized(record, settings))
    return records


def _as_called_now(chosen_key: str | None, records: Sequence[SeriesRecord]) -> str | None:
    """A reader's choice may name a series by the key that it had before keys depended on the project's secret."""
    names = {record.name.key_without_secret: record.series_key for record in records}
    return names.get(chosen_key, chosen_key) if chosen_key else chosen_key


def _sized(record: SeriesRecord, settings: SeriesSettings) -> SeriesRecord:
    fault = record.fault or fault_of_size(record.slices, record.images, record.geometry, settings)
    return replace(record, fault=fault)


def _nothing_readable(files: int, damaged: int) -> Excluded:
    if damaged:
        return Excluded(
            Reason.UNDECODABLE,
            f"All {damaged} DICOM files of the input are damaged; copy them from the archive again.",
        )
    return Excluded(
        Reason.NO_DICOM,
        f"None of the {files} files of the input is a DICOM image or a NIfTI, NRRD or MHA volume; check the path in "
        "the manifest.",
    )


def _refuse_unless_usable(records: Sequence[SeriesRecord], frames: Sequence[FrameHeader], modality: str) -> None:
    if any(record.fault is None for record in records):
        return
    explained = [
        replace(record, explanation=f"Not usable: {record.fault.detail}") for record in records if record.fault
    ]
    if frames and all(has_reason(record, Reason.WRONG_MODALITY) for record in records):
        detail = f"The input holds images of {modalities_found(frames)}, none of {modality.upper()}."
        raise NothingChosen(Reason.WRONG_MODALITY, detail, explained)
    winner = furthest([record.fault for record in records if record.fault])
    others = len(records) - 1
    suffix = f" The other {others} series of the input can not be used either." if others else ""
    raise NothingChosen(winner.reason, winner.detail + suffix, explained)


def _refuse_ambiguous_volumes(records: Sequence[SeriesRecord], chosen_key: str | None) -> None:
    """A folder of DICOM tells its series apart; several volume files say nothing about which is the scan."""
    volumes = [record for record in records if record.kind == "volume_file"]
    if len(volumes) > 1 and chosen_key is None:
        raise NothingChosen(
            Reason.NO_SUITABLE_SERIES,
            f"The input folder holds {len(volumes)} volume files; name the one that is the scan in the manifest.",
            records,
        )


def _refuse_impossible_choice(records: Sequence[SeriesRecord], chosen_key: str | None) -> None:
    if chosen_key is None:
        return
    chosen = next((record for record in records if record.series_key == chosen_key), None)
    if chosen is None:
        raise NothingChosen(
            Reason.NO_SUITABLE_SERIES,
            "The series that a reader chose (choose_series) is not in the input; cohort/series.parquet has the keys.",
            records,
        )
    if chosen.fault is not None:
        raise NothingChosen(
            chosen.fault.reason, f"The series that a reader chose can not be used: {chosen.fault.detail}", records
        )


def find_series(sources: Sequence[Source], key: str, threads: int, patient: PatientIdentity) -> list[FrameHeader]:
    """The frames of the series called `key`, in the order of content; empty where there is none of that name."""
    frames, _damaged = read_headers([source for source in sources if not is_volume_file(source)], threads)
    return next((series.frames for series in group_series(frames, patient) if series.name.key == key), [])
