"""What the gateway needs of the rest: values go in and out, never objects that live on the other side.

Promises: order per publisher; late and twice are possible; a gap in sequence numbers means "ask again".
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from hedgerow.core.iotlog import LogRules, Wanted
from hedgerow.core.tls import WayIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One publication on its way between publishers, gateways and control."""

    account: str
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: bytes = b""  # MQTT 5 properties that are forwarded, encoded, without their length
    expires_at: float | None = None  # seconds since the epoch
    client_id: str = ""  # of the publisher; "" when it is no MQTT client
    principal: str = ""  # certificate id or ARN of the publisher
    hops: int = 0  # by how many rules it was republished; counted in control alone
    trace: str = ""  # the id that joins lines of the account's IoT log, where there are any


class Way(Enum):
    """What may speak for a client on the way that it took."""

    CERTIFICATE = "certificate"  # nothing but a client certificate
    CUSTOM = "custom"  # no certificate was asked for: a custom authorizer (ALPN `mqtt`)
    WEBSOCKET = "websocket"  # a certificate, a signature, or a custom authorizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """The HTTP request that became a WebSocket."""

    headers: Mapping[str, str] = field(repr=False)  # lower-case names
    query: str = field(default="", repr=False)  # as it came
    secure: bool = True  # over TLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What a custom authorizer said of a client with a certificate, beside what the certificate's policies say."""

    policies: tuple[str, ...]
    ends_at: float  # seconds since the epoch
    refresh_at: float | None  # the authorizer is asked again then


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """The question at CONNECT: who is this, and what may it do?"""

    client_id: str
    peer: str  # IP address
    server_name: str | None  # SNI
    certificate: bytes | None  # DER, possession proved by the handshake
    username: str | None = field(default=None, repr=False)
    password: bytes | None = field(default=None, repr=False)
    signed_by: str | None = None  # principal ARN, when a WebSocket upgrade was signed (SigV4)
    signed_account: str | None = None
    signed_key: str | None = None  # the access key that it was signed with
    secure: bool = True  # over TLS
    way: Way = Way.CERTIFICATE
    upgrade: Upgrade | None = None  # of a WebSocket that neither a certificate nor a signature speaks for
    vouched: Vouched | None = None  # what an authorizer said before: it is not asked again
    checked: bool = False  # the certificate was looked at before: what a domain configuration asks is not asked again
    assigned: bool = False  # the client sent no id: this one is ours
    connection_id: str = ""  # where a custom authorizer may be asked
    way_in: WayIn | None = None  # that the listener opened, with its domain configuration; None is any


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The answer: let in, as this principal, with these documents."""

    account: str
    principal: str  # certificate id, the ARN of a signed caller, or what a custom authorizer calls the client
    policies: tuple[str, ...]  # policy documents (JSON text)
    names: tuple[str, ...] = ()  # of them, in their order, for explanations; may be fewer
    limits: tuple[tuple[str, ...], ...] = ()  # further sets of documents, each of which must allow, too
    dialect: str = "iot"  # which policy language the documents are in: "iot" or "iam"
    variables: Mapping[str, str] = field(default_factory=dict)  # fixed ones: `iot:Connection.Thing.ThingName` …
    ends_at: float | None = None  # seconds since the epoch; the connection is cut then
    epoch: int | None = None  # grows per (account, client id); needed where several gateways serve one control
    thing: str | None = None  # the exclusively attached thing, named in lifecycle events
    enrichment: tuple[tuple[str, str], ...] = ()  # user properties that each of its publications gets
    fixed: bool = False  # a custom authorizer said so: nothing but a refresh changes it
    refresh_at: float | None = None  # seconds since the epoch; the policies are asked for again then
    vouched: Vouched | None = None  # what of it an authorizer said, where a certificate says the rest
    logging: Wanted | None = None  # what the account's IoT log wants of it, None for nothing
    claim: bool = False  # it came for an identity: control is told of what it is refused (`Refused`)
    behind: str | None = None  # whoever's rights these are, where it is another principal: a federated user's user

    @property
    def principals(self) -> tuple[str, ...]:
        """Whatever happens to one of these happens to the connection."""
        return (self.principal,) if self.behind is None else (self.principal, self.behind)

    def concerns(self, principals: Collection[str]) -> bool:
        """Tell whether what happens to one of these happens to the connection."""
        return self.principal in principals or (self.behind is not None and self.behind in principals)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAdmitted:
    """The answer: not let in. `reason` is AWS's word (DEVICE_CERTIFICATE_INACTIVE …), `detail` a sentence for logs."""

    reason: str
    detail: str
    account: str | None = None  # whose certificate it was, where that is known
    principal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A publication to a `$aws/…` topic that Hedgerow answers itself (shadow, jobs, provisioning …)."""

    message: Message
    server_name: str | None = None
    peer: str = ""
    by_certificate: bool = True  # whether the message's principal is a certificate's id
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What a client that wants an identity may not do, for control to note; it answers nothing.

    The message is what was published. Of a subscription it has the filter as topic; of a packet that nobody can read,
    nothing.
    """

    message: Message
    peer: str = ""
    by_certificate: bool = True
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """Replies that go to the asking connection alone, as (topic, payload). What everyone may see comes by the bus."""

    replies: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A command: disconnect every connection that matches all the given parts."""

    account: str
    principal: str | None = None
    client_id: str | None = None
    domain: str | None = None  # those who came in by this domain configuration
    reason: str
    clean_session: bool = False
    prevent_will: bool = False
    before_epoch: int | None = None  # only connections of an older epoch (a takeover from another gateway)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regrant:
    """A command: ask again what these principals may do; empty means everyone in the account."""

    account: str
    principals: frozenset[str] = frozenset()
    logging: LogRules | None = None  # the account's IoT log changed: those who cannot be asked for again go by this


Question = Admit | Asked | Refused
Reply = Admitted | NotAdmitted | Replied
Command = Cut | Regrant
Stored = Callable[[bool], None]


class Bus(Protocol):
    """Carries publications between gateways and control."""

    def publish(self, message: Message, stored: Stored | None = None) -> None:
        """Hand a publication on. Never blocks, answers nothing.

        With `stored`, it is called later, once: True when everyone who needs the message durably has it on disk.
        """
        ...

    def tell(self, gateway: str, command: Command) -> None:
        """Give one gateway (its name; "*" for all) a command. Never blocks."""
        ...


class Control(Protocol):
    """Answers the gateway's questions."""

    async def ask(self, question: Question, *, deadline_s: float) -> Reply:
        """Answer the question; raise Unavailable when there is no answer within the deadline."""
        ...

    async def ask_many(self, questions: Sequence[Admit], *, deadline_s: float) -> Sequence[Admitted | NotAdmitted]:
        """Answer about connections that are there already, in their order; raises as `ask`, then for all of them."""
        ...

    def wants(self, message: Message) -> bool:
        """Tell at once whether a `$aws/…` publication is one that control answers (`Asked`)."""
        ...
