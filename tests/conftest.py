"""What every test gets: the database connections that it opened are closed after it. Hypothesis watches no clock."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from sqlalchemy import Connection, Engine, event

settings.register_profile("hedgerow", deadline=None)  # a busy machine is no failure
settings.load_profile("hedgerow")

_used: set[Engine] = set()
_shared: set[Engine] = set()
"""Engines of fixtures that serve more than one test."""


@event.listens_for(Engine, "engine_connect")
def _remember(connection: Connection) -> None:
    if connection.engine not in _shared:
        _used.add(connection.engine)


@pytest.fixture(autouse=True)
def _databases_are_closed() -> Iterator[None]:
    """Dispose of the engines that a test used: Python 3.13 warns of connections that nobody closes."""
    _shared.update(_used)  # fixtures of a wider scope are there before this one
    _used.clear()
    yield
    for engine in list(_used):
        if engine.dialect.name == "sqlite":
            engine.dispose()
    _used.clear()
