"""Requests as bytes on a socket: signed ones of our own making, and what no HTTP library would send."""

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hedgerow.core.wire import HttpRequest, sigv4
from hedgerow.testing import CloudProcess

ANSWER_S = 20.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Response:
    """The first answer on a connection; status 0 when there was none."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """Answer a header's value, "" when there is none."""
        found = re.search(rf"\r\n{name}: *([^\r]*)".encode(), self.head, re.IGNORECASE)
        return found[1].decode("latin-1") if found else ""


class RawClient:
    """Sends bytes to a cloud's API, each time over a connection of its own."""

    def __init__(self, cloud: CloudProcess) -> None:
        self._ready = cloud.ready
        self._port = int(cloud.ready["api_url"].rpartition(":")[2])
        self.host = f"127.0.0.1:{self._port}"

    def send(self, data: bytes, *, half_closed: bool = False) -> Response:
        """Answer what came back; a connection that is closed while we still write is no error."""
        came = b""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.settimeout(ANSWER_S)
            try:
                connection.sendall(data)
                if half_closed:
                    connection.shutdown(socket.SHUT_WR)
                while not _complete(came, head_only=data.startswith(b"HEAD ")) and (piece := connection.recv(65536)):
                    came += piece
            except ConnectionError:
                pass
        head, _, body = came.partition(b"\r\n\r\n")
        return Response(int(head[9:12]) if head else 0, head, body)

    def signed(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: str = "",
        service: str = "iot",
        headers: Mapping[str, str] | None = None,
        length: str | None = "",
        **options: Any,
    ) -> bytes:
        """Answer a signed request; `length` is the Content-Length to claim, None for no such header."""
        plain = {"host": self.host, **(headers or {})}
        own: dict[str, Any] = {
            "access_key_id": self._ready["access_key_id"],
            "secret": self._ready["secret_access_key"],
            "region": self._ready["region"],
            "now": time.time(),
            "service": service,
        }
        added = sigv4.sign(HttpRequest(method, path, query, plain, body), **{**own, **options})
        return self.unsigned(method, path, body, query=query, headers={**plain, **added}, length=length)

    def unsigned(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        length: str | None = "",
    ) -> bytes:
        """Answer a request with these headers and no others but Content-Length."""
        shown = {**(headers or {"host": self.host})}
        if length is not None:
            shown["content-length"] = length or str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in shown.items())
        return f"{method} {path}{'?' if query else ''}{query} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body

    def presigned(
        self, method: str, path: str, body: bytes = b"", *, service: str = "s3", expires_s: int = 60, late_s: float = 0
    ) -> bytes:
        """Answer a request presigned `late_s` ago."""
        ready = self._ready
        query = sigv4.presign(
            HttpRequest(method, path, "", {"host": self.host}),
            access_key_id=ready["access_key_id"],
            secret=ready["secret_access_key"],
            region=ready["region"],
            service=service,
            now=time.time() - late_s,
            expires_s=expires_s,
        )
        return self.unsigned(method, path, body, query=query)

    def well(self) -> bool:
        """Say whether a normal call is answered."""
        return self.send(self.signed("GET", "/endpoint")).status == 200


def _complete(came: bytes, *, head_only: bool) -> bool:
    head, end, body = came.partition(b"\r\n\r\n")
    if not end:
        return False
    length = _LENGTH.search(head)
    return head_only or head[9:12] in (b"204", b"304") or (length is not None and len(body) >= int(length[1]))
