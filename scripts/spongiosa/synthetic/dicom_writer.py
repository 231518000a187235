"""The DICOM writer of the synthetic patient: a study as a scanner and its archive would leave it on a disk."""

from spongiosa.synthetic.dicom_ct import ContrastAgent, CtSeries, write_ct_series
from spongiosa.synthetic.dicom_enhanced import write_enhanced_ct
from spongiosa.synthetic.dicom_faults import SeriesFaults
from spongiosa.synthetic.dicom_geometry import as_scanned
from spongiosa.synthetic.dicom_identity import CANARIES, StudyIdentity, canaries_in
from spongiosa.synthetic.dicom_localizer import write_localizer
from spongiosa.synthetic.dicom_mr import T1_SAGITTAL, T2_SAGITTAL, MrSeries, write_mr_series
from spongiosa.synthetic.dicom_pixels import COMPRESSED, PixelStorage
from spongiosa.synthetic.dicom_secondary_capture import write_secondary_capture

__all__ = [
    "CANARIES",
    "COMPRESSED",
    "T1_SAGITTAL",
    "T2_SAGITTAL",
    "ContrastAgent",
    "CtSeries",
    "MrSeries",
    "PixelStorage",
    "SeriesFaults",
    "StudyIdentity",
    "as_scanned",
    "canaries_in",
    "write_ct_series",
    "write_enhanced_ct",
    "write_localizer",
    "write_mr_series",
    "write_secondary_capture",
]
