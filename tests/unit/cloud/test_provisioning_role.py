"""Provisioning with a real role: what IAM says decides what a template may do."""

import json

import pytest

from hedgerow.cloud.service_roles import ServiceRoles
from tests.support.cloud import Cloud
from tests.unit.core.template.templates import template
from tests.unit.services.iot.provisioning.bench import Bench

REGISTRATION = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def enrolling(cloud: Cloud, service: str) -> Bench:
    cloud.run(cloud.iam.roles.create_role, {"RoleName": "fleet", "AssumeRolePolicyDocument": trust(service)})
    rights = ServiceRoles(
        run=cloud.runner, roles=cloud.iam.role_reader, policies=cloud.iam.documents, region="eu-central-1"
    )
    bench = Bench(cloud.registry, rights=rights)
    cloud.registry.group("sites")
    cloud.registry.policy("device")
    policy = {"policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "device"}}}
    bench.template(template({"ThingName": "a", "ThingGroups": ["sites"]}, resources=policy))
    return bench


def attach_registration(cloud: Cloud) -> None:
    cloud.run(cloud.iam.role_policies.attach_role_policy, {"RoleName": "fleet", "PolicyArn": REGISTRATION})


@pytest.mark.spec("AL-44", "BS-20")
def test_the_managed_policy_for_registration_is_enough() -> None:
    cloud = Cloud()
    bench = enrolling(cloud, "iot.amazonaws.com")
    attach_registration(cloud)

    ending, reply = bench.provision(bench.certificate()["certificateOwnershipToken"])

    assert (ending, reply["thingName"]) == ("accepted", "a")


@pytest.mark.spec("AL-44", "BS-20")
@pytest.mark.parametrize(("service", "attached"), [("iot.amazonaws.com", False), ("lambda.amazonaws.com", True)])
def test_a_role_without_the_rights_or_that_does_not_trust_aws_iot_is_refused(service: str, *, attached: bool) -> None:
    cloud = Cloud()
    bench = enrolling(cloud, service)
    if attached:
        attach_registration(cloud)

    ending, reply = bench.provision(bench.certificate()["certificateOwnershipToken"])

    assert (ending, reply["statusCode"], reply["errorCode"]) == ("rejected", 403, "AccessDenied")
    assert "iot:CreateThing" in reply["errorMessage"]
    trusts = service == "iot.amazonaws.com"
    assert ("does not trust iot.amazonaws.com for arn:aws:iot:" in cloud.registry.record()[0]["reason"]) is not trusts


@pytest.mark.spec("AL-44", "X-02")
@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("DateGreaterThan", "aws:CurrentTime", "1970-01-01T00:00:01Z"),
        ("StringEquals", "aws:RequestedRegion", "eu-central-1"),
        ("Bool", "aws:ViaAWSService", "false"),
        ("Bool", "aws:SecureTransport", "true"),
        ("StringEquals", "aws:PrincipalAccount", "123456789012"),
        ("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}"),
        ("StringEquals", "aws:PrincipalTag/use", "fleet"),
    ],
)
def test_a_condition_of_the_roles_policy_holds_for_what_the_service_does(operator: str, key: str, value: str) -> None:
    cloud = Cloud()
    bench = enrolling(cloud, "iot.amazonaws.com")
    attach_registration(cloud)
    cloud.run(cloud.iam.roles.tag_role, {"RoleName": "fleet", "Tags": [{"Key": "use", "Value": "fleet"}]})
    deny = {"Effect": "Deny", "Action": "iot:CreateThing", "Resource": "*", "Condition": {operator: {key: value}}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    cloud.run(
        cloud.iam.role_policies.put_role_policy, {"RoleName": "fleet", "PolicyName": "p", "PolicyDocument": document}
    )

    ending, reply = bench.provision(bench.certificate()["certificateOwnershipToken"])

    assert (ending, reply["errorCode"]) == ("rejected", "AccessDenied")
