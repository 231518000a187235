"""What stands for a patient's identifiers and dates in the outputs: hashes and day counts that need a secret.

A hash of an identifier without a secret can be made again by anyone who has the identifiers (a hospital's PACS), and so
gives the patient away.  The secret belongs to the project (`cohort.secret`) and stands in no output.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date
from typing import Final

_KEY_DIGITS: Final = 10
"""40 bits: of ten series of a patient two have equal keys in less than one of a billion patients."""
#: Day 0 of a patient lies anywhere in this many days before the year 1: a count of days tells no date, not even nearly.
_ANCHOR_RANGE_DAYS: Final = 10_000_000


@dataclass(frozen=True)
class PatientIdentity:
    """The patient whose scans are read.

    `secret` is the project's; `patient_id` the pseudonym, so that equal identifiers of two patients get other hashes;
    `reference_day` the day of the DXA or surgery in the count of `day`, None where it is not known.
    """

    secret: bytes = b""
    patient_id: str = ""
    reference_day: int | None = None

    def series_key(self, identifier: str) -> str:
        """By what a series is called: HMAC-SHA256 of its identifier, 10 hex digits (RFC 2104)."""
        return self._keyed(f"series\0{self.patient_id}\0{identifier}")[:_KEY_DIGITS]

    def series_key_without_secret(self, identifier: str) -> str:
        """The key that was given before there was a secret; a reader's choice that names it is still understood."""
        return hmac.new(self.patient_id.encode(), identifier.encode(), hashlib.sha256).hexdigest()[:_KEY_DIGITS]

    def day(self, when: date) -> int:
        """The date as a count of days from the patient's own day 0, which only the secret tells.

        Differences between two days of a patient are true intervals (date shifting; DICOM PS3.15, E.3.6, Retain
        Longitudinal Temporal Information With Modified Dates Option).
        """
        return when.toordinal() + int(self._keyed(f"anchor\0{self.patient_id}"), 16) % _ANCHOR_RANGE_DAYS

    def _keyed(self, text: str) -> str:
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()
