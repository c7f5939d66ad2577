"""A device at the vending machine: what it said, what was decided about it, and what it gets therefore.

A device shows its serial number and a token, both of which may be printed on it. Unknown, it waits (PENDING) until
somebody approves or denies it; approved, whoever shows the same token gets one certificate (ISSUED). The token is good
once: the same token with the same key is the device that lost the answer and gets the same one, another key is refused
until it is approved again. Who shows another token than the one that waits is refused, and does not take its place.
Tokens are kept as keyed hashes, so that who reads the database cannot show one.
"""

import hashlib
import hmac
import ipaddress
import json
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.services.iot.vending.errors import AlreadyIssued

PENDING_S: Final = 7 * 86400.0
APPROVED_S: Final = 7 * 86400.0
RETRY_S: Final = 60
MOST_PENDING: Final = 1000
MOST_OF_ADDRESS: Final = 200  # of those; a factory may sit behind one address
MOST_IMPORTED: Final = 100  # of one call
MOST_GUESSES: Final = 100  # tokens, for one serial number in an hour
_REMEMBERED: Final = 10_000


class State(Enum):
    """What was decided about a device."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    ISSUED = "ISSUED"


class Decision(Enum):
    """What a device that asks gets."""

    WAIT = "wait"
    ISSUE = "issue"
    AGAIN = "again"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device."""

    serial: str
    state: State
    token: str  # keyed hash
    requested_at: float | None = None
    address: str | None = None
    expires_at: float | None = None  # of what was decided, or of the waiting
    template: str | None = None
    parameters: Mapping[str, str] | None = None
    decided_at: float | None = None
    decided_by: str | None = None
    key: str | None = None  # SHA-256 of the public key that got the certificate
    certificate_id: str | None = None
    reply: Mapping[str, Any] | None = None

    def shows(self, token: str) -> bool:
        """Tell whether this is its token."""
        return hmac.compare_digest(self.token, token)

    def decide(self, token: str, key: str, *, now: float) -> tuple[Decision, str]:
        """Answer what who shows this token and key gets, and why where that is nothing."""
        if not self.shows(token):
            return Decision.REFUSE, "it showed another token than the one that is known"
        if self.state is State.DENIED:
            return Decision.REFUSE, "it was denied"
        if self.state is State.ISSUED:
            same = self.key == key
            return (Decision.AGAIN, "") if same else (Decision.REFUSE, "its token was used for another key")
        if self.state is State.PENDING:
            return Decision.WAIT, ""
        if self.expires_at is not None and now > self.expires_at:
            return Decision.REFUSE, "its approval has expired"
        return Decision.ISSUE, ""

    def approved(
        self, *, template: str, parameters: Mapping[str, str], by: str, now: float, until: float | None = None
    ) -> "Device":
        """Answer it when it may have a certificate (again, if it had one)."""
        return replace(
            self,
            state=State.APPROVED,
            template=template,
            parameters=parameters,
            decided_at=now,
            decided_by=by,
            expires_at=now + APPROVED_S if until is None else until,
        )

    def denied(self, *, by: str, now: float) -> "Device":
        """Answer it when it may not; raise AlreadyIssued when it has its certificate."""
        if self.state is State.ISSUED:
            raise AlreadyIssued(self.serial)
        return replace(self, state=State.DENIED, decided_at=now, decided_by=by, expires_at=None)

    def outlasts_import(self, token: str) -> bool:
        """Tell whether it stays as it is although a list has its serial number with this token.

        A list that is imported again does not take a denial back; one that knows another token is about another device.
        """
        return self.state is State.ISSUED or (self.state is State.DENIED and self.shows(token))

    def issued(self, *, key: str, certificate_id: str, reply: Mapping[str, Any]) -> "Device":
        """Answer it with its certificate."""
        return replace(self, state=State.ISSUED, key=key, certificate_id=certificate_id, reply=reply, expires_at=None)


class Secrets:
    """Hashes tokens under a key, which must outlive a restart."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def hashed(self, account: str, serial: str, token: str) -> str:
        """Answer the keyed hash of a device's token."""
        said = json.dumps(["vending", account, serial, token]).encode()
        return hmac.digest(self._key, said, hashlib.sha256).hex()


class Throttle:
    """Lets each one do something so many times within so long. It forgets those that it has not seen for longest."""

    def __init__(self, clock: Clock, *, most: int, within_s: float) -> None:
        self._clock = clock
        self._most = float(most)
        self._per_s = most / within_s
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admits(self, who: str) -> bool:
        """Count one time; tell whether it is not one too many."""
        left, now = self._left(who), self._clock.monotonic()
        self._seen.pop(who, None)
        self._seen[who] = (max(0.0, left - 1), now)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return left >= 1

    def exhausted(self, who: str) -> bool:
        """Tell whether another time would be one too many."""
        return self._left(who) < 1

    def _left(self, who: str) -> float:
        now = self._clock.monotonic()
        left, at = self._seen.get(who, (self._most, now))
        return min(self._most, left + (now - at) * self._per_s)


class Throttles:
    """How often an address may ask, a serial number be guessed for, and a refusal be written down.

    A serial number that too many tokens were guessed for is not looked at for a while, whoever asks. A refusal that
    comes again and again is written down now and then, or a stranger could drive all else out of the record.
    Who was told to wait and is asked for because of a decision does not count: a whole factory may be approved at once.
    """

    def __init__(self, clock: Clock) -> None:
        self.asking = Throttle(clock, most=30, within_s=60)
        self.guessing = Throttle(clock, most=MOST_GUESSES, within_s=3600)
        self.noting = Throttle(clock, most=1, within_s=600)
        self._expected: Counter[str] = Counter()

    def admits(self, address: str, device: str) -> bool:
        """Count one time that an address asks for a device; tell whether it may."""
        return self._expected[device] > 0 or self.asking.admits(neighbourhood(address))

    @contextmanager
    def expecting(self, account: str, serial: str) -> Iterator[None]:
        """Let the device be asked for within the block, however often its address asked."""
        device = device_of(account, serial)
        self._expected[device] += 1
        try:
            yield
        finally:
            self._expected[device] -= 1
            self._expected += Counter()  # forgets who is not expected any more


def neighbourhood(address: str | None) -> str:
    """Answer who counts as one: of IPv6 the /64, which is a single customer's, and any host there has all of it."""
    try:
        read = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(read, ipaddress.IPv4Address):
        return str(read)
    return str(read.ipv4_mapped or ipaddress.ip_network((int(read) >> 64 << 64, 64)))


def device_of(account: str, serial: str) -> str:
    """Answer what a device is called among those of all accounts."""
    return f"{account}/{serial}"
