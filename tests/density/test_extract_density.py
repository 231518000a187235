"""The stage that measures density: what it does not take for a CT."""

import importlib.util
from pathlib import Path

import pytest

from spongiosa.cohort.scan import Outputs, Scan
from spongiosa.outcome import Excluded, Reason

STAGE = Path(__file__).resolve().parents[2] / "scripts" / "extract_density.py"


def test_an_mr_leaves_before_it_is_examined_as_a_ct(tmp_path):
    spec = importlib.util.spec_from_file_location("extract_density", STAGE)
    stage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stage)
    scan = Scan("P1", "preop", "mr", tmp_path, {})
    with pytest.raises(Excluded) as left:
        stage.extract_density(scan, None, Outputs(scan))
    assert left.value.reason is Reason.MODULE_ABSENT
    assert list(tmp_path.iterdir()) == []
