"""Who a synthetic DICOM study pretends to be: unique identifiers, and canaries in every identifying header field."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import UID

UID_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "synthetic.spongiosa")
IMPLEMENTATION_VERSION_NAME: Final = "SPONGIOSA_SYN"
PRIVATE_CREATOR: Final = "SPONGIOSA CANARY"
PRIVATE_GROUP: Final = 0x0029

CANARIES: Final[dict[str, str]] = {
    "PatientName": "CANARYFAMILY^CANARYGIVEN",
    "PatientID": "CANARYPID",
    "PatientBirthDate": "19120229",
    "PatientBirthTime": "031459.265358",
    "PatientBirthName": "CANARYBIRTHNAME",
    "PatientMotherBirthName": "CANARYMOTHER",
    "OtherPatientIDs": "CANARYOTHERID",
    "PatientAddress": "CANARYSTREET 7",
    "PatientTelephoneNumbers": "CANARYPHONE",
    "PatientComments": "CANARYPATIENTCOMMENT",
    "EthnicGroup": "CANARYETHNIC",
    "Occupation": "CANARYOCCUPATION",
    "AdditionalPatientHistory": "CANARYHISTORY",
    "AccessionNumber": "CANARYACC",
    "StudyID": "CANARYSTUDYID",
    "StudyDescription": "CANARYSTUDYTEXT",
    "ReferringPhysicianName": "CANARYREFERRER",
    "PerformingPhysicianName": "CANARYPERFORMER",
    "NameOfPhysiciansReadingStudy": "CANARYREADER",
    "OperatorsName": "CANARYOPERATOR",
    "InstitutionName": "CANARYHOSPITAL",
    "InstitutionAddress": "CANARYTOWN",
    "InstitutionalDepartmentName": "CANARYDEPARTMENT",
    "StationName": "CANARYSTATION",
    "DeviceSerialNumber": "CANARYSERIAL",
    "RequestedProcedureDescription": "CANARYREQUEST",
    "PerformedProcedureStepDescription": "CANARYSTEP",
    "SeriesDescription": "CANARYSERIESTEXT",
    "ProtocolName": "CANARYPROTOCOL",
    "ImageComments": "CANARYIMAGECOMMENT",
    "PrivateText": "CANARYPRIVATE",
}
"""Header field -> the text that must never leave the DICOM. Fields that must differ between patients or carry a useful
value besides (`PatientID`, `AccessionNumber`, `SeriesDescription`, `ProtocolName`) contain the canary as a part."""

_FREE_TEXT_OF_A_SERIES: Final = ("SeriesDescription", "ProtocolName", "PrivateText")
_COMPLETED_BY_A_SUFFIX: Final = ("PatientID", "AccessionNumber")


def canaries_in(text: str) -> list[str]:
    """Header fields whose canary occurs in `text`, upper or lower case; both halves of the name count on their own."""
    lowered = text.lower()
    return [field for field, canary in CANARIES.items() if any(part in lowered for part in canary.lower().split("^"))]


def derived_uid(*parts: str | int) -> UID:
    """UID under 2.25 (ITU-T X.667: the integer of a UUID) that depends on `parts` and on nothing else."""
    return UID(f"2.25.{uuid.uuid5(UID_NAMESPACE, '/'.join(str(part) for part in parts)).int}")


@dataclass(frozen=True)
class StudyIdentity:
    """One visit of one synthetic patient to a scanner; equal identities give equal UIDs.

    `sex` is "M", "F" or "O"; `study_date` is a DICOM date (YYYYMMDD). Age, height (m) and weight (kg) are written as
    the scanner would, and left out where None.
    """

    patient: str
    seed: int
    session: str = "preop"
    sex: str = "F"
    age_years: float | None = None
    height_m: float | None = None
    weight_kg: float | None = None
    study_date: str = "20240311"
    study_time: str = "101500"

    @property
    def study_uid(self) -> UID:
        return self.uid("study")

    @property
    def frame_of_reference_uid(self) -> UID:
        """Shared by every series of the study: the patient did not leave the table."""
        return self.uid("frame of reference")

    def uid(self, *parts: str | int) -> UID:
        return derived_uid(self.seed, self.patient, self.session, *parts)


def add_identity(dataset: Dataset, identity: StudyIdentity) -> None:
    """Patient and Study modules, with a canary in every identifying field (PS3.3 C.7.1, C.7.2)."""
    for field, canary in CANARIES.items():
        if field not in _FREE_TEXT_OF_A_SERIES:
            setattr(dataset, field, canary)
    digits = f"{derived_uid(identity.patient, identity.seed)}"[-5:]
    for field in _COMPLETED_BY_A_SUFFIX:
        setattr(dataset, field, f"{CANARIES[field]}{digits}")
    dataset.add_new((PRIVATE_GROUP, 0x0010), "LO", PRIVATE_CREATOR)
    dataset.add_new((PRIVATE_GROUP, 0x1001), "LO", CANARIES["PrivateText"])
    dataset.PatientSex = identity.sex
    if identity.age_years is not None:
        dataset.PatientAge = f"{int(identity.age_years):03d}Y"
    if identity.height_m is not None:
        dataset.PatientSize = f"{identity.height_m:.2f}"
    if identity.weight_kg is not None:
        dataset.PatientWeight = f"{identity.weight_kg:.1f}"
    dataset.StudyInstanceUID = identity.study_uid
    dataset.StudyDate = identity.study_date
    dataset.StudyTime = identity.study_time


def add_series_identity(
    dataset: Dataset, identity: StudyIdentity, number: int, description: str, protocol: str
) -> None:
    """General Series module (PS3.3 C.7.3.1); description and protocol carry a canary behind their useful words."""
    dataset.SeriesInstanceUID = identity.uid("series", number)
    dataset.SeriesNumber = number
    dataset.SeriesDescription = f"{description} {CANARIES['SeriesDescription']}"
    dataset.ProtocolName = f"{protocol} {CANARIES['ProtocolName']}"
    dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = identity.study_date
    dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = identity.study_time
