"""What publications and committed events do beyond their own transaction: the bus, the rules, the gateways' commands.

`Broker` is control's end of the bus. A gateway's publication meets the rules here; a publication of Hedgerow's own goes
to every gateway and to the rules as well.
"""

from collections.abc import Callable, Sequence

from hedgerow.cloud.rules import RuleEngine
from hedgerow.core.events import (
    AuthorisationChanged,
    ClientCut,
    DomainChanged,
    Event,
    EventsConfigured,
    LoggingChanged,
    PrincipalCut,
    Published,
    RulesChanged,
)
from hedgerow.gateway.bus import Hub
from hedgerow.gateway.ports import Command, Cut, Message, Regrant, Stored


class Broker:
    """Implements the gateway's Bus for everyone in control."""

    def __init__(self, *, hub: Hub) -> None:
        self._hub = hub
        self._engine: RuleEngine | None = None
        self._listeners: list[Callable[[Event], None]] = []
        self._hearers: list[tuple[Callable[[str], bool], Callable[[Message], None]]] = []

    def connect(self, engine: RuleEngine) -> None:
        """Let the rules hear everything from now on."""
        self._engine = engine
        self._hub.on_message(self._on_message, interest=self._wants)

    def hear(self, wants: Callable[[str], bool], hearer: Callable[[Message], None]) -> None:
        """Have a part told of gateways' publications to the topics that it wants; before `connect`."""
        self._hearers.append((wants, hearer))

    def _wants(self, account: str, topic: str) -> bool:
        if any(wants(topic) for wants, _ in self._hearers):
            return True
        return self._engine is not None and self._engine.wants(account, topic)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have a part told of every committed event."""
        self._listeners.append(listener)

    def publish(self, message: Message, stored: Stored | None = None) -> None:
        """Publish for Hedgerow itself; `stored` is called once gateways and rules have what they need on disk."""
        engine = self._engine
        if stored is None:
            self._hub.publish(message)
            if engine is not None:
                engine.on_message(message)
            return
        both = _Both(stored)
        self._hub.publish(message, both.first)
        if engine is None or not engine.on_message(message, both.second):
            both.second(True)

    def tell(self, gateway: str, command: Command) -> None:
        """Give gateways a command."""
        self._hub.tell(gateway, command)

    def on_commit(self, events: Sequence[Event]) -> None:
        """Let go what was committed, in order."""
        if not events:
            return
        if self._engine is not None:
            self._engine.on_events(events)
        for event in events:
            for listener in self._listeners:
                listener(event)
            self._release(event)

    def _release(self, event: Event) -> None:
        match event:
            case Published():
                self.publish(
                    Message(
                        account=event.account,
                        topic=event.topic,
                        payload=event.payload,
                        qos=event.qos,
                        retain=event.retain,
                        properties=event.properties,
                        expires_at=event.expires_at,
                    )
                )
            case AuthorisationChanged():
                self.tell("*", Regrant(account=event.account, principals=event.principals))
            case PrincipalCut():
                self.tell("*", Cut(account=event.account, principal=event.principal, reason=event.reason))
            case ClientCut():
                self.tell(
                    "*",
                    Cut(
                        account=event.account,
                        client_id=event.client_id,
                        reason="API_INITIATED_DISCONNECT",
                        clean_session=event.clean_session,
                        prevent_will=event.prevent_will,
                    ),
                )
            case DomainChanged():
                if event.domain is None or not event.domain.enabled:
                    reason = "FORBIDDEN_ACCESS"
                    self.tell("*", Cut(account=event.account, domain=event.configuration, reason=reason))
            case LoggingChanged():  # connections hear what is wanted of them when they are let in
                self._hub.interest_changed()
                self.tell("*", Regrant(account=event.account, logging=event.rules))
            case RulesChanged():
                self._hub.interest_changed()
            case EventsConfigured():
                pass  # for listeners alone

    def _on_message(self, message: Message, stored: Stored | None) -> None:
        for wants, hearer in self._hearers:
            if wants(message.topic):
                hearer(message)
        if (self._engine is None or not self._engine.on_message(message, stored)) and stored is not None:
            stored(True)


class _Both:
    """Calls `stored` once two parties have answered."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._answers: list[bool | None] = [None, None]

    def first(self, ok: bool) -> None:
        self._answer(0, ok)

    def second(self, ok: bool) -> None:
        self._answer(1, ok)

    def _answer(self, place: int, ok: bool) -> None:
        if self._answers[place] is None:
            self._answers[place] = ok
            if None not in self._answers:
                self._stored(all(self._answers))
