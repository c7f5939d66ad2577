"""Users with few rights, who try to get more of them by what they may do."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud, start_cloud

Calls = Callable[[Any], object]


def role(cloud: TestCloud, name: str, service: str) -> str:
    principal = {"Service": f"{service}.amazonaws.com"}
    trust = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}
    made = cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    return str(made["Role"]["Arn"])


def user(cloud: TestCloud, name: str, *statements: dict[str, Any]) -> Any:
    iam = cloud.client("iam")
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"])


def statement(effect: str, action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def package() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr("m.py", "def h(event, context):\n    return 1\n")
    return data.getvalue()


def function(session: Any, role_arn: str, name: str = "f") -> object:
    code = {"ZipFile": package()}
    options = {"Runtime": "python3.11", "Handler": "m.h"}
    return session.client("lambda").create_function(FunctionName=name, Role=role_arn, Code=code, **options)


def rule(session: Any, role_arn: str) -> object:
    action = {"republish": {"topic": "b", "roleArn": role_arn}}
    payload = {"sql": "SELECT * FROM 'a'", "actions": [action]}
    return session.client("iot").create_topic_rule(ruleName="r", topicRulePayload=payload)


def alias(session: Any, role_arn: str) -> object:
    return session.client("iot").create_role_alias(roleAlias="a", roleArn=role_arn)


def job(session: Any, role_arn: str) -> object:
    iot = session.client("iot")
    target = iot.create_thing(thingName="lamp")["thingArn"]
    return iot.create_job(
        jobId="j", targets=[target], document="{}", presignedUrlConfig={"roleArn": role_arn, "expiresInSec": 60}
    )


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "use"),
    [("lambda", function), ("iot", rule), ("credentials.iot", alias), ("iot", job)],
    ids=["function", "rule", "alias", "job"],
)
def test_nobody_lets_a_service_act_in_a_role_that_he_may_not_pass(
    hedgerow_cloud: TestCloud, service: str, use: Callable[[Any, str], object]
) -> None:
    admin = role(hedgerow_cloud, "admin", service)
    passed = {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}
    poor = user(hedgerow_cloud, "poor", statement("Allow", ["iot:*", "lambda:*"]))
    trusted = user(
        hedgerow_cloud,
        "trusted",
        statement("Allow", ["iot:*", "lambda:*"]),
        statement("Allow", "iam:PassRole", admin, Condition=passed),
    )

    assert "iam:PassRole" in refused(lambda: use(poor, admin))
    use(trusted, admin)


@pytest.mark.slow
def test_who_is_kept_from_a_job_does_not_call_it_off_thing_by_thing(hedgerow_cloud: TestCloud) -> None:
    iot = hedgerow_cloud.client("iot")
    target = iot.create_thing(thingName="lamp")["thingArn"]
    arn = iot.create_job(jobId="update", targets=[target], document="{}")["jobArn"]
    kept_out = user(hedgerow_cloud, "u", statement("Allow", "iot:*"), statement("Deny", "iot:*", arn)).client("iot")
    one = {"jobId": "update", "thingName": "lamp"}

    refused(lambda: kept_out.cancel_job_execution(**one, force=True))
    refused(lambda: kept_out.delete_job_execution(**one, executionNumber=1, force=True))

    assert iot.describe_job_execution(**one)["execution"]["status"] == "QUEUED"


@pytest.mark.slow
def test_a_denied_object_cannot_be_deleted_in_a_batch(hedgerow_cloud: TestCloud) -> None:
    root = hedgerow_cloud.client("s3")
    root.create_bucket(Bucket="bucket-one")
    for key in ("secret/a", "open/a"):
        root.put_object(Bucket="bucket-one", Key=key, Body=b"1")
    all_of_it, secret = (f"arn:aws:s3:::bucket-one/{key}*" for key in ("", "secret/"))
    s3 = user(hedgerow_cloud, "u", statement("Allow", "s3:*", all_of_it), statement("Deny", "s3:*", secret)).client(
        "s3"
    )

    said = refused(lambda: s3.delete_objects(Bucket="bucket-one", Delete={"Objects": [{"Key": "secret/a"}]}))
    s3.delete_objects(Bucket="bucket-one", Delete={"Objects": [{"Key": "open/a"}]})

    assert "secret/a" in said
    assert [found["Key"] for found in root.list_objects_v2(Bucket="bucket-one")["Contents"]] == ["secret/a"]


@pytest.mark.slow
def test_a_denied_function_is_denied_under_every_form_of_its_name(hedgerow_cloud: TestCloud) -> None:
    account, region = hedgerow_cloud.account, hedgerow_cloud.region
    function(hedgerow_cloud.session, role(hedgerow_cloud, "worker", "lambda"))
    own = f"arn:aws:lambda:{region}:{account}:function:f"
    denied = statement("Deny", "lambda:*", [own, f"{own}:*"])
    client = user(hedgerow_cloud, "u", statement("Allow", "lambda:*"), denied).client("lambda")

    for name in ("f", own, f"{own}:$LATEST", f"{account}:function:f", "function:f"):
        refused(lambda name=name: client.get_function_configuration(FunctionName=name))  # type: ignore[misc]  # the loop's


@pytest.mark.slow
def test_a_component_is_made_only_of_objects_and_functions_that_its_maker_may_read(hedgerow_cloud: TestCloud) -> None:
    s3 = hedgerow_cloud.client("s3")
    s3.create_bucket(Bucket="parts")
    s3.put_object(Bucket="parts", Key="open/a.txt", Body=b"a")
    s3.put_object(Bucket="parts", Key="closed/b.txt", Body=b"b")
    function(hedgerow_cloud, role(hedgerow_cloud, "runner", "lambda"), "secret")
    version = hedgerow_cloud.client("lambda").publish_version(FunctionName="secret")["FunctionArn"]
    maker = user(
        hedgerow_cloud,
        "maker",
        statement("Allow", "greengrass:CreateComponentVersion"),
        statement("Allow", "s3:GetObject", "arn:aws:s3:::parts/open/*"),
    ).client("greengrassv2")

    def made_of(name: str, key: str) -> Any:
        manifest = {"Platform": {"os": "linux"}, "Artifacts": [{"URI": f"s3://parts/{key}"}]}
        recipe = {
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": name,
            "ComponentVersion": "1.0.0",
            "Manifests": [manifest],
        }
        return maker.create_component_version(inlineRecipe=json.dumps(recipe).encode())

    assert made_of("com.open", "open/a.txt")["status"]["componentState"] == "DEPLOYABLE"
    assert "s3:GetObject on resource: arn:aws:s3:::parts/closed/b.txt" in refused(
        lambda: made_of("com.closed", "closed/b.txt")
    )
    assert f"lambda:GetFunction on resource: {version}" in refused(
        lambda: maker.create_component_version(lambdaFunction={"lambdaArn": version})
    )
    assert [one["componentName"] for one in hedgerow_cloud.client("greengrassv2").list_components()["components"]] == [
        "com.open"
    ]


@pytest.mark.slow
def test_work_is_sent_only_to_targets_that_its_sender_may_reach(hedgerow_cloud: TestCloud) -> None:
    iot = hedgerow_cloud.client("iot")
    thing = iot.create_thing(thingName="t")["thingArn"]
    mine, theirs = (iot.create_thing_group(thingGroupName=name)["thingGroupArn"] for name in ("mine", "theirs"))
    session = user(
        hedgerow_cloud,
        "sender",
        statement("Allow", "iot:CreateJob", [thing.replace("thing/t", "job/*"), mine]),
        statement("Allow", "greengrass:CreateDeployment"),
    )
    jobs, greengrass = session.client("iot"), session.client("greengrassv2")

    jobs.create_job(jobId="one", targets=[mine], document="{}")
    greengrass.create_deployment(targetArn=mine)

    assert f"iot:CreateJob on resource: {theirs}" in refused(
        lambda: jobs.create_job(jobId="two", targets=[mine, theirs], document="{}")
    )
    assert f"iot:CreateJob on resource: {theirs}" in refused(lambda: greengrass.create_deployment(targetArn=theirs))
    assert f"iot:UpdateThingShadow on resource: {thing}" in refused(
        lambda: greengrass.create_deployment(targetArn=thing)
    )


@pytest.mark.slow
def test_a_deployment_is_cancelled_only_by_who_may_cancel_what_carries_it(hedgerow_cloud: TestCloud) -> None:
    iot, own = hedgerow_cloud.client("iot"), hedgerow_cloud.client("greengrassv2")
    thing = iot.create_thing(thingName="t")["thingArn"]
    group = iot.create_thing_group(thingGroupName="g")["thingGroupArn"]
    by_job, by_shadow = (own.create_deployment(targetArn=arn) for arn in (group, thing))
    poor = user(hedgerow_cloud, "poor", statement("Allow", "greengrass:CancelDeployment")).client("greengrassv2")
    rich = user(
        hedgerow_cloud,
        "rich",
        statement("Allow", "greengrass:CancelDeployment"),
        statement("Allow", "iot:CancelJob", by_job["iotJobArn"]),
        statement("Allow", "iot:UpdateThingShadow", thing),
    ).client("greengrassv2")

    ids = [one["deploymentId"] for one in (by_job, by_shadow)]

    said = [refused(partial(poor.cancel_deployment, deploymentId=one)) for one in ids]
    before = [own.get_deployment(deploymentId=one)["deploymentStatus"] for one in ids]
    for one in ids:
        rich.cancel_deployment(deploymentId=one)

    assert f"iot:CancelJob on resource: {by_job['iotJobArn']}" in said[0]
    assert f"iot:UpdateThingShadow on resource: {thing}" in said[1]
    assert before == ["ACTIVE", "ACTIVE"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["thing", "billing"])
def test_a_denied_group_is_denied_by_its_arn_too(hedgerow_cloud: TestCloud, kind: str) -> None:
    iot = hedgerow_cloud.client("iot")
    iot.create_thing(thingName="t")
    if kind == "thing":
        arn, name = iot.create_thing_group(thingGroupName="closed")["thingGroupArn"], "add_thing_to_thing_group"
    else:
        arn, name = iot.create_billing_group(billingGroupName="closed")["billingGroupArn"], "add_thing_to_billing_group"
    poor = user(hedgerow_cloud, "poor", statement("Allow", "iot:*"), statement("Deny", "iot:*", arn)).client("iot")

    add = getattr(poor, name)

    assert f"on resource: {arn}" in refused(lambda: add(thingName="t", **{f"{kind}GroupName": "closed"}))
    assert f"on resource: {arn}" in refused(lambda: add(thingName="t", **{f"{kind}GroupArn": arn}))


@pytest.mark.slow
def test_nobody_else_may_read_or_write_what_the_cloud_keeps(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        cloud = start_cloud(tmp_path, "--no-console")
    finally:
        os.umask(before)
    try:
        open_ones = {path.name for path in cloud.data.rglob("*") if path.stat().st_mode & 0o077}
        mode = cloud.data.stat().st_mode & 0o777
    finally:
        cloud.stop()

    assert mode == 0o700
    assert open_ones == {"device-ca.pem", "server-ca.pem", "server.pem"}


@pytest.mark.slow
def test_retaining_a_message_needs_its_own_right(hedgerow_cloud: TestCloud) -> None:
    client = user(hedgerow_cloud, "u", statement("Allow", "iot:Publish")).client("iot-data")

    client.publish(topic="a", payload=b"1")

    assert "iot:RetainPublish" in refused(lambda: client.publish(topic="a", payload=b"1", retain=True))


@pytest.mark.slow
def test_groups_and_boundaries_count_for_live_keys(hedgerow_cloud: TestCloud) -> None:
    iam = hedgerow_cloud.client("iam")
    iot = user(hedgerow_cloud, "ann", statement("Allow", "s3:ListAllMyBuckets")).client("iot")
    everything = {"Version": "2012-10-17", "Statement": [statement("Allow", "*")]}
    things = {"Version": "2012-10-17", "Statement": [statement("Allow", "iot:ListThings")]}
    iam.create_group(GroupName="admins")
    iam.put_group_policy(GroupName="admins", PolicyName="all", PolicyDocument=json.dumps(everything))
    bounds = iam.create_policy(PolicyName="bounds", PolicyDocument=json.dumps(things))["Policy"]["Arn"]

    refused(iot.list_things)
    iam.add_user_to_group(GroupName="admins", UserName="ann")
    assert iot.list_things()["things"] == []
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=bounds)
    assert iot.list_things()["things"] == []
    assert "permissions boundary" in refused(lambda: iot.create_thing(thingName="t"))
    iam.delete_user_permissions_boundary(UserName="ann")
    iot.create_thing(thingName="t")
    iam.remove_user_from_group(GroupName="admins", UserName="ann")
    refused(iot.list_things)


@pytest.mark.slow
def test_a_simulation_agrees_with_the_call(hedgerow_cloud: TestCloud) -> None:
    iam = hedgerow_cloud.client("iam")
    thing = f"arn:aws:iot:{hedgerow_cloud.region}:{hedgerow_cloud.account}:thing/"
    iot = user(hedgerow_cloud, "ann", statement("Allow", "iot:CreateThing", f"{thing}mine*")).client("iot")
    source = f"arn:aws:iam::{hedgerow_cloud.account}:user/ann"

    told = iam.simulate_principal_policy(
        PolicySourceArn=source, ActionNames=["iot:CreateThing"], ResourceArns=[f"{thing}mine", f"{thing}other"]
    )["EvaluationResults"]

    assert [one["EvalDecision"] for one in told] == ["allowed", "implicitDeny"]
    iot.create_thing(thingName="mine")
    refused(lambda: iot.create_thing(thingName="other"))
