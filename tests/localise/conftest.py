"""A column of simple vertebrae whose geometry is known in closed form, and the paths of the real images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from spongiosa.anatomy.levels import Level
from spongiosa.volume import Geometry, Volume, write_volume

REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

HALF_WIDTH_MM, HALF_DEPTH_MM, HEIGHT_MM, PITCH_MM = 23.0, 16.0, 27.0, 37.0


@dataclass(frozen=True)
class Column:
    """A column of vertebrae: its scan, its label maps, and per level the centre and superior axis of the body (LPS)."""

    scan: Volume
    vertebrae: Volume
    bodies: Volume
    centre_mm: dict[Level, np.ndarray]
    superior: dict[Level, np.ndarray]


def vertebra_parts(local_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether points (left, posterior, superior) mm about the centre of a body lie in the body, and in the vertebra."""
    left, back, up = np.abs(local_mm[..., 0]), local_mm[..., 1], local_mm[..., 2]
    body = (local_mm[..., 0] / HALF_WIDTH_MM) ** 2 + (back / HALF_DEPTH_MM) ** 2 <= 1
    body &= np.abs(up) <= HEIGHT_MM / 2
    pedicles = (np.abs(left - 13) <= 4) & (back > 0) & (back < 32) & (up > -4) & (up < 11)
    laminae = (np.abs(back - 32) <= 3) & (left <= 17) & (np.abs(up) < 11)
    spinous = (left <= 3) & (back > 32) & (back < 56) & (up > -14) & (up < 4)
    transverse = (left > 13) & (left < 38) & (np.abs(back - 24) < 4) & (np.abs(up - 3) < 4)
    return body, body | pedicles | laminae | spinous | transverse


def column_of(levels: list[Level], spacing_mm: tuple[float, float, float] = (1.5, 1.5, 2.0)) -> Column:
    """Vertebrae of the given levels, from cranial to caudal, on a lordotic arc; marrow 120 HU, shell 400 HU."""
    size = np.array([110.0, 110.0, PITCH_MM * len(levels) + 30.0])
    shape = tuple(int(np.ceil(length / step)) for length, step in zip(size[::-1], spacing_mm[::-1], strict=True))
    geometry = Geometry(shape, spacing_mm, (-55.0, -40.0, 0.0), np.eye(3))
    points = geometry.points_mm(np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1))
    vertebrae = np.zeros(shape, dtype=np.uint8)
    bodies = np.zeros(shape, dtype=np.uint8)
    hu = np.full(shape, 40, dtype=np.int16)
    centres, axes = {}, {}
    for place, level in enumerate(levels):
        tilt = np.radians(12.0 - 24.0 * place / max(len(levels) - 1, 1)) if len(levels) > 1 else 0.0
        superior = np.array([0.0, np.sin(tilt), np.cos(tilt)])
        back = np.array([0.0, np.cos(tilt), -np.sin(tilt)])
        height = size[2] - 15.0 - PITCH_MM * (place + 0.5)
        centre = np.array([0.0, 5.0 * np.cos(np.pi * place / len(levels)), height])
        local = (points - centre) @ np.stack([np.array([1.0, 0.0, 0.0]), back, superior]).T
        body, whole = vertebra_parts(local)
        inner, _ = vertebra_parts(local * 1.12)
        vertebrae[whole], bodies[body] = level, level
        hu[whole] = 400
        hu[inner & body] = 120
        centres[level], axes[level] = centre, superior
    return Column(Volume(hu, geometry), Volume(vertebrae, geometry), Volume(bodies, geometry), centres, axes)


@pytest.fixture(scope="session")
def lumbar_column() -> Column:
    return column_of([Level.T12, Level.L1, Level.L2, Level.L3, Level.L4])


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Volume, str], Path]:
    def save(volume: Volume, name: str) -> Path:
        write_volume(volume, tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images beside the repository."""
    if not REAL_DATA.exists():
        pytest.skip("the real images are not beside the repository")
    return REAL_DATA


@pytest.fixture(scope="session")
def dice() -> Callable[[np.ndarray, np.ndarray], float]:
    return lambda first, second: 2 * float((first & second).sum()) / float(first.sum() + second.sum())
