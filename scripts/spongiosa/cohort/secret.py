"""Where the project's secret comes from.

It comes from the file that `cohort.secret` names, else from the environment variable `SPONGIOSA_SECRET`, else from the
file `.spongiosa/secret` below the folder in which the workflow is started, which the first run makes.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from spongiosa.cohort.faults import Fault, InputFaults

VARIABLE = "SPONGIOSA_SECRET"
FILE = Path(".spongiosa") / "secret"

#: 128 bits as hexadecimal digits are more; a pass phrase of some words is as long.
SHORTEST_BYTES = 16
#: 256 bits, the length of a key of HMAC-SHA256.
_GENERATED_BYTES = 32


def project_secret(configured: str | None) -> bytes | None:
    """The secret, or None where none was given and none has been made yet.

    Raises `InputFaults` when it is too short, missing where the configuration names it, or made by a run and readable
    by others than its owner.
    """
    if configured is None and VARIABLE in os.environ:
        return _checked(os.environ[VARIABLE].encode(), f"the environment variable {VARIABLE}")
    path = secret_path(configured)
    if not path.is_file():
        if configured is None:
            return None
        raise secret_fault(f"the file {path} does not exist; restore it, or leave the key out and have one made.")
    if configured is None and path.stat().st_mode & 0o077:
        raise secret_fault(f"others may read the file {path}; chmod 600 it.")
    return _checked(path.read_bytes(), f"the file {path}")


def secret_path(configured: str | None) -> Path:
    """The file of the secret, where no environment variable holds it."""
    return Path(configured) if configured is not None else FILE


def make_secret() -> bytes:
    """Make the secret of a new project, in a file that only its owner can read."""
    FILE.parent.mkdir(mode=0o700, exist_ok=True)
    text = secrets.token_hex(_GENERATED_BYTES)
    handle = os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(handle)
    return text.encode()


def secret_fault(sentence: str) -> InputFaults:
    """A fault of the configuration key `cohort.secret`."""
    return InputFaults([Fault("cohort.secret", None, None, sentence)])


def _checked(content: bytes, place: str) -> bytes:
    secret = content.strip()
    if len(secret) < SHORTEST_BYTES:
        raise secret_fault(f"the secret in {place} must have at least {SHORTEST_BYTES} characters.")
    return secret
