"""MQTT servers side by side, each a process on one core: our gateway, Mosquitto, amqtt."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SERVER_CORE, LOAD_CORE = {min(os.sched_getaffinity(0))}, {max(os.sched_getaffinity(0))}
AMQTT = HERE.parent / "build" / "bench" / "bin" / "amqtt"


@dataclass(frozen=True, slots=True)
class Broker:
    """A server that listens."""

    name: str
    pid: int
    port: int

    def pss_kb(self) -> int:
        """The process' share of memory."""
        with open(f"/proc/{self.pid}/smaps_rollup") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


Start = Callable[[Path], AbstractContextManager[Broker]]


@contextmanager
def hedgerow(folder: Path) -> Iterator[Broker]:
    command = [sys.executable, str(HERE / "mqtt_server.py"), str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        alone(process.pid)
        yield Broker("hedgerow", process.pid, port)
    finally:
        _, said = process.communicate(timeout=30)
        if process.returncode:
            print(said.decode(), file=sys.stderr)


@contextmanager
def mosquitto(folder: Path) -> Iterator[Broker]:
    port = free_port()
    rules = [f"pattern write other/{number}/%c" for number in range(18)] + ["topic readwrite bench/#"]
    (folder / "acl").write_text("\n".join([*rules, "user device", "topic readwrite bench/#"]) + "\n")
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\ncafile {folder}/device-ca.pem\ncertfile {folder}/server.crt\n"
        f"keyfile {folder}/server.key\nrequire_certificate true\nuse_identity_as_username true\n"
        f"acl_file {folder}/acl\nmax_inflight_messages 100\nset_tcp_nodelay true\nlog_dest none\nuser root\n"
    )
    binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with _other("mosquitto", [binary, "-c", str(folder / "mosquitto.conf")], port) as broker:
        yield broker


@contextmanager
def amqtt(folder: Path) -> Iterator[Broker]:
    port = free_port()
    files = {"cafile": folder / "device-ca.pem", "certfile": folder / "server.crt", "keyfile": folder / "server.key"}
    tls = {"ssl": True, **{name: str(path) for name, path in files.items()}}
    settings = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 2000, **tls}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    (folder / "amqtt.yaml").write_text(json.dumps(settings))  # JSON is YAML
    with _other("amqtt", [str(AMQTT), "-c", str(folder / "amqtt.yaml")], port) as broker:
        yield broker


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _other(name: str, command: Sequence[str], port: int) -> Iterator[Broker]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_listening(process, port)
        alone(process.pid)
        yield Broker(name, process.pid, port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{process.args!r} does not listen")
            time.sleep(0.05)
        else:
            return


def alone(pid: int) -> None:
    """Give all threads of a server one core."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), SERVER_CORE)
