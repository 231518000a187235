"""A header may name the file beside it as its data, and no other."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from spongiosa.config.series import SeriesSettings
from spongiosa.dicom.identity import PatientIdentity
from spongiosa.dicom.sources import list_sources
from spongiosa.dicom.volume_file import record_volume
from spongiosa.volume import read_volume


@pytest.fixture(params=[".mhd", ".nhdr"])
def header(request, tmp_path) -> Path:
    """A header with its voxels in a file of their own."""
    voxels = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    path = tmp_path / f"scan{request.param}"
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(path))
    return path


def rename_data(header: Path, name: str) -> None:
    data = next(path for path in header.parent.iterdir() if path.suffix == ".raw")
    header.write_bytes(header.read_bytes().replace(data.name.encode(), name.encode()))


def test_data_beside_the_header_are_read(header):
    assert read_volume(header).voxels.ravel().tolist() == list(range(120))


def test_a_pipe_that_never_ends_is_refused_and_not_waited_for(header):
    os.mkfifo(header.parent / "pipe")
    rename_data(header, "pipe")
    with pytest.raises(OSError, match="beside"):
        read_volume(header)


@pytest.mark.parametrize("name", ["/etc/hostname", "../other.raw", "slice%03d.raw 1 4 1", "link"])
def test_data_from_elsewhere_are_refused(header, name):
    (header.parents[1] / "other.raw").write_bytes(bytes(240))
    (header.parent / "link").symlink_to(header.parents[1] / "other.raw")
    rename_data(header, name)
    with pytest.raises(OSError, match="beside"):
        read_volume(header)
    (source,) = [one for one in list_sources(header.parent, SeriesSettings()) if one.path == header]
    record = record_volume(source, "ct", PatientIdentity())
    assert record.fault is not None and record.fault.reason == "undecodable"
