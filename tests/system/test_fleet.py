"""Shadows, jobs and Greengrass deployments against a running cloud, with AWS's own device SDK and with plain MQTT."""

import base64
import hashlib
import io
import json
import queue
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from awscrt import mqtt
from awsiot import iotjobs, iotshadow, mqtt_connection_builder
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.testing import TestCloud
from hedgerow.testing.cloud import Device, start_cloud

pytestmark = [pytest.mark.slow]

WITHIN_S = 15.0
NAMESPACE = "aws-gg-deployment"
ALLOW_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["iot:*", "greengrass:*"], "Resource": "*"}],
}


class Core:
    """A core device by hand: an MQTT client and mutual TLS."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.heard: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device.name)
        self._client.tls_set_context(device.tls())
        self._client.on_message = lambda _client, _data, message: self.heard.put(
            (message.topic, json.loads(message.payload))
        )
        self._subscribed: queue.Queue[bool] = queue.Queue()
        self._client.on_subscribe = lambda *_: self._subscribed.put(True)
        self._client.connect(device.host, device.mqtt_port)
        self._client.loop_start()

    def subscribe(self, *filters: str) -> None:
        for one in filters:
            self._client.subscribe(one, 1)
        for _ in filters:
            self._subscribed.get(timeout=WITHIN_S)

    def publish(self, topic: str, body: Any) -> None:
        self._client.publish(topic, json.dumps(body), 1).wait_for_publish(WITHIN_S)

    def wait(self, topic: str) -> Any:
        """Answer the next message on the topic; others that come before it are dropped."""
        while True:
            heard, body = self.heard.get(timeout=WITHIN_S)
            if heard == topic:
                return body

    def call(self, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"https://{self.device.host}:{self.device.https_port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={} if body is None else {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, context=self.device.tls(), timeout=WITHIN_S) as answer:
            return json.loads(answer.read())

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def core(hedgerow_cloud: TestCloud) -> Iterator[Core]:
    device = hedgerow_cloud.device("core", ALLOW_ALL)
    iot = hedgerow_cloud.client("iot")
    iot.create_thing_group(thingGroupName="site")
    iot.add_thing_to_thing_group(thingGroupName="site", thingName="core")
    one = Core(device)
    yield one
    one.close()


@pytest.fixture
def connection(hedgerow_cloud: TestCloud) -> Iterator[mqtt.Connection]:
    """A connection of AWS's device SDK."""
    device = hedgerow_cloud.device("sdk", ALLOW_ALL)
    made = mqtt_connection_builder.mtls_from_path(
        endpoint=device.host,
        port=device.mqtt_port,
        cert_filepath=str(device.certificate_file),
        pri_key_filepath=str(device.key_file),
        ca_filepath=str(device.ca_file),
        client_id="sdk",
        clean_session=True,
    )
    made.connect().result(WITHIN_S)
    yield made
    made.disconnect().result(WITHIN_S)


def package() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("main.py", "print('hello')\n")
    return data.getvalue()


def until(question: Callable[[], Any]) -> Any:
    """Ask again until the answer is true."""
    deadline = time.monotonic() + WITHIN_S
    while not (answer := question()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


def group_arn(cloud: TestCloud, name: str) -> str:
    return f"arn:aws:iot:{cloud.region}:{cloud.account}:thinggroup/{name}"


def thing_arn(cloud: TestCloud, name: str) -> str:
    return f"arn:aws:iot:{cloud.region}:{cloud.account}:thing/{name}"


@pytest.mark.spec("JB-42", "X-01")
def test_awss_device_sdk_keeps_its_shadow(hedgerow_cloud: TestCloud, connection: mqtt.Connection) -> None:
    client = iotshadow.IotShadowClient(connection)
    updated: Future[Any] = Future()
    delta: Future[Any] = Future()
    got: Future[Any] = Future()
    thing = {"thing_name": "sdk"}
    for subscribed, _ in (
        client.subscribe_to_update_shadow_accepted(
            iotshadow.UpdateShadowSubscriptionRequest(**thing), mqtt.QoS.AT_LEAST_ONCE, updated.set_result
        ),
        client.subscribe_to_shadow_delta_updated_events(
            iotshadow.ShadowDeltaUpdatedSubscriptionRequest(**thing), mqtt.QoS.AT_LEAST_ONCE, delta.set_result
        ),
        client.subscribe_to_get_shadow_accepted(
            iotshadow.GetShadowSubscriptionRequest(**thing), mqtt.QoS.AT_LEAST_ONCE, got.set_result
        ),
    ):
        subscribed.result(WITHIN_S)

    state = iotshadow.ShadowState(desired={"colour": "red"}, reported={"colour": "blue"})
    request = iotshadow.UpdateShadowRequest(**thing, state=state, client_token="t")
    client.publish_update_shadow(request, mqtt.QoS.AT_LEAST_ONCE).result(WITHIN_S)
    accepted, difference = updated.result(WITHIN_S), delta.result(WITHIN_S)
    client.publish_get_shadow(iotshadow.GetShadowRequest(**thing), mqtt.QoS.AT_LEAST_ONCE).result(WITHIN_S)

    by_http = json.loads(hedgerow_cloud.client("iot-data").get_thing_shadow(thingName="sdk")["payload"].read())
    assert (accepted.client_token, accepted.version) == ("t", 1)
    assert difference.state == {"colour": "red"}
    assert got.result(WITHIN_S).state.delta == by_http["state"]["delta"] == {"colour": "red"}


@pytest.mark.spec("JB-32")
def test_awss_device_sdk_does_its_job(hedgerow_cloud: TestCloud, connection: mqtt.Connection) -> None:
    client, iot = iotjobs.IotJobsClient(connection), hedgerow_cloud.client("iot")
    announced: queue.Queue[Any] = queue.Queue()
    started: Future[Any] = Future()
    updated: Future[Any] = Future()
    thing = {"thing_name": "sdk"}
    for subscribed, _ in (
        client.subscribe_to_next_job_execution_changed_events(
            iotjobs.NextJobExecutionChangedSubscriptionRequest(**thing),
            mqtt.QoS.AT_LEAST_ONCE,
            announced.put,
        ),
        client.subscribe_to_start_next_pending_job_execution_accepted(
            iotjobs.StartNextPendingJobExecutionSubscriptionRequest(**thing),
            mqtt.QoS.AT_LEAST_ONCE,
            started.set_result,
        ),
        client.subscribe_to_update_job_execution_accepted(
            iotjobs.UpdateJobExecutionSubscriptionRequest(**thing, job_id="+"),
            mqtt.QoS.AT_LEAST_ONCE,
            updated.set_result,
        ),
    ):
        subscribed.result(WITHIN_S)

    iot.create_job(jobId="j", targets=[thing_arn(hedgerow_cloud, "sdk")], document='{"do":"it"}')
    told = announced.get(timeout=WITHIN_S)
    client.publish_start_next_pending_job_execution(
        iotjobs.StartNextPendingJobExecutionRequest(**thing), mqtt.QoS.AT_LEAST_ONCE
    ).result(WITHIN_S)
    execution = started.result(WITHIN_S).execution
    client.publish_update_job_execution(
        iotjobs.UpdateJobExecutionRequest(
            **thing,
            job_id="j",
            status=iotjobs.JobStatus.SUCCEEDED,
            expected_version=execution.version_number,
        ),
        mqtt.QoS.AT_LEAST_ONCE,
    ).result(WITHIN_S)
    updated.result(WITHIN_S)

    assert told.execution.job_id == "j"
    assert execution.job_document == {"do": "it"}
    assert iot.describe_job(jobId="j")["job"]["status"] == "COMPLETED"


@pytest.mark.spec("BS-48")
def test_a_core_device_gets_what_is_deployed_to_its_group(hedgerow_cloud: TestCloud, core: Core) -> None:
    greengrass, s3, data = hedgerow_cloud.client("greengrassv2"), hedgerow_cloud.client("s3"), package()
    bucket = f"artifacts-{hedgerow_cloud.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="app.zip", Body=data)
    manifest = {"Platform": {"os": "linux"}, "Artifacts": [{"URI": f"s3://{bucket}/app.zip", "Unarchive": "ZIP"}]}
    text = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": "com.x",
        "ComponentVersion": "1.0.0",
        "Manifests": [manifest],
    }
    greengrass.create_component_version(inlineRecipe=json.dumps(text).encode())
    jobs = "$aws/things/core/jobs"
    core.subscribe(f"{jobs}/$next/namespace-{NAMESPACE}/get/+", f"{jobs}/notify-namespace-{NAMESPACE}")
    core.subscribe(f"{jobs}/+/namespace-{NAMESPACE}/update/+")

    greengrass.create_deployment(
        targetArn=group_arn(hedgerow_cloud, "site"), components={"com.x": {"componentVersion": "1.0.0"}}
    )
    core.wait(f"{jobs}/notify-namespace-{NAMESPACE}")
    core.publish(f"{jobs}/$next/namespace-{NAMESPACE}/get", {"jobId": "$next", "thingName": "core"})
    execution = core.wait(f"{jobs}/$next/namespace-{NAMESPACE}/get/accepted")["execution"]
    groups = core.call("/greengrass/v2/coreDevices/core/thingGroups")["thingGroups"]
    asked = {"componentName": "com.x", "versionRequirements": {"thinggroup/site": "=1.0.0"}}
    platform = {"attributes": {"os": "linux", "architecture": "amd64"}}
    resolved = core.call(
        "/greengrass/v2/resolveComponentCandidates", {"platform": platform, "componentCandidates": [asked]}
    )["resolvedComponentVersions"][0]
    artifact = json.loads(base64.b64decode(resolved["recipe"]))["Manifests"][0]["Artifacts"][0]
    fetched = _fetch(core, resolved["arn"], artifact["Uri"].removeprefix("greengrass:"))
    topic = f"{jobs}/{execution['jobId']}/namespace-{NAMESPACE}/update"
    core.publish(topic, {"jobId": execution["jobId"], "thingName": "core", "status": "SUCCEEDED"})
    core.wait(f"{topic}/accepted")
    core.publish("$aws/things/core/greengrassv2/health/json", _health("com.x"))

    devices = until(lambda: greengrass.list_core_devices()["coreDevices"])
    effective = greengrass.list_effective_deployments(coreDeviceThingName="core")["effectiveDeployments"]
    assert list(execution["jobDocument"]["components"]) == ["com.x"]
    assert [one["thingGroupName"] for one in groups] == ["site"]
    assert fetched == (data, data[3:10])
    assert artifact["Digest"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert [one["status"] for one in devices] == ["HEALTHY"]
    assert [one["coreDeviceExecutionStatus"] for one in effective] == ["SUCCEEDED"]


def test_a_core_device_is_told_of_its_own_deployment_by_its_shadow(hedgerow_cloud: TestCloud, core: Core) -> None:
    greengrass = hedgerow_cloud.client("greengrassv2")
    shadow = "$aws/things/core/shadow/name/AWSManagedGreengrassV2Deployment"
    core.subscribe(f"{shadow}/update/accepted", f"{shadow}/update/rejected", f"{shadow}/get/accepted")

    made = greengrass.create_deployment(targetArn=thing_arn(hedgerow_cloud, "core"), components={})
    told = core.wait(f"{shadow}/update/accepted")
    document = json.loads(told["state"]["desired"]["fleetConfig"])
    reported = {"fleetConfigurationArnForStatus": document["configurationArn"], "status": "SUCCEEDED"}
    core.publish(f"{shadow}/update", {"state": {"reported": reported}, "version": told["version"] + 5})
    refused = core.wait(f"{shadow}/update/rejected")
    core.publish(f"{shadow}/update", {"state": {"reported": reported}, "version": told["version"]})
    core.wait(f"{shadow}/update/accepted")

    status = greengrass.get_deployment(deploymentId=made["deploymentId"])["deploymentStatus"]
    assert (refused["code"], refused["message"]) == (409, "Version conflict")
    assert status == "COMPLETED"


def test_what_a_core_device_may_not_or_cannot_get_is_refused_with_the_right_status(
    hedgerow_cloud: TestCloud, core: Core
) -> None:
    asked = {"componentName": "com.none", "versionRequirements": {"thing/core": "^1.0.0"}}
    iot_alone = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
    stranger = Core(hedgerow_cloud.device("stranger", iot_alone))

    def status(one: Core, path: str, body: Any = None) -> int:
        with pytest.raises(urllib.error.HTTPError) as caught:
            one.call(path, body)
        caught.value.close()
        return int(caught.value.code)

    try:
        unknown = status(core, "/greengrass/v2/resolveComponentCandidates", {"componentCandidates": [asked]})
        denied = status(stranger, "/greengrass/v2/resolveComponentCandidates", {"componentCandidates": [asked]})
        groups = status(stranger, "/greengrass/v2/coreDevices/core/thingGroups")
    finally:
        stranger.close()

    assert (unknown, denied, groups) == (404, 403, 403)


def test_what_was_acknowledged_is_there_after_the_cloud_was_killed(tmp_path: Path) -> None:
    process = start_cloud(tmp_path, "--no-console", "--host=localhost")
    try:
        cloud = process.new_account(tmp_path)
        iot, greengrass, data = (cloud.client(name) for name in ("iot", "greengrassv2", "iot-data"))
        cloud.device("core", ALLOW_ALL)
        iot.create_thing_group(thingGroupName="site")
        made = greengrass.create_deployment(targetArn=group_arn(cloud, "site"), components={})
        data.update_thing_shadow(thingName="core", payload=b'{"state":{"reported":{"a":1}}}')
        iot.add_thing_to_thing_group(thingGroupName="site", thingName="core")
        process.kill()
        process.start()

        again = process.session(*credentials(cloud))
        pending = until(lambda: executions(again, "core"))
        shadow = json.loads(again.client("iot-data").get_thing_shadow(thingName="core")["payload"].read())
    finally:
        process.stop()

    assert [one["jobId"] for one in pending] == [made["iotJobId"]]
    assert (shadow["state"], shadow["version"]) == ({"reported": {"a": 1}}, 1)


def credentials(cloud: TestCloud) -> tuple[str, str]:
    given = cloud.session.get_credentials()
    assert given is not None
    kept = given.get_frozen_credentials()
    return str(kept.access_key), str(kept.secret_key)


def executions(session: Any, thing: str) -> Any:
    found = session.client("iot").list_job_executions_for_thing(thingName=thing, namespaceId=NAMESPACE)
    return found["executionSummaries"]


def _fetch(core: Core, arn: str, name: str) -> tuple[bytes, bytes]:
    """Answer an artifact whole, and seven bytes of it, by the same link."""
    path = f"/greengrass/v2/components/{urllib.parse.quote(arn, safe='')}/artifacts/{name}?s3EndpointType=GLOBAL"
    url = core.call(path)["preSignedUrl"]
    parts = []
    for headers in ({}, {"range": "bytes=3-9"}):
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, context=core.device.tls(), timeout=WITHIN_S) as answer:
            assert int(answer.headers["content-length"]) > 0
            parts.append(answer.read())
    return parts[0], parts[1]


def _health(component: str) -> dict[str, Any]:
    return {
        "ggcVersion": "2.18.0",
        "platform": "linux",
        "architecture": "amd64",
        "thing": "core",
        "overallDeviceStatus": "HEALTHY",
        "sequenceNumber": 1,
        "timestamp": 1_700_000_000_123,
        "messageType": "COMPLETE",
        "trigger": "NUCLEUS_LAUNCH",
        "components": [
            {"componentName": component, "version": "1.0.0", "fleetConfigArns": [], "isRoot": True, "status": "RUNNING"}
        ],
    }
