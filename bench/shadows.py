"""Shadows: `python -m bench.shadows [--quick]`. The server has one core, the generator the other.

UpdateThingShadow over HTTP: what boto3 signed beforehand is replayed to Hedgerow and to moto, which keeps shadows in
memory; CPU per call is that of the server's process, the best of the rounds. MQTT: 200 devices over mutual TLS, each
with one update under way: the next goes out when this one was acknowledged and its `update/accepted` has come. Then the
cloud is killed, and once it is back every shadow must have the version that was accepted last. Again with 5 ms added to
each commit.
"""

import json
import os
import selectors
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.moto import moto, moto_version
from bench.record import record
from bench.replay import Signer, cpu_s
from bench.server import Server, of_cloud
from hedgerow.core.mqtt.encoder import encode_connect, encode_publish, encode_subscribe
from hedgerow.core.mqtt.packets import MQTT_3_1_1, Connect
from hedgerow.testing import CloudProcess, Device, TestCloud, start_cloud

QUICK = "--quick" in sys.argv
ROUNDS, CALLS = (1, 500) if QUICK else (3, 3000)
THINGS = 100
CONNECTIONS = (1, 32)
SHARE = 1 / 2  # of moto's CPU
DEVICES = 200
SECONDS = 3.0 if QUICK else 15.0
RATE = 2_000  # updates per second
STATE = {"volts": 11.9, "rpm": 900, "mode": "eco", "at": {"lat": 47.6153, "lon": -122.3333}}

Rows = list[tuple[str, str, str]]


def main() -> None:
    begin = os.getloadavg()[0]
    rows = [*_http(), *_mqtt(slow=False), *_mqtt(slow=True)]
    if QUICK:
        print("\n".join("  ".join(row) for row in rows))
        return
    method = (
        f"`bench/shadows.py`: {CALLS} calls, best of {ROUNDS} rounds; {DEVICES} devices, {SECONDS:g} s; server and"
        f" generator on one core each; moto {moto_version()}; load average {begin:.1f} before"
    )
    record("Shadows", method, rows)


def _http() -> Rows:
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as name:
        cloud = start_cloud(Path(name), "--no-console")
        try:
            with moto(Path(name)) as theirs:
                ours = of_cloud(cloud)
                return [_compared(ours, theirs, connections) for connections in CONNECTIONS]
        finally:
            cloud.stop()


def _compared(ours: Server, theirs: Server, connections: int) -> tuple[str, str, str]:
    best = {server.name: float("inf") for server in (ours, theirs)}
    rate = 0.0
    for turn in range(ROUNDS):
        for server in (ours, theirs):
            figures = server.run(_updates(server, turn), connections)
            best[server.name] = min(best[server.name], figures.cpu_us)
            if server is ours:
                rate = max(rate, figures.rate)
    cpu, their_cpu = best[ours.name], best[theirs.name]
    share = cpu / their_cpu
    return (
        f"UpdateThingShadow by HTTP, {connections} connection{'s' if connections > 1 else ''}: CPU per call",
        f"{cpu:.0f} µs, moto {their_cpu:.0f} µs: {share:.2f}; {rate:,.0f} calls/s",
        f"≤ {SHARE:.2f}{_verdict(share <= SHARE)}",
    )


def _updates(server: Server, turn: int) -> list[bytes]:
    """Answer signed updates of 100 things, which moto wants to know before."""
    if turn == 0:
        for number in range(THINGS):
            server.client().create_thing(thingName=f"thing-{number:03}")
    signer = Signer(server.client("iot-data"))
    return [
        signer.request("update_thing_shadow", thingName=f"thing-{number % THINGS:03}", payload=_document(number))
        for number in range(CALLS)
    ]


def _document(number: int) -> bytes:
    return json.dumps({"state": {"reported": {**STATE, "count": number}}, "clientToken": f"t-{number}"}).encode()


@dataclass(frozen=True, slots=True)
class Run:
    """What the devices saw, and what it took: CPU of the server, and how busy both sides were."""

    accepted: Sequence[int]  # of each device
    waits_s: Sequence[float]
    seconds: float
    cpu_s: float
    own_cpu_s: float


def _mqtt(*, slow: bool) -> Iterator[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as name:
        cloud = CloudProcess(Path(name), ("--no-console",), module="bench.slow_commits" if slow else "hedgerow")
        cloud.start()
        try:
            server = of_cloud(cloud)
            account = cloud.new_account(Path(name))
            run = _drive(account.device("bench", _policy(account)), server.pid)
            cloud.kill()
            cloud.start()
            _check(account, run.accepted)
        finally:
            cloud.stop()
    count = sum(run.accepted)
    rate, cpu = count / run.seconds, run.cpu_s / count * 1e6
    waits = sorted(wait * 1e3 for wait in run.waits_s)
    what = "shadow updates by MQTT" + (" with 5 ms added to each commit" if slow else "")
    yield (
        f"{what}, {DEVICES} devices: acknowledged, accepted and there after a kill",
        f"{rate:,.0f}/s; {cpu:.0f} µs CPU each; cores of server and load"
        f" {run.cpu_s / run.seconds:.0%} and {run.own_cpu_s / run.seconds:.0%}",
        f"≥ {RATE:,}/s{_verdict(rate >= RATE)}",
    )
    yield (
        f"{what}: until accepted, median, p99, longest",
        f"{statistics.median(waits):.0f} ms, {waits[int(len(waits) * 0.99)]:.0f} ms, {waits[-1]:.0f} ms",
        "",
    )


def _policy(account: TestCloud) -> dict[str, object]:
    """One certificate for all devices, each of which may use its own shadow alone."""
    own, name = f"arn:aws:iot:{account.region}:{account.account}:", "${iot:ClientId}"
    shadow = f"$aws/things/{name}/shadow/*"
    rights = {
        "iot:Connect": f"client/{DEVICE_NAME.format('*')}",
        "iot:Publish": f"topic/{shadow}",
        "iot:Receive": f"topic/{shadow}",
        "iot:Subscribe": f"topicfilter/{shadow}",
    }
    statements = [{"Effect": "Allow", "Action": action, "Resource": own + to} for action, to in rights.items()]
    return {"Version": "2012-10-17", "Statement": statements}


DEVICE_NAME = "bench-{}"


def _drive(device: Device, pid: int) -> Run:
    context = device.tls()
    with selectors.DefaultSelector() as selector:
        clients = [_Client(device, context, number) for number in range(DEVICES)]
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        cpu, own, begun = cpu_s(pid), time.process_time(), time.perf_counter()
        end = begun + SECONDS
        for client in clients:
            client.send()
        under_way = len(clients)
        while under_way:
            events = selector.select(10.0)
            if not events:
                raise RuntimeError(f"{under_way} updates were not answered")
            for key, _ in events:
                if not key.data.receive():
                    continue
                if time.perf_counter() < end:
                    key.data.send()
                else:
                    under_way -= 1
        took = time.perf_counter() - begun
        used, own = cpu_s(pid) - cpu, time.process_time() - own
        for client in clients:
            client.socket.close()
    return Run([client.count for client in clients], [wait for c in clients for wait in c.waits_s], took, used, own)


class _Client:
    """One device: what it sends, and whether its update was answered in both ways."""

    def __init__(self, device: Device, context: ssl.SSLContext, number: int) -> None:
        self.count = 0
        self.waits_s: list[float] = []
        self._begun = 0.0
        self._rest = b""
        self._missing = 0
        name = DEVICE_NAME.format(number)
        self._shadow = f"$aws/things/{name}/shadow/update"
        raw = socket.create_connection((device.host, device.mqtt_port), 30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(raw, server_hostname=device.host)
        self.socket.sendall(encode_connect(Connect(name, version=MQTT_3_1_1)))
        answers = [(f"{self._shadow}/{answer}", 1) for answer in ("accepted", "rejected")]
        self.socket.sendall(encode_subscribe(1, answers, MQTT_3_1_1))
        for _ in range(2):  # CONNACK and SUBACK
            first, body = self._next_packet()
            if first >> 4 not in (2, 9) or body[-1] >= 0x80 or (first >> 4 == 2 and body[-1]):
                raise RuntimeError(f"{name} was refused: {first:#x} {body!r}")
        self.socket.setblocking(False)

    def _next_packet(self) -> tuple[int, bytes]:
        while True:
            for packet in self._packets():
                return packet
            self._rest += self.socket.recv(4096)

    def send(self) -> None:
        self._begun = time.perf_counter()
        self._missing = 2
        payload = _document(self.count)
        ident = self.count % 60_000 + 2
        self.socket.sendall(encode_publish(self._shadow, payload, MQTT_3_1_1, qos=1, packet_id=ident))

    def receive(self) -> bool:
        """Take what came; tell whether the update is answered now."""
        try:
            while True:
                piece = self.socket.recv(16384)
                if not piece:
                    raise RuntimeError("the cloud closed a connection")
                self._rest += piece
        except ssl.SSLWantReadError:
            pass
        was_missing = self._missing
        for first, body in self._packets():
            if first >> 4 == 3:
                size = int.from_bytes(body[:2], "big")
                if not body[2 : 2 + size].endswith(b"accepted"):
                    raise RuntimeError(f"not accepted: {body!r}")
                if first & 6:
                    self.socket.sendall(b"\x40\x02" + body[2 + size : 4 + size])
            self._missing -= 1
        if self._missing or not was_missing:
            return False
        self.count += 1
        self.waits_s.append(time.perf_counter() - self._begun)
        return True

    def _packets(self) -> Iterator[tuple[int, bytes]]:
        while len(self._rest) > 1:
            size, at, shift = 0, 1, 0
            while True:
                if at == len(self._rest):
                    return
                digit = self._rest[at]
                size |= (digit & 127) << shift
                at, shift = at + 1, shift + 7
                if digit < 128:
                    break
            if len(self._rest) < at + size:
                return
            first, body, self._rest = self._rest[0], self._rest[at : at + size], self._rest[at + size :]
            yield first, body


def _check(account: TestCloud, accepted: Sequence[int]) -> None:
    """What was accepted is there after a kill."""
    data = account.process.session(*_keys(account)).client("iot-data")
    for number, count in enumerate(accepted):
        kept = json.loads(data.get_thing_shadow(thingName=DEVICE_NAME.format(number))["payload"].read())
        if kept["version"] != count:
            raise RuntimeError(f"device {number}: {count} updates were accepted, and version {kept['version']} is kept")


def _keys(account: TestCloud) -> tuple[str, str]:
    keys = account.session.get_credentials()
    assert keys is not None
    return keys.access_key, keys.secret_key


def _verdict(met: bool) -> str:
    return "" if met else " **missed**"


if __name__ == "__main__":
    main()
