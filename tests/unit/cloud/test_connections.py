"""What operators ask of live sessions."""

import asyncio

from hedgerow.cloud.connections import ConnectionFlows
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from tests.support.clock import FakeClock
from tests.support.store import CALLER
from tests.unit.gateway.world import World


class Ticking(FakeClock):
    """Goes on with every look at it, as clocks do."""

    def now(self) -> float:
        self.advance(0.001)
        return self.value


def test_a_retained_message_that_never_expires_is_there_however_the_clock_runs() -> None:
    world = World()
    world.client("c", account=CALLER.account).publish("t", b"kept", retain=True)
    flows = ConnectionFlows(bus=world.gateways[0].bus, gateway=world.gateways[0], clock=Ticking(), pager=Pager(b"k"))

    answer = asyncio.run(flows.get_retained_message(Request({"topic": "t"}), CALLER))

    assert answer["payload"] == b"kept"
