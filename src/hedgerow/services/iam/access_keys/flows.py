"""When keys were last used: noted with every request, written down now and then, and before anybody asks.

Temporary credentials are not noted: IAM does not list them. A crash loses what was noted in the minute before it.
Source: IAM API reference, GetAccessKeyLastUsed.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iam.access_keys.errors import KeyNotFound
from hedgerow.services.iam.access_keys.model import LONG_LIVED, KeyUse
from hedgerow.services.iam.access_keys.store import last_use, write_use
from hedgerow.store import Answer, Run, Tx

log = get_logger("iam")

WRITTEN_EVERY_S: Final = 60.0
NEVER: Final = "N/A"


class KeyUses:
    """Hears of every use, on the loop. There is one entry for each key that was used since the last writing."""

    def __init__(self, *, run: Run) -> None:
        self._run = run
        self._waiting: dict[str, KeyUse] = {}

    def note(self, key_id: str, service: str, region: str, now: float) -> None:
        """A request was signed with the key, for that service and region."""
        if key_id.startswith(LONG_LIVED):
            self._waiting[key_id] = KeyUse(at=now, service=service, region=region)

    async def write(self) -> None:
        """Write down what is not yet; when that fails it waits on, unless the key was used again."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return

        def work(tx: Tx) -> Answer:
            for key_id, use in waiting.items():
                write_use(tx, key_id, use)
            return Answer()

        try:
            await self._run.write(work)
        except BaseException:
            self._waiting = waiting | self._waiting
            raise

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(WRITTEN_EVERY_S)
            try:
                await self.write()
            except Unavailable:
                log.warning("the last use of access keys could not be written", exc_info=True)


class AccessKeyFlows:
    """What needs the latest uses written down."""

    def __init__(self, *, run: Run, uses: KeyUses) -> None:
        self._run = run
        self._uses = uses

    async def get_access_key_last_used(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        key_id = request["AccessKeyId"]
        await self._uses.write()
        found = await self._run.read(lambda tx: last_use(tx, caller.account, key_id))
        if found is None:
            raise KeyNotFound(key_id)
        user, use = found
        shown: dict[str, Any] = {"ServiceName": NEVER, "Region": NEVER}
        if use is not None:
            shown = {"LastUsedDate": use.at, "ServiceName": use.service, "Region": use.region}
        return {"UserName": user or "root", "AccessKeyLastUsed": shown}
