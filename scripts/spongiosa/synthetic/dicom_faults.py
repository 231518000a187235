"""What goes wrong on the way from a scanner to a researcher's disk, done on purpose to a series of slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SeriesFaults:
    """Faults of one series; slice numbers count from 0 in the order of the image.

    `missing`: these slices were never written. `duplicated`: written twice, the same instance in a second file (an
    export repeated). `repeated`: written twice with an instance UID of its own (a slice scanned again).
    `shuffle_seed`: file names and instance numbers run in a random order. `reoriented`: these slices carry a coronal
    orientation within the axial series (a reformat filed under the wrong series).
    """

    missing: tuple[int, ...] = ()
    duplicated: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()
    reoriented: tuple[int, ...] = ()
    shuffle_seed: int | None = None


@dataclass(frozen=True)
class SliceToWrite:
    """One file to write: which slice of the image, which copy of it, under which number, and how oriented."""

    index: int
    copy: int
    number: int
    is_reoriented: bool


CORONAL_ORIENTATION = np.array([1.0, 0.0, 0.0, 0.0, 0.0, -1.0])


def slices_to_write(slice_count: int, faults: SeriesFaults) -> list[SliceToWrite]:
    """The files of a series of `slice_count` slices, in the order in which they are numbered (from 1).

    `copy` is 0 for the instance itself and its duplicates, 1 for a slice scanned again.
    Raises `IndexError` for a faulty slice that the image does not have.
    """
    for index in (*faults.missing, *faults.duplicated, *faults.repeated, *faults.reoriented):
        if not 0 <= index < slice_count:
            raise IndexError(f"The image has {slice_count} slices, there is no slice {index}")
    order = np.arange(slice_count)
    if faults.shuffle_seed is not None:
        order = np.random.default_rng(faults.shuffle_seed).permutation(slice_count)
    instances = [
        SliceToWrite(int(index), 0, number, int(index) in faults.reoriented)
        for number, index in enumerate(order, start=1)
        if index not in faults.missing
    ]
    duplicates = [instance for instance in instances if instance.index in faults.duplicated]
    repeated = [
        SliceToWrite(index, 1, slice_count + extra, index in faults.reoriented)
        for extra, index in enumerate(faults.repeated, start=1)
    ]
    return [*instances, *duplicates, *repeated]
