"""From the pixel data of one frame to Hounsfield units (CT) or signal (MR)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from spongiosa.dicom.codestream import stream_size
from spongiosa.dicom.elements import refuse_inflation
from spongiosa.dicom.headers import FrameHeader
from spongiosa.dicom.isolated import DECODER, FrameHung
from spongiosa.dicom.sources import Source
from spongiosa.volume import AIR_HU

Int16Array = NDArray[np.int16]
_INT16: Final = np.iinfo(np.int16)
LOWEST_PHYSICAL_HU: Final = -1500.0
"""Air is -1000 HU and its noise stays within some hundred; scanners mark pixels outside the scan circle by -2000,
-3024 or -8192, often without saying so."""
_PLAIN_SYNTAXES: Final = frozenset({"", str(ImplicitVRLittleEndian), str(ExplicitVRLittleEndian)})
_TISSUE_HU: Final = (-900.0, 3000.0)


class UndecodableFrame(Exception):
    """The pixel data are damaged, cut short, or compressed in a way that no decoder knows."""


class FrameReader:
    """Reads frames; a file with many of them is read once as long as they are asked for one after the other."""

    def __init__(self) -> None:
        self._source: Source | None = None
        self._pixel_data = b""
        self._dataset: Dataset | None = None

    def stored_values(self, frame: FrameHeader) -> NDArray[Any]:
        """Stored integers of one frame, shape (rows, columns).  Raises `UndecodableFrame` and `FrameHung`."""
        try:
            if frame.pixel_offset is None:
                values = self._of_other_encoding(frame)
            elif frame.pixel_length is not None:
                values = _plain_values(frame)
            else:
                values = self._of_compressed(frame)
        except FrameHung:
            raise
        except Exception as error:  # decoders raise nearly every type there is on damaged data
            raise UndecodableFrame from error
        if values.shape != (frame.rows, frame.columns):
            raise UndecodableFrame
        return values

    def _of_compressed(self, frame: FrameHeader) -> NDArray[Any]:
        if frame.source != self._source:
            with frame.source.opened() as stream:
                stream.seek(frame.pixel_offset or 0)
                self._pixel_data = stream.read()
            self._source = frame.source
        compressed = get_frame(self._pixel_data, frame.frame, number_of_frames=frame.frames_in_file)
        stated = stream_size(compressed, frame.transfer_syntax)
        if stated and (stated.rows, stated.columns, stated.components) != (frame.rows, frame.columns, 1):
            raise UndecodableFrame
        if stated and stated.bits > (frame.bits_allocated or 0):
            raise UndecodableFrame
        options: dict[str, Any] = {
            "number_of_frames": 1,
            "rows": frame.rows,
            "columns": frame.columns,
            "samples_per_pixel": 1,
            "photometric_interpretation": "MONOCHROME2",
            "bits_allocated": frame.bits_allocated,
            "bits_stored": frame.bits_stored or frame.bits_allocated,
            "pixel_representation": frame.pixel_representation,
            "pixel_keyword": "PixelData",
        }
        return DECODER.decode(compressed, frame.transfer_syntax, options)

    def _of_other_encoding(self, frame: FrameHeader) -> NDArray[Any]:
        """Big endian and deflated files, which are rare enough to be read as a whole by the general reader."""
        if self._dataset is None or frame.source != self._source:
            with frame.source.opened() as stream:
                refuse_inflation(stream)
                self._dataset = pydicom.dcmread(stream, force=True)
            self._source = frame.source
        if self._dataset.file_meta.TransferSyntaxUID.is_compressed:
            raise UndecodableFrame  # only the isolated decoder may decode what is compressed
        values: NDArray[Any] = pixel_array(self._dataset, index=frame.frame)
        return values


def _plain_values(frame: FrameHeader) -> NDArray[Any]:
    """Pixels that are stored as they are, little endian, straight from their place in the file."""
    assert frame.rows and frame.columns and frame.pixel_offset is not None and frame.pixel_length is not None
    if frame.bits_allocated not in (8, 16, 32) or frame.transfer_syntax not in _PLAIN_SYNTAXES:
        raise UndecodableFrame
    dtype = np.dtype(f"<{'i' if frame.pixel_representation == 1 else 'u'}{frame.bits_allocated // 8}")
    count = frame.rows * frame.columns
    frame_bytes = count * dtype.itemsize
    if (frame.frame + 1) * frame_bytes > frame.pixel_length:
        raise UndecodableFrame
    with frame.source.opened() as stream:
        stream.seek(frame.pixel_offset + frame.frame * frame_bytes)
        data = stream.read(frame_bytes)
    if len(data) < frame_bytes:
        raise UndecodableFrame
    return _without_unused_bits(np.frombuffer(data, dtype), frame).reshape(frame.rows, frame.columns)


def _without_unused_bits(values: NDArray[Any], frame: FrameHeader) -> NDArray[Any]:
    """Old scanners keep overlays in the bits above HighBit (PS3.5, 8.1.1): shift them out, and the sign in."""
    bits = values.dtype.itemsize * 8
    stored = frame.bits_stored or bits
    above = bits - 1 - (stored - 1 if frame.high_bit is None else frame.high_bit)
    if stored == bits or not 0 < stored < bits or above < 0:
        return values
    below = bits - stored - above
    if below == 0 and frame.pixel_representation == 0 and int(values.max(initial=0)) < 1 << stored:
        return values
    return (values << above) >> (above + below)


def hounsfield(stored: NDArray[Any], frame: FrameHeader) -> Int16Array:
    """HU = slope * stored + intercept, rounded to whole HU; padding becomes air.

    Source: DICOM PS3.3, C.11.1.1.2 (Modality LUT), C.7.5.1.1.2 (Pixel Padding Value).
    """
    slope = 1.0 if frame.rescale_slope is None else frame.rescale_slope
    intercept = frame.rescale_intercept or 0.0
    hu = _rescaled(stored, slope, intercept)
    padding = padding_value(frame)
    if padding is not None and not _TISSUE_HU[0] < slope * padding + intercept < _TISSUE_HU[1]:
        hu[stored == padding] = AIR_HU
    if int(hu.min(initial=0)) < LOWEST_PHYSICAL_HU:
        hu[hu < LOWEST_PHYSICAL_HU] = AIR_HU
    return hu


def _rescaled(stored: NDArray[Any], slope: float, intercept: float) -> Int16Array:
    """slope * stored + intercept as int16, what lies outside of it clipped."""
    if slope != 1.0 or not intercept.is_integer():
        scaled = np.rint(stored.astype(np.float64) * slope + intercept)
        return np.clip(scaled, _INT16.min, _INT16.max).astype(np.int16)
    lowest, highest = int(stored.min(initial=0)), int(stored.max(initial=0))
    if min(lowest, lowest + intercept) >= _INT16.min and max(highest, highest + intercept) <= _INT16.max:
        hu: Int16Array = stored.astype(np.int16)
        hu += np.int16(intercept)
        return hu
    return np.clip(stored.astype(np.int64) + int(intercept), _INT16.min, _INT16.max).astype(np.int16)


def signal(stored: NDArray[Any], frame: FrameHeader) -> NDArray[np.float32]:
    """MR signal = slope * stored + intercept, arbitrary units; a series without rescale keeps its stored values."""
    slope = 1.0 if frame.rescale_slope is None else frame.rescale_slope
    scaled: NDArray[np.float32] = (stored.astype(np.float64) * slope + (frame.rescale_intercept or 0.0)).astype(
        np.float32
    )
    return scaled


def padding_value(frame: FrameHeader) -> int | None:
    """The stored value that marks pixels outside the image, read in the sign of the pixels.

    Implicit VR does not say whether the element is signed, so that -2000 arrives as 63536.
    """
    value = frame.padding_value
    if value is None:
        return None
    if frame.pixel_representation == 1 and value > _INT16.max:
        return value - 65536
    if frame.pixel_representation == 0 and value < 0:
        return value + 65536
    return value
