"""The whole cloud inside the test's process, in a thread: for tests that must reach what is under it (the database).

`Faults` stands between the cloud and its database: it holds commits back, counts writes and lets one of them fail.
"""

import asyncio
import base64
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from hedgerow.cloud.build import Cloud, build
from hedgerow.cloud.settings import CloudSettings
from hedgerow.testing import CloudProcess

READY_S = 30.0
WRITES = ("INSERT", "UPDATE", "DELETE")


class Faults:
    """What the test does to the database of the cloud, whose file is `file`."""

    def __init__(self, file: Path) -> None:
        self._file = str(file)
        self._gate = threading.Event()
        self._gate.set()
        self.writes = 0
        self.failed = 0
        self._fail_at: int | None = None
        self._kept: Callable[[str], bool] = lambda _statement: True
        event.listen(Engine, "commit", self._on_commit)
        event.listen(Engine, "before_cursor_execute", self._on_execute)

    def close(self) -> None:
        self._gate.set()
        event.remove(Engine, "commit", self._on_commit)
        event.remove(Engine, "before_cursor_execute", self._on_execute)

    @contextmanager
    def commits_held(self) -> Iterator[threading.Event]:
        """Let no commit come to an end until the event is set, or the block ends."""
        self._gate.clear()
        try:
            yield self._gate
        finally:
            self._gate.set()

    @contextmanager
    def counting(self, *, fail_at: int | None = None) -> Iterator["Faults"]:
        """Count the statements that write; let that one (from 1) fail."""
        self.writes, self.failed, self._fail_at = 0, 0, fail_at
        try:
            yield self
        finally:
            self._fail_at = None

    def _on_commit(self, connection: Any) -> None:
        if self._is_ours(connection):
            assert self._gate.wait(READY_S), "a test held commits back for too long"

    def _on_execute(self, connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(WRITES) or _is_aside(statement, parameters):
            return
        if self._is_ours(connection):
            self.writes += 1
            if self.writes == self._fail_at:
                self.failed += 1
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error

    def _is_ours(self, connection: Any) -> bool:
        driver = connection.connection.driver_connection
        listed = driver.execute("PRAGMA database_list").fetchall()
        return any(row[2] == self._file for row in listed)


def _is_aside(statement: str, parameters: Any) -> bool:
    """Tell what is done in the background, at its own time: follow-ups that are over, news of attempts to get in."""
    over = statement.startswith("DELETE FROM follow_up WHERE follow_up.seq")
    return over or any(str(value).startswith("onboarding-") for value in parameters)


class CloudInside(CloudProcess):
    """Answers as a cloud process does, without being one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.faults: Faults
        self.database = self.data / "hedgerow.db"

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Answer what is in the database: all rows of all tables."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found = {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in names}
        connection.close()
        return found


@contextmanager
def cloud_inside(folder: Path) -> Iterator[CloudInside]:
    """Run a cloud in a thread until the block ends."""
    inside = CloudInside(folder)
    settings = CloudSettings(
        data=inside.data,
        host=("localhost", "127.0.0.1"),
        api_port=0,
        mqtt_port=0,
        https_port=0,
        console_port=0,
        console=False,
    )
    environment = {"HEDGEROW_MASTER_KEY": base64.b64encode(bytes(32)).decode()}
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with build(settings, environment) as cloud:
            inside.ready = _as_ready(cloud)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="cloud inside")
    thread.start()
    try:
        assert ready.wait(READY_S), "the cloud did not become ready"
        inside.faults = Faults(inside.database)
        yield inside
    finally:
        if ready.is_set():
            inside.faults.close()
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(READY_S)
        assert not thread.is_alive()


def _as_ready(cloud: Cloud) -> dict[str, Any]:
    return {
        "api_url": cloud.api_url,
        "mqtt_port": cloud.mqtt_port,
        "https_port": cloud.https_port,
        "ca_file": str(cloud.ca_file),
        "account": cloud.account,
        "region": cloud.region,
        "access_key_id": cloud.access_key_id,
        "secret_access_key": cloud.secret_access_key,
    }
