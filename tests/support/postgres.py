"""A PostgreSQL server from Debian's package `postgresql`, started by the tests themselves and shared by all of them.

A keeper process starts the server and ends it, with its folder, as soon as the test session's main process is gone.
Each test gets a schema of its own. Nothing is synced: these tests ask about transactions, not about power cuts.
"""

import fcntl
import functools
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.pool import QueuePool

from hedgerow.store import open_engine

START_S = 30.0
_created: dict[int, int] = {}


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@contextmanager
def postgresql_schema(shared: Path, name: str) -> Iterator[str]:
    """Give the address of a new, empty schema; skip the test where there is no server to start.

    `shared` is a folder that all processes of the test session have in common.
    """
    server = _server(shared)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"')
        try:
            yield f"{server}&options=-csearch_path%3D{name}"
        finally:
            connection.execute(f'DROP SCHEMA "{name}" CASCADE')


def emptied(metadata: MetaData) -> Engine:
    """Answer an engine on this process's own schema, with the tables of `metadata` and nothing in them."""
    engine = _engine()
    with engine.begin() as connection:
        if len(metadata.tables) > _created.get(id(metadata), 0):
            metadata.create_all(connection)
            _created[id(metadata)] = len(metadata.tables)
        connection.exec_driver_sql(
            "; ".join(f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables))
        )
        for sequence in _sequences(metadata):
            connection.exec_driver_sql(f"ALTER SEQUENCE {sequence} RESTART")
    return engine


@functools.cache
def _engine() -> Engine:
    shared = Path(tempfile.gettempdir()) / f"hedgerow-tests-{_session()}"
    shared.mkdir(exist_ok=True)
    server = _server(shared)
    schema = f"process_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
    url = open_engine(f"{server}&options=-csearch_path%3D{schema}").url
    return create_engine(url, isolation_level="SERIALIZABLE", poolclass=QueuePool)


def _sequences(metadata: MetaData) -> list[str]:
    return [
        f"{table.name}_{column.name}_seq"
        for table in metadata.tables.values()
        if (column := table.autoincrement_column) is not None and column.autoincrement is True
    ]


def _server(shared: Path) -> str:
    if _programs() is None:
        pytest.skip("needs a PostgreSQL server: install Debian's package postgresql")
    note = shared / "postgresql.json"
    with (shared / "postgresql.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            _keep(note)
    return str(json.loads(note.read_text())["url"])


def _session() -> int:
    """Answer the process that the test session ends with."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def _keep(note: Path) -> None:
    keeper = subprocess.Popen(
        [sys.executable, __file__, str(_session()), str(note)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert keeper.stderr is not None
    until = time.monotonic() + START_S
    with keeper.stderr:
        while not note.exists():
            if keeper.poll() is not None or time.monotonic() > until:
                keeper.terminate()
                raise RuntimeError(f"no PostgreSQL server: {keeper.stderr.read().decode()}")
            time.sleep(0.02)
    keeper.returncode = 0  # it outlives this object on purpose, and ends with the session


def _run_keeper(session: int, note: Path) -> None:
    programs = _programs()
    assert programs is not None
    user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="hedgerow-pg-", dir="/tmp"))  # short, for the socket's path
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    server: subprocess.Popen[bytes] | None = None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        data = folder / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"],
            user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        options = (
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "listen_addresses=",
            "max_connections=100",
        )
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder, *(part for option in options for part in ("-c", option))],
            user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=(folder / "log").open("wb"),
        )  # fmt: skip
        url = f"postgresql://postgres@/postgres?host={folder}"
        _wait_for(url, server, folder / "log")
        unfinished = note.with_suffix(".new")
        unfinished.write_text(json.dumps({"url": url, "pid": server.pid, "keeper": os.getpid()}))
        unfinished.rename(note)
        while _lives(session) and server.poll() is None:
            time.sleep(0.1)
    finally:
        if server is not None:
            with suppress(ProcessLookupError):
                server.send_signal(signal.SIGINT)  # fast shutdown: open sessions are cut
            server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
        if note.parent.name == f"hedgerow-tests-{session}":
            shutil.rmtree(note.parent, ignore_errors=True)


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                sys.exit(log.read_text())
            time.sleep(0.05)
        else:
            return


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return True


if __name__ == "__main__":
    _run_keeper(int(sys.argv[1]), Path(sys.argv[2]))
