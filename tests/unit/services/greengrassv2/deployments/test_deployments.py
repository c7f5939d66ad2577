import json
from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from tests.support.fleet import FleetBench
from tests.support.store import CALLER, OTHER_ACCOUNT

IOT = f"arn:aws:iot:{CALLER.region}:{CALLER.account}:"
GREENGRASS = f"arn:aws:greengrass:{CALLER.region}:{CALLER.account}:"
JOBS = "$aws/things/T/jobs"
SPACE = "namespace-aws-gg-deployment"
SHADOW = "$aws/things/T/shadow/name/AWSManagedGreengrassV2Deployment"
HELLO = {"com.x": {"componentVersion": "1.0.0"}}


@pytest.fixture
def bench() -> FleetBench:
    bench = FleetBench()
    bench.component("com.x", "1.0.0")
    bench.add_group("site")
    bench.add_thing("T", "site")
    return bench


def deploy(bench: FleetBench, target: str = "thinggroup/site", **members: Any) -> Any:
    return bench.greengrass("CreateDeployment", targetArn=IOT + target, **{"components": HELLO, **members})


def status(bench: FleetBench, deployment: Any) -> str:
    return str(bench.greengrass("GetDeployment", deploymentId=deployment["deploymentId"])["deploymentStatus"])


def job_on_device(bench: FleetBench) -> Any:
    reply = bench.publish(f"{JOBS}/$next/{SPACE}/get", {"jobId": "$next", "includeJobDocument": True})
    return reply[f"{JOBS}/$next/{SPACE}/get/accepted"].get("execution")


def report_by_job(bench: FleetBench, job: str, status: str, **details: str) -> None:
    body = {"jobId": job, "thingName": "T", "status": status, "statusDetails": details, "clientToken": "c"}
    reply = bench.publish(f"{JOBS}/{job}/{SPACE}/update", body)
    assert reply[f"{JOBS}/{job}/{SPACE}/update/accepted"]["clientToken"] == "c"


def effective(bench: FleetBench) -> Any:
    health = {"ggcVersion": "2.18.0", "overallDeviceStatus": "HEALTHY", "sequenceNumber": 1, "timestamp": 1}
    bench.publish("$aws/things/T/greengrassv2/health/json", health)
    return bench.greengrass("ListEffectiveDeployments", coreDeviceThingName="T")["effectiveDeployments"]


@pytest.mark.spec("BS-48")
def test_a_deployment_to_a_group_arrives_as_a_job_in_greengrasss_namespace(bench: FleetBench) -> None:
    answer = deploy(bench, deploymentName="d")

    execution = job_on_device(bench)
    assert f"{JOBS}/notify-namespace-aws-gg-deployment" in bench.told
    assert f"{JOBS}/notify" not in bench.told
    assert execution["jobId"] == answer["iotJobId"]
    assert answer["iotJobArn"] == f"{IOT}job/{answer['iotJobId']}"
    assert execution["jobDocument"] == {
        "deploymentId": answer["deploymentId"],
        "schemaDate": "2021-05-17",
        "deploymentName": "d",
        "configurationArn": f"{GREENGRASS}configuration:thinggroup/site:1",
        "creationTimestamp": 1_800_000_000_000,
        "components": {"com.x": {"version": "1.0.0"}},
        "failureHandlingPolicy": "ROLLBACK",
        "requiredCapabilities": [],
        "componentUpdatePolicy": {"timeout": 60, "action": "NOTIFY_COMPONENTS"},
        "configurationValidationPolicy": {"timeout": 60},
    }


def test_a_deployment_to_a_thing_arrives_in_its_deployment_shadow(bench: FleetBench) -> None:
    answer = deploy(bench, "thing/T")

    accepted = bench.told[f"{SHADOW}/update/accepted"]["state"]["desired"]
    document = json.loads(accepted["fleetConfig"])
    assert "iotJobId" not in answer
    assert accepted["desiredStatus"] == "SUCCEEDED"
    assert accepted["fleetConfigurationArn"] == document["configurationArn"] == f"{GREENGRASS}configuration:thing/T:1"


def test_configuration_updates_are_texts_in_the_api_and_objects_for_devices(bench: FleetBench) -> None:
    wanted = {
        "com.x": {
            "componentVersion": "1.0.0",
            "configurationUpdate": {"merge": '{"a":{"b":1}}', "reset": ["/c"]},
            "runWith": {"posixUser": "u:g", "systemResourceLimits": {"memory": 1000}},
        }
    }
    policies = {
        "failureHandlingPolicy": "DO_NOTHING",
        "componentUpdatePolicy": {"timeoutInSeconds": 5, "action": "SKIP_NOTIFY_COMPONENTS"},
        "configurationValidationPolicy": {"timeoutInSeconds": 7},
    }
    answer = deploy(bench, components=wanted, deploymentPolicies=policies)

    document = job_on_device(bench)["jobDocument"]
    shown = bench.greengrass("GetDeployment", deploymentId=answer["deploymentId"])
    assert document["components"]["com.x"] == {
        "version": "1.0.0",
        "configurationUpdate": {"merge": {"a": {"b": 1}}, "reset": ["/c"]},
        "runWith": {"posixUser": "u:g", "systemResourceLimits": {"memory": 1000}},
    }
    assert document["failureHandlingPolicy"] == "DO_NOTHING"
    assert document["componentUpdatePolicy"] == {"timeout": 5, "action": "SKIP_NOTIFY_COMPONENTS"}
    assert document["configurationValidationPolicy"] == {"timeout": 7}
    assert (shown["components"], shown["deploymentPolicies"]) == (wanted, policies)


def test_a_new_revision_takes_the_place_of_the_one_before(bench: FleetBench) -> None:
    first = deploy(bench)
    second = deploy(bench)

    document = job_on_device(bench)["jobDocument"]
    job = bench.call("iot", "DescribeJob", jobId=first["iotJobId"])["job"]
    assert document["configurationArn"].endswith(":2")
    assert document["creationTimestamp"] == 1_800_000_000_001
    assert (status(bench, first), status(bench, second)) == ("INACTIVE", "ACTIVE")
    assert (job["status"], job["jobProcessDetails"]["numberOfCanceledThings"]) == ("CANCELED", 1)


def test_revisions_go_on_counting_after_a_deletion(bench: FleetBench) -> None:
    first = deploy(bench)
    bench.greengrass("CancelDeployment", deploymentId=first["deploymentId"])
    bench.greengrass("DeleteDeployment", deploymentId=first["deploymentId"])

    deploy(bench)

    assert job_on_device(bench)["jobDocument"]["configurationArn"].endswith(":2")


def test_who_joins_the_group_later_gets_the_deployment(bench: FleetBench) -> None:
    answer = deploy(bench)
    bench.add_thing("U", "site")

    reply = bench.publish(f"$aws/things/U/jobs/$next/{SPACE}/get", {})

    assert reply[f"$aws/things/U/jobs/$next/{SPACE}/get/accepted"]["execution"]["jobId"] == answer["iotJobId"]


def test_a_core_device_reports_by_the_job(bench: FleetBench) -> None:
    answer = deploy(bench)
    waiting = effective(bench)
    report_by_job(bench, answer["iotJobId"], "IN_PROGRESS")
    working = effective(bench)
    report_by_job(
        bench,
        answer["iotJobId"],
        "FAILED",
        **{
            "detailed-deployment-status": "FAILED_ROLLBACK_COMPLETE",
            "deployment-failure-cause": "it broke",
            "deployment-error-stack": '["DEPLOYMENT_FAILURE","COMPONENT_BROKEN"]',
            "deployment-error-types": '["USER_COMPONENT_ERROR"',
        },
    )
    (failed,) = effective(bench)

    assert [one[0]["coreDeviceExecutionStatus"] for one in (waiting, working)] == ["QUEUED", "IN_PROGRESS"]
    assert (failed["coreDeviceExecutionStatus"], failed["reason"]) == ("FAILED", "it broke")
    assert failed["statusDetails"] == {"errorStack": ["DEPLOYMENT_FAILURE", "COMPONENT_BROKEN"], "errorTypes": []}
    assert (failed["iotJobId"], failed["targetArn"]) == (answer["iotJobId"], f"{IOT}thinggroup/site")
    assert job_on_device(bench) is None


def test_a_core_device_reports_by_the_shadow(bench: FleetBench) -> None:
    answer = deploy(bench, "thing/T")
    waiting = effective(bench)
    reported = {
        "fleetConfigurationArnForStatus": f"{GREENGRASS}configuration:thing/T:1",
        "status": "SUCCEEDED",
        "statusDetails": {"detailedStatus": "SUCCESSFUL", "failureCause": None, "errorStack": [], "errorTypes": []},
    }
    reply = bench.publish(f"{SHADOW}/update", {"state": {"reported": reported}, "version": 1})
    done = effective(bench)

    assert f"{SHADOW}/update/accepted" in reply
    assert [one[0]["coreDeviceExecutionStatus"] for one in (waiting, done)] == ["QUEUED", "SUCCEEDED"]
    assert status(bench, answer) == "COMPLETED"


def test_what_was_reported_about_an_earlier_revision_does_not_count(bench: FleetBench) -> None:
    deploy(bench, "thing/T")
    reported = {"fleetConfigurationArnForStatus": f"{GREENGRASS}configuration:thing/T:1", "status": "SUCCEEDED"}
    bench.publish(f"{SHADOW}/update", {"state": {"reported": reported}})

    second = deploy(bench, "thing/T")

    assert status(bench, second) == "ACTIVE"


def test_canceling_tells_the_thing_with_both_members(bench: FleetBench) -> None:
    answer = deploy(bench, "thing/T")
    sent = bench.told[f"{SHADOW}/update/accepted"]["state"]["desired"]["fleetConfig"]

    bench.greengrass("CancelDeployment", deploymentId=answer["deploymentId"])

    desired = bench.told[f"{SHADOW}/update/accepted"]["state"]["desired"]
    assert (desired["desiredStatus"], desired["fleetConfig"]) == ("CANCELED", sent)
    assert status(bench, answer) == "CANCELED"


def test_canceling_takes_the_job_back_from_who_has_not_begun(bench: FleetBench) -> None:
    answer = deploy(bench)

    bench.greengrass("CancelDeployment", deploymentId=answer["deploymentId"])

    assert job_on_device(bench) is None
    assert [one["coreDeviceExecutionStatus"] for one in effective(bench)] == ["CANCELED"]
    with pytest.raises(ServiceError) as caught:
        bench.greengrass("CancelDeployment", deploymentId=answer["deploymentId"])
    assert caught.value.code == "ConflictException"


def test_an_active_deployment_is_not_deleted(bench: FleetBench) -> None:
    answer = deploy(bench)

    with pytest.raises(ServiceError) as caught:
        bench.greengrass("DeleteDeployment", deploymentId=answer["deploymentId"])

    assert caught.value.code == "ConflictException"


def test_the_same_client_token_makes_one_deployment(bench: FleetBench) -> None:
    first = deploy(bench, clientToken="t")
    again = deploy(bench, clientToken="t")

    assert again == first
    assert len(bench.greengrass("ListDeployments", historyFilter="ALL")["deployments"]) == 1


def test_deployments_are_listed_newest_first_and_by_target(bench: FleetBench) -> None:
    for target in ("thing/T", "thinggroup/site", "thing/T"):
        deploy(bench, target)
        bench.store.clock.advance(1)

    latest = bench.greengrass("ListDeployments")["deployments"]
    first = bench.greengrass("ListDeployments", historyFilter="ALL", maxResults=2)
    rest = bench.greengrass("ListDeployments", historyFilter="ALL", maxResults=2, nextToken=first["nextToken"])
    of_thing = bench.greengrass("ListDeployments", historyFilter="ALL", targetArn=f"{IOT}thing/T")["deployments"]

    assert [(one["targetArn"], one["revisionId"]) for one in latest] == [
        (f"{IOT}thing/T", "2"),
        (f"{IOT}thinggroup/site", "1"),
    ]
    assert [one["revisionId"] for one in first["deployments"] + rest["deployments"]] == ["2", "1", "1"]
    assert [one["deploymentStatus"] for one in of_thing] == ["ACTIVE", "INACTIVE"]


def test_a_list_for_a_target_of_another_account_is_refused(bench: FleetBench) -> None:
    with pytest.raises(ServiceError, match="not of account"):
        bench.greengrass("ListDeployments", targetArn="arn:aws:iot:eu-central-1:210987654321:thing/T")


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"components": {"com.none": {"componentVersion": "1.0.0"}}}, "ValidationException", "com.none 1.0.0"),
        ({"components": {"com.x": {"componentVersion": "1.x"}}}, "ValidationException", "semantic version"),
        ({"targetArn": f"{IOT}thing/none"}, "ResourceNotFoundException", "does not exist"),
        ({"targetArn": f"{IOT}thinggroup/none"}, "ResourceNotFoundException", "does not exist"),
        ({"targetArn": "arn:aws:iot:eu-central-1:210987654321:thing/T"}, "ValidationException", "not of account"),
        ({"targetArn": f"{IOT}cert/x"}, "ValidationException", "neither"),
        (
            {"components": {"com.x": {"componentVersion": "1.0.0", "configurationUpdate": {"merge": "["}}}},
            "ValidationException",
            "not JSON",
        ),
        (
            {"components": {"com.x": {"componentVersion": "1.0.0", "configurationUpdate": {"reset": ["a"]}}}},
            "ValidationException",
            "JSON pointer",
        ),
        (
            {"components": {"com.x": {"componentVersion": "1.0.0", "configurationUpdate": {"merge": "[1]"}}}},
            "ValidationException",
            "JSON object",
        ),
        (
            {
                "components": {
                    "com.x": {
                        "componentVersion": "1.0.0",
                        "configurationUpdate": {"merge": json.dumps({"a": "x" * 100_000})},
                    }
                }
            },
            "ValidationException",
            "longer than",
        ),
        ({"deploymentPolicies": {"componentUpdatePolicy": {"timeoutInSeconds": 0}}}, "ValidationException", "positive"),
    ],
)
def test_a_faulty_deployment_is_refused_and_leaves_nothing(
    bench: FleetBench, members: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(ServiceError, match=words) as caught:
        bench.greengrass("CreateDeployment", **{"targetArn": f"{IOT}thinggroup/site", "components": HELLO, **members})

    assert caught.value.code == code
    assert bench.greengrass("ListDeployments", historyFilter="ALL")["deployments"] == []
    assert job_on_device(bench) is None


def test_a_job_timeout_is_for_groups_and_reaches_the_job(bench: FleetBench) -> None:
    configuration = {"timeoutConfig": {"inProgressTimeoutInMinutes": 3}}
    answer = deploy(bench, iotJobConfiguration=configuration)

    job = bench.call("iot", "DescribeJob", jobId=answer["iotJobId"])["job"]
    with pytest.raises(ServiceError, match="thing groups"):
        deploy(bench, "thing/T", iotJobConfiguration=configuration)

    assert job["timeoutConfig"] == {"inProgressTimeoutInMinutes": 3}


def test_the_nucleus_may_be_named_at_any_version(bench: FleetBench) -> None:
    deploy(bench, components={"aws.greengrass.Nucleus": {"componentVersion": "2.18.0"}})

    assert job_on_device(bench)["jobDocument"]["components"] == {"aws.greengrass.Nucleus": {"version": "2.18.0"}}


def test_two_accounts_with_the_same_names_do_not_meet(bench: FleetBench) -> None:
    bench.add_group("site", caller=OTHER_ACCOUNT)
    bench.add_thing("T", "site", caller=OTHER_ACCOUNT)
    bench.component("com.x", "1.0.0", OTHER_ACCOUNT)
    theirs = bench.greengrass(
        "CreateDeployment",
        OTHER_ACCOUNT,
        targetArn=f"arn:aws:iot:{OTHER_ACCOUNT.region}:{OTHER_ACCOUNT.account}:thinggroup/site",
        components=HELLO,
    )

    assert job_on_device(bench) is None
    assert bench.greengrass("ListDeployments")["deployments"] == []
    with pytest.raises(ServiceError):
        bench.greengrass("GetDeployment", deploymentId=theirs["deploymentId"])
