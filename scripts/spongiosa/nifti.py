"""Writing a scan as compressed NIfTI without the compression taking longer than everything else.

ITK compresses at zlib's level 6, which takes seven times as long as level 1 on CT and saves two to three percent: noise
does not compress.  The file depends on the volume alone: no time, no name.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from spongiosa.provenance import written_whole
from spongiosa.volume import FloatArray, Geometry, Volume

COMPRESSION_LEVEL: Final = 1
"""Of zlib: noise hardly shrinks further at any level, and this one is fastest."""
_CHUNK_BYTES: Final = 1 << 22
_HEADER_BYTES: Final = 348
_DATA_OFFSET: Final = 352
_MILLIMETRES: Final = 2
_SCANNER_ANATOMICAL: Final = 1
#: NumPy type -> NIfTI-1 datatype code.
_DATATYPES: Final = {"int16": 4, "uint8": 2, "float32": 16, "int32": 8, "uint16": 512}
#: A gzip member without name and time, from an unknown system (RFC 1952).
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def write_compressed_nifti(volume: Volume, path: Path) -> None:
    """Write `volume` as NIfTI-1 (`.nii.gz`), whole or not at all; equal volumes give equal bytes.

    Boolean voxels become uint8.

    Raises `ValueError` for a type of voxels that NIfTI does not have.
    Source: NIfTI-1 data format (nifti1.h), methods 2 and 3; RFC 1952.
    """
    if volume.voxels.dtype == np.bool_:
        volume = Volume(volume.voxels.view(np.uint8), volume.geometry)
    header = nifti_header(volume)
    voxels = np.ascontiguousarray(volume.voxels, dtype=volume.voxels.dtype.newbyteorder("<"))
    data = voxels.reshape(-1).view(np.uint8).data
    with written_whole(path) as part, part.open("wb") as stream:
        deflater = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
        check, size = zlib.crc32(header), len(header)
        stream.write(_GZIP_HEADER + deflater.compress(header))
        for start in range(0, len(data), _CHUNK_BYTES):
            chunk = data[start : start + _CHUNK_BYTES]
            check, size = zlib.crc32(chunk, check), size + len(chunk)
            stream.write(deflater.compress(chunk))
        stream.write(deflater.flush() + struct.pack("<II", check, size & 0xFFFFFFFF))


def nifti_header(volume: Volume) -> bytes:
    """The 352 bytes before the voxels: size, type, and the grid as quaternion and as matrix, in RAS."""
    name = volume.voxels.dtype.name
    if name not in _DATATYPES:
        raise ValueError(f"NIfTI has no {name} voxels")
    depth, rows, columns = volume.geometry.shape
    matrix = _ras_matrix(volume.geometry)
    handedness, quaternion = _quaternion(volume.geometry)
    header = bytearray(_DATA_OFFSET)
    struct.pack_into("<i", header, 0, _HEADER_BYTES)
    struct.pack_into("<8h", header, 40, 3, columns, rows, depth, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, _DATATYPES[name], volume.voxels.dtype.itemsize * 8)
    struct.pack_into("<8f", header, 76, handedness, *volume.geometry.spacing_mm, 0, 0, 0, 0)
    struct.pack_into("<ff", header, 108, _DATA_OFFSET, 1.0)
    struct.pack_into("<b", header, 123, _MILLIMETRES)
    struct.pack_into("<hh", header, 252, _SCANNER_ANATOMICAL, _SCANNER_ANATOMICAL)
    struct.pack_into("<6f", header, 256, *quaternion, *matrix[:, 3])
    struct.pack_into("<12f", header, 280, *matrix.ravel())
    struct.pack_into("<4s", header, 344, b"n+1\0")
    return bytes(header)


def _ras_matrix(geometry: Geometry) -> FloatArray:
    """3 x 4: RAS millimetres of the voxel index (x, y, z, 1)."""
    to_ras = np.diag([-1.0, -1.0, 1.0])
    return np.concatenate([to_ras @ geometry.steps_mm, (to_ras @ np.asarray(geometry.origin_mm))[:, None]], axis=1)


def _quaternion(geometry: Geometry) -> tuple[float, tuple[float, float, float]]:
    """The sign of the third axis (qfac), and (b, c, d) of the rotation from voxel axes to RAS."""
    from scipy.spatial.transform import Rotation

    rotation = np.diag([-1.0, -1.0, 1.0]) @ np.asarray(geometry.direction)
    handedness = -1.0 if np.linalg.det(rotation) < 0 else 1.0
    rotation = rotation * [1.0, 1.0, handedness]
    b, c, d, a = Rotation.from_matrix(rotation).as_quat()
    sign = -1.0 if a < 0 else 1.0
    return handedness, (sign * b, sign * c, sign * d)
