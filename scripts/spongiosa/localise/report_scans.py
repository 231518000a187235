"""The scans of a localisation report: a folder of images, or a table that also names their truths."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from spongiosa.config.convert import ConvertSettings
from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.assembly import assemble_input
from spongiosa.dicom.index import index_input
from spongiosa.volume import Volume

_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
_TRUTHS = ("_vertebrae", "_bodies")


@dataclass(frozen=True)
class ReportScan:
    """A scan: a name, a volume file, zip or folder of DICOM, and label maps of its truth with their scheme."""

    name: str
    path: Path
    vertebrae: Path | None = None
    bodies: Path | None = None
    scheme: str = "verse"


def scans_of(source: Path) -> list[ReportScan]:
    """The scans of a table or of a folder.

    A table (TSV) has the columns `name`, `path`, and where there is truth `vertebrae`, `bodies` and `scheme`; its paths
    are relative to it.  In a folder every volume file is a scan, with the truth `NAME_vertebrae` and `NAME_bodies` in
    VerSe's integers beside it; in its subfolders `ct` and `NAME_ct` are; a folder of files without a volume is DICOM.
    """
    return _of_table(source) if source.is_file() else _of_folder(source, source)


def _of_table(table: Path) -> list[ReportScan]:
    def place(cell: str | None) -> Path | None:
        return table.parent / cell if cell else None

    with table.open(encoding="utf-8", newline="") as lines:
        return [
            ReportScan(
                row["name"],
                table.parent / row["path"],
                place(row.get("vertebrae")),
                place(row.get("bodies")),
                row.get("scheme") or "verse",
            )
            for row in csv.DictReader(lines, delimiter="\t")
        ]


def _of_folder(folder: Path, root: Path) -> list[ReportScan]:
    entries = sorted(folder.iterdir())
    volumes = [(entry, suffix) for entry in entries if (suffix := _suffix(entry))]
    scans = []
    for entry, suffix in volumes:
        name = entry.name.removesuffix(suffix)
        if name.endswith(_TRUTHS) or (folder != root and name != "ct" and not name.endswith("_ct")):
            continue
        truths = [entry.with_name(f"{name}{end}{suffix}") for end in _TRUTHS]
        vertebrae, bodies = (truth if truth.exists() else None for truth in truths)
        scans.append(ReportScan(_named(entry.with_name(name), root), entry, vertebrae, bodies))
    if not volumes and folder != root and any(entry.is_file() for entry in entries):
        return [ReportScan(_named(folder, root), folder)]
    for entry in entries:
        if entry.is_dir():
            scans += _of_folder(entry, root)
    return scans


def _suffix(path: Path) -> str | None:
    return next((suffix for suffix in _SUFFIXES if path.is_file() and path.name.endswith(suffix)), None)


def _named(path: Path, root: Path) -> str:
    return "-".join(path.relative_to(root).parts)


def read_scan(path: Path) -> Volume:
    """The volume in HU that the workflow would measure.  Raises `Excluded` as ingest does."""
    series, convert = SeriesSettings(), ConvertSettings()
    chosen = next(record for record in index_input(path, "ct", series) if record.is_chosen)
    return assemble_input(path, "ct", chosen.series_key, series, convert).volume
