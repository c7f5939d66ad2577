"""How long the console waits for a stranger's request: uvicorn itself would for ever, and keep the connection.

Looks at uvicorn's connections now and then. One whose next request is not there in time is cut off; one that was
upgraded to a WebSocket, or whose answer is on its way, is left alone.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

REQUEST_S: Final = 15.0  # from the connection, or the last answer, to the end of the next request's head
LOOK_EVERY_S: Final = 5.0


class Patience:
    """Knows since when each connection owes a request. `now` may be of any clock that only goes on."""

    def __init__(self) -> None:
        self._since: dict[tuple[Any, Any], float] = {}  # by connection and its last request

    async def keep(self, connections: Iterable[Any]) -> None:
        """Cut off who is late, for ever."""
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look(connections, now=now())

    def look(self, connections: Iterable[Any], *, now: float) -> None:
        """Cut off who is late now."""
        owing = [(each, each.cycle) for each in connections if _owes(each)]
        self._since = {key: self._since.get(key, now) for key in owing}
        for (connection, _), since in self._since.items():
            if now - since > REQUEST_S:
                connection.transport.abort()


def _owes(connection: Any) -> bool:
    if not hasattr(connection, "cycle"):
        return False  # a WebSocket, which has pings
    return connection.cycle is None or bool(connection.cycle.response_complete)
