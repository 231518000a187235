"""The process in which compressed frames are decoded: `python -m spongiosa.dicom.decoder_process`.

The decoders are C and C++ libraries, and some end the whole process on a damaged stream.  Here that costs one frame.
Request on standard input: length of the options, length of the frame, options (JSON), frame.  Reply on standard output:
dtype (8 characters, spaces if the frame can't be decoded), length, pixels.  Source of the frame's form: PS3.5, A.4.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

REQUEST: Final = struct.Struct("<II")
REPLY: Final = struct.Struct("<8sI")
REFUSED: Final = b" " * 8
#: Address space; a frame of the largest matrix that DICOM can state needs less.
MEMORY_LIMIT_BYTES: Final = 8 * 2**30


def decode_frame(compressed: bytes, transfer_syntax: str, options: dict[str, Any]) -> NDArray[Any]:
    """Stored values of one compressed frame, shape (rows, columns).  Raises what the decoders raise."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    values, _properties = get_decoder(UID(transfer_syntax)).as_array(encapsulate([compressed]), index=0, **options)
    return values


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        options_length, frame_length = REQUEST.unpack(header)
        options = json.loads(requests.read(options_length))
        compressed = requests.read(frame_length)
        try:
            values = decode_frame(compressed, options.pop("transfer_syntax"), options)
        except Exception:  # decoders raise nearly every type there is; the reply says so
            replies.write(REPLY.pack(REFUSED, 0))
        else:
            pixels = np.ascontiguousarray(values)
            replies.write(REPLY.pack(pixels.dtype.str.encode().ljust(8), pixels.nbytes))
            replies.write(pixels.data)
        replies.flush()


def _limit_memory() -> None:
    """Lower the limit on address space; one that a cluster has set lower already can't be raised and stays."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_LIMIT_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    """Decode what comes on standard input until it ends, within limited memory and without core dumps."""
    _limit_memory()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Libraries print what they find odd, even to standard output: the replies get a channel of their own.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
