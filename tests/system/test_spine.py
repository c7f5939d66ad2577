"""The transactions of the whole cloud: shared commits, all or nothing, and what was promised after a kill."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hedgerow.cli.demo import fleet
from hedgerow.testing import TestCloud
from tests.support.inside import CloudInside, cloud_inside
from tests.support.mqtt import ask, connected
from tests.support.postgres import postgresql_schema
from tests.support.receiver import receiver
from tests.support.running import recipe, started
from tests.support.sites import claim_device
from tests.support.waiting import until

TOGETHER = 32
ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudInside]:
    with cloud_inside(tmp_path_factory.mktemp("inside")) as running:
        yield running


@pytest.fixture
def seen(inside: CloudInside, tmp_path: Path) -> TestCloud:
    return inside.new_account(tmp_path)


def metric(inside: CloudInside, name: str) -> float:
    with urllib.request.urlopen(f"{inside.ready['api_url']}/_metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


def create_thing(iot: Any, name: str) -> str:
    try:
        iot.create_thing(thingName=name, attributePayload={"attributes": {"made": "together"}})
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "created"


@pytest.mark.slow
def test_writes_that_arrive_together_share_commits_and_one_refusal_spares_the_others(
    inside: CloudInside, seen: TestCloud
) -> None:
    seen.client("iot").create_thing(thingName="thing-7")
    names = [f"thing-{number}" for number in range(TOGETHER)]
    iot = seen.client("iot", config=Config(max_pool_connections=TOGETHER))
    before = metric(inside, 'hedgerow_store_commits_total{database="main"}')

    with inside.faults.commits_held() as let_go, ThreadPoolExecutor(TOGETHER) as callers:
        calls = [callers.submit(create_thing, iot, name) for name in names]
        until("all of them waiting", lambda: metric(inside, 'hedgerow_queue_length{queue="store"}') == TOGETHER)
        let_go.set()
        answers = [call.result() for call in calls]

    made = {thing["thingName"] for thing in iot.list_things(maxResults=250)["things"]}
    assert metric(inside, 'hedgerow_store_commits_total{database="main"}') - before < 8
    assert [name for name, answer in zip(names, answers, strict=True) if answer != "created"] == ["thing-7"]
    assert answers[7] == "ResourceAlreadyExistsException"
    assert made == set(names)


def settled(inside: CloudInside) -> dict[str, list[tuple[Any, ...]]]:
    """Answer what is in the database once nothing is done in the background any more."""
    seen = [inside.rows()]

    def calm() -> bool:
        seen.append(inside.rows())
        return len(seen) > 4 and all(rows == seen[-1] for rows in seen[-4:])

    until("a calm database", calm)
    return seen[-1]


def apart_from_the_record(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Leave out that an attempt failed, which is written down and told, and how many follow-ups there have been."""
    waiting = [row for row in rows["follow_up"] if not str(row[2]).startswith("onboarding-")]
    return {**rows, "follow_up": waiting, "iot_onboarding": [], "sqlite_sequence": []}


def writes_that_leave_nothing_when_one_fails(inside: CloudInside, call: Callable[[], bool]) -> int:
    """Let each write of the call fail in turn, until it succeeds; answer how many there are.

    A failure that comes after the call, of what it left to be done in the background, is not the call's: the caller
    looks whether all of it is there.
    """
    before = apart_from_the_record(settled(inside))
    for number in range(1, 100):
        with inside.faults.counting(fail_at=number) as faults:
            succeeded = call()
        left = apart_from_the_record(inside.rows())
        if succeeded:
            assert left != before
            return number - 1
        assert faults.failed
        assert left == before, f"something is left after write {number} failed"
    raise AssertionError("the call does not come to an end")


def answered(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
            raise
        return False
    return True


@pytest.mark.slow
@pytest.mark.spec("BS-48")
def test_a_deployment_that_fails_in_any_of_its_writes_leaves_nothing(inside: CloudInside, seen: TestCloud) -> None:
    iot, greengrass = seen.client("iot"), seen.client("greengrassv2", config=ONCE)
    group = iot.create_thing_group(thingGroupName="sites")["thingGroupArn"]
    for name in ("a", "b"):
        iot.create_thing(thingName=name)
        iot.add_thing_to_thing_group(thingGroupName="sites", thingName=name)
    greengrass.create_component_version(inlineRecipe=recipe("hello", "1.0.0", "true"))
    components = {"hello": {"componentVersion": "1.0.0"}}

    writes = writes_that_leave_nothing_when_one_fails(
        inside, lambda: answered(lambda: greengrass.create_deployment(targetArn=group, components=components))
    )

    assert writes >= 3
    assert len(greengrass.list_deployments(targetArn=group)["deployments"]) == 1


@pytest.mark.slow
@pytest.mark.spec("BS-03")
def test_an_enrolment_that_fails_in_any_of_its_writes_leaves_nothing(
    inside: CloudInside, seen: TestCloud, tmp_path: Path
) -> None:
    claim = claim_device(seen, tmp_path)
    topic = f"$aws/provisioning-templates/{fleet.TEMPLATE}/provision/json"
    with connected(claim, client_id=f"{fleet.CLAIM_CLIENT}new-device") as device:
        made = ask(device, "$aws/certificates/create-from-csr/json", {"certificateSigningRequest": csr("new-device")})
        body = {"certificateOwnershipToken": made["certificateOwnershipToken"], "parameters": {"ThingName": "site-1"}}

        writes = writes_that_leave_nothing_when_one_fails(inside, lambda: "thingName" in ask(device, topic, body))

    assert writes >= 4
    assert len(seen.client("iot").list_thing_principals(thingName="site-1")["principals"]) == 1


@pytest.mark.slow
@pytest.mark.spec("JB-68", "JB-69", "JB-72")
def test_a_device_made_by_one_call_that_fails_in_any_of_its_writes_leaves_nothing_and_a_retry_completes_it(
    inside: CloudInside, seen: TestCloud
) -> None:
    iot, greengrass = seen.client("iot"), seen.client("greengrassv2")
    hedgerow = seen.client("hedgerow", config=ONCE)
    everything = {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
    iot.create_policy(
        policyName="device", policyDocument=json.dumps({"Version": "2012-10-17", "Statement": everything})
    )
    iot.create_thing_group(thingGroupName="plant")
    greengrass.create_component_version(inlineRecipe=recipe("app", "1.0.0", "true"))
    wanted = {
        "thingName": "pump",
        "policyName": "device",
        "thingGroupNames": ["plant"],
        "attributes": {"site": "north"},
        "shadow": '{"speed": 3}',
        "components": {"app": {"componentVersion": "1.0.0"}},
        "certificateSigningRequest": csr("pump"),
        "clientToken": "one",
    }

    writes = writes_that_leave_nothing_when_one_fails(
        inside, lambda: answered(lambda: hedgerow.provision_device(**wanted))
    )

    again = hedgerow.provision_device(**wanted)
    assert writes >= 12
    assert iot.list_thing_principals(thingName="pump")["principals"] == [again["certificateArn"]]
    assert len(iot.list_certificates()["certificates"]) == 1
    assert iot.list_things_in_thing_group(thingGroupName="plant")["things"] == ["pump"]
    assert iot.describe_thing(thingName="pump")["attributes"] == {"site": "north"}
    shadow = json.loads(seen.client("iot-data").get_thing_shadow(thingName="pump")["payload"].read())
    del shadow["state"]["delta"]
    assert shadow["state"] == {"desired": {"speed": 3}, "reported": {"provision_addr": "127.0.0.1"}}
    assert [each["deploymentId"] for each in greengrass.list_deployments()["deployments"]] == [again["deploymentId"]]


def csr(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.slow
def test_a_member_that_an_operation_does_not_honour_is_refused_by_name_and_nothing_is_changed(
    hedgerow_cloud: TestCloud,
) -> None:
    iot = hedgerow_cloud.client("iot")

    with pytest.raises(ClientError) as refused:
        iot.create_domain_configuration(
            domainConfigurationName="fleet",
            domainName="fleet.acme.example",
            serverCertificateConfig={"enableOCSPCheck": True},
        )

    error = refused.value.response
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert error["Error"]["Code"] == "NotImplementedException"
    assert "serverCertificateConfig" in error["Error"]["Message"]
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_domain_configuration(domainConfigurationName="fleet")


@pytest.mark.slow
@pytest.mark.spec("X-06")
def test_after_a_kill_before_dispatch_the_webhook_still_gets_every_event_in_order(tmp_path: Path) -> None:
    with receiver() as hook, started(tmp_path, HEDGEROW_WEBHOOK_NETWORKS="127.0.0.0/8") as process:
        cloud = process.new_account(tmp_path)
        cloud.client("iot").create_topic_rule(
            ruleName="faults",
            topicRulePayload={"sql": "SELECT * FROM 'devices/+/faults'", "actions": [hook.confirmed_by(cloud)]},
        )
        hook.hold()
        with connected(cloud.device("radio")) as radio:
            for number in range(20):
                radio.publish("devices/radio/faults", json.dumps({"number": number}))
            until("the first event at the webhook", lambda: hook.begun)
            process.kill()

        hook.let_go()
        process.start()

        until("the last event at the webhook", lambda: hook.got[-1:] == [{"number": 19}])
        numbers = [event["number"] for event in hook.got]
        assert sorted(set(numbers)) == list(range(20))
        assert numbers == sorted(numbers)


@pytest.mark.slow
def test_a_cloud_on_postgresql_finds_everything_again(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with (
        postgresql_schema(shared, f"cloud_{os.getpid()}") as url,
        started(tmp_path, HEDGEROW_DATABASE=url) as process,
    ):
        cloud = process.new_account(tmp_path)
        device = cloud.device("radio")
        cloud.client("iot-data").update_thing_shadow(thingName="radio", payload=b'{"state": {"desired": {"fan": 1}}}')
        process.stop()
        process.start()

        shadow = json.loads(cloud.client("iot-data").get_thing_shadow(thingName="radio")["payload"].read())
        with connected(device) as radio:
            radio.publish("devices/radio/hello", "hi")

    assert shadow["state"] == {"desired": {"fan": 1}, "delta": {"fan": 1}}
    assert not (process.data / "cloud.db").exists()
