"""What reaches a log names no file of a clinic."""

import pytest

from spongiosa.cohort.logs import without_paths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cannot open '/data/Doe John/IM 1.dcm' (damaged)", "cannot open '<input>' (damaged)"),
        ("/data/Doe John/a/b\nnext line", "<input>\nnext line"),
        ("/data/Doe John is empty", "<input> is empty"),
        ('File "/code/a.py", line 3: /data/Doe John', 'File "/code/a.py", line 3: <input>'),
    ],
    ids=["file below", "end of line", "folder", "code stays"],
)
def test_an_input_path_and_the_names_below_it_are_replaced(text, expected):
    assert without_paths(text, ["/data/Doe John", ""]) == expected


def test_the_longer_of_two_paths_goes_first():
    assert without_paths("/data/a/labels.nii", ["/data", "/data/a/labels.nii"]) == "<input>"
