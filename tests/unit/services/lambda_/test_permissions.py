"""Permissions: the resource policy of a function."""

import json
from typing import Any

import pytest

from hedgerow.services.lambda_.functions import FunctionNotFound
from hedgerow.services.lambda_.permissions.errors import (
    InvalidPermission,
    PermissionConflict,
    PermissionNotFound,
    PolicyRevisionMismatch,
    PolicyTooLong,
)
from hedgerow.services.lambda_.permissions.model import Statement
from tests.support.lambda_ import Lambda

ACCOUNT = "123456789012"
ARN = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:f"
RULE = f"arn:aws:iot:eu-central-1:{ACCOUNT}:rule/r"


async def made() -> Lambda:
    service = Lambda()
    await service.create(Publish=True)
    return service


def add(service: Lambda, sid: str = "s1", **more: Any) -> Any:
    request = {
        "FunctionName": "f",
        "StatementId": sid,
        "Action": "lambda:InvokeFunction",
        "Principal": "iot.amazonaws.com",
        **more,
    }
    return service.store.run(service.permissions.add_permission, request).response


def policy(service: Lambda, **more: Any) -> Any:
    return service.store.run(service.permissions.get_policy, {"FunctionName": "f", **more}).response


async def test_a_statement_is_written_as_iam_writes_it() -> None:
    service = await made()

    answer = add(service, SourceArn=RULE, SourceAccount=ACCOUNT)

    expected = {
        "Sid": "s1",
        "Effect": "Allow",
        "Principal": {"Service": "iot.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {"StringEquals": {"AWS:SourceAccount": ACCOUNT}, "ArnLike": {"AWS:SourceArn": RULE}},
    }
    assert json.loads(answer["Statement"]) == expected
    assert json.loads(policy(service)["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "default",
        "Statement": [expected],
    }


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        (ACCOUNT, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        ("*", "*"),
        (f"arn:aws:iam::{ACCOUNT}:user/u", {"AWS": f"arn:aws:iam::{ACCOUNT}:user/u"}),
    ],
)
async def test_principals_are_written_by_their_kind(principal: str, expected: Any) -> None:
    answer = add(await made(), Principal=principal)

    assert json.loads(answer["Statement"])["Principal"] == expected


async def test_a_version_has_a_policy_of_its_own() -> None:
    service = await made()
    add(service, Qualifier="1")

    assert json.loads(policy(service, Qualifier="1")["Policy"])["Statement"][0]["Resource"] == f"{ARN}:1"
    with pytest.raises(PermissionNotFound):
        policy(service)


async def test_statements_are_removed_one_by_one_until_there_is_no_policy() -> None:
    service = await made()
    add(service, "s1")
    add(service, "s2")

    service.store.run(service.permissions.remove_permission, {"FunctionName": "f", "StatementId": "s1"})
    left = json.loads(policy(service)["Policy"])["Statement"]
    service.store.run(service.permissions.remove_permission, {"FunctionName": "f", "StatementId": "s2"})

    assert [each["Sid"] for each in left] == ["s2"]
    with pytest.raises(PermissionNotFound):
        policy(service)
    with pytest.raises(PermissionNotFound):
        service.store.run(service.permissions.remove_permission, {"FunctionName": "f", "StatementId": "s2"})


async def test_what_does_not_fit_is_refused() -> None:
    service = await made()
    add(service)

    with pytest.raises(PermissionConflict):
        add(service)
    with pytest.raises(InvalidPermission):
        add(service, "s2", Action="s3:GetObject")
    with pytest.raises(InvalidPermission):
        add(service, "s2", Principal="nobody in particular")
    with pytest.raises(PolicyRevisionMismatch):
        add(service, "s2", RevisionId="old")
    with pytest.raises(FunctionNotFound):
        add(service, "s2", FunctionName="g")


async def test_a_policy_has_a_longest_length() -> None:
    service = await made()

    for number in range(40):
        add(service, f"s{number}", SourceArn=f"{RULE}{'x' * 200}")

    with pytest.raises(PolicyTooLong):
        add(service, "last", SourceArn=f"{RULE}{'x' * 2000}")


@pytest.mark.parametrize(
    ("source_arn", "asked", "expected"),
    [
        (None, RULE, True),
        (RULE, RULE, True),
        (RULE, RULE + "x", False),
        (f"arn:aws:iot:eu-central-1:{ACCOUNT}:rule/*", RULE, True),
        ("arn:aws:iot:*", RULE, False),
        ("arn:aws:iot:*:*:rule/r", RULE, True),
        (RULE, None, False),
    ],
)
def test_the_source_decides(source_arn: str | None, asked: str | None, expected: bool) -> None:
    statement = Statement(
        sid="s", action="lambda:InvokeFunction", principal="iot.amazonaws.com", resource=ARN, source_arn=source_arn
    )

    assert statement.permits(service="iot.amazonaws.com", source_arn=asked, account=ACCOUNT) is expected
    assert not statement.permits(service="s3.amazonaws.com", source_arn=asked, account=ACCOUNT)


def test_the_sources_account_decides() -> None:
    statement = Statement(
        sid="s", action="lambda:*", principal="iot.amazonaws.com", resource=ARN, source_account="210987654321"
    )

    assert not statement.permits(service="iot.amazonaws.com", source_arn=RULE, account=ACCOUNT)
