"""Live connections for operators: found by client, thing, principal or address, with what went in and out, and cut.

They are flows, because what they touch is no database. Who is cut hears what DeleteConnection would say; many are cut
a few at a time, so that everyone else goes on. Whoever cuts by another filter than the client's id must be allowed to
cut each of those who are meant, or nobody is cut.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from heapq import nsmallest
from typing import Any, Final, Protocol

from hedgerow.base.errors import ServiceError
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager, scope_of
from hedgerow.core.request import Request
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.live import Client, Live, clients, maybe_live
from hedgerow.gateway.ports import Bus, Cut

PAGE: Final = 100
PER_TURN: Final = 8
CERTIFICATE: Final = ":cert/"


class InvalidFilter(ServiceError):
    """The filters do not say who is meant."""

    code = "ValidationException"


class Rights(Protocol):
    """What the caller may."""

    async def demand_itself(self, caller: Caller, action: str, resource: str) -> None:
        """Raise AccessDenied, with who, what and why, unless the caller may do it."""
        ...


class LiveConnectionFlows:
    """What operators ask of everyone who is connected."""

    def __init__(self, *, bus: Bus, gateway: Gateway, pager: Pager, rights: Rights) -> None:
        self._bus = bus
        self._rights = rights
        self._gateway = gateway
        self._pager = pager

    async def list_connections(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        size = request.get("maxResults") or PAGE
        scope = scope_of(caller.account, "ListConnections", request)
        after = self._pager.position(scope, request.get("nextToken"))
        found = await self._found(request, caller)
        ids = (one.client_id for one in found if after is None or one.client_id > after)
        page = nsmallest(size + 1, ids)
        shown = (maybe_live(self._gateway, caller.account, client_id) for client_id in page[:size])
        answer: dict[str, Any] = {"connections": [_shown(one) for one in shown if one is not None]}
        if len(page) > size:
            answer["nextToken"] = self._pager.token(scope, page[size - 1])
        return answer

    async def close_connections(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        everyone = request.get("everyone", False)
        clean, quiet = request.get("cleanSession", False), request.get("preventWillMessage", False)
        found = await self._found(request, caller)
        if bool(_filters(request)) is everyone:
            raise InvalidFilter("Say who is meant by at least one filter, or by everyone and no filter.")
        if request.get("clientId") is None:  # else the row has asked
            for one in found:
                client = arn("iot", caller.region, caller.account, f"client/{one.client_id}")
                await self._rights.demand_itself(caller, "hedgerow:CloseConnections", client)
                await asyncio.sleep(0)
        for count, one in enumerate(found, 1):
            self._bus.tell(
                "*",
                Cut(
                    account=caller.account,
                    client_id=one.client_id,
                    reason="API_INITIATED_DISCONNECT",
                    clean_session=clean,
                    prevent_will=quiet,
                ),
            )
            if count % PER_TURN == 0:
                await asyncio.sleep(0)  # let the others have their turn
        return {"closed": len(found)}

    async def _found(self, request: Request, caller: Caller) -> Sequence[Client]:
        tests = _filters(request)
        found: list[Client] = []
        async for some in clients(self._gateway, caller.account):
            found += [one for one in some if all(test(one) for test in tests)]
        return found


def _filters(request: Request) -> list[Callable[[Client], bool]]:
    tests: list[Callable[[Client], bool]] = []
    client_id, thing = request.get("clientId"), request.get("thingName")
    principal, address = request.get("principal"), request.get("sourceIp")
    if client_id is not None:
        tests.append(lambda one: one.client_id == client_id)
    if thing is not None:
        tests.append(lambda one: one.thing == thing)
    if principal is not None:
        named = principal.rpartition(CERTIFICATE)[2] if principal.startswith("arn:aws:iot:") else principal
        tests.append(lambda one: one.principal == named)
    if address is not None:
        network = _network(address)
        tests.append(lambda one: _is_in(one.address, network))
    return tests


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidFilter(f"{text} is neither an IP address nor a network like 192.0.2.0/24.") from error


def _is_in(address: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(address) in network
    except ValueError:  # of a transport without addresses
        return False


def _shown(one: Live) -> dict[str, Any]:
    client = one.client
    shown: dict[str, Any] = {
        "clientId": client.client_id,
        "principal": client.principal,
        "sourceIp": client.address,
        "sourcePort": one.port,
        "protocol": one.protocol,
        "transport": one.transport,
        "connectedSince": one.since,
        "keepAliveSeconds": one.keep_alive_s,
        "cleanSession": not one.persistent,
        "sessionExpirySeconds": one.session_expiry_s,
        "packetsIn": one.packets_in,
        "packetsOut": one.packets_out,
        "bytesIn": one.bytes_in,
        "bytesOut": one.bytes_out,
        "subscriptions": one.subscriptions,
        "queuedMessages": one.queued,
        "queueBound": one.queue_bound,
        "messagesInFlight": one.in_flight,
        "droppedMessages": one.dropped,
    }
    return {**shown, "thingName": client.thing} if client.thing else shown
