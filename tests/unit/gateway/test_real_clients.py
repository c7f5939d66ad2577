"""Real clients over mutual TLS on loopback: mosquitto_pub, mosquitto_sub and paho."""

import asyncio
import shutil
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hedgerow.base.errors import Unusable
from hedgerow.core.mqtt.limits import OWN
from hedgerow.gateway.listener import listen
from tests.unit.gateway.certificates import Pki
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.served import Served, served

mosquitto = pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="needs Debian's mosquitto-clients")


async def run(*command: str) -> tuple[int | None, bytes]:
    process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-2)
    out, _ = await asyncio.wait_for(process.communicate(), 10)
    return process.returncode, out


@mosquitto
@pytest.mark.slow
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
@pytest.mark.spec("JB-41", "X-01")
def test_mosquitto_publishes_and_subscribes(tmp_path: Path, version: str) -> None:
    async def main() -> tuple[tuple[int | None, bytes], tuple[int | None, bytes]]:
        async with served(tmp_path) as cloud:
            options = [*cloud.options(), "-V", version]
            subscribed = asyncio.create_task(
                run("mosquitto_sub", *options, "-t", "a/#", "-q", "1", "-C", "1", "-W", "8", "-v")
            )
            while not any(account.tree.size for account in cloud.gateway.router.accounts.values()):
                await asyncio.sleep(0.01)
            published = await run("mosquitto_pub", *options, "-t", "a/b", "-m", "hello", "-q", "1")
            return published, await subscribed

    published, subscribed = asyncio.run(main())

    assert published == (0, b"")
    assert subscribed == (0, b"a/b hello\n")


@mosquitto
@pytest.mark.slow
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_publishes_and_subscribes_at_quality_2(tmp_path: Path, version: str) -> None:
    async def main() -> tuple[tuple[int | None, bytes], tuple[int | None, bytes]]:
        async with served(tmp_path, OWN) as cloud:
            options = [*cloud.options(), "-V", version]
            subscribed = asyncio.create_task(
                run("mosquitto_sub", *options, "-t", "a/#", "-q", "2", "-C", "3", "-W", "8", "-F", "%q %p")
            )
            while not any(account.tree.size for account in cloud.gateway.router.accounts.values()):
                await asyncio.sleep(0.01)
            published = await run("mosquitto_pub", *options, "-t", "a/b", "-m", "x", "--repeat", "3", "-q", "2")
            return published, await subscribed

    published, subscribed = asyncio.run(main())

    assert published == (0, b"")
    assert subscribed == (0, b"2 x\n" * 3)


@mosquitto
@pytest.mark.slow
@pytest.mark.spec("DR-10")
def test_mosquitto_is_cut_off_on_a_topic_of_another(tmp_path: Path) -> None:
    async def main() -> tuple[int | None, bytes]:
        async with served(tmp_path) as cloud:
            cloud.control.denied = ("iot:Publish topic/other",)
            return await run("mosquitto_pub", *cloud.options(), "-t", "other", "-m", "x", "-q", "1")

    status, out = asyncio.run(main())

    assert status == 7
    assert b"connection was lost" in out


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
@pytest.mark.spec("JB-41", "X-01")
def test_paho_sends_itself_a_message(tmp_path: Path, protocol: MQTTProtocolVersion) -> None:
    got: list[bytes] = []
    done = threading.Event()

    def talk(cloud: Served) -> None:
        folder = cloud.pki.folder
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="radio", protocol=protocol)
        client.tls_set(str(folder / "server-ca.pem"), str(folder / "device.crt"), str(folder / "device.key"))

        def connected(_client: Any, _data: Any, _flags: Any, _code: Any, _properties: Any) -> None:
            client.subscribe("t", 1)

        def subscribed(_client: Any, _data: Any, _mid: Any, _codes: Any, _properties: Any) -> None:
            client.publish("t", b"x" * 100_000, 1)

        def arrived(_client: Any, _data: Any, message: Any) -> None:
            got.append(message.payload)
            done.set()

        client.on_subscribe = subscribed
        client.on_message = arrived
        client.on_connect = connected
        client.connect("localhost", cloud.port)
        client.loop_start()
        done.wait(8)
        client.disconnect()
        client.loop_stop()

    async def main() -> tuple[Any, Any]:
        async with served(tmp_path) as cloud:
            await asyncio.to_thread(talk, cloud)
            return cloud.control.admits[0], cloud.gateway.connectivity(ACCOUNT, "radio")

    admit, past = asyncio.run(main())

    assert got == [b"x" * 100_000]
    assert admit.server_name == "localhost"
    assert admit.certificate == ssl.PEM_cert_to_DER_cert((tmp_path / "device.crt").read_text())
    assert past.peer in ("127.0.0.1", "::1")


@pytest.mark.slow
def test_awss_own_sdk_talks_mqtt_5_and_mqtt_3(tmp_path: Path) -> None:
    building_5 = pytest.importorskip("awsiot.mqtt5_client_builder", reason="needs awsiotsdk")
    building_3 = pytest.importorskip("awsiot.mqtt_connection_builder", reason="needs awsiotsdk")
    mqtt5 = pytest.importorskip("awscrt.mqtt5")
    mqtt3 = pytest.importorskip("awscrt.mqtt")
    got: list[bytes] = []
    done = threading.Event()

    def talk(cloud: Served) -> None:
        folder = cloud.pki.folder
        common = {
            "endpoint": "localhost",
            "port": cloud.port,
            "cert_filepath": str(folder / "device.crt"),
            "pri_key_filepath": str(folder / "device.key"),
            "ca_filepath": str(folder / "server-ca.pem"),
        }
        connected, stopped = threading.Event(), threading.Event()

        def arrived(data: Any) -> None:
            got.append(data.publish_packet.payload)
            done.set()

        new = building_5.mtls_from_path(
            client_id="new",
            on_publish_received=arrived,
            on_lifecycle_connection_success=lambda _data: connected.set(),
            on_lifecycle_stopped=lambda _data: stopped.set(),
            **common,
        )
        new.start()
        assert connected.wait(8)
        at_least_once = mqtt5.QoS.AT_LEAST_ONCE
        new.subscribe(mqtt5.SubscribePacket([mqtt5.Subscription("t/#", at_least_once)])).result(8)
        old = building_3.mtls_from_path(client_id="old", clean_session=True, **common)
        old.connect().result(8)
        old.publish("t/x", b"from mqtt 3", mqtt3.QoS.AT_LEAST_ONCE)[0].result(8)
        assert done.wait(8)
        old.disconnect().result(8)
        new.publish(mqtt5.PublishPacket(topic="t/y", payload=b"from mqtt 5", qos=at_least_once)).result(8)
        new.stop()
        assert stopped.wait(8)

    async def main() -> list[str]:
        async with served(tmp_path) as cloud:
            await asyncio.to_thread(talk, cloud)
            return [admit.client_id for admit in cloud.control.admits]

    assert sorted(asyncio.run(main())) == ["new", "old"]
    assert got[0] == b"from mqtt 3"


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            served(tmp_path) as cloud,
            listen(cloud.gateway, cloud.pki.context(), host="127.0.0.1", port=cloud.port),
        ):
            pass

    with pytest.raises(Unusable, match=r"cannot listen on 127\.0\.0\.1 port"):
        asyncio.run(main())


def test_a_port_on_all_addresses_is_the_same_everywhere(tmp_path: Path) -> None:
    async def main() -> set[int]:
        async with served(tmp_path) as cloud, listen(cloud.gateway, cloud.pki.context()) as everywhere:
            return set(everywhere.ports)

    assert len(asyncio.run(main())) == 1


async def answer_to_connect(port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    writer.write(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x1e\x00\x01a")
    answer = await asyncio.wait_for(reader.read(4), 5)
    if not answer:
        raise ConnectionResetError
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.slow
@pytest.mark.spec("JB-39")
def test_a_certificate_of_a_stranger_is_refused_in_the_handshake(tmp_path: Path) -> None:
    (tmp_path / "stranger").mkdir()
    stranger = Pki(tmp_path / "stranger")
    stranger.make("device")

    async def main() -> tuple[int, int]:
        async with served(tmp_path) as cloud:
            context = ssl.create_default_context(cafile=tmp_path / "server-ca.pem")
            context.load_cert_chain(stranger.folder / "device.crt", stranger.folder / "device.key")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await answer_to_connect(cloud.port, context)
            return cloud.listener.failed, len(cloud.control.admits)

    assert asyncio.run(main()) == (1, 0)


@pytest.mark.slow
def test_a_client_without_a_certificate_reaches_control_without_one(tmp_path: Path) -> None:
    async def main() -> tuple[bytes, Any]:
        async with served(tmp_path) as cloud:
            context = ssl.create_default_context(cafile=tmp_path / "server-ca.pem")
            answer = await answer_to_connect(cloud.port, context)
            return answer, cloud.control.admits[0].certificate

    assert asyncio.run(main()) == (b"\x20\x02\x00\x00", None)


@pytest.mark.slow
def test_clients_are_told_that_the_listener_ends(tmp_path: Path) -> None:
    async def main() -> bytes:
        async with served(tmp_path) as cloud:
            context = ssl.create_default_context(cafile=tmp_path / "server-ca.pem")
            reader, writer = await asyncio.open_connection("localhost", cloud.port, ssl=context)
            writer.write(b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x1e\x00\x00\x01a")
            await reader.readexactly(2)
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer

    assert asyncio.run(main()).endswith(b"\xe0\x01\x8b")


@pytest.mark.slow
def test_a_handshake_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.gateway.listener.HANDSHAKE_WITHIN_S", 0.0)

    async def main() -> tuple[bytes, dict[str, int]]:
        async with served(tmp_path) as cloud:
            reader, writer = await asyncio.open_connection("localhost", cloud.port)
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            return answer, cloud.listener.statistics()

    answer, figures = asyncio.run(main())

    assert answer == b""
    assert figures["handshakes"] == 0


@pytest.mark.slow
def test_a_crowd_that_says_nothing_does_not_keep_everyone_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.gateway.listener.HANDSHAKES", 2)
    monkeypatch.setattr("hedgerow.gateway.listener.CROWDED_WITHIN_S", 0.1)

    async def main() -> bytes:
        async with served(tmp_path) as cloud:
            silent = [await asyncio.open_connection("localhost", cloud.port) for _ in range(4)]
            context = ssl.create_default_context(cafile=tmp_path / "server-ca.pem")
            reader, writer = await asyncio.wait_for(asyncio.open_connection("localhost", cloud.port, ssl=context), 10)
            writer.write(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x1e\x00\x01a")
            answer = await asyncio.wait_for(reader.readexactly(4), 5)
            for _, other in [(reader, writer), *silent]:
                other.close()
            return answer

    assert asyncio.run(main()) == b"\x20\x02\x00\x00"


@pytest.mark.slow
def test_handshakes_in_progress_are_bounded_and_who_waits_is_served_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.gateway.listener.HANDSHAKES", 2)

    async def main() -> tuple[int, bytes]:
        async with served(tmp_path) as cloud:
            silent = [await asyncio.open_connection("localhost", cloud.port) for _ in range(2)]
            await asyncio.sleep(0.05)
            context = ssl.create_default_context(cafile=tmp_path / "server-ca.pem")
            waiting = asyncio.create_task(asyncio.open_connection("localhost", cloud.port, ssl=context))
            await asyncio.sleep(0.05)
            accepted = cloud.listener.accepted
            for _, writer in silent:
                writer.close()
            reader, writer = await asyncio.wait_for(waiting, 5)
            writer.write(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x1e\x00\x01a")
            answer = await asyncio.wait_for(reader.readexactly(4), 5)
            writer.close()
            return accepted, answer

    assert asyncio.run(main()) == (2, b"\x20\x02\x00\x00")


@pytest.mark.slow
def test_where_there_is_no_epoll_the_loops_own_transports_carry_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.gateway.listener.AVAILABLE", False)

    async def main() -> bytes:
        async with served(tmp_path) as cloud:
            context = ssl.create_default_context(cafile=tmp_path / "server-ca.pem")
            reader, writer = await asyncio.open_connection("localhost", cloud.port, ssl=context)
            writer.write(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x1e\x00\x01a")
            answer = await asyncio.wait_for(reader.readexactly(4), 5)
            writer.write(b"\xc0\x00")
            answer += await asyncio.wait_for(reader.readexactly(2), 5)
            writer.close()
            return answer

    assert asyncio.run(main()) == b"\x20\x02\x00\x00\xd0\x00"
