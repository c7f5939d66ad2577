"""Live connections as operators see them, over a gateway without sockets."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hedgerow.base.errors import AccessDenied
from hedgerow.cloud.live_connections import InvalidFilter, LiveConnectionFlows
from hedgerow.core.caller import Caller
from hedgerow.core.mqtt import MQTT_5
from hedgerow.core.paging import InvalidToken, Pager
from hedgerow.core.request import Request
from hedgerow.gateway.connection import Peer
from tests.support.store import CALLER, OTHER_ACCOUNT
from tests.unit.gateway.world import Client, World


class Operators:
    def __init__(self) -> None:
        self.world = World("direct")
        self.spared: list[str] = []  # ARNs of clients that nobody may cut
        self.flows = LiveConnectionFlows(
            bus=self.world.hub, gateway=self.world.gateways[0], pager=Pager(b"k" * 32), rights=self
        )

    async def demand_itself(self, caller: Caller, action: str, resource: str) -> None:
        assert action == "hedgerow:CloseConnections"
        if resource in self.spared:
            raise AccessDenied(resource)

    def connect(self, client_id: str, address: str = "192.0.2.1", thing: str = "", **options: Any) -> Client:
        variables = {"iot:Connection.Thing.ThingName": thing} if thing else {}
        self.world.control.admitted = {"variables": variables}
        return self.world.client(client_id, peer=Peer(address, 50000), **options)

    async def page(self, caller: Caller = CALLER, **request: Any) -> Mapping[str, Any]:
        recorded = Request(request)
        answer = await self.flows.list_connections(recorded, caller)
        assert recorded.unread() == []
        return answer

    async def ids(self, caller: Caller = CALLER, **request: Any) -> list[str]:
        return [one["clientId"] for one in (await self.page(caller, **request))["connections"]]

    async def close(self, caller: Caller = CALLER, **request: Any) -> int:
        recorded = Request(request)
        closed: int = (await self.flows.close_connections(recorded, caller))["closed"]
        assert recorded.unread() == []
        return closed


@pytest.fixture
def operators() -> Operators:
    return Operators()


async def test_a_connection_is_shown_with_what_went_in_and_out(operators: Operators) -> None:
    client = operators.connect("c", thing="pump", version=MQTT_5, clean=False)
    client.subscribe("a", "b")
    client.publish("a")

    (one,) = (await operators.page())["connections"]

    assert (one["clientId"], one["thingName"], one["principal"]) == ("c", "pump", "cert-of-c")
    assert (one["sourceIp"], one["sourcePort"], one["protocol"], one["transport"]) == (
        *("192.0.2.1", 50000),
        *("MQTT 5", "TLS"),
    )
    assert (one["packetsIn"], one["packetsOut"], one["subscriptions"]) == (3, 3, 2)
    assert one["bytesOut"] == len(client.wire.written)
    assert (one["queuedMessages"], one["queueBound"] > 0, one["droppedMessages"]) == (0, True, 0)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["a", "b", "c"]),
        ({"clientId": "b"}, ["b"]),
        ({"thingName": "pump"}, ["a", "c"]),
        ({"thingName": "pump", "sourceIp": "192.0.2.1"}, ["a"]),
        ({"principal": "cert-of-c"}, ["c"]),
        ({"principal": "arn:aws:iot:eu-central-1:123456789012:cert/cert-of-c"}, ["c"]),
        ({"sourceIp": "192.0.2.0/24"}, ["a", "b"]),
        ({"sourceIp": "2001:db8::/32"}, ["c"]),
        ({"clientId": "none"}, []),
    ],
)
async def test_filters_combine(operators: Operators, filters: dict[str, Any], found: list[str]) -> None:
    operators.connect("c", "2001:db8::1", thing="pump")
    operators.connect("a", "192.0.2.1", thing="pump")
    operators.connect("b", "192.0.2.9")

    assert await operators.ids(**filters) == found


async def test_a_list_pages_and_its_token_is_good_for_it_alone(operators: Operators) -> None:
    for client_id in "ecadb":
        operators.connect(client_id)
    found, token = [], None
    while True:
        page = await operators.page(maxResults=2, **({} if token is None else {"nextToken": token}))
        found += [one["clientId"] for one in page["connections"]]
        if "nextToken" not in page:
            break
        token = page["nextToken"]

    assert found == list("abcde")
    with pytest.raises(InvalidToken):
        await operators.page(thingName="x", nextToken=token)


async def test_who_is_meant_is_cut_off_and_nobody_else(operators: Operators) -> None:
    operators.connect("a", thing="pump")
    operators.connect("b", thing="pump")
    other = operators.connect("c")

    closed = await operators.close(thingName="pump")

    assert (closed, await operators.ids(), other.wire.closed) == (2, ["c"], False)


@pytest.mark.parametrize("filters", [{"thingName": "pump"}, {"sourceIp": "192.0.2.0/24"}, {"everyone": True}])
async def test_a_client_that_may_not_be_cut_is_not_cut_by_any_filter(
    operators: Operators, filters: dict[str, Any]
) -> None:
    operators.connect("a", thing="pump")
    operators.connect("b", thing="pump")
    operators.spared.append(f"arn:aws:iot:{CALLER.region}:{CALLER.account}:client/b")

    with pytest.raises(AccessDenied, match="client/b"):
        await operators.close(**filters)

    assert await operators.ids() == ["a", "b"]


async def test_everyone_is_cut_off_only_when_that_is_said(operators: Operators) -> None:
    for number in range(20):
        operators.connect(f"c{number}")

    with pytest.raises(InvalidFilter):
        await operators.close()
    with pytest.raises(InvalidFilter):
        await operators.close(everyone=True, clientId="c1")
    before = len(await operators.ids())
    closed = await operators.close(everyone=True)

    assert (before, closed, await operators.ids()) == (20, 20, [])


async def test_an_address_that_is_none_is_refused(operators: Operators) -> None:
    with pytest.raises(InvalidFilter):
        await operators.page(sourceIp="here")


async def test_accounts_do_not_meet(operators: Operators) -> None:
    operators.connect("a")

    assert await operators.ids(OTHER_ACCOUNT) == []
    assert await operators.close(OTHER_ACCOUNT, everyone=True) == 0
    assert await operators.ids(replace(CALLER)) == ["a"]
