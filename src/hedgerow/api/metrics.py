"""Figures as Prometheus reads them, on the operators' port alone: `/_metrics` and `/metrics`.

They are for this machine, and for the networks that a setting names.

Devices' ports answer these paths like any other path that nobody knows.
Spec: Prometheus text exposition format 0.0.4.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hedgerow.api.app import (
    BODIES_LIMIT,
    ApiApp,
    ASGIApp,
    Receive,
    Scope,
    Send,
    is_of_this_machine,
    is_signed,
    send_response,
)
from hedgerow.core.wire import HttpResponse

PATHS: Final = frozenset({"/_metrics", "/metrics"})
COUNTER: Final = "counter"
GAUGE: Final = "gauge"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
NO_LABELS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with its samples: (labels, value)."""

    name: str
    kind: str
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]] = field(default_factory=tuple)

    def lines(self) -> Iterable[str]:
        """Answer the lines of the exposition."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.samples:
            named = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            yield f"{self.name}{{{named}}} {value}" if named else f"{self.name} {value}"


def one(name: str, kind: str, words: str, value: float) -> Family:
    """Answer a metric without labels."""
    return Family(name, kind, words, ((NO_LABELS, value),))


def by(name: str, kind: str, words: str, label: str, values: Mapping[str, float]) -> Family:
    """Answer a metric with one label."""
    return Family(name, kind, words, tuple(({label: key}, value) for key, value in values.items()))


def exposition(families: Iterable[Family]) -> bytes:
    """Answer the whole text."""
    return "".join(f"{line}\n" for family in families for line in family.lines()).encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class OperatorsApp:
    """The application with its figures: for the operators' port."""

    def __init__(
        self, app: ApiApp, *, figures: Callable[[], Awaitable[Iterable[Family]]], networks: Sequence[Network] = ()
    ) -> None:
        self._app: ASGIApp = app
        self._api = app
        self._figures = figures
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, as ASGI 3."""
        if scope["type"] != "http" or scope["path"] not in PATHS or is_signed(scope):  # a bucket may be called metrics
            await self._app(scope, receive, send)
        elif not self._may_read(scope):
            words = b"Metrics are for this machine, and for the networks in the setting metrics_networks.\n"
            await send_response(send, HttpResponse(403, {"content-type": "text/plain"}, words))
        else:
            text = exposition([*self._own(), *await self._figures()])
            await send_response(send, HttpResponse(200, {"content-type": "text/plain; version=0.0.4"}, text))

    def _may_read(self, scope: Scope) -> bool:
        if is_of_this_machine(scope):
            return True
        address = ipaddress.ip_address(scope["client"][0].partition("%")[0])
        plain = address.ipv4_mapped or address if address.version == 6 else address
        return any(plain in network for network in self._networks)

    def _own(self) -> Iterable[Family]:
        answered = sorted(self._api.answered.items())
        yield Family(
            "hedgerow_api_requests_total",
            COUNTER,
            "API calls by service, operation and status",
            tuple(
                ({"service": service, "operation": operation, "status": str(status)}, count)
                for (service, operation, status), count in answered
            ),
        )
        yield one("hedgerow_api_body_bytes", GAUGE, "Bytes of request bodies in memory", self._api.buffered)
        yield one("hedgerow_api_body_bytes_bound", GAUGE, "Beyond it new bodies are answered with 503", BODIES_LIMIT)
