"""What is told on `$aws/events/…` of registry, jobs and connections: heard by paho, by rules, by a webhook."""

import json

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud
from tests.support.mqtt import connected
from tests.support.receiver import receiver
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]


def watcher_policy(cloud: TestCloud) -> dict[str, object]:
    arn = f"arn:aws:iot:{cloud.region}:{cloud.account}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{arn}:client/*"},
            {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": f"{arn}:topicfilter/*"},
            {"Effect": "Allow", "Action": ["iot:Receive", "iot:Publish"], "Resource": f"{arn}:topic/*"},
        ],
    }


@pytest.mark.spec("BS-30")
def test_changes_of_the_registry_are_heard_by_a_subscriber_and_a_rule_once_they_are_switched_on(
    hedgerow_cloud: TestCloud,
) -> None:
    iot = hedgerow_cloud.client("iot")
    watcher = hedgerow_cloud.device("watcher", policy=watcher_policy(hedgerow_cloud))
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    iam = hedgerow_cloud.client("iam")
    role = iam.create_role(RoleName="rules", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}]}
    iam.put_role_policy(RoleName="rules", PolicyName="publish", PolicyDocument=json.dumps(may))
    iot.create_topic_rule(
        ruleName="things",
        topicRulePayload={
            "sql": "SELECT operation, thingName FROM '$aws/events/thing/+/created'",
            "actions": [{"republish": {"topic": "copies", "roleArn": role, "qos": 1}}],
        },
    )

    with connected(watcher) as watching:
        watching.subscribe("$aws/events/thing/#")
        watching.subscribe("copies")
        iot.create_thing(thingName="before")
        iot.update_event_configurations(eventConfigurations={"THING": {"Enabled": True}, "JOB": {"Enabled": False}})
        iot.create_thing(thingName="lamp", attributePayload={"attributes": {"serial": "4711"}})
        iot.delete_thing(thingName="lamp")
        watching.payloads(3)
        heard = {message.topic: json.loads(message.payload) for message in watching.messages}

    assert heard.keys() == {"$aws/events/thing/lamp/created", "$aws/events/thing/lamp/deleted", "copies"}
    created = heard["$aws/events/thing/lamp/created"]
    assert (created["eventType"], created["operation"]) == ("THING_EVENT", "CREATED")
    assert (created["attributes"], created["versionNumber"]) == ({"serial": "4711"}, 1)
    assert heard["copies"] == {"operation": "CREATED", "thingName": "lamp"}
    described = iot.describe_event_configurations()
    assert [name for name, one in described["eventConfigurations"].items() if one["Enabled"]] == ["THING"]


def test_the_end_of_a_job_is_heard_once_it_is_switched_on(hedgerow_cloud: TestCloud) -> None:
    iot, data = hedgerow_cloud.client("iot"), hedgerow_cloud.client("iot-jobs-data")
    watcher = hedgerow_cloud.device("watcher", policy=watcher_policy(hedgerow_cloud))
    iot.update_event_configurations(eventConfigurations={"JOB": {"Enabled": True}, "JOB_EXECUTION": {"Enabled": True}})
    arn = iot.create_thing(thingName="lamp")["thingArn"]
    iot.create_job(jobId="j", targets=[arn], document="{}")

    with connected(watcher) as watching:
        watching.subscribe("$aws/events/job/#")
        watching.subscribe("$aws/events/jobExecution/#")
        data.start_next_pending_job_execution(thingName="lamp")
        data.update_job_execution(thingName="lamp", jobId="j", status="SUCCEEDED", statusDetails={"step": "last"})
        watching.payloads(2)
        heard = {message.topic: json.loads(message.payload) for message in watching.messages}

    assert heard.keys() == {"$aws/events/jobExecution/j/succeeded", "$aws/events/job/j/completed"}
    assert heard["$aws/events/jobExecution/j/succeeded"]["statusDetails"] == {"step": "last"}
    assert heard["$aws/events/job/j/completed"]["jobProcessDetails"]["numberOfSucceededThings"] == 1


def test_nobody_publishes_events_but_the_cloud(hedgerow_cloud: TestCloud) -> None:
    iot = hedgerow_cloud.client("iot")
    forger = hedgerow_cloud.device("forger", policy=watcher_policy(hedgerow_cloud))
    action = {
        "topic": "$$aws/events/thing/lamp/created",
        "roleArn": f"arn:aws:iam::{hedgerow_cloud.account}:role/rules",
    }

    with connected(forger) as forging:
        forging.client.publish("$aws/events/thing/lamp/created", b"{}", 1)
        until("the forger is cut off", lambda: forging.ended)
    with pytest.raises(ClientError, match="events are the cloud's own"):
        iot.create_topic_rule(
            ruleName="forging", topicRulePayload={"sql": "SELECT * FROM 'a'", "actions": [{"republish": action}]}
        )


@pytest.mark.spec("JB-93")
def test_a_rule_tells_a_chat_who_comes_and_goes(hedgerow_cloud: TestCloud) -> None:
    iot = hedgerow_cloud.client("iot")
    lamp = hedgerow_cloud.device("lamp")
    lines = {
        "connected": "concat('Client connected to MQTT gateway: ', clientId, ', ', ipAddress)",
        "disconnected": "concat('Client left: ', clientId, ', ', disconnectReason)",
    }
    with receiver() as chat:
        action = chat.confirmed_by(hedgerow_cloud)
        for word, text in lines.items():
            sql = f"SELECT {text} AS text, timestamp AS ts FROM '$aws/events/presence/{word}/+'"
            iot.create_topic_rule(ruleName=word, topicRulePayload={"sql": sql, "actions": [action]})

        with connected(lamp):
            until("the first line", lambda: chat.got)
        until("the second line", lambda: len(chat.got) == 2)

    assert [line["text"] for line in chat.got] == [
        "Client connected to MQTT gateway: lamp, 127.0.0.1",
        "Client left: lamp, CLIENT_INITIATED_DISCONNECT",
    ]
    assert chat.got[0]["ts"] <= chat.got[1]["ts"]
