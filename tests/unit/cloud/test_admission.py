"""Who may connect by MQTT, and with which policies and variables."""

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hedgerow.cloud.admission import GrantsCompiler
from hedgerow.cloud.certificate_checks import CertificateChecks
from hedgerow.core import pki
from hedgerow.core.caller import Caller
from hedgerow.core.events import DomainChanged
from hedgerow.core.tls import Domain, Port, Proof, Speech, WayIn, way_for
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted, Upgrade, Way
from hedgerow.services.iot.ca_certificates.model import CaMode, parsed_ca
from hedgerow.services.iot.certificates import Certificate, Mode, Status
from tests.support import authorities
from tests.support.cloud import Cloud, wait
from tests.support.iam import READ_S3, TRUST_ACCOUNT
from tests.support.registry import arn_of, certificate_pem, group_arn
from tests.support.store import CALLER, OTHER_ACCOUNT

IOT = "arn:aws:iot:eu-central-1:123456789012:"
DER = pki.der_of(pki.read_certificate(certificate_pem(1)))


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str, resource: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


OWN = policy(allow("iot:Connect", IOT + "client/${iot:Connection.Thing.ThingName}"))


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def ask(cloud: Cloud, client_id: str = "pump-1", **more: Any) -> Admitted | NotAdmitted:
    question = {"peer": "192.0.2.1", "server_name": "cloud.example.org", "certificate": DER} | more
    return wait(cloud.admission.admit(Admit(client_id=client_id, **question)))


def admitted(cloud: Cloud, client_id: str = "pump-1", **more: Any) -> Admitted:
    found = ask(cloud, client_id, **more)
    assert isinstance(found, Admitted), found
    question = {"peer": "192.0.2.1", "server_name": "cloud.example.org", "certificate": DER} | more
    there = Admit(client_id=client_id, **question | {"vouched": found.vouched, "checked": True})
    if there.certificate is not None:
        assert wait(cloud.admission.admit_many([there, there])) == [found, found]
    return found


def may(cloud: Cloud, found: Admitted, action: str, resource: str, client_id: str = "pump-1") -> bool:
    grants = GrantsCompiler(clock=cloud.store.clock)(found, client_id)
    return grants.decide(action, IOT + resource).allowed


def registered(cloud: Cloud, document: str = OWN) -> Certificate:
    certificate = cloud.registry.certificate()
    cloud.registry.policy("own", document)
    cloud.run(cloud.registry.attachments.attach_policy, {"policyName": "own", "target": arn_of(certificate)})
    return certificate


@pytest.mark.spec("JB-40", "JB-44", "JB-39", "DR-08")
def test_a_thing_that_is_attached_and_named_as_the_client_may_connect(cloud: Cloud) -> None:
    certificate = registered(cloud)
    cloud.registry.thing("pump-1", attributePayload={"attributes": {"site": "north"}})
    cloud.registry.attach("pump-1", certificate)

    found = admitted(cloud)

    assert (found.account, found.principal, found.dialect) == (CALLER.account, certificate.id, "iot")
    assert found.thing is None  # named in lifecycle events only when exclusive
    assert may(cloud, found, "iot:Connect", "client/pump-1")
    wanted = {
        "iot:ClientId": "pump-1",
        "iot:DomainName": "cloud.example.org",
        "aws:SourceIp": "192.0.2.1",
        "iot:CertificateId": certificate.id,
        "iot:Connection.Thing.IsAttached": "true",
        "iot:Connection.Thing.ThingName": "pump-1",
        "iot:Connection.Thing.Attributes[site]": "north",
        "iot:Certificate.Subject.CommonName": "AWS IoT Certificate",
    }
    assert wanted.items() <= found.variables.items()


def test_of_many_connections_that_are_there_each_has_its_own_answer(cloud: Cloud) -> None:
    certificate = registered(cloud)
    cloud.registry.thing("pump-1")
    cloud.registry.attach("pump-1", certificate)
    other = authorities.signed("lamp", authorities.signed("Acme CA", ca=True))
    common: dict[str, Any] = {"peer": "192.0.2.1", "server_name": "cloud.example.org"}
    questions = [
        Admit(client_id="pump-1", certificate=DER, **common),
        Admit(client_id="stranger", certificate=other.der, **common),
        Admit(client_id="pump-2", certificate=DER, **common),
        Admit(client_id="nobody", certificate=None, **common),
        Admit(
            client_id="by-user",
            certificate=None,
            **common,
            signed_by=f"arn:aws:iam::{CALLER.account}:root",
            signed_account=CALLER.account,
        ),
    ]

    replies = wait(cloud.admission.admit_many(questions))

    assert replies == [wait(cloud.admission.admit(question)) for question in questions]
    assert [type(reply) for reply in replies] == [Admitted, NotAdmitted, Admitted, NotAdmitted, Admitted]
    assert "iot:Connection.Thing.ThingName" in getattr(replies[0], "variables", {})
    assert "iot:Connection.Thing.ThingName" not in getattr(replies[2], "variables", {})


@pytest.mark.spec("JB-44")
def test_a_thing_that_is_not_attached_has_no_name_here(cloud: Cloud) -> None:
    registered(cloud)
    cloud.registry.thing("pump-1")

    found = admitted(cloud)

    assert found.variables["iot:Connection.Thing.IsAttached"] == "false"
    assert "iot:Connection.Thing.ThingName" not in found.variables
    assert not may(cloud, found, "iot:Connect", "client/pump-1")


def own_ca(cloud: Cloud, ca: authorities.Signed, *, auto: bool = True) -> None:
    read = parsed_ca(ca.pem, now=cloud.store.clock.now())
    with cloud.store.tx() as tx:
        cloud.registry.cas.enter(tx, CALLER, read, mode=CaMode.DEFAULT, active=True, auto_registration=auto)


@pytest.mark.parametrize("auto", [True, False])
def test_who_takes_in_a_device_of_anothers_ca_does_not_get_it(cloud: Cloud, *, auto: bool) -> None:
    ca = authorities.signed("Acme CA", ca=True)
    device = authorities.signed("lamp", ca)
    with cloud.store.tx() as tx:  # nobody has to prove anything for that
        cloud.registry.certificates.enter(tx, OTHER_ACCOUNT, device.pem, status=Status.ACTIVE, mode=Mode.SNI_ONLY)
    before = admitted(cloud, certificate=device.der).account
    own_ca(cloud, ca, auto=auto)

    refused = ask(cloud, certificate=device.der)

    assert before == OTHER_ACCOUNT.account
    assert isinstance(refused, NotAdmitted)
    assert refused.reason == "SNI_MISUSED"
    named = admitted(cloud, certificate=device.der, server_name=f"{OTHER_ACCOUNT.account}.cloud.example.org")
    assert named.account == OTHER_ACCOUNT.account
    with cloud.store.tx() as tx:
        mine = cloud.registry.certificates.find(tx, CALLER.account, device.id)
    assert (mine is not None) is auto  # registered just in time where its CA is


@pytest.mark.spec("AL-38")
def test_a_device_that_was_registered_just_in_time_is_let_in_once_it_is_activated(cloud: Cloud) -> None:
    ca = authorities.signed("Acme CA", ca=True)
    device = authorities.signed("lamp", ca)
    own_ca(cloud, ca)

    first = ask(cloud, certificate=device.der)
    cloud.run(cloud.registry.certificates.update_certificate, {"certificateId": device.id, "newStatus": "ACTIVE"})

    assert isinstance(first, NotAdmitted)
    assert admitted(cloud, certificate=device.der).principal == device.id


def test_a_weak_certificate_of_a_good_ca_is_not_registered(cloud: Cloud) -> None:
    ca = authorities.signed("Acme CA", ca=True)
    own_ca(cloud, ca)
    device = authorities.signed("lamp", ca, key=ec.generate_private_key(ec.SECP256K1()))

    assert isinstance(ask(cloud, certificate=device.der), NotAdmitted)

    with cloud.store.tx() as tx:
        assert cloud.registry.certificates.find(tx, CALLER.account, device.id) is None


@pytest.mark.spec("BS-18")
def test_another_client_id_than_the_things_name_is_not_the_thing(cloud: Cloud) -> None:
    certificate = registered(cloud)
    cloud.registry.thing("pump-1")
    cloud.registry.attach("pump-1", certificate)

    found = admitted(cloud, "pump-2")

    assert not may(cloud, found, "iot:Connect", "client/pump-2", "pump-2")
    assert not may(cloud, found, "iot:Connect", "client/pump-1", "pump-2")


def test_an_exclusive_thing_counts_under_every_client_id(cloud: Cloud) -> None:
    certificate = registered(cloud, policy(allow("iot:Publish", IOT + "topic/${iot:Connection.Thing.ThingName}/x")))
    cloud.registry.thing("pump-1")
    cloud.registry.attach("pump-1", certificate, thingPrincipalType="EXCLUSIVE_THING")

    found = admitted(cloud, "anything")

    assert found.thing == "pump-1"
    assert may(cloud, found, "iot:Publish", "topic/pump-1/x", "anything")


@pytest.mark.spec("JB-30")
def test_policies_of_the_things_groups_count_for_the_thing_alone(cloud: Cloud) -> None:
    certificate = registered(cloud)
    cloud.registry.thing("pump-1")
    cloud.registry.attach("pump-1", certificate)
    cloud.registry.group("sites")
    cloud.registry.group("north", parentGroupName="sites")
    cloud.registry.join("pump-1", "north")
    cloud.registry.policy("group", policy(allow("iot:Publish", IOT + "topic/all")))
    cloud.run(cloud.registry.attachments.attach_policy, {"policyName": "group", "target": group_arn("sites")})

    assert may(cloud, admitted(cloud), "iot:Publish", "topic/all")
    assert not may(cloud, admitted(cloud, "other"), "iot:Publish", "topic/all", "other")


@pytest.mark.parametrize(
    ("status", "word"),
    [(Status.INACTIVE, "DEVICE_CERTIFICATE_INACTIVE"), (Status.REVOKED, "DEVICE_CERTIFICATE_REVOKED")],
)
@pytest.mark.spec("JB-46")
def test_a_certificate_that_is_not_active_is_not_let_in(cloud: Cloud, status: Status, word: str) -> None:
    cloud.registry.certificate(status=status)

    found = ask(cloud)

    assert isinstance(found, NotAdmitted)
    assert found.reason == word
    assert status.value in found.detail.upper()


@pytest.mark.spec("JB-46")
def test_an_admission_ends_with_its_certificate(cloud: Cloud) -> None:
    certificate = registered(cloud)

    assert admitted(cloud).ends_at == certificate.not_after


@pytest.mark.spec("JB-39")
def test_who_shows_nothing_is_not_let_in(cloud: Cloud) -> None:
    unknown, nobody = ask(cloud), ask(cloud, certificate=None)

    assert isinstance(unknown, NotAdmitted)
    assert unknown.reason == "DEVICE_CERTIFICATE_NOT_REGISTERED"
    assert isinstance(nobody, NotAdmitted)
    assert nobody.reason == "NOT_AUTHENTICATED"


def signed(cloud: Cloud, principal: str, account: str = CALLER.account, **more: Any) -> Admitted | NotAdmitted:
    return ask(cloud, certificate=None, signed_by=principal, signed_account=account, **more)


def test_root_by_websocket_may_everything(cloud: Cloud) -> None:
    found = signed(cloud, CALLER.principal)

    assert isinstance(found, Admitted)
    assert found.dialect == "iam"
    assert may(cloud, found, "iot:Publish", "topic/a")


def test_a_user_by_websocket_has_its_iam_policies(cloud: Cloud) -> None:
    cloud.run(cloud.iam.users.create_user, {"UserName": "ann"})
    document = policy(allow("iot:*", IOT + "topic/${aws:username}/*"))
    request = {"UserName": "ann", "PolicyName": "own", "PolicyDocument": document}
    cloud.run(cloud.iam.user_policies.put_user_policy, request)

    found = signed(cloud, "arn:aws:iam::123456789012:user/ann")
    gone = signed(cloud, "arn:aws:iam::123456789012:user/bob")
    other = signed(cloud, "arn:aws:iam::210987654321:user/ann", OTHER_ACCOUNT.account)

    assert isinstance(found, Admitted)
    assert may(cloud, found, "iot:Publish", "topic/ann/x")
    assert not may(cloud, found, "iot:Publish", "topic/bob/x")
    assert isinstance(gone, NotAdmitted)
    assert isinstance(other, NotAdmitted)


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringEquals", "aws:RequestedRegion", "eu-central-1"),
        ("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}"),
        ("Bool", "aws:ViaAWSService", "false"),
        ("Bool", "aws:SecureTransport", "false"),
    ],
)
def test_a_deny_by_websocket_meets_what_aws_says_of_every_request(
    cloud: Cloud, operator: str, key: str, value: str
) -> None:
    cloud.run(cloud.iam.users.create_user, {"UserName": "ann"})
    deny = {"Effect": "Deny", "Action": "iot:Publish", "Resource": "*", "Condition": {operator: {key: value}}}
    request = {"UserName": "ann", "PolicyName": "own", "PolicyDocument": policy(allow("iot:*", "*"), deny)}
    cloud.run(cloud.iam.user_policies.put_user_policy, request)

    found = signed(cloud, "arn:aws:iam::123456789012:user/ann", secure=False)

    assert isinstance(found, Admitted)
    assert may(cloud, found, "iot:Subscribe", "topicfilter/a")
    assert not may(cloud, found, "iot:Publish", "topic/a")


def test_a_role_session_by_websocket_ends_with_its_credentials(cloud: Cloud) -> None:
    cloud.run(cloud.iam.roles.create_role, {"RoleName": "build", "AssumeRolePolicyDocument": TRUST_ACCOUNT})
    request = {"RoleName": "build", "PolicyName": "read", "PolicyDocument": READ_S3}
    cloud.run(cloud.iam.role_policies.put_role_policy, request)
    key = cloud.iam.assume("build")["Credentials"]["AccessKeyId"]
    principal = "arn:aws:sts::123456789012:assumed-role/build/me"

    found = signed(cloud, principal, signed_key=key)
    keyless = signed(cloud, principal)
    cloud.store.clock.advance(3600)
    over = signed(cloud, principal, signed_key=key)

    assert isinstance(found, Admitted)
    assert (found.ends_at, found.policies) == (1.8e9 + 3600, (READ_S3,))
    assert isinstance(keyless, NotAdmitted)
    assert isinstance(over, NotAdmitted)
    assert over.reason == "SECURITY_TOKEN_EXPIRED"


def test_a_role_session_by_websocket_ends_with_its_role(cloud: Cloud) -> None:
    role = {"RoleName": "build", "AssumeRolePolicyDocument": TRUST_ACCOUNT}
    cloud.run(cloud.iam.roles.create_role, role)
    key = cloud.iam.assume("build")["Credentials"]["AccessKeyId"]
    before = signed(cloud, "arn:aws:sts::123456789012:assumed-role/build/me", signed_key=key)
    cloud.run(cloud.iam.roles.delete_role, {"RoleName": "build"})
    cloud.run(cloud.iam.roles.create_role, role)

    again = signed(cloud, "arn:aws:sts::123456789012:assumed-role/build/me", signed_key=key)

    assert isinstance(before, Admitted)

    assert isinstance(again, NotAdmitted)


def test_a_federated_user_by_websocket_says_whose_rights_these_are(cloud: Cloud) -> None:
    ann = cloud.iam.user("ann", allow("sts:*", "*"))
    everything = policy(allow("*", "*"))
    request = {"Name": "guest", "Policy": everything}
    got = [cloud.run(cloud.iam.sts.get_federation_token, request, caller) for caller in (ann, CALLER)]
    keys = [each["Credentials"]["AccessKeyId"] for each in got]
    principal = "arn:aws:sts::123456789012:federated-user/guest"

    of_user, of_root = (signed(cloud, principal, signed_key=key) for key in keys)
    herself = signed(cloud, ann.principal)

    found = [each.behind for each in (of_user, of_root, herself) if isinstance(each, Admitted)]
    assert found == [ann.principal, "arn:aws:iam::123456789012:root", None]


@pytest.mark.parametrize("operation", ["update_access_key", "delete_access_key"])
@pytest.mark.parametrize("name", ["ann", None])
def test_a_key_that_is_not_active_any_more_holds_no_connection(cloud: Cloud, name: str | None, operation: str) -> None:
    of = {} if name is None else {"UserName": name}
    principal = CALLER.principal if name is None else cloud.iam.user(name, allow("iot:*", "*")).principal
    keys = [cloud.run(cloud.iam.keys.create_access_key, of)["AccessKey"]["AccessKeyId"] for _ in range(2)]
    before = [signed(cloud, principal, signed_key=key) for key in keys]

    more = {"Status": "Inactive"} if operation == "update_access_key" else {}
    cloud.run(getattr(cloud.iam.keys, operation), {**of, "AccessKeyId": keys[0], **more})
    after = [signed(cloud, principal, signed_key=key) for key in keys]

    assert [type(each) for each in before] == [Admitted, Admitted]
    assert [type(each) for each in after] == [NotAdmitted, Admitted]
    assert keys[0] in getattr(after[0], "detail", "")
    assert isinstance(signed(cloud, OTHER_ACCOUNT.principal, OTHER_ACCOUNT.account, signed_key=keys[1]), NotAdmitted)


def test_a_session_policy_limits_a_connection_too(cloud: Cloud) -> None:
    cloud.run(cloud.iam.roles.create_role, {"RoleName": "build", "AssumeRolePolicyDocument": TRUST_ACCOUNT})
    all_topics = policy(allow("iot:Publish", "*"))
    request = {"RoleName": "build", "PolicyName": "own", "PolicyDocument": all_topics}
    cloud.run(cloud.iam.role_policies.put_role_policy, request)
    only = policy(allow("iot:*", IOT + "topic/a"), allow("iot:Subscribe", "*"))
    narrow = cloud.iam.assume("build", Policy=only)["Credentials"]["AccessKeyId"]
    wide = cloud.iam.assume("build")["Credentials"]["AccessKeyId"]
    principal = "arn:aws:sts::123456789012:assumed-role/build/me"

    limited, free = (signed(cloud, principal, signed_key=key) for key in (narrow, wide))

    assert isinstance(limited, Admitted)
    assert isinstance(free, Admitted)
    assert may(cloud, limited, "iot:Publish", "topic/a")
    assert not may(cloud, limited, "iot:Publish", "topic/b")
    assert not may(cloud, limited, "iot:Subscribe", "topicfilter/a")
    assert may(cloud, free, "iot:Publish", "topic/b")


def test_another_ones_key_admits_nobody(cloud: Cloud) -> None:
    cloud.run(cloud.iam.roles.create_role, {"RoleName": "build", "AssumeRolePolicyDocument": TRUST_ACCOUNT})
    key = cloud.iam.assume("build", "me")["Credentials"]["AccessKeyId"]

    assert isinstance(signed(cloud, "arn:aws:sts::123456789012:assumed-role/build/you", signed_key=key), NotAdmitted)


def test_a_right_that_ends_with_a_date_ends_for_live_connections(cloud: Cloud) -> None:
    condition = {"DateLessThan": {"aws:CurrentTime": "2027-02-01T00:00:00Z"}}
    registered(cloud, policy(allow("iot:Publish", IOT + "topic/a", Condition=condition)))
    grants = GrantsCompiler(clock=cloud.store.clock)(admitted(cloud), "pump-1")

    before = grants.decide("iot:Publish", IOT + "topic/a")
    cloud.store.clock.advance(90 * 86400)
    after = grants.decide("iot:Publish", IOT + "topic/a")

    assert (before.allowed, before.cacheable) == (True, False)
    assert not after.allowed


# --- custom authorizers

FUNCTION = "arn:aws:lambda:eu-central-1:{}:function:decide"
LET_IN = {"isAuthenticated": True, "principalId": "lamp1", "disconnectAfterInSeconds": 300}
ON_A = policy(allow("iot:Publish", "*:topic/${iot:ClientId}/${aws:SourceIp}"))


def door(cloud: Cloud, caller: Caller = CALLER) -> None:
    """An authorizer of this account whose function lets everyone in."""
    terms = {"authorizerFunctionArn": FUNCTION.format(caller.account), "signingDisabled": True}
    cloud.run(cloud.authorizers.create_authorizer, {"authorizerName": "door", **terms}, caller)
    cloud.function.result = {**LET_IN, "policyDocuments": [ON_A], "refreshAfterInSeconds": 400}


def stranger(cloud: Cloud, way: Way = Way.CUSTOM, **more: Any) -> Admitted | NotAdmitted:
    username = "ann?x-amz-customauthorizer-name=door"
    return ask(cloud, certificate=None, way=way, username=username, connection_id="1", **more)


@pytest.mark.spec("JB-35")
def test_an_authorizer_says_who_a_stranger_is_and_what_it_may(cloud: Cloud) -> None:
    door(cloud)

    found = stranger(cloud, password=b"secret")

    now = cloud.store.clock.now()
    assert isinstance(found, Admitted)
    assert (found.account, found.principal, found.thing) == (CALLER.account, "lamp1", None)
    assert (found.ends_at, found.refresh_at, found.fixed) == (now + 300, now + 400, True)
    assert may(cloud, found, "iot:Publish", "topic/pump-1/192.0.2.1")
    assert not may(cloud, found, "iot:Publish", "topic/pump-2/192.0.2.1")


def test_the_server_name_says_whose_authorizers_are_asked(cloud: Cloud) -> None:
    door(cloud, OTHER_ACCOUNT)

    theirs = stranger(cloud, server_name=f"{OTHER_ACCOUNT.account}.cloud.example.org")
    first = stranger(cloud, server_name=None)

    assert isinstance(theirs, Admitted)
    assert theirs.account == OTHER_ACCOUNT.account
    assert isinstance(first, NotAdmitted)
    assert (first.reason, first.account) == ("CUSTOM_AUTHORIZER_NOT_FOUND", CALLER.account)
    assert cloud.function.sources == [f"arn:aws:iot:eu-central-1:{OTHER_ACCOUNT.account}:authorizer/door"]


def test_where_a_certificate_is_demanded_no_authorizer_is_asked(cloud: Cloud) -> None:
    door(cloud)

    found = stranger(cloud, Way.CERTIFICATE)

    assert isinstance(found, NotAdmitted)
    assert (found.reason, cloud.function.asked) == ("NOT_AUTHENTICATED", [])


def test_what_the_upgrade_brought_is_shown_to_the_function(cloud: Cloud) -> None:
    door(cloud)
    upgrade = Upgrade(headers={"x-a": "b"}, query="c=d", secure=False)

    assert isinstance(stranger(cloud, Way.WEBSOCKET, upgrade=upgrade, assigned=True), Admitted)

    (event,) = cloud.function.asked
    assert event["protocols"] == ["http", "mqtt"]
    assert "clientId" not in event["protocolData"]["mqtt"]
    assert event["protocolData"]["http"] == {"headers": {"x-a": "b"}, "queryString": "?c=d"}


BY_ALPN = {name: way_for(Port.ALPN, [name]) for name in ("x-amzn-mqtt-ca", "mqtt", "http/1.1")}


@pytest.mark.spec("JB-39")
@pytest.mark.parametrize(
    ("name", "more", "reason"),
    [
        ("x-amzn-mqtt-ca", {}, None),
        ("mqtt", {}, "NOT_AUTHENTICATED"),
        ("mqtt", {"certificate": None, "signed_by": f"arn:aws:iam::{CALLER.account}:root"}, "NOT_AUTHENTICATED"),
        ("x-amzn-mqtt-ca", {"certificate": None}, "NOT_AUTHENTICATED"),
        ("http/1.1", {}, None),
    ],
)
def test_a_way_in_is_for_those_who_prove_themselves_as_it_asks(
    cloud: Cloud, name: str, more: dict[str, Any], reason: str | None
) -> None:
    registered(cloud)

    found = ask(cloud, way_in=BY_ALPN[name], **more)

    assert (found.reason if isinstance(found, NotAdmitted) else None) == reason


# --- a certificate and an authorizer

BESIDE = WayIn(speech=Speech.MQTT, proofs=frozenset({Proof.X509_AND_CUSTOM}))


def beside(cloud: Cloud, certificate: Certificate | None = None, **more: Any) -> Admitted | NotAdmitted:
    """Come with a certificate where an authorizer is asked, too; the function calls it so unless told otherwise."""
    if certificate is not None:
        said = {"isAuthenticated": True, "principalId": certificate.id, "disconnectAfterInSeconds": 300}
        cloud.function.result = {**said, "refreshAfterInSeconds": 400, **more.pop("said", {})}
    username = "ann?x-amz-customauthorizer-name=door"
    return ask(cloud, way_in=BESIDE, username=username, connection_id="1", **more)


def test_an_authorizer_sees_the_certificate_and_adds_to_its_policies(cloud: Cloud) -> None:
    certificate = registered(cloud, policy(allow("iot:Connect", IOT + "client/${iot:ClientId}")))
    door(cloud)

    found = beside(cloud, certificate, said={"policyDocuments": [ON_A]})

    now = cloud.store.clock.now()
    assert isinstance(found, Admitted)
    assert may(cloud, found, "iot:Connect", "client/pump-1")
    assert may(cloud, found, "iot:Publish", "topic/pump-1/192.0.2.1")
    assert (found.principal, found.fixed) == (certificate.id, False)
    assert (found.ends_at, found.refresh_at) == (now + 300, now + 400)
    (event,) = cloud.function.asked
    tls = event["protocolData"]["tls"]
    assert (tls["principalId"], tls["serverName"]) == (certificate.id, "cloud.example.org")
    assert pki.certificate_id(pki.read_certificate(tls["x509CertificatePem"])) == certificate.id


def test_policies_need_not_be_said_beside_a_certificate(cloud: Cloud) -> None:
    certificate = registered(cloud)
    door(cloud)

    found = beside(cloud, certificate)

    assert isinstance(found, Admitted)
    assert len(found.policies) == 1


def test_what_was_said_before_is_not_asked_for_again(cloud: Cloud) -> None:
    certificate = registered(cloud)
    door(cloud)
    first = beside(cloud, certificate, said={"policyDocuments": [ON_A]})
    assert isinstance(first, Admitted)
    cloud.store.clock.advance(10)

    again = beside(cloud, vouched=first.vouched)

    assert isinstance(again, Admitted)
    assert (again.policies, again.ends_at, again.refresh_at) == (first.policies, first.ends_at, first.refresh_at)
    assert len(cloud.function.asked) == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"isAuthenticated": False}, "NOT_AUTHENTICATED"),
        ({"principalId": "lamp1"}, "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR"),
        ({"policyDocuments": []}, "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR"),
    ],
)
def test_a_certificate_is_not_enough_where_an_authorizer_must_agree(
    cloud: Cloud, said: dict[str, Any], reason: str
) -> None:
    certificate = registered(cloud)
    door(cloud)

    found = beside(cloud, certificate, said=said)

    assert isinstance(found, NotAdmitted)
    assert found.reason == reason


def test_an_authorizer_is_not_asked_about_a_certificate_that_counts_for_nothing(cloud: Cloud) -> None:
    door(cloud)

    unknown = beside(cloud)
    without = ask(cloud, way_in=BESIDE, certificate=None, username="ann?x-amz-customauthorizer-name=door")

    assert isinstance(unknown, NotAdmitted)
    assert isinstance(without, NotAdmitted)
    assert (unknown.reason, cloud.function.asked) == ("DEVICE_CERTIFICATE_NOT_REGISTERED", [])


# --- domain configurations


def configured(cloud: Cloud, account: str = CALLER.account, **more: Any) -> WayIn:
    """A domain configuration; answer the way in of who asks for it by MQTT."""
    domain = Domain(account=account, configuration="mine", name="iot.acme.example", **more)
    cloud.domains.announce(DomainChanged(account=account, configuration="mine", name=domain.name, domain=domain))
    return replace(way_for(Port.MQTT, []), domain="mine", account=account)


def test_a_domain_configuration_says_whose_certificate_it_must_be(cloud: Cloud) -> None:
    registered(cloud)

    mine = ask(cloud, way_in=configured(cloud), server_name="iot.acme.example")
    theirs = ask(cloud, way_in=configured(cloud, OTHER_ACCOUNT.account), server_name="iot.acme.example")

    assert isinstance(mine, Admitted)
    assert mine.variables["iot:DomainName"] == "iot.acme.example"
    assert isinstance(theirs, NotAdmitted)
    assert theirs.reason == "SNI_MISUSED"


def test_a_domain_configuration_that_ends_during_the_handshake_lets_nobody_in(cloud: Cloud) -> None:
    registered(cloud)
    way_in = configured(cloud)

    configured(cloud, enabled=False)
    disabled = ask(cloud, way_in=way_in, server_name="iot.acme.example")
    gone = DomainChanged(account=CALLER.account, configuration="mine", name="iot.acme.example", domain=None)
    cloud.domains.announce(gone)
    deleted = ask(cloud, way_in=way_in, server_name="iot.acme.example")

    reasons = [each.reason for each in (disabled, deleted) if isinstance(each, NotAdmitted)]
    assert reasons == ["DOMAIN_CONFIGURATION_DISABLED", "DOMAIN_CONFIGURATION_INVALID"]


def test_a_domain_configuration_names_the_authorizer_and_may_allow_another(cloud: Cloud) -> None:
    door(cloud, OTHER_ACCOUNT)
    way_in = configured(cloud, OTHER_ACCOUNT.account, authorizer="door", override=False)
    named = {"username": "ann?x-amz-customauthorizer-name=other", "server_name": "iot.acme.example"}

    fixed = ask(cloud, certificate=None, way=Way.WEBSOCKET, connection_id="1", way_in=None, **named)
    configured(cloud, OTHER_ACCOUNT.account, authorizer="door", override=True)
    free = ask(cloud, certificate=None, way=Way.WEBSOCKET, connection_id="1", way_in=None, **named)

    assert way_in.account == OTHER_ACCOUNT.account
    assert isinstance(fixed, Admitted)
    assert fixed.account == OTHER_ACCOUNT.account
    assert isinstance(free, NotAdmitted)
    assert free.reason == "CUSTOM_AUTHORIZER_NOT_FOUND"


class Looking:
    """The function of a domain configuration."""

    def __init__(self, said: bytes) -> None:
        self.said = said
        self.asked = 0

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        self.asked += 1
        return self.said


@pytest.mark.parametrize(("said", "let_in"), [(b'{"isAuthenticated": true}', True), (b"{}", False)])
def test_a_domain_configurations_function_is_asked_once_before_all_else(
    cloud: Cloud, said: bytes, let_in: bool
) -> None:
    registered(cloud)
    looking = Looking(said)
    cloud.domains._checks = CertificateChecks(invoker=looking, region="eu-central-1")
    way_in = configured(cloud, proof=Proof.X509, callback="arn:aws:lambda:eu-central-1:123456789012:function:look")

    first = ask(cloud, way_in=way_in, server_name="iot.acme.example")
    again = ask(cloud, way_in=way_in, server_name="iot.acme.example", checked=True)
    elsewhere = ask(cloud)

    assert isinstance(first, Admitted) == let_in
    assert isinstance(again, Admitted)
    assert isinstance(elsewhere, Admitted)
    assert looking.asked == 1


def test_explanations_name_the_policies_of_certificates_and_of_authorizers(cloud: Cloud) -> None:
    certificate = registered(cloud, policy(allow("iot:Connect", IOT + "client/${iot:ClientId}")))
    door(cloud)
    found = beside(cloud, certificate, said={"policyDocuments": [ON_A]})
    assert isinstance(found, Admitted)
    grants = GrantsCompiler(clock=cloud.store.clock)(found, "pump-1")

    entered = grants.decide("iot:Connect", IOT + "client/pump-1").explain()
    denied = grants.decide("iot:Publish", IOT + "topic/b").explain()

    assert entered.endswith("is allowed by statement 1 of policy own")
    assert "statement 1 of policy 1 of the custom authorizer" in denied
