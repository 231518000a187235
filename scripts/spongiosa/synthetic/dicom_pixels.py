"""Voxels to stored pixel values, and frames to bytes in a transfer syntax."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import gdcm
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.encoders.base import JPEG2000LosslessEncoder, RLELosslessEncoder
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from spongiosa.synthetic.dicom_identity import derived_uid

UNCOMPRESSED: Final[tuple[UID, ...]] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
COMPRESSED: Final[tuple[UID, ...]] = (JPEG2000Lossless, RLELossless, JPEGLSLossless, JPEGLosslessSV1)
_ENCODERS: Final = {
    JPEG2000Lossless: (JPEG2000LosslessEncoder, "pylibjpeg"),
    RLELossless: (RLELosslessEncoder, "pydicom"),
}
_GDCM_SYNTAX: Final = {
    JPEGLSLossless: gdcm.TransferSyntax.JPEGLSLossless,
    JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
}


@dataclass(frozen=True)
class PixelStorage:
    """How Hounsfield units become stored integers: HU = `rescale_slope` * stored + `rescale_intercept`.

    Values outside the range of `bits_stored` (12 or 16) are clipped, as scanners do: unsigned 12 bits with intercept
    -1024 hold -1024 to 3071 HU. Voxels of `padding_hu` (outside the reconstructed circle) are stored as
    `padding_stored`, which is announced as PixelPaddingValue; None: no padding.
    """

    bits_stored: int = 12
    is_signed: bool = False
    rescale_slope: float = 1.0
    rescale_intercept: float = -1024.0
    rescale_type: str = "HU"
    padding_hu: float | None = None
    padding_stored: int = 0

    def __post_init__(self) -> None:
        if self.bits_stored not in (12, 16):
            raise ValueError(f"bits_stored must be 12 or 16, not {self.bits_stored}")
        if self.rescale_slope <= 0:
            raise ValueError(f"rescale_slope must be positive, not {self.rescale_slope}")

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return np.dtype("<i2" if self.is_signed else "<u2")

    @property
    def stored_range(self) -> tuple[int, int]:
        levels = 1 << self.bits_stored
        return (-levels // 2, levels // 2 - 1) if self.is_signed else (0, levels - 1)

    def store(self, hu: NDArray[np.generic]) -> NDArray[np.generic]:
        """Stored values of `hu` (any shape), rounded to the nearest integer."""
        scaled = np.asarray(hu, dtype=np.float32) - np.float32(self.rescale_intercept)
        if self.rescale_slope != 1.0:
            scaled /= np.float32(self.rescale_slope)
        np.clip(np.rint(scaled, out=scaled), *self.stored_range, out=scaled)
        stored = scaled.astype(self.dtype)
        if self.padding_hu is not None:
            # A padded slice may lie outside the 12 bit range (GE stores -2000 in signed 16 bits), so it is set last.
            stored[np.asarray(hu) == self.padding_hu] = self.padding_stored
        return stored

    def add_to(self, dataset: Dataset) -> None:
        """Image Pixel module of a single-channel image, and the rescale of the CT Image module."""
        add_monochrome_pixel_format(dataset, self.bits_stored, self.is_signed)
        dataset.RescaleSlope = f"{self.rescale_slope:g}"
        dataset.RescaleIntercept = f"{self.rescale_intercept:g}"
        dataset.RescaleType = self.rescale_type
        if self.padding_hu is not None:
            dataset.add_new("PixelPaddingValue", "SS" if self.is_signed else "US", self.padding_stored)


def add_monochrome_pixel_format(dataset: Dataset, bits_stored: int, is_signed: bool) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 8 if bits_stored <= 8 else 16
    dataset.BitsStored = bits_stored
    dataset.HighBit = bits_stored - 1
    dataset.PixelRepresentation = int(is_signed)


def set_pixel_data(dataset: Dataset, frames: NDArray[np.generic], transfer_syntax: UID) -> None:
    """Fill PixelData with `frames`, shape (n, rows, columns), which already have the data set's pixel format.

    Raises `ValueError` for a transfer syntax that this module can't write.
    """
    if transfer_syntax in UNCOMPRESSED:
        data = frames.tobytes()
        dataset.add_new("PixelData", "OB" if dataset.BitsAllocated == 8 else "OW", data + bytes(len(data) % 2))
        return
    encoded = [_encode_frame(frame, dataset, transfer_syntax) for frame in frames]
    dataset.add_new("PixelData", "OB", encapsulate(encoded))
    dataset["PixelData"].is_undefined_length = True


def _encode_frame(frame: NDArray[np.generic], dataset: Dataset, transfer_syntax: UID) -> bytes:
    if transfer_syntax in _GDCM_SYNTAX:
        return _encode_by_gdcm(frame, dataset, _GDCM_SYNTAX[transfer_syntax])
    if transfer_syntax not in _ENCODERS:
        raise ValueError(f"Transfer syntax {transfer_syntax.name} can not be written; use one of {COMPRESSED}")
    encoder, plugin = _ENCODERS[transfer_syntax]
    return encoder.encode(
        frame,
        encoding_plugin=plugin,
        rows=frame.shape[0],
        columns=frame.shape[1],
        samples_per_pixel=1,
        number_of_frames=1,
        bits_allocated=dataset.BitsAllocated,
        bits_stored=dataset.BitsStored,
        pixel_representation=dataset.PixelRepresentation,
        photometric_interpretation="MONOCHROME2",
    )


def _encode_by_gdcm(frame: NDArray[np.generic], dataset: Dataset, syntax: int) -> bytes:
    """One frame encoded by GDCM, by way of a file: its in-memory images don't survive the Python binding."""
    plain = Dataset()
    plain.SOPClassUID, plain.SOPInstanceUID = SecondaryCaptureImageStorage, derived_uid("frame to encode")
    plain.file_meta = FileMetaDataset()
    plain.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    add_monochrome_pixel_format(plain, dataset.BitsStored, bool(dataset.PixelRepresentation))
    plain.Rows, plain.Columns = frame.shape
    plain.PixelData = frame.tobytes()
    with TemporaryDirectory(prefix="spongiosa-encode-") as folder:
        before, after = Path(folder, "plain"), Path(folder, "encoded")
        plain.save_as(before, enforce_file_format=True)
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(before))
        is_read = reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
        change.SetInput(reader.GetImage())
        is_changed = is_read and change.Change()
        writer.SetFileName(str(after))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        if not (is_changed and writer.Write()):
            raise ValueError(f"GDCM could not encode a frame of {frame.shape[1]} x {frame.shape[0]} pixels")
        return next(generate_frames(dcmread(after).PixelData, number_of_frames=1))
