"""What every test gets: the database connections that it opened are closed after it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, event

_used: set[Engine] = set()


@event.listens_for(Engine, "engine_connect")
def _remember(connection: Connection) -> None:
    _used.add(connection.engine)


@pytest.fixture(autouse=True)
def _databases_are_closed() -> Iterator[None]:
    """Dispose of the engines that a test used: Python 3.13 warns of connections that nobody closes."""
    yield
    for engine in list(_used):
        if engine.dialect.name == "sqlite":
            engine.dispose()
    _used.clear()
