"""The keys of a project, and whether they are those with which its results were made.

They key every hash and day count that stands for an identifier or a date of a patient.  None is written into a result,
a log or a parameter of a job; the results hold fingerprints, so that another key is noticed before it gives every
series another name and every patient another pseudonym.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spongiosa.cohort.manifest import read_pseudonym_key
from spongiosa.cohort.secret import FILE, VARIABLE, make_secret, project_secret, secret_fault, secret_path
from spongiosa.provenance import write_json

if TYPE_CHECKING:
    from spongiosa.config.cohort import CohortSettings


@dataclass(frozen=True)
class ProjectKeys:
    """The secret of series keys and day counts, and the key of pseudonyms (None where ids are the user's own)."""

    secret: bytes
    pseudonym_key: bytes | None = None

    @property
    def fingerprints(self) -> dict[str, str | None]:
        """What may be known of the keys: whether they are still the same."""
        return {
            "secret": _fingerprint(self.secret),
            "pseudonyms": None if self.pseudonym_key is None else _fingerprint(self.pseudonym_key),
        }


def ready_keys(settings: CohortSettings, output_dir: Path) -> ProjectKeys:
    """The keys of a run; the secret of a new project is made.  For the main process.

    Raises `InputFaults` when a key is missing, unfit, or not the one with which the results were made.
    """
    secret = project_secret(settings.secret)
    if secret_path(settings.secret).resolve().is_relative_to(output_dir.resolve()):
        raise secret_fault("its file lies among the results; move it where they are not copied from.")
    if secret is None and recorded_fingerprints(output_dir) is None:
        secret = make_secret()
    return _same_as_before(settings, output_dir, secret)


def keys_of_job(settings: CohortSettings, output_dir: Path) -> ProjectKeys:
    """The keys of a job, found where the main process found them.  Raises `InputFaults` as `ready_keys`."""
    secret = project_secret(settings.secret)
    if secret is None:
        raise secret_fault(f"the job does not see it; is {VARIABLE} passed on to the jobs?")
    return _same_as_before(settings, output_dir, secret)


def recorded_fingerprints(output_dir: Path) -> dict[str, str | None] | None:
    """The fingerprints of the keys with which these results were made, or None where there are none."""
    try:
        recorded: dict[str, str | None] = json.loads(_record(output_dir).read_text(encoding="ascii"))
        return recorded
    except FileNotFoundError:
        return None


def record_fingerprints(output_dir: Path, keys: ProjectKeys) -> None:
    """Remember the keys of these results, once."""
    if recorded_fingerprints(output_dir) is None:
        write_json(_record(output_dir), keys.fingerprints)


def _same_as_before(settings: CohortSettings, output_dir: Path, secret: bytes | None) -> ProjectKeys:
    recorded = recorded_fingerprints(output_dir) or {}
    restore = f"Restore it ({FILE}, {VARIABLE} or cohort.secret)."
    lost = (
        "If it is lost, series keys, day counts and pseudonyms change: choose another output_dir, or remove "
        f"{_record(output_dir)} to have every scan computed anew in this one; choose_series then needs the new keys."
    )
    if secret is None:
        raise secret_fault(f"it is missing. {restore} {lost}")
    key = read_pseudonym_key(Path(settings.pseudonymise)) if settings.pseudonymise else None
    keys = ProjectKeys(secret, key)
    if recorded and recorded.get("secret") != keys.fingerprints["secret"]:
        raise secret_fault(f"these results were made with another one. {restore} {lost}")
    if recorded and recorded.get("pseudonyms") != keys.fingerprints["pseudonyms"]:
        raise secret_fault(
            "these results were made with another cohort.pseudonymise, so that every patient would get another name. "
            f"Restore it. {lost}"
        )
    return keys


def _record(output_dir: Path) -> Path:
    return output_dir / "units" / "secret_fingerprints.json"


def _fingerprint(secret: bytes) -> str:
    return hmac.new(secret, b"fingerprint of a secret of the project", hashlib.sha256).hexdigest()[:16]
