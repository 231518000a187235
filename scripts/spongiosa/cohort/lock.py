"""Locks that the kernel releases when their process ends, however it ends: none is ever stale.

They rest on flock(2), which Linux carries over NFS; a file system without it (Lustre mounted without `-o flock`) is
told by a warning, and the caller goes on without the lock.
"""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_UNSUPPORTED = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK}


class Busy(Exception):
    """Another process holds the lock."""


def take(path: Path) -> IO[str] | None:
    """The lock, held until the returned file is closed or the process ends; None where the file system has no locks.

    Raises `Busy` when another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise Busy(str(path)) from None
    except OSError as error:
        handle.close()
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return handle


@contextmanager
def held(path: Path, when_busy: Callable[[], None]) -> Iterator[None]:
    """Hold the lock for the block; calls `when_busy` once and waits when another process holds it."""
    try:
        handle = take(path)
    except Busy:
        when_busy()
        handle = path.open("a", encoding="utf-8")
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            handle.close()
