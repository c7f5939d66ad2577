"""Listeners: TLS with client certificates, WebSocket mounts, bounds on headers and bodies, closing."""

import asyncio
import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from hedgerow.api import app as app_module
from hedgerow.api import flow
from hedgerow.api import server as server_module
from hedgerow.base.sockets import bind
from hedgerow.core.wire import HttpRequest
from hedgerow.core.wire.sigv4 import canonical_request, presign, signature, signing_key
from tests.support.waiting import until
from tests.unit.api.certificates import Certificates, made_in
from tests.unit.api.cloud import ACCOUNT, KEY_ID, REGION, SECRET, ToyCloud, served, toy_cloud
from tests.unit.api.toys import ToyObjects, ToyThings, get_object_in_pieces, rows

pytestmark = pytest.mark.slow
THINGS, OBJECTS = ToyThings(), ToyObjects()


async def echo_mount(scope: Any, receive: Any, send: Any) -> None:
    """A WebSocket that says who is there, and an HTTP answer that says so too."""
    caller = scope.get("hedgerow.caller")
    tls = scope.get("extensions", {}).get("hedgerow.tls", {})
    words = json.dumps({"caller": caller and caller.principal, "certificate": bool(tls.get("certificate"))})
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": words.encode()})
        return
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "mqtt"})
    await send({"type": "websocket.send", "bytes": words.encode()})
    await send({"type": "websocket.close"})


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return made_in(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure(certificates: Certificates) -> Iterator[ToyCloud]:
    cloud = toy_cloud(rows(THINGS, OBJECTS), mounts={"/mqtt": echo_mount, "/vending": echo_mount})
    with served(cloud, tls=certificates.server(), host="localhost") as running:
        yield running


@pytest.fixture(scope="module")
def plain() -> Iterator[ToyCloud]:
    with served(toy_cloud(rows(THINGS, OBJECTS), mounts={"/mqtt": echo_mount})) as running:
        yield running


def test_a_client_certificate_publishes_without_a_signature(secure: ToyCloud, certificates: Certificates) -> None:
    request = urllib.request.Request(f"{secure.url}/topics/a/b%2Fc?qos=0", data=b"hello", method="POST")

    with pytest.raises(urllib.error.HTTPError) as refused:  # the toy does not read qos: refused by name
        urllib.request.urlopen(request, context=certificates.device())
    request.full_url = f"{secure.url}/topics/a/b%2Fc"
    with urllib.request.urlopen(request, context=certificates.device()) as answer:
        status = answer.status

    assert "qos" in json.loads(refused.value.read())["message"]
    refused.value.close()
    by = f"arn:aws:iot:{REGION}:{ACCOUNT}:cert/localhost"  # the toy directory answers the server name
    assert (status, THINGS.things["a/b/c"]) == (200, {"payload": b"hello", "by": by})


def test_a_client_certificate_is_traded_for_credentials(secure: ToyCloud, certificates: Certificates) -> None:
    request = urllib.request.Request(
        f"{secure.url}/role-aliases/radio/credentials", headers={"x-amzn-iot-thingname": "lamp"}
    )

    with urllib.request.urlopen(request, context=certificates.device()) as answer:
        credentials = json.loads(answer.read())["credentials"]

    assert credentials == {"accessKeyId": "radio", "secretAccessKey": "lamp", "expiration": "2027-01-15T08:00:00Z"}


def test_a_client_certificate_opens_no_control_plane(secure: ToyCloud, certificates: Certificates) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{secure.url}/policies", context=certificates.device())

    with refused.value as answer:
        assert (answer.code, answer.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")


def test_neither_certificate_nor_signature_is_refused(secure: ToyCloud, certificates: Certificates) -> None:
    context = ssl.create_default_context(cafile=certificates.ca_file)

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{secure.url}/things/lamp", context=context)

    with refused.value as answer:
        assert (answer.code, answer.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")


def test_s3_takes_a_body_with_a_trailing_checksum(secure: ToyCloud, certificates: Certificates) -> None:
    session = boto3.Session(KEY_ID, SECRET, region_name=REGION)
    s3 = session.client("s3", endpoint_url=secure.url, verify=certificates.ca_file)

    s3.put_object(Bucket="store", Key="big", Body=b"x" * 300_000, ContentEncoding="identity")

    assert OBJECTS.objects["big"][0] == b"x" * 300_000


def websocket_url(cloud: ToyCloud, *, secret: str = SECRET) -> str:
    url = urlsplit(cloud.url)
    http = HttpRequest("GET", "/mqtt", "", {"host": url.netloc})
    query = presign(
        http,
        access_key_id=KEY_ID,
        secret=secret,
        region=REGION,
        service="iotdevicegateway",
        now=time.time(),
        expires_s=60,
    )
    return f"ws://{url.netloc}/mqtt?{query}"


def test_an_upgrade_of_a_path_that_has_none_is_refused_without_an_error(
    plain: ToyCloud, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connect(plain.url.replace("http:", "ws:") + "/things")

    assert caught.value.response.status_code == 404
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_signed_upgrade_reaches_the_mount_with_its_caller(plain: ToyCloud) -> None:
    with connect(websocket_url(plain), subprotocols=[Subprotocol("mqtt")]) as websocket:
        words = json.loads(websocket.recv())

    assert words == {"caller": f"arn:aws:iam::{ACCOUNT}:root", "certificate": False}


def test_a_wrongly_signed_upgrade_is_refused_with_403(plain: ToyCloud) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(websocket_url(plain, secret="wrong"))

    assert refused.value.response.status_code == 403


def test_a_client_certificate_reaches_a_mount(secure: ToyCloud, certificates: Certificates) -> None:
    url = f"wss://{urlsplit(secure.url).netloc}/mqtt"

    with connect(url, ssl=certificates.for_two_threads(), subprotocols=[Subprotocol("mqtt")]) as websocket:
        words = json.loads(websocket.recv())

    assert words == {"caller": None, "certificate": True}


def test_health_is_open(plain: ToyCloud) -> None:
    with urllib.request.urlopen(f"{plain.url}/_health") as answer:
        health = json.loads(answer.read())

    assert health == {"status": "ok"}


@pytest.mark.parametrize(
    ("peer", "health"),
    [
        ("127.0.0.1", {"status": "ok", "region": "R"}),
        ("::ffff:127.0.0.1", {"status": "ok", "region": "R"}),
        ("::1", {"status": "ok", "region": "R"}),
        ("192.0.2.1", {"status": "ok"}),
        ("::ffff:192.0.2.1", {"status": "ok"}),
        ("fe80::1%eth0", {"status": "ok"}),
    ],
)
def test_strangers_learn_nothing_but_that_the_cloud_is_there(peer: str, health: dict[str, str]) -> None:
    cloud = toy_cloud({}, health=lambda: {"region": "R"})

    found = asked(cloud, "/_health", peer)

    assert json.loads(found[1]) == health


def test_an_ipv4_peer_of_a_socket_for_both_has_its_plain_address() -> None:
    seen: list[Any] = []

    async def mount(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    asked(toy_cloud({}, mounts={"/vending": mount}), "/vending", "::ffff:192.0.2.1")

    assert seen == [("192.0.2.1", 5)]


def asked(cloud: ToyCloud, path: str, peer: str) -> tuple[int, bytes]:
    """Ask the application itself, as a peer at this address."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "client": (peer, 5)}
    asyncio.run(cloud.app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def raw(cloud: ToyCloud, request: bytes) -> bytes:
    url = urlsplit(cloud.url)
    answer = b""
    with socket.create_connection((url.hostname, url.port), timeout=5) as connection:
        try:
            connection.sendall(request)
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionError:
            pass  # closed on us while we were still writing
    return answer


def test_headers_have_a_bound(plain: ToyCloud) -> None:
    fits = raw(plain, b"GET /_health HTTP/1.1\r\nhost: x\r\nconnection: close\r\na: " + b"x" * 60_000 + b"\r\n\r\n")
    too_many = raw(plain, b"GET /_health HTTP/1.1\r\nhost: x\r\na: " + b"x" * 500_000 + b"\r\n\r\n")

    assert fits.startswith(b"HTTP/1.1 200")
    assert not too_many.startswith(b"HTTP/1.1 200")


def test_headers_that_do_not_end_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEADER_DEADLINE_S", 0.2)
    with served(toy_cloud({})) as cloud:
        silent = raw(cloud, b"")
        slow = raw(cloud, b"GET /_health HTTP/1.1\r\nhost: x\r\n")

    assert (silent, slow) == (b"", b"")


def test_a_body_that_is_announced_too_large_is_not_read(plain: ToyCloud) -> None:
    answer = raw(plain, b"PUT /store/key HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"RequestEntityTooLargeException" in answer


SIGNED = b"PUT /store/key HTTP/1.1\r\nhost: x\r\nauthorization: AWS4-HMAC-SHA256 x\r\n"


@pytest.mark.parametrize("start", [SIGNED, SIGNED.replace(b"AWS4", b"x")])
def test_a_body_that_becomes_too_large_is_refused(
    plain: ToyCloud, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(app_module, "BODY_LIMIT" if start == SIGNED else "STRANGERS_BODY_LIMIT", 10_000)
    chunk = b"2710\r\n" + b"x" * 10_000 + b"\r\n"

    answer = raw(plain, start + b"transfer-encoding: chunked\r\n\r\n" + chunk * 3)

    assert answer.startswith(b"HTTP/1.1 413")


def test_who_says_nothing_of_themselves_may_send_little(plain: ToyCloud) -> None:
    answer = raw(plain, b"PUT /store/key HTTP/1.1\r\nhost: x\r\ncontent-length: 140000\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("access_key_id", "secret", "code"),
    [("AKIDNOBODY", SECRET, b"InvalidAccessKeyId"), (KEY_ID, "wrong", b"SignatureDoesNotMatch")],
)
def test_a_claimed_signature_is_looked_at_before_a_long_body_is_read(
    plain: ToyCloud, access_key_id: str, secret: str, code: bytes
) -> None:
    host = urlsplit(plain.url).netloc
    http = HttpRequest("PUT", "/store/key", "", {"host": host})
    options = {"access_key_id": access_key_id, "secret": secret, "region": REGION, "service": "s3"}
    query = presign(http, **options, now=time.time(), expires_s=60)
    head = f"PUT /store/key?{query} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 60000000\r\n\r\n"

    answer = raw(plain, head.encode() + b"x" * 100_000)  # the rest never comes

    assert answer.startswith(b"HTTP/1.1 403")
    assert code in answer
    assert plain.app.buffered == 0


@pytest.mark.parametrize("start", [SIGNED, SIGNED.replace(b"AWS4", b"x")])
def test_a_body_that_does_not_come_is_not_waited_for(
    plain: ToyCloud, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(app_module, "STRANGERS_BODY_DEADLINE_S", 0.05)

    answer = raw(plain, start + b"content-length: 10\r\n\r\nabc")

    assert answer.startswith(b"HTTP/1.1 408")


def claimed(plain: ToyCloud, secret: str = SECRET, length: int = 10) -> bytes:
    """Answer the head of a presigned upload."""
    host = urlsplit(plain.url).netloc
    options = {"access_key_id": KEY_ID, "secret": secret, "region": REGION, "service": "s3"}
    query = presign(HttpRequest("PUT", "/store/key", "", {"host": host}), **options, now=time.time(), expires_s=60)
    return f"PUT /store/key?{query} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize(("secret", "status"), [(SECRET, b"200"), ("wrong", b"403")])
def test_a_slow_body_is_waited_for_when_its_signature_is_good(
    plain: ToyCloud, monkeypatch: pytest.MonkeyPatch, secret: str, status: bytes
) -> None:
    monkeypatch.setattr(app_module, "VOUCHED_AFTER_S", -1.0)
    monkeypatch.setattr(app_module, "STRANGERS_BODY_DEADLINE_S", 0.3)
    url = urlsplit(plain.url)

    with socket.create_connection((url.hostname, url.port), timeout=5) as connection:
        connection.sendall(claimed(plain, secret) + b"abc")
        if secret == SECRET:
            late = time.monotonic() + 0.4
            until("what strangers have to end by", lambda: time.monotonic() > late)
            connection.sendall(b"defghij")
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(("start", "status"), [("claimed", b"403"), ("nobody", b"503")])
def test_strangers_cannot_take_all_the_memory_for_bodies(
    plain: ToyCloud, monkeypatch: pytest.MonkeyPatch, start: str, status: bytes
) -> None:
    monkeypatch.setattr(app_module, "BODIES_LIMIT", 1_000)
    nobody = b"PUT /store/key HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n"

    answer = raw(plain, (nobody if start == "nobody" else claimed(plain, "wrong", 900)) + b"x" * 300)

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert plain.app.buffered == 0


def test_who_is_known_has_the_rest_of_the_memory_for_bodies(plain: ToyCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "BODIES_LIMIT", 1_000)
    url = urlsplit(plain.url)

    with socket.create_connection((url.hostname, url.port), timeout=5) as connection:
        connection.sendall(claimed(plain, length=900) + b"x" * 300)
        connection.sendall(b"x" * 600)
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 200")


def test_bodies_together_have_a_bound(plain: ToyCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "BODIES_LIMIT", 1_000)

    answer = raw(plain, SIGNED + b"content-length: 2000\r\n\r\n" + b"x" * 2000)

    assert answer.startswith(b"HTTP/1.1 503")
    assert plain.app.buffered == 0


def test_the_server_waits_for_the_body_that_it_was_promised(plain: ToyCloud) -> None:
    url = urlsplit(plain.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=5)
    connection.putrequest("PUT", "/store/k")
    connection.putheader("Expect", "100-continue")
    connection.putheader("Content-Length", "3")
    connection.endheaders()

    assert connection.sock.recv(100).startswith(b"HTTP/1.1 100")
    connection.send(b"abc")
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 403")
    connection.close()


def test_a_request_that_was_cut_short_is_never_answered(plain: ToyCloud) -> None:
    before = dict(plain.pipeline.answered)
    url = urlsplit(plain.url)
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(b"PUT /store/k HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")

    raw(plain, b"GET /_health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert dict(plain.pipeline.answered) == before


@pytest.fixture(scope="module")
def slow_lane(certificates: Certificates) -> Iterator[ToyCloud]:
    """The same server on h11 and asyncio's own loop, as on machines without httptools and uvloop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_module, "_http_protocol", lambda: server_module._H11)
        patch.setattr(server_module, "HEADER_DEADLINE_S", 0.3)
        cloud = toy_cloud(rows(THINGS, OBJECTS), mounts={"/mqtt": echo_mount, "/slow": slow_mount})
        with served(cloud, tls=certificates.server(), host="localhost", loop=asyncio.new_event_loop) as running:
            yield running


async def slow_mount(scope: Any, receive: Any, send: Any) -> None:
    """A WebSocket that says something after the time for headers is over."""
    await receive()
    await send({"type": "websocket.accept"})
    await asyncio.sleep(0.5)
    await send({"type": "websocket.send", "bytes": b"still here"})
    await send({"type": "websocket.close"})


def test_objects_are_served_over_h11(slow_lane: ToyCloud, certificates: Certificates) -> None:
    session = boto3.Session(KEY_ID, SECRET, region_name=REGION)
    config = Config(retries={"max_attempts": 0})
    s3 = session.client("s3", endpoint_url=slow_lane.url, verify=certificates.ca_file, config=config)
    s3.put_object(Bucket="store", Key="h11", Body=b"y" * 1000)

    answer = s3.get_object(Bucket="store", Key="h11")["Body"].read()

    assert answer == b"y" * 1000


def test_a_websocket_over_h11_outlives_the_deadline_for_headers(
    slow_lane: ToyCloud, certificates: Certificates
) -> None:
    url = f"wss://{urlsplit(slow_lane.url).netloc}/slow"

    with connect(url, ssl=certificates.for_two_threads()) as websocket:
        assert websocket.recv() == b"still here"


def test_a_certificate_is_seen_over_h11(slow_lane: ToyCloud, certificates: Certificates) -> None:
    request = urllib.request.Request(
        f"{slow_lane.url}/role-aliases/radio/credentials", headers={"x-amzn-iot-thingname": "lamp"}
    )

    with urllib.request.urlopen(request, context=certificates.device()) as answer:
        assert json.loads(answer.read())["credentials"]["secretAccessKey"] == "lamp"


def test_an_object_may_come_in_pieces() -> None:
    with served(toy_cloud({("s3", "GetObject"): flow(get_object_in_pieces)})) as cloud:
        session = boto3.Session(KEY_ID, SECRET, region_name=REGION)
        s3 = session.client("s3", endpoint_url=cloud.url)
        body = s3.get_object(Bucket="store", Key="k")["Body"].read()

    assert body == b"0" * 1000 + b"1" * 1000 + b"2" * 1000


def test_a_bucket_may_have_the_name_of_a_mount(secure: ToyCloud, certificates: Certificates) -> None:
    session = boto3.Session(KEY_ID, SECRET, region_name=REGION)
    s3 = session.client("s3", endpoint_url=secure.url, verify=certificates.ca_file)

    s3.put_object(Bucket="vending", Key="in-a-bucket", Body=b"x")
    with urllib.request.urlopen(f"{secure.url}/vending/any", context=certificates.device()) as answer:
        words = json.loads(answer.read())

    assert "in-a-bucket" in OBJECTS.objects
    assert words == {"caller": None, "certificate": True}


def trailing(plain: ToyCloud, announced: str, trailer: bytes) -> bytes:
    """Answer what a PutObject of three bytes gets, with `trailer` behind them."""
    host = urlsplit(plain.url).netloc
    form = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {"host": host, "x-amz-content-sha256": form, "x-amz-date": stamp, "x-amz-trailer": announced}
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    request = canonical_request(("PUT", "/store/trailing", ""), headers, form)
    value = signature(signing_key(SECRET, stamp[:8], REGION, "s3"), stamp, scope, request)
    names = ";".join(sorted(headers))
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={KEY_ID}/{scope}, SignedHeaders={names}, Signature={value}"
    body = b"3\r\nabc\r\n0\r\n" + trailer + b"\r\n"
    headers |= {"content-encoding": "aws-chunked", "content-length": str(len(body)), "connection": "close"}
    lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
    return raw(plain, f"PUT /store/trailing HTTP/1.1\r\n{lines}\r\n".encode() + body)


@pytest.mark.parametrize("trailer", [b"", b"x-amz-acl: public-read\r\n"])
def test_headers_after_a_body_are_those_that_were_announced(plain: ToyCloud, trailer: bytes) -> None:
    assert b"MalformedTrailerError" in trailing(plain, "x-amz-checksum-crc32", trailer)


def test_a_checksum_after_the_body_is_compared(plain: ToyCloud) -> None:
    right = trailing(plain, "x-amz-checksum-crc32", b"x-amz-checksum-crc32: NSRBwg==\r\n")
    wrong = trailing(plain, "x-amz-checksum-crc32", b"x-amz-checksum-crc32: AAAAAA==\r\n")

    assert right.startswith(b"HTTP/1.1 200")
    assert b"BadDigest" in wrong


def send_for_ever(connection: socket.socket, data: bytes) -> None:
    while True:  # it ends, or the test does
        connection.sendall(data)


def test_requests_without_end_that_wait_for_no_answer_end_the_connection(plain: ToyCloud) -> None:
    request = b"GET /_health HTTP/1.1\r\nhost: x\r\n\r\n"
    url = urlsplit(plain.url)

    few = raw(plain, request * 100 + request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    with socket.create_connection((url.hostname, url.port), timeout=60) as connection, pytest.raises(ConnectionError):
        send_for_ever(connection, request * 1000)

    assert few.count(b"HTTP/1.1 200") == 101
    assert raw(plain, request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")


def test_every_request_of_a_client_that_goes_learns_of_it() -> None:
    told: list[str] = []

    async def mount(scope: Any, receive: Any, send: Any) -> None:
        told.append((await receive())["type"])
        told.append((await receive())["type"])

    with served(toy_cloud({}, mounts={"/wait": mount})) as cloud:
        url = urlsplit(cloud.url)
        with socket.create_connection((url.hostname, url.port), timeout=5) as connection:
            connection.sendall(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" * 2)
            until("the first request", lambda: told)

        until("the first request's end", lambda: len(told) == 2)

    assert told == ["http.request", "http.disconnect"]


def test_trailers_of_http_become_no_headers(plain: ToyCloud) -> None:
    chunks = b"0\r\nauthorization: AWS4-HMAC-SHA256 x\r\n\r\n"

    answer = raw(
        plain, b"GET /things HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n" + chunks
    )

    assert b"MissingAuthenticationToken" in answer


def test_a_server_that_is_not_well_says_so() -> None:
    with served(toy_cloud({}, health=lambda: {"status": "starting"})) as cloud:
        answer = raw(cloud, b"GET /_health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 503")


def test_a_port_that_is_taken_is_an_error() -> None:
    with served(toy_cloud({})) as cloud:
        port = urlsplit(cloud.url).port
        with pytest.raises(OSError, match="in use"):
            asyncio.run(once(port or 0))


async def once(port: int) -> None:
    async with server_module.serve(toy_cloud({}).app, port=port):
        pass


def test_one_loop_serves_many_listeners() -> None:
    async def two() -> tuple[int, int]:
        app = toy_cloud({}).app
        given = (socket.create_server(("", 0)),)
        async with server_module.serve(app) as one, server_module.serve(app, sockets=given) as other:
            return one.port, other.port

    first, second = asyncio.run(two())

    assert first != second


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", None])
def test_all_addresses_of_a_host_have_one_port(host: str | None) -> None:
    sockets = bind(host, 0)

    ports = {one.getsockname()[1] for one in sockets}
    for one in sockets:
        one.close()

    assert len(ports) == 1
    assert 0 not in ports


def test_a_stored_line_end_makes_no_header_of_its_own(plain: ToyCloud) -> None:
    OBJECTS.objects["evil"] = (b"x", {"kind": "a\r\nset-cookie: b"})
    session = boto3.Session(KEY_ID, SECRET, region_name=REGION)
    s3 = session.client("s3", endpoint_url=plain.url)

    answer = s3.get_object(Bucket="store", Key="evil")

    assert answer["Metadata"] == {"kind": "a  set-cookie: b"}
    assert "set-cookie" not in answer["ResponseMetadata"]["HTTPHeaders"]


def test_a_presigned_upload_is_no_way_to_copy_another_object(plain: ToyCloud) -> None:
    session = boto3.Session(KEY_ID, SECRET, region_name=REGION)
    s3 = session.client("s3", endpoint_url=plain.url)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "store", "Key": "mine"})
    request = urllib.request.Request(url, data=b"", method="PUT", headers={"x-amz-copy-source": "/store/secret"})

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)

    with refused.value as answer:
        assert (answer.code, b"x-amz-copy-source" in answer.read()) == (403, True)
