"""Real boto3 against the registry: names, headers, pages and errors on the wire are the service model's."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hedgerow.api import ApiApp, Pipeline
from hedgerow.api.operations import Row
from hedgerow.base.ids import RandomIds
from hedgerow.cloud.device_authority import DeviceAuthority
from hedgerow.cloud.operations import iot as iot_rows
from hedgerow.core import pki
from hedgerow.services.iot.certificates import CertificateFlows
from hedgerow.services.iot.endpoints import EndpointOperations, Endpoints
from hedgerow.services.iot.provisioning_templates import TemplateOperations, TemplateStore
from hedgerow.services.iot.role_aliases import RoleAliasOperations, RoleAliasStore
from tests.support.cloud import Cloud
from tests.support.iam import TRUST_ACCOUNT
from tests.support.registry import ALLOW_ALL
from tests.unit.api.cloud import CATALOGUE, ToyCloud, ToyDirectory, ToyRunner, served
from tests.unit.core.template.templates import template
from tests.unit.services.iot.provisioning.bench import FakeFunctions

pytestmark = pytest.mark.slow
REGION = "eu-central-1"
ACCOUNT = "123456789012"


class NoAnchors:
    @asynccontextmanager
    async def joining(self, certificate_pem: str, *, account: str, ca: bool) -> AsyncIterator[None]:
        """Nothing listens here."""
        yield


def rows(cloud: Cloud) -> dict[tuple[str, str], Row]:
    registry = cloud.registry
    authority = pki.new_device_authority(cloud.store.clock.now(), kind="p256")
    table = iot_rows.rows(
        things=registry.things,
        principals=registry.principals,
        types=registry.types,
        groups=registry.groups,
        billing=registry.billing,
        certificates=registry.certificates,
        certificate_flows=CertificateFlows(
            run=cloud.runner,
            certificates=registry.certificates,
            authority=DeviceAuthority(authority=authority, clock=cloud.store.clock, host_names=("cloud.test",)),
            anchors=NoAnchors(),
        ),
        policies=registry.policies,
        attachments=registry.attachments,
        role_aliases=RoleAliasOperations(
            role_aliases=RoleAliasStore(), roles=cloud.iam.role_reader, pages=registry.pages
        ),
        endpoints=EndpointOperations(
            endpoints=Endpoints(data="data.test", credentials="credentials.test", jobs="jobs.test"),
        ),
    )
    templates = TemplateOperations(
        templates=TemplateStore(),
        authorities=registry.ca_store,
        roles=cloud.iam.role_reader,
        hooks=FakeFunctions(),
        pages=registry.pages,
    )
    return {("iot", name): row for name, row in (table | iot_rows.template_rows(templates=templates)).items()}


@pytest.fixture(scope="module")
def iot() -> Iterator[Any]:
    cloud = Cloud()
    cloud.store.clock.value = time.time()
    with cloud.store.tx() as tx:
        first = cloud.iam.accounts.ensure_first(tx, ACCOUNT).response
    cloud.run(cloud.iam.roles.create_role, {"RoleName": "fleet", "AssumeRolePolicyDocument": TRUST_ACCOUNT})
    pipeline = Pipeline(
        catalogue=CATALOGUE,
        operations=rows(cloud),
        directory=cloud.directory,
        runner=cloud.runner,
        clock=cloud.store.clock,
        ids=RandomIds(),
        region=REGION,
    )
    toy = ToyCloud(ApiApp(pipeline, ids=RandomIds()), ToyDirectory(), ToyRunner(), pipeline)
    with served(toy) as running:
        session = boto3.Session(first["accessKeyId"], first["secretAccessKey"], region_name=REGION)
        yield session.client("iot", endpoint_url=running.url, config=Config(retries={"max_attempts": 0}))


def signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "button")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode("ascii")


def refused(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer: dict[str, Any] = dict(caught.value.response)
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.spec("DR-07", "DR-11", "DR-13", "DR-14", "DR-16", "DR-17", "DR-18")
def test_a_button_is_made_attached_and_taken_apart(iot: Any) -> None:
    iot.create_policy(policyName="EM247PubSub", policyDocument=ALLOW_ALL)
    iot.create_thing_type(thingTypeName="EM247Button", thingTypeProperties={"searchableAttributes": ["serialNumber"]})
    iot.create_thing(
        thingName="iotbutton_1",
        thingTypeName="EM247Button",
        attributePayload={"attributes": {"serialNumber": "1"}},
    )
    made = iot.create_certificate_from_csr(certificateSigningRequest=signing_request(), setAsActive=True)
    certificate, certificate_id = made["certificateArn"], made["certificateId"]
    untied = iot.list_principal_things(principal=certificate)["things"]
    iot.attach_principal_policy(policyName="EM247PubSub", principal=certificate)
    iot.attach_thing_principal(thingName="iotbutton_1", principal=certificate)

    assert untied == []
    assert iot.list_thing_principals(thingName="iotbutton_1")["principals"] == [certificate]
    assert iot.list_principal_policies(principal=certificate)["policies"][0]["policyName"] == "EM247PubSub"
    assert iot.list_attached_policies(target=certificate)["policies"][0]["policyName"] == "EM247PubSub"
    assert iot.list_things(attributeName="serialNumber", attributeValue="1")["things"][0]["version"] == 1
    described = iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]
    assert described["status"] == "ACTIVE"
    assert described["validity"]["notAfter"].year == 2049
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.delete_thing(thingName="iotbutton_1")
    with pytest.raises(ClientError) as active:
        iot.delete_certificate(certificateId=certificate_id)
    assert refused(active) == ("CertificateStateException", 406)
    iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    with pytest.raises(ClientError) as attached:
        iot.delete_certificate(certificateId=certificate_id)
    assert refused(attached) == ("DeleteConflictException", 409)
    iot.detach_thing_principal(thingName="iotbutton_1", principal=certificate)
    iot.detach_principal_policy(policyName="EM247PubSub", principal=certificate)
    iot.delete_certificate(certificateId=certificate_id)
    iot.delete_thing(thingName="iotbutton_1")
    iot.delete_policy(policyName="EM247PubSub")
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_thing(thingName="iotbutton_1")


@pytest.mark.spec("JB-35", "BS-10")
def test_keys_and_certificate_come_in_one_answer(iot: Any) -> None:
    made = iot.create_keys_and_certificate(setAsActive=False)

    assert made["keyPair"]["PrivateKey"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert made["keyPair"]["PublicKey"].startswith("-----BEGIN PUBLIC KEY-----")
    assert made["certificateId"] == pki.certificate_id(made["certificatePem"])
    listed = [shown for page in iot.get_paginator("list_certificates").paginate() for shown in page["certificates"]]
    assert (made["certificateId"], "INACTIVE") in [(shown["certificateId"], shown["status"]) for shown in listed]


@pytest.mark.spec("JB-30")
def test_groups_nest_and_their_members_are_paged(iot: Any) -> None:
    iot.create_thing_group(thingGroupName="world")
    iot.create_thing_group(thingGroupName="europe", parentGroupName="world")
    names = [f"site-{number}" for number in range(5)]
    for name in names:
        iot.create_thing(thingName=name)
        iot.add_thing_to_thing_group(thingGroupName="europe", thingName=name)
    group_arn = iot.describe_thing_group(thingGroupName="europe")["thingGroupArn"]
    iot.create_policy(policyName="sites", policyDocument=ALLOW_ALL)
    iot.attach_policy(policyName="sites", target=group_arn)

    pages = iot.get_paginator("list_things_in_thing_group").paginate(
        thingGroupName="world", recursive=True, PaginationConfig={"PageSize": 2}
    )
    assert [name for page in pages for name in page["things"]] == names
    assert iot.list_targets_for_policy(policyName="sites")["targets"] == [group_arn]
    with pytest.raises(ClientError) as children:
        iot.delete_thing_group(thingGroupName="world")
    assert refused(children) == ("InvalidRequestException", 400)
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException) as taken:
        iot.create_thing_group(thingGroupName="europe")
    assert taken.value.response["resourceArn"] == group_arn
    with pytest.raises(ClientError) as stale:
        iot.update_thing_group(
            thingGroupName="europe", thingGroupProperties={"thingGroupDescription": "x"}, expectedVersion=9
        )
    assert refused(stale) == ("VersionConflictException", 409)


@pytest.mark.spec("BS-17", "BS-21", "AL-42")
def test_a_role_alias_and_a_provisioning_template_need_a_role_that_is_there(iot: Any) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/fleet"
    alias = iot.create_role_alias(roleAlias="devices", roleArn=role)
    made = iot.create_provisioning_template(
        templateName="fleet", templateBody=template({"ThingName": "a"}), provisioningRoleArn=role, enabled=True
    )

    described = iot.describe_role_alias(roleAlias="devices")["roleAliasDescription"]
    assert alias["roleAliasArn"] == described["roleAliasArn"]
    assert described["credentialDurationSeconds"] == 3600
    assert made["defaultVersionId"] == 1
    assert json.loads(iot.describe_provisioning_template(templateName="fleet")["templateBody"])["Resources"]
    with pytest.raises(ClientError) as missing:
        iot.create_role_alias(roleAlias="other", roleArn=f"arn:aws:iam::{ACCOUNT}:role/none")
    assert refused(missing) == ("InvalidRequestException", 400)


@pytest.mark.spec("BS-40")
@pytest.mark.parametrize("kind", ["iot:Data-ATS", "iot:CredentialProvider", "iot:Jobs", "iot:Data"])
def test_an_endpoint_is_a_bare_host(iot: Any, kind: str) -> None:
    host = iot.describe_endpoint(endpointType=kind)["endpointAddress"]

    assert "/" not in host
    assert ":" not in host


def test_what_is_not_honoured_is_refused_by_name(iot: Any) -> None:
    iot.create_policy(policyName="own", policyDocument=ALLOW_ALL)

    with pytest.raises(ClientError, match="ascendingOrder") as caught:
        iot.list_policy_principals(policyName="own", ascendingOrder=True)

    assert refused(caught) == ("NotImplementedException", 501)
