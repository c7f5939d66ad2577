"""Requests that neither a signature nor a certificate speaks for: the doorkeeper decides about them."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from hedgerow.api import Peer, flow
from hedgerow.api.ports import Grants, Stranger
from hedgerow.base.errors import AccessDenied
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.request import Request
from hedgerow.core.tls import Proof, Speech, WayIn
from hedgerow.core.wire import HttpRequest, HttpResponse
from tests.unit.api.cloud import ACCOUNT, REGION, ToyCloud, ToyGrants, toy_cloud

TOPIC = "arn:aws:iot:{region}:{account}:topic/{topic}"
ALLOWED = f"iot:Publish arn:aws:iot:{REGION}:{ACCOUNT}:topic/a"


class Door:
    """Lets everyone in who may publish to `a`; None: nobody is let in so."""

    def __init__(self, answer: object = "in") -> None:
        self._answer = answer
        self.asked: list[Stranger] = []

    async def let_in(self, stranger: Stranger) -> tuple[Caller, Grants] | None:
        self.asked.append(stranger)
        if isinstance(self._answer, Exception):
            raise self._answer
        if self._answer is None:
            return None
        caller = Caller(
            account=ACCOUNT, region=REGION, principal="somebody", kind=Kind.CUSTOM, request_id=stranger.request_id
        )
        return caller, ToyGrants(frozenset({ALLOWED}))

    async def vouch(self, stranger: Stranger, der: bytes, caller: Caller) -> Grants:
        self.asked.append(stranger)
        if isinstance(self._answer, Exception):
            raise self._answer
        return ToyGrants(frozenset({ALLOWED}))


def publishing(door: Door | None) -> tuple[ToyCloud, list[tuple[str, str]]]:
    published: list[tuple[str, str]] = []

    async def publish(request: Request, caller: Caller) -> Mapping[str, Any]:
        request.get("payload")
        published.append((caller.principal, request["topic"]))
        return {}

    row = flow(publish, TOPIC, action="iot:Publish")
    return toy_cloud({("iot-data", "Publish"): row}, doorkeeper=door), published


def answer(cloud: ToyCloud, path: str = "/topics/a", peer: Peer | None = None, **headers: str) -> HttpResponse:
    http = HttpRequest("POST", path, "x=%2F", {"host": "localhost", **headers}, b"1")
    return asyncio.run(cloud.pipeline.answer(http, peer or Peer(source_ip="192.0.2.1", secure=True), "request-1"))


def test_who_is_let_in_may_what_the_doorkeeper_said() -> None:
    door = Door()
    cloud, published = publishing(door)

    allowed = answer(cloud, token="t", peer=Peer(source_ip="192.0.2.1", server_name="n", secure=True))
    denied = answer(cloud, "/topics/b")

    assert (allowed.status, denied.status, published) == (200, 403, [("somebody", "a")])
    assert "x-hedgerow-ignored" not in allowed.headers  # the authorizer's parameter is none of ours
    assert denied.headers["x-amzn-errortype"].startswith("ForbiddenException")
    assert door.asked[0] == Stranger(
        headers={"host": "localhost", "token": "t"},
        query="x=%2F",
        server_name="n",
        source_ip="192.0.2.1",
        secure=True,
        request_id="request-1",
    )


@pytest.mark.parametrize("door", [Door(None), None], ids=["nobody is let in", "no doorkeeper"])
def test_where_nobody_is_let_in_a_request_must_be_signed(door: Door | None) -> None:
    cloud, published = publishing(door)

    refused = answer(cloud)

    assert (refused.status, published) == (403, [])
    assert b"sign it" in (refused.body if isinstance(refused.body, bytes) else b"")


def test_a_refusal_is_the_doorkeepers() -> None:
    cloud, published = publishing(Door(AccessDenied("not you")))

    assert answer(cloud).status == 403
    assert published == []


def test_what_is_no_request_of_the_data_plane_must_be_signed() -> None:
    door = Door()
    cloud, _ = publishing(door)

    assert answer(cloud, "/things/a").status == 403
    assert door.asked == []


BESIDE = WayIn(speech=Speech.HTTP, proofs=frozenset({Proof.X509_AND_CUSTOM}))
SEEN = Peer(certificate=b"DER", server_name="pump", secure=True, way=BESIDE)


def test_where_an_authorizer_is_asked_beside_a_certificate_its_grants_count() -> None:
    door = Door()
    cloud, published = publishing(door)

    allowed, denied = answer(cloud, peer=SEEN), answer(cloud, "/topics/b", peer=SEEN)

    assert (allowed.status, denied.status, len(published)) == (200, 403, 1)
    assert [each.server_name for each in door.asked] == ["pump", "pump"]


@pytest.mark.parametrize("peer", [SEEN, Peer(server_name="pump", secure=True, way=BESIDE)])
def test_a_certificate_or_an_authorizer_alone_is_not_enough_there(peer: Peer) -> None:
    cloud, published = publishing(Door(AccessDenied("not you")))

    assert answer(cloud, peer=peer).status == 403
    assert published == []


def test_a_certificate_speaks_for_itself() -> None:
    door = Door()
    cloud, published = publishing(door)

    answer(cloud, peer=Peer(certificate=b"DER", server_name="pump"))

    assert (len(published), door.asked) == (1, [])


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("PUT", "/topics/a", 405, "MethodNotAllowedException"),
        ("POST", "/retainedMessage/a", 405, "MethodNotAllowedException"),
        ("POST", "/nothing/a", 404, "UnknownOperationException"),
    ],
)
def test_a_device_is_told_in_json_what_is_wrong(method: str, path: str, status: int, code: str) -> None:
    cloud, _ = publishing(None)
    form = {"host": "localhost", "content-type": "application/x-www-form-urlencoded"}  # as curl sends
    http = HttpRequest(method, path, "", form, b"1")

    refused = asyncio.run(cloud.pipeline.answer(http, Peer(certificate=b"DER", server_name="pump"), "request-1"))

    assert (refused.status, refused.headers["x-amzn-errortype"]) == (status, code)
    assert refused.headers["content-type"] == "application/json"
