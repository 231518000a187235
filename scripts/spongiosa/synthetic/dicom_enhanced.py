"""Enhanced multi-frame CT: a whole series in one object (PS3.3 A.38)."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, EnhancedCTImageStorage

from spongiosa.synthetic.dicom_ct import CtSeries, add_equipment, add_frame_of_reference
from spongiosa.synthetic.dicom_file import decimals, new_dataset, write_dataset
from spongiosa.synthetic.dicom_geometry import SlicePlanes, gantry_tilt_degrees, slice_planes
from spongiosa.synthetic.dicom_identity import StudyIdentity, add_identity, add_series_identity
from spongiosa.synthetic.dicom_pixels import set_pixel_data
from spongiosa.synthetic.image import SyntheticImage


def write_enhanced_ct(image: SyntheticImage, folder: Path, identity: StudyIdentity, series: CtSeries) -> list[Path]:
    """Write `image`, Hounsfield units in `(z, y, x)`, as one multi-frame file into `folder`.

    Raises `ValueError` for faults, which are told per file and have no meaning here, and for padding, whose attribute
    this object has no place for beside the per-frame rescale.
    """
    if series.faults != CtSeries().faults:
        raise ValueError("An enhanced multi-frame object has no files to lose, to double or to shuffle")
    planes = slice_planes(image)
    stored = series.storage.store(image.voxels)
    dataset = _enhanced_header(planes, identity, series, len(stored))
    set_pixel_data(dataset, stored, series.transfer_syntax)
    folder.mkdir(parents=True, exist_ok=True)
    instance_uid = identity.uid("instance", series.number, 0, 0)
    return [write_dataset(dataset, folder / series.file_name.format(number=1, uid=instance_uid), instance_uid)]


def _enhanced_header(planes: SlicePlanes, identity: StudyIdentity, series: CtSeries, frame_count: int) -> Dataset:
    dataset = new_dataset(EnhancedCTImageStorage, series.transfer_syntax)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    add_identity(dataset, identity)
    add_series_identity(dataset, identity, series.number, series.description, series.protocol)
    del dataset.AcquisitionDate, dataset.AcquisitionTime  # AcquisitionDateTime takes their place
    dataset.Modality = "CT"
    dataset.PatientPosition = series.patient_position
    add_frame_of_reference(dataset, identity)
    add_equipment(dataset, series)
    series.storage.add_to(dataset)
    for field in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
        delattr(dataset, field)  # told per frame, in the Pixel Value Transformation macro
    dataset.Rows, dataset.Columns = planes.rows, planes.columns
    dataset.NumberOfFrames = frame_count
    dataset.InstanceNumber = 1
    dataset.AcquisitionNumber = 1
    dataset.AcquisitionDateTime = identity.study_date + identity.study_time
    dataset.AcquisitionDuration = 4.0
    dataset.ContentQualification = "RESEARCH"
    dataset.PixelPresentation = "MONOCHROME"
    dataset.VolumetricProperties = "VOLUME"
    dataset.VolumeBasedCalculationTechnique = "NONE"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.AcquisitionContextSequence = Sequence([])
    dimension_uid = identity.uid("dimension", series.number)
    dataset.DimensionOrganizationSequence = Sequence([_item(DimensionOrganizationUID=dimension_uid)])
    dataset.DimensionIndexSequence = Sequence(
        [
            _item(
                DimensionOrganizationUID=dimension_uid,
                DimensionIndexPointer=0x00209057,  # In-Stack Position Number
                FunctionalGroupPointer=0x00209111,  # Frame Content Sequence
            )
        ]
    )
    dataset.SharedFunctionalGroupsSequence = Sequence([_shared_groups(planes, series, identity.uid("irradiation"))])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [_frame_groups(planes, identity, index) for index in range(frame_count)]
    )
    return dataset


def _shared_groups(planes: SlicePlanes, series: CtSeries, irradiation_uid: UID) -> Dataset:
    """Functional groups that hold for every frame (PS3.3 A.38.1.4)."""
    exposure_mas = series.tube_current_ma * series.exposure_time_ms / 1000.0
    return _item(
        PixelMeasuresSequence=[
            _item(
                PixelSpacing=decimals(planes.pixel_spacing_mm),
                SliceThickness=decimals([series.slice_thickness_mm or planes.spacing_mm])[0],
            )
        ],
        PlaneOrientationSequence=[_item(ImageOrientationPatient=decimals(planes.orientation))],
        PixelValueTransformationSequence=[
            _item(
                RescaleIntercept=f"{series.storage.rescale_intercept:g}",
                RescaleSlope=f"{series.storage.rescale_slope:g}",
                RescaleType="HU",
            )
        ],
        FrameVOILUTSequence=[_item(WindowCenter="50", WindowWidth="350")],
        FrameAnatomySequence=[
            _item(
                FrameLaterality="U",
                AnatomicRegionSequence=[
                    _item(CodeValue="122496007", CodingSchemeDesignator="SCT", CodeMeaning="Lumbar spine")
                ],
            )
        ],
        CTImageFrameTypeSequence=[
            _item(
                FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
                PixelPresentation="MONOCHROME",
                VolumetricProperties="VOLUME",
                VolumeBasedCalculationTechnique="NONE",
            )
        ],
        CTAcquisitionTypeSequence=[_item(AcquisitionType="SPIRAL", ConstantVolumeFlag="NO", FluoroscopyFlag="NO")],
        CTAcquisitionDetailsSequence=[
            _item(
                RotationDirection="CW",
                RevolutionTime=series.exposure_time_ms / 1000.0,
                SingleCollimationWidth=0.6,
                TotalCollimationWidth=38.4,
                TableHeight=150.0,
                GantryDetectorTilt=round(gantry_tilt_degrees(planes), 4),
                DataCollectionDiameter=500.0,
            )
        ],
        CTTableDynamicsSequence=[_item(TableSpeed=40.0, TableFeedPerRotation=20.0, SpiralPitchFactor=0.6)],
        CTGeometrySequence=[_item(DistanceSourceToDetector=1085.6, DistanceSourceToDataCollectionCenter=595.0)],
        CTReconstructionSequence=[
            _item(
                ReconstructionAlgorithm="FILTER_BACK_PROJ",
                ConvolutionKernel=series.kernel,
                ConvolutionKernelGroup=series.kernel_group,
                ReconstructionDiameter=float(planes.columns * planes.pixel_spacing_mm[1]),
                ReconstructionPixelSpacing=list(planes.pixel_spacing_mm),
                ReconstructionAngle=360.0,
                ImageFilter="NONE",
            )
        ],
        CTExposureSequence=[
            _item(
                ExposureTimeInms=float(series.exposure_time_ms),
                XRayTubeCurrentInmA=series.tube_current_ma,
                ExposureInmAs=exposure_mas,
                ExposureModulationType="NONE",
            )
        ],
        CTXRayDetailsSequence=[
            _item(KVP=float(series.kvp), FocalSpots=[1.2], FilterType="FLAT", FilterMaterial=["ALUMINUM"])
        ],
        IrradiationEventIdentificationSequence=[_item(IrradiationEventUID=irradiation_uid)],
    )


def _frame_groups(planes: SlicePlanes, identity: StudyIdentity, index: int) -> Dataset:
    moment = identity.study_date + identity.study_time
    centre = [float(value) for value in planes.centre_mm(index)]
    return _item(
        FrameContentSequence=[
            _item(
                FrameAcquisitionNumber=1,
                FrameReferenceDateTime=moment,
                FrameAcquisitionDateTime=moment,
                FrameAcquisitionDuration=500.0,
                StackID="1",
                InStackPositionNumber=index + 1,
                DimensionIndexValues=[index + 1],
            )
        ],
        CTPositionSequence=[
            _item(
                TablePosition=float(planes.locations_mm[index]),
                DataCollectionCenterPatient=centre,
                ReconstructionTargetCenterPatient=centre,
            )
        ],
        PlanePositionSequence=[_item(ImagePositionPatient=decimals(planes.positions_mm[index]))],
    )


def _item(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item
