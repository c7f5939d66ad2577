"""What is a policy and what is not, and trust policies."""

import json
from typing import Any

import pytest

from hedgerow.core.policy import (
    Dialect,
    MalformedPolicy,
    Principal,
    caller_principal,
    decide_trust,
    mentions,
    validate,
)

GOOD: dict[str, Any] = {"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}


def document(**changes: Any) -> str:
    statement = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "the document is no JSON"),
        ("[]", "a policy is a JSON object"),
        ("[" * 100_000, "the document is no JSON"),
        ('{"Version": "2012-10-17"}', "Statement must be"),
        ('{"Version": "2012-10-17", "Statement": []}', "at least one"),
        ('{"Version": "2013-01-01", "Statement": []}', "Version must be 2012-10-17"),
        ('{"Version": "2012-10-17", "Statement": [1]}', "statement 1 is no JSON object"),
        ('{"Version": "2012-10-17", "Version": "2012-10-17"}', "Version is given twice"),
        ('{"Version": "2012-10-17", "Statements": []}', "unknown element 'Statements' in the policy"),
        (document(Effect="allow"), "must be Allow or Deny, not 'allow'"),
        (document(Effect=None), "must be Allow or Deny, not None"),
        (document(Action=None), "either Action or NotAction"),
        (document(NotAction="iot:*"), "either Action or NotAction"),
        (document(Resource=None), "either Resource or NotResource"),
        (document(Action="Publish"), "must be * or name its service"),
        (document(Action=[]), "not empty"),
        (document(Action=[1]), "text or a list of texts"),
        (document(Resource="topic/a"), "must be * or an ARN"),
        (document(Sid=1), "Sid in statement 1 must be text"),
        (document(Principal="*"), "unknown element 'Principal' in statement 1"),
        (document(Condition=[]), "must be an object"),
        (document(Condition={"StringEqual": {"a": "b"}}), "unknown operator 'StringEqual'"),
        (document(Condition={"NullIfExists": {"a": "true"}}), "unknown operator 'NullIfExists'"),
        (document(Condition={"Bool": {"a": {}}}), "must be texts, numbers or booleans"),
    ],
)
def test_what_is_no_policy_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(MalformedPolicy) as raised:
        validate(text, Dialect.IOT)

    assert reason in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        document(),
        document(Sid="A", Action=["iot:*", "*"], Resource=["*", "arn:aws:iot:r:a:topic/x"]),
        document(Resource="arn:aws:iot:*"),
        '{"Statement": {"Effect": "Deny", "NotAction": "iot:*", "NotResource": "*"}}',
    ],
)
def test_what_is_a_policy_is_accepted(text: str) -> None:
    validate(text, Dialect.IOT)


def trust(principal: Any, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_trust_policy_has_principals_and_no_resource() -> None:
    validate(trust({"Service": "credentials.iot.amazonaws.com"}), Dialect.TRUST)

    with pytest.raises(MalformedPolicy, match="unknown element 'Resource'"):
        validate(trust("*", Resource="*"), Dialect.TRUST)
    with pytest.raises(MalformedPolicy, match="either Principal or NotPrincipal"):
        validate('{"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole"}}', Dialect.TRUST)
    with pytest.raises(MalformedPolicy, match="unknown element 'Services'"):
        validate(trust({"Services": "x"}), Dialect.TRUST)


@pytest.mark.spec("BS-15")
def test_a_statement_with_nothing_but_an_effect_is_malformed() -> None:
    text = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}'

    with pytest.raises(MalformedPolicy):
        validate(text, Dialect.TRUST)


@pytest.mark.spec("KO-09")
def test_only_the_services_that_a_trust_policy_names_may_assume_the_role() -> None:
    text = trust({"Service": ["greengrass.amazonaws.com", "credentials.iot.amazonaws.com"]})

    assert decide_trust(text, Principal(service="credentials.iot.amazonaws.com")).allowed
    assert not decide_trust(text, Principal(service="lambda.amazonaws.com")).allowed
    assert not decide_trust(text, Principal(account="123456789012", arns=("arn:aws:iam::123456789012:root",))).allowed


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": "123456789012"}, True),
        ({"AWS": "arn:aws:iam::123456789012:root"}, True),
        ({"AWS": ["arn:aws:iam::123456789012:user/ann"]}, True),
        ({"AWS": "arn:aws:iam::123456789012:user/bob"}, False),
        ({"AWS": "arn:aws:iam::210987654321:root"}, False),
        ({"Service": "*"}, False),
    ],
)
def test_a_user_is_matched_by_arn_or_account(named: Any, expected: bool) -> None:
    who = caller_principal("123456789012", "arn:aws:iam::123456789012:user/ann")

    assert decide_trust(trust(named), who).allowed is expected


def test_a_role_session_counts_as_its_role() -> None:
    who = caller_principal("123456789012", "arn:aws:sts::123456789012:assumed-role/deploy/me")

    assert decide_trust(trust({"AWS": "arn:aws:iam::123456789012:role/deploy"}), who).allowed
    assert decide_trust(trust({"AWS": "arn:aws:sts::123456789012:assumed-role/deploy/me"}), who).allowed


def test_not_principal_speaks_of_everyone_else() -> None:
    statement = {
        "Effect": "Deny",
        "NotPrincipal": {"AWS": "arn:aws:iam::123456789012:user/ann"},
        "Action": "sts:AssumeRole",
    }
    allow = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allow, statement]})

    assert decide_trust(text, caller_principal("123456789012", "arn:aws:iam::123456789012:user/ann")).allowed
    assert not decide_trust(text, caller_principal("123456789012", "arn:aws:iam::123456789012:user/bob")).allowed


def test_a_policy_mentions_the_keys_of_its_conditions_and_its_variables() -> None:
    condition = {"StringEquals": {"aws:PrincipalTag/T": "${aws:EpochTime}"}}
    text = document(Resource="arn:aws:iot:eu:1:topic/${iot:ClientId}", Condition=condition)

    found = [mentions([text], Dialect.IOT, {key}) for key in ("iot:clientid", "aws:principaltag/t", "aws:epochtime")]

    assert found == [True] * 3
    assert not mentions([text], Dialect.IOT, {"aws:currenttime"})
    with pytest.raises(MalformedPolicy):
        mentions(["{"], Dialect.IOT, {"aws:currenttime"})
