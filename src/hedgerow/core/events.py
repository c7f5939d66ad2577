"""What an operation lets happen after its commit: values, released in commit order.

These are for what may be lost with the process (a message to whoever listens, a cached grant to be replaced). What must
happen even after a crash is a follow-up row, written in the operation's own transaction (`Tx.follow_up`).
"""

from dataclasses import dataclass

from hedgerow.core.iotlog import LogRules
from hedgerow.core.tls import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A message from Hedgerow itself to an account's topic tree: `$aws/…` answers, presence, republished ones."""

    account: str
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: bytes = b""  # MQTT 5 properties, encoded, without their length
    expires_at: float | None = None  # seconds since the epoch: nobody gets it later


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorisationChanged:
    """What these principals may do has changed: their live connections get new grants within a second.

    `principals` are certificate ids or principal ARNs; empty means everyone in the account.
    """

    account: str
    principals: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalCut:
    """This principal may no longer be connected (certificate deactivated, revoked, deleted)."""

    account: str
    principal: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCut:
    """This client is to be disconnected (DeleteConnection)."""

    account: str
    client_id: str
    clean_session: bool = False
    prevent_will: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainChanged:
    """A domain configuration was made, changed or deleted (`domain` is None): the listeners go by it from now on."""

    account: str
    configuration: str
    name: str  # the host name
    domain: Domain | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesChanged:
    """The account's topic rules changed: the compiled set is read again."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsConfigured:
    """The account has these kinds of registry events switched on from now on, and no others."""

    account: str
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingChanged:
    """What the account wants to have in its IoT log changed: `rules` hold from now on."""

    account: str
    rules: LogRules


Event = (
    Published
    | AuthorisationChanged
    | PrincipalCut
    | ClientCut
    | DomainChanged
    | RulesChanged
    | EventsConfigured
    | LoggingChanged
)
