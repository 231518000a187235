"""The files of an input: a folder of any depth, an archive, or a single file; nothing is unpacked to disk.

File names may hold names of patients, so they never leave this module but as an opaque handle.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from spongiosa.config.series import SeriesSettings
from spongiosa.outcome import Excluded, Reason

MAXIMUM_DEPTH: Final = 64
"""Folders below folders; what lies deeper was put there to be walked for ever."""
BYTES_PER_GB: Final = 10**9
UNPACKED_AT_ONCE_BYTES: Final = 64 * 2**20
"""Members of an archive up to this size are unpacked whole; of larger ones the header is read from a stream."""
MAXIMUM_MEMBER_BYTES: Final = 2**30
"""A multi-frame object of 1,000 slices of 512 x 512 has half of it; a larger member would not fit into the memory."""
_CHUNK_BYTES: Final = 2**20


@dataclass(frozen=True)
class Source:
    """One file, on disk (`member` is None) or in an archive, which stays open as long as one of its files is known."""

    path: Path
    member: str | None
    size_bytes: int
    archive: zipfile.ZipFile | None = field(default=None, repr=False, compare=False)

    @property
    def suffixes(self) -> str:
        """The lower-case name from its last dot, or last two for `.nii.gz`."""
        name = (self.member or self.path.name).lower()
        return ".nii.gz" if name.endswith(".nii.gz") else PurePosixPath(name).suffix

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """A seekable binary stream.  Raises `OSError` or `zipfile.BadZipFile` where it cannot be read."""
        if self.member is None or self.archive is None:
            with self.path.open("rb") as stream:
                yield stream
            return
        with self.archive.open(self.member) as packed:
            is_small = self.size_bytes <= UNPACKED_AT_ONCE_BYTES
            yield io.BytesIO(packed.read(self.size_bytes + 1)) if is_small else packed  # type: ignore[misc]

    def content(self) -> bytes:
        """All bytes; those of an archive are checked against its checksum.

        Raises as `opened`, and `OSError` for a member of an archive that is too large for the memory.
        """
        if self.member is not None and self.size_bytes > MAXIMUM_MEMBER_BYTES:
            raise OSError("the member of the archive is too large")
        with self.opened() as stream:
            return stream.read()

    def digest(self) -> str:
        """SHA-256 of all bytes; empty where they cannot be read."""
        sha = hashlib.sha256()
        try:
            with self.opened() as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    sha.update(chunk)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError):
            return ""
        return sha.hexdigest()


def list_sources(path: Path, settings: SeriesSettings) -> list[Source]:
    """Every regular file of the input, archives within folders opened.

    A damaged or unsafe archive in a folder that holds other files is passed over like other rubbish; where it is all
    there is, its fault is the outcome.
    Raises `Excluded`: INPUT_MISSING, ARCHIVE_REFUSED, TOO_LARGE, NO_DICOM (empty folder).
    """
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        raise Excluded(
            Reason.INPUT_MISSING, "The input does not exist or cannot be opened; check the path in the manifest."
        ) from error
    if not is_folder and path.name.upper() == "DICOMDIR":  # the directory of a CD stands for the CD
        path, is_folder = path.parent, True
    if not is_folder:
        return _members(path, settings) if _is_archive(path) else [Source(path, None, path.stat().st_size)]
    sources: list[Source] = []
    refusals: list[Excluded] = []
    for file in _files_below(path):
        if file.suffix.lower() == ".zip":
            try:
                sources += _members(file, settings)
            except Excluded as refusal:
                refusals.append(refusal)
        else:
            sources.append(Source(file, None, file.stat().st_size))
        if len(sources) > settings.maximum_files:
            raise _too_many_files(settings)
    if not sources and refusals:
        raise refusals[0]
    if not sources:
        raise Excluded(Reason.NO_DICOM, "The input folder holds no file; check the path in the manifest.")
    return sources


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)


def _files_below(root: Path) -> Iterator[Path]:
    """Regular files below `root` in the order of their names; links are followed, but no folder is entered twice."""
    visited: set[tuple[int, int]] = set()
    pending = [(root, 0)]
    while pending:
        folder, depth = pending.pop()
        try:
            status = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:  # a folder without permission holds nothing for us
            continue
        if (status.st_dev, status.st_ino) in visited:
            continue
        visited.add((status.st_dev, status.st_ino))
        for entry in entries:
            try:
                mode = entry.stat().st_mode
            except OSError:  # a dangling link
                continue
            if stat.S_ISDIR(mode) and depth < MAXIMUM_DEPTH:
                pending.append((Path(entry.path), depth + 1))
            elif stat.S_ISREG(mode):
                yield Path(entry.path)


def _members(path: Path, settings: SeriesSettings) -> list[Source]:
    """The files of an archive, whose table of contents is checked before a byte is unpacked."""
    try:
        archive = zipfile.ZipFile(path)
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError, ValueError) as error:
        raise Excluded(
            Reason.ARCHIVE_REFUSED, "The archive is damaged or is not a zip file; pack or export it again."
        ) from error
    if len(entries) > settings.maximum_files:
        raise _too_many_files(settings)
    if any(_leaves_its_folder(entry.filename) for entry in entries):
        raise Excluded(
            Reason.ARCHIVE_REFUSED,
            "The archive holds an entry that points outside of the folder it is unpacked to; pack it again.",
        )
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise Excluded(Reason.ARCHIVE_REFUSED, "The archive is protected by a password; pack it without one.")
    unpacked_gb = sum(entry.file_size for entry in entries) / BYTES_PER_GB
    if unpacked_gb > settings.maximum_archive_gb:
        raise Excluded(
            Reason.ARCHIVE_REFUSED,
            f"The archive unpacks to {unpacked_gb:.1f} GB, more than the {settings.maximum_archive_gb:g} GB of "
            "series.maximum_archive_gb.",
        )
    return [Source(path, entry.filename, entry.file_size, archive) for entry in entries]


def _leaves_its_folder(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) > 1 and parts[0][1] == ":")


def _too_many_files(settings: SeriesSettings) -> Excluded:
    return Excluded(
        Reason.TOO_LARGE,
        f"The input holds more than {settings.maximum_files} files; name the folder of the scan itself, or raise "
        "series.maximum_files.",
    )
