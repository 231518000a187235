"""A stage for the tests of the runner, and what it can be told to do to a patient."""

from spongiosa.outcome import Excluded, Reason


class Stage:
    """A stage that writes one row, remembers whom it computed, and does to a patient what it is told."""

    def __init__(self, **behaviour):
        self.computed = []
        self.behaviour = behaviour

    def __call__(self, scan, _settings, outputs):
        self.computed.append(scan.patient_id)
        outputs.write_rows("desc-rows", [{"value": len(scan.patient_id)}])
        self.behaviour.get(scan.patient_id, lambda _: None)(scan)


def excluded(_scan):
    raise Excluded(Reason.NO_DICOM, "No DICOM file was found; check the path in the manifest.")


def statuses(outcomes):
    return [str(record.status) for _, record in outcomes]
