"""STS: who may assume a role, for how long, and who one is then."""

import dataclasses
import json

import pytest

from hedgerow.base.errors import AccessDenied, ServiceError
from hedgerow.core.caller import Caller, Kind
from hedgerow.services.sts.sessions import SessionFollowUps, SessionKind
from hedgerow.services.sts.sessions.store import sessions
from hedgerow.store import FollowUp
from tests.support.iam import ASSUMES, TRUST_ACCOUNT, TRUST_DEVICES, Iam
from tests.support.store import CALLER

ROLE = "arn:aws:iam::123456789012:role/build"
ANN = dataclasses.replace(CALLER, kind=Kind.USER, principal="arn:aws:iam::123456789012:user/ann")


@pytest.fixture
def iam() -> Iam:
    iam = Iam()
    iam.run(iam.roles.create_role, {"RoleName": "build", "AssumeRolePolicyDocument": TRUST_ACCOUNT})
    iam.run(iam.roles.create_role, {"RoleName": "edge", "AssumeRolePolicyDocument": TRUST_DEVICES})
    iam.user("ann", ASSUMES)
    return iam


def assume(iam: Iam, caller: Caller = ANN, role: str = ROLE, **more: object) -> dict[str, object]:
    request = {"RoleArn": role, "RoleSessionName": "me", **more}
    return dict(iam.run(iam.role_sessions.assume_role, request, caller).response)


def refusal(iam: Iam, caller: Caller = ANN, role: str = ROLE, **more: object) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        assume(iam, caller, role, **more)
    return raised.value


def test_an_assumed_role_has_a_key_a_token_and_an_end(iam: Iam) -> None:
    answer = assume(iam)

    credentials = answer["Credentials"]
    assert isinstance(credentials, dict)
    assert credentials["AccessKeyId"].startswith("ASIA")
    assert credentials["Expiration"] == 1.8e9 + 3600
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/build/me"  # type: ignore[index]  # a response
    with iam.store.tx() as tx:
        session = iam.session_reader.find(tx, credentials["AccessKeyId"])
    assert session is not None
    assert (session.secret, session.token) == (credentials["SecretAccessKey"], credentials["SessionToken"])
    assert session.secret not in repr(session)


@pytest.mark.spec("KO-09")
def test_a_role_that_trusts_only_devices_is_refused_to_users(iam: Iam) -> None:
    found = refusal(iam, role="arn:aws:iam::123456789012:role/edge")

    assert isinstance(found, AccessDenied)
    assert "is not authorized to perform: sts:AssumeRole on resource" in found.message


def test_an_unknown_role_and_a_wrong_path_are_refused(iam: Iam) -> None:
    assert isinstance(refusal(iam, role=ROLE + "x"), AccessDenied)
    assert isinstance(refusal(iam, role="arn:aws:iam::123456789012:role/x/build"), AccessDenied)


def test_the_external_id_is_a_condition_of_the_trust_policy(iam: Iam) -> None:
    document = json.loads(TRUST_ACCOUNT)
    document["Statement"][0]["Condition"] = {"StringEquals": {"sts:ExternalId": "4711"}}
    iam.run(iam.roles.update_assume_role_policy, {"RoleName": "build", "PolicyDocument": json.dumps(document)})

    assert isinstance(refusal(iam), AccessDenied)
    assert "Credentials" in assume(iam, ExternalId="4711")


@pytest.mark.parametrize(("seconds", "right"), [(899, False), (900, True), (3600, True), (3601, False)])
def test_the_duration_stays_within_the_roles_bounds(iam: Iam, seconds: int, right: bool) -> None:
    if right:
        assert "Credentials" in assume(iam, DurationSeconds=seconds)
    else:
        assert refusal(iam, DurationSeconds=seconds).code == "ValidationError"


def test_a_role_that_was_assumed_by_a_role_lasts_an_hour_at_most(iam: Iam) -> None:
    iam.run(iam.roles.update_role, {"RoleName": "build", "MaxSessionDuration": 43200})
    policy = {"RoleName": "build", "PolicyName": "p", "PolicyDocument": json.dumps({"Statement": [ASSUMES]})}
    iam.run(iam.role_policies.put_role_policy, policy)
    arn = "arn:aws:sts::123456789012:assumed-role/build/me"
    chained = dataclasses.replace(CALLER, kind=Kind.ROLE, principal=arn)

    assert "Credentials" in assume(iam, DurationSeconds=7200)
    assert "Credentials" in assume(iam, caller=chained, DurationSeconds=3600)
    assert "1 hour session limit" in refusal(iam, caller=chained, DurationSeconds=3601).message


def test_everyone_learns_who_they_are(iam: Iam) -> None:
    answer = assume(iam)
    credentials = answer["Credentials"]
    assert isinstance(credentials, dict)
    arn = "arn:aws:sts::123456789012:assumed-role/build/me"
    as_role = dataclasses.replace(CALLER, kind=Kind.ROLE, principal=arn, access_key_id=credentials["AccessKeyId"])

    root = iam.run(iam.sts.get_caller_identity, {}).response
    user = iam.run(iam.sts.get_caller_identity, {}, ANN).response
    role = iam.run(iam.sts.get_caller_identity, {}, as_role).response

    assert root == {"UserId": "123456789012", "Account": "123456789012", "Arn": CALLER.principal}
    assert user["UserId"].startswith("AIDA")
    assert role["Arn"] == arn
    assert role["UserId"].startswith("AROA")
    assert role["UserId"].endswith(":me")


def test_a_session_token_is_for_users_and_root_and_not_for_sessions(iam: Iam) -> None:
    user = iam.run(iam.sts.get_session_token, {}, ANN).response["Credentials"]
    root = iam.run(iam.sts.get_session_token, {"DurationSeconds": 43200}).response["Credentials"]
    again = dataclasses.replace(ANN, access_key_id=user["AccessKeyId"])

    assert user["Expiration"] == 1.8e9 + 43200
    assert root["Expiration"] == 1.8e9 + 3600
    with pytest.raises(AccessDenied, match="session credentials"):
        iam.run(iam.sts.get_session_token, {}, again)


def test_sessions_are_forgotten_after_their_end(iam: Iam) -> None:
    credentials = assume(iam)["Credentials"]
    assert isinstance(credentials, dict)
    key = credentials["AccessKeyId"]
    row = FollowUp(seq=1, account="123456789012", kind="sts.session-expired", key=key, due_at=0.0, body={}, attempts=0)

    with iam.store.tx() as tx:
        due = tx._connection.exec_driver_sql("SELECT due_at FROM follow_up").scalar_one()
        SessionFollowUps().on_session_expired(tx, row)
        SessionFollowUps().on_session_expired(tx, row)
        found = iam.session_reader.find(tx, key)

    assert due == 1.8e9 + 7200
    assert found is None


def test_every_kind_of_session_fits_into_its_column() -> None:
    room = sessions.c.kind.type.length  # type: ignore[attr-defined]  # a String; SQLite does not look at it

    assert max(len(kind.value) for kind in SessionKind) <= room
