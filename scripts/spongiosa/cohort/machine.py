"""Faults of the machine: they end a job, and are held against no scan."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

#: Errors of the operating system that say nothing about a scan, and what a person does about them.
SENTENCES = {
    errno.ENOSPC: "No room is left on the file system of the results; make room and run again.",
    errno.EDQUOT: "The disk quota of the results is used up; make room and run again.",
    errno.EROFS: "The file system of the results is mounted read-only; mount it for writing and run again.",
    errno.ENFILE: "The machine has too many open files; run again with fewer jobs at once.",
    errno.ESTALE: "The network file system lost a file handle; run again.",
}

#: What a probe of the file system writes: more than the blocks that a full disk may still hand out. [bytes]
PROBE_BYTES = 1 << 20


class MachineFault(Exception):
    """The machine cannot go on; the message says what a person does about it."""


def machine_fault(error: BaseException, output_dir: Path) -> MachineFault | None:
    """The fault of the machine behind an exception of a stage, or None when there is none.

    Image libraries report a full disk as errors of their own, so the file system of the results is probed as well.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in SENTENCES:
            return MachineFault(SENTENCES[cause.errno])
        cause = cause.__cause__ or cause.__context__
    try:
        with tempfile.TemporaryFile(dir=output_dir) as probe:
            probe.write(b"\0" * PROBE_BYTES)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as fault:
        if fault.errno in SENTENCES:
            return MachineFault(SENTENCES[fault.errno])
    return None
