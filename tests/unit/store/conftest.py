"""The databases that every store test runs on: SQLite in memory, on disk, and PostgreSQL."""

import asyncio
import inspect
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from hedgerow.base.ids import RandomIds
from hedgerow.store import open_engine
from tests.support.postgres import postgresql_schema
from tests.unit.store.tables import tables


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test session have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture
def postgresql(shared: Path) -> Iterator[str]:
    with postgresql_schema(shared, f"test_{RandomIds().hex(16)}") as url:
        yield url


@pytest.fixture(params=["memory", "disk", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "memory":
            return "sqlite://"
        case "disk":
            return str(tmp_path / "store.db")
        case _:
            return str(request.getfixturevalue("postgresql"))


@pytest.fixture
def engine(target: str) -> Iterator[Engine]:
    engine = open_engine(target)
    tables.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(tmp_path / "store.db")
    tables.create_all(engine)
    yield engine
    engine.dispose()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
