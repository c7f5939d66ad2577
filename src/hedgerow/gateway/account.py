"""One account's part of the gateway: who subscribed to what, who is there, what is retained. Accounts share nothing.

A route is what publishing to one topic means at this moment; it is good as long as the tree's version is the route's.
"""

# hot path

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hedgerow.core.mqtt.limits import Limits
from hedgerow.core.mqtt.session import IDENTIFIER, NO_LOCAL, QOS, RETAIN_AS_PUBLISHED, Session, identifier_of
from hedgerow.core.mqtt.topics import split_share
from hedgerow.core.mqtt.trie import Trie
from hedgerow.gateway.retained import Retained

if TYPE_CHECKING:
    from hedgerow.gateway.connection import Connection

ROUTES: Final = 10_000  # cached per account; all are forgotten when there are more
RETIRED: Final = 100_000  # past connections remembered per account


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectivity:
    """Whether a client is connected, and how its last connection was. Times in seconds since the epoch."""

    client_id: str
    connected: bool
    since: float
    peer: str
    port: int
    target: str  # our own end of the socket, "" and 0 when it is not known
    target_port: int
    principal: str
    thing: str
    clean_session: bool
    keep_alive_s: int
    session_expiry_s: int
    session_id: str
    epoch: int
    disconnected_at: float | None = None
    disconnect_reason: str = "NONE"
    client_initiated: bool = False


class Group:
    """A shared subscription: everyone who subscribed to `$share/<name>/<filter>`."""

    __slots__ = ("_turn", "members")

    def __init__(self) -> None:
        self.members: dict[Session, int] = {}
        self._turn = 0

    def choose(self, topic: str, qos: int) -> tuple[Session, int] | None:
        """Answer the member whose turn it is: of those online, else one whose session is kept."""
        members = list(self.members.items())
        self._turn += 1
        count = len(members)
        kept = None
        for step in range(count):
            member, options = members[(self._turn + step) % count]
            link = member.link
            if link is not None:
                if link.may_receive(topic):
                    return member, options
            elif qos and options & QOS:
                kept = kept or (member, options)
        return kept


class Route:
    """Who gets a message of one topic. `uniform`: the version all receivers speak, when none needs a second look."""

    __slots__ = ("checked", "groups", "named", "remote", "targets", "topic", "uniform", "version")

    def __init__(self, topic: str, version: int) -> None:
        self.topic = topic
        self.version = version
        self.targets: list[tuple[Session, int]] = []  # (session, options)
        self.checked: list[tuple[Session, int]] = []  # the same, whose right to receive is asked each time
        self.groups: list[Group] = []
        self.named: dict[Session, bytes] = {}  # the identifiers of all its subscriptions that match, as properties
        self.remote = True  # somebody beyond this gateway may want it
        self.uniform = 0


class Account:
    """See the module."""

    __slots__ = (
        "_limits",
        "_of_principal",
        "connections",
        "groups",
        "name",
        "past",
        "retained",
        "routes",
        "sessions",
        "tree",
    )

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self._limits = limits
        self.tree: Trie[Session | Group] = Trie(parent_of_hash=limits.parent_of_hash)
        self.sessions: dict[str, Session] = {}
        self.connections: dict[str, Connection] = {}
        self._of_principal: dict[str, dict[Connection, None]] = {}
        self.groups: dict[str, Group] = {}
        self.retained = Retained(by_wildcard=limits.retained_by_wildcard, parent_of_hash=limits.parent_of_hash)
        self.routes: dict[str, Route] = {}
        self.past: OrderedDict[str, Connectivity] = OrderedDict()

    def enter(self, client_id: str, connection: "Connection") -> None:
        """The connection is let in; it has its admission."""
        self.connections[client_id] = connection
        self.note_principals(connection)

    def leave(self, client_id: str) -> None:
        self.forget_principals(self.connections.pop(client_id))

    def note_principals(self, connection: "Connection") -> None:
        for principal in connection.admitted.principals:
            self._of_principal.setdefault(principal, {})[connection] = None

    def forget_principals(self, connection: "Connection") -> None:
        """Before the connection's admission is another one, or when it leaves."""
        for principal in connection.admitted.principals:
            found = self._of_principal.get(principal, {})
            found.pop(connection, None)
            if not found:
                self._of_principal.pop(principal, None)

    def connections_of(self, principals: Iterable[str]) -> "list[Connection]":
        """Answer the connections that what happens to one of these happens to, without looking at all the others."""
        found: dict[Connection, None] = {}
        for principal in principals:
            found |= self._of_principal.get(principal, {})
        return list(found)

    def subscribe(self, session: Session, topic_filter: str, options: int) -> bool:
        """Add or replace a subscription; False when it was there."""
        share, plain = _split(topic_filter)
        if share:
            group = self.groups.get(topic_filter)
            if group is None:
                group = self.groups[topic_filter] = Group()
                self.tree.add(plain, group, 0)
            group.members[session] = options
        else:
            self.tree.add(plain, session, options)
        new = topic_filter not in session.subscriptions
        session.subscriptions[topic_filter] = options
        self.tree.version += 1
        return new

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """Take a subscription away; False when there was none."""
        if session.subscriptions.pop(topic_filter, None) is None:
            return False
        share, plain = _split(topic_filter)
        if share:
            group = self.groups[topic_filter]
            group.members.pop(session, None)
            if not group.members:
                del self.groups[topic_filter]
                self.tree.remove(plain, group)
        else:
            self.tree.remove(plain, session)
        self.tree.version += 1
        return True

    def forget(self, session: Session) -> None:
        """The session has ended: all its subscriptions go, and its name if it is still its own."""
        for topic_filter in tuple(session.subscriptions):
            self.unsubscribe(session, topic_filter)
        if self.sessions.get(session.client_id) is session:
            del self.sessions[session.client_id]

    def route(self, topic: str, wants: bool) -> Route:
        """Answer the topic's route as it is now; `wants` says whether anybody beyond the gateway may want it."""
        route = Route(topic, self.tree.version)
        route.remote = wants
        best: dict[Session, int] = {}
        for subscriber, options in self.tree.match(topic):
            if isinstance(subscriber, Group):
                route.groups.append(subscriber)
            else:
                if options >> IDENTIFIER:
                    route.named[subscriber] = route.named.get(subscriber, b"") + identifier_of(options)
                known = best.get(subscriber)
                best[subscriber] = options if known is None else _both(known, options)
        versions = set()
        plain = not (route.groups or route.named)
        for session, options in best.items():
            link = self.connections.get(session.client_id) if session.link is not None else None
            if link is not None:
                allowed, stays = link.permissions.decide("iot:Receive", f"topic/{topic}")
                if not stays:
                    route.checked.append((session, options))
                    plain = False
                    continue
                if not allowed:
                    continue
                plain = plain and link.max_packet >= self._limits.packet and not link.watched and link.aliases is None
            route.targets.append((session, options))
            versions.add(session.version)
            plain = plain and not session.persistent and not options & NO_LOCAL
        if plain and len(versions) <= 1:
            route.uniform = versions.pop() if versions else -1
        if len(self.routes) >= ROUTES:
            self.routes.clear()
        self.routes[topic] = route
        return route

    def changed(self) -> None:
        """Routes must be found again: somebody came, went, or may do other things than before."""
        self.tree.version += 1

    def retire(self, past: Connectivity) -> None:
        """Remember how a connection ended."""
        self.past[past.client_id] = past
        self.past.move_to_end(past.client_id)
        if len(self.past) > RETIRED:
            self.past.popitem(last=False)


def _both(one: int, other: int) -> int:
    """Answer the options of overlapping filters: the message comes once, and as far as any of them lets it."""
    rest = (one | other) & RETAIN_AS_PUBLISHED | one & other & NO_LOCAL
    return max(one & QOS, other & QOS) | rest


def _split(topic_filter: str) -> tuple[str, str]:
    split = split_share(topic_filter)
    if split is None:
        raise ValueError(f"{topic_filter!r} was not checked")
    return split
