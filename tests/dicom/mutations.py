"""Seeded damage to files and folders: what age, networks, bad exporters and bad people do to DICOM."""

from __future__ import annotations

import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pydicom

Random = np.random.Generator
SPARSE_BYTES: Final = 2**33
_LIES: Final = (0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 0x80000000, 0, 1, 0xFFFF, 0x10000)
_HOSTILE_NAMES: Final = (
    "$(touch owned)",
    "`id`; rm -rf x",
    "<img src=x onerror=alert(1)>",
    '=HYPERLINK("x")',
    "-rf",
    "nul\\con",
    "a" * 200,
    "Müller^Änne 1950-01-01",
    "new\nline",
    "..  ",
)


def _some(random: Random, size: int, count: int) -> list[int]:
    return [int(index) for index in random.integers(0, max(size, 1), count)]


def flip_bits(data: bytearray, random: Random) -> None:
    for index in _some(random, len(data), int(random.integers(1, 60))):
        data[index] ^= 1 << int(random.integers(0, 8))


def flip_header_bits(data: bytearray, random: Random) -> None:
    for index in _some(random, min(len(data), 4000), int(random.integers(1, 20))):
        data[index] ^= 1 << int(random.integers(0, 8))


def cut_end(data: bytearray, random: Random) -> None:
    del data[int(random.integers(0, len(data))) :]


def drop_piece(data: bytearray, random: Random) -> None:
    start = int(random.integers(0, len(data)))
    del data[start : start + int(random.integers(1, 2000))]


def repeat_piece(data: bytearray, random: Random) -> None:
    start = int(random.integers(0, len(data)))
    data[start:start] = data[start : start + 500] * int(random.integers(1, 200))


def zero_piece(data: bytearray, random: Random) -> None:
    start = int(random.integers(0, len(data)))
    stop = min(len(data), start + int(random.integers(1, 2000)))
    data[start:stop] = bytes(stop - start)


def insert_noise(data: bytearray, random: Random) -> None:
    start = int(random.integers(0, len(data)))
    data[start:start] = random.bytes(int(random.integers(1, 5000)))


def lie_about_length(data: bytearray, random: Random) -> None:
    """Overwrite four bytes behind a VR or a tag with a length that is not true."""
    marks = [index for index in range(132, min(len(data) - 12, 6000)) if data[index : index + 2].isalpha()]
    for index in random.choice(marks, size=min(3, len(marks)), replace=False) if marks else ():
        lie = _LIES[int(random.integers(0, len(_LIES)))]
        struct.pack_into("<I", data, int(index) + int(random.choice([2, 4])), lie)


def endless_sequence(data: bytearray, random: Random) -> None:
    """A sequence in a sequence in a sequence, without end."""
    depth = int(random.choice([3, 50, 5000, 200_000]))
    opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    opening += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    data[400:400] = opening * depth


def endless_items(data: bytearray, random: Random) -> None:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    data[400:400] = opening + item * int(random.choice([10, 100_000]))


def other_transfer_syntax(data: bytearray, random: Random) -> None:
    """The same bytes under another transfer syntax of equal length of name."""
    syntaxes = [f"1.2.840.10008.1.2{end}".encode().ljust(20, b"\0") for end in ("", ".1", ".2", ".5")]
    start = data.find(b"1.2.840.10008.1.2")
    if start > 0:
        data[start : start + 20] = syntaxes[int(random.integers(0, len(syntaxes)))]


def replace_all(data: bytearray, random: Random) -> None:
    data[:] = random.bytes(int(random.integers(0, 20_000)))


def noise_behind_magic(data: bytearray, random: Random) -> None:
    data[132:] = random.bytes(int(random.integers(0, 20_000)))


BYTE_MUTATIONS: Final[tuple[Callable[[bytearray, Random], None], ...]] = (
    flip_bits,
    flip_header_bits,
    cut_end,
    drop_piece,
    repeat_piece,
    zero_piece,
    insert_noise,
    lie_about_length,
    endless_sequence,
    endless_items,
    other_transfer_syntax,
    replace_all,
    noise_behind_magic,
)
_ODD_VALUES: Final = (
    ("Rows", (0, 1, 65535, 36)),
    ("Columns", (0, 1, 65535, 44)),
    ("BitsAllocated", (0, 1, 7, 8, 12, 32, 64, 16)),
    ("BitsStored", (0, 1, 17, 200)),
    ("HighBit", (0, 3, 15, 255)),
    ("SamplesPerPixel", (0, 3, 65535)),
    ("NumberOfFrames", (0, -1, 2, 2_000_000_000)),
    ("PixelRepresentation", (1, 7)),
    ("PixelSpacing", ([0, 0], [-1, 1], [1e30, 1e30], [1e-30, 1])),
    ("ImageOrientationPatient", ([0] * 6, [1, 0, 0, 1, 0, 0], [9e9] * 6)),
    ("ImagePositionPatient", ([0, 0, 0], [1e30, 0, 0], [-1e9, 1e9, 5])),
    ("RescaleSlope", (0, -1, 1e30, 1e-30)),
    ("RescaleIntercept", (1e30, -1e30, 0)),
    ("SliceThickness", (-5, 0, 1e20)),
    ("Modality", ("MR", "", "<script>")),
    ("SeriesInstanceUID", ("", "1.2.3")),
    ("PatientID", ("", "someone else")),
)


def odd_value(path: Path, random: Random) -> None:
    """An element with a value that no scanner writes."""
    keyword, values = _ODD_VALUES[int(random.integers(0, len(_ODD_VALUES)))]
    dataset = pydicom.dcmread(path)
    setattr(dataset, keyword, values[int(random.integers(0, len(values)))])
    dataset.save_as(path)


def drop_element(path: Path, random: Random) -> None:
    dataset = pydicom.dcmread(path)
    tags = list(dataset.keys())
    del dataset[tags[int(random.integers(0, len(tags)))]]
    dataset.save_as(path)


def mutate_bytes(path: Path, random: Random) -> str:
    """One kind of damage to the bytes of a file; its name."""
    mutation = BYTE_MUTATIONS[int(random.integers(0, len(BYTE_MUTATIONS)))]
    data = bytearray(path.read_bytes() or bytes(1))  # an earlier mutation may have left an empty file
    mutation(data, random)
    path.write_bytes(data)
    return mutation.__name__


def mutate_file(path: Path, random: Random) -> str:
    """One kind of damage to a file, of its bytes or (one in four) of its elements; its name."""
    if path.suffix in ("", ".dcm") and random.random() < 0.25:
        mutation = odd_value if random.random() < 0.7 else drop_element
        mutation(path, random)
        return mutation.__name__
    return mutate_bytes(path, random)


def mutate_folder(folder: Path, random: Random) -> str:
    """Three kinds of damage to a folder of files, one after the other; their names."""
    kinds = random.choice(len(_FOLDER_MUTATIONS), size=3, replace=False)
    for kind in kinds:
        _FOLDER_MUTATIONS[int(kind)](folder, random)
    return "+".join(_FOLDER_MUTATIONS[int(kind)].__name__ for kind in kinds)


def _files(folder: Path) -> list[Path]:
    """The files that can be damaged: no links, and not the sparse one of `special_files`."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in found if path.stat().st_size < SPARSE_BYTES)


def delete_files(folder: Path, random: Random) -> None:
    files = _files(folder)
    for index in set(_some(random, len(files), int(random.integers(1, 4)))):
        files[index].unlink()


def damage_several(folder: Path, random: Random) -> None:
    for path in _files(folder):
        if random.random() < 0.3:
            mutate_bytes(path, random)


def hostile_names(folder: Path, random: Random) -> None:
    for path in _files(folder):
        name = _HOSTILE_NAMES[int(random.integers(0, len(_HOSTILE_NAMES)))].replace("/", "_")
        target = path.with_name(f"{name}{int(random.integers(0, 10**6))}")
        path.rename(target)


def link_loops(folder: Path, random: Random) -> None:
    for number in range(3):
        (folder / f"loop{random.integers(10**9)}{number}").symlink_to(folder, target_is_directory=True)
    (folder / f"self{random.integers(10**9)}").symlink_to(folder / "self")


def deep_nest(folder: Path, random: Random) -> None:
    deep = folder
    for _ in range(int(random.choice([5, 100]))):
        deep = deep / "d"
    deep.mkdir(parents=True, exist_ok=True)
    files = _files(folder)
    if files:
        files[0].rename(deep / "moved")


def copy_some(folder: Path, random: Random) -> None:
    for path in _files(folder)[: int(random.integers(1, 5))]:
        shutil.copy(path, path.with_name(f"copy{random.integers(10**9)}"))


def pack_some(folder: Path, random: Random) -> None:
    """Some of the files into a zip, which may be damaged."""
    archive = folder / f"part{random.integers(10**9)}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in _files(folder)[::2]:
            if path != archive:
                packed.writestr(f"x/{random.integers(10**9)}", path.read_bytes())
                path.unlink()
    if random.random() < 0.6:
        mutate_bytes(archive, random)


def special_files(folder: Path, random: Random) -> None:
    os.mkfifo(folder / f"fifo{random.integers(10**9)}")
    (folder / f"empty{random.integers(10**9)}").touch()
    with (folder / f"sparse{random.integers(10**9)}").open("wb") as stream:
        stream.truncate(SPARSE_BYTES)


def odd_elements(folder: Path, random: Random) -> None:
    for path in _files(folder):
        if random.random() < 0.3:
            try:
                odd_value(path, random)
            except Exception:  # a file that an earlier mutation damaged beyond reading stays as it is
                continue


_FOLDER_MUTATIONS: Final[tuple[Callable[[Path, Random], None], ...]] = (
    delete_files,
    damage_several,
    hostile_names,
    link_loops,
    deep_nest,
    copy_some,
    pack_some,
    special_files,
    odd_elements,
)
