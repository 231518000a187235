"""The dearest modules come first, each of them is there, and no other order is changed."""

from types import SimpleNamespace

from .conftest import DEAREST_FIRST, TESTS, pytest_collection_modifyitems


def test_every_module_that_is_named_is_there() -> None:
    assert [name for name in DEAREST_FIRST if not (TESTS / name).is_file()] == []
    assert len(set(DEAREST_FIRST)) == len(DEAREST_FIRST)


def test_the_dearest_come_first_and_the_rest_stays_as_it_was() -> None:
    others = [TESTS / "volume" / "test_z.py", TESTS / "anatomy" / "test_a.py", TESTS.parent / "elsewhere.py"]
    paths = [others[0], TESTS / DEAREST_FIRST[2], others[1], TESTS / DEAREST_FIRST[0], others[2]]
    items = [SimpleNamespace(path=path) for path in paths]
    pytest_collection_modifyitems(items)  # type: ignore[arg-type]
    assert [item.path for item in items] == [TESTS / DEAREST_FIRST[0], TESTS / DEAREST_FIRST[2], *others]
