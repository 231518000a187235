"""Enhanced multi-frame CT and MR: the functional groups of each frame as a data set of classic elements.

Source: DICOM PS3.3, C.7.6.16 (Multi-frame Functional Groups) and A.36, A.38.
"""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

#: Functional group macros and the elements that are taken from them.
_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleIntercept", "RescaleSlope", "RescaleType"),
    "CTReconstructionSequence": ("ConvolutionKernel", "ReconstructionDiameter"),
    "CTXRayDetailsSequence": ("KVP",),
    "CTAcquisitionDetailsSequence": ("TableHeight",),
    "CTImageFrameTypeSequence": ("FrameType",),
    "MRImageFrameTypeSequence": ("FrameType",),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRTimingAndRelatedParametersSequence": ("RepetitionTime", "FlipAngle"),
    "FrameContentSequence": ("FrameAcquisitionNumber", "TemporalPositionIndex"),
}
_CLASSIC_NAME: Final = {
    "FrameType": "ImageType",
    "EffectiveEchoTime": "EchoTime",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
}


def frame_datasets(whole: Dataset, frames: int) -> list[Dataset]:
    """One data set per frame, shared groups first, per-frame groups over them.

    Raises `ValueError` where the number of per-frame groups is not the number of frames: the header contradicts itself.
    """
    per_frame = list(whole.get("PerFrameFunctionalGroupsSequence") or [])
    if len(per_frame) != frames:
        raise ValueError("the functional groups do not match the number of frames")
    shared = list(whole.get("SharedFunctionalGroupsSequence") or [])[:1]
    common = Dataset()
    for group in shared:
        _take(group, common)
    results = []
    for group in per_frame:
        result = Dataset()
        result.update(common)
        _take(group, result)
        results.append(result)
    return results


def _take(groups: Dataset, into: Dataset) -> None:
    for macro, keywords in _GROUPS.items():
        items = groups.get(macro)
        if not items:
            continue
        for keyword in keywords:
            if keyword in items[0]:
                setattr(into, _CLASSIC_NAME.get(keyword, keyword), items[0][keyword].value)
