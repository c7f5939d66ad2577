"""Rights that are asked for again: many in one question, each connection once for many changes, a few before many."""

from collections.abc import Callable, Sequence

import pytest

from hedgerow.core.mqtt import MQTT_5, Reason
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted, Question, Regrant, Reply
from hedgerow.gateway.regranting import AT_ONCE
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.test_custom_authorizers import SEEN
from tests.unit.gateway.world import Client, World

MANY = 2 * AT_ONCE + 10


@pytest.fixture
def direct() -> World:
    return World()


def crowd(world: World) -> list[Client]:
    clients = [world.client(f"c{number}", version=MQTT_5) for number in range(MANY)]
    world.control.admits.clear()
    return clients


def questions(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[int], None] = lambda number: None
) -> list[list[str]]:
    """Answer, once filled, who was asked about in each question; `meanwhile` happens while the nth is answered."""
    asked: list[list[str]] = []
    ask_many = world.control.ask_many

    async def noted(batch: Sequence[Admit], *, deadline_s: float) -> Sequence[Admitted | NotAdmitted]:
        asked.append([question.client_id for question in batch])
        replies = await ask_many(batch, deadline_s=deadline_s)
        meanwhile(len(asked))
        return replies

    monkeypatch.setattr(world.control, "ask_many", noted)
    return asked


def test_many_are_asked_about_in_few_questions(direct: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = crowd(direct)
    asked = questions(direct, monkeypatch)
    direct.control.denied = ("iot:Publish *",)

    direct.hub.tell("*", Regrant(account=ACCOUNT))
    direct.run()
    for client in clients:
        client.publish("t", qos=1)

    assert [len(batch) for batch in asked] == [AT_ONCE, AT_ONCE, 10]
    assert [client.acks() for client in clients] == [[Reason.NOT_AUTHORIZED]] * MANY
    assert direct.gateways[0].statistics()["regrants"] == 0


def test_who_waits_waits_once_and_is_asked_about_again_when_it_was_too_late(
    direct: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = crowd(direct)
    waiting: list[int] = []

    def changes(number: int) -> None:
        waiting.append(direct.gateways[0].statistics()["regrants"])
        if number == 2:
            direct.control.denied = ("iot:Publish *",)
            for _ in range(5):
                direct.hub.tell("*", Regrant(account=ACCOUNT))

    asked = questions(direct, monkeypatch, changes)
    direct.hub.tell("*", Regrant(account=ACCOUNT))
    direct.run()
    for client in clients:
        client.publish("t", qos=1)

    assert [client.acks() for client in clients] == [[Reason.NOT_AUTHORIZED]] * MANY
    assert max(waiting) <= MANY
    assert sum(map(len, asked)) == 2 * AT_ONCE + MANY


def test_a_few_are_asked_about_before_many(direct: World, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(direct)
    last = f"c{MANY - 1}"

    def one(number: int) -> None:
        if number == 1:
            direct.hub.tell("*", Regrant(account=ACCOUNT, principals=frozenset({f"cert-of-{last}"})))

    asked = questions(direct, monkeypatch, one)
    direct.hub.tell("*", Regrant(account=ACCOUNT))
    direct.run()

    assert asked[1][0] == last
    assert sorted(name for batch in asked for name in batch) == sorted(f"c{number}" for number in range(MANY))


def test_what_control_stumbles_over_costs_only_the_one_its_rights(
    direct: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [direct.client(name, version=MQTT_5) for name in "abc"]
    ask = direct.control.ask

    async def stumbling(question: Question, *, deadline_s: float) -> Reply:
        if isinstance(question, Admit) and question.client_id == "b":
            raise ValueError("a bug")
        return await ask(question, deadline_s=deadline_s)

    monkeypatch.setattr(direct.control, "ask", stumbling)
    direct.control.denied = ("iot:Publish *",)
    direct.hub.tell("*", Regrant(account=ACCOUNT))
    direct.run()
    for client in (clients[0], clients[2]):
        client.publish("t", qos=1)

    assert [client.wire.closed for client in clients] == [False, True, False]
    assert [client.acks() for client in (clients[0], clients[2])] == [[Reason.NOT_AUTHORIZED]] * 2


def test_who_left_while_it_waited_is_not_asked_about(direct: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = crowd(direct)
    asked = questions(direct, monkeypatch, lambda number: clients[-1].drop())

    direct.hub.tell("*", Regrant(account=ACCOUNT))
    direct.run()

    assert sum(map(len, asked)) == MANY - 1


def test_a_slow_authorizer_does_not_bring_old_rights_back(direct: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = direct.clock.now()
    direct.control.admitted = {"ends_at": now + 900, "refresh_at": now + 300}
    client = direct.client("a", version=MQTT_5, peer=SEEN, keep_alive=1200)
    ask = direct.control.ask

    async def overtaken(question: Question, *, deadline_s: float) -> Reply:
        monkeypatch.setattr(direct.control, "ask", ask)
        read_before = await ask(question, deadline_s=deadline_s)
        direct.control.denied = ("iot:Publish *",)
        direct.hub.tell("*", Regrant(account=ACCOUNT))
        direct.run()
        return read_before

    direct.control.admitted = {"ends_at": now + 900, "refresh_at": now + 600}
    monkeypatch.setattr(direct.control, "ask", overtaken)
    direct.advance(300)
    client.publish("t", qos=1)

    assert client.acks() == [Reason.NOT_AUTHORIZED]
