"""Clients behind reverse proxies: their own addresses, as far as a proxy that the operator named vouches for them."""

import asyncio
import ipaddress
from typing import Any

import pytest

from hedgerow.api.proxies import BehindProxies

NETWORKS = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32")]


def seen(peer: str | None, *headers: tuple[str, str], networks: Any = NETWORKS, kind: str = "http") -> dict[str, Any]:
    """Answer what the application sees of a request."""
    found: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        found.append(scope)

    head = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": kind, "scheme": "http", "client": None if peer is None else (peer, 5), "headers": head}
    asyncio.run(BehindProxies(app, networks)(scope, None, None))  # type: ignore[arg-type]  # nobody sends or receives
    return dict(found[0])


@pytest.mark.spec("JB-70")
@pytest.mark.parametrize(
    ("chain", "address"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("198.51.100.1, 192.0.2.9", "192.0.2.9"),  # what stands before the first stranger may be invented
        ("192.0.2.9, 10.0.0.7", "192.0.2.9"),
        ("10.9.9.9,10.0.0.7", "10.9.9.9"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("2001:db8:1::2, fe80::1%eth0", "fe80::1"),
        ("192.0.2.9, nonsense", "10.0.0.1"),
        ("192.0.2.9:4711", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_what_the_nearest_named_proxy_says_counts(chain: str, address: str) -> None:
    assert seen("10.0.0.1", ("x-forwarded-for", chain))["client"][0] == address


def test_several_headers_are_one_list() -> None:
    headers = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "192.0.2.2, 10.0.0.7")]

    assert seen("10.0.0.1", *headers)["client"][0] == "192.0.2.2"


@pytest.mark.parametrize("networks", [NETWORKS, []])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_stranger_is_not_believed(networks: Any, kind: str) -> None:
    headers = [("x-forwarded-for", "10.0.0.1"), ("x-forwarded-proto", "https")]

    found = seen("192.0.2.9", *headers, networks=networks, kind=kind)

    assert (found["client"], found["scheme"]) == (("192.0.2.9", 5), "http")


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
def test_a_named_proxy_says_how_the_client_came(kind: str, scheme: str) -> None:
    assert seen("10.0.0.1", ("x-forwarded-proto", "https"), kind=kind)["scheme"] == scheme
    assert seen("10.0.0.1", ("x-forwarded-proto", "https, http"), kind=kind)["scheme"] == "http"


def test_a_peer_without_an_address_stays_without() -> None:
    assert seen(None, ("x-forwarded-for", "192.0.2.9"))["client"] is None
