import pytest

from .vertebral_phantom import Phantom, make_phantom


@pytest.fixture(scope="session")
def upright_l3() -> Phantom:
    """One L3, upright, 0.8 x 0.8 x 1 mm."""
    return make_phantom()


@pytest.fixture(scope="session")
def thick_slices_l3() -> Phantom:
    """One L3, upright, 0.8 x 0.8 x 5 mm."""
    return make_phantom(spacing_mm=(0.8, 0.8, 5.0))
