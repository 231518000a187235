"""The planes of a stack, decoded: by one thread, or several planes at once where the decoders are worth it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spongiosa.dicom.headers import FrameHeader, quiet_readers
from spongiosa.dicom.isolated import DECODER, FRAME_SECONDS, FrameHung, IsolatedDecoder
from spongiosa.dicom.pixels import FrameReader, UndecodableFrame, hounsfield, signal
from spongiosa.dicom.stack import Stack
from spongiosa.outcome import Excluded, Reason

_PLANES_WORTH_A_PROCESS: Final = 64
"""A further decoder takes some 0.7 s to start: as long as it takes to decode this many planes or more."""


def decode_planes(stack: Stack, modality: str, threads: int) -> tuple[NDArray[Any], list[int]]:
    """Voxels (planes, rows, columns), and the indices of the planes of which no image could be decoded.

    CT as int16 HU, MR as float32 signal.  Compressed planes are shared out to `threads` decoders, each a process;
    pixels that are stored as they are wait for the disk and not for a processor, and are read one after the other.
    The result does not depend on `threads`.
    Raises `Excluded`: CONFLICTING_SLICES where different images lie at one position, UNDECODABLE where a decoder hangs.
    """
    first = stack.first
    assert first.rows and first.columns
    is_ct = modality.upper() == "CT"
    shape = (len(stack.planes), first.rows, first.columns)
    voxels: NDArray[Any] = np.empty(shape, dtype=np.int16 if is_ct else np.float32)
    to_values: Callable[[NDArray[Any], FrameHeader], NDArray[Any]] = hounsfield if is_ct else signal
    is_compressed = first.pixel_offset is not None and first.pixel_length is None
    workers = min(max(1, threads), len(stack.planes) // _PLANES_WORTH_A_PROCESS + 1) if is_compressed else 1
    decoders = [DECODER, *(IsolatedDecoder() for _ in range(workers - 1))]

    shares = np.array_split(np.arange(len(stack.planes)), workers)
    is_given_up = threading.Event()

    def decode_share(worker: int) -> list[int]:
        """Indices of the planes of one worker's share that could not be decoded; ends early where all is given up."""
        reader = FrameReader(decoders[worker])
        undecodable = []
        for index in shares[worker].tolist():
            if is_given_up.is_set():
                break
            try:
                is_decoded = _decode_plane(stack, index, reader, to_values, voxels)
            except Excluded:
                is_given_up.set()
                raise
            if not is_decoded:
                undecodable.append(index)
        return undecodable

    with quiet_readers():
        if workers == 1:
            return voxels, decode_share(0)
        try:
            with ThreadPoolExecutor(workers) as pool:
                undecodable = [index for share in pool.map(decode_share, range(workers)) for index in share]
        finally:
            is_given_up.set()
            for decoder in decoders[1:]:
                decoder.stop()
    return voxels, undecodable


def _decode_plane(
    stack: Stack,
    index: int,
    reader: FrameReader,
    to_values: Callable[[NDArray[Any], FrameHeader], NDArray[Any]],
    voxels: NDArray[Any],
) -> bool:
    """Put one plane into `voxels`; whether any image of it could be decoded."""
    images = []
    for frame in stack.planes[index]:
        try:
            stored = reader.stored_values(frame)
        except UndecodableFrame:
            continue
        except FrameHung as hang:
            raise Excluded(
                Reason.UNDECODABLE,
                f"Decoding the slice at {stack.places([index])} was given up after {FRAME_SECONDS:g} s: its "
                "pixel data are damaged; copy the series again.",
            ) from hang
        images.append(to_values(stored, frame))
    if not images:
        return False
    if any(not np.array_equal(images[0], image) for image in images[1:]):
        raise Excluded(
            Reason.CONFLICTING_SLICES,
            f"{len(images)} different images lie at {stack.places([index])}; the series holds several "
            "acquisitions that its headers do not tell apart. Export them as series of their own.",
        )
    voxels[index] = images[0]
    return True
