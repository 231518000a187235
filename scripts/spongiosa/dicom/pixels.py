"""From the pixel data of one frame to Hounsfield units (CT) or signal (MR)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from spongiosa.dicom.headers import FrameHeader
from spongiosa.dicom.sources import Source
from spongiosa.volume import AIR_HU

Int16Array = NDArray[np.int16]
_INT16: Final = np.iinfo(np.int16)
LOWEST_PHYSICAL_HU: Final = -1500.0
"""Air is -1000 HU and its noise stays within some hundred; scanners mark pixels outside the scan circle by -2000,
-3024 or -8192, often without saying so."""
_TISSUE_HU: Final = (-900.0, 3000.0)


class UndecodableFrame(Exception):
    """The pixel data are damaged, cut short, or compressed in a way that no decoder knows."""


class FrameReader:
    """Reads frames; a file with many of them is parsed once as long as they are asked for one after the other."""

    def __init__(self) -> None:
        self._source: Source | None = None
        self._dataset: Dataset | None = None

    def stored_values(self, frame: FrameHeader) -> NDArray[Any]:
        """Stored integers of one frame, shape (rows, columns).  Raises `UndecodableFrame`."""
        try:
            with _quiet_decoders():
                values = pixel_array(self._opened(frame.source), index=frame.frame)
        except Exception as error:  # decoders raise nearly every type there is on damaged data
            raise UndecodableFrame from error
        if values.shape != (frame.rows, frame.columns):
            raise UndecodableFrame
        return values

    def _opened(self, source: Source) -> Dataset:
        if self._dataset is None or source != self._source:
            with source.opened() as stream:
                self._dataset = pydicom.dcmread(stream, force=True)
            if "TransferSyntaxUID" not in self._dataset.file_meta:
                self._dataset.file_meta.TransferSyntaxUID = _uncompressed_syntax(self._dataset)
            self._source = source
        return self._dataset


def _uncompressed_syntax(dataset: Dataset) -> UID:
    """What a file without meta header was read as; compressed data always come with one."""
    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian


@contextmanager
def _quiet_decoders() -> Iterator[None]:
    import gdcm

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    yield


def hounsfield(stored: NDArray[Any], frame: FrameHeader) -> Int16Array:
    """HU = slope * stored + intercept, rounded to whole HU; padding becomes air.

    Source: DICOM PS3.3, C.11.1.1.2 (Modality LUT), C.7.5.1.1.2 (Pixel Padding Value).
    """
    slope = 1.0 if frame.rescale_slope is None else frame.rescale_slope
    intercept = frame.rescale_intercept or 0.0
    if slope == 1.0 and intercept.is_integer():
        scaled: NDArray[Any] = stored.astype(np.int32)
        scaled += np.int32(intercept)
    else:
        scaled = np.rint(stored.astype(np.float64) * slope + intercept)
    hu: Int16Array = np.clip(scaled, _INT16.min, _INT16.max).astype(np.int16)
    padding = padding_value(frame)
    if padding is not None and not _TISSUE_HU[0] < slope * padding + intercept < _TISSUE_HU[1]:
        hu[stored == padding] = AIR_HU
    hu[hu < LOWEST_PHYSICAL_HU] = AIR_HU
    return hu


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
