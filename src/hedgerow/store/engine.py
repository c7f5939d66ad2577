"""Engines: SQLite (in memory or a file) and PostgreSQL, with the same tables and the same statements.

A SQLite file is in WAL mode with `synchronous=FULL`: one writer (`BEGIN IMMEDIATE`), any number of readers on read-only
connections. PostgreSQL writes at SERIALIZABLE and reads on a snapshot. Who writes when is left to the runner.
Spec: https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, StaticPool

from hedgerow.base.errors import Unavailable, Unusable

BUSY_TIMEOUT_S: Final = 5.0
MEMORY: Final = "sqlite://"


def open_engine(target: str | Path) -> Engine:
    """Answer the engine that writes to a database: a file's path, `sqlite://` (in memory) or `postgresql://…`.

    A file is created with mode 600 when it is not there. Raises Unusable for anything else; connects to nothing yet.
    """
    if isinstance(target, Path) or "://" not in target:
        return _sqlite_file(Path(target))
    try:
        url = make_url(target)
    except ArgumentError as error:
        raise Unusable(f"not a database address: {target!r}; use a path or postgresql://user@host/name") from error
    if url.get_backend_name() == "sqlite":
        return _sqlite_file(Path(url.database)) if url.database not in (None, "", ":memory:") else _sqlite_memory()
    if url.get_backend_name() == "postgresql":
        return _postgresql(url)
    raise Unusable(f"not a database that Hedgerow knows: {url.get_backend_name()!r}; use a path or postgresql://…")


def open_readers(engine: Engine) -> Engine | None:
    """Answer an engine for read-only connections to the same database; None when there can be no second connection."""
    if engine.dialect.name == "postgresql":
        # A snapshot, as SQLite gives it; at SERIALIZABLE a read would only make writers fail more often.
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    if _in_memory(engine):
        return None
    uri = f"file:{_quoted(engine.url.database or '')}?mode=ro"

    def connect() -> sqlite3.Connection:
        connection = _connect_sqlite(uri, uri=True)
        connection.execute("PRAGMA query_only=ON")
        return connection

    reading = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(reading, "begin", _begin_deferred)
    return reading


def _in_memory(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite" and engine.url.database in (None, "", ":memory:")


def _sqlite_memory() -> Engine:
    engine = create_engine(MEMORY, creator=lambda: _connect_sqlite(":memory:"), poolclass=StaticPool)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _sqlite_file(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        try:
            if not path.exists():
                path.touch(mode=0o600)
        except OSError as error:
            raise Unavailable(f"cannot open the database {path}: {error.strerror}") from error
        connection = _connect_sqlite(str(path))
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    engine = create_engine(URL.create("sqlite", database=str(path)), creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _connect_sqlite(database: str, *, uri: bool = False) -> sqlite3.Connection:
    # The runner hands a connection to one thread at a time; closing may happen on another.
    connection = sqlite3.connect(
        database, uri=uri, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _postgresql(url: URL) -> Engine:
    options: dict[str, Any] = {"connect_timeout": 10}
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="SERIALIZABLE",
        poolclass=NullPool,  # the runner's threads keep their connections themselves
        connect_args=options,
    )
