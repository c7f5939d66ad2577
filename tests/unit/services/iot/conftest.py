import pytest

from tests.support.registry import Registry


@pytest.fixture
def registry() -> Registry:
    return Registry()
