"""Commands: made, looked at, deprecated, deleted."""

from typing import Any

import pytest

from hedgerow.base.errors import NotImplementedYet, ServiceError
from hedgerow.services.iot.commands.model import LONGEST_TIMEOUT_S
from hedgerow.services.iot.tags import TagStore
from tests.support.commands import ARN, LAMP, LEVEL, TEMPLATE, Bench
from tests.support.store import CALLER, OTHER_ACCOUNT


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_command_is_kept_as_it_was_given(bench: Bench) -> None:
    made = bench.call(
        "CreateCommand",
        commandId="blink",
        namespace="AWS-IoT",
        displayName="Blink",
        description="Blinks once.",
        payload={"content": b"\x01", "contentType": "application/x-lamp"},
    )
    shown = bench.call("GetCommand", commandId="blink")

    assert made == {"commandId": "blink", "commandArn": f"{ARN}command/blink"}
    assert shown["payload"] == {"content": b"\x01", "contentType": "application/x-lamp"}
    assert (shown["displayName"], shown["description"], shown["namespace"]) == ("Blink", "Blinks once.", "AWS-IoT")
    assert (shown["deprecated"], shown["pendingDeletion"], shown["createdAt"]) == (False, False, 1.8e9)


def test_a_template_and_its_parameters_are_kept_too(bench: Bench) -> None:
    key = {"name": "key", "type": "BINARY", "defaultValue": {"BIN": b"\0\xff"}}
    bench.template(LEVEL, key)

    shown = bench.call("GetCommand", commandId="set")

    assert shown["payloadTemplate"] == TEMPLATE
    assert shown["preprocessor"] == {"awsJsonSubstitution": {"outputFormat": "JSON"}}
    assert shown["mandatoryParameters"] == [LEVEL, key]
    assert "payload" not in shown


SUBSTITUTED = {"preprocessor": {"awsJsonSubstitution": {"outputFormat": "JSON"}}}
FIXED: dict[str, Any] = {"payload": {"content": b"x"}}


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({}, "needs a payload or a payloadTemplate"),
        ({**FIXED, "payloadTemplate": TEMPLATE}, "and not both"),
        ({"payload": {"contentType": "a/b"}}, "needs its content"),
        ({"payload": {"content": b"x" * 32_769}}, "longer than 32768 bytes"),
        ({"payload": {"content": b"x", "contentType": "json"}}, "type/subtype"),
        ({**FIXED, "mandatoryParameters": [LEVEL]}, "go with a payloadTemplate"),
        ({**FIXED, **SUBSTITUTED}, "go with a payloadTemplate"),
        ({**FIXED, "roleArn": "arn:aws:iam::123456789012:role/r"}, "roleArn is not supported"),
        ({"payloadTemplate": TEMPLATE, "mandatoryParameters": [LEVEL]}, "needs the preprocessor"),
        ({"payloadTemplate": "{", **SUBSTITUTED}, "is not JSON"),
        ({"payloadTemplate": "[" * 100_000, **SUBSTITUTED}, "is not JSON"),
        ({"payloadTemplate": '{"a": 1}', **SUBSTITUTED}, "has no placeholder"),
        ({"payloadTemplate": TEMPLATE, **SUBSTITUTED}, "parameter level, which is not in"),
        ({"payloadTemplate": TEMPLATE.replace("parameter:level", "x"), **SUBSTITUTED}, "placeholder that there is not"),
        ({"payloadTemplate": '{"${aws:iot:commandexecution::executionTimeoutSec}": 1}', **SUBSTITUTED}, "name of a"),
        ({"payloadTemplate": TEMPLATE, **SUBSTITUTED, "mandatoryParameters": [LEVEL, LEVEL]}, "level is there twice"),
    ],
)
def test_what_cannot_be_a_command_is_refused(bench: Bench, members: dict[str, Any], match: str) -> None:
    with pytest.raises(ServiceError, match=match) as refused:
        bench.call("CreateCommand", commandId="x", **members)

    assert refused.value.code == "ValidationException"
    assert bench.call("ListCommands")["commands"] == []


def test_fleetwise_is_refused_by_name(bench: Bench) -> None:
    with pytest.raises(NotImplementedYet, match="use the namespace AWS-IoT"):
        bench.call("CreateCommand", commandId="x", namespace="AWS-IoT-FleetWise", **FIXED)


def test_an_id_is_taken_once_per_account(bench: Bench) -> None:
    bench.command()
    bench.call("CreateCommand", OTHER_ACCOUNT, commandId="blink", **FIXED)

    with pytest.raises(ServiceError, match="already exists") as refused:
        bench.command()

    assert refused.value.code == "ConflictException"
    assert bench.call("GetCommand", OTHER_ACCOUNT, commandId="blink")["payload"]["content"] == b"x"


def test_another_account_sees_and_changes_nothing(bench: Bench) -> None:
    bench.command()

    assert bench.call("ListCommands", OTHER_ACCOUNT)["commands"] == []
    assert bench.call("DeleteCommand", OTHER_ACCOUNT, commandId="blink") == {"statusCode": 204}
    for operation in ("GetCommand", "UpdateCommand"):
        with pytest.raises(ServiceError, match="cannot be found"):
            bench.call(operation, OTHER_ACCOUNT, commandId="blink")
    assert bench.call("GetCommand", commandId="blink")["pendingDeletion"] is False


def test_commands_are_listed_newest_first_and_page(bench: Bench) -> None:
    for name in ("c", "a", "b"):
        bench.command(name)
        bench.store.clock.advance(1)

    first = bench.call("ListCommands", maxResults=2)
    second = bench.call("ListCommands", maxResults=2, nextToken=first["nextToken"])
    oldest = bench.call("ListCommands", sortOrder="ASCENDING")

    assert [one["commandId"] for one in (*first["commands"], *second["commands"])] == ["b", "a", "c"]
    assert [one["commandId"] for one in oldest["commands"]] == ["c", "a", "b"]
    assert "nextToken" not in second


def test_commands_are_found_by_parameter_and_namespace(bench: Bench) -> None:
    bench.command()
    bench.template()

    by_parameter = bench.call("ListCommands", commandParameterName="level")["commands"]
    by_part_of_it = bench.call("ListCommands", commandParameterName="leve")["commands"]
    of_fleetwise = bench.call("ListCommands", namespace="AWS-IoT-FleetWise")["commands"]

    assert [one["commandId"] for one in by_parameter] == ["set"]
    assert (by_part_of_it, of_fleetwise) == ([], [])


def test_a_deprecated_command_starts_nothing_until_it_is_restored(bench: Bench) -> None:
    bench.command()
    bench.call("UpdateCommand", commandId="blink", deprecated=True)

    with pytest.raises(ServiceError, match="is deprecated") as refused:
        bench.start()
    with pytest.raises(ServiceError, match="restore it first"):
        bench.call("UpdateCommand", commandId="blink", displayName="x")
    restored = bench.call("UpdateCommand", commandId="blink", deprecated=False, displayName="New")

    assert refused.value.code == "ValidationException"
    assert (restored["deprecated"], restored["displayName"]) == (False, "New")
    assert bench.start()


def test_a_command_goes_at_once_when_it_was_deprecated_long_enough(bench: Bench) -> None:
    bench.command()
    bench.call("UpdateCommand", commandId="blink", deprecated=True)
    bench.store.clock.advance(LONGEST_TIMEOUT_S)

    assert bench.call("DeleteCommand", commandId="blink") == {"statusCode": 204}
    with pytest.raises(ServiceError, match="cannot be found"):
        bench.call("GetCommand", commandId="blink")


def test_another_command_goes_after_twelve_hours_with_its_tags(bench: Bench) -> None:
    bench.command()
    tags = TagStore()
    with bench.store.tx() as tx:
        tags.put(tx, CALLER.account, "command/blink", {"a": "1"})
    execution, *_ = bench.start(executionTimeoutSeconds=60)

    deleted = [bench.call("DeleteCommand", commandId="blink") for _ in range(2)]
    pending = bench.call("GetCommand", commandId="blink")["pendingDeletion"]
    with pytest.raises(ServiceError, match="being deleted"):
        bench.start()
    with pytest.raises(ServiceError, match="being deleted"):
        bench.call("UpdateCommand", commandId="blink", deprecated=True)
    bench.report(execution, {"status": "SUCCEEDED"})
    bench.later(LONGEST_TIMEOUT_S)

    assert deleted == [{"statusCode": 202}] * 2
    assert pending is True
    assert bench.call("ListCommands")["commands"] == []
    assert bench.get(execution, LAMP)["status"] == "SUCCEEDED"
    with bench.store.tx() as tx:
        assert tags.get(tx, CALLER.account, "command/blink") == {}
