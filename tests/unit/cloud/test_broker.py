"""Control's end of the bus: publications meet gateways and rules, events become commands."""

from collections.abc import Callable, Iterable
from typing import Any, cast

from hedgerow.cloud.broker import Broker
from hedgerow.core.events import AuthorisationChanged, ClientCut, Event, PrincipalCut, Published, RulesChanged
from hedgerow.gateway.bus import DirectBus
from hedgerow.gateway.ports import Cut, Message, Regrant, Stored

ACCOUNT = "123456789012"
MESSAGE = Message(account=ACCOUNT, topic="a/b", payload=b"x", qos=1)


class Rules:
    """Stands for the engine: takes messages on the topics it wants and keeps who asked for durability."""

    def __init__(self, *topics: str) -> None:
        self._topics = topics
        self.heard: list[Message] = []
        self.waiting: list[Stored] = []
        self.events: list[Event] = []

    def wants(self, account: str, topic: str) -> bool:
        return topic in self._topics

    def on_message(self, message: Message, stored: Stored | None = None) -> bool:
        if not self.wants(message.account, message.topic):
            return False
        self.heard.append(message)
        if stored is not None:
            self.waiting.append(stored)
        return True

    def on_events(self, events: Iterable[Event]) -> None:
        self.events.extend(events)


class World:
    def __init__(self, *topics: str, stores: bool = True) -> None:
        self.hub = DirectBus()
        self.broker = Broker(hub=self.hub)
        self.rules = Rules(*topics)
        self.broker.connect(cast("Any", self.rules))
        self.delivered: list[Message] = []
        self.commands: list[object] = []
        self.changes = 0
        self._stores = stores
        self.gateway = self.hub.attach("g", self._on_message, self.commands.append, self._changed)

    def _on_message(self, message: Message, stored: Stored | None) -> None:
        self.delivered.append(message)
        if stored is not None:
            stored(self._stores)

    def _changed(self) -> None:
        self.changes += 1


def answers() -> tuple[list[bool], Callable[[bool], None]]:
    given: list[bool] = []
    return given, given.append


def test_our_own_publication_reaches_gateways_and_rules() -> None:
    world = World("a/b")

    world.broker.publish(MESSAGE)

    assert (world.delivered, world.rules.heard) == ([MESSAGE], [MESSAGE])


def test_it_is_stored_when_both_have_it() -> None:
    world = World("a/b")
    given, stored = answers()

    world.broker.publish(MESSAGE, stored)
    before = list(given)
    world.rules.waiting[0](True)

    assert (before, given) == ([], [True])


def test_it_is_not_stored_when_one_of_them_could_not() -> None:
    world = World("a/b", stores=False)
    given, stored = answers()

    world.broker.publish(MESSAGE, stored)
    world.rules.waiting[0](True)

    assert given == [False]


def test_without_a_rule_only_the_gateways_are_waited_for() -> None:
    world = World()
    given, stored = answers()

    world.broker.publish(MESSAGE, stored)

    assert given == [True]


def test_a_gateways_publication_is_stored_when_its_rules_are_done() -> None:
    world = World("a/b")
    given, stored = answers()

    world.gateway.publish(MESSAGE, stored)
    before = list(given)
    world.rules.waiting[0](True)

    assert (before, given) == ([], [True])
    assert world.delivered == [], "it does not come back to where it came from"


def test_a_gateway_hears_which_topics_rules_want() -> None:
    world = World("a/b")

    assert world.gateway.wants(ACCOUNT, "a/b")
    assert not world.gateway.wants(ACCOUNT, "other")


def test_committed_events_go_to_listeners_rules_and_gateways_in_order() -> None:
    world = World()
    heard: list[Event] = []
    world.broker.listen(heard.append)
    events: list[Event] = [
        Published(account=ACCOUNT, topic="x", payload=b"1"),
        AuthorisationChanged(account=ACCOUNT, principals=frozenset({"c"})),
        PrincipalCut(account=ACCOUNT, principal="c", reason="revoked"),
        ClientCut(account=ACCOUNT, client_id="d", clean_session=True),
        RulesChanged(account=ACCOUNT),
    ]
    changes = world.changes

    world.broker.on_commit(events)

    assert heard == world.rules.events == events
    assert [message.topic for message in world.delivered] == ["x"]
    assert world.commands == [
        Regrant(account=ACCOUNT, principals=frozenset({"c"})),
        Cut(account=ACCOUNT, principal="c", reason="revoked"),
        Cut(account=ACCOUNT, client_id="d", reason="API_INITIATED_DISCONNECT", clean_session=True),
    ]
    assert world.changes == changes + 1
