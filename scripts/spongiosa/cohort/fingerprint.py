"""Fingerprints of input files, so that a replaced image is seen without reading it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from spongiosa.cohort.manifest import LABEL_SCHEMES, ScanRow
from spongiosa.provenance import digest, write_text

#: Up to this many scans the files are looked at on every start (about 1 s per 20,000 files on a local disk).
AT_START_UP_TO_SCANS = 2_000

ABSENT = "absent"
HEADER = "patient_id\tsession\tmodality\tfingerprint\n"


def fingerprint_of_path(path: str | None) -> str:
    """Hash over names, sizes and modification times of a file, or of all files below a folder; `absent` if missing."""
    if path is None:
        return ""
    if not os.path.lexists(path):
        return ABSENT
    if not os.path.isdir(path):  # noqa: PTH112 - a plain string saves a Path per file
        status = os.stat(path)  # noqa: PTH116
        return digest(status.st_size, status.st_mtime_ns)
    return digest(sorted(_files_below(path, len(path) + 1)))


def _files_below(folder: str, prefix: int) -> Iterable[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(entry.path, prefix)
            else:
                status = entry.stat(follow_symlinks=entry.is_symlink() and os.path.exists(entry.path))  # noqa: PTH110
                yield entry.path[prefix:], status.st_size, status.st_mtime_ns


def fingerprint_of_scan(row: ScanRow) -> str:
    """Fingerprints of the image and of the label files that the row names, joined by `/`."""
    scheme_file = row.label_scheme if row.label_scheme not in LABEL_SCHEMES else None
    return "/".join(fingerprint_of_path(path) for path in (row.path, row.labels, row.body_labels, scheme_file))


def image_part(fingerprint: str) -> str:
    """The part of a scan's fingerprint that belongs to its image."""
    return fingerprint.partition("/")[0]


def labels_part(fingerprint: str) -> str:
    """The part of a scan's fingerprint that belongs to its label files."""
    return fingerprint.partition("/")[2]


def read_fingerprints(path: Path) -> dict[tuple[str, str, str], str]:
    """Recorded fingerprints by scan; empty when there is no record."""
    if not path.is_file():
        return {}
    fingerprints = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        patient, session, modality, value = line.split("\t")
        fingerprints[(patient, session, modality)] = value
    return fingerprints


def write_fingerprints(path: Path, fingerprints: dict[tuple[str, str, str], str]) -> None:
    """Record the fingerprints, whole or not at all; an equal record is left as it is."""
    text = HEADER + "".join("\t".join((*scan, value)) + "\n" for scan, value in sorted(fingerprints.items()))
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
