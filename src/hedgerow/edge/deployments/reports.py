"""Tells the cloud how deployments stand: in order, each until it is taken, over restarts."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol

from hedgerow.base.log import get_logger
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.connection import Offline
from hedgerow.edge.deployments import store
from hedgerow.edge.deployments.engine import Engine
from hedgerow.edge.deployments.failure import Result
from hedgerow.edge.state import State
from hedgerow.edge.trouble import Trouble

_TRIES: Final = 20  # of a report that the cloud answers with an error; then it is given up, so that others get through
_log = get_logger("edge.reports")


class Channel(Protocol):
    """Tells one status. Raises Offline, or Trouble to be called again."""

    async def report(self, source: Mapping[str, Any], result: Result) -> None: ...


class Reports:
    """One core's reports. `run` it as one task."""

    def __init__(
        self, *, state: State, engine: Engine, channels: Mapping[str, Channel], backoff: Backoff | None = None
    ) -> None:
        self._state = state
        self._engine = engine
        self._channels = channels
        self._backoff = backoff or Backoff()
        self._online = asyncio.Event()

    def online(self) -> None:
        """There is a connection (again)."""
        self._online.set()

    async def run(self) -> None:
        """Tell what is to be told, until cancelled."""
        tries = 0
        while True:
            self._engine.to_report.clear()
            report = await self._state.read(store.next_report)
            if report is None:
                await self._engine.to_report.wait()
                continue
            seq, body = report
            self._online.clear()
            try:
                await self._channels[body["source"]["kind"]].report(body["source"], Result.of(body["result"]))
            except Offline:
                await self._online.wait()
                continue
            except Trouble as trouble:
                tries += 1
                _log.warning("a deployment's status was not taken", extra={"fields": {"cause": str(trouble)}})
                if tries < _TRIES:
                    await asyncio.sleep(self._backoff.next())
                    continue
            tries = 0
            self._backoff.reset()
            await self._state.write(lambda c, number=seq: store.told(c, number))  # type: ignore[misc]  # bound now
