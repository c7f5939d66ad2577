"""A server under load: who it is, one core for it alone, and signing of what is too much for boto3 to sign."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3

from bench.replay import Figures, replay
from hedgerow.core.wire import HttpRequest, sigv4
from hedgerow.testing import CloudProcess


@dataclass(frozen=True, slots=True)
class Server:
    """A server with the API of AWS."""

    name: str
    pid: int
    session: boto3.Session
    port: int

    def client(self, service: str = "iot") -> Any:
        return self.session.client(service, endpoint_url=f"http://127.0.0.1:{self.port}")

    def run(self, requests: Sequence[bytes], connections: int) -> Figures:
        return replay(("127.0.0.1", self.port), requests, connections=connections, pid=self.pid)

    def signed(self, method: str, path: str, body: bytes) -> bytes:
        """Answer the bytes of one signed call to `iot`."""
        keys = self.session.get_credentials()
        assert keys is not None
        headers = {"host": f"127.0.0.1:{self.port}", "content-type": "application/json"}
        sign = partial(sigv4.sign, access_key_id=keys.access_key, secret=keys.secret_key, service="iot")
        headers |= sign(HttpRequest(method, path, "", headers, body), region=self.session.region_name, now=time.time())
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


def of_cloud(cloud: CloudProcess) -> Server:
    """Answer the server that a cloud is, and give it one core."""
    ready = cloud.ready
    alone(ready["pid"])
    session = session_of(ready["region"], ready["access_key_id"], ready["secret_access_key"])
    return Server("hedgerow", ready["pid"], session, int(ready["api_url"].rpartition(":")[2]))


def session_of(region: str, access_key_id: str, secret: str) -> boto3.Session:
    return boto3.Session(region_name=region, aws_access_key_id=access_key_id, aws_secret_access_key=secret)


def alone(pid: int) -> None:
    """Give the server one core, and us another."""
    cores = sorted(os.sched_getaffinity(0))
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {cores[0]})
    if len(cores) > 1:
        os.sched_setaffinity(0, set(cores[1:]))
