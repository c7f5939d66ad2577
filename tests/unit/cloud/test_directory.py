"""The directory: keys, certificates and grants, remembered until something changes."""

import dataclasses
import json

import pytest

from hedgerow.base.errors import AccessDenied
from hedgerow.cloud.directory import UsableKeys
from hedgerow.core import pki
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import AuthorisationChanged, PrincipalCut
from hedgerow.core.request import Request
from hedgerow.services.iot.ca_certificates.model import CaMode, parsed_ca
from hedgerow.services.iot.certificates import Mode, Status
from hedgerow.store import Answer, Tx
from tests.support import authorities
from tests.support.cloud import Cloud, wait
from tests.support.iam import READ_S3, TRUST_ACCOUNT
from tests.support.registry import arn_of, certificate_pem
from tests.support.store import CALLER, OTHER_ACCOUNT

BUCKET = "arn:aws:s3:::photos/one"
IOT = "arn:aws:iot:eu-central-1:123456789012:"


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def user_key(cloud: Cloud, caller: Caller = CALLER, name: str = "ann") -> tuple[str, str]:
    cloud.run(cloud.iam.users.create_user, {"UserName": name}, caller)
    key = cloud.run(cloud.iam.keys.create_access_key, {"UserName": name}, caller)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def signed_by(cloud: Cloud, key_id: str) -> Caller:
    key = wait(cloud.directory.access_key(key_id))
    assert key is not None
    return Caller(
        account=key.account,
        region="eu-central-1",
        principal=key.principal,
        kind=key.kind,
        request_id="1",
        access_key_id=key_id,
    )


def may(cloud: Cloud, caller: Caller, action: str, resource: str) -> bool:
    return wait(cloud.directory.grants(caller)).decide(action, resource, {}).allowed


def device(cloud: Cloud, server_name: str | None = None) -> Caller:
    der = pki.der_of(pki.read_certificate(certificate_pem(1)))
    return wait(cloud.directory.certificate(der, server_name, "192.0.2.1"))


def test_a_key_says_whose_it_is(cloud: Cloud) -> None:
    key_id, secret = user_key(cloud)
    root_id = cloud.run(cloud.iam.keys.create_access_key)["AccessKey"]["AccessKeyId"]

    user, root = wait(cloud.directory.access_key(key_id)), wait(cloud.directory.access_key(root_id))

    assert user is not None
    assert (user.principal, user.kind, user.secret) == ("arn:aws:iam::123456789012:user/ann", Kind.USER, secret)
    assert secret not in repr(user)
    assert root is not None
    assert (root.principal, root.kind) == ("arn:aws:iam::123456789012:root", Kind.ROOT)
    assert wait(cloud.directory.access_key("AKIAUNKNOWN")) is None


def test_a_key_is_read_once_until_it_changes(cloud: Cloud) -> None:
    key_id, _ = user_key(cloud)
    for _ in range(3):
        assert wait(cloud.directory.access_key(key_id)) is not None
    reads = cloud.runner.reads

    cloud.run(cloud.iam.keys.update_access_key, {"UserName": "ann", "AccessKeyId": key_id, "Status": "Inactive"})

    assert reads == 1
    assert wait(cloud.directory.access_key(key_id)) is None


def test_what_is_read_while_something_changes_is_not_kept(cloud: Cloud) -> None:
    key_id, _ = user_key(cloud)
    readers = cloud.readers.access_keys
    found = readers.find

    def find_meanwhile(tx: Tx, wanted: str) -> object:
        cloud.directory.announce(AuthorisationChanged(account=CALLER.account))
        return found(tx, wanted)

    readers.find = find_meanwhile  # type: ignore[method-assign, assignment]  # a change in the middle of a read

    wait(cloud.directory.access_key(key_id))
    wait(cloud.directory.access_key(key_id))

    assert cloud.runner.reads == 2


def test_root_may_everything_in_its_account_and_nothing_in_another(cloud: Cloud) -> None:
    assert may(cloud, CALLER, "iot:CreateThing", IOT + "thing/a")
    assert may(cloud, CALLER, "s3:GetObject", BUCKET)
    assert may(cloud, CALLER, "iam:GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert not may(cloud, OTHER_ACCOUNT, "iot:CreateThing", IOT + "thing/a")


@pytest.mark.spec("X-02")
def test_a_user_may_what_its_policies_say_from_the_moment_they_are_put(cloud: Cloud) -> None:
    key_id, _ = user_key(cloud)
    ann = signed_by(cloud, key_id)
    before = may(cloud, ann, "s3:GetObject", BUCKET)
    request = {"UserName": "ann", "PolicyName": "read"}

    cloud.run(cloud.iam.user_policies.put_user_policy, {**request, "PolicyDocument": READ_S3})
    after = may(cloud, ann, "s3:GetObject", BUCKET)
    cloud.run(cloud.iam.user_policies.delete_user_policy, request)

    assert (before, after) == (False, True)
    assert not may(cloud, ann, "s3:GetObject", BUCKET)


@pytest.mark.spec("AL-08")
def test_users_of_the_same_name_in_two_accounts_do_not_meet(cloud: Cloud) -> None:
    ann, _ = user_key(cloud)
    other, _ = user_key(cloud, OTHER_ACCOUNT)
    request = {"UserName": "ann", "PolicyName": "read", "PolicyDocument": READ_S3}

    cloud.run(cloud.iam.user_policies.put_user_policy, request)

    assert may(cloud, signed_by(cloud, ann), "s3:GetObject", BUCKET)
    assert not may(cloud, signed_by(cloud, other), "s3:GetObject", BUCKET)
    assert signed_by(cloud, other).account == OTHER_ACCOUNT.account


def test_a_users_name_is_a_variable(cloud: Cloud) -> None:
    key_id, _ = user_key(cloud)
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::home/${aws:username}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    request = {"UserName": "ann", "PolicyName": "home", "PolicyDocument": document}

    cloud.run(cloud.iam.user_policies.put_user_policy, request)

    assert may(cloud, signed_by(cloud, key_id), "s3:PutObject", "arn:aws:s3:::home/ann/x")
    assert not may(cloud, signed_by(cloud, key_id), "s3:PutObject", "arn:aws:s3:::home/bob/x")


@pytest.mark.spec("X-02")
def test_a_role_session_may_what_the_role_may(cloud: Cloud) -> None:
    cloud.run(cloud.iam.roles.create_role, {"RoleName": "build", "AssumeRolePolicyDocument": TRUST_ACCOUNT})
    request = {"RoleName": "build", "PolicyName": "read", "PolicyDocument": READ_S3}
    cloud.run(cloud.iam.role_policies.put_role_policy, request)
    credentials = cloud.iam.assume("build")["Credentials"]

    caller = signed_by(cloud, credentials["AccessKeyId"])
    key = wait(cloud.directory.access_key(credentials["AccessKeyId"]))

    assert key is not None
    assert (key.session_token, key.expires_at) == (credentials["SessionToken"], 1.8e9 + 3600)
    assert caller.kind is Kind.ROLE
    assert may(cloud, caller, "s3:GetObject", BUCKET)
    assert not may(cloud, caller, "s3:PutObject", BUCKET)


def test_a_session_does_not_pass_to_a_new_role_of_the_same_name(cloud: Cloud) -> None:
    role = {"RoleName": "build", "AssumeRolePolicyDocument": TRUST_ACCOUNT}
    cloud.run(cloud.iam.roles.create_role, role)
    key_id = cloud.iam.assume("build")["Credentials"]["AccessKeyId"]
    before = wait(cloud.directory.access_key(key_id))

    cloud.run(cloud.iam.roles.delete_role, {"RoleName": "build"})
    gone = wait(cloud.directory.access_key(key_id))
    cloud.run(cloud.iam.roles.create_role, role)
    again = wait(cloud.directory.access_key(key_id))

    assert before is not None
    assert (gone, again) == (None, None)


def test_a_guest_goes_with_the_user_who_answers_for_it(cloud: Cloud) -> None:
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    bob = cloud.iam.user("bob", allow)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Action": "s3:GetObject"}]})
    made = cloud.run(cloud.iam.sts.get_federation_token, {"Name": "guest", "Policy": policy}, bob)
    key_id = made["Credentials"]["AccessKeyId"]
    guest = signed_by(cloud, key_id)
    before = may(cloud, guest, "s3:GetObject", BUCKET), may(cloud, guest, "s3:PutObject", BUCKET)

    cloud.run(cloud.iam.user_policies.delete_user_policy, {"UserName": "bob", "PolicyName": "own"})
    poor = may(cloud, guest, "s3:GetObject", BUCKET)
    cloud.run(cloud.iam.users.delete_user, {"UserName": "bob"})
    cloud.iam.user("bob", allow)

    assert (guest.kind, before, poor) == (Kind.FEDERATED, (True, False), False)
    assert wait(cloud.directory.access_key(key_id)) is None


def test_a_session_of_root_is_within_its_limits(cloud: Cloud) -> None:
    key_id = cloud.run(cloud.iam.sts.get_session_token, {})["Credentials"]["AccessKeyId"]
    root = signed_by(cloud, key_id)

    assert root.kind is Kind.ROOT
    assert may(cloud, root, "s3:GetObject", BUCKET)
    assert not may(cloud, root, "iam:CreateUser", "arn:aws:iam::123456789012:user/eve")
    assert not may(cloud, root, "iot:CreateThing", IOT.replace("123456789012", "210987654321") + "thing/a")


def test_a_session_does_not_pass_to_a_new_user_of_the_same_name(cloud: Cloud) -> None:
    user_id, _ = user_key(cloud)
    made = cloud.run(cloud.iam.sts.get_session_token, {}, signed_by(cloud, user_id))["Credentials"]["AccessKeyId"]
    before = wait(cloud.directory.access_key(made))

    cloud.run(cloud.iam.keys.delete_access_key, {"UserName": "ann", "AccessKeyId": user_id})
    cloud.run(cloud.iam.users.delete_user, {"UserName": "ann"})
    cloud.run(cloud.iam.users.create_user, {"UserName": "ann"})

    assert before is not None
    assert wait(cloud.directory.access_key(made)) is None


def test_nobody_may_nothing(cloud: Cloud) -> None:
    nobody = dataclasses.replace(CALLER, kind=Kind.ANONYMOUS, principal="anonymous", account="")

    assert not may(cloud, nobody, "iot:CreateThing", IOT + "thing/a")


def test_a_certificate_speaks_for_its_account(cloud: Cloud) -> None:
    certificate = cloud.registry.certificate()

    caller = device(cloud)

    assert (caller.account, caller.kind, caller.certificate_id) == (CALLER.account, Kind.CERTIFICATE, certificate.id)
    assert caller.principal == arn_of(certificate)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (Status.INACTIVE, "DEVICE_CERTIFICATE_INACTIVE"),
        (Status.PENDING_ACTIVATION, "DEVICE_CERTIFICATE_INACTIVE"),
        (Status.REVOKED, "DEVICE_CERTIFICATE_REVOKED"),
    ],
)
@pytest.mark.spec("JB-39")
def test_a_certificate_that_is_not_active_is_refused(cloud: Cloud, status: Status, word: str) -> None:
    cloud.registry.certificate(status=status)

    with pytest.raises(AccessDenied, match=f"Certificate is invalid on this endpoint: {word}"):
        device(cloud)


@pytest.mark.spec("JB-39")
def test_an_unknown_certificate_is_refused_and_known_as_soon_as_it_is_registered(cloud: Cloud) -> None:
    with pytest.raises(AccessDenied, match="DEVICE_CERTIFICATE_NOT_REGISTERED"):
        device(cloud)

    cloud.registry.certificate()

    assert device(cloud).account == CALLER.account


@pytest.mark.parametrize(("now", "word"), [(1_700_000_000.0, "begins 2026-01-01"), (2_600_000_000.0, "ended 2049")])
def test_dates_of_a_certificate_are_looked_at(cloud: Cloud, now: float, word: str) -> None:
    cloud.registry.certificate()
    cloud.store.clock.value = now

    with pytest.raises(AccessDenied, match=word):
        device(cloud)


def test_where_several_accounts_have_a_certificate_the_server_name_decides(cloud: Cloud) -> None:
    cloud.registry.certificate(mode=Mode.SNI_ONLY)
    assert device(cloud).account == CALLER.account
    cloud.registry.certificate(caller=OTHER_ACCOUNT, mode=Mode.SNI_ONLY)

    second = device(cloud, f"{OTHER_ACCOUNT.account}.cloud.example.org")
    first = device(cloud, f"{CALLER.account}.cloud.example.org")

    assert (first.account, second.account) == (CALLER.account, OTHER_ACCOUNT.account)
    with pytest.raises(AccessDenied, match="SNI_MISUSED"):
        device(cloud, "999999999999.cloud.example.org")
    cloud.directory.announce(PrincipalCut(account=CALLER.account, principal=str(first.certificate_id), reason="x"))
    with pytest.raises(AccessDenied, match="several accounts"):
        device(cloud, "cloud.example.org")


def test_a_proved_ca_takes_back_what_somebody_else_took_in(cloud: Cloud) -> None:
    ca = authorities.signed("Acme CA", ca=True)
    leaf = authorities.signed("lamp", ca)
    with cloud.store.tx() as tx:
        cloud.registry.certificates.enter(tx, OTHER_ACCOUNT, leaf.pem, status=Status.ACTIVE, mode=Mode.SNI_ONLY)
    before = wait(cloud.directory.certificate(leaf.der, None, None)).account
    with cloud.store.tx() as tx:
        read = parsed_ca(ca.pem, now=tx.now)
        cloud.registry.cas.enter(tx, CALLER, read, mode=CaMode.DEFAULT, active=True, auto_registration=False)

    assert before == OTHER_ACCOUNT.account
    with pytest.raises(AccessDenied, match="SNI_MISUSED"):
        wait(cloud.directory.certificate(leaf.der, None, None))
    request = {"certificatePem": leaf.pem, "status": "ACTIVE"}
    cloud.run(cloud.registry.certificates.register_certificate, request)
    assert wait(cloud.directory.certificate(leaf.der, None, None)).account == CALLER.account


def test_who_registers_the_certificate_of_another_account_takes_nothing_from_it(cloud: Cloud) -> None:
    cloud.registry.certificate()
    cloud.registry.certificate(caller=OTHER_ACCOUNT, mode=Mode.SNI_ONLY)  # a certificate is no secret

    assert device(cloud, "cloud.example.org").account == CALLER.account
    assert device(cloud, f"{OTHER_ACCOUNT.account}.cloud.example.org").account == OTHER_ACCOUNT.account


@pytest.mark.spec("BS-19")
def test_a_certificate_may_what_its_policies_say(cloud: Cloud) -> None:
    certificate = cloud.registry.certificate()
    statement = {"Effect": "Allow", "Action": "iot:AssumeRoleWithCertificate", "Resource": IOT + "rolealias/edge"}
    cloud.registry.policy("edge", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    before = may(cloud, device(cloud), "iot:AssumeRoleWithCertificate", IOT + "rolealias/edge")

    cloud.run(cloud.registry.attachments.attach_policy, {"policyName": "edge", "target": arn_of(certificate)})

    assert not before
    assert may(cloud, device(cloud), "iot:AssumeRoleWithCertificate", IOT + "rolealias/edge")
    assert not may(cloud, device(cloud), "iot:AssumeRoleWithCertificate", IOT + "rolealias/other")


@pytest.mark.parametrize(("how", "expected"), [("EXCLUSIVE_THING", True), ("NON_EXCLUSIVE_THING", False)])
def test_without_mqtt_only_an_exclusive_thing_has_a_name(cloud: Cloud, how: str, expected: bool) -> None:
    certificate = cloud.registry.certificate()
    cloud.registry.thing("pump-1")
    cloud.registry.attach("pump-1", certificate, thingPrincipalType=how)
    resource = IOT + "thing/${iot:Connection.Thing.ThingName}"
    statement = {"Effect": "Allow", "Action": "iot:GetThingShadow", "Resource": resource}
    cloud.registry.policy("own", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    cloud.run(cloud.registry.attachments.attach_policy, {"policyName": "own", "target": arn_of(certificate)})

    assert may(cloud, device(cloud), "iot:GetThingShadow", IOT + "thing/pump-1") is expected


def test_a_change_of_one_certificate_forgets_only_that_one(cloud: Cloud) -> None:
    key_id, _ = user_key(cloud)
    certificate = cloud.registry.certificate()
    wait(cloud.directory.access_key(key_id))
    device(cloud)
    reads = cloud.runner.reads

    cloud.directory.announce(AuthorisationChanged(account=CALLER.account, principals=frozenset({certificate.id})))
    wait(cloud.directory.access_key(key_id))
    device(cloud)

    assert cloud.runner.reads == reads + 1


def test_a_key_is_usable_while_it_is_active_or_its_session_lives(cloud: Cloud) -> None:
    key_id, _ = user_key(cloud)
    session_id = ""

    def session(tx: Tx, request: Request, caller: Caller) -> Answer:
        nonlocal session_id
        session_id = cloud.iam.sts.session_for(tx, caller, 600).access_key_id
        return Answer()

    cloud.run(session)
    keys = UsableKeys(access_keys=cloud.iam.key_reader, sessions=cloud.iam.session_reader)

    with cloud.store.tx() as tx:
        now = [keys.usable(tx, key) for key in (key_id, session_id, "AKIANONE")]
    cloud.store.clock.advance(600)
    cloud.run(cloud.iam.keys.update_access_key, {"UserName": "ann", "AccessKeyId": key_id, "Status": "Inactive"})
    with cloud.store.tx() as tx:
        later = [keys.usable(tx, key) for key in (key_id, session_id)]

    assert now == [True, True, False]
    assert later == [False, False]
