"""How a thing's last connection stands.

A connection belongs to a thing when its certificate is attached to it exclusively, else when the client id is its name.
Source: AWS IoT developer guide, "Device connectivity status"; lifecycle events.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What the gateway told last. `at` is in seconds since the epoch, `epoch` grows from 0 with each connection."""

    thing: str
    client_id: str
    connected: bool
    at: float
    epoch: int
    reason: str = ""  # of the disconnection
    clean_session: bool | None = None
    keep_alive_s: int | None = None
    session_expiry_s: int | None = None
    source_ip: str | None = None  # the client's socket, and ours
    source_port: int | None = None
    target_ip: str | None = None
    target_port: int | None = None

    def supersedes(self, other: "Presence | None") -> bool:
        """Tell whether this is newer news of the client.

        A connection that was taken over may end after the next has begun, so that the number decides before the time.
        But numbers begin anew for a client that was away for long: a later beginning counts, whatever its number, and
        so does a later end where no connection is known. Of several clients that speak for one thing, the end of one
        is no end of another.
        """
        if other is None or other.client_id != self.client_id:
            return other is None or (self.at >= other.at and (self.connected or not other.connected))
        if (self.epoch, not self.connected) >= (other.epoch, not other.connected):
            return True
        return self.at > other.at and (self.connected or not other.connected)

    def members(self) -> Mapping[str, Any]:
        """Answer the members of AWS's ThingConnectivity; the timestamp in milliseconds."""
        found: dict[str, Any] = {
            "connected": self.connected,
            "timestamp": int(self.at * 1000),
            "clientId": self.client_id,
        }
        if self.reason:
            found["disconnectReason"] = self.reason
        if self.clean_session is not None:
            found["cleanSession"] = self.clean_session
        if self.keep_alive_s is not None:
            found["keepAliveDuration"] = self.keep_alive_s
        if self.session_expiry_s is not None:
            found["sessionExpiry"] = self.session_expiry_s
        return found

    def socket(self) -> Mapping[str, Any]:
        """Answer the members of AWS's that tell of addresses and ports, as far as they are known."""
        found = {
            "sourceIp": self.source_ip,
            "sourcePort": self.source_port,
            "targetIp": self.target_ip,
            "targetPort": self.target_port,
        }
        return {name: value for name, value in found.items() if value is not None}
