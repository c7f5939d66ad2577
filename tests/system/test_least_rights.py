"""What the narrow policies of claims and buttons leave: the one thing they are for, and nothing else."""

import dataclasses
import json
import queue
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.cli.demo import fleet
from hedgerow.testing import CloudProcess, Device, TestCloud

pytestmark = [pytest.mark.slow]

WITHIN_S = 15.0
CREATE = "$aws/certificates/create-from-csr/json"
PROVISION = f"$aws/provisioning-templates/{fleet.TEMPLATE}/provision/json"

PUBLISH = [
    "sites/site-1/telemetry",
    "devices/claim/hello",
    "$aws/things/claim/shadow/update",
    "$aws/things/site-1/shadow/get",
    "$aws/things/site-1/shadow/name/faults/update",
    "$aws/things/site-1/jobs/start-next",
    "$aws/rules/some_rule/x",
    "$aws/certificates/create/json",
    "$aws/provisioning-templates/another/provision/json",
]
SUBSCRIBE = [
    "#",
    "sites/+/telemetry",
    "$aws/things/site-1/shadow/update/accepted",
    "$aws/things/site-1/jobs/notify",
    "$aws/events/presence/#",
    "$aws/certificates/create/json/accepted",
    "$aws/provisioning-templates/another/provision/json/accepted",
]
CALL = [
    ("POST", "/topics/sites/site-1/telemetry"),
    ("GET", "/things/site-1/shadow"),
    ("GET", "/things/site-1/jobs"),
    ("GET", f"/role-aliases/{fleet.ROLE_ALIAS}/credentials"),
    ("POST", "/greengrass/v2/resolveComponentCandidates"),
    ("GET", "/greengrass/v2/coreDevices/site-1/thingGroups"),
]


class Session:
    """One MQTT connection: what it got, and whether it was cut off."""

    def __init__(self, device: Device) -> None:
        self.got: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.told: queue.Queue[str] = queue.Queue()
        self.client = client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=device.name, reconnect_on_failure=False
        )
        client.tls_set_context(device.tls())
        client.on_message = lambda _client, _data, message: self.got.put((message.topic, bytes(message.payload)))
        client.on_connect = lambda *_: self.told.put("connected")
        client.on_subscribe = self._on_subscribe
        client.on_publish = lambda *_: self.told.put("published")
        client.on_disconnect = lambda *_: self.told.put("cut off")
        client.connect(device.host, device.mqtt_port)
        client.loop_start()

    def _on_subscribe(self, _client: Any, _data: Any, _id: int, codes: Any, _properties: Any) -> None:
        self.told.put("refused" if any(code.is_failure for code in codes) else "subscribed")

    def next(self) -> str:
        return self.told.get(timeout=WITHIN_S)


@contextmanager
def session(device: Device) -> Iterator[Session]:
    one = Session(device)
    try:
        assert one.next() == "connected"
        yield one
    finally:
        one.client.disconnect()
        one.client.loop_stop()


@pytest.fixture(scope="module")
def claim(hedgerow_process: CloudProcess, tmp_path_factory: pytest.TempPathFactory) -> Device:
    cloud = hedgerow_process.new_account(tmp_path_factory.mktemp("claim"))
    return cloud.device(f"{fleet.CLAIM_CLIENT}1", json.loads(fleet.claim_policy(cloud.region, cloud.account)))


@pytest.mark.spec("BS-26", "BS-27")
def test_a_claim_may_ask_for_a_certificate(claim: Device) -> None:
    with session(claim) as one:
        one.client.subscribe([(f"{CREATE}/+", 1), (f"{PROVISION}/+", 1)])
        assert one.next() == "subscribed"

        one.client.publish(CREATE, b"{}", 1)

        assert one.got.get(timeout=WITHIN_S)[0] == f"{CREATE}/rejected"  # it asked without a signing request
        assert one.next() == "published"


@pytest.mark.spec("AL-51", "BS-27", "BS-28")
@pytest.mark.parametrize("topic", PUBLISH)
def test_a_claim_is_cut_off_when_it_publishes_anything_else(claim: Device, topic: str) -> None:
    with session(claim) as one:
        one.client.publish(topic, b"{}", 1)

        assert one.next() == "cut off"


@pytest.mark.spec("AL-51", "BS-26", "BS-28")
@pytest.mark.parametrize("topic_filter", SUBSCRIBE)
def test_a_claim_is_refused_when_it_subscribes_to_anything_else(claim: Device, topic_filter: str) -> None:
    with session(claim) as one:
        one.client.subscribe(topic_filter, 1)

        assert one.next() == "refused"


@pytest.mark.spec("BS-25")
def test_a_claim_cannot_take_the_client_id_of_a_device(claim: Device) -> None:
    one = Session(dataclasses.replace(claim, name="site-1"))

    assert one.next() == "cut off"
    one.client.loop_stop()


@pytest.mark.spec("BS-28")
@pytest.mark.parametrize(("method", "path"), CALL)
def test_a_claim_is_refused_every_call_over_https(claim: Device, method: str, path: str) -> None:
    request = urllib.request.Request(
        f"https://{claim.host}:{claim.https_port}{path}", b"{}" if method == "POST" else None, method=method
    )

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, context=claim.tls(), timeout=WITHIN_S)

    refused.value.close()
    assert refused.value.code == 403


def allow(cloud: TestCloud) -> Callable[..., dict[str, Any]]:
    def statement(action: str, *resources: str) -> dict[str, Any]:
        own = f"arn:aws:iot:{cloud.region}:{cloud.account}:"
        return {"Effect": "Allow", "Action": action, "Resource": [own + each for each in resources]}

    return statement


@pytest.mark.spec("DR-09", "DR-12")
def test_a_button_that_may_only_publish_is_heard_and_cannot_listen(hedgerow_cloud: TestCloud) -> None:
    may, topic = allow(hedgerow_cloud), "iotbutton/G030"
    button = hedgerow_cloud.device(
        "iotbutton_G030",
        {
            "Version": "2012-10-17",
            "Statement": [may("iot:Connect", "client/iotbutton_G030"), may("iot:Publish", f"topic/{topic}")],
        },
    )
    listener = hedgerow_cloud.device(
        "listener",
        {
            "Version": "2012-10-17",
            "Statement": [
                may("iot:Connect", "client/listener"),
                may("iot:Subscribe", "topicfilter/iotbutton/+"),
                may("iot:Receive", "topic/iotbutton/*"),
            ],
        },
    )
    with session(listener) as listening, session(button) as pressed:
        listening.client.subscribe("iotbutton/+", 1)
        assert listening.next() == "subscribed"

        pressed.client.publish(topic, b'{"clickType": "SINGLE"}', 1)
        assert pressed.next() == "published"
        pressed.client.subscribe(topic, 1)

        assert listening.got.get(timeout=WITHIN_S) == (topic, b'{"clickType": "SINGLE"}')
        assert pressed.next() == "refused"
