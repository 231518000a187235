"""`convert.keep`: cutting converted scans down when all their stages are done, and having them back for a later one.

The localiser needs ribs and sacrum, a calibration the phantom and tissues, so nothing is cut before the last stage is
done.  A stage that has to run again finds the whole scan in its place: it is converted again from its DICOM, the same
voxels or not at all.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from spongiosa.cohort.handover import RecordedPlan, plan_path
from spongiosa.cohort.kept import Kept, lies_as_kept, read_kept, voxels_digest, write_kept
from spongiosa.cohort.lock import held
from spongiosa.cohort.logs import logger, without_paths
from spongiosa.cohort.scan import Scan
from spongiosa.cohort.store import Store
from spongiosa.outcome import Excluded, Reason, Status
from spongiosa.provenance import file_digest, written_whole

if TYPE_CHECKING:
    from spongiosa.volume import Volume

Keep = Literal["full", "lumbar", "none"]
Restore = Callable[[Scan], None]

#: Stages that make the scan, and so need none.
BEFORE_THE_SCAN: Final = frozenset({"index_series", "convert_scan"})

#: Around the box of all that was measured: soft tissue for the eye, and room for a drawing by hand.
MARGIN_MM: Final = 10.0


def restorer(config: Mapping[str, Any], output_dir: Path, unit: str, threads: int) -> Restore:
    """A function that converts a scan of the unit again if it was cut down or removed.

    `config` is the configuration as the workflow got it; the input's path comes from the plan of the run at work.
    """

    def restore(scan: Scan) -> None:
        facts = _recorded(scan)
        if facts is None or _is_whole(scan, facts):
            return
        with held(scan.folder / ".spongiosa" / "restore.lock", lambda: None):  # two stages may ask at once
            if not _is_whole(scan, facts):
                _convert_again(scan, facts, config, _input_path(scan, output_dir, unit), threads)

    return restore


def trim(scan: Scan, last_status: Mapping[str, str], keep: Keep, key: str, restore: Restore) -> str:
    """Leave of a scan what is to be kept; what was done: `whole`, `cut`, `removed` or `nothing`.

    `last_status` is the status of the scan by stage; one that failed is left whole for the person who looks at it.
    `key` names setting and code: what was cut by the same is left alone.
    Raises `Excluded` where the whole scan is needed and cannot be had again.
    """
    facts = _recorded(scan)
    if facts is None:
        return "nothing"
    if keep == "full" or Status.FAILED in last_status.values():
        restore(scan)
        return "whole"
    kept = read_kept(scan)
    is_done = lies_as_kept(scan, scan.ct, facts)
    is_measured = all(status == Status.OK for status in last_status.values())
    if (
        is_done
        and kept is not None
        and (kept.key == key or (kept.bytes is None and not (keep == "lumbar" and is_measured)))
    ):
        return "nothing"
    if keep == "lumbar" and is_measured:
        return _cut(scan, facts, key, restore)
    if is_done and kept is not None:
        voxels = kept.voxels
    else:
        from spongiosa.volume import read_volume

        voxels = voxels_digest(read_volume(scan.ct))
    write_kept(scan, Kept(facts["sha256"], voxels, None, key))
    scan.ct.unlink(missing_ok=True)
    return "removed"


def trim_unit(
    scans: list[Scan],
    statuses: Mapping[tuple[str, str, str], Mapping[str, str]],
    keep: Keep,
    key: str,
    restore: Restore,
) -> list[dict[str, Any]]:
    """A row per scan that says what was done; a scan that cannot be cut costs the others nothing (`failed`)."""
    rows = []
    for scan in scans:
        try:
            done = trim(scan, statuses.get((scan.patient_id, scan.session, scan.modality), {}), keep, key, restore)
        except Exception:  # a damaged scan must not keep those of the others
            done = "failed"
            logger.error("%s: not cut down\n%s", scan.name, without_paths(traceback.format_exc(), [scan.row["path"]]))
        logger.info("%s: %s", scan.name, done)
        identity = {"patient_id": scan.patient_id, "session": scan.session, "modality": scan.modality}
        rows.append(identity | {"done": done, "keep": keep})
    return rows


def box_of_measured(scan: Scan, volume: Volume) -> Volume:
    """The part of the scan that holds all labelled vertebrae and every voxel of every region, and a margin.

    Raises `OSError` where label map or regions cannot be read.
    """
    import numpy as np

    from spongiosa.regions.region import RegionSet
    from spongiosa.volume import bounding_box, read_volume

    labels = read_volume(scan.product("desc-vertebrae_dseg", ".nii.gz"))
    lower, upper = bounding_box(labels.voxels > 0)
    regions = RegionSet.read(scan.product("desc-regions_weights", ".npz"))
    for _region, weights in regions.placed():
        if len(weights.indices):
            places = np.stack(np.unravel_index(weights.indices, regions.geometry.shape))
            lower, upper = np.minimum(lower, places.min(axis=1)), np.maximum(upper, places.max(axis=1) + 1)
    margin = np.ceil(MARGIN_MM / np.asarray(volume.geometry.spacing_mm[::-1])).astype(int)
    return volume.cropped(lower - margin, upper + margin)


def _cut(scan: Scan, facts: dict[str, Any], key: str, restore: Restore) -> str:
    from spongiosa.nifti import write_compressed_nifti
    from spongiosa.volume import read_volume

    restore(scan)
    whole = read_volume(scan.ct)
    part = box_of_measured(scan, whole)
    with written_whole(scan.ct) as path:
        write_compressed_nifti(part, path)
        write_kept(scan, Kept(facts["sha256"], voxels_digest(whole), path.stat().st_size, key))
    return "cut"


def _convert_again(scan: Scan, facts: dict[str, Any], config: Mapping[str, Any], path: Path, threads: int) -> None:
    from spongiosa.cohort.conversion import Conversion
    from spongiosa.cohort.secret import project_secret
    from spongiosa.config.loading import load_configuration
    from spongiosa.nifti import write_compressed_nifti
    from spongiosa.volume import read_volume

    settings = load_configuration(config)
    secret = project_secret(settings.cohort.secret) or b""
    try:
        volume = Conversion(settings.series, settings.convert, secret, threads).of(scan, path).volume
    except (Excluded, MemoryError):
        raise
    except Exception as error:  # its text may name the input, which the row of a later stage does not hold
        logger.error("%s: not converted again\n%s", scan.name, without_paths(traceback.format_exc(), [str(path)]))
        raise RuntimeError(f"{type(error).__name__} while the scan was converted again") from None
    kept = read_kept(scan)
    with written_whole(scan.ct) as part:
        write_compressed_nifti(volume, part)
        is_known = kept is not None and kept.of == facts["sha256"]
        # Read back: a file holds its grid in 32-bit numbers.
        is_same = (
            voxels_digest(read_volume(part)) == kept.voxels
            if kept is not None and is_known
            else file_digest(part) == facts["sha256"]
        )
        if not is_same:
            raise Excluded(
                Reason.INPUT_CHANGED,
                "The scan was not kept whole (convert.keep), and its input is no longer the one that was measured; run "
                "refresh_inputs, then run again.",
            )
    logger.info("%s: converted again, as it was not kept whole", scan.name)


def _recorded(scan: Scan) -> dict[str, Any] | None:
    """Size and digest of the whole scan as its conversion recorded them; None where it has none."""
    record = Store(scan, "convert_scan").read()
    if record is None or record.status is not Status.OK:
        return None
    return record.outputs.get(scan.ct.relative_to(scan.output_dir).as_posix())


def _is_whole(scan: Scan, facts: dict[str, Any]) -> bool:
    return scan.ct.is_file() and scan.ct.stat().st_size == facts["bytes"]


def _input_path(scan: Scan, output_dir: Path, unit: str) -> Path:
    for row in RecordedPlan(plan_path(output_dir)).scans_for_stage(unit, "convert_scan"):
        if (row["patient_id"], row["session"], row["modality"]) == (scan.patient_id, scan.session, scan.modality):
            return Path(row["path"])
    raise KeyError("the plan of the run does not hold the scan")
