"""Commands from end to end: people start them with boto3, devices answer by MQTT."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
import pytest
from botocore.exceptions import ClientError
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hedgerow.testing import Device, TestCloud
from tests.support.mqtt import Connected, connected
from tests.support.people import allow, user
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]

BASE = "$aws/commands/things/lamp/executions"


def policy_of(cloud: TestCloud) -> dict[str, Any]:
    """Answer the policy of a device that takes commands, and hears of what becomes of them."""
    own = f"arn:aws:iot:{cloud.region}:{cloud.account}:"
    topics = ["$aws/commands/things/${iot:Connection.Thing.ThingName}/executions/*", "$aws/events/commandExecution/*"]
    statements = [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": [f"{own}topic/{t}" for t in topics]},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": [f"{own}topicfilter/{t}" for t in topics]},
    ]
    return {"Version": "2012-10-17", "Statement": statements}


@contextmanager
def with_mqtt_5(device: Device) -> Iterator[Connected]:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device.name, protocol=paho.MQTTv5)
    client.tls_set_context(device.tls())
    connection = Connected(client)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
    properties.SessionExpiryInterval = 60
    client.connect(device.host, device.mqtt_port, keepalive=60, clean_start=False, properties=properties)
    client.loop_start()
    try:
        connection.wait_connected()
        yield connection
    finally:
        client.disconnect()
        client.loop_stop()


def blink(cloud: TestCloud) -> dict[str, str]:
    """Make a command; answer what names it and the device."""
    payload = {"content": b'{"times": 3}', "contentType": "application/json"}
    made = cloud.client("iot").create_command(commandId="blink", namespace="AWS-IoT", payload=payload)
    target = f"arn:aws:iot:{cloud.region}:{cloud.account}:thing/lamp"
    return {"commandArn": made["commandArn"], "targetArn": target}


@pytest.mark.spec("JB-32")
def test_a_device_is_told_what_to_do_and_tells_how_it_went(hedgerow_cloud: TestCloud) -> None:
    cloud, iot = hedgerow_cloud, hedgerow_cloud.client("iot")
    device, named = cloud.device("lamp", policy_of(cloud)), blink(cloud)

    with connected(device) as lamp:
        for topic in ("+/request/json", "+/response/accepted/json", "+/response/rejected/json"):
            assert lamp.subscribe(f"{BASE}/{topic}") == [1]
        assert lamp.subscribe("$aws/events/commandExecution/+/#") == [1]
        started = cloud.client("iot-jobs-data").start_command_execution(**named)["executionId"]
        lamp.payloads(2)
        ordered = next(one for one in lamp.messages if one.topic.startswith(BASE))
        lamp.messages.clear()
        report = {"status": "SUCCEEDED", "statusReason": {"reasonCode": "OK"}, "result": {"blinks": {"s": "3"}}}
        lamp.publish(f"{BASE}/{started}/response/json", json.dumps(report))
        lamp.payloads(2)
        told = {one.topic: json.loads(one.payload) for one in lamp.messages}

    found = iot.get_command_execution(executionId=started, targetArn=named["targetArn"], includeResult=True)
    listed = iot.list_command_executions(commandArn=named["commandArn"], status="SUCCEEDED")["commandExecutions"]
    assert (ordered.topic, ordered.payload) == (f"{BASE}/{started}/request/json", b'{"times": 3}')
    assert told[f"{BASE}/{started}/response/accepted/json"] == {"executionId": started}
    assert told["$aws/events/commandExecution/blink/SUCCEEDED"]["statusReason"] == {"reasonCode": "OK"}
    assert (found["status"], found["result"]) == ("SUCCEEDED", {"blinks": {"S": "3"}})
    assert [one["executionId"] for one in listed] == [started]


@pytest.mark.spec("JB-32")
def test_a_device_that_comes_back_in_time_still_gets_its_command(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    device, named = cloud.device("lamp", policy_of(cloud)), blink(cloud)
    data = cloud.client("iot-jobs-data")

    with with_mqtt_5(device) as lamp:
        lamp.subscribe(f"{BASE}/+/request/json")
    data.start_command_execution(**named, executionTimeoutSeconds=600)
    with with_mqtt_5(device) as lamp:
        lamp.payloads(1)
        (message,) = lamp.messages

    properties: Any = message.properties
    assert properties.ContentType == "application/json"
    assert 0 < properties.MessageExpiryInterval <= 600


@pytest.mark.spec("JB-32")
def test_silence_is_noticed_by_the_cloud(hedgerow_cloud: TestCloud) -> None:
    cloud, iot = hedgerow_cloud, hedgerow_cloud.client("iot")
    cloud.device("lamp")
    named = blink(cloud)

    started = cloud.client("iot-jobs-data").start_command_execution(**named, executionTimeoutSeconds=1)["executionId"]

    def found() -> Any:
        one = iot.get_command_execution(executionId=started, targetArn=named["targetArn"])
        return one if one["status"] != "CREATED" else None

    late = until("the execution has run out of time", found)
    assert (late["status"], late["statusReason"]) == ("TIMED_OUT", {"reasonCode": "$NO_RESPONSE_FROM_DEVICE"})


@pytest.mark.spec("X-02")
def test_starting_asks_for_the_right_on_command_and_device(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    cloud.device("lamp")
    named = blink(cloud)
    start = "iot:StartCommandExecution"

    both = user(cloud, "both", allow(start, list(named.values())))
    one = user(cloud, "one", allow(start, named["commandArn"]))

    assert both.client("iot-jobs-data").start_command_execution(**named)["executionId"]
    with pytest.raises(ClientError, match=r"StartCommandExecution on resource: arn:\S+:thing/lamp"):
        one.client("iot-jobs-data").start_command_execution(**named)


@pytest.mark.spec("X-02")
def test_a_right_to_start_may_depend_on_a_parameter(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    cloud.device("lamp")
    target = f"arn:aws:iot:{cloud.region}:{cloud.account}:thing/lamp"
    arn = cloud.client("iot").create_command(
        commandId="dim",
        payloadTemplate='{"level": "${aws:iot:commandexecution::parameter:level}"}',
        preprocessor={"awsJsonSubstitution": {"outputFormat": "JSON"}},
        mandatoryParameters=[{"name": "level", "type": "INTEGER"}],
    )["commandArn"]
    low = {"NumericLessThan": {"iot:CommandExecutionParameterNumber/level": "5"}}
    ann = user(cloud, "ann", allow("iot:StartCommandExecution", Condition=low)).client("iot-jobs-data")

    assert ann.start_command_execution(targetArn=target, commandArn=arn, parameters={"level": {"I": 4}})
    with pytest.raises(ClientError, match="is not authorized to perform"):
        ann.start_command_execution(targetArn=target, commandArn=arn, parameters={"level": {"I": 5}})


@pytest.mark.spec("X-02")
def test_commands_carry_tags(hedgerow_cloud: TestCloud) -> None:
    iot = hedgerow_cloud.client("iot")
    tags = [{"Key": "site", "Value": "north"}]

    arn = iot.create_command(commandId="a", payload={"content": b"x"}, tags=tags)["commandArn"]

    assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == tags
