"""Kills a cloud again and again while somebody publishes, and compares what was acknowledged with what arrives.

Publications of QoS 1 and 2 go to a kept session that is connected, to one that is offline, to a rule with a webhook,
and to retained topics. Each round has a talker of its own that resends nothing: what it had no answer for may arrive or
not.
"""

import gc
import json
import random
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.testing import Device, TestCloud
from tests.support.mqtt import connected
from tests.support.receiver import receiver
from tests.support.running import started
from tests.support.waiting import until

AWAKE, ASLEEP, HOOK, KEPT = "t/awake", "t/asleep", "t/hook", "t/kept"
KEPT_TOPICS = 5
BATCH = 24
LEAST, MOST = 40, 400  # publications before a kill
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
BACK_S = 30.0

UNCLOSED = "ignore:unclosed <ssl.SSLSocket:ResourceWarning"
"""For `filterwarnings`: paho leaves the socket of a handshake that failed to the collector."""

Said = tuple[str, int, int]  # topic, QoS, number


class Talker(threading.Thread):
    """Publishes until the cloud is gone."""

    def __init__(self, device: Device, first: int) -> None:
        super().__init__(daemon=True)
        self._gone = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="talker", protocol=paho.MQTTv311)
        self._client.tls_set_context(device.tls())
        self._client.on_disconnect = lambda *_: self._gone.set()
        self._sent: list[tuple[Said, paho.MQTTMessageInfo]] = []
        self.number = first
        self._client.connect(device.host, device.mqtt_port)
        self._client.loop_start()

    @property
    def count(self) -> int:
        return len(self._sent)

    def run(self) -> None:
        while not self._gone.is_set():
            for _ in range(BATCH):
                self._publish()
            while not (_is_acknowledged(self._sent[-1][1]) or self._gone.wait(0.002)):
                pass

    def _publish(self) -> None:
        number, self.number = self.number, self.number + 1
        topic = (AWAKE, ASLEEP, HOOK, f"{KEPT}/{number // 4 % KEPT_TOPICS}")[number % 4]
        qos = 1 + number // 4 % 2
        sent = self._client.publish(topic, json.dumps({"n": number, "qos": qos}), qos, topic.startswith(KEPT))
        self._sent.append(((topic, qos, number), sent))

    def acknowledged(self) -> list[Said]:
        """End, and answer what the cloud has acknowledged."""
        self.join(BACK_S)
        self._client.disconnect()
        self._client.loop_stop()
        return [said for said, sent in self._sent if _is_acknowledged(sent)]


def _is_acknowledged(sent: paho.MQTTMessageInfo) -> bool:
    """Paho raises for what was published while it had no connection any more, and had not said so yet."""
    return sent.rc == paho.MQTT_ERR_SUCCESS and sent.is_published()


def numbers(payloads: Sequence[bytes | dict[str, Any]], qos: int) -> list[int]:
    found = [one if isinstance(one, dict) else json.loads(one) for one in payloads]
    return [one["n"] for one in found if one["qos"] == qos]


def without_repetitions(found: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(found))


def check_arrivals(what: str, said: list[Said], got: Sequence[bytes | dict[str, Any]]) -> None:
    """All that was acknowledged is there, in order; at QoS 2 once."""
    for qos in (1, 2):
        expected = {number for _, each, number in said if each == qos}
        arrived = numbers(got, qos)
        assert expected <= set(arrived), f"{what}, QoS {qos}: lost {sorted(expected - set(arrived))[:10]}"
        assert without_repetitions(arrived) == sorted(set(arrived)), f"{what}, QoS {qos}: not in order"
        if qos == 2 and what != HOOK:  # actions of rules are at least once
            assert len(arrived) == len(set(arrived)), f"{what}: twice at QoS 2"


def kill_again_and_again(folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Do so, check everything, and answer how much was acknowledged by topic."""
    chance = random.Random(seed)
    settings = {"HEDGEROW_WEBHOOK_NETWORKS": "127.0.0.0/8", "HEDGEROW_LIMITS": "own"}
    said: dict[str, list[Said]] = defaultdict(list)
    with ExitStack() as stack:
        hook = stack.enter_context(receiver())
        process = stack.enter_context(started(folder, **settings))
        cloud = process.new_account(folder)
        awake, asleep, talker = (cloud.device(name, ANYTHING) for name in ("awake", "asleep", "talker"))
        rule = {"sql": f"SELECT * FROM '{HOOK}'", "actions": [hook.confirmed_by(cloud)]}
        cloud.client("iot").create_topic_rule(ruleName="hook", topicRulePayload=rule)
        with connected(asleep, clean=False) as sleeping:
            sleeping.subscribe(ASLEEP, 2)
        listening = stack.enter_context(connected(awake, clean=False))
        listening.client.reconnect_delay_set(1, 1)
        listening.subscribe(AWAKE, 2)

        number = 0
        for _ in range(kills):
            talking = Talker(talker, number)
            talking.start()
            moment = chance.randint(LEAST, MOST)
            until("some publications", lambda: talking.count > moment, within_s=BACK_S)  # noqa: B023  # of this round
            process.kill()
            for one in talking.acknowledged():
                said[one[0]].append(one)
            number = talking.number
            process.start()

        _check(cloud, said, listening, asleep, hook)
    gc.collect()  # while the caller lets them go: see UNCLOSED
    return {topic: len(each) for topic, each in said.items()}


def _check(cloud: TestCloud, said: dict[str, list[Said]], listening: Any, asleep: Device, hook: Any) -> None:
    def has(payloads: Sequence[bytes | dict[str, Any]], topic: str) -> bool:
        there = {*numbers(payloads, 1), *numbers(payloads, 2)}
        return {number for _, _, number in said[topic]} <= there

    def heard(one: Any) -> list[bytes]:
        return [bytes(message.payload) for message in list(one.messages)]

    until("all for the connected one", lambda: has(heard(listening), AWAKE), within_s=BACK_S)
    check_arrivals(AWAKE, said[AWAKE], heard(listening))
    with connected(asleep, clean=False) as sleeping:
        assert sleeping.session_present
        until("all for the one that slept", lambda: has(heard(sleeping), ASLEEP), within_s=BACK_S)
        check_arrivals(ASLEEP, said[ASLEEP], heard(sleeping))
    until("all posts", lambda: has(list(hook.got), HOOK), within_s=BACK_S)
    check_arrivals(HOOK, said[HOOK], list(hook.got))
    data = cloud.client("iot-data")
    for topic in [topic for topic in said if topic.startswith(KEPT)]:
        last = max(number for _, _, number in said[topic])
        kept = json.loads(data.get_retained_message(topic=topic)["payload"])["n"]
        assert kept >= last, f"{topic}: {kept} is kept, {last} was acknowledged"
