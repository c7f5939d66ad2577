"""The ways in: which protocol a connection speaks and how its client may prove who it is, by port and ALPN.

AWS's table of protocols, ports and ALPN names is `_WAYS`; where we take more than AWS, the row says why. A domain
configuration narrows a way down further. Whoever admits a connection reads its `WayIn`.
Spec: AWS IoT Core developer guide, "Device communication protocols"; sheet section 1.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Port(Enum):
    """A kind of listener, by the port that AWS has it on."""

    MQTT = 8883
    HTTPS = 8443
    ALPN = 443


class Speech(Enum):
    """What is spoken inside TLS."""

    MQTT = "MQTT"
    HTTP = "HTTP"  # WebSocket is an upgrade within it


class Proof(Enum):
    """How a client proves who it is. The values are AWS's authentication types."""

    X509 = "AWS_X509"
    X509_AND_CUSTOM = "CUSTOM_AUTH_X509"  # a certificate, and an authorizer that sees it
    SIGV4 = "AWS_SIGV4"
    CUSTOM = "CUSTOM_AUTH"  # a custom authorizer


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """One way in."""

    speech: Speech
    proofs: frozenset[Proof]
    upgrade: bool = True  # MQTT over WebSocket, too, where HTTP is spoken
    plain: bool = True  # HTTP requests, too, where HTTP is spoken
    domain: str | None = None  # the domain configuration that the server name chose; None is the default one
    account: str | None = None  # whose domain configuration that is

    @property
    def certificates(self) -> bool:
        """Whether the listener asks for a client certificate."""
        return not self.proofs.isdisjoint((Proof.X509, Proof.X509_AND_CUSTOM))


def _way(speech: Speech, *proofs: Proof) -> WayIn:
    return WayIn(speech=speech, proofs=frozenset(proofs))


# An operator may have no right to port 443, so custom authorizers can be used on 8883 (with `mqtt`) and on 8443 as
# well. On 443 without ALPN we ask for a certificate, which a client need not have: AWS's credential provider does so
# there, and here all endpoints are one host.
_WAYS: Final = {
    (Port.ALPN, "x-amzn-mqtt-ca"): _way(Speech.MQTT, Proof.X509),
    (Port.ALPN, "mqtt"): _way(Speech.MQTT, Proof.CUSTOM),
    (Port.ALPN, "x-amzn-http-ca"): _way(Speech.HTTP, Proof.X509),
    (Port.ALPN, "http/1.1"): _way(Speech.HTTP, Proof.X509, Proof.SIGV4, Proof.CUSTOM),
    (Port.ALPN, None): _way(Speech.HTTP, Proof.X509, Proof.SIGV4, Proof.CUSTOM),
    (Port.MQTT, "x-amzn-mqtt-ca"): _way(Speech.MQTT, Proof.X509),
    (Port.MQTT, "mqtt"): _way(Speech.MQTT, Proof.CUSTOM),
    (Port.MQTT, None): _way(Speech.MQTT, Proof.X509),
    (Port.HTTPS, "x-amzn-http-ca"): _way(Speech.HTTP, Proof.X509),
    (Port.HTTPS, "http/1.1"): _way(Speech.HTTP, Proof.X509, Proof.SIGV4, Proof.CUSTOM),
    (Port.HTTPS, None): _way(Speech.HTTP, Proof.X509, Proof.SIGV4, Proof.CUSTOM),
}


def names_for(port: Port, speech: Speech | None = None) -> tuple[str, ...]:
    """Answer the ALPN names that a port acknowledges, the preferred one first; of one speech if that is given."""
    return tuple(
        name for (of, name), way in _WAYS.items() if of is port and name is not None and speech in (None, way.speech)
    )


def way_for(port: Port, offered: Sequence[str]) -> WayIn:
    """Answer the way for what a client offers; names that nobody knows are as if it had offered none."""
    chosen = next((name for name in names_for(port) if name in offered), None)
    return _WAYS[port, chosen]
