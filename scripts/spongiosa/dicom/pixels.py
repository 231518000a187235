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
from spongiosa.dicom.isolated import DECODER, FrameHung, IsolatedDecoder
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

    def __init__(self, decoder: IsolatedDecoder = DECODER) -> None:
        self._decoder = decoder
        self._source: Source | None = None
        self._pixel_data = b""
        self._dataset: Dataset | None = None

    def stored_values(self, frame: FrameHeader) -> NDArray[Any]:
        """Stored integers of one frame, shape (rows, columns).  Raises `UndecodableFrame` and `FrameHung`."""
        try:
            if frame.pixel_offset is None:
                values = self._of_other_encoding(frame)
            elif frame.pixel_length is not None:
                values = self._of_plain(frame)
            else:
                values = self._of_compressed(frame)
        except FrameHung:
            raise
        except Exception as error:  # decoders raise nearly every type there is on damaged data
            raise UndecodableFrame from error
        if values.shape != (frame.rows, frame.columns):
            raise UndecodableFrame
        return values

    def _read_pixel_data(self, frame: FrameHeader) -> None:
        """Have the file's pixel data at hand, from their place to the end of the file."""
        if frame.source == self._source:
            return
        if frame.source.member is None:
            with frame.source.opened() as stream:
                stream.seek(frame.pixel_offset or 0)
                self._pixel_data = stream.read()
        else:
            self._pixel_data = frame.source.content()[frame.pixel_offset or 0 :]
        self._source = frame.source

    def _of_plain(self, frame: FrameHeader) -> NDArray[Any]:
        """Pixels that are stored as they are, little endian, straight from their place in the file."""
        assert frame.rows and frame.columns and frame.pixel_length is not None
        if frame.bits_allocated not in (8, 16, 32) or frame.transfer_syntax not in _PLAIN_SYNTAXES:
            raise UndecodableFrame
        frame_bytes = frame.rows * frame.columns * frame.bits_allocated // 8
        if (frame.frame + 1) * frame_bytes > frame.pixel_length:
            raise UndecodableFrame
        first = frame.frame * frame_bytes
        if frame.source.member is None:
            with frame.source.opened() as stream:
                stream.seek((frame.pixel_offset or 0) + first)
                data = stream.read(frame_bytes)
        else:  # an archive is unpacked from the start of its member: once for all frames, not once for each
            self._read_pixel_data(frame)
            data = self._pixel_data[first : first + frame_bytes]
        if len(data) < frame_bytes:
            raise UndecodableFrame
        dtype = np.dtype(f"<{'i' if frame.pixel_representation == 1 else 'u'}{frame.bits_allocated // 8}")
        return _without_unused_bits(np.frombuffer(data, dtype), frame).reshape(frame.rows, frame.columns)

    def _of_compressed(self, frame: FrameHeader) -> NDArray[Any]:
        self._read_pixel_data(frame)
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
        return self._decoder.decode(compressed, frame.transfer_syntax, options)

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

    Source: DICOM PS3.3, C.11.1.1.2 (Modality LUT), C.7.5.1.1.2 (Pixel Padding Value and Pixel Padding Range Limit).
    """
    slope = 1.0 if frame.rescale_slope is None else frame.rescale_slope
    intercept = frame.rescale_intercept or 0.0
    hu = _rescaled(stored, slope, intercept)
    limits = padding_range(frame)
    if limits is not None and _is_outside_of_tissue(*(slope * value + intercept for value in limits)):
        hu[stored == limits[0] if limits[0] == limits[1] else (stored >= limits[0]) & (stored <= limits[1])] = AIR_HU
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


def padding_range(frame: FrameHeader) -> tuple[int, int] | None:
    """The lowest and highest stored value that mark pixels outside the image, or None where nothing does.

    The range limit may lie above or below the padding value (PS3.3, C.7.5.1.1.2).
    """
    value = _in_the_sign_of_pixels(frame.padding_value, frame)
    if value is None:
        return None
    limit = _in_the_sign_of_pixels(frame.padding_limit, frame)
    return (value, value) if limit is None else (min(value, limit), max(value, limit))


def _is_outside_of_tissue(first_hu: float, last_hu: float) -> bool:
    """Whether a range of HU holds no value that tissue can have."""
    return max(first_hu, last_hu) <= _TISSUE_HU[0] or min(first_hu, last_hu) >= _TISSUE_HU[1]


def _in_the_sign_of_pixels(value: int | None, frame: FrameHeader) -> int | None:
    """Implicit VR does not say whether the element is signed, so that -2000 arrives as 63536."""
    if value is None:
        return None
    if frame.pixel_representation == 1 and value > _INT16.max:
        return value - 65536
    if frame.pixel_representation == 0 and value < 0:
        return value + 65536
    return value
