from collections.abc import Callable

import pytest

from hedgerow.core.mqtt.limits import Limits
from tests.unit.gateway.world import World

KINDS = ("direct", "wire", "two gateways")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(kind: str) -> World:
    return World(kind)


@pytest.fixture
def world_with(kind: str) -> Callable[[Limits], World]:
    return lambda limits: World(kind, limits)
