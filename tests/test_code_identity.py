"""The code of a stage has one hash: meaning counts, explanation and layout do not."""

import pytest

from spongiosa import code_identity
from spongiosa.code_identity import SCRIPTS, imported_modules, normalised_code

CODE = '''"""A module."""
import math


def area(radius_mm):
    """Area of a circle [mm2]."""
    # the textbook
    return [math.pi * radius_mm**2, f"{radius_mm:.1f} mm"]
'''


@pytest.mark.parametrize(
    "same",
    [
        CODE.replace("A module.", "Another text."),
        CODE.replace("    # the textbook\n", ""),
        CODE.replace("    # the textbook\n", "    # one\n\n    # two\n"),
        CODE.replace('    """Area of a circle [mm2]."""\n', ""),
        CODE.replace(
            '[math.pi * radius_mm**2, f"{radius_mm:.1f} mm"]',
            '[\n        math.pi * radius_mm**2,\n        f"{radius_mm:.1f} mm",\n    ]',
        ),
    ],
)
def test_explanation_and_layout_do_not_count(same):
    assert normalised_code(same) == normalised_code(CODE)


@pytest.mark.parametrize(
    "other",
    [
        CODE.replace("**2", "**3"),
        CODE.replace(":.1f", ":.2f"),
        CODE.replace("    return", "    radius_mm += 1\n    return"),
        CODE.replace("radius_mm):", "radius_mm=1):"),
    ],
)
def test_meaning_counts(other):
    assert normalised_code(other) != normalised_code(CODE)


def test_indentation_is_meaning():
    assert normalised_code("if a:\n    b()\n    c()\n") != normalised_code("if a:\n    b()\nc()\n")


def test_a_one_element_tuple_is_not_a_value_in_brackets():
    assert normalised_code("x = (1,)\n") != normalised_code("x = (1)\n")


def test_modules_are_followed_through_lazy_imports_and_configuration_is_left_out():
    modules = imported_modules(SCRIPTS / "index_series.py")
    assert "spongiosa.dicom.index" in modules
    assert not any(name.startswith("spongiosa.config") or name == "spongiosa.outcome" for name in modules)


def test_each_study_depends_on_its_own_module():
    script = SCRIPTS / "analyse_study.py"
    assert "spongiosa.studies.hu_dxa_concordance" not in imported_modules(script)
    assert "spongiosa.statistics.roc" in imported_modules(script, ["spongiosa.studies.hu_dxa_concordance"])
    with pytest.raises(ModuleNotFoundError, match=r"no module spongiosa\.studies\.none"):
        imported_modules(script, ["spongiosa.studies.none"])


def test_measuring_stages_do_not_depend_on_statistics_or_report():
    for stage in ("index_series", "convert_scan", "localise_vertebrae", "mask_regions", "extract_density"):
        domains = {name.split(".")[1] for name in imported_modules(SCRIPTS / f"{stage}.py") if "." in name}
        assert not domains & {"statistics", "report", "studies", "synthetic"}, stage


def test_a_template_belongs_to_the_module_that_names_its_folder(tmp_path, monkeypatch):
    package = tmp_path / "spongiosa"
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "page.py").write_text('FOLDER = "templates"\n')
    (package / "picture.py").write_text("WIDTH_PX = 100\n")
    (package / "templates" / "style.css").write_text("a {}")
    (tmp_path / "render.py").write_text("import spongiosa.page\n")
    (tmp_path / "draw.py").write_text("import spongiosa.picture\n")
    monkeypatch.setattr(code_identity, "SCRIPTS", tmp_path)

    def hashes():
        code_identity.code_hash.cache_clear()
        return code_identity.code_hash("render"), code_identity.code_hash("draw")

    before = hashes()
    (package / "templates" / "style.css").write_text("b {}")
    after = hashes()
    code_identity.code_hash.cache_clear()
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_a_changed_module_changes_the_hash_of_a_stage_that_imports_it(tmp_path, monkeypatch):
    package = tmp_path / "spongiosa"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "deep.py").write_text("VALUE = 1\n")
    (package / "near.py").write_text("def f():\n    from spongiosa.deep import VALUE\n    return VALUE\n")
    (tmp_path / "stage.py").write_text("from spongiosa.near import f\n")
    (tmp_path / "other.py").write_text("import spongiosa\n")
    monkeypatch.setattr(code_identity, "SCRIPTS", tmp_path)

    def hashes():
        code_identity.code_hash.cache_clear()
        return code_identity.code_hash("stage"), code_identity.code_hash("other")

    before = hashes()
    (package / "deep.py").write_text("# a comment\nVALUE = 1\n")
    assert hashes() == before
    (package / "deep.py").write_text("VALUE = 2\n")
    after = hashes()
    assert after[0] != before[0]
    assert after[1] == before[1]
    code_identity.code_hash.cache_clear()


def test_what_was_found_in_a_file_is_taken_over_until_the_file_changes(tmp_path, monkeypatch):
    (tmp_path / "stage.py").write_text("VALUE = 1\n")
    monkeypatch.setattr(code_identity, "SCRIPTS", tmp_path)
    monkeypatch.setattr(code_identity, "_FACTS", {})
    read = []
    monkeypatch.setattr(code_identity, "normalised_code", lambda source: read.append(source) or source)

    def hash_in_a_new_process():
        code_identity.code_hash.cache_clear()
        code_identity._FACTS.clear()
        code_identity.recall(tmp_path / "facts.json")
        return code_identity.code_hash("stage")

    first = hash_in_a_new_process()
    code_identity.remember(tmp_path / "facts.json")
    assert hash_in_a_new_process() == first
    assert read == ["VALUE = 1\n"]
    (tmp_path / "stage.py").write_text("VALUE = 2\n")
    assert hash_in_a_new_process() != first
    (tmp_path / "facts.json").write_text("damaged")
    assert hash_in_a_new_process() != first
    code_identity.code_hash.cache_clear()
