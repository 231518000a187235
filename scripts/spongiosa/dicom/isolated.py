"""Decoding compressed frames in another process, so that a stream made to crash a decoder costs one frame."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spongiosa.dicom.decoder_process import REFUSED, REPLY, REQUEST
from spongiosa.dicom.decoder_process import __name__ as decoder_module

#: A frame takes milliseconds and the start of the process a second or two.  The limit is there for a decoder that never
#: ends, and far off, so that no busy machine excludes a scan that a quiet one measures.
FRAME_SECONDS: Final = 180.0


class FrameRefused(Exception):
    """The frame could not be decoded, or its decoder crashed, hung or ran out of memory."""


class FrameHung(Exception):
    """The decoder took longer than `FRAME_SECONDS`: a second frame of the scan need not be tried."""


class IsolatedDecoder:
    """Decodes frames one after the other; its process starts with the first frame and again after a crash.

    The process ends by itself when this one does.  After a fork each process has a decoder of its own.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    def decode(self, compressed: bytes, transfer_syntax: str, options: dict[str, Any]) -> NDArray[Any]:
        """Stored values, shape (rows, columns).  Raises `FrameRefused` and `FrameHung`."""
        message = json.dumps({"transfer_syntax": transfer_syntax, **options}).encode()
        deadline = time.monotonic() + FRAME_SECONDS
        try:
            process = self._running()
            assert process.stdin
            process.stdin.write(REQUEST.pack(len(message), len(compressed)) + message)
            process.stdin.write(compressed)
            process.stdin.flush()
            name, length = REPLY.unpack(self._read(REPLY.size, deadline))
            pixels = self._read(length, deadline)
        except TimeoutError as error:
            self.stop()
            raise FrameHung from error
        except (OSError, EOFError) as error:
            self.stop()
            raise FrameRefused from error
        if name == REFUSED:
            raise FrameRefused
        values = np.frombuffer(pixels, np.dtype(name.decode().strip()))
        if values.size != options["rows"] * options["columns"]:
            raise FrameRefused
        return values.reshape(options["rows"], options["columns"])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-m", decoder_module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process

    def _read(self, count: int, deadline: float) -> bytes:
        """Exactly `count` bytes of the reply.  Raises `EOFError` or `TimeoutError`."""
        assert self._process and self._process.stdout
        channel = self._process.stdout.fileno()
        received = bytearray()
        while len(received) < count:
            ready, _, _ = select.select([channel], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(channel, count - len(received))
            if not part:
                raise EOFError
            received += part
        return bytes(received)

    def stop(self) -> None:
        """End the process; the next frame starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for channel in (process.stdin, process.stdout):
            if channel is not None:
                try:
                    channel.close()
                except BrokenPipeError:  # unsent bytes for a process that is gone
                    continue


#: The decoder of this process, kept from scan to scan: starting one takes as long as decoding some hundred frames.
DECODER: Final = IsolatedDecoder()
