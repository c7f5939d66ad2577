"""A gateway with its TLS port on loopback, on the test's own loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hedgerow.base.clock import SystemClock
from hedgerow.base.ids import RandomIds
from hedgerow.core.mqtt.limits import AWS_SHAPES, Limits
from hedgerow.gateway.bus import DirectBus
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.journal import MemoryJournal
from hedgerow.gateway.listener import Listener, listen
from hedgerow.gateway.run import running
from tests.unit.gateway.certificates import Pki
from tests.unit.gateway.control import FakeControl


class Served:
    def __init__(self, control: FakeControl, gateway: Gateway, listener: Listener, pki: Pki) -> None:
        self.control = control
        self.gateway = gateway
        self.listener = listener
        self.pki = pki
        self.port = listener.ports[0]

    def options(self, name: str = "device") -> list[str]:
        folder = self.pki.folder
        files = [
            "--cafile",
            folder / "server-ca.pem",
            "--cert",
            folder / f"{name}.crt",
            "--key",
            folder / f"{name}.key",
        ]
        return [*map(str, files), "-h", "localhost", "-p", str(self.port)]


@asynccontextmanager
async def served(folder: Path, limits: Limits = AWS_SHAPES) -> AsyncIterator[Served]:
    pki = Pki(folder)
    pki.make("device")
    control, hub = FakeControl(), DirectBus()
    control.listen(hub)
    async with (
        running(
            name="g",
            region="eu-central-1",
            control=control,
            hub=hub,
            journal=MemoryJournal(),
            clock=SystemClock(),
            ids=RandomIds(),
            compile_grants=control.compile,
            limits=limits,
        ) as gateway,
        listen(gateway, pki.context(), host="localhost") as listener,
    ):
        yield Served(control, gateway, listener, pki)
