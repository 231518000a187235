"""The project's secret: where it comes from, and what happens when it is another one."""

import os
import stat

import pytest

from spongiosa.cohort.faults import InputFaults
from spongiosa.cohort.keys import keys_of_job, ready_keys, record_fingerprints
from spongiosa.cohort.manifest import pseudonym, read_cohort
from spongiosa.cohort.secret import FILE, VARIABLE
from spongiosa.config.cohort import CohortSettings

PHRASE = "correct horse battery staple"


@pytest.fixture(autouse=True)
def project_folder(tmp_path, monkeypatch):
    """Work in a folder of its own, without a secret of the person who runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def settings(**changes):
    return CohortSettings(manifest="manifest.tsv", **changes)


def refusal(tmp_path, **changes):
    with pytest.raises(InputFaults) as refused:
        ready_keys(settings(**changes), tmp_path / "results")
    return str(refused.value)


def test_the_first_run_makes_a_secret_that_only_its_owner_reads(tmp_path):
    keys = ready_keys(settings(), tmp_path / "results")
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600
    assert len(keys.secret) == 64, "256 bits as hexadecimal digits"
    assert ready_keys(settings(), tmp_path / "results") == keys == keys_of_job(settings(), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_two_projects_have_two_secrets(tmp_path, monkeypatch):
    one = ready_keys(settings(), tmp_path / "results")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert ready_keys(settings(), tmp_path / "results") != one


def test_the_file_of_the_configuration_wins_over_the_environment_and_that_over_the_made_one(tmp_path, monkeypatch):
    made = ready_keys(settings(), tmp_path / "results").secret
    monkeypatch.setenv(VARIABLE, PHRASE)
    assert ready_keys(settings(), tmp_path / "results").secret == PHRASE.encode() != made
    (tmp_path / "named").write_text("another long pass phrase\n")
    assert ready_keys(settings(secret="named"), tmp_path / "results").secret == b"another long pass phrase"


@pytest.mark.parametrize("change", ["other secret", "lost", "pseudonyms"])
def test_results_are_not_gone_on_with_under_other_keys(change, tmp_path):
    keys = ready_keys(settings(), tmp_path / "results")
    record_fingerprints(tmp_path / "results", keys)
    recorded = (tmp_path / "results" / "units" / "secret_fingerprints.json").read_text()
    assert keys.secret.decode() not in recorded
    changes = {}
    if change == "other secret":
        FILE.write_text(PHRASE)
    elif change == "lost":
        FILE.unlink()
    else:
        (tmp_path / "key").write_text(PHRASE)
        changes = {"pseudonymise": "key"}
    sentence = refusal(tmp_path, **changes)
    assert "Restore it" in sentence and "secret_fingerprints.json" in sentence
    assert FILE.exists() == (change != "lost"), "no new secret is made behind the back of the old results"


def test_a_secret_is_refused_that_is_short_missing_readable_by_others_or_among_the_results(tmp_path):
    (tmp_path / "short").write_text("secret")
    assert "at least 16 characters" in refusal(tmp_path, secret="short")
    assert "does not exist" in refusal(tmp_path, secret="nowhere")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "secret").write_text(PHRASE)
    assert "among the results" in refusal(tmp_path, secret="results/secret")
    ready_keys(settings(), tmp_path / "results")
    os.chmod(FILE, 0o644)  # noqa: PTH101
    assert "chmod 600" in refusal(tmp_path)


def test_a_job_that_does_not_see_the_secret_says_so(tmp_path):
    with pytest.raises(InputFaults, match="passed on to the jobs"):
        keys_of_job(settings(), tmp_path / "results")


@pytest.mark.parametrize("named", [None, "named"])
def test_pseudonyms_can_be_keyed_by_the_project(named, tmp_path):
    (tmp_path / "manifest.tsv").write_text("patient_id\tpath\nP1\ta\n")
    (tmp_path / "named").write_text(PHRASE)
    cohort = settings(pseudonymise="project", secret=named)
    keys = ready_keys(cohort, tmp_path / "results")
    assert keys.pseudonym_key == keys.secret
    (row,) = read_cohort(cohort)
    assert row.patient_id == pseudonym("P1", keys.secret)
