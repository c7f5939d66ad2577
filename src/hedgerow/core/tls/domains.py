"""What a domain configuration makes of a way in: whose it is, what may be spoken there, and how a client proves itself.

With the type DEFAULT port and ALPN decide, as everywhere else; with any other, the configuration does, on each port
that speaks its protocol, and an ALPN name that contradicts it closes the door.
Spec: AWS IoT Core developer guide, "Device communication protocols" and "Configuring TLS settings".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from hedgerow.core.tls.ways import Port, Proof, Speech, WayIn, names_for, way_for

DEFAULT_POLICY: Final = "IoTSecurityPolicy_TLS13_1_2_2022_10"


class Application(Enum):
    """What is spoken: AWS's application protocols."""

    DEFAULT = "DEFAULT"
    SECURE_MQTT = "SECURE_MQTT"
    MQTT_WSS = "MQTT_WSS"
    HTTPS = "HTTPS"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityPolicy:
    """Which versions of TLS are spoken, as (major, minor) of the standard, and the suites of TLS 1.2 (OpenSSL's)."""

    lowest: tuple[int, int]
    highest: tuple[int, int]
    suites: str


_AES: Final = ("128-GCM-SHA256", "128-SHA256", "128-SHA", "256-GCM-SHA384", "256-SHA384", "256-SHA")
_SUITES: Final = ":".join(
    [f"ECDHE-{kind}-AES{each}" for kind in ("ECDSA", "RSA") for each in _AES]
    + [f"AES{each.replace('256-SHA384', '256-SHA256')}" for each in _AES]
)
SECURITY_POLICIES: Final[Mapping[str, SecurityPolicy]] = {
    "IoTSecurityPolicy_TLS13_1_3_2022_10": SecurityPolicy(lowest=(1, 3), highest=(1, 3), suites=_SUITES),
    DEFAULT_POLICY: SecurityPolicy(lowest=(1, 2), highest=(1, 3), suites=_SUITES),
    "IoTSecurityPolicy_TLS12_1_2_2022_10": SecurityPolicy(lowest=(1, 2), highest=(1, 2), suites=_SUITES),
    "IoTSecurityPolicy_TLS12_1_0_2016_01": SecurityPolicy(lowest=(1, 2), highest=(1, 2), suites=_SUITES),
    "IoTSecurityPolicy_TLS12_1_0_2015_01": SecurityPolicy(
        lowest=(1, 2), highest=(1, 2), suites=_SUITES + ":DHE-RSA-AES256-SHA"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A name by which an account's devices find the cloud, and what counts there."""

    account: str
    configuration: str
    name: str  # the host name, in lower case
    enabled: bool = True
    proof: Proof | None = None  # None: port and ALPN decide
    application: Application = Application.DEFAULT
    policy: str = DEFAULT_POLICY
    authorizer: str | None = None  # asked by default
    override: bool = True  # may the client name another authorizer?
    callback: str | None = None  # ARN of the function that is asked about each client certificate

    def way(self, port: Port, offered: Sequence[str]) -> WayIn | None:
        """Answer the way in for what a client offers at a port, None when there is none."""
        if not self.enabled:
            return None
        found = way_for(port, offered) if self.application is Application.DEFAULT else self._own(port, offered)
        if found is None:
            return None
        return replace(found, domain=self.configuration, account=self.account)

    def _own(self, port: Port, offered: Sequence[str]) -> WayIn | None:
        speech = Speech.MQTT if self.application is Application.SECURE_MQTT else Speech.HTTP
        if port is (Port.HTTPS if speech is Speech.MQTT else Port.MQTT) or self.proof is None:
            return None
        known = [name for name in offered if name in names_for(Port.ALPN)]
        if known and not any(name in names_for(Port.ALPN, speech) for name in known):
            return None
        return WayIn(
            speech=speech,
            proofs=frozenset({self.proof}),
            upgrade=self.application is Application.MQTT_WSS,
            plain=self.application is Application.HTTPS,
        )
