from __future__ import annotations

import numpy as np

from spongiosa.synthetic.artefacts import add_artefacts


def water_disc(pixels=160, radius=60.0):
    y, x = np.indices((pixels, pixels)) - (pixels - 1) / 2.0
    field = np.full((1, pixels, pixels), -1000.0, dtype=np.float32)
    field[0][np.hypot(y, x) < radius] = 0.0
    return field, x, y


def test_metal_darkens_the_line_between_two_screws_and_streaks_the_rest():
    """Two pieces of titanium 40 mm apart in water: a dark band between them, and noise where there was none."""
    field, x, y = water_disc()
    for side in (-20.0, 20.0):
        field[0][np.hypot(y, x - side) < 4.0] = 10000.0
    changed = field.copy()
    add_artefacts(changed, 1.5, metal=True, beam_hardening=0.0, rng=np.random.default_rng(1))
    error = changed[0] - field[0]
    between = error[(np.abs(x) < 10.0) & (np.abs(y) < 3.0)].mean()
    across = error[(np.abs(y) > 25.0) & (np.abs(y) < 40.0) & (np.abs(x) < 8.0)]
    assert between < -45.0
    assert abs(across.mean()) < 0.7 * abs(between)
    assert across.std() > 3.0


def test_without_metal_or_hardening_nothing_changes():
    field, _, _ = water_disc()
    changed = field.copy()
    add_artefacts(changed, 1.5, metal=True, beam_hardening=0.0, rng=np.random.default_rng(1))
    assert np.array_equal(changed, field)


def test_beam_hardening_cups_a_water_disc():
    field, x, y = water_disc()
    changed = field.copy()
    add_artefacts(changed, 2.0, metal=True, beam_hardening=1.0, rng=np.random.default_rng(1))
    r = np.hypot(y, x)
    middle, edge = (changed[0][(r >= lo) & (r < hi)].mean() for lo, hi in ((0, 15), (45, 55)))
    assert -200.0 < middle - edge < -10.0


def test_artefacts_fit_a_matrix_that_is_not_square():
    field, _, _ = water_disc()
    field[0, 70:75, 70:75] = 9000.0
    narrow = np.ascontiguousarray(field[:, 10:140, :])
    add_artefacts(narrow, 1.5, metal=True, beam_hardening=0.0, rng=np.random.default_rng(1))
    assert narrow.shape == (1, 130, 160)
    assert np.isfinite(narrow).all()
