"""The short way of a PUBLISH: to everyone on its route as it came, without being decoded.

For a route whose receivers all speak the publisher's version and keep nothing on disk (`Route.uniform`); which packets
may take it is decided in `connection`. Spec: MQTT 5.0 section 3.3.
"""

# hot path

from typing import TYPE_CHECKING, Final

from hedgerow.core.mqtt.packets import MQTT_3_1_1
from hedgerow.core.mqtt.properties import write_varint
from hedgerow.core.mqtt.session import QOS, Parcel
from hedgerow.gateway.account import Route

if TYPE_CHECKING:
    from hedgerow.gateway.routing import Router

NOTHING: Final = (0, Parcel("", b""))  # stands in flight for what nobody will ask for again


def fan_out(router: "Router", route: Route, frame: bytes) -> None:
    """At QoS 0 the packet goes on as it is."""
    for session, _ in route.targets:
        link = session.link
        if link is None or link.congested:
            session.dropped += 1
            router.dropped += 1
            continue
        out = link.out
        out.append(frame)
        if len(out) == 1:
            link.wake()


def fan_out_1(router: "Router", route: Route, head: bytes, tail: bytes, version: int) -> None:
    """At QoS 1 only the packet identifier, between head and tail, is another for each receiver."""
    frame = b""
    waits: Parcel | None = None  # one for all who are slow: they may be many
    for session, options in route.targets:
        link = session.link
        if link is None:
            continue
        if options & QOS:
            in_flight = session.in_flight
            if session.queue or link.congested or len(in_flight) >= session.window:
                if waits is None:
                    waits = Parcel(route.topic, tail if version == MQTT_3_1_1 else tail[1:], 1)
                if not session.hold(0, waits):
                    router.dropped += 1
                continue
            ident = session.take_id()
            in_flight[ident] = NOTHING
            link.out += (head, ident.to_bytes(2, "big"), tail)
            link.extra += 2
            link.wake()
        elif not link.congested:
            if not frame:
                frame = _at_qos_0(route.topic, tail)
            link.out.append(frame)
            link.wake()


def _at_qos_0(topic: str, tail: bytes) -> bytes:
    raw = topic.encode()
    body = len(raw).to_bytes(2, "big") + raw + tail
    return b"\x30" + write_varint(len(body)) + body
