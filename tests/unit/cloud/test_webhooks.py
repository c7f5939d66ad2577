"""Webhooks reach only what the operator allows, and say what went wrong."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hedgerow.base.errors import HedgerowError, Unavailable
from hedgerow.cloud.webhooks import Refused, Webhooks

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


class Receiver:
    """Answers every POST with a status and remembers the bodies."""

    def __init__(self, status: int) -> None:
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.paths.append(self.path)
                receiver.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(status)
                self.send_header("location", "http://127.0.0.1:9/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?x=1"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    receiver = Receiver(getattr(request, "param", 200))
    yield receiver
    receiver.close()


def post(url: str, networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
    asyncio.run(Webhooks(networks=networks).post(url, [("content-type", "text/plain")], b"body"))


def test_an_allowed_address_gets_the_body(receiver: Receiver) -> None:
    post(receiver.url, [*LOOPBACK])

    assert (receiver.bodies, receiver.paths) == ([b"body"], ["/hook?x=1"])


def test_without_the_setting_loopback_is_refused(receiver: Receiver) -> None:
    with pytest.raises(Refused, match="webhook_networks"):
        post(receiver.url, [])

    assert receiver.bodies == []


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1]:9/",
        "https://127.0.0.1:9/",
        "https://[::ffff:127.0.0.1]:9/",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://0.0.0.0:9/",
        "https://2130706433:9/",
        "https://0x7f.1:9/",
        "https://[64:ff9b::7f00:1]:9/",
        "https://[64:ff9b::a00:1]:9/",
        "https://[2002:7f00:1::]:9/",
        "https://[::7f00:1]:9/",
        "https://[fec0::1]:9/",
        "https://224.0.0.1:9/",
        "http://192.0.2.1/",
    ],
)
def test_addresses_inside_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        post(url, [])


@pytest.mark.parametrize("receiver", [500, 503, 429], indirect=True)
def test_a_server_that_is_in_trouble_can_be_tried_again(receiver: Receiver) -> None:
    with pytest.raises(Unavailable):
        post(receiver.url, [*LOOPBACK])


@pytest.mark.parametrize("receiver", [302, 400, 404], indirect=True)
def test_a_server_that_says_no_is_not_tried_again_and_not_followed(receiver: Receiver) -> None:
    with pytest.raises(Refused):
        post(receiver.url, [*LOOPBACK])

    assert len(receiver.bodies) == 1


def test_nobody_listening_can_be_tried_again() -> None:
    gone = Receiver(200)
    gone.close()

    with pytest.raises(Unavailable):
        post(gone.url, [*LOOPBACK])


def test_a_name_that_nobody_has_is_an_error_in_words() -> None:
    with pytest.raises(HedgerowError, match=r"name\.invalid"):
        post("https://name.invalid/", [])


def test_a_server_that_never_comes_to_an_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.cloud.webhooks.WHOLE_S", 0.1)
    ended = threading.Event()

    def drip(server: socket.socket) -> None:
        client, _ = server.accept()
        with client:
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            for _ in range(1000):
                try:
                    client.sendall(b"a: b\r\n")
                except OSError:
                    break
                if ended.wait(0.02):
                    return
        ended.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        try:
            with pytest.raises(Unavailable, match="did not answer within"):
                post(f"http://127.0.0.1:{server.getsockname()[1]}/", [*LOOPBACK])
            was_cut = ended.wait(5)
        finally:
            ended.set()
            thread.join()

    assert was_cut
