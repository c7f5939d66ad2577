"""Where a listener of the cloud is, as texts say it: `host`, `host:port`, `[v6]:port`, or a URL of these."""

import re
from dataclasses import dataclass

from hedgerow.edge.section import Report

_HOST_AND_PORT = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:]+\]|[\w.-]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*)(:(?P<port>\d{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a listener of the cloud is."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint(text: str, port: int) -> Endpoint | None:
    """Read `host`, `host:port`, `[v6]:port` or a URL of these; None when it is none of them."""
    bare = re.sub(r"^[a-z]+://", "", text).rstrip("/")
    match = _HOST_AND_PORT.fullmatch(bare)
    if match is None or not 0 < int(match["port"] or port) < 65536:
        return None
    host = match["host"].strip("[]")
    try:
        host.encode("idna")  # as who looks it up will
    except UnicodeError:
        return None
    return Endpoint(host, int(match["port"] or port))


def endpoint_at(text: str, port: int, name: str, report: Report) -> Endpoint:
    """Read it as the value of the key `name`; what is none is in the report then."""
    found = endpoint(text, port)
    if found is None:
        report.wrong.append(f"{name} must be a host or host:port, not {text!r}")
    return found or Endpoint("", port)
