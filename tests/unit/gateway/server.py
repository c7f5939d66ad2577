"""A gateway to be killed: `python -m tests.unit.gateway.server FOLDER [LIMITS]`. Says its port."""

import asyncio
import sys
from pathlib import Path

from hedgerow.base.clock import SystemClock
from hedgerow.base.ids import RandomIds
from hedgerow.core.mqtt.limits import SETS
from hedgerow.gateway import DirectBus, listen, running
from hedgerow.store.journal import SqliteJournal
from tests.unit.gateway.certificates import Pki
from tests.unit.gateway.control import FakeControl


async def main(folder: Path, limits: str = "aws-shapes") -> None:
    pki = Pki.of(folder)
    journal = SqliteJournal(folder / "journal.db", call=asyncio.get_running_loop().call_soon_threadsafe)
    control, hub = FakeControl(), DirectBus()
    control.hear_nothing = True
    control.listen(hub)
    async with (
        running(
            name="g",
            region="eu-central-1",
            control=control,
            hub=hub,
            journal=journal,
            clock=SystemClock(),
            ids=RandomIds(),
            compile_grants=control.compile,
            limits=SETS[limits],
        ) as gateway,
        listen(gateway, pki.context(), host="127.0.0.1") as listener,
    ):
        print(listener.ports[0], flush=True)
        await asyncio.to_thread(sys.stdin.read)
    journal.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
