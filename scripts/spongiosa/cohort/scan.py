"""One scan as a stage sees it, and where its outputs go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spongiosa.provenance import file_digest, write_json, write_table, written_whole

if TYPE_CHECKING:
    import pandas as pd

    from spongiosa.volume import Volume


@dataclass(frozen=True)
class Scan:
    """One scan of the cohort: its identity, its row of the manifest, and the folder of its outputs."""

    patient_id: str
    session: str
    modality: str
    output_dir: Path
    row: dict[str, Any]

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"patient {self.patient_id}, {self.session} {self.modality.upper()}"

    @property
    def stem(self) -> str:
        """The BIDS prefix of its files."""
        return f"sub-{self.patient_id}_ses-{self.session}"

    @property
    def folder(self) -> Path:
        return self.output_dir / f"sub-{self.patient_id}" / f"ses-{self.session}" / self.modality

    @property
    def input_path(self) -> Path:
        """Where the manifest says that the images lie; must not reach an output or a log."""
        return Path(self.row["path"])

    def label_path(self, column: str) -> Path | None:
        """The path in the manifest's column `labels` or `body_labels`, if given."""
        return Path(self.row[column]) if self.row.get(column) else None

    @property
    def corrections(self) -> list[list[str]]:
        """Corrections by readers that this stage applies, as `[action, value]`."""
        return list(self.row.get("corrections", []))

    @property
    def screw_axes(self) -> list[dict[str, Any]]:
        """Planned or seen screws: `level`, `side`, `entry_mm` and `tip_mm` (LPS), `diameter_mm` or None, `source`."""
        return list(self.row.get("screw_axes", []))

    @property
    def ct(self) -> Path:
        """The converted scan in HU."""
        return self.product(self.modality, ".nii.gz")

    def product(self, description: str, suffix: str) -> Path:
        """Path of one of its outputs, such as `desc-vertebrae_dseg` with `.nii.gz`."""
        return self.folder / f"{self.stem}_{description}{suffix}"


@dataclass
class Outputs:
    """Writes the outputs of one stage for one scan, each whole or not at all, and remembers them for the record."""

    scan: Scan
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)

    @contextmanager
    def file(self, description: str, suffix: str) -> Iterator[Path]:
        """A temporary path; the file takes its name when the block succeeds."""
        path = self.scan.product(description, suffix)
        with written_whole(path) as part:
            yield part
        self._remember(path)

    def write_volume(self, description: str, volume: Volume) -> None:
        """A volume as compressed NIfTI."""
        from spongiosa.nifti import write_compressed_nifti

        path = self.scan.product(description, ".nii.gz")
        write_compressed_nifti(volume, path)
        self._remember(path)

    def write_json(self, description: str, data: Any) -> None:
        """A JSON sidecar."""
        path = self.scan.product(description, ".json")
        write_json(path, data)
        self._remember(path)

    def write_rows(self, description: str, rows: list[dict[str, Any]] | pd.DataFrame) -> None:
        """Rows of a cohort table as Parquet; the three columns that name the scan are put first."""
        import pandas as pd

        table = pd.DataFrame(rows)
        for position, column in enumerate(("patient_id", "session", "modality")):
            table.insert(position, column, pd.Series([getattr(self.scan, column)] * len(table), dtype="string"))
        path = self.scan.product(description, ".parquet")
        write_table(path, table)
        self._remember(path)

    def _remember(self, path: Path) -> None:
        relative = path.relative_to(self.scan.output_dir).as_posix()
        self.written[relative] = {"bytes": path.stat().st_size, "sha256": file_digest(path)}
