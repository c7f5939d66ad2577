import re
import warnings
from types import SimpleNamespace
from typing import Any

import pytest

from hedgerow.core.wire.validation import _ENDLESS, compiled, message, problems
from tests.unit.core.wire.models import CATALOGUE


def found(service: str, operation: str, params: dict[str, Any]) -> list[str]:
    model = CATALOGUE.model(service)
    assert model is not None
    shape = model.operation(operation)
    assert shape is not None
    return problems(service, shape, params)


@pytest.mark.parametrize(
    ("service", "operation", "params", "said"),
    [
        ("iot", "CreateThing", {}, "Value null at 'thingName' failed to satisfy constraint: Member must not be null"),
        ("iot", "CreateThing", {"thingName": "x" * 129}, "Member must have length less than or equal to 128"),
        ("iot", "CreateThing", {"thingName": ""}, "Member must have length greater than or equal to 1"),
        ("iot", "CreateThing", {"thingName": "ä"}, "Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+"),
        ("iot", "CreateThing", {"thingName": "a\n"}, "Value 'a\n' at 'thingName' failed to satisfy constraint"),
        ("iot", "ListThings", {"maxResults": 251}, "Member must have value less than or equal to 250"),
        ("iot", "ListThings", {"maxResults": 0}, "Value '0' at 'maxResults'"),
        (
            "iot",
            "UpdateCertificate",
            {"certificateId": "0" * 64, "newStatus": "on"},
            "at 'newStatus' failed to satisfy constraint: Member must satisfy enum value set: [ACTIVE, INACTIVE,",
        ),
        ("iot", "CreateTopicRule", {"ruleName": "r", "topicRulePayload": {"actions": []}}, "'topicRulePayload.sql'"),
        (
            "iot",
            "TagResource",
            {"resourceArn": "a", "tags": [{"Key": "a", "Value": "b"}, {"Value": "c"}]},
            "Value null at 'tags.2.member.Key'",
        ),
        (
            "lambda",
            "PublishLayerVersion",
            {"LayerName": "l", "Content": {"ZipFile": b""}, "Description": "x" * 257},
            "256",
        ),
        ("iam", "CreateRole", {"RoleName": "a b", "AssumeRolePolicyDocument": "{}"}, "[\\w+=,.@-]+"),
        ("iam", "CreateUser", {"UserName": "usér"}, "[\\w+=,.@-]+"),
        ("iot", "CreatePolicy", {"policyName": "١٢", "policyDocument": "{}"}, "[\\w+=,.@-]+"),
        ("iot", "DescribeRoleAlias", {"roleAlias": "\uff41"}, "[\\w=,@-]+"),
    ],
)
def test_what_is_wrong_is_said_with_the_members_name(
    service: str, operation: str, params: dict[str, Any], said: str
) -> None:
    assert any(said in problem for problem in found(service, operation, params)), found(service, operation, params)


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("iot", "CreateThing", {"thingName": "a:b_c-1"}),
        ("iot", "CreateThing", {"thingName": "a" * 128, "attributePayload": {"attributes": {"a": ""}}}),
        ("lambda", "CreateFunction", {"FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/r", "Code": {}}),
        (
            "lambda",
            "UpdateFunctionConfiguration",
            {"FunctionName": "f", "Runtime": "arn:aws:greengrass:::runtime/function/executable"},
        ),
        ("iam", "TagRole", {"RoleName": "r", "Tags": [{"Key": "Größe 1", "Value": "a/b+c"}]}),
        ("logs", "CreateLogGroup", {"logGroupName": "/aws/lambda/f", "tags": {"ключ": "значение"}}),
    ],
)
def test_what_is_right_is_let_through(service: str, operation: str, params: dict[str, Any]) -> None:
    assert found(service, operation, params) == []


def test_a_secret_is_never_repeated_in_a_message() -> None:
    shown = found("hedgerow", "RedeemConsoleSignIn", {"token": "s3cret" * 100})

    assert len(shown) == 1
    assert "s3cret" not in shown[0]


def test_a_long_value_is_shown_in_part() -> None:
    shown = found("iot", "CreateThing", {"thingName": "x" * 100_000})

    assert len(message(shown)) < 400


def test_problems_are_counted_and_bounded() -> None:
    tags = [{"Value": "v"}] * 50

    shown = found("iot", "TagResource", {"tags": tags})

    assert message(shown).startswith("10 validation errors detected: Value null at 'resourceArn'")


def test_nulls_in_lists_are_let_through_to_the_operation() -> None:
    assert found("iot", "TagResource", {"resourceArn": "a", "tags": [None]}) == []


@pytest.mark.slow
def test_patterns_of_the_models_can_be_said_in_python_without_warnings() -> None:
    services = (
        "iot", "iot-data", "iot-jobs-data", "greengrass", "greengrassv2", "lambda", "s3", "logs", "cloudwatch", "iam",
        "sts", "sns", "hedgerow", "hedgerow-device", "iotsecuretunneling", "secretsmanager", "events", "sqs",
    )  # fmt: skip
    unsaid = set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for service in services:
            model = CATALOGUE.model(service)
            assert model is not None
            for name in list(model.shapes._raw):
                pattern = (model.shapes.raw(name) or {}).get("pattern")
                if pattern and compiled(pattern) is None and pattern not in _ENDLESS:
                    unsaid.add((service, name, pattern))

    assert unsaid == set()


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"[\p{Graph}\x20]*", "a b~", "a\tb"),
        (r"[^\p{C}]*", "größe …", "a\u0000"),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "Größe 1", "a#"),
        (r"[\w-_]*", "a-_", "a b"),
        (r"[\w-]+\d{2}", "a_-12", "é12"),
        (r"[\d]+", "12", "١٢"),
        (r"[\s\S]*\.", "é \u00a0.", "é"),
        (r"[[a]+", "[a", "b"),
        (r"\P{C}+", "ab", "\u0007"),
    ],
)
def test_javas_patterns_mean_the_same_in_python(pattern: str, yes: str, no: str) -> None:
    made = compiled(pattern)

    assert made is not None
    assert (made.fullmatch(yes) is not None, made.fullmatch(no) is not None) == (True, False)


@pytest.mark.slow
@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["a", "1", "-", "a-", "a:", "/a", "a/", "1.", "_", " ", "arn:aws:iot:r:123456789012:"])
@pytest.mark.parametrize("service", ["iot", "greengrassv2", "lambda", "s3", "logs", "iam", "sts", "sns", "events"])
def test_no_pattern_takes_long_to_say_no(service: str, unit: str) -> None:
    model = CATALOGUE.model(service)
    assert model is not None
    operation = SimpleNamespace(input=None)
    for name in model.shapes._raw:
        shape = model.shapes[name]
        if shape.pattern is None:
            continue
        longest = min(shape.maximum or 4096, 4096)
        hard = (unit * longest)[: longest - 1] + "!"
        operation.input = SimpleNamespace(
            required=(), union=False, members={"a": SimpleNamespace(shape=shape, json_value=False)}
        )

        problems(service, operation, {"a": hard})  # type: ignore[arg-type]  # as much of an operation as is looked at


def test_a_pattern_that_python_cannot_say_is_not_enforced() -> None:
    assert compiled(r"a(?<n>b)\k<n>") is None
    assert compiled(r"\p{Unheard}") is None
    assert re.compile("a")
