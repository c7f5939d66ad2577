"""Whether a role lets a service act: for the account that the role's trust policy names."""

from typing import Any

import pytest

from hedgerow.cloud.service_roles import trusts_service

IOT = "iot.amazonaws.com"
RULE = "arn:aws:iot:eu-central-1:123456789012:rule/r"


def trust(**more: Any) -> Any:
    return {"Statement": {"Effect": "Allow", "Principal": {"Service": IOT}, "Action": "sts:AssumeRole", **more}}


@pytest.mark.parametrize(("account", "right"), [("123456789012", True), ("210987654321", False)])
def test_a_service_is_trusted_for_the_account_that_the_policy_names(account: str, right: bool) -> None:
    named = trust(Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}})

    assert trusts_service(named, account, IOT, source=RULE, now=0.0) is right


@pytest.mark.parametrize(("service", "right"), [(IOT, True), ("lambda.amazonaws.com", False)])
def test_another_service_is_not_trusted(service: str, right: bool) -> None:
    assert trusts_service(trust(), "123456789012", service, source=RULE, now=0.0) is right


@pytest.mark.parametrize(("now", "right"), [(1.0, True), (3.0, False)])
def test_a_trust_policy_may_end(now: float, right: bool) -> None:
    until = trust(Condition={"DateLessThan": {"aws:CurrentTime": "1970-01-01T00:00:02Z"}})

    assert trusts_service(until, "123456789012", IOT, source=RULE, now=now) is right


@pytest.mark.parametrize(
    ("named", "right"), [("arn:aws:iot:*:123456789012:*", True), (RULE, True), (f"{RULE}2", False)]
)
def test_a_trust_policy_may_name_what_the_service_acts_for(named: str, right: bool) -> None:
    document = trust(Condition={"ArnLike": {"aws:SourceArn": named}})

    assert trusts_service(document, "123456789012", IOT, source=RULE, now=0.0) is right
