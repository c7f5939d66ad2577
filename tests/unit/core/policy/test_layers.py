"""Rights with limits: every layer must allow, a deny of any wins, and whose it was is told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.policy import AllOf, Dialect, Grants, Principal, Reason, compile_policies, decide_trust

ACTIONS = ("s3:GetObject", "s3:PutObject", "iot:Publish")


def grants(*effects: tuple[str, str], **more: Any) -> Grants:
    statements = [{"Effect": effect, "Action": action, "Resource": "*", **more} for effect, action in effects]
    return compile_policies((json.dumps({"Statement": statements}),), dialect=Dialect.IAM)


ALL = grants(("Allow", "*"))
READ = grants(("Allow", "s3:Get*"))
EFFECTS = st.sampled_from(["Allow", "Deny"])
LAYER = st.lists(st.tuples(EFFECTS, st.sampled_from(["*", *ACTIONS])), min_size=1, max_size=4)


def test_what_every_layer_allows_is_allowed() -> None:
    both = AllOf([("", ALL), ("the boundary", READ)])

    assert both.decide("s3:GetObject", "*").allowed
    assert both.decide("s3:PutObject", "*").reason is Reason.IMPLICIT_DENY


def test_the_layer_that_does_not_allow_it_is_named() -> None:
    both = AllOf([("", ALL), ("the boundary", READ)])

    assert both.decide("s3:PutObject", "*").explain().startswith("the boundary: no statement allows s3:PutObject")
    assert both.decide("s3:GetObject", "*").explain().startswith("s3:GetObject on * is allowed by statement 1")


def test_a_deny_of_any_layer_is_what_is_told() -> None:
    both = AllOf([("", grants(("Allow", "iot:*"))), ("the session", grants(("Deny", "s3:*"), ("Allow", "*")))])

    verdict = both.decide("s3:GetObject", "*")

    assert verdict.reason is Reason.EXPLICIT_DENY
    assert verdict.explain().startswith("the session: s3:GetObject on * is denied")


def test_what_depends_on_the_context_is_not_remembered() -> None:
    timed = grants(("Allow", "*"), Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}})
    context = {"aws:CurrentTime": "2027-01-01T00:00:00Z"}

    assert ALL.decide("s3:GetObject", "*").cacheable
    assert AllOf([("", ALL), ("x", READ)]).decide("s3:GetObject", "*").cacheable
    assert AllOf([("", ALL), ("x", timed)]).decide("s3:GetObject", "*", context).allowed
    assert not AllOf([("", ALL), ("x", timed)]).decide("s3:GetObject", "*", context).cacheable


@given(st.lists(LAYER, min_size=1, max_size=3), st.sampled_from(ACTIONS))
def test_it_is_allowed_when_each_layer_by_itself_allows_it(layers: list[list[tuple[str, str]]], action: str) -> None:
    compiled = [grants(*layer) for layer in layers]
    alone = [each.decide(action, "*") for each in compiled]

    together = AllOf([("", each) for each in compiled]).decide(action, "*")

    assert together.allowed is all(verdict.allowed for verdict in alone)
    assert (together.reason is Reason.EXPLICIT_DENY) is any(v.reason is Reason.EXPLICIT_DENY for v in alone)


def trusts(principal: Any, who: Principal) -> bool:
    return decide_trust({"Statement": {"Effect": "Allow", "Principal": principal, "Action": "*"}}, who).allowed


ANN = "arn:aws:iam::123456789012:user/ann"
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/id.example.org"


@pytest.mark.parametrize(
    ("principal", "named", "itself"),
    [
        (ANN, True, True),
        ("*", True, True),
        ("123456789012", True, False),
        ("arn:aws:iam::123456789012:root", True, False),
        ("210987654321", False, False),
        ("arn:aws:iam::210987654321:root", False, False),
    ],
)
def test_naming_the_account_is_not_naming_somebody_in_it(principal: str, named: bool, itself: bool) -> None:
    ann = Principal(account="123456789012", arns=(ANN,))

    assert trusts({"AWS": principal}, ann) is named
    assert trusts({"AWS": principal}, ann.itself()) is itself


@pytest.mark.parametrize(
    ("principal", "right"),
    [
        ({"Federated": PROVIDER}, True),
        ({"Federated": [PROVIDER + "2", PROVIDER]}, True),
        ({"Federated": "*"}, False),
        ({"Federated": "id.example.org"}, False),
        ({"AWS": "*"}, False),
        ({"AWS": "123456789012"}, False),
        ("*", False),
    ],
)
def test_a_provider_is_trusted_by_its_name_alone(principal: Any, right: bool) -> None:
    assert trusts(principal, Principal(federated=PROVIDER)) is right
