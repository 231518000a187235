from __future__ import annotations

from dataclasses import replace

import numpy as np

from spongiosa.synthetic.gallery import views, write_gallery
from spongiosa.synthetic.gallery_cases import CASES
from spongiosa.synthetic.scanner import render_ct


def test_gallery_shows_its_cases_in_one_self_contained_page(tmp_path, reduced_scanner):
    page = tmp_path / "gallery.html"
    small = reduced_scanner(cranial_level="L2", caudal_level="L4")
    write_gallery(page, cases=tuple(replace(case, scanner=small) for case in CASES[:2]), has_mr=False)
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 2
    assert "http" not in text
    assert all(case.title in text for case in CASES[:2])


def test_titles_are_unique():
    assert len({case.title for case in CASES}) == len(CASES)


def test_views_are_upright_whatever_the_position(woman, reduced_scanner):
    """Air above the belly, table below the back; the head end on top: T12 and L5 differ in width."""
    point = woman.vertebrae["L3"].frame.origin_mm
    reference = None
    for position in ("HFS", "FFP"):
        scan = render_ct(woman, reduced_scanner(patient_position=position, has_table=False, noise_sd_hu=0.0), seed=1)
        sections = [section.astype(float) for section, _ in views(scan.ct, point)]
        if reference is None:
            reference = sections
        for section, expected in zip(sections, reference, strict=True):
            assert np.corrcoef(section.ravel(), expected.ravel())[0, 1] > 0.9
