"""The IoT log of an account: what devices do is found in CloudWatch Logs, in AWS's form."""

import json
import urllib.request
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud
from tests.support.mqtt import ask, connected
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]
GROUP = "AWSIotLogsV2"
WRITING = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
COMMON = ["timestamp", "logLevel", "traceId", "accountId", "status", "eventType"]


def role(cloud: TestCloud, name: str = "logging", actions: Sequence[str] = WRITING) -> str:
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]["Arn"]
    document = {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="write", PolicyDocument=json.dumps(document))
    return str(arn)


def lines(cloud: TestCloud, group: str = GROUP) -> list[dict[str, Any]]:
    try:
        found = cloud.client("logs").filter_log_events(logGroupName=group)["events"]
    except ClientError:
        return []
    return [json.loads(event["message"]) for event in found]


def line(cloud: TestCloud, event: str, group: str = GROUP, **fields: Any) -> dict[str, Any]:
    def seen() -> dict[str, Any] | None:
        for one in lines(cloud, group):
            if one["eventType"] == event and all(one.get(name) == value for name, value in fields.items()):
                return one
        return None

    return until(f"a line of {event} with {fields}", seen)


@pytest.mark.spec("JB-25")
def test_what_a_device_does_is_in_the_log_in_the_form_of_aws(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    device, arn = cloud.device("pump-1"), role(cloud)
    iot = cloud.client("iot")
    action = {"cloudwatchLogs": {"logGroupName": "telemetry", "roleArn": arn}}
    iot.create_topic_rule(ruleName="keep", topicRulePayload={"sql": "SELECT * FROM 'devices/#'", "actions": [action]})
    iot.set_v2_logging_options(roleArn=arn, defaultLogLevel="DEBUG")

    with connected(device) as client:
        client.subscribe("devices/pump-1/#")
        client.publish("devices/pump-1/level", "{}")
        client.payloads(1)
        ask(client, "$aws/things/pump-1/shadow/update", {"state": {"reported": {"on": True}}})
    line(cloud, "Disconnect", clientId="pump-1", disconnectReason="CLIENT_INITIATED_DISCONNECT")

    said = line(cloud, "Publish-In", topicName="devices/pump-1/level")
    assert list(said) == [*COMMON, "protocol", "topicName", "clientId", "principalId", "sourceIp", "sourcePort"]
    assert (said["logLevel"], said["status"], said["protocol"]) == ("INFO", "Success", "MQTT")
    assert (said["accountId"], said["clientId"], said["sourceIp"]) == (cloud.account, "pump-1", "127.0.0.1")
    principal = iot.list_thing_principals(thingName="pump-1")["principals"][0]
    assert principal.endswith(said["principalId"])
    assert line(cloud, "Connect", clientId="pump-1")["sourcePort"] == said["sourcePort"]
    assert line(cloud, "Subscribe", topicName="devices/pump-1/#")["status"] == "Success"
    assert line(cloud, "Publish-Out", topicName="devices/pump-1/level")["clientId"] == "pump-1"
    assert line(cloud, "UpdateThingShadow", deviceShadowName="pump-1")["topicName"].endswith("/shadow/update")
    executed = line(cloud, "RuleExecution", ruleName="keep", topicName="devices/pump-1/level")
    assert executed["resources"] == {"LogGroupName": "telemetry"}
    assert line(cloud, "RuleMatch", ruleName="keep", topicName="devices/pump-1/level")["traceId"] == said["traceId"]
    assert executed["traceId"] == said["traceId"]


def test_a_level_for_one_client_shows_why_it_was_cut_off_and_nothing_of_the_others(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    watched, other, iot = cloud.device("watched"), cloud.device("other"), cloud.client("iot")
    iot.set_v2_logging_options(roleArn=role(cloud), defaultLogLevel="DISABLED")
    with connected(watched) as client, connected(other) as quiet:
        iot.set_v2_logging_level(logTarget={"targetType": "CLIENT_ID", "targetName": "watched"}, logLevel="ERROR")
        quiet.client.publish("elsewhere", "{}", 1)
        until("the other's end", lambda: quiet.ended)
        until("the level to count", lambda: _denied(cloud, client))

    refused = line(cloud, "Publish-In", clientId="watched", status="Failure")

    assert (refused["logLevel"], refused["reason"]) == ("ERROR", "AUTHORIZATION_FAILURE")
    assert "no statement allows iot:Publish" in refused["details"]
    assert {one["clientId"] for one in lines(cloud)} == {"watched"}


def _denied(cloud: TestCloud, client: Any) -> bool:
    """A level reaches the connections that are there within a second."""
    if client.client.is_connected():
        client.client.publish("elsewhere", "{}", 1)
    return bool(lines(cloud))


def test_events_may_go_to_a_group_of_their_own(hedgerow_cloud: TestCloud) -> None:
    cloud, iot = hedgerow_cloud, hedgerow_cloud.client("iot")
    events = [{"eventType": "Connect", "logLevel": "INFO", "logDestination": "ins"}]
    iot.set_v2_logging_options(roleArn=role(cloud), defaultLogLevel="DISABLED", eventConfigurations=events)
    with connected(cloud.device("pump-1")):
        line(cloud, "Connect", group="ins", clientId="pump-1")

    assert iot.get_v2_logging_options()["eventConfigurations"] == events
    assert lines(cloud) == []


def refused(cloud: TestCloud) -> int:
    name = 'hedgerow_iot_log_lines_total{outcome="refused"} '
    with urllib.request.urlopen(cloud.process.ready["api_url"] + "/_metrics", timeout=10) as answer:
        (found,) = (text for text in answer.read().decode().splitlines() if text.startswith(name))
    return int(found.removeprefix(name))


def test_a_role_without_the_right_writes_nothing_until_it_has_it(hedgerow_cloud: TestCloud) -> None:
    cloud, before = hedgerow_cloud, refused(hedgerow_cloud)
    cloud.client("iot").set_v2_logging_options(
        roleArn=role(cloud, actions=["logs:PutLogEvents"]), defaultLogLevel="INFO"
    )
    with connected(cloud.device("pump-1")) as client:
        until("lines that are not written", lambda: refused(cloud) > before)
        document = {"Statement": [{"Effect": "Allow", "Action": WRITING, "Resource": "*"}]}
        cloud.client("iam").put_role_policy(RoleName="logging", PolicyName="write", PolicyDocument=json.dumps(document))
        client.publish("devices/pump-1/after", "{}")
        line(cloud, "Publish-In", topicName="devices/pump-1/after")

    assert "Connect" not in {one["eventType"] for one in lines(cloud)}


def test_a_role_that_aws_iot_cannot_assume_is_refused(hedgerow_cloud: TestCloud) -> None:
    with pytest.raises(ClientError) as caught:
        hedgerow_cloud.client("iot").set_v2_logging_options(
            roleArn=f"arn:aws:iam::{hedgerow_cloud.account}:role/none", defaultLogLevel="INFO"
        )

    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"


def test_the_first_version_writes_plain_text(hedgerow_cloud: TestCloud) -> None:
    cloud, iot = hedgerow_cloud, hedgerow_cloud.client("iot")
    iot.set_logging_options(loggingOptionsPayload={"roleArn": role(cloud), "logLevel": "INFO"})
    with connected(cloud.device("pump-1")) as client:
        client.publish("devices/pump-1/level", "{}")

    def seen() -> list[str]:
        try:
            events = cloud.client("logs").filter_log_events(logGroupName="AWSIotLogs")["events"]
        except ClientError:
            return []
        return [event["message"] for event in events if "EVENT:Publish-In" in event["message"]]

    (said,) = until("the line", seen)
    assert "TOPICNAME:devices/pump-1/level CLIENTID:pump-1" in said
    with pytest.raises(ClientError, match="NotConfiguredException"):
        iot.get_v2_logging_options()


def test_a_job_is_followed_to_its_end(hedgerow_cloud: TestCloud) -> None:
    cloud, device, iot = hedgerow_cloud, hedgerow_cloud.device("pump-1"), hedgerow_cloud.client("iot")
    iot.set_v2_logging_options(roleArn=role(cloud), defaultLogLevel="DEBUG")
    thing = iot.describe_thing(thingName="pump-1")["thingArn"]
    iot.create_job(jobId="update", targets=[thing], document="{}")
    jobs = "$aws/things/pump-1/jobs"
    with connected(device) as client:
        ask(client, f"{jobs}/start-next", {"clientToken": "mine"})
        ask(client, f"{jobs}/update/update", {"status": "SUCCEEDED"})
        ask(client, f"{jobs}/update/update", {"status": "IN_PROGRESS"})

    assert line(cloud, "StartNextPendingJobExecution")["clientToken"] == "mine"
    assert line(cloud, "UpdateJobExecution", status="Success")["jobId"] == "update"
    assert line(cloud, "UpdateJobExecution", status="Failure")["reason"] == "InvalidStateTransition"
    assert "SUCCEEDED job execution count: 1" in line(cloud, "ReportFinalJobExecutionCount")["details"]
