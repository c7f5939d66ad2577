"""Figures for operators: in Prometheus' form, on their port, for this machine."""

import asyncio
import ipaddress
from collections.abc import Iterable
from typing import Any

import pytest

from hedgerow.api.metrics import COUNTER, GAUGE, Family, OperatorsApp, by, exposition, one
from tests.unit.api.cloud import ToyCloud, toy_cloud


@pytest.fixture
def cloud() -> ToyCloud:
    return toy_cloud({})


async def figures() -> Iterable[Family]:
    return [one("hedgerow_things", GAUGE, "Things", 7)]


def asked(
    app: Any, path: str, peer: str = "127.0.0.1", *headers: tuple[bytes, bytes], server: str = "192.0.2.250"
) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    head = [(b"host", b"h"), *headers]
    ends = {"client": (peer, 5), "server": (server, 8080)}
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": head, **ends}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_each_metric_says_what_it_is_and_labels_are_escaped() -> None:
    text = exposition([by("a_total", COUNTER, "How many", "name", {'q"\\\n': 2}), one("b", GAUGE, "How full", 0.5)])

    assert text.decode().splitlines() == [
        "# HELP a_total How many",
        "# TYPE a_total counter",
        'a_total{name="q\\"\\\\\\n"} 2',
        "# HELP b How full",
        "# TYPE b gauge",
        "b 0.5",
    ]


@pytest.mark.parametrize("path", ["/_metrics", "/metrics"])
@pytest.mark.parametrize(
    ("peer", "status"), [("127.0.0.1", 200), ("::ffff:127.0.0.1", 200), ("::1", 200), ("192.0.2.1", 403)]
)
def test_they_are_for_this_machine(cloud: ToyCloud, path: str, peer: str, status: int) -> None:
    found = asked(OperatorsApp(cloud.app, figures=figures), path, peer)

    assert found[0] == status
    assert (b"hedgerow_things 7" in found[1]) is (status == 200)


@pytest.mark.parametrize(
    ("peer", "status"),
    [("192.0.2.9", 200), ("::ffff:192.0.2.9", 200), ("198.51.100.1", 403), ("2001:db8::1", 200), ("fe80::1%eth0", 403)],
)
def test_a_setting_lets_other_machines_read_them(cloud: ToyCloud, peer: str, status: int) -> None:
    networks = [ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32")]

    found = asked(OperatorsApp(cloud.app, figures=figures, networks=networks), "/metrics", peer)

    assert found[0] == status


@pytest.mark.parametrize(("peer", "status"), [("198.51.100.7", 200), ("198.51.100.8", 403)])
def test_our_own_address_is_this_machine(cloud: ToyCloud, peer: str, status: int) -> None:
    found = asked(OperatorsApp(cloud.app, figures=figures), "/metrics", peer, server="198.51.100.7")

    assert found[0] == status


@pytest.mark.parametrize("header", [b"x-forwarded-for", b"forwarded"])
def test_whom_a_proxy_of_this_machine_asks_for_is_a_stranger(cloud: ToyCloud, header: bytes) -> None:
    found = asked(OperatorsApp(cloud.app, figures=figures), "/metrics", "127.0.0.1", (header, b"192.0.2.9"))

    assert found[0] == 403


@pytest.mark.parametrize("path", ["/_metrics", "/metrics"])
def test_devices_ports_do_not_know_them(cloud: ToyCloud, path: str) -> None:
    status, body = asked(cloud.app, path)

    assert status in (403, 404)
    assert b"hedgerow_" not in body


def test_a_bucket_may_have_their_name(cloud: ToyCloud) -> None:
    signed = (
        b"authorization",
        b"AWS4-HMAC-SHA256 Credential=K/20260101/r/s3/aws4_request, SignedHeaders=h, Signature=0",
    )

    status, body = asked(OperatorsApp(cloud.app, figures=figures), "/metrics", "127.0.0.1", signed)

    assert status >= 400
    assert b"hedgerow_things" not in body


def test_calls_are_counted_by_service_and_status(cloud: ToyCloud) -> None:
    cloud.pipeline.answered["iot", "CreateThing", 200] += 3

    text = asked(OperatorsApp(cloud.app, figures=figures), "/metrics")[1].decode()

    assert 'hedgerow_api_requests_total{service="iot",operation="CreateThing",status="200"} 3' in text
