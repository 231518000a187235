"""The fuzzer: thousands of damaged inputs, each of which must end as a volume or as a reason.

    python -m tests.dicom.fuzz [--files 2000] [--folders 200] [--seed 1]

Each case is a small scan in one of several encodings with one damaged file, or with its whole folder damaged.  Cases
run one after the other in a process of their own under a memory limit; a case that raises anything but `Excluded`, that
kills the process, takes over 60 s or over 2 GB, is a failure and is printed with its seed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from spongiosa.dicom.isolated import FRAME_SECONDS
from spongiosa.outcome import Excluded
from spongiosa.synthetic.dicom_writer import write_ct_series, write_enhanced_ct
from spongiosa.volume import Geometry, Volume, write_volume

from .mutations import mutate_bytes, mutate_file, mutate_folder
from .trap_images import PATIENT, SERIES, Ingest, body_image

#: Longer than a decoder that never ends is waited for.
MAXIMUM_SECONDS: Final = FRAME_SECONDS + 60.0
MAXIMUM_MEMORY_MB: Final = 2000.0
MEMORY_LIMIT_BYTES: Final = 6 * 2**30
"""Address space of the worker: more than any case needs, less than would hurt the machine."""
SLICES: Final = 6
PROGRESS_EVERY: Final = 100


def _classic(**changes: object) -> Callable[[Path], Path]:
    def build(folder: Path) -> Path:
        write_ct_series(body_image(SLICES), folder, PATIENT, replace(SERIES, **changes))
        return folder

    return build


def _enhanced(folder: Path) -> Path:
    write_enhanced_ct(body_image(SLICES), folder, PATIENT, SERIES)
    return folder


def _zipped(folder: Path) -> Path:
    series = _classic()(folder / "series")
    archive = Path(shutil.make_archive(str(folder / "scan"), "zip", series))
    shutil.rmtree(series)
    return archive


def _nifti(folder: Path) -> Path:
    image = body_image(SLICES)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scan.nii.gz"
    geometry = Geometry((SLICES, *image.voxels.shape[1:]), image.spacing_mm, image.origin_mm, image.direction)
    write_volume(Volume(image.voxels, geometry), path)
    return path


BUILDERS: Final[dict[str, Callable[[Path], Path]]] = {
    "explicit": _classic(),
    "implicit": _classic(transfer_syntax=ImplicitVRLittleEndian),
    "JPEG 2000": _classic(transfer_syntax=JPEG2000Lossless),
    "JPEG Lossless": _classic(transfer_syntax=JPEGLosslessSV1),
    "JPEG-LS": _classic(transfer_syntax=JPEGLSLossless),
    "RLE": _classic(transfer_syntax=RLELossless),
    "enhanced": _enhanced,
    "zip": _zipped,
    "NIfTI": _nifti,
}


def run_case(kind: str, number: int, seed: int, templates: Path, folder: Path) -> tuple[str, str]:
    """Build the input, damage it, ingest it; what was done, and how it ended."""
    random = np.random.default_rng([seed, number, kind == "folder"])
    name = list(BUILDERS)[int(random.integers(0, len(BUILDERS)))]
    target = folder / "input"
    shutil.copytree(templates / name, target)
    if kind == "folder":
        done = f"{name}: {mutate_folder(target, random)}"
        path = target
    else:
        files = sorted(file for file in target.rglob("*") if file.is_file())
        victim = files[int(random.integers(0, len(files)))]
        mutate = mutate_bytes if name == "enhanced" else mutate_file
        done = f"{name}: {mutate(victim, random)}"
        path = victim if name in ("zip", "NIfTI") else target
    try:
        Ingest()(path)
    except Excluded as fault:
        if not fault.detail.endswith("."):
            return done, "no sentence"
        return done, fault.reason.value
    return done, "converted"


def _work(pipe: Connection, seed: int, templates: Path) -> None:
    warnings.simplefilter("ignore")  # the mutations write values that pydicom warns of
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    while True:
        kind, number = pipe.recv()
        with tempfile.TemporaryDirectory() as folder:
            try:
                done, ended = run_case(kind, number, seed, templates, Path(folder))
            except BaseException:
                done, ended = traceback.format_exc(limit=-3), "exception"
        pipe.send((done, ended, max(peak_memory_mb(process) for process in ("self", *_children()))))


def _children() -> list[str]:
    return Path("/proc/thread-self/children").read_text().split()


def peak_memory_mb(process: str) -> float:
    """Peak resident memory of a process by its number; 0 for one that has just ended."""
    try:
        status = Path("/proc", process, "status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


class Worker:
    """The process in which cases run, replaced when one kills or blocks it."""

    def __init__(self, seed: int, templates: Path) -> None:
        self._arguments = (seed, templates)
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(target=_work, args=(other, *self._arguments), daemon=True)
        self._process.start()
        other.close()

    def stop(self) -> None:
        self._process.kill()
        self._process.join()

    def run(self, kind: str, number: int) -> tuple[str, str, float]:
        """What was done, how it ended, and the peak memory of the process so far in MB."""
        self._pipe.send((kind, number))
        try:
            if self._pipe.poll(MAXIMUM_SECONDS):
                done, ended, memory_mb = self._pipe.recv()
                return done, ended, memory_mb
            ended = "hang"
        except EOFError:
            ended = "process died"
        self.stop()
        self._start()
        return f"{kind} {number}", ended, 0.0


FAILURES: Final = ("exception", "hang", "process died", "no sentence", "over 2 GB")


def fuzz(files: int, folders: int, seed: int) -> tuple[Counter[str], list[str], float, float]:
    """Tally of endings, the failures, the slowest case in seconds and the peak memory in MB."""
    tally: Counter[str] = Counter()
    failures: list[str] = []
    slowest = peak_mb = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        templates = Path(temporary)
        for name, build in BUILDERS.items():
            build(templates / name)
        worker = Worker(seed, templates)
        begun = time.monotonic()
        for kind, count in (("file", files), ("folder", folders)):
            for number in range(count):
                started = time.monotonic()
                done, ended, memory_mb = worker.run(kind, number)
                if number % PROGRESS_EVERY == 0:
                    print(f"{kind} {number} of {count}, {time.monotonic() - begun:.0f} s", flush=True)  # noqa: T201
                slowest, peak_mb = max(slowest, time.monotonic() - started), max(peak_mb, memory_mb)
                ended = "over 2 GB" if memory_mb > MAXIMUM_MEMORY_MB else ended
                tally[ended] += 1
                if ended in FAILURES:
                    failures.append(f"{kind} {number} (seed {seed}): {ended}: {done}")
        worker.stop()
    return tally, failures, slowest, peak_mb


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--folders", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally, failures, slowest, peak_mb = fuzz(options.files, options.folders, options.seed)
    lines = [f"{count:6d}  {ended}" for ended, count in tally.most_common()]
    lines += [f"slowest case {slowest:.1f} s, peak memory {peak_mb:.0f} MB", *failures]
    lines.append("no failure" if not failures else f"{len(failures)} failures")
    print("\n".join(lines))  # noqa: T201
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
