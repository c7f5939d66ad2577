"""The local IPC as AWS's own SDK (awsiotsdk, clientv2) sees it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hedgerow.core.recipe import ComponentType
from hedgerow.edge.components.local_bus import LocalBus
from hedgerow.edge.components.model import Component, Generation
from hedgerow.edge.components.supervisor import Supervisor
from hedgerow.edge.ipc.operations import Failed, Operations
from hedgerow.edge.ipc.server import IpcServer
from tests.support.clock import FakeClock
from tests.unit.edge.deployments.core import FakeKind, recipe
from tests.unit.edge.peer import Peer, running
from tests.unit.edge.pki import Pki
from tests.unit.edge.test_connection import Device, device

clientv2 = pytest.importorskip("awsiot.greengrasscoreipc.clientv2")
model = pytest.importorskip("awsiot.greengrasscoreipc.model")

TOKEN = "TOKEN0123456789A"
ACCESS = {
    "aws.greengrass.ipc.mqttproxy": {"a": {"operations": ["*"], "resources": ["sites/*", "commands/#"]}},
    "aws.greengrass.ipc.pubsub": {"b": {"operations": ["*"], "resources": ["local/*"]}},
}


@dataclass
class Ipc:
    path: Path
    peer: Peer
    device: Device
    states: list[tuple[str, str]]


@asynccontextmanager
async def serving(folder: Path, pki: Pki) -> AsyncIterator[Ipc]:
    states: list[tuple[str, str]] = []

    def component_of(token: str) -> str | None:
        return "app" if token == TOKEN else None

    def update_state(component: str, state: str) -> None:
        if state == "ERRORED":
            raise Failed("ServiceError", "no")
        states.append((component, state))

    component = Component(
        name="app",
        version="1.0.0",
        arn="arn",
        recipe_text=json.dumps(recipe("app", "1.0.0")),
        configuration={"colour": "red", "deep": {"a": {"b": 1}}, "accessControl": ACCESS},
    )
    supervisor = Supervisor(kinds={ComponentType.GENERIC: FakeKind()}, clock=FakeClock())
    path = folder / ("long" * 30) / "ipc.socket"
    path.parent.mkdir()
    async with running(pki.listener()) as peer, device(folder, peer, pki) as one, supervisor:
        await supervisor.apply(Generation(components={"app": component}))
        await peer.until(lambda: one.connection.connected)
        operations = Operations(
            connection=one.connection,
            bus=LocalBus(),
            supervisor=supervisor,
            clock=FakeClock(),
            component_of=component_of,
            update_state=update_state,
        )
        server = IpcServer(operations=operations, component_of=component_of)
        async with server.listening(path):
            yield Ipc(path, peer, one, states)


def with_sdk(folder: Path, pki: Pki, act: Callable[[Any, Ipc], None]) -> Ipc:
    """Run `act` with an SDK client in a thread; answer what was served."""

    async def scenario() -> Ipc:
        async with serving(folder, pki) as ipc:
            link = folder / "s"  # the client cannot take a path as long as the server's
            link.symlink_to(ipc.path)

            def run() -> None:
                client = _client(str(link), TOKEN)
                try:
                    act(client, ipc)
                finally:
                    client.close()

            await asyncio.to_thread(run)
            return ipc

    return asyncio.run(scenario())


def _client(path: str, token: str) -> Any:
    from awsiot.greengrasscoreipc import connect

    return clientv2.GreengrassCoreIPCClientV2(client=connect(ipc_socket=path, authtoken=token))


@contextmanager
def refused(error: Any, words: str) -> Iterator[None]:
    """The SDK's errors carry their words in `message`."""
    with pytest.raises(error) as raised:
        yield
    assert words in raised.value.message


def test_a_message_goes_to_the_cloud(tmp_path: Path, pki: Pki) -> None:
    def act(client: Any, ipc: Ipc) -> None:
        client.publish_to_iot_core(topic_name="sites/1", qos="1", payload=b"hello")

    async def arrived(ipc: Ipc) -> None:
        await ipc.peer.until(lambda: ipc.peer.messages)

    async def scenario() -> None:
        async with serving(tmp_path, pki) as ipc:
            (tmp_path / "s").symlink_to(ipc.path)
            client = await asyncio.to_thread(_client, str(tmp_path / "s"), TOKEN)
            await asyncio.to_thread(act, client, ipc)
            await arrived(ipc)
            await asyncio.to_thread(client.close)
            assert ipc.peer.messages == [("sites/1", b"hello")]

    asyncio.run(scenario())


def test_a_subscription_gets_the_clouds_messages_until_it_is_closed(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, pki) as ipc:
            (tmp_path / "s").symlink_to(ipc.path)
            got: list[tuple[str, bytes]] = []
            client = await asyncio.to_thread(_client, str(tmp_path / "s"), TOKEN)

            def subscribe() -> Any:
                _, operation = client.subscribe_to_iot_core(
                    topic_name="commands/#",
                    qos="1",
                    on_stream_event=lambda event: got.append((event.message.topic_name, event.message.payload)),
                )
                return operation

            operation = await asyncio.to_thread(subscribe)
            ipc.peer.publish("commands/go", b"1")
            await ipc.peer.until(lambda: got)
            await asyncio.to_thread(lambda: operation.close().result(5))
            await ipc.peer.until(lambda: not ipc.peer.clients[0].filters)
            await asyncio.to_thread(client.close)

            assert got == [("commands/go", b"1")]

    asyncio.run(scenario())


def test_components_talk_to_each_other(tmp_path: Path, pki: Pki) -> None:
    got: list[Any] = []
    heard = threading.Event()

    def act(client: Any, ipc: Ipc) -> None:
        def on_event(event: Any) -> None:
            got.append(event.json_message.message if event.json_message else event.binary_message.message)
            if len(got) == 2:
                heard.set()

        client.subscribe_to_topic(topic="local/x", on_stream_event=on_event)
        said = model.PublishMessage(json_message=model.JsonMessage(message={"a": 1}))
        client.publish_to_topic(topic="local/x", publish_message=said)
        raw = model.PublishMessage(binary_message=model.BinaryMessage(message=b"\x00\xff"))
        client.publish_to_topic(topic="local/x", publish_message=raw)
        assert heard.wait(5)

    with_sdk(tmp_path, pki, act)

    assert got == [{"a": 1}, b"\x00\xff"]


def test_configuration_is_read_as_a_whole_by_path_and_as_a_leaf(tmp_path: Path, pki: Pki) -> None:
    def act(client: Any, ipc: Ipc) -> None:
        assert client.get_configuration().value["colour"] == "red"
        assert client.get_configuration(key_path=["deep", "a"]).value == {"b": 1}
        assert client.get_configuration(key_path=["colour"]).value == {"colour": "red"}
        with refused(model.ResourceNotFoundError, "Key not found"):
            client.get_configuration(key_path=["nothing"])
        with refused(model.ResourceNotFoundError, "no component other"):
            client.get_configuration(component_name="other")

    with_sdk(tmp_path, pki, act)


def test_what_is_not_allowed_not_there_or_wrong_is_refused_by_name(tmp_path: Path, pki: Pki) -> None:
    def act(client: Any, ipc: Ipc) -> None:
        with refused(model.UnauthorizedError, "app may not PublishToIoTCore on other/1"):
            client.publish_to_iot_core(topic_name="other/1", qos="1", payload=b"")
        with refused(model.UnauthorizedError, "SubscribeToTopic on other"):
            client.subscribe_to_topic(topic="other", on_stream_event=lambda _: None)
        with refused(model.InvalidArgumentsError, "no wildcard"):
            client.publish_to_iot_core(topic_name="sites/#", qos="1", payload=b"")
        with refused(model.ServiceError, "GetSecretValue is not supported by this edge"):
            client.get_secret_value(secret_id="x")

    ipc = with_sdk(tmp_path, pki, act)

    assert ipc.peer.messages == []


def test_a_component_says_how_it_is_and_checks_tokens(tmp_path: Path, pki: Pki) -> None:
    def act(client: Any, ipc: Ipc) -> None:
        client.update_state(state="RUNNING")
        with pytest.raises(model.ServiceError):
            client.update_state(state="ERRORED")
        assert client.validate_authorization_token(token=TOKEN).is_valid is True
        with pytest.raises(model.InvalidTokenError):
            client.validate_authorization_token(token="wrong")

    ipc = with_sdk(tmp_path, pki, act)

    assert ipc.states == [("app", "RUNNING")]


def test_a_client_without_a_known_token_is_refused(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, pki) as ipc:
            (tmp_path / "s").symlink_to(ipc.path)
            with pytest.raises(Exception, match=r"(?i)access|denied|unauthorized"):
                await asyncio.to_thread(_client, str(tmp_path / "s"), "WRONG")

    asyncio.run(scenario())


def test_the_socket_is_open_to_the_components_of_every_user(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, pki) as ipc:
            assert ipc.path.stat().st_mode & 0o777 == 0o666
        assert not ipc.path.exists()

    asyncio.run(scenario())
