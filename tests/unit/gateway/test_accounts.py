"""Two accounts with the same thing name, topic and client id do not meet."""

from hedgerow.core.mqtt import MQTT_3_1_1, Publish, Will
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.world import World

OTHER = "210987654321"


def test_messages_stay_in_their_account(world: World) -> None:
    ours, theirs = world.client("ours"), world.client("theirs", account=OTHER)
    ours.subscribe("#", "$aws/events/#")
    theirs.subscribe("#", "$aws/events/#")
    ours.messages(), theirs.messages()

    world.client("s", account=OTHER).publish("t", b"secret", 1)

    assert [topic for topic, _ in theirs.messages()] == ["$aws/events/presence/connected/s", "t"]
    assert ours.messages() == []


def test_one_client_id_in_two_accounts_is_two_clients(world: World) -> None:
    ours = world.client("same")

    theirs = world.client("same", account=OTHER)

    assert not ours.wire.closed
    assert not theirs.wire.closed


def test_retained_messages_stay_in_their_account(world: World) -> None:
    world.client("s", account=OTHER).publish("t", b"secret", 1, retain=True)

    ours = world.client("l")
    ours.subscribe("t")

    assert [packet for packet in ours.inbox if isinstance(packet, Publish)] == []


def test_shared_groups_of_one_name_in_two_accounts_are_two(world: World) -> None:
    ours, theirs = world.client("a"), world.client("a", account=OTHER)
    ours.subscribe("$share/g/t")
    theirs.subscribe("$share/g/t")

    sender = world.client("s")
    for _ in range(2):
        sender.publish("t", b"ours")

    assert ours.messages() == [("t", b"ours")]
    assert theirs.messages() == []


def test_kept_sessions_and_wills_stay_in_their_account_over_a_crash(world: World) -> None:
    world.client("same", clean=False).subscribe("t")
    world.client("same", clean=False, account=OTHER, will=Will("t", b"secret", 1)).subscribe("u")

    with world.restarted():
        ours = world.client("same", clean=False)

    assert ours.version == MQTT_3_1_1
    assert [packet for packet in ours.inbox if isinstance(packet, Publish)] == []
    assert [message.account for message in world.control.heard if message.topic == "t"][-1] == OTHER


def test_control_hears_whose_message_it_is(world: World) -> None:
    world.client("s").publish("t")
    world.client("s", account=OTHER).publish("t")

    assert {message.account for message in world.control.heard if message.topic == "t"} == {ACCOUNT, OTHER}
