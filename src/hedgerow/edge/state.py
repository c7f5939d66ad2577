"""What an edge remembers: one SQLite file, FULL sync, one thread that reads and writes it.

A `write` is one transaction; when it returns, its effect survives a power cut. Leaves to others: what the rows mean
(`identity`, `spool`, `deployments`), who keep their statements beside their own code and take a Connection.
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from hedgerow.base.errors import Unavailable, Unusable

T = TypeVar("T")

VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE memory(name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE spool(seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL,
  qos INTEGER NOT NULL,
  retain INTEGER NOT NULL, properties TEXT NOT NULL, expires_at REAL, size INTEGER NOT NULL);
CREATE TABLE generation(number INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE deployment(seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, source TEXT NOT NULL,
  document TEXT NOT NULL, phase TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE outbox(seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, body TEXT NOT NULL);
"""


class State:
    """The file. Open it once per process; `close` waits for what was begun."""

    def __init__(self, path: Path | str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="state")
        try:
            self._connection: sqlite3.Connection = self._thread.submit(_open, path).result()
        except (sqlite3.Error, OSError) as error:
            self._thread.shutdown()
            passing = isinstance(error, sqlite3.OperationalError | OSError)  # a full disk, rather than another's file
            raise (Unavailable if passing else Unusable)(f"cannot use {path}: {error}") from error
        except BaseException:
            self._thread.shutdown()
            raise

    async def write(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Run the step in one transaction and answer its result when that is on the medium."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._in_transaction, step)

    async def read(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Answer what the step reads."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, step, self._connection)

    def now(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Run the step in one transaction and wait for it: for starting up, before there is a loop."""
        return self._thread.submit(self._in_transaction, step).result()

    def close(self) -> None:
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    def _in_transaction(self, step: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = step(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise Unavailable(f"cannot write the edge's state: {error}") from error
        return result


def remember(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Keep a JSON value under a name, replacing what was there."""
    connection.execute("INSERT OR REPLACE INTO memory(name, body) VALUES (?, ?)", (name, json.dumps(value)))


def recall(connection: sqlite3.Connection, name: str) -> Any:
    """Answer the value kept under the name, or None."""
    row = connection.execute("SELECT body FROM memory WHERE name = ?", (name,)).fetchone()
    return None if row is None else json.loads(row[0])


def forget(connection: sqlite3.Connection, name: str) -> None:
    """Drop the value kept under the name."""
    connection.execute("DELETE FROM memory WHERE name = ?", (name,))


def _open(path: Path | str) -> sqlite3.Connection:
    if path != ":memory:":  # what SQLite puts beside it gets the same mode
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 200")
    connection.execute("PRAGMA cache_size = -512")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        connection.close()
        raise Unusable(
            f"{path} was written by a newer edge (form {version}; this one reads {VERSION}); install that one"
        )
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")
    return connection
