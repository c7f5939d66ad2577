"""The gateway beside Mosquitto over mutual TLS: pairs and new connections. `python bench/mqtt.py [SECONDS]`.

Each server gets one core, the load the other; the two are measured in turn, several rounds, and the best round of each
counts (others use the machine too). Loopback only. Results are appended to bench/results.md.
"""

import multiprocessing
import os
import platform
import selectors
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.unit.gateway.certificates import Pki

from hedgerow.core.mqtt import MQTT_3_1_1, Connect, Publish, Subscribe, encode

TOPIC = "bench/device-0001/telemetry"
PAYLOAD = b'{"signal":-71.5,"temperature":41.2,"fan":true,"at":1795220000}'
WINDOW = 90  # QoS 1 under way from the publisher
ROUNDS = 3
SERVER_CORE, LOAD_CORE = {0}, {max(os.sched_getaffinity(0))}


def tls_context(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "server-ca.pem")
    context.load_cert_chain(folder / "device.crt", folder / "device.key")
    return context


def client(context: ssl.SSLContext, port: int, client_id: str, *, clean: bool = True) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tls = context.wrap_socket(raw, server_hostname="localhost")
    tls.sendall(encode(Connect(client_id, clean, 60), MQTT_3_1_1))
    if tls.recv(4) != b"\x20\x02\x00\x00":
        raise SystemExit("not let in")
    tls.settimeout(5)
    return tls


def subscriber(folder: Path, port: int, qos: int, seconds: float, ready: Any, out: Any, kept: bool) -> None:
    os.sched_setaffinity(0, LOAD_CORE)
    tls = client(tls_context(folder), port, "sub", clean=not kept)
    tls.sendall(encode(Subscribe(1, ((TOPIC, qos),)), MQTT_3_1_1))
    tls.recv(5)
    size = len(encode(Publish(TOPIC, PAYLOAD, qos, packet_id=1), MQTT_3_1_1))
    place = 2 + 2 + len(TOPIC)  # of the packet identifier
    ready.set()
    rest, count, started, ends = b"", 0, 0.0, 0.0
    while True:
        try:
            data = tls.recv(262_144)
        except TimeoutError:
            break
        now = time.perf_counter()
        if not started:
            started, ends = now, now + seconds
        elif now >= ends:
            break
        if not data:
            break
        rest += data
        packets = len(rest) // size
        whole = rest[: packets * size]
        if whole[0::size].strip(bytes((0x30 | qos << 1,))):
            raise SystemExit("something else than the messages came")
        if packets and qos:
            acks = bytearray(4 * packets)
            acks[0::4], acks[1::4] = b"\x40" * packets, b"\x02" * packets
            acks[2::4], acks[3::4] = whole[place::size], whole[place + 1 :: size]
            tls.sendall(acks)
        count += packets
        rest = rest[packets * size :]
    out.put(count / (time.perf_counter() - started) if started else 0.0)


def publisher(folder: Path, port: int, qos: int, ready: Any, stop: Any) -> None:
    os.sched_setaffinity(0, LOAD_CORE)
    tls = client(tls_context(folder), port, "pub")
    ready.wait(10)
    try:
        if not qos:
            blob = encode(Publish(TOPIC, PAYLOAD), MQTT_3_1_1) * 500
            while not stop.is_set():
                tls.sendall(blob)
            return
        blobs = [encode(Publish(TOPIC, PAYLOAD, 1, packet_id=number + 1), MQTT_3_1_1) for number in range(WINDOW)]
        tls.sendall(b"".join(blobs))
        rest = b""
        while not stop.is_set():
            rest += tls.recv(65_536)
            acked = len(rest) // 4
            again = [blobs[(rest[at] << 8 | rest[at + 1]) - 1] for at in range(2, acked * 4, 4)]
            rest = rest[acked * 4 :]
            tls.sendall(b"".join(again))
    except (OSError, TimeoutError):
        pass


def pair(folder: Path, port: int, qos: int, seconds: float, *, kept: bool = False) -> float:
    """Messages per second that reach the subscriber."""
    ready, stop = multiprocessing.Event(), multiprocessing.Event()
    out: multiprocessing.Queue[float] = multiprocessing.Queue()
    sub = multiprocessing.Process(target=subscriber, args=(folder, port, qos, seconds, ready, out, kept))
    pub = multiprocessing.Process(target=publisher, args=(folder, port, qos, ready, stop))
    sub.start()
    pub.start()
    try:
        rate: float = out.get(timeout=seconds + 20)
    finally:
        stop.set()
        for process in (sub, pub):
            process.join(6)
            if process.is_alive():
                process.kill()
    return rate


def durable(folder: Path, port: int, _qos: int, seconds: float) -> float:
    """A pair whose subscriber's session is kept: an acknowledgement means that the message is on disk."""
    return pair(folder, port, 1, seconds, kept=True)


def connects(folder: Path, port: int, _qos: int, seconds: float) -> float:
    """Connections per second: TCP, full TLS handshake with client certificate, CONNECT, CONNACK, one after another."""
    os.sched_setaffinity(0, LOAD_CORE)
    try:
        context = tls_context(folder)
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            client(context, port, f"c{count}").close()
            count += 1
        return count / (time.perf_counter() - started)
    finally:
        os.sched_setaffinity(0, SERVER_CORE | LOAD_CORE)


def on_load_core(case: Callable[[Path, int, float], float]) -> Callable[[Path, int, int, float], float]:
    def measured(folder: Path, port: int, _qos: int, seconds: float) -> float:
        os.sched_setaffinity(0, LOAD_CORE)
        try:
            return case(folder, port, seconds)
        finally:
            os.sched_setaffinity(0, SERVER_CORE | LOAD_CORE)

    return measured


@on_load_core
def fan_out(folder: Path, port: int, seconds: float) -> float:
    """One publishes, 300 receive: deliveries per second, with at most eight messages under way."""
    context, selector = tls_context(folder), selectors.DefaultSelector()
    receivers = [client(context, port, f"f{number}") for number in range(300)]
    for receiver in receivers:
        receiver.sendall(encode(Subscribe(1, ((TOPIC, 0),)), MQTT_3_1_1))
        receiver.recv(5)
        receiver.setblocking(False)
        selector.register(receiver, selectors.EVENT_READ)
    sender, wire = client(context, port, "p"), encode(Publish(TOPIC, PAYLOAD), MQTT_3_1_1)
    sent = got = 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        if sent - got // len(wire) // len(receivers) <= 6:
            sender.sendall(wire * 2)
            sent += 2
        for key, _ in selector.select(0.2):
            got += _drain(key.fileobj)
    rate = got / len(wire) / (time.perf_counter() - started)
    for one in (*receivers, sender):
        one.close()
    selector.close()
    return rate


def _drain(tls: Any) -> int:
    size = 0
    while True:
        try:
            data = tls.recv(65_536)
        except ssl.SSLWantReadError:
            return size
        size += len(data)
        if len(data) < 16_384:
            return size


@on_load_core
def fan_in(folder: Path, port: int, seconds: float) -> float:
    """200 publish, one receives: deliveries per second, two messages of each under way."""
    context, wire = tls_context(folder), encode(Publish(TOPIC, PAYLOAD), MQTT_3_1_1)
    receiver = client(context, port, "s")
    receiver.sendall(encode(Subscribe(1, ((TOPIC, 0),)), MQTT_3_1_1))
    receiver.recv(5)
    senders = [client(context, port, f"p{number}") for number in range(200)]
    got, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for sender in senders:
            sender.sendall(wire * 2)
        missing = len(senders) * 2 * len(wire)
        while missing > 0:
            size = len(receiver.recv(65_536))
            missing -= size
            got += size
    rate = got / len(wire) / (time.perf_counter() - started)
    for one in (*senders, receiver):
        one.close()
    return rate


@contextmanager
def hedgerow(folder: Path) -> Iterator[tuple[int, int]]:
    command = [sys.executable, str(Path(__file__).with_name("mqtt_server.py")), str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        os.sched_setaffinity(process.pid, SERVER_CORE)
        yield port, process.pid
    finally:
        process.communicate(timeout=10)


@contextmanager
def mosquitto(folder: Path) -> Iterator[tuple[int, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rules = [f"pattern write other/{number}/%c" for number in range(18)] + ["topic readwrite bench/#"]
    (folder / "acl").write_text("\n".join([*rules, "user device", "topic readwrite bench/#"]) + "\n")
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\ncafile {folder}/device-ca.pem\ncertfile {folder}/server.crt\n"
        f"keyfile {folder}/server.key\nrequire_certificate true\nuse_identity_as_username true\n"
        f"acl_file {folder}/acl\nmax_inflight_messages 100\nset_tcp_nodelay true\nlog_dest none\nuser root\n"
    )
    binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    process = subprocess.Popen([binary, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    os.sched_setaffinity(process.pid, SERVER_CORE)
    try:
        time.sleep(0.5)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(5)


CASES: list[tuple[str, Callable[[Path, int, int, float], float], int]] = [
    ("QoS 0 pair, messages/s", pair, 0),
    ("QoS 1 pair, messages/s", pair, 1),
    ("QoS 1 pair, kept session (Hedgerow: on disk before PUBACK), messages/s", durable, 1),
    ("fan-out 1 to 300, QoS 0, deliveries/s", fan_out, 0),
    ("fan-in 200 to 1, QoS 0, deliveries/s", fan_in, 0),
    ("new mTLS connections/s", connects, 0),
]


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Pki(folder).make("device")
        best: dict[tuple[str, str], float] = {}
        with hedgerow(folder) as (ours, _), mosquitto(folder) as (theirs, _):
            for _ in range(ROUNDS):
                for title, measure, qos in CASES:
                    for who, port in (("hedgerow", ours), ("mosquitto", theirs)):
                        rate = measure(folder, port, qos, seconds)
                        best[title, who] = max(rate, best.get((title, who), 0.0))
    report(best, seconds)


def report(best: dict[tuple[str, str], float], seconds: float) -> None:
    version = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    lines = [
        f"\n## MQTT, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"{os.cpu_count()} cores, {platform.machine()}, CPython {platform.python_version()}, {version};"
        f" `bench/mqtt.py`:"
        f" mutual TLS on loopback, {len(PAYLOAD)} bytes payload, server and load on one core each, policy of 20"
        f" statements with 2 variables against an ACL file of 19 rules, best of {ROUNDS} rounds of {seconds:g} s\n",
        "| what | Hedgerow | Mosquitto | ratio |",
        "|---|---|---|---|",
    ]
    for title, _, _ in CASES:
        ours, theirs = best[title, "hedgerow"], best[title, "mosquitto"]
        lines.append(f"| {title} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs if theirs else 0:.2f} |")
    text = "\n".join(lines) + "\n"
    print(text)
    with Path(__file__).with_name("results.md").open("a") as file:
        file.write(text)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0)
